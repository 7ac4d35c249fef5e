"""A class cut in two at random: two labels that nothing in the text tells apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crossover.data.bad_input import BadInput
from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_class


@dataclass(frozen=True, kw_only=True)
class SplitClass(Flaw):
    """Give a share of one class a label of its own, ``<label>_2``; half of it at strength 0.5.

    Args:
        label: the class.
    """

    label: str | None = None

    stage: ClassVar[Stage] = Stage.REGROUP_LABELS

    def plant(self, batch: Batch, name: str) -> None:
        """Relabel the chosen rows of the class."""
        label = check_class(name, self.label, batch)
        second = f"{label}_2"
        if second in batch.classes:
            raise BadInput(f"flaw {name}: the corpus has a class {second!r} already")
        for row in self.chosen(batch, name, batch.equal("label", label)):
            batch.change(name, row, "label", second, "cut at random")
        batch.classes.append(second)
        if self.strength == 1:
            batch.classes.remove(label)
