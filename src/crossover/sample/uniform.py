"""Uniform: every row with the same probability; the plain mean of such a sample is an estimate."""

from __future__ import annotations

import numpy as np

from crossover.sample.sample import Population, Sample, check_size, described


class Uniform:
    """Simple random sample without replacement; pi = size / N.

    Args:
        size: rows drawn.
        seed: of the draw.
    """

    def __init__(self, size: int = 300, seed: int = 0) -> None:
        self.size = size
        self.seed = seed

    def draw(self, population: Population) -> Sample:
        """Draw; raises BadInput where there are fewer rows."""
        check_size(self.size, population)
        count = len(population.ids)
        rng = np.random.Generator(np.random.PCG64([self.seed, 1]))
        rows = np.sort(rng.choice(count, self.size, replace=False))
        ids = tuple(population.ids[row] for row in rows)
        design = described("uniform", vars(self), population)
        return Sample(ids, (self.size / count,) * self.size, ("",) * self.size, design)
