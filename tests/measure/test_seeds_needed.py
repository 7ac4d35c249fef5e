"""Seeds needed: equal to an oracle, and kept by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from crossover.data.bad_input import BadInput
from crossover.measure.seeds_needed import MOST, power, runs_needed


@pytest.mark.parametrize("effect", [0.1, 0.3, 1.0, 2.5])
def test_it_is_the_least_number_that_statsmodels_finds(effect: float) -> None:
    two, one = (
        TTestIndPower().solve_power(effect, power=0.8, alpha=0.05),
        TTestPower().solve_power(effect, power=0.8, alpha=0.05),
    )
    assert runs_needed(effect, 1.0) == max(2, int(np.ceil(two)))
    assert runs_needed(effect, 1.0, paired=True) == max(2, int(np.ceil(one)))


def test_the_power_is_what_a_simulation_finds() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.0, 1, (4000, 9)), rng.normal(1.2, 1, (4000, 9))
    assert np.mean(stats.ttest_ind(a, b, axis=1).pvalue <= 0.05) == pytest.approx(
        power(9, 1.2, 1.0), abs=0.025
    )


@settings(max_examples=40)
@given(st.floats(0.02, 20), st.booleans())
def test_one_run_fewer_does_not_suffice(effect: float, paired: bool) -> None:
    runs = runs_needed(effect, 1.0, paired)
    if runs is None:
        assert power(MOST, effect, 1.0, paired) < 0.8
    else:
        assert power(runs, effect, 1.0, paired) >= 0.8
        assert runs == 2 or power(runs - 1, effect, 1.0, paired) < 0.8


def test_only_the_ratio_counts_and_too_small_a_difference_has_no_plan() -> None:
    assert runs_needed(0.01, 0.02) == runs_needed(1.0, 2.0)
    assert runs_needed(1e-4, 1.0) is None
    assert runs_needed(1e6, 1.0) == 2


@pytest.mark.parametrize(("difference", "sd"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (float("nan"), 1.0)])
def test_nonsense_is_refused(difference: float, sd: float) -> None:
    with pytest.raises(BadInput, match="above 0"):
        runs_needed(difference, sd)
