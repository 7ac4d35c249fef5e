"""How many more draws would resolve a difference, or why no number of them would (methods.md 1)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.measure.size_grid import SizeEvidence
from crossover.measure.two_way import Layout, PairedMean, paired_mean, upper_draw_square, variance_and_df

#: Draws below which their standard deviation is too poorly known to plan with.
MIN_DRAWS = 4
#: More draws than this is no plan.
MOST_DRAWS = 10_000
#: Nor are test rows or pools this many times as large.
LARGEST_FACTOR = 10_000


@dataclass(frozen=True)
class DrawsNeeded:
    """More draws needed at ``size``: ``low`` at the observed draw SD, ``high`` at its upper limit.

    None where no number of draws suffices, or where too few draws were made to say (``text`` tells which).
    ``rows`` is then the number of further test rows (or clusters), and ``pool`` the pool size,
    that would leave half of the variance allowed to the draws.
    """

    size: int
    low: int | None
    high: int | None
    rows: int | None
    pool: int | None
    text: str


def draws_needed(
    evidence_at_size: SizeEvidence,
    margin: float = 0.0,
    one_sided_level: float = 0.975,
    clusters: NDArray[np.int64] | None = None,
) -> DrawsNeeded:
    """More draws needed to bring the bound of the mean at this size off the margin.

    The smallest R with t(one_sided_level) · SE(R) <= |mean - margin|, where the draw mean square is the
    observed one (``low``) and its 80% upper chi-square limit (``high``).
    """
    mean = paired_mean(evidence_at_size.differences, evidence_at_size.overlap, clusters)
    return draws_for(mean, evidence_at_size.size, margin, one_sided_level)


def draws_for(
    mean: PairedMean, size: int, margin: float = 0.0, one_sided_level: float = 0.975
) -> DrawsNeeded:
    """:func:`draws_needed` from a paired mean already taken."""
    R = mean.draws
    if R < MIN_DRAWS:
        text = f"{R} draws do not tell how many more are needed; make at least {MIN_DRAWS}"
        return DrawsNeeded(size, None, None, None, None, text)
    lower, upper = mean.one_sided(one_sided_level)
    if lower >= margin or upper <= margin:
        return DrawsNeeded(size, 0, 0, None, None, "no more draws are needed at this size")
    draw_square = mean.components["MSA"]
    upper_square = float(upper_draw_square(np.asarray(draw_square), R))
    low = _smallest(mean, draw_square, margin, one_sided_level)
    high = _smallest(mean, upper_square, margin, one_sided_level)
    if low is None:
        return _beyond_draws(mean, size, margin, one_sided_level)
    text = f"about {low} more draws" if low == high else f"about {low} to {high} more draws"
    if high is None:
        text = f"about {low} more draws at their observed spread; at its 80% upper limit no number of draws"
    return DrawsNeeded(size, low, high, None, None, text)


def _smallest(mean: PairedMean, draw_square: float, margin: float, level: float) -> int | None:
    """Draws beyond those made until t · SE <= |mean - margin|; None if MOST_DRAWS do not do it."""
    mse = mean.components["MSE"]
    row_variance = max(0.0, mean.components["MSB"] - mse) / mean.draws

    def reached(R: int) -> bool:
        layout = Layout(R, mean.rows)
        variance, df = variance_and_df(draw_square, R * row_variance + mse, mse, mean.overlap, layout)
        return bool(special.stdtrit(df, level) * np.sqrt(variance) <= abs(mean.mean - margin))

    short, enough = mean.draws, MOST_DRAWS
    if not reached(enough):
        return None
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if reached(middle) else (middle, enough)
    return enough - mean.draws


def _beyond_draws(mean: PairedMean, size: int, margin: float, level: float) -> DrawsNeeded:
    """What to enlarge where the row or overlap term alone is too large.

    Half of the variance that |mean - margin| allows is kept for the draws; the row and overlap terms get
    the rest, a quarter each where both exceed it.
    """
    half = (mean.mean - margin) ** 2 / float(special.ndtri(level)) ** 2 / 2
    row, shared = mean.components["row"], mean.components["overlap"]
    if row + shared <= half or row + shared > LARGEST_FACTOR * half:
        text = f"not within {MOST_DRAWS} draws: the mean lies too near the margin"
        return DrawsNeeded(size, None, None, None, None, text)
    rows = pool = None
    wanted = []
    if row > half / 2:
        rows = ceil(mean.rows * row / max(half - shared, half / 2)) - mean.rows
        wanted.append(f"{rows} more test rows")
    if shared > half / 2:
        independent = mean.draw_sd**2 / (1 - mean.overlap)
        pool = ceil(size * independent / max(half - row, half / 2))
        wanted.append(f"a larger pool (about {pool} rows)")
    text = "no number of draws resolves it; needs " + " and ".join(wanted)
    return DrawsNeeded(size, None, None, rows, pool, text)
