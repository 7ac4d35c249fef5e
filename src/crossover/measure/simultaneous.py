"""Simultaneous bounds: a mean with one-sided bounds whose level is shared out over all bounds read.

A decision that reads k one-sided bounds is right in all of them at 1 - alpha where each has level
1 - alpha/k (Bonferroni), however they depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from crossover.data.bad_input import BadInput
from crossover.measure.paired import Equivalence, equivalence
from crossover.measure.two_way import PairedMean, check_overlap, paired_mean


@dataclass(frozen=True)
class Bounded:
    """A mean and two bounds, each one-sided at ``level``.

    ``draws`` and ``rows`` are what it rests on (``rows`` 0 where rows are no factor of its own).
    """

    mean: float
    low: float
    high: float
    level: float
    draws: int
    rows: int
    method: str

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def shared_level(bounds: int, alpha: float = 0.05) -> float:
    """One-sided level of each of so many bounds, all of which hold at 1 - ``alpha``.

    Raises:
        ValueError: fewer than 1 bound.
    """
    if bounds < 1:
        raise ValueError(f"{bounds} bounds: expected at least 1")
    return 1.0 - alpha / bounds


def over_rows(
    values: NDArray[np.float64],
    level: float,
    overlap: float = 0.0,
    clusters: NDArray[np.int64] | None = None,
    signed: bool = False,
) -> Bounded:
    """Mean of (R draws, m rows) values over both, bounds by the two-way variance (methods.md 1).

    Where every value is 0, or every one 1, no variance is seen: the bound is then the exact binomial one
    of so many row units without a (or with nothing but) success; on both sides of 0 where values are
    ``signed`` (differences of values between 0 and 1). With one draw the bounds speak of that
    draw only, and ``method`` says so.

    Raises:
        BadInput: as :func:`~crossover.measure.two_way.paired_mean`.
    """
    return bounds_of(paired_mean(np.asarray(values, np.float64), overlap, clusters), level, signed)


def bounds_of(mean: PairedMean, level: float, signed: bool = False) -> Bounded:
    """The bounds of a two-way mean already taken."""
    draws, rows = mean.draws, mean.rows
    if mean.variance == 0.0 and mean.mean in (0.0, 1.0):
        low, high = _all_alike(mean.mean, rows, level)
        low = -high if signed and mean.mean == 0.0 else low
        return Bounded(mean.mean, low, high, level, draws, rows, f"exact binomial, {rows} rows")
    low, high = mean.one_sided(level)
    method = "two-way over draws and rows" if draws > 1 else "over rows, given one training draw"
    return Bounded(mean.mean, low, high, level, draws, rows, method)


def over_draws(
    values: Sequence[float] | NDArray[np.float64],
    level: float,
    overlap: float = 0.0,
    rows: int = 0,
) -> Bounded:
    """Mean of one value a draw, each on rows of its own; t bounds, V = s² (1/R + f/(1 - f)).

    ``overlap`` is f, the share of the pool that a draw uses, 0 where draws are disjoint. ``rows`` > 0
    says that a value is a share of rows, so many in all: where every draw gives 0, or every one 1, the
    bound is the exact binomial one of those rows.

    Raises:
        BadInput: fewer than two draws, a value that is not finite, f outside [0, 1).
    """
    found = np.asarray(values, np.float64)
    if len(found) < 2:
        raise BadInput(f"bounds over {len(found)} draw(s): at least two are needed, run more draws")
    if not np.isfinite(found).all():
        raise BadInput(f"draw {int(np.argmin(np.isfinite(found)))} has the value {found.min()}: not finite")
    check_overlap(overlap)
    mean, count = float(found.mean()), len(found)
    square = float(found.var(ddof=1))
    if rows and square == 0.0 and mean in (0.0, 1.0):
        low, high = _all_alike(mean, rows, level)
        return Bounded(mean, low, high, level, count, rows, f"exact binomial, {rows} rows")
    reach = float(stats.t.ppf(level, count - 1)) * math.sqrt(square * (1 / count + overlap / (1 - overlap)))
    return Bounded(mean, mean - reach, mean + reach, level, count, 0, "t over draws")


def equivalent_to_zero(mean: PairedMean, margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST that a two-way mean of differences lies within +- ``margin`` (Schuirmann 1987).

    Where no row differs in any draw there is no variance to test with: the share of rows that could still
    differ is then bounded by the exact binomial limit, and with it the mean.
    """
    if mean.variance > 0.0 or mean.mean != 0.0:
        return equivalence(mean.mean, mean.se, mean.df, margin, alpha)
    reach = _all_alike(0.0, mean.rows, 1.0 - alpha)[1]
    p = (1.0 - min(margin, 1.0)) ** mean.rows
    return Equivalence(0.0, -reach, reach, margin, alpha, p, p < alpha)


def share_bounds(successes: int, n: int, level: float) -> Bounded:
    """A share of ``n`` independent rows with the exact binomial bounds (Clopper and Pearson 1934).

    Raises:
        BadInput: no rows, or more successes than rows.
    """
    if not 0 <= successes <= n or n < 1:
        raise BadInput(f"{successes} of {n} rows: expected 0 to n, and n at least 1")
    low = float(special.betaincinv(successes, n - successes + 1, 1 - level)) if successes else 0.0
    high = float(special.betaincinv(successes + 1, n - successes, level)) if successes < n else 1.0
    return Bounded(successes / n, low, high, level, 1, n, f"exact binomial, {n} rows")


def _all_alike(value: float, rows: int, level: float) -> tuple[float, float]:
    reach = 1.0 - (1.0 - level) ** (1.0 / rows)
    return (0.0, reach) if value == 0.0 else (1.0 - reach, 1.0)
