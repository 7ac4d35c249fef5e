"""The detection benchmark of the ablation plants what it says, and its tables say what it found."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

_FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "detection_ablation.py"
_SPEC = importlib.util.spec_from_file_location("detection_ablation", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)


@pytest.mark.parametrize("shape", ["normal", "t3", "failing"])
def test_a_run_is_right_as_often_as_planted(shape: str) -> None:
    rng = np.random.default_rng(0)
    values = [made.simulated(rng, range(8), 5, shape, "twin", 0.06).values for _ in range(30)]
    rate = np.mean(values, axis=(0, 1, 3))
    assert rate[0] == pytest.approx(0.75, abs=0.015) and rate[4] == pytest.approx(0.78, abs=0.015)
    assert rate[[1, 2, 3]] == pytest.approx(0.81, abs=0.015), "either twin brings all of it"


def test_a_large_effect_is_found_and_twins_are_told() -> None:
    additive = made.cell((4, 5, True), "normal", "additive", 0.15, 4, 1)
    assert additive["first shapley"] == additive["any"] == 4
    twins = made.cell((4, 14, True), "normal", "twin", 0.15, 2, 1)
    assert twins["twins told"] == twins["pair"] == 2 and twins["first leave_one_out"] == 0
    assert "warned" not in made.cell((5, 5, False), "normal", "twin", 0.1, 1, 1)


def test_the_strength_found_in_nine_of_ten_lies_between_those_tried() -> None:
    assert made.at_ninety([1, 2, 3], [0.1, 0.8, 1.0]) == pytest.approx(2.5)
    assert made.at_ninety([1, 2], [0.1, 0.8]) is None and made.at_ninety([1, 2], [0.95, 1.0]) == 1
