"""Local workers beyond the contract: warm, pinned, told of, replaced; failures counted and remembered."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from faults.planned import alive, count, plain_runs, planned, until, workers_of
from toy import bayes, toy_store

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import unsealed
from crossover.launch import local_workers
from crossover.launch.attempt import execute
from crossover.launch.in_process import InProcess
from crossover.launch.interruption import LaunchStopped
from crossover.launch.local_workers import LocalWorkers, company
from crossover.launch.ray_cluster import RayCluster
from crossover.launch.slurm import Slurm
from crossover.model.runtime import Runtime
from crossover.protocol import component
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Store, corpus, split and folder of notes; wayward models are allowed."""
    monkeypatch.setattr(component, "_allowed", [*component.allowed_packages(), "wayward"])
    store, corpus, split = toy_store(tmp_path / "store", 200)
    (tmp_path / "notes").mkdir()
    return store, corpus, split, tmp_path / "notes"


def specs_of(place, runs) -> list[RunSpec]:
    _, corpus, split, notes = place
    return planned(corpus, split, str(notes), runs)


def pids(notes: Path) -> dict[int, list[str]]:
    """By seed, the processes that began it."""
    return {
        int(file.stem): [line.split()[0] for line in file.read_text().splitlines()]
        for file in notes.glob("*.begun")
    }


def test_workers_stay_warm_from_batch_to_batch_and_end_with_the_launcher(place) -> None:
    store, notes = place[0], place[3]
    launcher = LocalWorkers(workers=2)
    for batch in (plain_runs(6, 0.1), plain_runs(12, 0.1)):
        assert all(outcome.record for outcome in launcher.launch(specs_of(place, batch), store))
    used = {pid for began in pids(notes).values() for pid in began}
    assert count(notes, "fitted") == dict.fromkeys(range(12), 1)
    assert len(used) == 2 and str(os.getpid()) not in used
    assert {int(pid) for pid in used} <= set(workers_of(os.getpid()))
    del launcher
    until(lambda: not alive([int(pid) for pid in used]), 10)


def test_threads_are_pinned_before_anything_is_imported_and_recorded(place) -> None:
    store = place[0]
    for threads in (1, 2):
        launcher = LocalWorkers(workers=1, threads=threads)
        (outcome,) = launcher.launch(specs_of(place, [(threads, "", 0.0, False)]), store)
        environment = outcome.record.environment
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        assert [environment["variables"][name] for name in names] == [str(threads)] * 3
        pools = {k: v for k, v in environment["threads"].items() if k in ("openblas", "openmp")}
        assert pools and set(pools.values()) == {threads}


def test_progress_is_passed_on(place) -> None:
    told: list[tuple[int, int, str]] = []
    launcher = LocalWorkers(workers=1, on_step=lambda *step: told.append(step))
    list(launcher.launch(specs_of(place, plain_runs(2)), place[0]))
    assert told[0] == (1, 2, "half way")


def test_what_a_run_prints_disturbs_nothing_and_is_its_own_log(place) -> None:
    store = place[0]
    runs = [(0, "chatter", 0.0, False), (1, "raise", 0.0, False), (2, "", 0.0, False)]
    specs = specs_of(place, runs)
    ended = {o.spec.seeds.initialisation: o for o in LocalWorkers(workers=1).launch(specs, store)}
    assert ended[0].record and ended[2].record and ended[1].record is None
    kept = store.failure(specs[1].digest)
    assert kept["log"] == "seed 1 on stdout\nseed 1 on stderr\n", "none of the chatter of the run before"
    assert (kept["class"], kept["message"]) == ("RuntimeError", "a model's own error")
    assert "Traceback" in kept["traceback"] and "misbehave" in kept["traceback"]


@pytest.mark.parametrize("launcher", [InProcess, LocalWorkers])
def test_failed_runs_are_remembered_or_tried_again_as_asked(place, launcher) -> None:
    store, notes = place[0], place[3]
    specs = specs_of(place, [(0, "raise", 0.0, True)])
    (first,) = launcher().launch(specs, store)
    (again,) = launcher(retry_failed=False).launch(specs, store)
    assert first.error == again.error == "RuntimeError: a model's own error"
    assert count(notes, "begun") == {0: 1} and store.failures(specs[0].digest) == 1
    (tried,) = launcher(retry_failed=True).launch(specs, store)
    assert tried.record is not None and count(notes, "begun") == {0: 2}


@pytest.mark.parametrize("launcher", [InProcess, LocalWorkers])
def test_too_many_failures_stop_the_launch(place, launcher) -> None:
    store, notes = place[0], place[3]
    specs = specs_of(place, [(seed, "raise", 0.0, False) for seed in range(30)])
    ended = []
    with pytest.raises(LaunchStopped, match=r"stopped: 3 runs failed, launch\.max_failures=2.*a model's own"):
        ended.extend(launcher(max_failures=2).launch(specs, store))
        raise AssertionError("not stopped")
    assert len(count(notes, "begun")) < 10 and list((store.root / "claims").iterdir()) == []


def test_failures_count_over_the_batches_of_a_study(place) -> None:
    launcher = InProcess(max_failures=1)
    list(launcher.launch(specs_of(place, [(0, "raise", 0.0, False)]), place[0]))
    with pytest.raises(LaunchStopped):
        list(launcher.launch(specs_of(place, [(1, "raise", 0.0, False)]), place[0]))


def test_a_run_that_was_sent_sigterm_is_done_once_more(place) -> None:
    """A scheduler that ends a job may reach the workers before their driver: that is no failure."""
    store, notes = place[0], place[3]
    runs = [(0, "terminate", 0.0, True), (1, "terminate", 0.0, False)]
    ended = {
        o.spec.seeds.initialisation: o for o in LocalWorkers(workers=1).launch(specs_of(place, runs), store)
    }
    assert ended[0].record is not None
    assert ended[1].error == "WorkerDied: the worker process was killed by SIGTERM"
    assert count(notes, "begun") == {0: 2, 1: 2}


def test_a_caller_that_wants_no_more_leaves_no_process_and_no_claim(place) -> None:
    store = place[0]
    before = workers_of(os.getpid())
    outcomes = LocalWorkers(workers=2).launch(specs_of(place, plain_runs(20, 0.2)), store)
    assert next(outcomes).record is not None
    outcomes.close()
    assert workers_of(os.getpid()) == before
    assert list((store.root / "claims").iterdir()) == []


def test_a_worker_that_cannot_start_stops_the_launch_with_its_reason(
    place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library >&2; exit 7\n")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(LaunchStopped, match=r"could not start: .*exit code 7\nno such library"):
        list(LocalWorkers(workers=1).launch(specs_of(place, plain_runs(1)), place[0]))


def test_a_full_disk_stops_the_launch(place) -> None:
    with pytest.raises(OSError, match="No space left"):
        list(LocalWorkers(workers=1).launch(specs_of(place, [(0, "full", 0.0, False)]), place[0]))
    assert list((place[0].root / "failed").iterdir()) == []


def test_another_oserror_is_the_runs_own(place) -> None:
    (outcome,) = LocalWorkers(workers=1).launch(specs_of(place, [(0, "lost_file", 0.0, False)]), place[0])
    assert outcome.error.startswith("FileNotFoundError: ")


def test_a_launch_with_nothing_to_do_starts_no_worker(place) -> None:
    specs, store = specs_of(place, plain_runs(50)), place[0]
    for spec in specs:
        execute(spec, store, Runtime())
    launcher, began = LocalWorkers(workers=2), time.monotonic()
    assert len(list(launcher.launch(specs, store))) == 50
    assert time.monotonic() - began < 2.0 and launcher.bench.workers == []


def test_the_largest_training_sets_go_first(place) -> None:
    store, corpus, split, _ = place
    sizes = [10, 60, 30]
    base = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), test_rows=20)
    specs = [replace(base, subset=Subset("natural", size, 0)) for size in sizes] + [base]
    ended = [outcome.spec.subset for outcome in LocalWorkers(workers=1).launch(specs, store)]
    assert [subset.size if subset else None for subset in ended] == [None, 60, 30, 10]


def test_seeds_trained_together_keep_company_and_others_do_not(place) -> None:
    stacked = Component("crossover.model.finetune.Finetune", {"together": 4})
    base = RunSpec("c", "s", stacked, Subset("natural", 20, 0))
    first = [replace(base, seeds=Seeds(k, k)) for k in range(4)]
    assert len({company(spec) for spec in first}) == 1
    others = [
        replace(base, seeds=Seeds(4, 4)),
        replace(base, subset=Subset("natural", 20, 1)),
        replace(base, subset=Subset("natural", 40, 0)),
        replace(base, seeds=Seeds(0, 4)),
    ]
    assert len({company(spec) for spec in [base, *others]}) == 5
    alone = [replace(spec, model=bayes()) for spec in first]
    assert [company(spec) for spec in alone] == [spec.digest for spec in alone]


def test_company_is_served_by_one_worker(place, monkeypatch: pytest.MonkeyPatch) -> None:
    store, notes = place[0], place[3]
    monkeypatch.setattr(local_workers, "company", lambda spec: str(spec.seeds.initialisation // 5))
    list(LocalWorkers(workers=2).launch(specs_of(place, plain_runs(20, 0.05)), store))
    by_company = [{pid for seed in range(5 * k, 5 * k + 5) for pid in pids(notes)[seed]} for k in range(4)]
    assert all(len(workers) == 1 for workers in by_company)
    assert len(set.union(*by_company)) == 2, "and both had work"


@pytest.mark.parametrize(
    ("launcher", "name", "value"),
    [
        (LocalWorkers, "workers", 0),
        (LocalWorkers, "limit_seconds", -1),
        (LocalWorkers, "limit_memory", 0),
        (RayCluster, "threads", 0),
        (Slurm, "at_once", 0),
    ],
)
def test_numbers_that_make_no_sense_are_refused(launcher, name: str, value: int) -> None:
    with pytest.raises(BadInput, match=rf"launch\.{name}={value}: expected more than 0"):
        launcher(**{name: value})


def test_an_idle_worker_that_dies_is_replaced_unnoticed(place) -> None:
    store, launcher = place[0], LocalWorkers(workers=1)
    list(launcher.launch(specs_of(place, plain_runs(1)), store))
    os.kill(launcher.bench.workers[0].process.pid, signal.SIGKILL)
    until(launcher.bench.workers[0].died)
    (outcome,) = launcher.launch(specs_of(place, [(1, "", 0.0, False)]), store)
    assert outcome.record is not None


def test_a_stored_failure_is_plain_json_that_names_its_class(place) -> None:
    store = place[0]
    specs = specs_of(place, [(0, "os_exit", 0.0, False)])
    list(LocalWorkers(workers=1).launch(specs, store))
    kept = unsealed(store.root / "failed" / f"{specs[0].digest}-1" / "failure.json", "")
    assert set(kept) == {"spec", "error", "class", "message", "traceback", "log", "command"}
    assert kept["class"] == "WorkerDied" and "exit code 4" in kept["message"]
    assert Store(store.root).failure(specs[0].digest) == kept
