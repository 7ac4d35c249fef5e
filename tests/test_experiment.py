"""A whole run: what is recorded, that it is not run twice, and that it is the same run anywhere."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy import CARD, bayes, logistic, toy_split, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.launch.in_process import InProcess
from crossover.model.runtime import Runtime
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset, subset_ids


def spec_of(corpus, split, **changes) -> RunSpec:
    return RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 40, 0), **changes)


def test_a_run_records_every_scored_part_and_its_cost(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    spec = spec_of(corpus, split)
    record = experiment.run(spec, store)
    predictions = record.predictions
    assert set(predictions.part("test").ids) == set(split.test)
    assert predictions.part("train").ids == subset_ids(corpus, split, spec.subset)
    assert set(predictions.part("select").ids) == set(split.parts["select"])
    test = predictions.part("test")
    right = np.mean(test.gold_index == test.predicted_index)
    assert record.scores["accuracy"].value == pytest.approx(right)
    assert right > 0.68, "the majority rule reaches .60"
    assert (
        record.cost["labels"] == 40 and record.cost["fit_seconds"] > 0 and record.cost["latency_p50_ms"] > 0
    )
    assert record.path is not None and record.path.name == spec.digest
    assert record.environment["threads"] and record.recipe["corpus"] == "toy"


def test_a_finished_run_is_not_run_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, corpus, split = toy_store(tmp_path)
    first = experiment.run(spec_of(corpus, split), store)
    monkeypatch.setattr(experiment, "build", lambda *a, **k: pytest.fail("fitted again"))
    assert experiment.run(spec_of(corpus, split), store).predictions_sha256 == first.predictions_sha256


def test_the_cap_on_test_rows_is_nested_and_shared_by_arms(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    small = experiment.run(spec_of(corpus, split, test_rows=40), store).predictions
    large = experiment.run(spec_of(corpus, split, test_rows=80), store).predictions
    other = experiment.run(replace(spec_of(corpus, split, test_rows=40), model=logistic()), store).predictions
    assert len(small.part("test")) == 40 and len(small.part("select")) == 10
    assert set(small.part("test").ids) < set(large.part("test").ids)
    assert small.part("test").ids == other.part("test").ids


def test_tuning_inside_costs_no_further_label_and_shared_does(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    spec = replace(spec_of(corpus, split), model=logistic(), budget=4)
    inside = experiment.run(spec, store)
    shared = experiment.run(replace(spec, selection="shared"), store)
    assert inside.cost["labels"] == 40 and len(inside.trials) == 4
    assert shared.cost["labels"] == 40 + len(split.parts["select"])
    assert inside.trials[0]["settings"] == {}, "trial 0 is the published default"


def test_test_labels_change_no_fitted_model(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    flipped = corpus.table.to_pydict()
    test = set(split.test)
    labels = [
        ("good" if label == "spam" else "spam") if id_ in test else label
        for id_, label in zip(flipped["id"], flipped["label"], strict=True)
    ]
    twin = type(corpus).from_columns("toy", flipped["text"], labels, corpus.card, flipped["id"])
    moved = type(split)(twin.fingerprint, split.parts)
    store.save_corpus(twin)
    store.save_split(moved)
    one = experiment.run(replace(spec_of(corpus, split), budget=3, model=logistic()), store).predictions
    two = experiment.run(replace(spec_of(twin, moved), budget=3, model=logistic()), store).predictions
    assert np.array_equal(one.probabilities, two.probabilities)


def test_one_bad_run_costs_that_run_only_and_is_kept(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    good = spec_of(corpus, split)
    bad = replace(good, subset=Subset("natural", 10_000, 0))
    outcomes = list(InProcess().launch([bad, good], store))
    assert "10000 training rows were asked" in outcomes[0].error and outcomes[0].record is None
    assert outcomes[1].record is not None
    failure = json.loads((tmp_path / "failed" / f"{bad.digest}-1" / "failure.json").read_text())
    assert failure["spec"] == bad.to_json() and "Traceback" in failure["traceback"]
    assert not store.has_run(bad.digest)


def test_seeds_reach_the_model_and_the_name(tmp_path: Path) -> None:
    _, corpus, split = toy_store(tmp_path)
    assert spec_of(corpus, split).digest != spec_of(corpus, split, seeds=Seeds(1, 0)).digest
    assert spec_of(corpus, split).family == spec_of(corpus, split, seeds=Seeds(1, 0)).family


def test_an_unknown_metric_or_rule_is_refused_by_name(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    with pytest.raises(BadInput, match="macro_f1"):
        experiment.run(spec_of(corpus, split, metric="macrof1"), store)
    with pytest.raises(BadInput, match="inside"):
        experiment.run(spec_of(corpus, split, selection="outside"), store)


def test_the_threads_of_a_record_are_those_of_its_run(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    kept = experiment.run(spec_of(corpus, split), store, Runtime(threads=1)).environment["threads"]
    assert {count for count in kept.values() if isinstance(count, int)} == {1}


LIMITED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from toy import toy_store
from crossover import experiment
from crossover.model.runtime import Runtime
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec
from crossover.split.nested_subsets import Subset
assert "torch" not in sys.modules
store, corpus, split = toy_store(Path(sys.argv[1]))
encoder = component("crossover.model.encoder.encoder.Encoder", {{"name": {model!r}, "max_length": 32}})
probe = component("crossover.model.probe.Probe", {{"encoder": encoder}})
spec = RunSpec(corpus.fingerprint, split.fingerprint, probe, Subset("natural", 40, 0))
record = experiment.run(spec, store, Runtime(store.cache, threads=1))
print(record.environment["threads"]["torch"])
"""


def test_a_limit_of_threads_holds_for_a_torch_that_the_run_itself_loads(
    tmp_path: Path, tiny_model: Path
) -> None:
    code = LIMITED.format(tests=str(Path(__file__).parent), model=str(tiny_model))
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", code, str(tmp_path)]
    said = subprocess.run(command, env=free, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "1"


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from toy import toy_store, logistic
from crossover import experiment
from crossover.protocol.run_spec import RunSpec
from crossover.split.nested_subsets import Subset
store, corpus, split = toy_store(Path(sys.argv[1]))
spec = RunSpec(corpus.fingerprint, split.fingerprint, logistic(), Subset("natural", 60, 1), budget=3)
record = experiment.run(spec, store)
print(record.digest, record.predictions_sha256, sorted((n, s.value) for n, s in record.scores.items()))
"""


def test_the_same_spec_in_fresh_processes_is_the_same_to_the_bit(tmp_path: Path) -> None:
    code = SCRIPT.format(tests=str(Path(__file__).parent))
    said = []
    for hash_seed in ("0", "123"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", code, str(tmp_path / hash_seed)]
        said.append(
            subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        )
    assert said[0] == said[1] and len(said[0]) > 100


@pytest.mark.parametrize(
    "model", ["naive_bayes.NaiveBayes", "linear_svm.LinearSvm", "probe.Probe", "finetune.Finetune"]
)
def test_a_feature_that_is_the_same_in_every_row_ends_at_chance(
    model: str, tiny_model: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    labels = ["spam" if k % 3 == 0 else "good" for k in range(120)]
    corpus = Corpus.from_columns("constant", ["the same words"] * 120, labels, CARD)
    split = toy_split(corpus)
    store.save_corpus(corpus)
    store.save_split(split)
    settings: dict[str, object] = {}
    if model.startswith(("probe", "finetune")):
        encoder = component(
            "crossover.model.encoder.encoder.Encoder", {"name": str(tiny_model), "max_length": 8}
        )
        settings = {"encoder": encoder, **({"min_steps": 5, "max_steps": 5} if "finetune" in model else {})}
    spec = replace(spec_of(corpus, split), model=component(f"crossover.model.{model}", settings))
    record = experiment.run(spec, store)
    assert np.ptp(record.predictions.probabilities, axis=0).max() == 0, "every row alike"
    assert record.scores["balanced_accuracy"].value == 0.5
