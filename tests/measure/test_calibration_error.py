import itertools

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from crossover.measure.calibration_error import debiased_square, equal_mass_error, sweep_error


def drawn(rows=400, sharpness=1.0, seed=0):
    generator = np.random.default_rng(seed)
    p = generator.random(rows)
    truth = p**sharpness / (p**sharpness + (1 - p) ** sharpness)
    return p, (generator.random(rows) < truth).astype(float)


def test_hand_worked():
    p = np.array([0.1, 0.2, 0.3, 0.6, 0.8, 1.0])
    outcomes = np.array([0, 1, 0, 1, 1, 1])
    # bins (.1 .2 .3) with 1 of 3, mean .2; (.6 .8 1.) with 3 of 3, mean .8
    assert equal_mass_error(p, outcomes, 2) == pytest.approx(0.5 * (1 / 3 - 0.2) + 0.5 * 0.2)
    first = (-0.1 * 0.8 + -0.1 * -0.3 + 0.8 * -0.3) / 3
    second = (0.4 * 0.2 + 0.0 + 0.0) / 3
    assert debiased_square(p, outcomes, 2) == pytest.approx(0.5 * first + 0.5 * second)
    # the sweep: 1 bin, then 2 which ascend; 3 would have one row or two a bin and are joined again
    assert sweep_error(p, outcomes) == pytest.approx(equal_mass_error(p, outcomes, 2))


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_agrees_with_scikit_learns_curve(bins):
    p, outcomes = drawn(450, 1.5)
    frequency, mean = calibration_curve(outcomes, p, n_bins=bins, strategy="quantile")
    assert equal_mass_error(p, outcomes, bins) == pytest.approx(np.abs(frequency - mean).mean(), abs=2e-3)


def test_the_debiased_square_is_kumars_where_a_bin_holds_one_probability():
    generator = np.random.default_rng(2)
    values = np.array([0.1, 0.35, 0.7, 0.9])
    p = np.repeat(values, 50)
    outcomes = (generator.random(200) < p * 0.8).astype(float)
    f = outcomes.reshape(4, 50).mean(axis=1)
    kumar = (((f - values) ** 2 - f * (1 - f) / 49) / 4).sum()
    assert debiased_square(p, outcomes, 4) == pytest.approx(kumar)


@pytest.mark.parametrize("sharpness", [1.0, 2.0, 0.4])
def test_the_debiased_square_has_no_bias(sharpness):
    generator = np.random.default_rng(1)
    p = np.repeat(np.linspace(0.02, 0.98, 20), 15)
    truth = p**sharpness / (p**sharpness + (1 - p) ** sharpness)
    sets = generator.random((300, 20_000)) < truth[:, None]
    found = debiased_square(p, sets, 20)
    error = found.std() / np.sqrt(20_000)
    assert found.mean() == pytest.approx(((truth - p) ** 2).mean(), abs=3.5 * error)


def test_the_sweep_stops_at_the_last_ascending_number_of_bins():
    p, outcomes = drawn(300, seed=5)
    order = np.argsort(p)
    number = 1
    while True:
        edges = 300 * np.arange(number + 2) // (number + 1)
        shares = [outcomes[order][a:b].mean() for a, b in itertools.pairwise(edges)]
        if np.any(np.diff(shares) < 0):
            break
        number += 1
    assert number > 2
    assert sweep_error(p, outcomes) == pytest.approx(equal_mass_error(p, outcomes, number))


def test_sets_of_outcomes_are_each_swept_on_their_own():
    p, _ = drawn()
    sets = (np.random.default_rng(0).random((400, 5)) < p[:, None]).astype(float)
    assert sweep_error(p, sets) == pytest.approx([float(sweep_error(p, sets[:, s])) for s in range(5)])


@pytest.mark.parametrize("error", [equal_mass_error, sweep_error])
def test_a_model_that_is_off_by_a_tenth_everywhere_has_an_error_of_a_tenth(error):
    generator = np.random.default_rng(0)
    p = generator.uniform(0.15, 0.95, 200_000)
    outcomes = generator.random(200_000) < p - 0.1
    assert error(p, outcomes) == pytest.approx(0.1, abs=0.005)
    assert np.sqrt(debiased_square(p, outcomes)) == pytest.approx(0.1, abs=0.005)


def test_certain_and_right_is_no_error():
    p, outcomes = np.repeat([0.0, 1.0], 20), np.repeat([0.0, 1.0], 20)
    assert equal_mass_error(p, outcomes) == 0.0
    assert debiased_square(p, outcomes) == 0.0
    assert sweep_error(p, outcomes) == 0.0
    wrong = outcomes.copy()
    wrong[-5:] = 0  # a quarter of the rows of confidence 1 are wrong, and none of them is lost
    assert equal_mass_error(p, wrong) == pytest.approx(0.5 * 0.25)
