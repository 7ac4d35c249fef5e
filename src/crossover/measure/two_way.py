"""Two-way mean of paired differences: training draws crossed with test rows (methods.md 1).

The difference of two arms on draw r and test row i is d_ri = mu + draw_r + row_i + residual_ri, with
both draws and rows sampled. The variance of the grand mean follows from the mean squares of the
crossed layout with one observation a cell (Searle, Casella and McCulloch, Variance Components,
1992, ch. 4), its degrees of freedom from Satterthwaite (Biometrics Bulletin 2, 1946). Draws that
share training rows of one pool add a term for what they share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from crossover.data.bad_input import BadInput

Floats = NDArray[np.float64]

#: Confidence of the upper limit that stands for the draw variance where few draws know it poorly.
DRAW_CONFIDENCE = 0.80


@dataclass(frozen=True)
class PairedMean:
    """Mean over ``draws`` x ``rows`` of paired differences, its variance and degrees of freedom.

    ``rows`` counts the units of the row factor: rows, or clusters of rows where grouped. ``overlap``
    is f, the share of the pool one draw uses, 0 where draws are disjoint. ``draw_sd`` is the observed
    standard deviation of the draws' means, sqrt(MSA / rows), NaN with a single draw.
    ``components`` holds the mean squares MSA (draw), MSB (row) and MSE (residual), and the terms of the
    variance: V0 (two-way), overlap, and row (the part of V0 that no further draw reduces). With one draw
    MSA and MSE do not exist and are left out: the variance is that of the rows alone.
    """

    mean: float
    variance: float
    df: float
    draws: int
    rows: int
    overlap: float
    draw_sd: float
    components: Mapping[str, float]

    @property
    def has_draw_variance(self) -> bool:
        """False with a single draw: the interval then ignores how another draw would have come out."""
        return self.draws > 1

    @property
    def se(self) -> float:
        """Standard error of the mean."""
        return float(np.sqrt(self.variance))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided t interval of coverage ``level``."""
        return self.one_sided(0.5 + level / 2)

    def one_sided(self, level: float) -> tuple[float, float]:
        """The lower and the upper t bound, each one-sided at ``level``."""
        half = float(special.stdtrit(self.df, level)) * self.se
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Layout:
    """Size of the crossed layout: R draws by m row units."""

    draws: int
    rows: int


def paired_mean(d: Floats, overlap: float = 0.0, clusters: NDArray[np.int64] | None = None) -> PairedMean:
    """Mean of paired differences over draws and rows, with its two-way variance.

    Args:
        d: (R draws, m rows) score of one arm minus the other on each test row; jackknife
            pseudo-value differences for metrics that are no mean over rows.
        overlap: f = n / pool size where draws are taken from one pool, 0 where they are disjoint.
        clusters: (m,) integer cluster of each row; clusters replace rows as units.

    Raises:
        BadInput: wrong shape, values that are not finite, fewer than 2 units, f outside [0, 1).
    """
    units = unit_values(d, clusters)
    check_overlap(overlap)
    effects = effects_of(units)
    return mean_of(float(units.mean()), mean_squares(effects, effects), overlap, Layout(*units.shape))


def mean_of(
    mean: float, squares: tuple[ArrayLike, ArrayLike, ArrayLike], overlap: float, layout: Layout
) -> PairedMean:
    """The PairedMean of known mean squares (MSA, MSB, MSE); MSA and MSE are not read with one draw."""
    msa, msb, mse = (float(np.asarray(square)) for square in squares)
    variance, df = variance_and_df(msa, msb, mse, overlap, layout)
    row_term = max(0.0, msb - mse) / (layout.draws * layout.rows)
    if layout.draws == 1:
        parts = {"MSB": msb, "V0": float(variance), "overlap": 0.0, "row": float(variance)}
        return PairedMean(mean, float(variance), float(df), 1, layout.rows, overlap, float("nan"), parts)
    shared = msa / layout.rows * overlap / (1 - overlap)
    parts = {"MSA": msa, "MSB": msb, "MSE": mse, "V0": float(variance) - shared, "overlap": shared}
    parts["row"] = row_term
    draw_sd = float(np.sqrt(msa / layout.rows))
    return PairedMean(mean, float(variance), float(df), layout.draws, layout.rows, overlap, draw_sd, parts)


def unit_values(d: Floats, clusters: NDArray[np.int64] | None = None) -> Floats:
    """(R, units) values whose grand mean is that of ``d``: ``d`` itself, or one value a cluster.

    A cluster g of k_g rows gets mean + (sum of its rows - k_g * mean) * units / m: the linearised
    ratio of cluster sums to cluster sizes, so that unequal sizes alone add no variance.
    """
    values = np.asarray(d, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] < 1:
        raise BadInput(f"differences of shape {values.shape}: expected (draws, rows)")
    if not np.isfinite(values).all():
        draw, row = np.argwhere(~np.isfinite(values))[0]
        raise BadInput(
            f"the difference of draw {draw}, row {row} is {values[draw, row]}: every draw needs a finite "
            "score on every row; leave out draws that ran for one arm only"
        )
    if clusters is not None:
        values = _cluster_values(values, np.asarray(clusters))
    if values.shape[1] < 2:
        raise BadInput(
            f"{values.shape[1]} test row or cluster: a standard error needs at least 2; bring more test rows"
        )
    return values


def _cluster_values(values: Floats, clusters: NDArray[np.int64]) -> Floats:
    rows = values.shape[1]
    if clusters.shape != (rows,):
        raise BadInput(f"clusters of shape {clusters.shape} for {rows} rows: expected one cluster a row")
    order = np.argsort(clusters, kind="stable")
    _, starts, counts = np.unique(clusters[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(values[:, order], starts, axis=1)
    mean = values.mean()
    return np.asarray(mean + (sums - counts * mean) * (len(counts) / rows), dtype=np.float64)


def check_overlap(overlap: float) -> None:
    """Refuse an overlap fraction outside [0, 1).

    Raises:
        BadInput: f = 1 (every draw is the whole pool) or f outside [0, 1].
    """
    if overlap == 1:
        raise BadInput(
            "overlap f = 1: every draw is the whole pool, so no draw variance exists; "
            "use smaller training sizes, or split the corpus afresh for each draw"
        )
    if not 0 <= overlap < 1:
        raise BadInput(f"overlap {overlap}: expected f = n / pool size, at least 0 and below 1")


@dataclass(frozen=True, eq=False)
class Effects:
    """Observed draw effects (R,), row effects (m,) and residuals (R, m) of one layout, each centred."""

    draw: Floats
    row: Floats
    rest: Floats


def effects_of(values: Floats) -> Effects:
    """The effects of (R, m) values."""
    grand = values.mean()
    draw = values.mean(axis=1) - grand
    row = values.mean(axis=0) - grand
    return Effects(draw, row, values - draw[:, None] - row - grand)


def mean_squares(left: Effects, right: Effects) -> tuple[float, float, float]:
    """Mean squares (MSA draw, MSB row, MSE residual) of one layout, or mean products of two.

    Being quadratic forms, those of (1 - w)·left + w·right are (1 - w)² ·MS(left, left) +
    2w(1 - w)·MS(left, right) + w²·MS(right, right). With one draw MSA and MSE are NaN.
    """
    draws, rows = left.rest.shape
    msb = draws * float(left.row @ right.row) / (rows - 1)
    if draws == 1:
        return float("nan"), msb, float("nan")
    msa = rows * float(left.draw @ right.draw) / (draws - 1)
    mse = float(np.vdot(left.rest, right.rest)) / ((draws - 1) * (rows - 1))
    return msa, msb, mse


def variance_and_df(
    msa: ArrayLike, msb: ArrayLike, mse: ArrayLike, overlap: ArrayLike, layout: Layout
) -> tuple[Floats, Floats]:
    """Variance of the grand mean and its degrees of freedom, elementwise.

    V = V0 + MSA/m · f/(1 - f) with V0 = (MSA + MSB - MSE)/(R m), floored at max(MSA, MSB)/(R m).
    The degrees of freedom are Satterthwaite's, of all terms that enter V, with MSA at its 80% upper
    chi-square limit, floored at R - 1. (With MSA as observed, a chance low draw variance also claims
    too many degrees of freedom: coverage falls to .926 at R = 3; so it stays at or above .95 for
    normal effects, for 1-2% more width at R = 10.) With one draw V is MSB/m with m - 1.
    """
    draw, row, rest = (np.asarray(square, dtype=np.float64) for square in (msa, msb, mse))
    R, m = layout.draws, layout.rows
    if R == 1:
        return row / m, np.full(row.shape, float(m - 1))
    f = np.asarray(overlap, dtype=np.float64)
    variance = np.maximum(sum(_terms(draw, row, rest, f, layout)), 0.0)
    a, b, e = _terms(upper_draw_square(draw, R), row, rest, f, layout)
    spread = a**2 / (R - 1) + b**2 / (m - 1) + e**2 / ((R - 1) * (m - 1))
    # No variance at all leaves 0/0; the t quantile is then multiplied by 0 whatever the df.
    df = np.divide((a + b + e) ** 2, spread, out=np.full(variance.shape, float(R - 1)), where=spread > 0)
    return variance, np.maximum(df, float(R - 1))


def upper_draw_square(msa: Floats, draws: int) -> Floats:
    """Upper chi-square limit of the draw mean square, at confidence DRAW_CONFIDENCE."""
    return np.asarray(msa * ((draws - 1) / special.chdtri(draws - 1, DRAW_CONFIDENCE)), dtype=np.float64)


def _terms(
    draw: Floats, row: Floats, rest: Floats, f: Floats, layout: Layout
) -> tuple[Floats, Floats, Floats]:
    """The terms of V in MSA, MSB and MSE; under the floor only the larger of MSA and MSB stays in V0."""
    R, m = layout.draws, layout.rows
    floored = np.minimum(draw, row) < rest
    on_draw = np.where(floored & (draw < row), 0.0, 1.0) / (R * m) + f / ((1 - f) * m)
    on_row = np.where(floored & (draw >= row), 0.0, 1.0) / (R * m)
    on_rest = np.where(floored, 0.0, -1.0) / (R * m)
    return on_draw * draw, on_row * row, on_rest * rest
