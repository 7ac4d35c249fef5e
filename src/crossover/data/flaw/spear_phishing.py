"""A rare sub-population inside one class: mail written for one person, which average scores hide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_class, written


@dataclass(frozen=True, kw_only=True)
class SpearPhishing(Flaw):
    """Replace a share of one class by generated mail of a kind of its own; labels stay.

    Args:
        label: the class that hides it.
    """

    label: str | None = None

    stage: ClassVar[Stage] = Stage.REPLACE_TEXT

    def plant(self, batch: Batch, name: str) -> None:
        """Write the mail of the chosen rows."""
        among = batch.equal("label", check_class(name, self.label, batch)) & ~batch.replaced
        rows = self.chosen(batch, name, among)
        for row, text in zip(rows, written(batch, rows, "spear_phishing", self.seed), strict=True):
            batch.change(name, row, "text", text, "spear phishing")
            batch.replaced[row] = True
