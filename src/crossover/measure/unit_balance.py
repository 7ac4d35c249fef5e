"""Unit balance: were whole units (rows, or clusters of rows) dealt to train and test by chance alone?

The rows of a cluster stand together: where a split deals clusters whole, a chi-square test of rows counts
each copy as new evidence and alarms far too often. Here the covariance is that of dealing units, known
exactly once the data are (a score test; the finite-population form of Cochran, Sampling Techniques, 1977,
ch. 9), so it holds for rows and for clusters of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

FEWEST_EXPECTED = 5.0
"""Levels expected less often than this in test are told of together, as in any chi-square test."""


@dataclass(frozen=True)
class Balance:
    """P that dealing units at random gives means at least so far apart, and its degrees of freedom."""

    p: float
    degrees: int


def unit_balance(
    values: NDArray[np.float64], in_test: NDArray[np.bool_], units: NDArray[np.int64]
) -> Balance:
    """Test that the means of ``values`` are the same in both parts.

    Args:
        values: (rows, columns) numbers, or one column of indicators a level.
        in_test: (rows,) which rows are test rows; the others are training rows.
        units: (rows,) number of the unit that was dealt whole.

    With no spread at all, or one unit, P is 1 on 0 degrees of freedom.
    """
    centred = values - values.mean(axis=0)
    _, number = np.unique(units, return_inverse=True)
    count = int(number.max()) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, number, centred)
    share = float(in_test.mean())
    if count < 2 or not 0 < share < 1:
        return Balance(1.0, 0)
    covariance = share * (1 - share) * (sums.T @ sums) * count / (count - 1)
    scale, axes = np.linalg.eigh(covariance)
    kept = scale > 1e-9 * max(float(scale.max()), 1e-300)
    degrees = int(kept.sum()) if scale.max() > 0 else 0
    if not degrees:
        return Balance(1.0, 0)
    moved = centred[in_test].sum(axis=0) @ axes[:, kept]
    return Balance(float(special.chdtrc(degrees, float((moved**2 / scale[kept]).sum()))), degrees)


def levels(names: list[str], share: float) -> tuple[list[str], NDArray[np.float64]]:
    """Levels and (rows, levels) indicators; those rarer than :data:`FEWEST_EXPECTED` in test are one level.

    ``share`` is that of the test rows among these.
    """
    found, number, counts = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True,
                                      return_counts=True)  # fmt: skip
    rare = counts * share < FEWEST_EXPECTED
    kept = [str(name) for name, few in zip(found, rare, strict=True) if not few]
    place = np.full(len(found), len(kept))
    place[~rare] = np.arange(len(kept))
    shown = kept + (["(rare values)"] if rare.any() else [])
    table = np.zeros((len(names), len(shown)))
    table[np.arange(len(names)), place[number]] = 1.0
    return shown, table
