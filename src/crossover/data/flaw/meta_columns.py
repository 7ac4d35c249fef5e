"""Four meta columns of numbers: two that say the same, one that helps, one of noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from crossover.data.bad_input import BadInput
from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_class
from crossover.data.row_random import uniform

ROLES = ("redundant", "redundant", "useful", "noise")


@dataclass(frozen=True, kw_only=True)
class MetaColumns(Flaw):
    """Add number columns that tell one class from the rest; their roles are in the truth alone.

    The useful column and the redundant pair each differ between the class and the rest by
    ``2 * strength`` standard deviations of unit normal noise; the two of the pair differ from
    each other by a tenth of one. Which column has which role is drawn by the seed.

    Args:
        label: the class they tell.
        columns: the names of the four columns.
    """

    label: str | None = None
    columns: list[str] = field(default_factory=lambda: ["score_a", "score_b", "score_c", "score_d"])

    stage: ClassVar[Stage] = Stage.META

    def plant(self, batch: Batch, name: str) -> None:
        """Append the columns."""
        label = check_class(name, self.label, batch)
        if not self.columns or len(self.columns) != len(ROLES) or len(set(self.columns)) != len(ROLES):
            raise BadInput(f"flaw {name}: columns={self.columns}; expected four different names")
        told = 2 * self.strength * batch.equal("label", label)
        pair = told + self._normal(batch, name, "redundant")
        values = (
            pair,
            pair + 0.1 * self._normal(batch, name, "second"),
            told + self._normal(batch, name, "useful"),
            self._normal(batch, name, "noise"),
        )
        order = np.random.default_rng(self.seed).permutation(len(ROLES))
        for column, role in zip(self.columns, order, strict=True):
            rounded = [round(float(value), 4) for value in values[role]]
            batch.add_column(name, column, "number", list(rounded), ROLES[role])

    def _normal(self, batch: Batch, name: str, purpose: str) -> np.ndarray:
        return np.asarray(ndtri(uniform(self.bits(batch, name, purpose)) * (1 - 2e-12) + 1e-12))
