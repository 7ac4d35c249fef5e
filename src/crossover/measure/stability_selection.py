"""Stability selection: which features are chosen again and again on halves of the rows, and the error bound.

Meinshausen and Buehlmann (JRSS B 72, 2010) choose q features on many half-samples and keep those chosen in at
least a share ``threshold`` of them. Shah and Samworth (JRSS B 75, 2013) draw the halves as complementary
pairs; the bounds below then need no assumption about the features. A feature counts as noise to them where
a half-sample chooses it with a probability of at most q/p, as if it drew features blindly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput


def check_threshold(threshold: float, false_selections: float) -> None:
    """Refuse what gives no bound.

    Raises:
        BadInput: a threshold not in (0.5, 1], or no false selection allowed at all.
    """
    if not 0.5 < threshold <= 1:
        raise BadInput(
            f"threshold={threshold}: expected a share above 0.5, at most 1 (0.9 is strict, 0.6 lax)"
        )
    if not false_selections > 0:
        raise BadInput(f"false_selections={false_selections}: expected a number above 0, such as 1")


def half_samples(codes: NDArray[np.int64], pairs: int, seed: int) -> list[NDArray[np.int64]]:
    """2 * pairs row sets, each followed by its complement; a class's rows are halved apart.

    A class with an odd number of rows gives the one too many to either half in turn. A class of one row is
    in one half of each pair.
    """
    draw = np.random.default_rng(seed)
    halves: list[NDArray[np.int64]] = []
    for _ in range(pairs):
        sides: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
        turn = int(draw.integers(2))
        for code in np.unique(codes):
            rows = draw.permutation(np.flatnonzero(codes == code))
            middle = (len(rows) + turn) // 2
            turn = 1 - turn if len(rows) % 2 else turn
            sides[0].append(rows[:middle])
            sides[1].append(rows[middle:])
        halves += [np.sort(np.concatenate(side)).astype(np.int64) for side in sides]
    return halves


def features_to_choose(columns: int, threshold: float, false_selections: float, most: int) -> int:
    """q: as many as the worst-case bound allows at ``false_selections``, at least 1, at most ``most``."""
    allowed = math.isqrt(int(false_selections * (2 * threshold - 1) * columns + 1e-9))
    return max(1, min(allowed, most, columns))


def expected_false(chosen: float, columns: int, threshold: float) -> float:
    """Most noise features expected among those kept: q²/((2 threshold - 1) p), whatever the distribution.

    Shah and Samworth's Theorem 1 with theta = q/p, ``chosen`` the mean number of features a half-sample
    chose.
    """
    return chosen**2 / ((2 * threshold - 1) * columns)


def expected_false_unimodal(chosen: float, columns: int, threshold: float, pairs: int) -> float | None:
    """The sharper bound of their Theorem 2, where each noise feature's share has a unimodal distribution.

    None where it does not apply (q/p above 1/sqrt(3), or a threshold too near 1/2).
    """
    theta = chosen / columns
    lowest = 0.5 + min(theta**2, 1 / (2 * pairs) + 0.75 * theta**2)
    if theta > 1 / math.sqrt(3) or threshold <= lowest:
        return None
    if threshold <= 0.75:
        factor = 1 / (2 * (2 * threshold - 1 - 1 / (2 * pairs)))
    else:
        factor = 4 * (1 - threshold + 1 / (2 * pairs)) / (1 + 1 / pairs)
    return factor * theta * chosen


def shares(chosen: list[NDArray[np.int64]], columns: int) -> NDArray[np.float64]:
    """(columns,) share of the half-samples that chose each column."""
    count = np.zeros(columns)
    for picked in chosen:
        count[np.unique(picked)] += 1
    return count / max(len(chosen), 1)
