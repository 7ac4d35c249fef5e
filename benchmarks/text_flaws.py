"""Damage that a look counts, planted in any corpus by hand: what went wrong on the way to the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from detection_parts import Columns

from crossover.data.corpus import Corpus

GERMAN = (
    "Wir sehen uns heute Abend am Bahnhof, wenn der Zug nicht wieder zu spät kommt.",
    "Kannst du mir bitte noch sagen, wann die Besprechung am Freitag anfängt?",
    "Ich habe die Unterlagen gestern mit der Post geschickt und hoffe, dass sie angekommen sind.",
    "Das Essen war gut, aber die Rechnung ist höher, als ich gedacht hatte.",
    "Nächste Woche bin ich nicht da, bitte wende dich so lange an meinen Kollegen.",
)
SHARES, LARGER = (0.002, 0.005, 0.01, 0.05), (0.02, 0.05, 0.1, 0.2)


def chosen(columns: Columns, share: float, among: np.ndarray | None = None) -> list[int]:
    """Rows drawn at random: this share of all, or of those ``among``."""
    rows = np.arange(len(columns.texts)) if among is None else np.flatnonzero(among)
    found: list[int] = columns.draw.choice(rows, round(share * len(rows)), replace=False).tolist()
    return found


def mojibake(columns: Columns, share: float) -> None:
    """UTF-8 read as another encoding."""
    for row in chosen(columns, share):
        columns.texts[row] += " café".encode().decode("latin-1")


def lost(columns: Columns, share: float) -> None:
    """A character lost in decoding."""
    for row in chosen(columns, share):
        columns.texts[row] += " caf\ufffd"


def tags(columns: Columns, share: float) -> None:
    """A tag left in the text."""
    for row in chosen(columns, share):
        columns.texts[row] = f"<p>{columns.texts[row]}</p>"


def cut(columns: Columns, share: float) -> None:
    """The longest texts cut at one length."""
    limit = int(np.quantile([len(text) for text in columns.texts], 1 - share))
    columns.texts = [text[:limit] for text in columns.texts]


def foreign(columns: Columns, share: float) -> None:
    """Texts in another language."""
    for row in chosen(columns, share):
        columns.texts[row] = " ".join(columns.draw.choice(GERMAN, 3, replace=False).tolist())


def sorted_file(columns: Columns, share: float) -> None:
    """A share of the commonest class moved to the head of the file."""
    first = chosen(columns, share, columns.commonest())
    rest = np.setdiff1d(columns.order, first, assume_unique=True)
    columns.order = np.concatenate([first, rest]).astype(np.int64)


def missing(columns: Columns, share: float) -> None:
    """A region missing in a share of the commonest class."""
    for row in chosen(columns, share, columns.commonest()):
        columns.meta["region"][1][row] = None


def conflict(columns: Columns, share: float) -> None:
    """Copies of texts of another class."""
    rows = chosen(columns, 2 * share)
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
