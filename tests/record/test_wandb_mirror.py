"""The mirror says what the record says, and never stops a run."""

import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_wandb import FakeWandb, put
from toy import bayes, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record import wandb_mirror
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
    mirror.run(record, tmp_path / "wandb", ["compare-1"])
    mirror.finish()
    wandb.teardown()
    assert mirror.behind == 0
    runs = sorted((tmp_path / "wandb").rglob("offline-run-*"))
    runs = [run for run in runs if run.is_dir()]
    assert len(runs) == 1
    found = inspected(runs[0])
    assert found["config"]["digest"] == record.digest
    assert {"toy", "naive_bayes", "n=30", "compare-1"} <= set(found["tags"])
    assert found["summary"]["test/accuracy"] == pytest.approx(record.scores["accuracy"].value)
    text = json.dumps(found)
    assert record.spec.family in text and "crossover-test" in text


def test_disabled_writes_nothing(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    mirror = WandbMirror("offline")
    mirror.run(record, tmp_path / "wandb")
    mirror.finish()
    assert not (tmp_path / "wandb").exists(), "WANDB_MODE=disabled in the environment wins"


def refuse() -> None:
    raise ConnectionError("unreachable")


CASES = {
    "not importable": (None, "ImportError|ModuleNotFoundError"),
    "init raises": (FakeWandb(on_init=refuse), "ConnectionError: unreachable"),
    "log raises": (FakeWandb(on_log=refuse), "ConnectionError: unreachable"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_wandb_refuses_is_counted_and_said_once_with_the_way_out(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, reason = CASES[case]
    put(monkeypatch, fake)
    mirror, record = WandbMirror("offline"), replace(record_of(tmp_path), history=[{"loss": 1.0}])
    for seed in range(5):
        mirror.run(with_seed(record, seed), tmp_path / "wandb")
    with pytest.warns(UserWarning) as told:
        mirror.finish()
    assert len(told) == 1 and mirror.behind == 5
    said = str(told[0].message)
    assert said.startswith("W&B mirror behind by 5 runs (") and re.search(reason, said)
    assert f"python scripts/mirror.py store={tmp_path}" in said
    assert not list((tmp_path / "wandb").glob("mirrored/*")), "nothing counts as sent"


def with_seed(record, seed: int):
    return replace(record, spec=replace(record.spec, seeds=Seeds(seed, seed)))


def test_after_three_refusals_in_a_row_wandb_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeWandb(on_init=refuse)
    put(monkeypatch, fake)
    mirror, record = WandbMirror("offline"), record_of(tmp_path)
    for seed in range(10):
        mirror.run(with_seed(record, seed), tmp_path / "wandb")
    with pytest.warns(UserWarning, match="behind by 10"):
        mirror.finish()
    assert len(fake.begun) == 3


def test_a_wandb_that_never_answers_is_waited_for_once_and_no_longer_than_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ever = threading.Event()
    fake = FakeWandb(on_init=lambda: ever.wait(60) and None)
    put(monkeypatch, fake)
    mirror, record = WandbMirror("offline", patience=0.3), record_of(tmp_path)
    began = time.monotonic()
    for seed in range(20):
        mirror.run(with_seed(record, seed), tmp_path / "wandb")
    assert not fake.begun, "no run waits"
    with pytest.warns(UserWarning, match="behind by 20 runs"):
        mirror.finish()
    assert time.monotonic() - began < 20 and len(fake.begun) == 1
    ever.set()


def test_a_slow_wandb_gets_what_its_time_allows_and_the_rest_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, FakeWandb(on_init=lambda: time.sleep(0.5)))
    mirror, record = WandbMirror("offline", patience=1.2), record_of(tmp_path)
    for seed in range(30):
        mirror.run(with_seed(record, seed), tmp_path / "wandb")
    began = time.monotonic()
    with pytest.warns(UserWarning, match="behind by"):
        mirror.finish()
    assert time.monotonic() - began < 10, "thirty would take fifteen seconds"
    sent = len(list((tmp_path / "wandb" / "mirrored").iterdir()))
    assert 1 <= sent == 30 - mirror.behind


def test_while_runs_are_made_the_mirror_takes_under_one_percent_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock of its own: 500 runs of 10 s each, 0.05 s an entry, 2 s the first."""
    put(monkeypatch, FakeWandb())
    now = [0.0]
    monkeypatch.setattr(wandb_mirror.time, "monotonic", lambda: now[0])
    mirror, record = WandbMirror("offline"), record_of(tmp_path)
    sent: list[float] = []

    def send(*_: object, **__: object) -> None:
        now[0] += 0.05 if sent else 2.0
        sent.append(now[0])

    monkeypatch.setattr(mirror, "_send", send)
    spent = 0.0
    for seed in range(500):
        now[0] += 10.0
        before = now[0]
        mirror.run(with_seed(record, seed), tmp_path / "wandb")
        spent += now[0] - before
        assert spent <= 0.01 * now[0]
    assert len(sent) > 400, "and most of it can be watched while the study runs"
    mirror.finish()
    assert len(sent) == 500 and mirror.behind == 0


def test_of_two_processes_that_got_the_same_run_the_later_one_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, record = FakeWandb(), record_of(tmp_path)
    put(monkeypatch, fake)
    one, other = WandbMirror("offline"), WandbMirror("offline")
    for mirror in (one, other):
        mirror.run(record, tmp_path / "wandb")
    one.finish()
    other.finish()
    assert len(fake.begun) == 1 and other.behind == 0


def test_what_was_sent_is_not_sent_again_but_to_another_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, record = FakeWandb(), record_of(tmp_path)
    put(monkeypatch, fake)
    for project in ("one", "one", "two"):
        mirror = WandbMirror("offline", project)
        mirror.run(record, tmp_path / "wandb")
        mirror.finish()
    assert [about["project"] for about in fake.begun] == ["one", "two"]


def test_a_mode_outside_the_three_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    with pytest.raises(BadInput, match="offline"):
        WandbMirror("sometimes")
    with pytest.raises(BadInput, match="patience"):
        WandbMirror("offline", patience=0)


def test_seeds_and_draws_share_a_group(tmp_path: Path) -> None:
    one, two = record_of(tmp_path / "a", 0), record_of(tmp_path / "b", 1)
    assert one.digest != two.digest and one.spec.family == two.spec.family


@pytest.mark.slow
def test_the_findings_of_a_look_read_back_as_a_table(tmp_path: Path, offline: None) -> None:
    """From the files the offline run keeps: every finding, no text of the data, no id."""
    import wandb

    from crossover.report.look_report import Look, look_at

    store, corpus, _ = toy_store(tmp_path, 120)
    mirror = WandbMirror("offline", "crossover-test")
    report = look_at(Look(), corpus, None, [], store, "python scripts/look.py data=toy", mirror)
    mirror.finish()
    wandb.teardown()
    assert mirror.behind == 0
    (file,) = (tmp_path / "wandb").rglob("*.table.json")
    table = json.loads(file.read_text(encoding="utf-8"))
    assert table["columns"] == ["severity", "code", "finding", "evidence", "remedy", "p_value"]
    codes = [row[1] for row in table["data"]]
    assert sorted(codes) == sorted(finding["code"] for finding in report.found["findings"])
    said = file.read_text(encoding="utf-8")
    assert not [text for text in (*corpus.ids, *corpus.texts) if text in said]
