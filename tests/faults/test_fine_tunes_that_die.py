"""F01, F02, F18, F22, F23: a fine-tune that is killed goes on from its last checkpoint, to the same bits.

F24, a data loader's worker that dies, has no test: batches are cut from lists in the training process.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from faults.drive_finetune import STEPS, spec_of
from faults.planned import KILLS, assert_whole, until
from tiny_models import make_tiny
from torch import Tensor
from toy import toy_store

from crossover.launch.in_process import InProcess
from crossover.model.packed_network import PackedNetwork
from crossover.model.training_loop import Tokens
from crossover.record.store import Store

Tally = Callable[..., None]

pytestmark = [pytest.mark.fault, pytest.mark.slow]
LAUNCHERS = {"in_process": {"threads": 1}, "local_workers": {"threads": 1, "workers": 1}}


class Undisturbed(NamedTuple):
    """A run that nobody killed: the steps of its trainings, and all of its record but time and place."""

    steps: int
    bits: object


@contextmanager
def driving(
    root: Path,
    model: Path,
    launcher: str = "in_process",
    die: tuple[str, int] | None = None,
    seconds: float | None = 0.0,
) -> Iterator[subprocess.Popen[str]]:
    """The same command each time; what differs is where it runs, how often it saves, and how it ends."""
    arguments = {**LAUNCHERS[launcher], "checkpoint_seconds": seconds}
    settings = {"launcher": launcher, "arguments": arguments, "die": die}
    process = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("drive_finetune.py")),
            root,
            model,
            json.dumps(settings),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finish(root: Path, model: Path, **how: object) -> dict[str, object]:
    """Give the command and let it end."""
    with driving(root, model, **how) as process:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    said = json.loads(out.splitlines()[-1])
    assert said["error"] == ""
    return said


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model") / "bert")


@pytest.fixture(scope="module")
def undisturbed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What the run comes to without a checkpoint and without a kill."""
    root = tmp_path_factory.mktemp("undisturbed") / "store"
    steps = finish(root, model, seconds=None)["steps"]
    assert isinstance(steps, int) and 2 * STEPS < steps <= 3 * STEPS, "two trials and a refit"
    assert list((root / "checkpoints").iterdir()) == []
    return Undisturbed(steps, came_to(root))


def came_to(root: Path) -> object:
    """All of the one record but time and place."""
    (record,) = Store(root).runs()
    scores = {name: score.to_json() for name, score in record.scores.items()}
    plain = [record.predictions_sha256, scores, record.history, record.trials, record.cost["tokens"]]
    return json.loads(json.dumps(plain))


def assert_as_undisturbed(root: Path, undisturbed: Undisturbed) -> None:
    assert_whole(root, 1)
    assert came_to(root) == undisturbed.bits
    assert list((root / "checkpoints").iterdir()) == [], "they are gone with the commit"
    assert list((root / "failed").iterdir()) == []


def newest(root: Path) -> tuple[int, str]:
    """When the last checkpoint came, and its name."""
    found = [(0, "")]
    for file in (root / "checkpoints").rglob("*.safetensors"):
        try:
            found.append((file.stat().st_mtime_ns, file.name))
        except FileNotFoundError:
            continue  # an older one, swept just now
    return max(found)


def wait_for_training(root: Path, process: subprocess.Popen[str]) -> None:
    before = newest(root)
    until(lambda: newest(root) > before or process.poll() is not None)
    assert process.poll() is None, process.communicate()


def test_a_fine_tune_killed_at_random_times_ends_as_one_that_was_not(
    model: Path, undisturbed: Undisturbed, tmp_path: Path, tally: Tally
) -> None:
    root, moments = tmp_path / "store", random.Random(0)
    for k in range(KILLS):
        with driving(root, model, list(LAUNCHERS)[k % 2]) as process:
            wait_for_training(root, process)
            # Each kill finds it further on: together they must leave it something to finish.
            time.sleep(moments.uniform(0.0, 1.0 / KILLS))
            process.kill()
            process.wait()
        assert not list((root / "runs").iterdir()) and newest(root)[0], "it was at it"
    assert finish(root, model)["steps"] < undisturbed.steps - KILLS
    assert_as_undisturbed(root, undisturbed)
    for _ in range(KILLS):
        tally("F01")


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before_usable(
    model: Path, undisturbed: Undisturbed, tmp_path: Path, tally: Tally
) -> None:
    root = tmp_path / "store"
    for point, turn in (("half", 4), ("before rename", 3), ("after rename", 5)):
        with driving(root, model, die=(point, turn)) as process:
            assert process.wait(timeout=120) == -signal.SIGKILL
        files = [file for file in (root / "checkpoints").rglob("*") if file.is_file()]
        assert sum(file.suffix == ".part" for file in files) == (0 if point == "after rename" else 1)
        assert sum(file.suffix == ".safetensors" for file in files) == (3 if point == "after rename" else 2)
    assert newest(root)[1].startswith("00000010-"), "3, then 2 more, then 5 more"
    assert finish(root, model)["steps"] == undisturbed.steps - 10
    assert_as_undisturbed(root, undisturbed)
    for _ in range(3):
        tally("F02")


def test_sigterm_ends_it_in_time_and_the_same_command_goes_on(
    model: Path, undisturbed: Undisturbed, tmp_path: Path, tally: Tally
) -> None:
    root = tmp_path / "store"
    for launcher in LAUNCHERS:
        with driving(root, model, launcher) as process:
            wait_for_training(root, process)
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 143
            assert time.monotonic() - told < 20
        assert (
            newest(root)[0] and not any((root / "failed").iterdir()) and not any((root / "claims").iterdir())
        )
    assert finish(root, model)["steps"] < undisturbed.steps
    assert_as_undisturbed(root, undisturbed)
    for _ in LAUNCHERS:
        tally("F18")


def test_a_kill_between_the_commit_and_the_sweep_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path / "store", 200)
    spec = spec_of(corpus, split, str(model), min_steps=2, max_steps=2)
    (outcome,) = InProcess(threads=1).launch([spec], store)
    assert outcome.record is not None
    left = store.checkpoints(spec.digest)
    (left / "a").mkdir(parents=True)
    list(InProcess(threads=1).launch([spec], store))
    assert not left.exists()


def test_a_fine_tune_that_diverges_is_a_failure_with_step_and_rate_and_no_row(
    model: Path, tmp_path: Path, tally: Tally
) -> None:
    store, corpus, split = toy_store(tmp_path / "store", 200)
    spec = replace(spec_of(corpus, split, str(model), learning_rate=1e30, warmup=0.0), budget=1)
    (outcome,) = InProcess(threads=1, checkpoint_seconds=0.0).launch([spec], store)
    assert outcome.record is None and not store.has_run(spec.digest)
    failure = store.failure(spec.digest)
    message = str(failure["message"])
    assert failure["class"] == "FloatingPointError"
    assert "diverged at step 2 of 80: loss nan" in message and "learning rate 9.875e+29" in message
    assert list((store.root / "runs").iterdir()) == []
    assert not store.checkpoints(spec.digest).exists(), "another try begins anew"
    tally("F23")


@pytest.mark.parametrize("most", [3, 0], ids=["halves fit", "not a row fits"])
def test_a_batch_that_memory_refuses_is_halved_and_said_so_or_its_longest_row_is_named(
    most: int, model: Path, tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = PackedNetwork.logits

    def refused(self: PackedNetwork, rows: Tokens, states: Sequence[Tensor] | None = None) -> Tensor:
        if len(rows) > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 TB")
        return plain(self, rows, states)

    monkeypatch.setattr(PackedNetwork, "logits", refused)
    store, corpus, split = toy_store(tmp_path / "store", 200)
    spec = replace(spec_of(corpus, split, str(model), min_steps=4, max_steps=4, batch_size=4), budget=1)
    (outcome,) = InProcess(threads=1).launch([spec], store)
    if most:
        assert outcome.record is not None
        assert {entry["micro_batches"] for entry in outcome.record.history} == {2.0}
    else:
        failure = store.failure(spec.digest)
        assert failure["class"] == "MemoryError" and "longest: training row" in str(failure["message"])
        assert list((store.root / "runs").iterdir()) == []
    tally("F22")
