"""What every launcher promises: the records of experiment.run, one outcome a spec, a failure costs itself."""

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from toy import bayes, logistic, toy_store

from crossover import experiment
from crossover.launch.in_process import InProcess
from crossover.launch.launcher import Launcher, Outcome
from crossover.launch.local_workers import LocalWorkers
from crossover.launch.ray_cluster import RayCluster
from crossover.launch.slurm import Slurm
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset
from crossover.study.compare import CompareStudy
from crossover.study.study import run

LAUNCHERS: dict[str, Callable[[], Launcher]] = {
    "in_process": lambda: InProcess(threads=1),
    "local_workers": cache(lambda: LocalWorkers(workers=2, threads=1)),
    "ray_cluster": cache(lambda: RayCluster(cpus=2, threads=1)),
    "slurm": lambda: Slurm(cluster="local", minutes=5, threads=1, at_once=2),
}
NEEDS = {"ray_cluster": "ray", "slurm": "submitit"}
SLOW = {"ray_cluster", "slurm"}


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in LAUNCHERS]
)
def launcher(request: pytest.FixtureRequest) -> Launcher:
    package = NEEDS.get(request.param)
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'crossover[ray,slurm]'")
    return LAUNCHERS[request.param]()


def planned(corpus, split) -> list[RunSpec]:
    base = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 40, 0), test_rows=60)
    tuned = replace(base, model=logistic(), budget=3)
    return [base, tuned, replace(base, subset=Subset("natural", 40, 1))]


def by_digest(outcomes: list[Outcome]) -> dict[str, Outcome]:
    found = {outcome.spec.digest: outcome for outcome in outcomes}
    assert len(found) == len(outcomes), "one outcome a spec"
    return found


def untimed(record) -> dict[str, object]:
    """What identifies a result; clocks, memory and the environment may differ."""
    plain = record.to_json()
    cost = {
        name: plain["cost"][name] for name in ("labels", "trials", "tokens", "parameters", "predict_rows")
    }
    return {**plain, "cost": cost, "environment": None}


def test_the_records_are_those_of_a_run_made_directly(launcher: Launcher, tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path / "launched")
    direct, _, _ = toy_store(tmp_path / "direct")
    specs = planned(corpus, split)
    outcomes = by_digest(list(launcher.launch(specs, store)))
    assert set(outcomes) == {spec.digest for spec in specs}
    for spec in specs:
        record, expected = outcomes[spec.digest].record, experiment.run(spec, direct)
        assert record is not None and outcomes[spec.digest].error == ""
        assert untimed(record) == untimed(expected)
        assert np.array_equal(record.predictions.probabilities, expected.predictions.probabilities)
        assert untimed(Store(tmp_path / "launched").run(spec.digest)) == untimed(record), (
            "it lies in the store"
        )


def test_a_failing_spec_costs_itself_only_and_is_kept_with_its_cause(
    launcher: Launcher, tmp_path: Path
) -> None:
    store, corpus, split = toy_store(tmp_path)
    good, other, third = planned(corpus, split)
    too_large = replace(good, subset=Subset("natural", 9_999, 0))
    no_class = replace(good, model=replace(bayes(), target="crossover.model.naive_bayes.NoSuchModel"))
    outcomes = by_digest(list(launcher.launch([too_large, good, no_class, other, third], store)))
    for spec in (good, other, third):
        assert outcomes[spec.digest].record is not None
    for spec, cause in ((too_large, "9999 training rows were asked"), (no_class, "NoSuchModel")):
        assert outcomes[spec.digest].record is None and cause in outcomes[spec.digest].error
        kept = json.loads((tmp_path / "failed" / f"{spec.digest}-1" / "failure.json").read_text())
        assert kept["spec"] == spec.to_json() and cause in kept["error"] and "Traceback" in kept["traceback"]
        assert not store.has_run(spec.digest)
    assert len(list(store.runs())) == 3


def test_the_same_study_has_the_same_records_and_verdict_on_every_launcher(
    launcher: Launcher, tmp_path: Path
) -> None:
    arms = {"plain": bayes(), "rich": logistic()}
    results = []
    for name, one in (("here", InProcess(threads=1)), ("there", launcher)):
        store, corpus, split = toy_store(tmp_path / name)
        results.append(run(CompareStudy(corpus, split, arms, size=40, draws=2, seeds=1), one, store))
    here, there = results
    assert there.failures == () and there.verdict.sentence == here.verdict.sentence
    assert set(there.records) == set(here.records) and len(here.records) == 4
    for digest, record in here.records.items():
        assert untimed(there.records[digest]) == untimed(record), "the SHA-256 of the predictions among it"


def test_nothing_claimed_is_left_behind(launcher: Launcher, tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    good = planned(corpus, split)[0]
    bad = replace(good, subset=Subset("natural", 9_999, 0))
    assert len(list(launcher.launch([good, bad], store))) == 2
    assert list((tmp_path / "claims").iterdir()) == []


def test_a_failure_says_how_to_run_it_again(launcher: Launcher, tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    bad = replace(planned(corpus, split)[0], subset=Subset("natural", 9_999, 0))
    list(launcher.launch([bad], store))
    kept = store.failure(bad.digest)
    assert (kept["class"], kept["error"]) == ("BadInput", f"BadInput: {kept['message']}")
    assert kept["command"] == f"python scripts/rerun.py store={store.root} of={bad.digest}"


def test_a_finished_spec_is_not_run_again(launcher: Launcher, tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path)
    specs = planned(corpus, split)
    first = by_digest(list(launcher.launch(specs[:2], store)))
    files = {d: (store.root / "runs" / d / "record.json").stat().st_mtime_ns for d in first}
    again = by_digest(list(launcher.launch(specs, store)))
    assert set(again) == {spec.digest for spec in specs}
    for digest, before in files.items():
        assert (store.root / "runs" / digest / "record.json").stat().st_mtime_ns == before
        assert again[digest].record.to_json() == first[digest].record.to_json(), "to the clock: read, not run"


def test_nothing_to_run_is_no_error(launcher: Launcher, tmp_path: Path) -> None:
    store, _, _ = toy_store(tmp_path, 60)
    assert list(launcher.launch([], store)) == []


def test_in_process_yields_each_outcome_before_the_next_run_begins(tmp_path: Path) -> None:
    """So that a killed study has kept what it paid for, and progress is told as it comes."""
    store, corpus, split = toy_store(tmp_path)
    outcomes = InProcess().launch(planned(corpus, split), store)
    assert next(outcomes).record is not None
    assert len(list(store.runs())) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_in_process_lets_a_stop_through_and_calls_it_no_failure(
    stop: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, corpus, split = toy_store(tmp_path, 60)

    def stopped(*_: object) -> None:
        raise stop

    monkeypatch.setattr(experiment, "run", stopped)
    with pytest.raises(stop):
        list(InProcess().launch(planned(corpus, split), store))
    assert list((tmp_path / "failed").iterdir()) == []


def test_in_process_stops_at_a_full_disk_instead_of_failing_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, corpus, split = toy_store(tmp_path, 60)
    asked: list[object] = []

    def full(spec: RunSpec, *_: object) -> None:
        asked.append(spec)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(experiment, "run", full)
    with pytest.raises(OSError, match="No space left"):
        list(InProcess().launch(planned(corpus, split), store))
    assert len(asked) == 1


def test_in_process_hands_its_surroundings_to_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, corpus, split = toy_store(tmp_path, 60)
    seen: list[object] = []

    def spy(spec: RunSpec, store: Store, around: object) -> None:
        seen.append(around)

    monkeypatch.setattr(experiment, "run", spy)
    told = print
    list(InProcess(threads=1, device="cpu", on_step=told).launch(planned(corpus, split)[:1], store))
    (around,) = seen
    assert (around.threads, around.device, around.on_step, around.cache) == (1, "cpu", told, store.cache)


def test_a_class_outside_the_allow_list_is_a_failure_and_is_never_imported(
    launcher: Launcher, tmp_path: Path
) -> None:
    store, corpus, split = toy_store(tmp_path)
    hostile = replace(planned(corpus, split)[0], model=Component("antigravity.Fly"))
    (outcome,) = launcher.launch([hostile], store)
    assert outcome.record is None and "antigravity" in outcome.error
    assert "antigravity" not in sys.modules
