"""Two-sample test by classifier: can a model tell two parts of a corpus apart on rows it was not fitted on?

Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017, with two halves of the clusters, each
scored by the model fitted on the other. The statistic is the area under the ROC curve within each half; its
null variance sums over clusters, so that rows that were dealt together count together. The two halves' areas
rest on the same pairs of rows, fitted one way and scored the other: they may agree perfectly, and the
variance of their sum is taken at that bound (Cauchy and Schwarz), not as if they were independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats


@dataclass(frozen=True)
class Half:
    """Held-out rows of one half: (n,) scores of being in the second part, whether they are, and clusters."""

    scores: NDArray[np.float64]
    second: NDArray[np.bool_]
    clusters: NDArray[np.int64]


@dataclass(frozen=True)
class TwoSample:
    """Mean area under the curve (.5: cannot tell), its standard error, and the one-sided P of .5 or less."""

    area: float
    se: float
    p: float
    rows: int
    clusters: int


def two_sample(halves: Sequence[Half]) -> TwoSample | None:
    """The test over halves that share no cluster; None where a half lacks one of the parts.

    P is t's on the clusters less one.
    """
    areas, variances, clusters = [], [], 0
    for half in halves:
        share = float(half.second.mean())
        if not 0 < share < 1:
            return None
        ranks = stats.rankdata(half.scores) / len(half.scores)
        lean = (half.second - share) * (ranks - ranks.mean()) / (share * (1 - share) * len(ranks))
        _, number = np.unique(half.clusters, return_inverse=True)
        sums = np.bincount(number, weights=lean)
        areas.append(0.5 + float(sums.sum()))
        variances.append(float((sums**2).sum()))
        clusters += len(sums)
    area = float(np.mean(areas))
    se = (len(halves) * sum(variances)) ** 0.5 / len(halves)
    p = float(special.stdtr(max(clusters - 1, 1), (0.5 - area) / se)) if se > 0 else 1.0
    return TwoSample(area, se, p, sum(len(half.scores) for half in halves), clusters)
