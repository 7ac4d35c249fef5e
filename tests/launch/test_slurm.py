"""The Slurm launcher: preempted jobs go on, runs that die fail by name, Slurm gets what was set."""

import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from faults.planned import count, planned, until, workers_of
from toy import toy_store

from crossover.data.bad_input import BadInput
from crossover.launch.slurm import Job, Slurm
from crossover.protocol import component

needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None,
    reason="submitit is not installed: pip install 'crossover[slurm]'",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(component, "_allowed", [*component.allowed_packages(), "wayward"])
    (tmp_path / "notes").mkdir()
    return *toy_store(tmp_path / "store", 200), tmp_path / "notes"


@needs_submitit
@pytest.mark.slow
def test_runs_that_die_fail_by_name_and_files_of_good_jobs_are_removed(place) -> None:
    store, corpus, split, notes = place
    specs = planned(
        corpus, split, str(notes), [(0, "raise", 0.0, False), (1, "kill", 0.0, False), (2, "", 0.0, False)]
    )
    launcher = Slurm(cluster="local", minutes=5, at_once=3)
    ended = {o.spec.seeds.initialisation: o for o in launcher.launch(specs, store)}
    assert [ended[k].error.partition(":")[0] for k in range(3)] == ["RuntimeError", "WorkerDied", ""]
    assert count(notes, "begun") == dict.fromkeys(range(3), 1)
    logs = list((store.root / "slurm").glob("[0-9]*"))
    assert len(logs) == 2, "the logs of those that failed are kept"


@needs_submitit
@pytest.mark.slow
def test_a_preempted_job_goes_on_and_its_run_is_there_once(place) -> None:
    store, corpus, split, notes = place
    specs = planned(corpus, split, str(notes), [(0, "hang", 0.0, True)])
    launcher, jobs = Slurm(cluster="local", minutes=5), []
    submitted = launcher._submitted
    launcher._submitted = lambda *given: jobs.extend(submitted(*given)) or jobs

    def preempt() -> None:
        until(lambda: count(notes, "begun").get(0))
        (task,) = workers_of(jobs[0]._process.pid)  # as Slurm does, before it takes the node away
        os.kill(task, signal.SIGUSR2)

    thread = threading.Thread(target=preempt)
    thread.start()
    (outcome,) = launcher.launch(specs, store)
    thread.join()
    assert outcome.record is not None, outcome.error
    assert count(notes, "begun") == {0: 2} and count(notes, "fitted") == {0: 1}
    assert list((store.root / "claims").iterdir()) == [] and list((store.root / "failed").iterdir()) == []


@needs_submitit
@pytest.mark.slow
def test_stopping_the_launch_cancels_its_jobs(place) -> None:
    store, corpus, split, notes = place
    specs = planned(corpus, split, str(notes), [(0, "", 0.0, False), (1, "hang", 0.0, False)])
    outcomes = Slurm(cluster="local", minutes=5).launch(specs, store)
    assert next(outcomes).record is not None
    until(lambda: count(notes, "begun").get(1))
    pid = int((notes / "1.begun").read_text().split()[0])
    outcomes.close()
    until(lambda: not Path(f"/proc/{pid}").exists(), 20)
    until(lambda: list((store.root / "claims").iterdir()) == [], 20)


@needs_submitit
def test_slurm_is_asked_for_what_is_set(place, monkeypatch: pytest.MonkeyPatch) -> None:
    import submitit

    asked: dict[str, object] = {}
    monkeypatch.setattr(submitit.SlurmExecutor, "affinity", staticmethod(lambda: 2))
    monkeypatch.setattr(
        submitit.SlurmExecutor, "_internal_update_parameters", lambda _, **kw: asked.update(kw)
    )
    monkeypatch.setattr(
        submitit.AutoExecutor, "map_array", lambda _, job, orders: [(job, text) for text in orders]
    )
    launcher = Slurm(
        partition="gpu", minutes=90, threads=4, gpus=1, memory=12, at_once=7, options={"account": "lab"}
    )
    ((job, text),) = launcher._submitted(["{}"], place[0])
    assert isinstance(job, Job) and text == "{}"
    assert asked["partition"] == "gpu" and asked["array_parallelism"] == 7
    assert (asked["time"], asked["cpus_per_task"], asked["gpus_per_node"]) == (90, 4, 1)
    assert asked["mem"] in (12, "12GB") and asked["additional_parameters"] == {"account": "lab"}


def test_without_slurm_it_is_said_before_any_run(place) -> None:
    pytest.importorskip("submitit")
    from crossover.launch.interruption import LaunchStopped

    store, corpus, split, notes = place
    specs = planned(corpus, split, str(notes), [(0, "", 0.0, False)])
    with pytest.raises(LaunchStopped, match="no job could be submitted to cluster=slurm"):
        list(Slurm().launch(specs, store))


def test_without_submitit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(BadInput, match=r"pip install 'crossover\[slurm\]'.*launch=local_workers"):
        Slurm()


def test_an_unknown_cluster_is_refused() -> None:
    with pytest.raises(BadInput, match=r"launch\.cluster='pbs': expected slurm or local"):
        Slurm(cluster="pbs")
