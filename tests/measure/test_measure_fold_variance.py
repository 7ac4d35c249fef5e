"""Fold variance: components by hand, limits that cover, verdicts that follow the limits, Nadeau-Bengio."""

import math

import numpy as np
import pytest
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.measure.fold_variance import (
    FoldSpread,
    against_target,
    fold_spread,
    nadeau_bengio,
    sd_factors,
)


def simulated(rng, k, seeds, m, fold_sd, seed_sd):
    """Errors whose SD over fresh training sets and seeds is sqrt((k - 1) fold_sd² + seed_sd²)."""
    rows = 0.25 * rng.standard_normal(m) + 0.08 * rng.standard_normal((k, 1, m))
    chance = 0.08 * rng.standard_normal((k, seeds, m))
    models = fold_sd * rng.standard_normal((k, 1, 1)) + seed_sd * rng.standard_normal((k, seeds, 1))
    return 0.1 + models + rows + chance


def test_components_of_a_layout_worked_by_hand() -> None:
    # Folds differ by whole constants, rows too, nothing else: folds' means 0, 1, 2, 3, 4.
    errors = np.arange(5.0)[:, None, None] + np.array([0.0, 2.0])[None, None, :]
    spread = fold_spread(errors)
    assert spread.training == pytest.approx(np.var(np.arange(5), ddof=1))  # 2.5, no noise to take off
    assert spread.sd == pytest.approx(math.sqrt(4 * 2.5))
    assert (spread.error, spread.noise_sd, spread.seed) == (3.0, 0.0, None)
    assert spread.raw_sd == pytest.approx(math.sqrt(2.5))


def test_the_seed_is_told_apart_from_the_training_rows() -> None:
    # Seeds differ by ±1 in every fold, folds not at all: everything is the seed's.
    errors = np.zeros((5, 2, 4)) + np.array([1.0, -1.0])[None, :, None] + np.arange(4.0)
    spread = fold_spread(errors)
    assert spread.seed == pytest.approx(2.0)
    assert spread.training == pytest.approx(-1.0), "the folds' means vary less than the seeds would make them"
    assert spread.sd == 0.0


def test_what_the_scored_rows_make_of_chance_is_taken_off() -> None:
    rng = np.random.default_rng(0)
    found = [fold_spread(simulated(rng, 10, 1, 300, 0.0, 0.0)) for _ in range(200)]
    assert np.mean([s.raw_sd for s in found]) > 0.004, "the folds' means do differ"
    assert abs(np.mean([s.training for s in found])) < 3e-6 < np.mean([s.noise_sd**2 for s in found])


@pytest.mark.parametrize(("k", "seeds"), [(5, 2), (10, 1), (10, 2)])
@pytest.mark.parametrize(("fold_sd", "seed_sd"), [(0.004, 0.0), (0.003, 0.006), (0.0, 0.01)])
def test_the_limits_of_the_sd_hold_the_true_one(k: int, seeds: int, fold_sd: float, seed_sd: float) -> None:
    rng = np.random.default_rng(k + seeds)
    truth = math.sqrt((k - 1) * fold_sd**2 + seed_sd**2)
    found = [fold_spread(simulated(rng, k, seeds, 200, fold_sd, seed_sd)) for _ in range(300)]
    above = sum(s.low > truth for s in found)
    below = sum(s.high < truth for s in found)
    # 2.5% on either side, binomial 99.9% limit of 300
    assert above <= stats.binom.ppf(0.999, 300, 0.025) and below <= stats.binom.ppf(0.999, 300, 0.025)
    if seeds == 2:
        estimates = np.array([(k - 1) * s.training + s.seed for s in found])
        assert abs(estimates.mean() - truth**2) < 4 * estimates.std() / math.sqrt(300), "unbiased"


def test_the_interval_of_the_error_is_over_fresh_rows_given_the_models() -> None:
    rng = np.random.default_rng(3)
    held = []
    for _ in range(400):
        models = 0.05 * rng.standard_normal((10, 2, 1))
        spread = fold_spread(simulated(rng, 10, 2, 300, 0.0, 0.0) + models)
        held.append(spread.error_low <= 0.1 + models.mean() <= spread.error_high)
    assert 0.92 < np.mean(held) < 0.985


def test_a_learner_on_which_a_few_rows_act_like_a_new_training_set_is_held_too() -> None:
    """Fold models as far apart as independent ones: the scaled estimate is too large, the limits are not."""
    rng = np.random.default_rng(4)
    found = [fold_spread(simulated(rng, 10, 2, 300, 0.02, 0.0)) for _ in range(200)]
    assert np.mean([s.sd for s in found]) > 0.05
    assert np.mean([s.low <= 0.02 <= s.high for s in found]) > 0.93


def test_the_upper_limit_never_falls_below_the_noise_that_hides_it() -> None:
    rng = np.random.default_rng(1)
    flat = 0.08 * rng.standard_normal((10, 1, 200))
    flat -= flat.mean(axis=2, keepdims=True)  # folds' means exactly equal, rows not
    spread = fold_spread(flat)
    assert spread.raw_sd == pytest.approx(0.0, abs=1e-12) and spread.sd == 0.0
    assert spread.high == pytest.approx(3 * spread.noise_sd) and spread.high > 0.01


def test_folds_that_did_not_finish_do_not_change_how_much_the_rest_overlap() -> None:
    errors = simulated(np.random.default_rng(2), 10, 1, 300, 0.03, 0.0)
    whole, some = fold_spread(errors), fold_spread(errors[:6], partition=10)
    assert some.degrees == 5 and some.partition == 10
    assert some.sd == pytest.approx(math.sqrt(9 * some.training))
    assert some.sd / whole.sd == pytest.approx(1, abs=0.8)


def test_below_five_folds_the_sd_has_no_limits_and_no_verdict() -> None:
    spread = fold_spread(np.random.default_rng(0).random((4, 2, 50)))
    assert (spread.low, spread.high) == (None, None)
    assert against_target(spread, 0.1) == "insufficient"
    one = fold_spread(np.random.default_rng(0).random((1, 2, 50)), partition=5)
    assert one.low is None and math.isfinite(one.error_low)


def test_rows_of_a_cluster_count_once() -> None:
    errors = np.repeat(simulated(np.random.default_rng(5), 6, 1, 60, 0.002, 0.0), 4, axis=2)
    clusters = np.repeat(np.arange(60), 4)
    told, copied, plain = fold_spread(errors, clusters), fold_spread(errors), fold_spread(errors[:, :, ::4])
    assert told.units == 60 and told.noise_sd == pytest.approx(plain.noise_sd)
    assert copied.noise_sd < 0.6 * told.noise_sd


def test_values_that_are_not_finite_are_refused() -> None:
    errors = np.zeros((5, 1, 4))
    errors[2, 0, 1] = np.nan
    with pytest.raises(BadInput, match="finite"):
        fold_spread(errors)


def made(error: float, half: float, low: float, high: float) -> FoldSpread:
    return FoldSpread(
        error, error - half, error + half, (low + high) / 2, low, high, 0, 0, 0, 0, 10, 10, 2, 99
    )


def test_the_answer_follows_the_limits() -> None:
    assert against_target(made(0.10, 0.01, 0.001, 0.02), 0.05) == "variance_does_not_matter"
    assert against_target(made(0.10, 0.01, 0.001, 0.05), 0.05) == "not_resolved"
    assert against_target(made(0.10, 0.01, 0.07, 0.20), 0.05) == "variance_matters"
    assert against_target(made(0.10, 0.01, 0.055, 0.20), 0.05) == "not_resolved"
    assert against_target(made(0.03, 0.01, 0.07, 0.20), 0.05) == "target_met"
    assert against_target(made(0.10, 0.01, 0.001, 0.02), 0.09) == "not_resolved", (
        "the error may be at the target"
    )


def test_nadeau_and_bengio_by_hand() -> None:
    found = nadeau_bengio([0.1, 0.2, 0.3], 10, 20)
    assert found is not None
    se = 0.1 * math.sqrt(1 / 3 + 1 / 2)
    assert found.mean == pytest.approx(0.2) and found.se == pytest.approx(se)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 2) * se)
    assert found.plain_high - found.mean == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3))
    assert nadeau_bengio([0.1], 10, 20) is None


def test_the_factors_are_those_of_the_chi_square() -> None:
    assert sd_factors(4) == pytest.approx((0.60, 2.87), abs=0.01)
    assert sd_factors(9) == pytest.approx((0.69, 1.83), abs=0.01)
