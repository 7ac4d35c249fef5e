"""Label noise: labels replaced by wrong ones, at random among the classes or between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_pair
from crossover.data.row_random import below


@dataclass(frozen=True, kw_only=True)
class LabelNoise(Flaw):
    """Give a share of the labelled rows another label.

    Args:
        between: two classes, each mistaken for the other (asymmetric noise where their sizes
            differ); None draws uniformly among all other classes (symmetric noise).
    """

    between: list[str] | None = None

    stage: ClassVar[Stage] = Stage.CORRUPT_LABELS

    def plant(self, batch: Batch, name: str) -> None:
        """Replace the labels of the chosen rows."""
        labels = batch.columns["label"]
        classes = sorted(batch.classes)
        if self.between is not None:
            classes = check_pair(name, self.between, batch)
        if len(classes) < 2:
            raise BadInput(f"flaw {name}: the corpus has one class, {classes}; there is no wrong label")
        among = np.array([label in classes for label in labels], bool)
        draw = below(self.bits(batch, name, "label"), len(classes) - 1)
        for row in self.chosen(batch, name, among):
            others = [label for label in classes if label != labels[row]]
            batch.change(name, row, "label", others[draw[row]], "wrong label")
