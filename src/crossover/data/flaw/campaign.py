"""Near-duplicate campaigns: rows that are edited copies of a few templates.

A random split puts copies of one template on both sides, and a score then measures memory. With
``since`` the campaign starts at a date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.flaw.flaw import Batch, Flaw, Mask, Stage, check_class
from crossover.data.row_random import below, random_bits, uniform

CHARACTERS_AN_EDIT = 130
"""One word is edited for every so many characters: two copies then stay above a Jaccard similarity
of 1/2 in their character 5-grams."""

_FILLERS = ("also", "again", "today", "please", "surely", "perhaps", "indeed", "soon", "now", "then")


@dataclass(frozen=True, kw_only=True)
class Campaign(Flaw):
    """Replace a share of the texts by edited copies of a template of their own class.

    Args:
        campaigns: templates a class.
        label: the class that has campaigns; None is every class.
        since: a date such as 2024-03-01 before which no copy is sent; None is any time.
    """

    campaigns: int = 20
    label: str | None = None
    since: str | None = None

    stage: ClassVar[Stage] = Stage.REPLACE_TEXT

    def plant(self, batch: Batch, name: str) -> None:
        """Write the copies; without a generator of mail the first row of a campaign is its template."""
        if self.campaigns < 1:
            raise BadInput(f"flaw {name}: campaigns={self.campaigns}; expected at least 1")
        among = ~batch.replaced & np.array([label is not None for label in batch.columns["label"]], bool)
        if self.label is not None:
            among &= batch.equal("label", check_class(name, self.label, batch))
        if self.since is not None:
            among &= batch.times(name) >= batch.from_date(name, self.since)
        number = below(self.bits(batch, name, "campaign"), self.campaigns)
        labels, texts = batch.columns["label"], batch.columns["text"]
        keys = [(str(labels[row]), int(number[row])) for row in range(len(labels))]
        templates = {} if batch.ground.writer else self._first_rows(batch, name, among, keys)
        for row in self.chosen(batch, name, among):
            key = keys[row]
            if key not in templates:
                templates[key] = self._generated(batch, name, *key)
            is_template = not batch.ground.writer and texts[row] == templates[key]
            text = (
                templates[key] if is_template else near_copy(templates[key], int(batch.keys[row]), self.seed)
            )
            batch.change(name, row, "text", text, f"{key[0]}/{key[1]}")
            batch.replaced[row] = True

    def _first_rows(
        self, batch: Batch, name: str, among: Mask, keys: list[tuple[str, int]]
    ) -> dict[tuple[str, int], str]:
        """The text of the row of each campaign that is planted at the least strength."""
        lot, rows = uniform(self.bits(batch, name, "chosen")), np.flatnonzero(among)
        first: dict[tuple[str, int], str] = {}
        for row in rows[np.argsort(lot[rows], kind="stable")]:
            first.setdefault(keys[row], str(batch.columns["text"][row]))
        return first

    def _generated(self, batch: Batch, name: str, label: str, number: int) -> str:
        """A mail of the class that is no row of the inbox."""
        assert batch.ground.writer is not None
        bits = random_bits(np.array([number], np.uint64), f"flaw {name} template", self.seed)
        return batch.ground.writer.mail(label, int(bits[0] >> np.uint64(3)))


def near_copy(text: str, key: int, seed: int) -> str:
    """The text with other digits, and one word in some 130 characters dropped, doubled or joined by a filler.

    The first word and line breaks stay. Texts of fewer characters only change digits.
    """
    bits = random_bits(np.arange(4, dtype=np.uint64) + np.uint64(key), "near copy", seed)
    shift = int(below(bits[:1], 9)[0]) + 1
    text = "".join(str((int(c) + shift) % 10) if c in "0123456789" else c for c in text)
    words = text.split(" ")
    for k in range(min(len(text) // CHARACTERS_AN_EDIT, 3)):
        place = 1 + int(below(bits[k + 1 : k + 2], len(words) - 2)[0])
        kind = int(bits[k + 1] >> np.uint64(62))
        if kind == 0 and "\n" not in words[place]:
            del words[place]
        elif kind == 1:
            words.insert(place, words[place].split("\n")[0])
        else:
            words.insert(place, _FILLERS[int(bits[k + 1] >> np.uint64(40)) % len(_FILLERS)])
    return " ".join(words)
