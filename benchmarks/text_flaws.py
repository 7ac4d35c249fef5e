"""Damage that a look counts, planted in any corpus by hand: what went wrong on the way to the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crossover.data.corpus import Corpus

GERMAN = (
    "Wir sehen uns heute Abend am Bahnhof, wenn der Zug nicht wieder zu spät kommt.",
    "Kannst du mir bitte noch sagen, wann die Besprechung am Freitag anfängt?",
    "Ich habe die Unterlagen gestern mit der Post geschickt und hoffe, dass sie angekommen sind.",
    "Das Essen war gut, aber die Rechnung ist höher, als ich gedacht hatte.",
    "Nächste Woche bin ich nicht da, bitte wende dich so lange an meinen Kollegen.",
)
SHARES, LARGER = (0.002, 0.005, 0.01, 0.05), (0.02, 0.05, 0.1, 0.2)


@dataclass
class Columns:
    """The columns of a corpus that a flaw changes, and a source of chance."""

    corpus: Corpus
    draw: np.random.Generator

    def __post_init__(self) -> None:
        self.texts, self.labels = list(self.corpus.texts), list(self.corpus.labels)
        self.meta = {name: list(self.corpus.meta_values(name)) for name in self.corpus.meta}
        self.order = np.arange(len(self.corpus))

    def chosen(self, share: float, among: np.ndarray | None = None) -> list[int]:
        """Rows drawn at random: this share of all, or of those ``among``."""
        rows = np.arange(len(self.texts)) if among is None else among
        found: list[int] = self.draw.choice(rows, round(share * len(rows)), replace=False).tolist()
        return found

    def commonest(self) -> np.ndarray:
        """Rows of the most frequent class."""
        names, counts = np.unique(np.array(self.labels, str), return_counts=True)
        return np.flatnonzero(np.array(self.labels, str) == names[np.argmax(counts)])

    def made(self) -> Corpus:
        """The corpus of these columns, its rows in ``order``."""

        def ordered(values: Sequence[object]) -> list[object]:
            return [values[row] for row in self.order.tolist()]

        kinds = self.corpus.meta.items()
        return Corpus.from_columns(
            self.corpus.name, ordered(self.texts), ordered(self.labels), self.corpus.card,  # type: ignore[arg-type]
            ordered(self.corpus.ids), {name: (kind, ordered(self.meta[name])) for name, kind in kinds},  # type: ignore[arg-type]
        )  # fmt: skip


def mojibake(columns: Columns, share: float) -> None:
    """UTF-8 read as another encoding."""
    for row in columns.chosen(share):
        columns.texts[row] += " café".encode().decode("latin-1")


def lost(columns: Columns, share: float) -> None:
    """A character lost in decoding."""
    for row in columns.chosen(share):
        columns.texts[row] += " caf\ufffd"


def tags(columns: Columns, share: float) -> None:
    """A tag left in the text."""
    for row in columns.chosen(share):
        columns.texts[row] = f"<p>{columns.texts[row]}</p>"


def cut(columns: Columns, share: float) -> None:
    """The longest texts cut at one length."""
    limit = int(np.quantile([len(text) for text in columns.texts], 1 - share))
    columns.texts = [text[:limit] for text in columns.texts]


def foreign(columns: Columns, share: float) -> None:
    """Texts in another language."""
    for row in columns.chosen(share):
        columns.texts[row] = " ".join(columns.draw.choice(GERMAN, 3, replace=False).tolist())


def sorted_file(columns: Columns, share: float) -> None:
    """A share of the commonest class moved to the head of the file."""
    first = columns.chosen(share, columns.commonest())
    rest = np.setdiff1d(columns.order, first, assume_unique=True)
    columns.order = np.concatenate([first, rest]).astype(np.int64)


def missing(columns: Columns, share: float) -> None:
    """A region missing in a share of the commonest class."""
    for row in columns.chosen(share, columns.commonest()):
        columns.meta["region"][row] = None


def conflict(columns: Columns, share: float) -> None:
    """Copies of texts of another class."""
    rows = columns.chosen(2 * share)
    half = len(rows) // 2
    for row, source in zip(rows[:half], rows[half:], strict=False):
        columns.texts[row] = columns.texts[source]
        others = [label for label in columns.corpus.classes if label != columns.labels[source]]
        columns.labels[row] = others[int(columns.draw.integers(len(others)))]


FLAWS: Mapping[str, tuple[Callable[[Columns, float], None], str, Sequence[float]]] = {
    "broken encoding": (mojibake, "mojibake", SHARES),
    "lost characters": (lost, "replacement-characters", SHARES),
    "tags": (tags, "html-tags", SHARES),
    "texts cut at one length": (cut, "cut-texts", LARGER),
    "another language": (foreign, "languages", LARGER),
    "a class moved to the head of the file": (sorted_file, "file-order", LARGER),
    "a column missing in one class": (missing, "missing-region", LARGER),
    "copies with another label": (conflict, "label-conflict-exact", SHARES),
}
"""Name -> how it is planted in a share of the rows, the finding that tells it, the shares."""


def damaged(corpus: Corpus, flaw: str, share: float, seed: int) -> Corpus:
    """The corpus with a flaw planted in a share of its rows."""
    columns = Columns(corpus, np.random.default_rng([5, seed]))
    FLAWS[flaw][0](columns, share)
    return columns.made()
