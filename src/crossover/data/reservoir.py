"""Reservoir: a uniform sample of a stream of rows whose length is not known beforehand.

Algorithm L of Li, Reservoir-sampling algorithms of time complexity O(n(1 + log(N/n))), ACM TOMS 1994.
"""

from __future__ import annotations

import math
import random


class Reservoir:
    """Which of ``size`` places each row of a stream takes; a later row may take the place of an earlier one.

    After any number of rows, those that hold a place are a uniform sample of them, decided by size, seed and
    number alone.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self._random = random.Random(seed)
        self._share, self._next = 1.0, size - 1
        self._skip()

    def place(self, row: int) -> int | None:
        """Where row number ``row`` goes, asked for 0, 1, 2, ... in turn; None: it is passed over."""
        if row < self.size:
            return row
        if row < self._next:
            return None
        place = self._random.randrange(self.size)
        self._skip()
        return place

    def _skip(self) -> None:
        """Draw the next row that is taken: the gap is geometric in the smallest key that holds a place."""
        self._share *= math.exp(math.log(1.0 - self._random.random()) / self.size)
        gap = math.log(1.0 - self._random.random()) / math.log1p(-self._share) if self._share < 1 else 0.0
        self._next += math.floor(gap) + 1


def chosen_rows(count: int, size: int, seed: int = 0) -> list[int]:
    """The rows of 0 to ``count`` - 1 that hold a place at the end, ascending."""
    reservoir, held = Reservoir(size, seed), list(range(min(count, size)))
    for row in range(size, count):
        place = reservoir.place(row)
        if place is not None:
            held[place] = row
    return sorted(held)
