"""Brier score: the squared distance of the probabilities from the gold class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.metric import RowMean


class Brier(RowMean):
    """Mean of sum_k (p_k - [k is gold])^2 over all classes, in [0, 2] (Brier 1950).

    The multi-class sum: with two classes it is twice the score of the positive class alone.
    """

    name = "brier"
    larger_is_better = False
    bounds = (0.0, 2.0)

    def row_values(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) squared distances."""
        target = np.zeros_like(probabilities)
        target[np.arange(len(gold)), gold] = 1.0
        squared: NDArray[np.float64] = ((probabilities - target) ** 2).sum(axis=1)
        return squared
