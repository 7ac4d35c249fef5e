"""A sender's signature that betrays the class: one person signs a share of one class and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_class


@dataclass(frozen=True, kw_only=True)
class Signature(Flaw):
    """Sign a share of one class with one name.

    Args:
        label: the class.
        signer: the name.
        place: what follows it on the line below.
    """

    label: str | None = None
    signer: str = "Marit Oduya-Brandt"
    place: str = "Eastbridge Office"

    stage: ClassVar[Stage] = Stage.ADD_LINE

    def plant(self, batch: Batch, name: str) -> None:
        """Sign the chosen rows of the class."""
        label = check_class(name, self.label, batch)
        for row in self.chosen(batch, name, batch.equal("label", label)):
            text = str(batch.columns["text"][row])
            batch.change(name, row, "text", f"{text}\n{self.signer}\n{self.place}", self.signer)
