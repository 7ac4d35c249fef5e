"""Accuracy: the share of rows whose most probable class is the gold one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.confusion import predicted_classes
from crossover.measure.metric.metric import RowMean


class Accuracy(RowMean):
    """Share of rows classified correctly, in [0, 1]."""

    name = "accuracy"
    larger_is_better = True
    bounds = (0.0, 1.0)
    is_proportion = True

    def row_values(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) 1 where the predicted class is the gold one, else 0."""
        hit: NDArray[np.float64] = (predicted_classes(probabilities) == gold).astype(np.float64)
        return hit
