"""What a design can show: against a t test's own power, a simulation, and hand-worked cases."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from crossover.data.bad_input import BadInput
from crossover.protocol.power import detectable, planned


@pytest.mark.parametrize("draws", [3, 8, 30])
def test_it_is_the_power_of_a_one_sample_t_test(draws: int) -> None:
    effect = detectable(1 / np.sqrt(draws), draws - 1)
    assert TTestPower().power(effect, nobs=draws, alpha=0.05) == pytest.approx(0.8, abs=2e-3)


def test_it_holds_at_one_degree_of_freedom_where_scipy_gives_nan() -> None:
    assert detected(detectable(1.0, 1), 1) == pytest.approx(0.8, abs=0.005)


def detected(shift: float, df: float) -> float:
    bound = stats.t.ppf(0.975, df)
    z = np.random.default_rng(1).normal(shift, 1, 400_000)
    w = np.sqrt(np.random.default_rng(2).chisquare(df, 400_000) / df)
    return float(np.mean(np.abs(z / w) > bound))


def test_a_planned_difference_is_found_at_its_power_in_simulation() -> None:
    rows, disagreement = 400, 0.1
    smallest = planned(rows, 1, disagreement).smallest
    rng = np.random.default_rng(3)
    wins = (disagreement + smallest) / 2
    d = rng.choice([1, -1, 0], (20_000, rows), p=[wins, disagreement - wins, 1 - disagreement])
    p = stats.ttest_1samp(d, 0, axis=1).pvalue
    assert np.mean(p <= 0.05) == pytest.approx(0.8, abs=0.04)


def test_more_rows_draws_and_agreement_show_smaller_differences() -> None:
    base = planned(500, 4).smallest
    assert planned(2000, 4).smallest < base > planned(500, 8).smallest
    assert planned(500, 4, disagreement=0.02).smallest < base
    assert planned(500, 4, draw_sd=0.05).smallest > base


def test_no_error_shows_everything_and_the_words_name_the_assumptions() -> None:
    assert detectable(0.0, 3) == 0.0
    said = planned(1200, 8).sentence
    assert "1,200" in said and "8 training draws" in said and "10%" in said
    assert "one training set" in planned(1200, 1).sentence


@pytest.mark.parametrize(
    "asked", [(1, 3, 0.1, 0.01), (100, 0, 0.1, 0.01), (100, 3, 0.0, 0.01), (100, 3, 0.1, 1.0)]
)
def test_impossible_assumptions_are_refused(asked: tuple[int, int, float, float]) -> None:
    with pytest.raises(BadInput, match="expected at least 2 rows"):
        planned(*asked)
