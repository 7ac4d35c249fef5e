"""The slope from n/2 to n: paired by draw, shown only with a bound, flat only by equivalence."""

import numpy as np
import pytest

from crossover.measure.learning_slope import slope
from crossover.measure.simultaneous import shared_level


def errors(fall: float, draws: int, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    hard = draw.random(rows)
    luck = draw.normal(0.0, 0.02, (draws, 1))
    half = (hard < 0.30 + luck).astype(float)
    whole = (hard < 0.30 - fall + luck + draw.normal(0.0, 0.005, (draws, 1))).astype(float)
    return half, whole


def test_a_fall_is_shown_and_pairing_takes_the_luck_of_a_draw_out() -> None:
    half, whole = errors(0.06, 8, 600, 0)
    found = slope(half, whole, 0.99, 0.01)
    assert found.falls and not found.flat
    assert found.change.low < -0.06 < found.change.high < 0
    unpaired = slope(half, whole[::-1], 0.99, 0.01)
    assert unpaired.change.high - unpaired.change.low > 1.2 * (found.change.high - found.change.low)


def test_no_fall_is_not_flat_by_itself() -> None:
    found = slope(*errors(0.0, 3, 60, 1), 0.99, 0.01)
    assert not found.falls and not found.flat


def test_flat_is_an_equivalence_result() -> None:
    draw = np.random.default_rng(2)
    half = (draw.random((8, 4000)) < 0.2).astype(float)
    whole = half.copy()
    whole[0, :4] = 1 - whole[0, :4]
    found = slope(half, whole, 0.99, 0.01)
    assert found.flat and not found.falls
    assert not slope(half, whole, 0.99, 1e-5).flat


@pytest.mark.parametrize("overlap", [0.0, 0.25])
def test_a_flat_curve_is_rarely_said_to_fall(overlap: float) -> None:
    level, false = shared_level(10), 0
    for seed in range(300):
        false += slope(*errors(0.0, 6, 200, 100 + seed), level, 0.01, overlap).falls
    assert false <= 6, "one-sided level .995: 300 nulls give more than 6 in 1 of 1,000 cases"
