"""What the detection tables of look and audit share: corpora to plant flaws in, and parts renewed one by one.

Each call of their scripts renews one part of the JSON file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossover.data.corpus import Card, Corpus
from crossover.measure.interval import clopper_pearson

Parts = dict[str, dict[str, Any]]
CARD = Card("of a benchmark", "drawn at random", "as its source", "as its source", "none")
REGIONS = ("north", "south", "east", "west")


@dataclass
class Columns:
    """The columns of a corpus that a flaw changes, the order of its rows, and a source of chance."""

    corpus: Corpus
    draw: np.random.Generator

    def __post_init__(self) -> None:
        self.texts, self.labels = list(self.corpus.texts), list(self.corpus.labels)
        self.meta = {
            name: (kind, list(self.corpus.meta_values(name))) for name, kind in self.corpus.meta.items()
        }
        self.order = np.arange(len(self.corpus))

    def commonest(self, column: str | None = None) -> np.ndarray:
        """Which rows are of the most frequent class, or of a column's most frequent value."""
        values = np.array(self.labels if column is None else self.meta[column][1], str)
        names, counts = np.unique(values, return_counts=True)
        found: np.ndarray = values == names[np.argmax(counts)]
        return found

    def made(self) -> Corpus:
        """The corpus of these columns."""

        def ordered(values: Sequence[object]) -> list[Any]:
            return [values[row] for row in self.order.tolist()]

        return Corpus.from_columns(
            self.corpus.name, ordered(self.texts), ordered(self.labels), self.corpus.card,
            ordered(self.corpus.ids), {name: (kind, ordered(own)) for name, (kind, own) in self.meta.items()},
        )  # fmt: skip


def messages(
    table: Mapping[str, Sequence[str]], rows: Sequence[int], draw: np.random.Generator, senders: int = 0
) -> Corpus:
    """These rows of a table of text and label, with ids, times over two years and a region drawn at random.

    With ``senders`` each row gets one of so many, a group.
    """
    count = len(rows)
    times = np.datetime64("2023-01-01", "s") + draw.integers(0, 730 * 86_400, count).astype("m8[s]")
    ids = [f"{k:016x}" for k in draw.permutation(count).tolist()]
    meta: dict[str, tuple[str, Sequence[object]]] = {
        "time": ("time", [f"{one}+00:00" for one in np.datetime_as_string(times)])
    }
    if senders:
        meta["sender"] = ("group", [f"sender {k}" for k in draw.integers(0, senders, count)])
    meta["region"] = ("category", draw.choice(REGIONS, count).tolist())
    texts, labels = ([table[name][row] for row in rows] for name in ("text", "label"))
    return Corpus.from_columns("sms_drawn", texts, labels, CARD, ids, meta)


def limits(seen: Sequence[bool]) -> tuple[int, int, float, float]:
    """How many, of how many, and the Clopper-Pearson limits of the rate."""
    low, high = clopper_pearson(float(sum(seen)), float(len(seen)))
    return sum(seen), len(seen), float(low), float(high)


def renewed(file: Path, part: str, found: Mapping[str, Any], order: Sequence[str]) -> Parts:
    """Put one part in place of what the file has of it; all parts, in this order."""
    parts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    parts[part] = dict(found)
    ordered = {name: parts[name] for name in order if name in parts}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    return ordered
