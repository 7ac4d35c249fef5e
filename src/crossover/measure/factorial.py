"""Factorial contrasts: what each component of a model adds, from the scores of its coalitions.

A coalition is the set of components that are in, as a bit mask: bit i is set where component i is.
Every quantity of an ablation is a contrast, a weighted sum of coalition scores, so all of them come
from the same runs, draw by draw, and keep the pairing of those runs (methods.md 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.data.bad_input import BadInput
from crossover.measure.interval import clopper_pearson
from crossover.measure.two_way import PairedMean, paired_mean

Floats = NDArray[np.float64]
Contrast = Mapping[int, float]
"""Weight of each coalition; weights sum to 0."""

MOST_COMPONENTS = 8
STABLE_SHARE = 0.8
"""Share of draws in which a stable effect is positive, by its lower limit."""

_GENERATED: Mapping[int, tuple[tuple[int, tuple[int, ...]], ...]] = {
    5: ((4, (0, 1, 2, 3)),),
    6: ((5, (0, 1, 2, 3, 4)),),
    7: ((6, (0, 1, 2, 3, 4, 5)),),
    8: ((6, (0, 1, 2, 3)), (7, (0, 1, 4, 5))),
}
"""Factors of each fraction that are products of others (Box, Hunter and Hunter 2005, table 6.22)."""


@dataclass(frozen=True)
class Factorial:
    """The 2^k coalitions of ``components``, less those that are ``excluded`` as impossible.

    Each contrast is None where a coalition that it needs is excluded.

    Raises:
        BadInput: fewer than 2 or more than 8 components.
    """

    components: int
    excluded: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        _check_count(self.components)

    @property
    def full(self) -> int:
        """The coalition of all components."""
        return (1 << self.components) - 1

    @cached_property
    def coalitions(self) -> tuple[int, ...]:
        """Every possible coalition, ascending."""
        return tuple(mask for mask in range(1 << self.components) if mask not in self.excluded)

    def leave_one_out(self, i: int) -> Contrast | None:
        """v(N) - v(N without i): what is lost when i alone is taken away."""
        return self.removal([i])

    def removal(self, group: Sequence[int]) -> Contrast | None:
        """v(N) - v(N without the group): what is lost when all of these are taken away together."""
        rest = self.full
        for i in group:
            rest &= ~(1 << i)
        return self._known({self.full: 1.0, rest: -1.0})

    def add_one(self, i: int) -> Contrast | None:
        """v({i}) - v(nothing): what i brings when nothing else is there."""
        return self._known({1 << i: 1.0, 0: -1.0})

    def gain(self) -> Contrast | None:
        """v(N) - v(nothing): what all components bring together."""
        return self._known({self.full: 1.0, 0: -1.0})

    def interaction(self, i: int, j: int) -> Contrast | None:
        """v(N) - v(N without i) - v(N without j) + v(N without both), below 0 where they overlap."""
        return self._known(_second_difference(self.full & ~(1 << i | 1 << j), i, j))

    def bare_interaction(self, i: int, j: int) -> Contrast | None:
        """v({i, j}) - v({i}) - v({j}) + v(nothing): the same where nothing else is there."""
        return self._known(_second_difference(0, i, j))

    def shapley(self, i: int) -> Contrast | None:
        """Shapley value (1953): mean gain from adding i over all orders of adding the components.

        Where coalitions are excluded, over the orders that meet none of them (for precedence
        constraints that is the value of Faigle and Kern 1992). The values of all components sum
        to :meth:`gain` either way. None where no order is possible.
        """
        orders = self._orders_up[self.full]
        if not orders:
            return None
        weights: dict[int, float] = dict.fromkeys(self.coalitions, 0.0)
        for mask in self.coalitions:
            joined = mask | 1 << i
            if joined != mask and joined in weights:
                share = self._orders_up[mask] * self._orders_down[joined] / orders
                weights[joined] += share
                weights[mask] -= share
        return {mask: weight for mask, weight in weights.items() if weight}

    def shapley_interaction(self, i: int, j: int) -> Contrast | None:
        """Shapley interaction index (Grabisch and Roubens 1999): the mean second difference of i and j.

        A coalition of s others has weight s! (k - s - 2)! / (k - 1)!; where some are excluded, the
        weights of the others are scaled up. None where i and j never can be told apart.
        """
        k, total = self.components, 0.0
        weights: dict[int, float] = {}
        for mask in self.coalitions:
            if mask & (1 << i | 1 << j):
                continue
            second = _second_difference(mask, i, j)
            if self._known(second) is None:
                continue
            size = mask.bit_count()
            share = math.factorial(size) * math.factorial(k - size - 2) / math.factorial(k - 1)
            total += share
            for coalition, sign in second.items():
                weights[coalition] = weights.get(coalition, 0.0) + share * sign
        return {mask: weight / total for mask, weight in weights.items()} if total else None

    @cached_property
    def _orders_up(self) -> dict[int, int]:
        """How many orders lead from nothing to each coalition through possible ones."""
        counts = dict.fromkeys(range(1 << self.components), 0)
        for mask in self.coalitions:
            counts[mask] = 1 if not mask else sum(counts[mask & ~(1 << i)] for i in _members(mask))
        return counts

    @cached_property
    def _orders_down(self) -> dict[int, int]:
        """How many orders lead from each coalition to that of all."""
        counts = dict.fromkeys(range(1 << self.components), 0)
        for mask in reversed(self.coalitions):
            absent = _members(self.full & ~mask)
            counts[mask] = sum(counts[mask | 1 << i] for i in absent) if absent else 1
        return counts

    def _known(self, contrast: Contrast) -> Contrast | None:
        return None if self.excluded & set(contrast) else contrast


@dataclass(frozen=True)
class Fraction:
    """A resolution-V fraction of 2^k: 16, 32, 64 and 64 runs for k = 5, 6, 7 and 8.

    Main effects are clear of pair interactions, and those of one another, as long as no three or
    four components act together (Box and Hunter 1961). The coalition of all is among the runs.

    Raises:
        BadInput: a number of components for which there is none.
    """

    components: int

    def __post_init__(self) -> None:
        if self.components not in _GENERATED:
            raise BadInput(
                f"a resolution-V fraction of {self.components} components: expected {min(_GENERATED)} to "
                f"{max(_GENERATED)}; fewer take a full factorial (study.design=full)"
            )

    @cached_property
    def coalitions(self) -> tuple[int, ...]:
        """The runs, ascending."""
        made = _GENERATED[self.components]
        free = self.components - len(made)
        runs = []
        for mask in range(1 << free):
            for factor, parents in made:
                absent = sum(not mask >> parent & 1 for parent in parents)
                mask |= (absent % 2 == 0) << factor
            runs.append(mask)
        return tuple(sorted(runs))

    def main(self, i: int) -> Contrast:
        """Mean score with i less mean score without it."""
        weight = 2 / len(self.coalitions)
        return {mask: weight if mask >> i & 1 else -weight for mask in self.coalitions}

    def pair(self, i: int, j: int) -> Contrast:
        """Mean second difference of i and j: how much more i brings where j is in."""
        weight = 4 / len(self.coalitions)
        return {mask: weight if mask >> i & 1 == mask >> j & 1 else -weight for mask in self.coalitions}


@dataclass(frozen=True, eq=False)
class Effect:
    """One contrast over draws and test rows.

    ``draws`` are the numbers of the draws whose runs all finished, ``per_draw`` their values;
    ``mean`` carries the two-way variance of methods.md 1.
    """

    mean: PairedMean
    draws: tuple[int, ...]
    per_draw: tuple[float, ...]

    @property
    def p(self) -> float:
        """Two-sided P of no effect."""
        if self.mean.variance == 0:
            return 0.0 if self.mean.mean else 1.0
        return float(2 * special.stdtr(self.mean.df, -abs(self.mean.mean) / self.mean.se))


@dataclass(frozen=True, eq=False)
class CoalitionScores:
    """Row values of every run of an ablation, larger being better.

    Args:
        coalitions: the C coalitions, as columns of ``values``.
        values: (R draws, C coalitions, m test rows); NaN in every row of a run that did not finish.
        overlap: f of methods.md 1.
        clusters: (m,) integer cluster of each row, or None.
    """

    coalitions: tuple[int, ...]
    values: Floats
    overlap: float = 0.0
    clusters: NDArray[np.int64] | None = None

    @cached_property
    def finished(self) -> NDArray[np.bool_]:
        """(R, C) whether the run is there."""
        return np.asarray(~np.isnan(self.values).any(axis=2))

    def effect(self, contrast: Contrast | None) -> Effect | None:
        """The contrast over the draws that have all its runs; None with fewer than two of them."""
        if contrast is None:
            return None
        columns = [self.coalitions.index(mask) for mask in contrast]
        weights = np.array(list(contrast.values()))
        draws = np.flatnonzero(self.finished[:, columns].all(axis=1))
        if len(draws) < 2:
            return None
        values = self.values[draws][:, columns]
        differences = np.einsum("c,rcm->rm", weights, values)
        # Equal scores under weights such as 1/3 leave some 1e-17, which is no effect however constant.
        differences[np.abs(differences) < 1e-12 * max(1.0, float(np.abs(values).max()))] = 0.0
        mean = paired_mean(differences, self.overlap, self.clusters)
        return Effect(mean, tuple(int(r) for r in draws), tuple(float(d) for d in differences.mean(axis=1)))

    def level(self, coalition: int) -> PairedMean | None:
        """Mean score of one coalition, with the interval over draws and rows."""
        column = self.coalitions.index(coalition)
        draws = np.flatnonzero(self.finished[:, column])
        if len(draws) < 2:
            return None
        return paired_mean(self.values[draws, column], self.overlap, self.clusters)


@dataclass(frozen=True)
class Stability:
    """In how many draws an effect is positive, and the one-sided 95% limits of how often it would be."""

    positive: int
    draws: int
    low: float
    high: float

    @property
    def word(self) -> str:
        """``stable`` (lower limit above .8: 14 of 14 draws), ``unstable`` (upper limit below), or neither."""
        if self.low > STABLE_SHARE:
            return "stable"
        return "unstable" if self.high < STABLE_SHARE else "not established"


def stability(per_draw: Sequence[float]) -> Stability:
    """Clopper and Pearson's limits (1934) of P(effect > 0) over independent draws; a tie is not above 0."""
    positive, draws = sum(value > 0 for value in per_draw), len(per_draw)
    low, high = clopper_pearson(float(positive), float(draws), 0.90)
    return Stability(positive, draws, float(low), float(high))


def draws_to_be_stable() -> int:
    """The fewest draws with which an effect can be called stable, all of them being positive."""
    draws = 1
    while stability([1.0] * draws).word != "stable":
        draws += 1
    return draws


def pairs(components: int) -> list[tuple[int, int]]:
    """Every pair of components."""
    return list(combinations(range(components), 2))


def _second_difference(rest: int, i: int, j: int) -> Contrast:
    return {rest | 1 << i | 1 << j: 1.0, rest | 1 << i: -1.0, rest | 1 << j: -1.0, rest: 1.0}


def _members(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _check_count(components: int) -> None:
    if not 2 <= components <= MOST_COMPONENTS:
        raise BadInput(
            f"{components} component(s) to ablate: expected 2 to {MOST_COMPONENTS} "
            f"({1 << MOST_COMPONENTS} coalitions a draw); join or leave out some"
        )
