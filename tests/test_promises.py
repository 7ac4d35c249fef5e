"""The same run is the same to the bit: in any process, after any other run, whatever the cache holds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy import logistic, toy_store

from crossover import experiment
from crossover.model.runtime import Runtime
from crossover.protocol.component import Component, component
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.split.nested_subsets import Subset

METHODS = ("tfidf", "probe", "finetune")


def model_of(method: str, tiny: str) -> Component:
    if method == "tfidf":
        return logistic()
    encoder = component("crossover.model.encoder.encoder.Encoder", {"name": tiny, "max_length": 32})
    if method == "probe":
        return component("crossover.model.probe.Probe", {"encoder": encoder})
    steps = {"min_steps": 10, "max_steps": 10, "epochs": 1}
    return component("crossover.model.finetune.Finetune", {"encoder": encoder, **steps})


def hashes(folder: str, tiny: str, order: tuple[str, ...], budget: int = 1) -> dict[str, str]:
    """Predictions' SHA-256 of a run of each method, executed one after another in this process."""
    store, corpus, split = toy_store(Path(folder), 120)
    found = {}
    for method in order:
        name, subset = method.split("+")[0], Subset("natural", 40, 0)
        seeds = Seeds(7, 8) if method.endswith("+") else Seeds(3, 4)
        spec = RunSpec(
            corpus.fingerprint, split.fingerprint, model_of(name, tiny), subset, seeds=seeds, budget=budget
        )
        found[method] = experiment.run(spec, store, Runtime(store.cache, threads=1)).predictions_sha256
    return found


def in_fresh_process(folder: Path, tiny: Path, order: tuple[str, ...], hash_seed: str) -> dict[str, str]:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import json; from test_promises import hashes\n"
        f"print(json.dumps(hashes({str(folder)!r}, {str(tiny)!r}, {order!r})))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_fresh_processes_that_hash_and_order_differently_give_the_same_predictions(
    tmp_path: Path, tiny_model: Path
) -> None:
    """Each method first in its process, or after the others and after runs of itself with other seeds."""
    one = in_fresh_process(tmp_path / "a", tiny_model, METHODS, "0")
    other = in_fresh_process(
        tmp_path / "b", tiny_model, ("finetune+", "finetune", "probe+", "probe", "tfidf+", "tfidf"), "123"
    )
    assert set(one) == set(METHODS) and len(set(one.values())) == 3
    assert one == {method: other[method] for method in METHODS}
    assert other["finetune+"] != other["finetune"], "a seed that changes nothing would prove nothing"


@pytest.mark.parametrize("method", METHODS)
def test_a_run_alone_is_the_run_after_another_in_one_process(
    method: str, tmp_path: Path, tiny_model: Path
) -> None:
    alone = hashes(str(tmp_path / "alone"), str(tiny_model), (method,))
    after = hashes(str(tmp_path / "after"), str(tiny_model), ("finetune+", "tfidf+", method))
    assert alone[method] == after[method]


def test_the_cache_on_off_or_half_full_changes_no_bit(tmp_path: Path, tiny_model: Path) -> None:
    model = model_of("probe", str(tiny_model))
    found, held = {}, {}
    for kind in ("off", "empty", "full", "half"):
        store, corpus, split = toy_store(tmp_path / kind, 120)
        cache = None if kind == "off" else tmp_path / ("other" if kind == "half" else "shared")
        if kind == "half":  # a smaller run of the same encoder fills a part of the vectors
            subset = Subset("natural", 20, 1)
            small = RunSpec(corpus.fingerprint, split.fingerprint, model, subset, test_rows=20)
            experiment.run(small, store, Runtime(cache))
        held[kind] = sum(file.stat().st_size for file in (cache or tmp_path / "none").rglob("*.safetensors"))
        spec = RunSpec(corpus.fingerprint, split.fingerprint, model, Subset("natural", 40, 0))
        found[kind] = experiment.run(spec, store, Runtime(cache)).predictions_sha256
    assert len(set(found.values())) == 1
    assert held["full"] > held["half"] > held["empty"] == 0, "the caches were as full as said"
