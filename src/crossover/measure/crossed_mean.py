"""Crossed mean: a mean over rows that come up in several draws, not every row in every draw.

The two-way variance of methods of one observation a cell needs a full layout (two_way.py). Where each
draw tests other rows, the same three terms are sums over clusters, over draws and over their cells
(Cameron, Gelbach and Miller, Journal of Business & Economic Statistics 29, 2011): V = V_cluster + V_draw
- V_cell, floored at the larger of the first two. V_cell is taken about the clusters' own means, as the
residual of the two-way form is: about the grand mean it would take off part of the clusters' variance too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.measure.two_way import upper_draw_square


@dataclass(frozen=True)
class CrossedMean:
    """Mean of (draw, row) values, its standard error, and what it rests on.

    ``effective`` is the number of equal clusters that would tell as much, (sum n)² / sum n².
    """

    mean: float
    se: float
    df: float
    values: int
    clusters: int
    draws: int
    effective: float

    @property
    def known(self) -> bool:
        """False where nothing varies, or one cluster is all there is: no interval then exists."""
        return self.se > 0 and self.clusters > 1

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Two-sided t interval; None where nothing varies."""
        if not self.known:
            return None
        half = float(special.stdtrit(self.df, 0.5 + level / 2)) * self.se
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float:
        """Two-sided P of a mean of 0; 1 where nothing varies."""
        if not self.known:
            return 1.0
        return 2 * float(special.stdtr(self.df, -abs(self.mean) / self.se))

    def times(self, factor: float) -> CrossedMean:
        """The mean in other units."""
        return CrossedMean(
            self.mean * factor, self.se * abs(factor), self.df, self.values, self.clusters, self.draws,
            self.effective,
        )  # fmt: skip


def crossed_mean(
    values: NDArray[np.float64], draws: NDArray[np.int64], clusters: NDArray[np.int64]
) -> CrossedMean:
    """Mean of the values with its variance over clusters and draws.

    Args:
        values: (N,) one a (draw, row) that came up.
        draws: (N,) number of the draw.
        clusters: (N,) number of the row's cluster, the same in every draw.

    The variance is that of a ratio, so that clusters of unequal size alone add none. Degrees of freedom
    are Satterthwaite's of the cluster and the draw term, the latter at its 80% upper limit (two_way.py).

    Raises:
        ValueError: no value.
    """
    if not len(values):
        raise ValueError("a mean of no values")
    mean, n = float(values.mean()), len(values)
    rest = values - mean
    sizes = _sums(np.ones(n), clusters)
    held, drawn = _sums(rest, clusters), _sums(rest, draws)
    count, repeats = len(held), len(drawn)
    effective = n**2 / float((sizes**2).sum())
    if count < 2:
        return CrossedMean(mean, 0.0, 1.0, n, count, repeats, effective)
    by_cluster = count / (count - 1) * float((held**2).sum()) / n**2
    if repeats == 1:
        return CrossedMean(mean, by_cluster**0.5, max(effective - 1, 1.0), n, count, 1, effective)
    by_draw = repeats / (repeats - 1) * float((drawn**2).sum()) / n**2
    cells = _cells(rest, _numbered(clusters), _numbered(draws)) / n**2
    variance = max(by_cluster + by_draw - cells, by_cluster, by_draw)
    upper = float(upper_draw_square(np.asarray(by_draw), repeats))
    spread = by_cluster**2 / max(effective - 1, 1.0) + upper**2 / (repeats - 1)
    least = max(min(effective, repeats) - 1, 1.0)
    df = max((by_cluster + upper) ** 2 / spread, least) if spread > 0 else least
    return CrossedMean(mean, variance**0.5, df, n, count, repeats, effective)


def _cells(rest: NDArray[np.float64], clusters: NDArray[np.int64], draws: NDArray[np.int64]) -> float:
    """Sum over cells of their squared sums about the cluster's mean; a cluster met once tells nothing."""
    means = _sums(rest, clusters) / _sums(np.ones(len(rest)), clusters)
    names, number = np.unique(clusters * (int(draws.max()) + 1) + draws, return_inverse=True)
    sums = np.bincount(number, weights=rest - means[clusters])
    owner = names // (int(draws.max()) + 1)
    met = np.bincount(owner)
    return float((sums**2 * np.where(met > 1, met / np.maximum(met - 1, 1), 0.0)[owner]).sum())


def _numbered(names: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _sums(values: NDArray[np.float64], names: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(_numbered(names), weights=values).astype(np.float64)
