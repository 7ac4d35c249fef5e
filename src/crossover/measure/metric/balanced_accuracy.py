"""Balanced accuracy: the mean recall of the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.confusion import ClassCounts, CountMetric, mean_over_gold_classes, ratio


class BalancedAccuracy(CountMetric):
    """Unweighted mean recall over the classes that occur in gold, in [0, 1]; not rescaled for chance."""

    name = "balanced_accuracy"
    larger_is_better = True
    bounds = (0.0, 1.0)
    mean_of = "recall"

    def of_counts(self, counts: ClassCounts) -> NDArray[np.float64]:
        """(...) values, nan without rows."""
        return mean_over_gold_classes(ratio(counts.hits, counts.gold), counts.gold)
