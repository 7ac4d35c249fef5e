"""Importance: rows in proportion to a score, every one with a floor, in a sample of fixed size.

The draw is the pivotal method in random order (Deville and Tille, Biometrika 1998): two rows meet, one
passes its probability to the other or is decided, until all are. Each row's inclusion probability is
exactly the one intended, for any order, and the size is fixed. Poisson sampling has exact
probabilities too and a random size; systematic sampling leaves most pairs never drawn together, and
no variance to be had; conditional Poisson and Sampford's method need joint probabilities of N^2 pairs.
In random order the entropy is high, so that Hajek's variance serves (measure/weighted_mean.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.sample.sample import Population, Sample, check_size, described

Floats = NDArray[np.float64]


class Importance:
    """Unequal-probability sample without replacement.

    Args:
        size: rows drawn.
        score: column the probabilities are proportional to: ``uncertainty`` of a run (1 - its largest
            probability), or a declared number column; no value below 0.
        floor: share of the probability spread evenly over all rows, above 0: a row that cannot be drawn
            leaves every estimate biased, and one that hardly can leaves it noisy.
        seed: of the draw.
    """

    def __init__(
        self, size: int = 300, score: str = "uncertainty", floor: float = 0.2, seed: int = 0
    ) -> None:
        self.size = size
        self.score = score
        self.floor = floor
        self.seed = seed

    def draw(self, population: Population) -> Sample:
        """Draw; raises BadInput where a score is missing or below 0, or the floor is not in (0, 1]."""
        check_size(self.size, population)
        scores = self._scores(population)
        pi = inclusion_probabilities(scores, self.size, self.floor)
        rng = np.random.Generator(np.random.PCG64([self.seed, 3]))
        rows = np.flatnonzero(pivotal(pi, rng))
        return Sample(
            tuple(population.ids[row] for row in rows),
            tuple(float(pi[row]) for row in rows),
            ("",) * len(rows),
            described("importance", vars(self), population),
        )

    def _scores(self, population: Population) -> Floats:
        values = population.column(self.score)
        for id_, value in zip(population.ids, values, strict=True):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
                raise BadInput(
                    f"row {id_!r} has {self.score}={value!r}: a score to draw by is a number of at least 0 "
                    f"in every row (data.meta.{self.score}=number)"
                )
        return np.array(values, np.float64)


def inclusion_probabilities(scores: Floats, size: int, floor: float) -> Floats:
    """(N,) probabilities that sum to ``size``: (1 - floor) by score, floor evenly, none above 1.

    Rows that would exceed 1 are certain, and the others share what is left in the same proportions.

    Raises:
        BadInput: a floor outside (0, 1].
    """
    if not 0 < floor <= 1:
        raise BadInput(f"sample.floor={floor}: expected a share in (0, 1]; at 0 some rows have no chance")
    even = np.full(len(scores), 1.0 / len(scores))
    total = scores.sum()
    mixed = even if total == 0 else floor * even + (1 - floor) * scores / total
    certain = np.zeros(len(scores), bool)
    while True:
        left = size - int(certain.sum())
        pi = np.where(certain, 1.0, left * mixed / max(mixed[~certain].sum(), 1e-300))
        beyond = (pi >= 1.0) & ~certain
        if not beyond.any() or certain.all():
            return np.minimum(pi, 1.0)
        certain |= beyond


def pivotal(pi: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) which rows are drawn; their number is the sum of ``pi``, which is whole."""
    drawn = pi >= 1.0
    order = rng.permutation(np.flatnonzero((pi > 0.0) & (pi < 1.0)))
    if not len(order):
        return drawn
    luck = rng.random(len(order))
    holder, held = int(order[0]), float(pi[order[0]])
    for row, u in zip(order[1:].tolist(), luck[1:].tolist(), strict=True):
        (chance, first), (_, second) = duel(held, float(pi[row]))
        left, right = first if u < chance else second
        # one of the two is decided; the other goes on
        decided, value, holder, held = (
            (holder, left, row, right) if left in (0.0, 1.0) else (row, right, holder, left)
        )
        drawn[decided] = value == 1.0
    drawn[holder] = held > 0.5  # 0 or 1 but for rounding
    return drawn


def duel(a: float, b: float) -> Sequence[tuple[float, tuple[float, float]]]:
    """Two probabilities meet: the two outcomes, each with its chance; the expectation is (a, b)."""
    if a + b < 1.0:
        return (b / (a + b), (0.0, a + b)), (a / (a + b), (a + b, 0.0))
    rest = 2.0 - a - b
    return ((1.0 - b) / rest, (1.0, a + b - 1.0)), ((1.0 - a) / rest, (a + b - 1.0, 1.0))
