"""The mirror says what the record says, and never stops a run."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy import bayes, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.wandb_mirror import WandbMirror
from crossover.split.nested_subsets import Subset


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch):
    import wandb

    wandb.teardown()
    monkeypatch.setenv("WANDB_MODE", "offline")
    yield
    wandb.teardown()


def inspected(folder: Path) -> dict:
    """What the official reader finds in an offline run; the writer may need a moment."""
    wandb = Path(sys.executable).parent / "wandb"
    for _ in range(40):
        said = subprocess.run(
            [wandb, "leet", "inspect", "--summary", "--json", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode == 0 and '"test/accuracy"' in said.stdout:
            return json.loads(said.stdout)
        time.sleep(0.5)
    raise AssertionError(f"no summary: {said.stdout[:2000]} {said.stderr[:2000]}")


def record_of(folder: Path, seed: int = 0):
    store, corpus, split = toy_store(folder, 200)
    subset = Subset("natural", 30, seed)
    return experiment.run(
        RunSpec(corpus.fingerprint, split.fingerprint, bayes(), subset, seeds=Seeds(seed, 0)), store
    )


@pytest.mark.slow
def test_an_offline_run_reads_back_with_group_config_and_scores(tmp_path: Path, offline: None) -> None:
    import wandb

    record = record_of(tmp_path)
    mirror = WandbMirror("offline", "crossover-test")
    mirror.run(record, tmp_path / "wandb")
    wandb.teardown()
    assert mirror.behind == 0
    runs = sorted((tmp_path / "wandb").rglob("offline-run-*"))
    runs = [run for run in runs if run.is_dir()]
    assert len(runs) == 1
    found = inspected(runs[0])
    assert found["config"]["digest"] == record.digest
    assert {"toy", "naive_bayes", "n=30"} <= set(found["tags"])
    assert found["summary"]["test/accuracy"] == pytest.approx(record.scores["accuracy"].value)
    text = json.dumps(found)
    assert record.spec.family in text and "crossover-test" in text


def test_disabled_writes_nothing(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    WandbMirror("offline").run(record, tmp_path / "wandb")
    assert not (tmp_path / "wandb").exists(), "WANDB_MODE=disabled in the environment wins"


def test_what_wandb_refuses_is_counted_and_said_once(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def refuse(**_: object) -> None:
        raise ConnectionError("unreachable")

    monkeypatch.setattr(wandb, "init", refuse)
    mirror = WandbMirror("online")
    record = record_of(tmp_path)
    with pytest.warns(UserWarning, match="local record is complete"):
        mirror.run(record, tmp_path / "wandb")
    mirror.run(record, tmp_path / "wandb")
    assert mirror.behind == 2


def test_a_mode_outside_the_three_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    with pytest.raises(BadInput, match="offline"):
        WandbMirror("sometimes")


def test_seeds_and_draws_share_a_group(tmp_path: Path) -> None:
    one, two = record_of(tmp_path / "a", 0), record_of(tmp_path / "b", 1)
    assert one.digest != two.digest and one.spec.family == two.spec.family
