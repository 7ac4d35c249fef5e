"""A filter upstream that, from a date on, drops the digits of texts: a change nobody announced."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossover.data.flaw.flaw import Batch, Flaw, Stage

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True)
class DroppedDigits(Flaw):
    """Remove every digit from a share of the texts from a date on.

    Args:
        since: a date such as 2024-03-01; None is the middle of the corpus' times.
    """

    since: str | None = None

    stage: ClassVar[Stage] = Stage.CUT_TEXT

    def plant(self, batch: Batch, name: str) -> None:
        """Cut the digits; texts that have none are not touched and not listed."""
        since, texts = batch.from_date(name, self.since), batch.columns["text"]
        with_digits = np.array([_DIGITS.search(str(text)) is not None for text in texts], bool)
        for row in self.chosen(batch, name, with_digits & (batch.times(name) >= since)):
            text = str(texts[row])
            cut = _DIGITS.sub("", text)
            batch.change(name, row, "text", cut, f"{len(text) - len(cut)} digits")
