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
from crossover.data.mail_writer import MailWriter
from crossover.data.row_random import Bits, below, random_bits, uniform

CHARACTERS_AN_EDIT = 130
"""One word is edited for every so many characters: two copies then stay above a Jaccard similarity
of 1/2 in their character 5-grams."""

MOST_EDITS = 3
LONGEST_EDITED = 15
"""A longer word, such as a link, holds too much of a text's 5-grams to be dropped or doubled."""

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
        keys = [(str(label), int(number[row])) for row, label in enumerate(batch.columns["label"])]
        rows = self.chosen(batch, name, among)
        if batch.ground.writer:
            templates = self._generated(batch.ground.writer, name, sorted({keys[row] for row in rows}))
        else:
            templates = self._first_rows(batch, name, among, keys)
        edits = np.stack([self.bits(batch, name, f"edit {k}") for k in range(1 + MOST_EDITS)], axis=1)
        for row in rows:
            text, own = templates[keys[row]], batch.columns["text"][row]
            if batch.ground.writer or own != text:
                text = near_copy(text, edits[row])
            batch.change(name, row, "text", text, f"{keys[row][0]}/{keys[row][1]}")
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

    def _generated(
        self, writer: MailWriter, name: str, keys: list[tuple[str, int]]
    ) -> dict[tuple[str, int], str]:
        """A mail of the class for each campaign, that is no row of the inbox."""
        lots = [
            random_bits(np.array([number], np.uint64), f"flaw {name} template {label}", self.seed)
            for label, number in keys
        ]
        numbers = np.concatenate([np.empty(0, np.uint64), *lots]) >> np.uint64(3)
        return dict(zip(keys, writer.mails([label for label, _ in keys], numbers), strict=True))


def near_copy(text: str, bits: Bits) -> str:
    """The text with other digits, and one word in some 130 characters dropped, doubled or joined by a filler.

    The first word, the last and line breaks stay. Texts of fewer characters or words only change
    digits.

    Args:
        text: of any length.
        bits: ``1 + MOST_EDITS`` random numbers that decide the edits.
    """
    shift = int(below(bits[:1], 9)[0]) + 1
    text = text.translate({ord("0") + digit: str((digit + shift) % 10) for digit in range(10)})
    words = text.split(" ")
    for lot in bits[1 : 1 + min(len(text) // CHARACTERS_AN_EDIT, MOST_EDITS)]:
        if len(words) < 3:
            break
        place = 1 + int(below(lot, len(words) - 2))
        kind, word = int(lot >> np.uint64(62)), words[place]
        short = len(word) <= LONGEST_EDITED and "\n" not in word
        if kind == 0 and short:
            del words[place]
        elif kind == 1 and short:
            words.insert(place, word)
        else:
            words.insert(place, _FILLERS[int(lot >> np.uint64(40)) % len(_FILLERS)])
    return " ".join(words)
