"""Learning slope: how the error changes from half the rows to all of them, paired by draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossover.measure.paired import Equivalence
from crossover.measure.simultaneous import Bounded, bounds_of, equivalent_to_zero
from crossover.measure.two_way import PairedMean, paired_mean


@dataclass(frozen=True)
class Slope:
    """E(n) - E(n/2): ``change`` with its bounds (below 0: more rows help) and its equivalence to 0.

    A change that is not shown is not "no change": ``flat`` is the equivalence test's answer.
    """

    change: Bounded
    same: Equivalence
    mean: PairedMean

    @property
    def falls(self) -> bool:
        """The upper bound lies below 0."""
        return self.change.high < 0.0

    @property
    def flat(self) -> bool:
        """Equivalent to 0 within the margin."""
        return self.same.equivalent


def slope(
    half: NDArray[np.float64],
    whole: NDArray[np.float64],
    level: float,
    margin: float,
    overlap: float = 0.0,
    clusters: NDArray[np.int64] | None = None,
) -> Slope:
    """Slope from (R draws, m rows) errors at n/2 and at n, the same draws and rows in both.

    Two-way variance of the paired differences (methods.md 1), ``overlap`` being f of the larger size.
    The equivalence test (Schuirmann 1987) has one-sided alpha 1 - ``level``.

    Raises:
        BadInput: values not finite, fewer than two rows, no margin.
    """
    mean = paired_mean(np.asarray(whole, np.float64) - np.asarray(half, np.float64), overlap, clusters)
    return Slope(bounds_of(mean, level, True), equivalent_to_zero(mean, margin, 1 - level), mean)
