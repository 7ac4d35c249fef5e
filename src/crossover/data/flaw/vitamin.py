"""Mail between two classes: vitamins are food or remedy, and annotators disagree about them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossover.data.flaw.flaw import Batch, Flaw, Stage, check_pair, written
from crossover.data.row_random import below

ANNOTATORS = ("ann", "ben", "cleo")


@dataclass(frozen=True, kw_only=True)
class Vitamin(Flaw):
    """Replace a share of two classes by generated vitamin mail; every vote on it is a coin toss.

    Labels stay: nothing in the text tells which of the two a row has. Votes go to the corpus'
    column of votes; where it has none, one is added in which all other rows are voted unanimously.

    Args:
        between: the two classes.
        votes: the column added where the corpus declares none.
    """

    between: list[str] | None = None
    votes: str = "votes"

    stage: ClassVar[Stage] = Stage.REPLACE_TEXT

    def plant(self, batch: Batch, name: str) -> None:
        """Write the mail and the votes of the chosen rows."""
        pair = check_pair(name, self.between, batch)
        labels = batch.columns["label"]
        declared = [one for one, kind in batch.kinds.items() if kind == "votes"]
        column = declared[0] if declared else self.votes
        if not declared:
            agreed: list[object] = [None if label is None else _ballot([label] * 3) for label in labels]
            batch.add_column(name, column, "votes", agreed, "unanimous")
        among = np.array([label in pair for label in labels], bool) & ~batch.replaced
        rows = self.chosen(batch, name, among)
        tosses = [below(self.bits(batch, name, who), 2) for who in ANNOTATORS]
        for row, text in zip(rows, written(batch, rows, "vitamin", self.seed), strict=True):
            batch.change(name, row, "text", text, "vitamin")
            batch.change(name, row, column, _ballot([pair[toss[row]] for toss in tosses]), "contested")
            batch.replaced[row] = True


def _ballot(votes: list[object]) -> str:
    return json.dumps(dict(zip(ANNOTATORS, votes, strict=True)), ensure_ascii=False)
