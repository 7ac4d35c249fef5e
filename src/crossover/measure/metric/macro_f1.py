"""Macro-F1: the mean F1 of the classes, each counting alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.confusion import ClassCounts, CountMetric, mean_over_gold_classes, ratio


class MacroF1(CountMetric):
    """Unweighted mean of 2TP/(2TP + FP + FN) over the classes that occur in gold, in [0, 1].

    A class of gold that is never predicted (absent from training, say) counts with F1 0. A class
    that no gold row has is left out, predicted or not: rows wrongly given to it already cost their
    own class its recall, and a mean over it would depend on the list of classes asked for. This is
    scikit-learn's ``f1_score(average="macro", labels=<classes in gold>, zero_division=0)``.
    """

    name = "macro_f1"
    larger_is_better = True
    bounds = (0.0, 1.0)
    mean_of = "f1"

    def of_counts(self, counts: ClassCounts) -> NDArray[np.float64]:
        """(...) values, nan without rows."""
        f1 = ratio(2.0 * counts.hits, counts.gold + counts.predicted)
        return mean_over_gold_classes(f1, counts.gold)
