"""Matthews correlation coefficient for any number of classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.confusion import ClassCounts, CountMetric, ratio


class Mcc(CountMetric):
    """Correlation of gold and predicted class (Gorodkin's R_K, 2004), in [-1, 1].

    Undefined where gold holds one class only. 0 where every row is predicted alike, as
    scikit-learn has it. With over two classes the least value reachable is above -1.
    """

    name = "mcc"
    larger_is_better = True
    bounds = (-1.0, 1.0)

    def of_counts(self, counts: ClassCounts) -> NDArray[np.float64]:
        """(...) values, nan where gold holds fewer than two classes."""
        rows = counts.gold.sum(axis=-1)
        covariance = counts.hits.sum(axis=-1) * rows - (counts.gold * counts.predicted).sum(axis=-1)
        gold_spread = rows**2 - (counts.gold**2).sum(axis=-1)
        predicted_spread = rows**2 - (counts.predicted**2).sum(axis=-1)
        value = ratio(covariance, np.sqrt(gold_spread * predicted_spread))
        return np.where(gold_spread > 0, np.clip(value, -1.0, 1.0), np.nan)
