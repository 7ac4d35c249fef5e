"""A word that spikes without meaning: for some days it is everywhere, in every class alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.flaw.flaw import Batch, Flaw, Stage
from crossover.data.row_random import below


@dataclass(frozen=True, kw_only=True)
class Spike(Flaw):
    """Put a word into a share of the texts of some days.

    Args:
        word: the word.
        since: first day, such as 2024-03-01; None is the middle of the corpus' times.
        days: how long it lasts.
    """

    word: str = "equinox"
    since: str | None = None
    days: int = 14

    stage: ClassVar[Stage] = Stage.ADD_WORD

    def plant(self, batch: Batch, name: str) -> None:
        """Insert the word behind a word of each chosen text, line breaks kept."""
        if len(self.word.split()) != 1 or self.word != self.word.strip():
            raise BadInput(f"flaw {name}: word={self.word!r}; expected one word")
        if self.days < 1:
            raise BadInput(f"flaw {name}: days={self.days}; expected at least 1")
        since, times = batch.from_date(name, self.since), batch.times(name)
        until = since + np.timedelta64(self.days, "D")
        bits = self.bits(batch, name, "place")
        for row in self.chosen(batch, name, (times >= since) & (times < until)):
            words = str(batch.columns["text"][row]).split(" ")
            place = 1 + int(below(bits[row : row + 1], len(words))[0])
            text = " ".join([*words[:place], self.word, *words[place:]])
            batch.change(name, row, "text", text, self.word)
