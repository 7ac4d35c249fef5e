"""Change point: whether columns of numbers keep their level over time, and where the largest change lies.

The statistic of a column is the largest sum of its deviations from the mean up to some moment, over its
standard deviation and the root of the rows: for a column of 0 and 1 the two-sample Kolmogorov-Smirnov
statistic, for ranks the change-point test of Pettitt (Applied Statistics 28, 1979). Its limit for rows that
time does not order is the largest value of a Brownian bridge (Kolmogorov's law), which finite samples and
shared moments stay below: the test is somewhat conservative, and a P can be as small as the data deserve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov
from scipy.stats import rankdata

FEWEST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Changes:
    """A value a column: ``p`` of that column alone, the ``moment`` from which on it differs most, the means
    ``before`` and ``after`` it (NaT and NaN for a column without any spread, whose P is 1)."""

    p: NDArray[np.float64]
    moment: NDArray[np.datetime64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


def changes(columns: NDArray[np.float64], moments: NDArray[np.datetime64]) -> Changes:
    """The largest change of each column of (rows, columns) over time; rows of one moment move together.

    Give ranks (:func:`shares_below`) where a few large values should not decide. Rows are taken to be
    independent: give one row of each cluster of copies.
    """
    rows, width = columns.shape
    found = Changes(
        np.ones(width), np.full(width, np.datetime64("NaT"), moments.dtype), *np.full((2, width), np.nan)
    )
    order = np.argsort(moments, kind="stable")
    sorted_moments = moments[order]
    # A cut lies only between different moments.
    cuts = np.flatnonzero(sorted_moments[1:] != sorted_moments[:-1])
    if rows < FEWEST_ROWS or not len(cuts):
        return found
    for k in range(width):
        values = columns[order, k]
        spread = values.std()
        if spread < 1e-12:
            continue
        total = np.cumsum(values)[cuts]
        deviation = np.abs(total - (cuts + 1) * values.mean())
        best = int(np.argmax(deviation))
        found.p[k] = kolmogorov(deviation[best] / (spread * np.sqrt(rows)))
        found.moment[k] = sorted_moments[cuts[best] + 1]
        found.before[k] = total[best] / (cuts[best] + 1)
        found.after[k] = (values.sum() - total[best]) / (rows - cuts[best] - 1)
    return found


def shares_below(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value as the share of its column below it, ties by half: a difference of two means of such shares
    is the chance that a value of one side exceeds one of the other, less one half."""
    return np.asarray((rankdata(columns, axis=0) - 0.5) / max(1, len(columns)))
