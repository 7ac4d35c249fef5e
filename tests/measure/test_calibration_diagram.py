import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve

from crossover.measure.calibration_diagram import reliability_diagram


def test_points_are_scikit_learns():
    generator = np.random.default_rng(0)
    p = generator.random(500)
    outcomes = generator.random(500) < p**2
    diagram = reliability_diagram(p, outcomes, bins=10)
    frequency, mean = calibration_curve(outcomes, p, n_bins=10, strategy="quantile")
    # its bins are cut between two rows by interpolation, ours at a row: one row may differ
    assert [point.frequency for point in diagram.points] == pytest.approx(frequency, abs=0.021)
    assert [point.probability for point in diagram.points] == pytest.approx(mean, abs=0.005)
    assert sum(point.n for point in diagram.points) == 500


def test_bands_are_the_binomial_quantiles_where_a_bin_holds_one_probability():
    p = np.repeat([0.1, 0.5, 0.9], 40)
    diagram = reliability_diagram(p, p > 0.4, bins=3, simulations=9999)
    for point, q in zip(diagram.points, (0.1, 0.5, 0.9), strict=True):
        exact = stats.binom.ppf([0.025, 0.975], 40, q) / 40
        assert (point.band_low, point.band_high) == pytest.approx(tuple(exact), abs=1 / 40 + 1e-9)
        assert point.joint_low <= point.band_low <= q <= point.band_high <= point.joint_high
    assert [point.frequency for point in diagram.points] == [0.0, 1.0, 1.0]
    assert diagram.outside == 2 + (diagram.points[0].band_low > 0)


@pytest.mark.slow
def test_a_calibrated_model_leaves_the_joint_band_five_times_in_a_hundred():
    generator = np.random.default_rng(1)
    left, outside, points = 0, 0, 0
    for study in range(400):
        p = generator.beta(2, 1, 300)
        diagram = reliability_diagram(p, generator.random(300) < p, simulations=299, seed=study)
        left += diagram.jointly_outside > 0
        outside += diagram.outside
        points += len(diagram.points)
    assert 0.02 <= left / 400 <= 0.085
    # counts are discrete: a band of whole rows holds a little more than 95%
    assert 0.015 <= outside / points <= 0.06


def test_an_overconfident_model_is_outside():
    generator = np.random.default_rng(0)
    p = generator.uniform(0.5, 1.0, 2000)
    diagram = reliability_diagram(p, generator.random(2000) < 0.5 + 0.4 * (p - 0.5))
    assert diagram.outside >= 9
    assert 6 <= diagram.jointly_outside <= diagram.outside
    assert diagram.points[-1].frequency < diagram.points[-1].joint_low


def test_confidence_of_exactly_one_is_a_point_and_inside_when_right():
    p = np.concatenate([np.linspace(0.5, 0.95, 60), np.ones(60)])
    outcomes = np.concatenate([np.arange(60) % 4 > 0, np.ones(60, dtype=bool)])
    last = reliability_diagram(p, outcomes, bins=6).points[-1]
    assert (last.n, last.low, last.high, last.frequency) == (60, 1.0, 1.0, 1.0)
    assert last.band_low == last.band_high == last.joint_high == 1.0
    outcomes[-1] = False
    wrong = reliability_diagram(p, outcomes, bins=6)
    assert wrong.points[-1].frequency < wrong.points[-1].joint_low  # a certain model may not be wrong once


def test_the_order_of_rows_changes_nothing():
    generator = np.random.default_rng(0)
    p = np.round(generator.random(200), 2)
    outcomes = generator.random(200) < p
    order = generator.permutation(200)
    assert reliability_diagram(p, outcomes) == reliability_diagram(p[order], outcomes[order])
    assert reliability_diagram(p, outcomes) != reliability_diagram(p, outcomes, seed=1)
