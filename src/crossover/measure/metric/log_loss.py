"""Log loss: minus the natural logarithm of the probability given to the gold class."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.metric import RowMean

LEAST = float(np.finfo(np.float64).eps)
"""Probabilities below 2.2e-16 count as this (scikit-learn's clip), so that a class absent from
training, whose probability is 0, costs 36.04 nats a row and not infinity."""


class LogLoss(RowMean):
    """Mean of -ln p(gold), in nats; gold probabilities are clipped from below at :data:`LEAST`."""

    name = "log_loss"
    larger_is_better = False
    bounds = (0.0, -math.log(LEAST))

    def row_values(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) losses in nats."""
        # clipped at 1 too: a row that sums to 1 within rounding may hold 1 + 2e-16
        given = np.clip(probabilities[np.arange(len(gold)), gold], LEAST, 1.0)
        return np.abs(np.log(given))
