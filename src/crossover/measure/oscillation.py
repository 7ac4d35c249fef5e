"""Oscillation of a training course: block means of the loss that rise and fall beyond minibatch noise.

The loss of single steps jumps with the batch. Cut into blocks of equal length, neighbouring blocks are
compared by Welch's t test, Bonferroni-corrected over the neighbours; a course oscillates where significant
rises and falls alternate, it diverges where its last block lies significantly above its lowest. Shown as
evidence only: whether the rate is at fault is decided by an intervention (methods.md 5, row 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

BLOCKS = 10
"""Blocks a course is cut into."""
FEWEST_STEPS = 4 * BLOCKS
"""Fewer steps than this leave fewer than four losses a block: too little to tell noise from course."""
TURNS = 2
"""Significant changes of direction from which a course is said to oscillate."""


@dataclass(frozen=True)
class Course:
    """What a history shows: block means, changes of direction, divergence, gradient norms.

    ``turns`` counts significant changes of direction; ``oscillates`` and ``diverges`` are None with too few
    steps to say. ``gradient_norm`` is the median, ``gradient_ratio`` the last block's median over the
    first's; both None where the history has no norms. ``finite`` is False where a loss or norm is not.
    """

    steps: int
    blocks: tuple[float, ...]
    turns: int
    oscillates: bool | None
    diverges: bool | None
    gradient_norm: float | None
    gradient_ratio: float | None
    finite: bool

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**asdict(self), "blocks": list(self.blocks)}


def course(losses: Sequence[float], norms: Sequence[float] = (), alpha: float = 0.05) -> Course:
    """Judge a course by its losses a step, and gradient norms a step where there are some."""
    loss, norm = np.asarray(losses, np.float64), np.asarray(norms, np.float64)
    finite = bool(np.isfinite(loss).all() and np.isfinite(norm).all())
    loss, norm = loss[np.isfinite(loss)], norm[np.isfinite(norm)]
    middle, ratio = None, None
    if len(norm):
        middle = float(np.median(norm))
        some = np.array_split(norm, min(BLOCKS, len(norm)))
        first, last = float(np.median(some[0])), float(np.median(some[-1]))
        ratio = last / first if first > 0 else None
    if len(loss) < FEWEST_STEPS:
        return Course(len(losses), (), 0, None, None if finite else True, middle, ratio, finite)
    parts = np.array_split(loss, BLOCKS)
    means = tuple(float(part.mean()) for part in parts)
    each = alpha / (BLOCKS - 1)
    signs = [_direction(parts[k], parts[k + 1], each) for k in range(BLOCKS - 1)]
    moves = [sign for sign in signs if sign]
    turns = sum(a != b for a, b in pairwise(moves))
    lowest = int(np.argmin(means))
    diverges = not finite or (lowest < BLOCKS - 1 and _direction(parts[lowest], parts[-1], each) > 0)
    return Course(len(losses), means, turns, turns >= TURNS, diverges, middle, ratio, finite)


def _direction(before: NDArray[np.float64], after: NDArray[np.float64], alpha: float) -> int:
    """1 where the mean rises significantly, -1 where it falls, 0 otherwise (two-sided Welch)."""
    change = float(after.mean() - before.mean())
    error = math.sqrt(before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after))
    if error == 0.0:
        return int(np.sign(change))
    p = float(stats.ttest_ind(after, before, equal_var=False).pvalue)
    return int(np.sign(change)) if p < alpha else 0
