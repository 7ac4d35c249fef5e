"""Simultaneous bounds: hand-worked values, exact limits without variance, and coverage of all at once."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from crossover.data.bad_input import BadInput
from crossover.measure.simultaneous import over_draws, over_rows, share_bounds, shared_level


def test_the_level_is_shared_out() -> None:
    assert shared_level(1) == pytest.approx(0.95)
    assert shared_level(10) == pytest.approx(0.995)
    with pytest.raises(ValueError, match="at least 1"):
        shared_level(0)


def test_bounds_over_draws_are_t_bounds_worked_by_hand() -> None:
    found = over_draws([0.1, 0.2, 0.3], 0.975)
    assert found.mean == pytest.approx(0.2)
    assert found.high - 0.2 == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-5)
    assert found.high - 0.2 == pytest.approx(0.2 - found.low)


def test_overlap_widens_by_what_draws_share() -> None:
    plain, shared = (over_draws([0.1, 0.2, 0.3], 0.975, f) for f in (0.0, 0.25))
    ratio = (shared.high - shared.mean) / (plain.high - plain.mean)
    assert ratio == pytest.approx(math.sqrt((1 / 3 + 1 / 3) / (1 / 3)))


def test_without_an_error_the_rows_still_bound_it() -> None:
    found = over_draws([0.0, 0.0, 0.0], 0.95, rows=100)
    assert found.low == 0.0 and found.high == pytest.approx(1 - 0.05 ** (1 / 100))
    assert over_draws([0.0, 0.0], 0.95).high == 0.0, "a value that is no share of rows has no such bound"
    rows = over_rows(np.zeros((4, 50)), 0.95)
    assert rows.high == pytest.approx(1 - 0.05 ** (1 / 50)), "four draws score the same 50 rows"
    assert over_rows(np.ones((4, 50)), 0.95).low == pytest.approx(0.05 ** (1 / 50))


def test_a_constant_difference_is_known() -> None:
    found = over_rows(np.full((3, 20), 0.5), 0.99)
    assert (found.low, found.high) == (0.5, 0.5)


def test_share_bounds_are_clopper_and_pearsons() -> None:
    found = share_bounds(7, 60, 0.975)
    low, high = proportion_confint(7, 60, 0.05, method="beta")
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert share_bounds(0, 10, 0.95).low == 0.0 and share_bounds(10, 10, 0.95).high == 1.0


def test_one_draw_says_that_it_speaks_of_itself() -> None:
    assert "given one training draw" in over_rows(np.random.default_rng(0).random((1, 30)), 0.95).method
    with pytest.raises(BadInput, match="at least two"):
        over_draws([0.1], 0.95)
    with pytest.raises(BadInput, match="not finite"):
        over_draws([0.1, math.nan], 0.95)
    with pytest.raises(BadInput):
        share_bounds(3, 2, 0.95)


def test_all_bounds_hold_at_once() -> None:
    """Four means of six draws, bounded on both sides: all eight right in at least 95% of studies."""
    draw = np.random.default_rng(5)
    level, whole = shared_level(8), 0
    for _ in range(1500):
        found = [over_draws(draw.normal(0.0, 1.0 + k, 6), level) for k in range(4)]
        whole += all(b.low <= 0.0 <= b.high for b in found)
    assert stats.binom.sf(whole - 1, 1500, 0.95) > 0.001 and whole / 1500 > 0.935
