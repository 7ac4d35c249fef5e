"""The detection benchmark of the bump test counts what it says and states its command."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "detection_calibration.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("detection_calibration", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["detection_calibration"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["detection_calibration"]


@pytest.mark.slow
def test_a_strong_bump_is_found_and_none_is_not(bench, tmp_path):
    told = ["--nulls", "3", "--draws", "3", "--inbox-nulls", "0", "--inbox-draws", "0", "--simulations", "99"]
    told += ["--inbox-wide", "0"]
    bench.main([*told, "--to", str(tmp_path)])
    stored = json.loads((tmp_path / "detection_calibration.json").read_text())
    lines = {(one["case"], one["strength"]): one for one in stored["lines"]}
    assert lines["too sure", 0.0]["global"] == 3, "what recalibration mends is seen by the global scan"
    assert lines["too sure, bump", 0.3]["local"] >= 2
    for one in lines.values():
        assert one["verdict"] <= min(one["global"], one["local"], one["confirmed"])
        assert one["global_low"] <= one["global"] / one["draws"] <= one["global_high"]
    page = (tmp_path / "detection_calibration.md").read_text()
    assert "--nulls 3 --draws 3" in page and "| too sure, bump | 0.3 |" in page


def test_the_strength_found_in_nine_of_ten_is_between_those_tried(bench):
    lines = [
        {"case": "c", "strength": s, "draws": 10, "verdict": v} for s, v in ((0.1, 5), (0.2, 7), (0.3, 10))
    ]
    assert bench.found_in_90(lines, "c", "verdict") == pytest.approx(0.2 + 0.1 * 2 / 3)
    assert bench.found_in_90(lines[:2], "c", "verdict") is None
