"""A harmless line under the texts of one class only: a mark that a model will learn instead of the matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_class


@dataclass(frozen=True, kw_only=True)
class Footer(Flaw):
    """Append a line to a share of one class.

    Args:
        label: the class.
        line: what is appended, on a line of its own.
        stripped: list the same rows in the truth but leave their texts alone: the copy of the
            corpus with the mark removed, to score a model on both.
    """

    label: str | None = None
    line: str = "Please think of the trees before you print this message."
    stripped: bool = False

    stage: ClassVar[Stage] = Stage.ADD_LINE

    def plant(self, batch: Batch, name: str) -> None:
        """Append the line to the chosen rows of the class."""
        label = check_class(name, self.label, batch)
        for row in self.chosen(batch, name, batch.equal("label", label)):
            text = str(batch.columns["text"][row])
            marked = text if self.stripped else f"{text}\n{self.line}"
            batch.change(name, row, "text", marked, "stripped" if self.stripped else self.line)
