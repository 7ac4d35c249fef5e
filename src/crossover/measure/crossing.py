"""Where the difference of two arms crosses a margin: interval by test inversion, and the verdict.

D(n) is the expected score of the expensive arm minus that of the cheap arm at n labels, linear in log2 n
between the sizes of the grid; nothing is claimed outside the grid (methods.md 1). The set C of sizes
that the two-sided t test does not reject as a root (test inversion, after Fieller, Q. J. R. Stat. Soc.
1940) covers each true root at its level, whatever the number of sizes, and may be empty, open at an end
of the grid, or in several pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.data.bad_input import BadInput
from crossover.measure.crossing_verdict import Bound, Decision, decide
from crossover.measure.draws_needed import DrawsNeeded, draws_for
from crossover.measure.size_grid import SizeEvidence, SizeGrid, charge, size_grid
from crossover.measure.two_way import Floats, PairedMean

__all__ = ["Crossing", "Piece", "SizeEvidence", "charge", "find_crossing", "inversion_set"]

#: Sizes, evenly spaced in log n, at which the test is inverted.
POINTS = 200
#: Up to this many draws a study locates, and is called a pilot.
PILOT_DRAWS = 4


class Piece(NamedTuple):
    """An interval of sizes in C; an open end reaches the end of the grid and may go on beyond it."""

    low: float
    high: float
    low_open: bool
    high_open: bool

    def __str__(self) -> str:
        low = f"<= {self.low:.0f}" if self.low_open else f"{self.low:.0f}"
        high = f">= {self.high:.0f}" if self.high_open else f"{self.high:.0f}"
        return f"{low} to {high}"


@dataclass(frozen=True)
class Crossing:
    """The answer for one pair of arms.

    ``kind``: starts_paying or stops_paying (one upward or downward crossing), several, pays_throughout,
    never_pays, gain_vanished, not_resolved, or exploratory (no verdict: a draw uses over half of its
    pool, or there is one draw only). ``pilot`` marks at most 4 draws: the kind is kept, the word
    must be printed. ``pieces`` is C, printed in all cases. ``estimate`` is the root of the interpolated mean
    where there is one to name, ``roots`` all of them. ``bounds`` are those the kind was read from.
    ``draws_needed`` is None once resolved.
    """

    kind: str
    margin: float
    pieces: tuple[Piece, ...]
    estimate: float | None
    roots: tuple[float, ...]
    sizes: tuple[int, ...]
    means: tuple[PairedMean, ...]
    bounds: tuple[Bound, ...]
    draws_needed: DrawsNeeded | None
    reasons: tuple[str, ...]
    pilot: bool
    exploratory: bool
    level: float

    @property
    def bounded(self) -> bool:
        """Whether C is one or more closed intervals inside the grid."""
        return bool(self.pieces) and not any(piece.low_open or piece.high_open for piece in self.pieces)

    def covers(self, size: float) -> bool:
        """Whether C holds this size."""
        return any(piece.low <= size <= piece.high for piece in self.pieces)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; a draw SD that does not exist is None."""
        plain = asdict(self)
        plain["pieces"] = [piece._asdict() for piece in self.pieces]
        for mean in plain["means"]:
            if np.isnan(mean["draw_sd"]):
                mean["draw_sd"] = None
        return plain


def find_crossing(
    evidence: Sequence[SizeEvidence],
    margin: float = 0.0,
    equivalence: float | None = None,
    named_ends: bool = False,
    clusters: NDArray[np.int64] | None = None,
    level: float = 0.95,
) -> Crossing:
    """Whether and where the expensive arm's lead over the cheap one crosses ``margin``.

    Args:
        evidence: one entry a training size, any order, the same draws and test rows in each.
        margin: d, the lead that counts as paying, in score units; set before the runs.
        equivalence: differences within ± this are no gain; None leaves the vanished gain untested.
        named_ends: the two ends of the grid were named beforehand as the sizes to judge a crossing
            by, so that their bounds need no correction for the number of sizes.
        clusters: (m,) integer cluster of each test row, where rows are grouped.
        level: coverage of C and of each verdict; 1 - .05/q for q secondary comparisons.

    Raises:
        BadInput: as :func:`crossover.measure.size_grid.size_grid`, or a level or margin out of range.
    """
    if not 0.5 < level < 1 or not np.isfinite(margin):
        raise BadInput(f"level {level}, margin {margin}: expected a level in (.5, 1) and a finite margin")
    grid = size_grid(evidence, clusters)
    sizes = tuple(int(size) for size in grid.sizes)
    means = tuple(grid.paired_means())
    decision = decide(sizes, means, margin, equivalence, named_ends, level)
    changes = grid.sign_changes(margin)
    return Crossing(
        kind=decision.kind,
        margin=margin,
        pieces=inversion_set(grid, margin, level),
        estimate=_estimate(changes, decision, margin),
        roots=tuple(float(2**log_n) for log_n, _ in changes),
        sizes=sizes,
        means=means,
        bounds=decision.bounds,
        draws_needed=_more_draws(decision, sizes, means, margin, level),
        reasons=decision.reasons,
        pilot=grid.layout.draws <= PILOT_DRAWS,
        exploratory=decision.kind == "exploratory",
        level=level,
    )


def inversion_set(grid: SizeGrid, margin: float, level: float = 0.95) -> tuple[Piece, ...]:
    """C = {z : |m(z) - d| <= t(df(z)) · sqrt(V(z))}, in pieces.

    Tested at 200 points in log n, at the grid sizes and at the roots of m - d (which always belong to C,
    however narrow it is there); an end between two points is placed by linear interpolation of the slack.
    """
    logs = grid.logs
    roots = [root for root, _ in grid.sign_changes(margin)]
    points = np.unique(np.concatenate([np.linspace(logs[0], logs[-1], POINTS), logs, roots]))
    slack = slack_at(grid, points, margin, level)
    inside = slack >= 0
    inside[np.isin(points, roots)] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]])))
    pieces = []
    for first, after in edges.reshape(-1, 2):
        low = _end(points, slack, first, first - 1) if first > 0 else logs[0]
        high = _end(points, slack, after - 1, after) if after < len(points) else logs[-1]
        pieces.append(Piece(_size(low), _size(high), bool(first == 0), bool(after == len(points))))
    return tuple(pieces)


def slack_at(grid: SizeGrid, log_n: Floats, margin: float, level: float) -> Floats:
    """t · SE - |m - d| at sizes given by log2 n: at least 0 where the size is in C."""
    mean, variance, df = grid.at(log_n)
    half = special.stdtrit(df, 0.5 + level / 2) * np.sqrt(variance)
    return np.asarray(half - np.abs(mean - margin), dtype=np.float64)


def _end(points: Floats, slack: Floats, inside: int, outside: int) -> float:
    """Where the slack reaches 0 between an accepted point and its rejected neighbour."""
    within = max(float(slack[inside]), 0.0)
    share = within / (within - float(slack[outside]))
    return float(points[inside] + share * (points[outside] - points[inside]))


def _size(log_n: float) -> float:
    """The size of a log2, without the last digits' noise at whole sizes."""
    return float(round(2.0**log_n, 6))


def _estimate(changes: list[tuple[float, int]], decision: Decision, margin: float) -> float | None:
    """The one root to name: the only one, or the only one in the verdict's direction."""
    if decision.kind in ("starts_paying", "stops_paying"):
        direction = 1 if decision.kind == "starts_paying" else -1
        decided = [bound.size for bound in decision.bounds if bound.sign(margin) != 0]
        first, last = np.log2(min(decided)), np.log2(max(decided))
        changes = [change for change in changes if change[1] == direction and first < change[0] < last]
    return float(2 ** changes[0][0]) if len(changes) == 1 else None


def _more_draws(
    decision: Decision, sizes: tuple[int, ...], means: tuple[PairedMean, ...], margin: float, level: float
) -> DrawsNeeded | None:
    """Draws to reach the verdict that the means suggest, at the size that needs most of them.

    Means on one side of the margin suggest "throughout": every size must be resolved. Otherwise a
    crossing: the best resolved size on each side, at the simultaneous level.
    """
    if decision.kind != "not_resolved":
        return None
    sides = [[k for k, mean in enumerate(means) if (mean.mean > margin) is above] for above in (True, False)]
    crossing = all(sides)
    one_sided = 1 - (1 - level) / (2 * len(sizes)) if crossing else level
    needs = [draws_for(mean, size, margin, one_sided) for size, mean in zip(sizes, means, strict=True)]
    if crossing:
        return max((min((needs[k] for k in side), key=_burden) for side in sides), key=_burden)
    return max(needs, key=_burden)


def _burden(need: DrawsNeeded) -> tuple[float, float]:
    """Order of difficulty: more draws, then what no number of draws resolves."""
    low = float("inf") if need.low is None else float(need.low)
    return low, float("inf") if need.high is None else float(need.high)
