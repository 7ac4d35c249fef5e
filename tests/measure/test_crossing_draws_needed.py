"""How many more draws: smallest number by search with scipy, and the limits that draws cannot move."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from crossover.measure.crossing import SizeEvidence, find_crossing
from crossover.measure.draws_needed import draws_needed


def with_draw_means(means, rows=50):
    """Differences that vary by draw alone."""
    return SizeEvidence(100, np.asarray(means, dtype=float)[:, None] + np.zeros(rows))


def smallest(mean, sd, made):
    """By hand: draws alone vary, so the interval is the t interval of the draw means."""
    total = made
    while stats.t.ppf(0.975, total - 1) * sd / np.sqrt(total) > mean:
        total += 1
    return total - made


def test_the_range_runs_from_the_observed_spread_to_its_upper_limit():
    means = np.array([0.05, -0.03, 0.04, -0.02, 0.06])
    needed = draws_needed(with_draw_means(means))
    sd = means.std(ddof=1)
    upper = sd * np.sqrt(4 / stats.chi2.ppf(0.2, 4))
    assert needed.low == smallest(means.mean(), sd, 5)
    assert needed.high == smallest(means.mean(), upper, 5)
    assert needed.text == f"about {needed.low} to {needed.high} more draws"


def test_nothing_more_is_needed_once_resolved():
    needed = draws_needed(with_draw_means([0.05, 0.06, 0.05, 0.04]))
    assert (needed.low, needed.high) == (0, 0) and "no more draws" in needed.text


def test_three_draws_say_nothing_about_how_many_more():
    needed = draws_needed(with_draw_means([0.05, -0.03, 0.02]))
    assert needed.low is None and needed.high is None and "at least 4" in needed.text


def test_rows_that_are_too_few_are_named_and_their_number_is_enough():
    rng = np.random.default_rng(0)
    row = rng.normal(0, 1, 100)
    row += 0.1 - row.mean()
    draws = rng.normal(0, 0.01, (6, 1))
    draws -= draws.mean()
    d = row + draws
    needed = draws_needed(SizeEvidence(100, d))
    assert needed.low is None and needed.pool is None
    assert needed.text == f"no number of draws resolves it; needs {needed.rows} more test rows"
    # With that many rows half of the variance allowed is left to the draws.
    row_variance = row.var(ddof=1) / (100 + needed.rows)
    assert row_variance == pytest.approx((0.1 / stats.norm.ppf(0.975)) ** 2 / 2, rel=0.01)


def test_a_pool_that_is_too_small_is_named():
    means = np.array([0.05, -0.03, 0.04, -0.02, 0.06])
    at = SizeEvidence(100, with_draw_means(means).differences, overlap=0.5)
    needed = draws_needed(at)
    assert needed.low is None and needed.rows is None
    # Variance shared by draws from a pool of N: sigma^2 n / N, sigma^2 = s^2 / (1 - f).
    shared = 2 * means.var(ddof=1) * 100 / needed.pool
    assert shared == pytest.approx((means.mean() / stats.norm.ppf(0.975)) ** 2 / 2, rel=0.05)


def test_a_mean_on_the_margin_is_said_to_be_out_of_reach():
    flat = with_draw_means([0.01, -0.01, 0.02, -0.02])
    rows = SizeEvidence(100, flat.differences + np.tile([-0.5, 0.5], 25), overlap=0.2)
    for needed in (draws_needed(flat), draws_needed(rows)):
        assert needed.low is None and needed.rows is None and needed.pool is None
        assert "near the margin" in needed.text


def test_a_margin_is_the_distance_that_counts():
    means = [0.15, 0.07, 0.14, 0.08, 0.16]
    near = draws_needed(with_draw_means(means), margin=0.1)
    assert near == draws_needed(with_draw_means(np.array(means) - 0.1))
    assert draws_needed(with_draw_means(means)).low == 0


def test_an_unresolved_crossing_tells_the_draws_its_own_bounds_need():
    rng = np.random.default_rng(5)
    at = [
        SizeEvidence(size, level + rng.normal(0, 0.02, (5, 1)) + rng.normal(0, 0.05, (5, 400)))
        for size, level in ((50, -0.015), (100, 0.0), (200, 0.015))
    ]
    found = find_crossing(at)
    assert found.kind == "not_resolved"
    below = draws_needed(at[0], one_sided_level=1 - 0.05 / 6)
    above = draws_needed(at[2], one_sided_level=1 - 0.05 / 6)
    assert found.means[0].mean < 0 < found.means[2].mean
    assert found.draws_needed in (below, above)
    assert found.draws_needed.low == max(below.low, above.low) > 0
