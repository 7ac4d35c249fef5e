"""Calibrated, 200 rows, 15 bins: the plain calibration error is clearly above 0, the debiased about 0.

Kumar, Liang and Ma (2019), section 5, and Broecker (2012): the error of the plain estimator is what
200 rows in 15 bins cannot tell, not what the model gets wrong.
"""

import numpy as np
import pytest

from crossover.measure.calibration import measure_calibration
from crossover.measure.calibration_error import debiased_square, equal_mass_error

ROWS, BINS, SETS = 200, 15, 4000


@pytest.mark.parametrize("shape", [(1.0, 1.0), (5.0, 1.0), (0.3, 0.3)])
def test_plain_error_of_a_calibrated_model_is_clearly_above_0_and_the_debiased_about_0(shape):
    generator = np.random.default_rng(0)
    p = generator.beta(*shape, ROWS)
    outcomes = generator.random((ROWS, SETS)) < p[:, None]

    plain = equal_mass_error(p, outcomes, BINS)
    assert plain.mean() > 0.04
    assert (plain > 0.01).all()

    square = debiased_square(p, outcomes, BINS)
    error = square.std() / np.sqrt(SETS)
    assert abs(square.mean()) < 3.5 * error
    # a bias of a tenth of the plain square would have been seen
    plain_square = (plain**2).mean()
    assert 10 * 3.5 * error < plain_square or error < 1e-4
    # about as often below 0 as above
    assert 0.3 < (square > 0.0).mean() < 0.6


def test_the_same_by_the_measure_of_a_run():
    generator = np.random.default_rng(1)
    raw = generator.normal(size=(ROWS, 3))
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    gold = (generator.random(ROWS)[:, None] >= p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    scores = measure_calibration(p, gold, bins=BINS).scores
    plain, root = scores["top_label_ece"], scores["top_label_l2"]
    assert plain.score.value > 0.05
    assert plain.score.value < plain.null_high  # which is just what calibration would show
    assert plain.p_value > 0.05
    assert abs(root.debiased_square) < 0.01
    assert root.score.low is None
