"""Summaries of a group of runs: worked examples, scipy as oracle, coverage with draws as the unit."""

import numpy as np
import pytest
from scipy import stats

from crossover.measure.run_summary import failure_rate, improvement, interquartile_mean, median, normality


def test_median_and_interquartile_mean_are_of_all_runs() -> None:
    draws = [np.arange(8.0) + 10 * k for k in range(6)]
    runs = np.concatenate(draws)
    assert median(draws).value == np.median(runs)
    assert interquartile_mean(draws).value == pytest.approx(stats.trim_mean(runs, 0.25))


def test_the_median_of_single_runs_has_the_interval_of_order_statistics() -> None:
    found = median([np.array([float(k)]) for k in range(10)])
    assert (found.low, found.high) == (1.0, 8.0)
    assert median([np.full(5, float(k)) for k in range(10)]).low == 1.0, "copies of a draw tell nothing new"


@pytest.mark.parametrize("draw_sd", [0.0, 1.0])
def test_the_intervals_cover_with_draws_as_the_unit(draw_sd: float) -> None:
    rng, covered, repeats = np.random.default_rng(0), np.zeros(2), 500
    for _ in range(repeats):
        draws = list(draw_sd * rng.standard_normal((8, 1)) + rng.standard_normal((8, 5)))
        for k, found in enumerate((median(draws), interquartile_mean(draws))):
            covered[k] += found.low <= 0 <= found.high
    assert (covered / repeats > 0.92).all(), covered / repeats


@pytest.mark.parametrize("summary", [median, interquartile_mean])
def test_few_draws_get_a_value_without_an_interval(summary) -> None:
    found = summary([np.arange(5.0) + k for k in range(5)])
    assert found.value is not None and found.low is None and "5 units" in found.method


def test_the_runs_of_a_single_draw_are_its_units() -> None:
    assert median([np.arange(7.0)]).n == 7
    assert median([np.arange(7.0)]).low is not None


def test_a_failure_rate_of_none_has_an_upper_limit() -> None:
    found = failure_rate(0, 50)
    assert found.value == 0 and found.low == 0 and found.high == pytest.approx(1 - 0.025 ** (1 / 50))
    assert failure_rate(0, 0).value is None


def test_improvement_counts_pairs_of_one_draw_and_ties_half() -> None:
    first = [np.array([2.0, 0.0])] * 10
    second = [np.array([1.0, 2.0])] * 10
    assert improvement(first, second).value == pytest.approx((1 + 0.5) / 4)
    assert improvement(second, first).value == pytest.approx(1 - 1.5 / 4)


def test_improvement_is_paired_by_draw() -> None:
    level = np.arange(10.0)
    found = improvement([np.array([k + 0.1]) for k in level], [np.array([k]) for k in level])
    assert found.value == 1.0, "a small lead on every draw, whatever the draws differ by"
    assert found.low == pytest.approx(0.025 ** (1 / 10)) and found.high == 1.0


def test_improvement_is_told_from_ten_draws_up() -> None:
    few = [np.array([1.0])] * 9
    found = improvement(few, few)
    assert found.value is None and "10 are needed" in found.method


def test_improvement_covers() -> None:
    rng, repeats, covered = np.random.default_rng(1), 300, 0
    for _ in range(repeats):
        lead = 0.5 + rng.standard_normal((10, 1))  # the lead itself varies over draws
        first, second = lead + rng.standard_normal((10, 3)), rng.standard_normal((10, 3))
        found = improvement(list(first), list(second))
        covered += found.low <= stats.norm.cdf(0.5 / np.sqrt(3)) <= found.high
    assert covered / repeats > 0.93


def test_normality_sees_failed_runs_and_not_normal_ones() -> None:
    rng = np.random.default_rng(2)
    assert normality(rng.standard_normal(50)) > 0.01
    assert normality(np.where(np.arange(50) % 10, 0.0, -5.0) + 0.1 * rng.standard_normal(50)) < 1e-6
    assert normality(np.zeros(50)) is None and normality(np.arange(5.0)) is None
