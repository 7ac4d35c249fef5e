"""The Ray launcher: a run that dies is no lost node, limits hold there too, Ray itself is optional."""

import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from faults.planned import count, planned, until
from toy import toy_store

from crossover.data.bad_input import BadInput
from crossover.launch.ray_cluster import RayCluster
from crossover.protocol import component

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install 'crossover[ray]'"
)


@needs_ray
@pytest.mark.slow
def test_runs_that_die_fail_by_name_and_are_not_retried_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component, "_allowed", [*component.allowed_packages(), "wayward"])
    store, corpus, split = toy_store(tmp_path / "store", 200)
    notes = tmp_path / "notes"
    notes.mkdir()
    faults = ["raise", "exit", "abort", "kill", "hang", ""]
    specs = planned(corpus, split, str(notes), [(k, how, 0.0, False) for k, how in enumerate(faults)])
    launcher, before = RayCluster(cpus=2, limit_seconds=8), signal.getsignal(signal.SIGTERM)
    ended = {o.spec.seeds.initialisation: o for o in launcher.launch(specs, store)}
    told = [ended[k].error.partition(":")[0] for k in range(6)]
    assert told == ["RuntimeError", "SystemExit", "WorkerDied", "WorkerDied", "TimeLimit", ""]
    assert ended[5].record is not None and ended[5].record.environment["variables"]["OMP_NUM_THREADS"] == "1"
    assert count(notes, "begun") == dict.fromkeys(range(6), 1)
    assert signal.getsignal(signal.SIGTERM) is before, "Ray would end a command that is told to stop with 15"
    assert "on stdout" in str(store.failure(specs[3].digest)["log"])


@needs_ray
@pytest.mark.slow
def test_a_run_that_was_lost_with_its_node_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component, "_allowed", [*component.allowed_packages(), "wayward"])
    store, corpus, split = toy_store(tmp_path / "store", 200)
    notes = tmp_path / "notes"
    notes.mkdir()

    def lose() -> None:
        until(lambda: count(notes, "begun").get(0))
        worker = (notes / "0.begun").read_text().split()[0]
        host = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1]
        os.kill(int(host), signal.SIGKILL)  # Ray's own process, as the loss of its machine would end it

    thread = threading.Thread(target=lose)
    thread.start()
    (outcome,) = RayCluster(cpus=2).launch(planned(corpus, split, str(notes), [(0, "", 2.0, False)]), store)
    thread.join()
    assert outcome.record is not None, outcome.error
    assert count(notes, "begun") == {0: 2} and count(notes, "fitted") == {0: 1}
    assert list((store.root / "failed").iterdir()) == []


@needs_ray
def test_a_node_that_cannot_write_the_store_stops_the_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    launcher = RayCluster(cpus=2)
    full = OSError(28, "No space left on device")

    def refused(_: object) -> str:
        raise ray.exceptions.RayTaskError("carry_out", "Traceback", full)

    monkeypatch.setattr(launcher.ray, "get", refused)
    with pytest.raises(OSError, match="No space left"):
        launcher._error(object())


@needs_ray
def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossover.launch.interruption import LaunchStopped

    launcher = RayCluster(address="127.0.0.1:1")

    def refused(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr(launcher.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(launcher.ray, "init", refused)
    store, corpus, split = toy_store(tmp_path, 60)
    specs = planned(corpus, split, str(tmp_path), [(0, "", 0.0, False)])
    with pytest.raises(LaunchStopped, match=r"launch\.address=127\.0\.0\.1:1 cannot be reached: Could not"):
        list(launcher.launch(specs, store))


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"pip install 'crossover\[ray\]'.*launch=local_workers"):
        RayCluster()
