"""Stratified: so many rows of each stratum, at random within it; pi = n_h / N_h."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.sample.sample import Population, Sample, check_size, described

ALLOCATIONS = ("proportional", "equal", "neyman")
PERIODS = {"year": 4, "month": 7, "day": 10}
"""Characters of an ISO 8601 time that name the period."""


class Stratified:
    """Stratified random sample without replacement.

    Args:
        size: rows drawn in all.
        by: column whose values are the strata: ``label``, ``predicted`` or a declared meta column.
        allocation: ``proportional`` to the rows of a stratum; ``equal``; ``neyman``, by rows times SD,
            which is best for the mean over all rows where the SDs are right (Neyman 1934).
        sds: stratum -> standard deviation of what is to be estimated, for ``neyman``; of a rate p that is
            the root of p(1 - p).
        period: ``year``, ``month`` or ``day``: cut the column's ISO 8601 times to it; None takes
            values as they are.
        seed: of the draw.
    """

    def __init__(
        self,
        size: int = 300,
        by: str = "label",
        allocation: str = "proportional",
        sds: dict[str, float] | None = None,
        period: str | None = None,
        seed: int = 0,
    ) -> None:
        self.size = size
        self.by = by
        self.allocation = allocation
        self.sds = sds
        self.period = period
        self.seed = seed

    def draw(self, population: Population) -> Sample:
        """Draw; each stratum gives at least two rows (all of a single one), so that errors can be had.

        Raises:
            BadInput: an unknown column, allocation or period, SDs that do not fit the strata, or a
                size that two rows a stratum exceed.
        """
        check_size(self.size, population)
        strata = self._strata(population)
        sizes = {name: len(rows) for name, rows in strata.items()}
        drawn = allocate(sizes, self._weights(sizes), self.size)
        rng = np.random.Generator(np.random.PCG64([self.seed, 2]))
        found: list[tuple[str, float, str]] = []
        for name, rows in strata.items():
            chosen = np.sort(rng.choice(len(rows), drawn[name], replace=False))
            found += [(rows[k], drawn[name] / sizes[name], name) for k in chosen]
        ids, inclusion, names = zip(*sorted(found), strict=True)
        return Sample(ids, inclusion, names, described("stratified", vars(self), population))

    def _strata(self, population: Population) -> dict[str, list[str]]:
        if self.period is not None and self.period not in PERIODS:
            raise BadInput(f"sample.period={self.period!r}: expected one of {sorted(PERIODS)} or null")
        strata: dict[str, list[str]] = {}
        for id_, value in zip(population.ids, population.column(self.by), strict=True):
            name = "missing" if value in (None, "") else str(value)
            strata.setdefault(name[: PERIODS[self.period]] if self.period else name, []).append(id_)
        return dict(sorted(strata.items()))

    def _weights(self, sizes: Mapping[str, int]) -> dict[str, float]:
        if self.allocation not in ALLOCATIONS:
            raise BadInput(f"sample.allocation={self.allocation!r}: expected one of {ALLOCATIONS}")
        if self.allocation == "equal":
            return dict.fromkeys(sizes, 1.0)
        if self.allocation == "proportional":
            return {name: float(rows) for name, rows in sizes.items()}
        sds = self.sds or {}
        missing, bad = sorted(set(sizes) - set(sds)), [name for name, sd in sds.items() if not sd >= 0]
        if missing or bad:
            said = f"none for {missing[0]!r}" if missing else f"bad: {bad[0]!r}"
            raise BadInput(
                "sample.allocation=neyman needs sample.sds with a number of at least 0 for each of the "
                f"strata {list(sizes)}; {said}"
            )
        return {name: rows * sds[name] for name, rows in sizes.items()}


def allocate(sizes: Mapping[str, int], weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Rows to draw of each stratum: at least two, at most all, ``total`` in sum, by weight.

    One row after another goes where weight / sqrt(n (n + 1)) is largest, which minimises
    sum(weight^2 / n) over whole numbers (Wright, The American Statistician 2012).

    Raises:
        BadInput: two rows of each stratum are more than ``total``.
    """
    drawn = {name: min(2, rows) for name, rows in sizes.items()}
    if sum(drawn.values()) > total:
        raise BadInput(
            f"sample.size={total}: {len(sizes)} strata need two rows each, {sum(drawn.values())} in all; ask "
            "for more rows or coarser strata"
        )

    def next_of(name: str) -> tuple[float, int, str]:
        n = drawn[name]
        return -weights[name] / (n * (n + 1)) ** 0.5, n, name

    waiting = [next_of(name) for name in sizes if drawn[name] < sizes[name]]
    heapq.heapify(waiting)
    for _ in range(total - sum(drawn.values())):
        name = heapq.heappop(waiting)[2]
        drawn[name] += 1
        if drawn[name] < sizes[name]:
            heapq.heappush(waiting, next_of(name))
    return drawn
