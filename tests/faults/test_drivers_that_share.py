"""F06, F07, F20: two drivers on one store share the work; an edited plan runs what is new, and only that."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from faults.planned import KILLS, Tally, assert_whole, count, driving, finished, plain_runs, until, workers_of
from toy import bayes, logistic, toy_store

from crossover import experiment
from crossover.launch.in_process import InProcess
from crossover.launch.local_workers import LocalWorkers
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.split.nested_subsets import Subset
from crossover.study.compare import CompareStudy
from crossover.study.study import run

pytestmark = [pytest.mark.fault, pytest.mark.slow]
RUNS = 40


@pytest.mark.parametrize("clock", [0, -3600], ids=["clocks agree", "one clock an hour behind"])
def test_two_drivers_run_everything_once_and_both_hear_of_all(
    clock: int, tmp_path: Path, tally: Tally
) -> None:
    root, runs = tmp_path / "store", plain_runs(RUNS, 0.08)
    with driving(root, runs, workers=1) as one, driving(root, runs, "in_process", clock=clock) as other:
        ends = [driver.ended() for driver in (one, other)]
    for code, ended, _ in ends:
        assert code == 0 and sorted(outcome["seed"] for outcome in ended) == list(range(RUNS))
        assert not any(outcome["error"] for outcome in ended)
    assert count(one.notes, "begun") == dict.fromkeys(range(RUNS), 1)
    by = {(one.notes / f"{seed}.fitted").read_text().split()[0] for seed in range(RUNS)}
    assert len(by) == 2, "both had a part in it"
    assert_whole(root, RUNS)
    tally("F06")
    if clock:
        tally("F15")


def test_a_run_that_fails_is_not_tried_by_the_other_driver_too(tmp_path: Path, tally: Tally) -> None:
    root = tmp_path / "store"
    runs = [(0, "raise", 3.0, False), (1, "kill", 3.0, False)]
    with driving(root, runs, retry_failed=True) as one:
        until(lambda: sum(count(one.notes, "begun").values()) == 2)
        with driving(root, runs, retry_failed=True) as other:
            ends = [driver.ended() for driver in (one, other)]
    for _, ended, _ in ends:
        errors = {outcome["seed"]: str(outcome["error"]) for outcome in ended}
        assert errors[0].startswith("RuntimeError") and errors[1].startswith("WorkerDied")
    assert count(one.notes, "begun") == {0: 1, 1: 1}
    assert len(list((root / "failed").iterdir())) == 2
    for _ in runs:
        tally("F07")


def test_the_work_of_a_driver_that_dies_is_taken_over_by_the_living_one(tmp_path: Path, tally: Tally) -> None:
    root, again = tmp_path / "store", 0
    for k in range(max(1, KILLS // 5)):
        runs = [(100 * k + seed, "", 0.5, False) for seed in range(20)]
        with driving(root, runs) as dying:
            until(lambda k=k: finished(root) >= 20 * k + 2)
            with driving(root, runs) as living:
                until(lambda driver=living: workers_of(driver.process.pid))
                dying.process.kill()
                dying.process.wait()
                code, ended, _ = living.ended()
        assert code == 0 and len(ended) == 20 and not any(outcome["error"] for outcome in ended)
        again = max(again, sum(count(living.notes, "begun").values()) - 20 * (k + 1))
        assert_whole(root, 20 * (k + 1))
    assert again <= 2 * max(1, KILLS // 5), "only what the dead one was at is done again"
    for _ in range(max(1, KILLS // 5)):
        tally("F07")


def test_a_plan_edited_after_a_crash_keeps_what_it_still_asks_for_and_mixes_nothing(
    tmp_path: Path, tally: Tally
) -> None:
    store, corpus, split = toy_store(tmp_path / "store", 200)
    arms = {"kept": bayes(), "changed": logistic(), "removed": bayes().with_settings(alpha=0.1)}
    study = CompareStudy(corpus, split, arms, size=40, draws=3, seeds=1)
    specs = study.plan({})
    half = list(InProcess().launch([spec for spec in specs if spec.subset.draw < 2], store))
    assert len(half) == 6
    edited = replace(
        study,
        arms={
            "kept": bayes(),
            "changed": logistic().with_settings(C=7.0),
            "added": bayes().with_settings(alpha=9.0),
        },
    )
    times = {path: (path / "record.json").stat().st_mtime_ns for path in (store.root / "runs").iterdir()}
    told: list[tuple[int, int]] = []
    result = run(edited, InProcess(), store, lambda new, kept: told.append((new, kept)))
    assert told[0] == (7, 2), "seven are new, two of the earlier plan are kept"
    assert {p: (p / "record.json").stat().st_mtime_ns for p in times} == times, "none was run again"
    asked = {spec.digest for spec in edited.plan({})}
    assert set(result.verdict.runs) == set(result.records) == asked and len(asked) == 9
    stale = {outcome.spec.digest for outcome in half} - asked
    assert len(stale) == 4 and all(store.has_run(digest) for digest in stale), "kept, and no part of it"
    for _ in ("changed", "added", "removed"):
        tally("F20")


def test_resuming_with_nothing_to_do_takes_no_time(tmp_path: Path) -> None:
    root = tmp_path / "store"
    for _ in range(2):
        with driving(root, plain_runs(50)) as driver:
            code, ended, _ = driver.ended()
            took = time.monotonic() - driver.began
        assert code == 0 and len(ended) == 50
    assert took < 6, "starting Python and reading 50 records; no worker is started"
    assert count(driver.notes, "begun") == dict.fromkeys(range(50), 1)


def test_five_hundred_finished_runs_are_found_within_two_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # making them is not what is measured
    store, corpus, split = toy_store(tmp_path / "store", 200)
    subset = Subset("natural", 20, 0)
    made = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), subset, test_rows=20)
    specs = [replace(made, seeds=Seeds(seed)) for seed in range(500)]
    record = experiment.run(specs[0], store)
    predictions = (store.root / "runs" / record.digest / "predictions.parquet").read_bytes()
    for spec in specs[1:]:
        store.commit_run(replace(record, spec=spec), predictions)
    workers = LocalWorkers(workers=2)
    for launcher in (InProcess(), workers):
        began = time.process_time()
        found = list(launcher.launch(specs, store))
        assert time.process_time() - began < 2
        assert len(found) == 500 and all(outcome.record is not None for outcome in found)
    assert workers.bench.workers == [], "no worker is started"
