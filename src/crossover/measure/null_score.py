"""Null runs: does a model that cannot know anything score above the prior predictor?

A run whose training labels were permuted, or whose every text is the same, has nothing to learn from.
Scored on true labels it must not beat the prior predictor, which gives every row the class shares. The
shares are those of the scored rows, the best constant there is: shares of a few training rows are so poor
that a model which merely hesitates beats them. Two scores are read: accuracy, where the prior predictor is
the majority rule, and log loss, where it is the shares themselves; without information no predictor beats it
in expectation. Macro-F1 and balanced accuracy are not read: there a coin beats the majority rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crossover.measure.metric.accuracy import Accuracy
from crossover.measure.metric.log_loss import LogLoss
from crossover.measure.simultaneous import Bounded, over_rows

SCORES = ("accuracy", "log_loss")
"""The scores that :func:`lift` knows."""


def lift(
    score: str,
    gold: NDArray[np.int64],
    probabilities: Sequence[NDArray[np.float64]],
    level: float,
    clusters: NDArray[np.int64] | None = None,
) -> Bounded:
    """Mean lead of R null runs over the prior predictor on the same m rows, larger is better.

    A constant prediction leads by 0 at most, whatever the rows.

    Args:
        score: ``accuracy`` or ``log_loss`` (nats saved).
        gold: (m,) true class numbers.
        probabilities: R arrays (m, K) of the null runs.
        level: of each one-sided bound.
        clusters: (m,) cluster of each row, or None.
    """
    metric, sign = (Accuracy(), 1.0) if score == "accuracy" else (LogLoss(), -1.0)
    shares = np.bincount(gold, minlength=probabilities[0].shape[1]) / len(gold)
    prior = metric.row_values(gold, np.tile(shares, (len(gold), 1)))
    leads = [sign * (metric.row_values(gold, own) - prior) for own in probabilities]
    return over_rows(np.array(leads), level, 0.0, clusters, signed=True)


def permutation_p(real: float, nulls: Sequence[float] | NDArray[np.float64]) -> float:
    """P that a null score is at least the real one: (1 + b)/(1 + B), never 0 (Phipson and Smyth 2010).

    Scores that differ by rounding only are ties, and count against the real one.
    """
    found = np.asarray(nulls, np.float64)
    return float((1 + int((found >= real - 1e-12).sum())) / (1 + len(found)))
