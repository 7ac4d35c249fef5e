"""What everything but fitting costs: a run of a sweep, a command's start, a study that is done already.

    CROSSOVER_DATA=folder python benchmarks/bench_overhead.py

- sweep: logistic regressions one after another in this process into a fresh store (sms_spam where
  CROSSOVER_DATA holds it, else the generated inbox), without W&B and with its offline mirror, in alternation;
  milliseconds a run beyond what the runs themselves say of fitting and predicting, and where they go.
- start: `--help` of every script, and importing the report, each in a fresh process.
- resume: a finished crossover study asked again; nothing is fitted.

Targets: 50 ms a run, W&B included; --help under 1 s; the report under 0.3 s and without torch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_SILENT", "true")

import pyarrow.parquet as pq
from bench_rounds import alternate, headline, machine, write

from crossover import experiment
from crossover.data.corpus import Card, Corpus
from crossover.data.inbox import Inbox
from crossover.launch.in_process import InProcess
from crossover.model import cost_meter
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec
from crossover.record import store as store_module
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.study_report import publish
from crossover.split.grouped import Grouped
from crossover.split.nested_subsets import Subset
from crossover.split.split import Split
from crossover.study.crossover import CrossoverStudy
from crossover.study.study import run

ROOT = Path(__file__).resolve().parents[1]
SIZES = (50, 100, 200, 400, 800)
MODEL = "crossover.model.logistic_regression.LogisticRegression"
RIVAL = "crossover.model.naive_bayes.NaiveBayes"
TARGETS = {"run": 50.0, "help": 1.0, "report": 0.3}
HEAVY = ("torch", "transformers", "datasets", "wandb", "sklearn", "scipy", "pyarrow")


def read_data(folder: Path | None) -> tuple[Corpus, Split]:
    """sms_spam of the folder, or 5,000 rows of the inbox, and its split."""
    if folder is None:
        corpus = Inbox(5_000).load()
    else:
        table = pq.read_table(folder / "sms_spam.parquet")
        card = Card("SMS Spam Collection", "as published", "CC BY 4.0", "2004-2011", "English text messages")
        corpus = Corpus.from_columns("sms_spam", table["text"].to_pylist(), table["label"].to_pylist(), card)
    return corpus, Grouped().split(corpus)


def make_store(root: str, corpus: Corpus, split: Split) -> Store:
    """A fresh store that holds both."""
    store = Store(root)
    store.save_corpus(corpus)
    store.save_split(split)
    return store


def sweep(corpus: Corpus, split: Split, runs: int, mode: str) -> tuple[float, float]:
    """(mean, median over runs) milliseconds a run beyond fitting and predicting, in a fresh store."""
    model = component(MODEL)
    specs = [
        RunSpec(
            corpus.fingerprint,
            split.fingerprint,
            model,
            Subset("natural", SIZES[k % len(SIZES)], k // len(SIZES)),
        )
        for k in range(runs)
    ]
    cost_meter._measured.clear()  # latency is measured once a family of a process: here once a sweep
    mirror, beyond = WandbMirror(mode, patience=600.0), []
    with tempfile.TemporaryDirectory() as root:
        store = make_store(root, corpus, split)
        began = time.perf_counter()
        for outcome in InProcess(threads=1).launch(specs, store):
            if outcome.record is None:
                raise RuntimeError(outcome.error)
            mirror.run(outcome.record, store.root / "wandb")
            now, cost = time.perf_counter(), outcome.record.cost
            beyond.append(1000 * (now - began - cost["fit_seconds"] - cost["predict_seconds"]))
            began = now
        mirror.finish()  # what did not go out beside the runs: it counts in the mean
        after = 1000 * (time.perf_counter() - began)
    return (sum(beyond) + after) / len(beyond), statistics.median(beyond)


def sweeps(corpus: Corpus, split: Split, runs: int, rounds: int) -> dict[str, object]:
    """Both sweeps in alternation, and where the time of one with W&B goes."""
    seen: dict[str, list[tuple[float, float]]] = {"disabled": [], "offline": []}
    work = {mode: lambda mode=mode: seen[mode].append(sweep(corpus, split, runs, mode)) for mode in seen}
    timings = alternate(work, rounds)
    return {
        "runs": runs,
        "target_ms_a_run": TARGETS["run"],
        **{
            mode: {
                # the warm-up starts W&B's service and is not counted
                "mean_ms_a_run": statistics.median(mean for mean, _ in found[1:]),
                "median_ms_a_run": statistics.median(middle for _, middle in found[1:]),
                "sweep": timings[mode].to_json(runs),
            }
            for mode, found in seen.items()
        },
        "parts_ms_a_run": parts(corpus, split, runs),
    }


def parts(corpus: Corpus, split: Split, runs: int) -> dict[str, float]:
    """Milliseconds a run of one more sweep with W&B in each part, fitting and predicting left out."""
    spent: dict[str, float] = {}

    def watched(name: str, plain: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            began = time.perf_counter()
            try:
                return plain(*given, **named)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

        return call

    places = {
        "scores and intervals": (experiment, "score_all"),
        "environment": (experiment, "capture"),
        "latency": (experiment, "latency"),
        "drawing the subset": (experiment, "subset_ids"),
        "rows to texts": (RunSpec, "rows"),
        "predictions to parquet": (experiment.Predictions, "to_parquet"),
        "store": (Store, "commit_run"),
        "of it waiting for the disk": (store_module.os, "fsync"),
        "W&B": (WandbMirror, "flush"),
    }
    with ExitStack() as stack:
        for name, (owner, attribute) in places.items():
            stack.enter_context(patch.object(owner, attribute, watched(name, getattr(owner, attribute))))
        whole, _ = sweep(corpus, split, runs, "offline")
    found = {name: 1000 * spent.get(name, 0.0) / runs for name in places}
    known = sum(value for name, value in found.items() if not name.startswith("of it"))
    return {**found, "the rest": whole - known, "all": whole}


def starts(rounds: int) -> dict[str, object]:
    """Seconds of fresh processes, and which heavy packages each has loaded at its end."""
    commands = {
        f"scripts/{path.name} --help": [str(path), "--help"]
        for path in sorted((ROOT / "scripts").glob("*.py"))
    }
    commands["import crossover.report.verdict_page"] = ["-c", "import crossover.report.verdict_page"]
    commands["python, nothing imported"] = ["-c", "pass"]
    # Byte code is kept, as it is for a user who runs a command twice.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def process(command: list[str]) -> str:
        ended = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
        )
        return ended.stderr

    timings = alternate({name: lambda c=command: process(c) for name, command in commands.items()}, rounds)
    loaded = {name: process(["-X", "importtime", *command]) for name, command in commands.items()}
    return {
        name: {
            **timing.to_json(),
            "loaded": [module for module in HEAVY if f"| {module}\n" in loaded[name].replace("|   ", "| ")],
        }
        for name, timing in timings.items()
    }


def resumed(corpus: Corpus, split: Split, draws: int, rounds: int) -> dict[str, object]:
    """A crossover study of two cheap arms, run once, then asked again: reading, concluding, telling."""
    arms = {"tfidf": component(MODEL), "bayes": component(RIVAL)}
    study = CrossoverStudy(
        corpus, split, arms, "tfidf", "bayes", SIZES, locate_draws=draws // 3, draws=draws, pools=0
    )
    mirror = WandbMirror("disabled")
    with tempfile.TemporaryDirectory() as root:
        store = make_store(root, corpus, split)
        first = run(study, InProcess(threads=1), store)

        def again() -> None:
            result = run(study, _Nothing(), store)
            if result.verdict != first.verdict:
                raise RuntimeError("a resume says something else")

        timings = alternate(
            {
                "reading the records": lambda: [store.run(digest) for digest in first.records],
                "plan, read, conclude": again,
                "with the report": lambda: publish(run(study, _Nothing(), store), study, store, "", mirror),
            },
            rounds,
        )
    return {"runs": len(first.records), **{name: timing.to_json() for name, timing in timings.items()}}


class _Nothing:
    """A launcher that may not be asked for a run."""

    def launch(self, specs: Sequence[RunSpec], store: Store) -> object:
        raise RuntimeError(f"{len(specs)} runs are missing")


def table(found: dict[str, object]) -> str:
    """The figures as Markdown."""
    lines = ["| what | measured | target |", "|---|---|---|"]
    if one := found.get("sweep"):
        for mode, title in (("disabled", "W&B off"), ("offline", "W&B offline")):
            mean, middle = one[mode]["mean_ms_a_run"], one[mode]["median_ms_a_run"]
            lines.append(
                f"| a run beyond fit and predict, {title} | {mean:.1f} ms (median {middle:.1f}) "
                f"| {TARGETS['run']:.0f} ms |"
            )
        for name, value in one["parts_ms_a_run"].items():
            lines.append(f"| - {name} | {value:.1f} ms | |")
    for name, one in (found.get("start") or {}).items():
        target = TARGETS["help"] if "--help" in name else TARGETS["report"] if "report" in name else None
        loaded, cpu = ", ".join(one["loaded"]) or "nothing heavy", one["median_cpu_seconds"]
        lines.append(
            f"| {name} (loads {loaded}) | {one['median_seconds']:.2f} s (CPU {cpu:.2f}) "
            f"| {'' if target is None else f'{target:g} s'} |"
        )
    if one := found.get("resume"):
        for name in one:
            if name != "runs":
                lines.append(
                    f"| resume of {one['runs']} runs: {name} | {one[name]['median_seconds']:.2f} s | |"
                )
    return "\n".join(lines)


def headlines(found: dict[str, Any]) -> list[dict[str, object]]:
    """What the targets ask."""
    told = []
    if one := found.get("sweep"):
        value, target = one["offline"]["mean_ms_a_run"], TARGETS["run"]
        what = f"sweep of {one['runs']} runs, W&B offline: beyond fit and predict"
        told.append(headline(what, f"{value:.1f} ms a run", f"{target:.0f} ms", value <= target))
    for name, one in found.get("start", {}).items():
        run = "scripts/run.py" in name
        if run or "import" in name:
            value, target = one["median_seconds"], TARGETS["help" if run else "report"]
            met = value <= target and (run or "torch" not in one["loaded"])
            told.append(headline(name, f"{value:.2f} s", f"{target:g} s", met))
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", default="sweep,start,resume")
    parser.add_argument("--runs", type=int, default=200, help="of the sweep")
    parser.add_argument("--draws", type=int, default=24, help="of the study that is resumed; 24 are 300 runs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=os.environ.get("CROSSOVER_DATA"))
    parser.add_argument("--to", type=Path, help="folder for bench_overhead.json")
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = {"command": "python benchmarks/bench_overhead.py", "machine": machine()}
    wanted = asked.parts.split(",")
    if {"sweep", "resume"} & {*wanted}:
        corpus, split = read_data(asked.data and Path(asked.data))
        found["corpus"] = {"name": corpus.name, "rows": len(corpus), "test rows": len(split.test)}
    if "sweep" in wanted:
        found["sweep"] = sweeps(corpus, split, asked.runs, asked.rounds)
    if "start" in wanted:
        found["start"] = starts(asked.rounds)
    if "resume" in wanted:
        found["resume"] = resumed(corpus, split, asked.draws, asked.rounds)
    found["headlines"] = headlines(found)
    write(found, "bench_overhead", asked.to)
    print(table(found))


if __name__ == "__main__":
    main()
