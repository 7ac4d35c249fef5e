"""The inbox: generated mail of five classes with known senders, times and votes, and known flaws.

Ground truth that real data lacks: to learn with, for scale, and to test every audit against.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.data.facts import check_facts, check_names
from crossover.data.flaw.flaw import Batch, Flaw, Ground, seconds
from crossover.data.flaw.planting import NOTE, check_flaws, plant
from crossover.data.mail_stock import CLASSES, REGIONS, slot_values
from crossover.data.mail_writer import DAYS, FIRST_DAY, MailWriter
from crossover.data.row_random import random_bits, uniform
from crossover.data.truth import joined

MOST_ROWS = 10_000_000
ROWS_A_BATCH = 5_000
SHARES = {"ad_spam": 0.16, "drug_spam": 0.16, "good": 0.36, "loan_spam": 0.16, "phishing": 0.16}
META = {"sender": "group", "domain": "category", "region": "category", "time": "time", "votes": "votes"}

CONFUSION: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "ann": (
        (0.96, 0.01, 0.01, 0.01, 0.01),
        (0.01, 0.96, 0.01, 0.01, 0.01),
        (0.01, 0.01, 0.96, 0.01, 0.01),
        (0.01, 0.01, 0.01, 0.96, 0.01),
        (0.01, 0.01, 0.01, 0.01, 0.96),
    ),
    "ben": (
        (0.84, 0.12, 0.02, 0.01, 0.01),
        (0.12, 0.84, 0.02, 0.01, 0.01),
        (0.01, 0.01, 0.96, 0.01, 0.01),
        (0.03, 0.01, 0.02, 0.92, 0.02),
        (0.02, 0.01, 0.03, 0.02, 0.92),
    ),
    "cleo": (
        (0.86, 0.02, 0.10, 0.01, 0.01),
        (0.03, 0.86, 0.09, 0.01, 0.01),
        (0.01, 0.01, 0.96, 0.01, 0.01),
        (0.02, 0.01, 0.09, 0.86, 0.02),
        (0.02, 0.01, 0.17, 0.02, 0.78),
    ),
}
"""How each annotator votes: rows are the true class, columns the vote, in the order of CLASSES.
Ann is careful, Ben mixes up the two kinds of selling, Cleo trusts too much."""


@dataclass(frozen=True)
class Inbox:
    """Generated mail of the classes ad_spam, drug_spam, good, loan_spam and phishing.

    Meta columns: ``sender`` (group), ``domain`` (its ending) and ``region``, which belong to the
    sender; ``time`` (two years from 2023 on); ``votes`` of three annotators (:data:`CONFUSION`).
    None but the votes says anything of the class. Row k is the same whatever the size asked.

    Args:
        rows: 5 to 10 million.
        seed: another seed writes other mail.
        flaw: name -> :class:`~crossover.data.flaw.flaw.Flaw`; what is planted is listed in the
            corpus' truth.
        expect: facts to check: ``rows``, ``labels``.
        name: of the corpus.
    """

    rows: int = 20_000
    seed: int = 0
    flaw: dict[str, Flaw] | None = None
    expect: dict[str, object] | None = None
    name: str = "inbox"

    def load(self) -> Corpus:
        """Write the whole inbox, in memory.

        Raises:
            BadInput: a size or a flaw that cannot be.
        """
        check_names(self.expect or {}, ("rows", "labels"), self.name)
        pieces = list(self.batches())
        truth = joined(piece.truth for piece in pieces if piece.truth)
        table = pa.concat_tables([piece.table for piece in pieces]).combine_chunks()
        corpus = replace(pieces[0], table=table, truth=truth if self.flaw else None)
        check_facts(corpus, self.expect or {}, self.name)
        return corpus

    def batches(self, rows_a_batch: int = ROWS_A_BATCH) -> Iterator[Corpus]:
        """The inbox piece by piece, each with its truth, in memory that does not grow with its size.

        Raises:
            BadInput: a size or a flaw that cannot be.
        """
        whole = isinstance(self.rows, int) and not isinstance(self.rows, bool)
        if not whole or not len(CLASSES) <= self.rows <= MOST_ROWS:
            raise BadInput(
                f"{self.name}: rows={self.rows!r}; expected {len(CLASSES)} (one a class) to {MOST_ROWS:,}, "
                "such as data.rows=20000"
            )
        flaws = self.flaw or {}
        check_flaws(flaws)
        writer = MailWriter(self.seed)
        day = np.array([FIRST_DAY, FIRST_DAY + DAYS], "datetime64[s]")
        first, last = seconds(day)
        few = {"region": REGIONS, "domain": slot_values()["mail_ending"]}
        ground = Ground(CLASSES, META, first, last, writer, few)
        for start in range(0, self.rows, rows_a_batch):
            numbers = np.arange(start, min(start + rows_a_batch, self.rows), dtype=np.uint64)
            batch = Batch(self._columns(writer, numbers), numbers, ground)
            truth = plant(batch, flaws)
            columns = {
                name: pa.array(
                    values,
                    pa.large_string()
                    if name == "text"
                    else pa.float64()
                    if batch.kinds.get(name) == "number"
                    else pa.string(),
                )
                for name, values in batch.columns.items()
            }
            yield Corpus(self.name, pa.table(columns), self._card(list(truth.flaws)), batch.kinds, truth)

    def _columns(self, writer: MailWriter, numbers: npt.NDArray[np.uint64]) -> dict[str, list[object]]:
        bounds = np.cumsum([SHARES[label] for label in CLASSES])[:-1]
        lot = uniform(random_bits(numbers, "class", self.seed))
        index = np.searchsorted(bounds, lot, side="right")
        labels = [CLASSES[k] for k in index.tolist()]
        senders, times = writer.senders(numbers), writer.times(numbers)
        ids = random_bits(numbers, "id", self.seed).tolist()
        return {
            "id": [f"{number:016x}" for number in ids],
            "text": cast(list[object], writer.texts(numbers, labels, senders, times)),
            "label": cast(list[object], labels),
            "sender": cast(list[object], senders.address),
            "domain": cast(list[object], senders.ending),
            "region": [REGIONS[k] for k in senders.region.tolist()],
            "time": cast(list[object], seconds(times)),
            "votes": cast(list[object], self._votes(numbers, index)),
        }

    def _votes(self, numbers: npt.NDArray[np.uint64], index: npt.NDArray[np.int64]) -> list[str]:
        votes = []
        for annotator, matrix in CONFUSION.items():
            bounds = np.cumsum(np.array(matrix), axis=1)[index, :-1]
            lot = uniform(random_bits(numbers, f"vote {annotator}", self.seed))
            votes.append((lot[:, None] >= bounds).sum(axis=1).tolist())
        ballots = {
            (a, b, c): json.dumps(dict(zip(CONFUSION, (CLASSES[a], CLASSES[b], CLASSES[c]), strict=True)))
            for a, b, c in set(zip(*votes, strict=True))
        }
        return [ballots[choice] for choice in zip(*votes, strict=True)]

    def _card(self, planted: list[str]) -> Card:
        accuracy = ", ".join(
            f"{name} {np.dot(np.diag(matrix), list(SHARES.values())):.1%}"
            for name, matrix in CONFUSION.items()
        )
        notes = [f"annotators agree with the label on: {accuracy} (crossover.data.inbox.CONFUSION)"]
        if planted:
            notes.append(NOTE.format(", ".join(planted)))
        return Card(
            source=f"generated by crossover.data.inbox from hand-written fragments, seed {self.seed}",
            sampling="classes, senders and times drawn independently of each other",
            licence="Apache-2.0",
            dates="invented, 2023 and 2024",
            population="none: generated mail, to teach and to test with, never evidence about real mail",
            notes=tuple(notes),
        )
