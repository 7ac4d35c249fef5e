"""The detection table of transplanted weights is made in small: found early, not found where converged."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "detection_transplant.py"


@pytest.fixture(scope="module")
def detection():
    spec = importlib.util.spec_from_file_location("detection_transplant", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["detection_transplant"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["detection_transplant"]


def test_a_first_step_is_found_a_converged_model_is_not_and_both_files_are_written(
    detection, monkeypatch, tmp_path
):
    name = "LR stopped, LR run on"
    monkeypatch.setattr(detection, "PAIRS", {name: detection.PAIRS[name]})
    monkeypatch.setattr(detection, "STEPS", (1, 2))
    monkeypatch.setattr(detection.measure, "__defaults__", (60, (1, 2)))
    detection.main(["--draws", "2", "--nulls", "3", "--rows", "60", "--to", str(tmp_path)])
    stored = json.loads((tmp_path / "detection_transplant.json").read_text(encoding="utf-8"))
    assert [(one["steps"], one["draws"], one["alarms"]) for one in stored["lines"]] == [
        (1, 2, 2), (2, 2, 2), (None, 3, 0),
    ]  # fmt: skip
    assert stored["found_in_90"] == {name: 2}
    assert all(one["alarms_first_written"] == 0 for one in stored["lines"])
    assert "| converged | 0 of 3 |" in (tmp_path / "detection_transplant.md").read_text(encoding="utf-8")


def test_the_strength_found_in_90_of_100_is_the_last_before_one_that_is_not(detection):
    def at(steps, alarms):
        return {"pair": "a", "steps": steps, "draws": 10, "alarms": alarms}

    lines = [at(1, 10), at(2, 9), at(3, 8), at(4, 10), at(None, 0)]
    assert detection.weakest_found("a", lines) == 2
    assert detection.weakest_found("a", lines[2:]) is None
