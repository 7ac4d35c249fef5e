"""The speed of the inbox is measured over all flaws and written down; here in small, for its form."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def inbox_speed():
    spec = importlib.util.spec_from_file_location("inbox_speed", ROOT / "benchmarks" / "inbox_speed.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["inbox_speed"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["inbox_speed"]


def test_every_shipped_flaw_is_planted(inbox_speed):
    flaws = inbox_speed.every_flaw(0.3)
    assert set(flaws) == {path.stem for path in (ROOT / "conf" / "flaw").glob("*.yaml")}
    assert {flaw.strength for flaw in flaws.values()} == {0.3}
    piece = next(inbox_speed.Inbox(500, flaw=flaws).batches())
    assert set(piece.truth.flaws) == set(flaws)


def test_speed_is_rows_by_cpu_seconds(inbox_speed, monkeypatch):
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(inbox_speed.time, "process_time", lambda: next(clock))
    assert inbox_speed.rows_a_second(inbox_speed.Inbox(500)) == 200.0


def test_medians_and_passes_are_written(inbox_speed, tmp_path, capsys, monkeypatch):
    speeds = iter([1.0, 1.0, 30_000.4, 1.0, 10.0, 2.0, 20_000.0, 9.0])
    monkeypatch.setattr(inbox_speed, "rows_a_second", lambda _: next(speeds))
    assert inbox_speed.main(["--rows", "300", "--passes", "3", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "inbox_speed.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    assert json.loads(text)["rows_a_second"] == {
        "plain": {"median": 20_000, "passes": [30_000, 10, 20_000]},
        "every flaw": {"median": 2, "passes": [1, 2, 9]},
    }


def test_a_plain_inbox_below_the_target_ends_with_1(inbox_speed, tmp_path, monkeypatch):
    monkeypatch.setattr(inbox_speed, "rows_a_second", lambda _: 19_999.0)
    assert inbox_speed.main(["--rows", "300", "--out", str(tmp_path)]) == 1
