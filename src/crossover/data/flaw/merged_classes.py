"""Two classes merged: one label that hides two kinds of text (hidden stratification)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crossover.data.bad_input import BadInput
from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_class


@dataclass(frozen=True, kw_only=True)
class MergedClasses(Flaw):
    """Give a share of one class the label of another; all of it at strength 1.

    Args:
        label: the class that is taken in.
        into: the class whose label it gets.
    """

    label: str | None = None
    into: str | None = None

    stage: ClassVar[Stage] = Stage.REGROUP_LABELS

    def plant(self, batch: Batch, name: str) -> None:
        """Relabel the chosen rows."""
        label, into = check_class(name, self.label, batch), check_class(name, self.into, batch)
        if label == into:
            raise BadInput(f"flaw {name}: label and into are both {label!r}; name two classes")
        for row in self.chosen(batch, name, batch.equal("label", label)):
            batch.change(name, row, "label", into, f"was {label}")
        if self.strength == 1:
            batch.classes.remove(label)
