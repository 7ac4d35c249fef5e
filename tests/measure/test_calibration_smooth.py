import numpy as np
import pytest
from scipy import optimize, stats

from crossover.data.bad_input import BadInput
from crossover.measure.calibration_smooth import smooth_error


def slow(p, outcomes, points=1500):
    """Blasiok and Nakkiran's definition, by quadrature: reflected Gaussian kernels on [0, 1]."""
    t = (np.arange(points) + 0.5) / points

    def error(width):
        kernel = sum(
            stats.norm.pdf(t[:, None], loc=sign * p[None, :] + shift, scale=width)
            for shift in range(-6, 7, 2)
            for sign in (1, -1)
        )
        return np.abs(kernel @ (outcomes - p)).mean() / len(p)

    return optimize.brentq(lambda width: error(width) - width, 1e-3, 1.0, xtol=1e-7)


@pytest.mark.parametrize(
    ("rows", "bend", "seed"), [(60, 1.0, 0), (200, 1.0, 1), (200, 3.0, 2), (150, 0.2, 3), (100, -1.0, 4)]
)
def test_agrees_with_the_definition(rows, bend, seed):
    generator = np.random.default_rng(seed)
    p = generator.beta(0.6, 0.6, rows)
    truth = p**bend / (p**bend + (1 - p) ** bend)
    outcomes = (generator.random(rows) < truth).astype(float)
    assert smooth_error(p, outcomes) == pytest.approx(slow(p, outcomes), rel=4e-3)


def test_hand_worked_constant_probability():
    # residuals all .5 - y at one place: E_s is |mean residual| for every width
    p, outcomes = np.full(10, 0.5), np.array([1.0] * 7 + [0.0] * 3)
    assert smooth_error(p, outcomes) == pytest.approx(0.2, rel=1e-3)


def test_no_residual_no_error_and_all_wrong_is_one():
    p = np.repeat([0.0, 1.0], 10)
    assert smooth_error(p, p) == 0.0
    assert smooth_error(p, 1.0 - p) == pytest.approx(_all_wrong(), rel=1e-3)


def _all_wrong():
    """Residuals +1/2 at 0 and -1/2 at 1: E_s = s by the kernels' overlap."""
    return slow(np.repeat([0.0, 1.0], 10), np.repeat([1.0, 0.0], 10))


def test_sets_are_each_judged_on_their_own_width():
    generator = np.random.default_rng(0)
    p = generator.random(300)
    sets = (generator.random((300, 4)) < np.stack([p, p**2, p**0.5, 1 - p], axis=1)).astype(float)
    together = smooth_error(p, sets)
    assert together == pytest.approx([float(smooth_error(p, sets[:, s])) for s in range(4)], rel=1e-6)
    assert together[0] < together[1] < together[3]


def test_falls_as_rows_of_a_calibrated_model_grow():
    generator = np.random.default_rng(0)
    found = []
    for rows in (100, 1000, 10_000, 100_000):
        p = generator.random(rows)
        found.append(float(smooth_error(p, (generator.random(rows) < p).astype(float))))
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.01


def test_refuses_what_is_no_probability():
    with pytest.raises(BadInput, match=r"row 1: -0\.1"):
        smooth_error(np.array([0.1, -0.1, 0.3]), np.array([0.0, 1.0, 0.0]))
