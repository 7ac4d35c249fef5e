"""Telling marks: words, pairs, runs of signs and whole lines that stand in texts of one class almost only.

They are looked for in training rows, and confirmed on others. No count can tell a mark of the matter (a
topic's own word) from a mark of where the text came from: a mark here is a candidate to be judged.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from crossover.measure.interval import clopper_pearson

KINDS = ("line", "signs", "pair", "word")
LONGEST = 10_000
"""Characters read of a text."""
FEWEST_CARRIERS = 10
"""Training rows (clusters of rows) that must carry a mark."""
LEAST_RECALL = 0.01
"""Share of its class's training rows that a mark must stand in to be listed."""
ALIKE = 0.8
"""Marks whose carriers overlap by so much (Jaccard) are one mark."""
LINES = 3
"""Lines read at the beginning and at the end of a text."""

_WORD = re.compile(r"\w\w+")
_SIGNS = re.compile(r"[^\w\s]+")


@dataclass(frozen=True)
class TellingMark:
    """A mark that singles out a class among the training rows.

    ``members`` are the literals that make it up, the longest first, each of them carried by nearly the
    same rows; ``carriers`` training rows hold it, ``precision`` of them and ``recall`` of the class's
    rows being of class number ``label``. ``excess`` is how many more of its carriers are of the class
    than would be by chance.
    """

    kind: str
    members: tuple[str, ...]
    label: int
    carriers: int
    precision: float
    recall: float
    excess: float

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**asdict(self), "members": list(self.members)}


@dataclass(frozen=True)
class Confirmed:
    """A mark on rows that it was not chosen on.

    ``carriers`` rows (or clusters) carry it, ``hits`` of them of its class: ``precision`` with exact
    bounds ``low`` and ``high``; ``p`` is that of so many hits if the mark said nothing of the class.
    """

    carriers: int
    hits: int
    precision: float | None
    low: float
    high: float
    p: float

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


def telling_marks(
    texts: Sequence[str],
    gold: NDArray[np.int64],
    precision: float = 0.95,
    most: int = 10,
    clusters: Sequence[Hashable] | None = None,
) -> list[TellingMark]:
    """The marks that are purest and explain most, at most ``most`` of them.

    Args:
        texts: of the training rows.
        gold: (n,) class numbers.
        precision: share of the other classes' rows, as many as chance would bring, that a mark must keep out.
        most: marks given.
        clusters: of each row; rows of a cluster count once, so that a copied text is no evidence.
    """
    rows = _one_a_cluster(len(texts), clusters)
    labels = gold[rows]
    classes = int(gold.max()) + 1 if len(gold) else 0
    held = _carriers([texts[k] for k in rows])
    sizes = np.bincount(labels, minlength=classes)
    found = []
    for (kind, mark), carrying in held.items():
        if len(carrying) < FEWEST_CARRIERS:
            continue
        counts = np.bincount(labels[carrying], minlength=classes)
        top = int(np.argmax(counts))
        share, recall = counts[top] / len(carrying), counts[top] / sizes[top]
        enough = purity(precision, sizes[top] / len(labels))
        if share >= enough and recall >= LEAST_RECALL and sizes[top] < len(labels):
            excess = float(counts[top] - len(carrying) * sizes[top] / len(labels))
            found.append((excess, kind, mark, carrying, top, float(share), float(recall)))
    found.sort(key=lambda one: (-one[0], KINDS.index(one[1]), one[2]))
    return _grouped(found, most)


def purity(precision: float, share: float) -> float:
    """Share of a mark's carriers that must be of a class with this share of all rows.

    At .95 a mark of half of the rows needs .975, one of nine tenths .995: what is nearly always right by
    chance is not too good to be true.
    """
    return 1.0 - (1.0 - precision) * (1.0 - share)


def confirm(
    carried: NDArray[np.bool_],
    of_class: NDArray[np.bool_],
    level: float = 0.95,
    clusters: NDArray[np.int64] | None = None,
) -> Confirmed:
    """A mark on (m,) held-out rows: who carries it, and who is of its class.

    With clusters each counts once, by its first row. ``p`` is the upper binomial tail at the share of
    the class among all rows.
    """
    if clusters is not None:
        # A cluster is represented by its first carrier, where it has one.
        ordered = np.argsort(~carried, kind="stable")
        first = ordered[np.unique(clusters[ordered], return_index=True)[1]]
        carried, of_class = carried[first], of_class[first]
    count, hits = int(carried.sum()), int((carried & of_class).sum())
    if not count:
        return Confirmed(0, 0, None, 0.0, 1.0, 1.0)
    low, high = clopper_pearson(float(hits), float(count), level)
    p = float(stats.binom.sf(hits - 1, count, of_class.mean()))
    return Confirmed(count, hits, hits / count, float(low), float(high), min(1.0, p))


def _one_a_cluster(count: int, clusters: Sequence[Hashable] | None) -> list[int]:
    if clusters is None:
        return list(range(count))
    first: dict[Hashable, int] = {}
    for row, cluster in enumerate(clusters):
        first.setdefault(cluster, row)
    return list(first.values())


def _carriers(texts: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    held: dict[tuple[str, str], list[int]] = {}
    for row, text in enumerate(texts):
        for mark in set(_marks_of(text[:LONGEST])):
            held.setdefault(mark, []).append(row)
    return held


def _marks_of(text: str) -> Iterator[tuple[str, str]]:
    lower = text.lower()
    before = None
    for found in _WORD.finditer(lower):
        yield "word", found.group()
        # Only words with one blank between them: so the pair is a literal that can be removed.
        if before is not None and lower[before.end() : found.start()] == " ":
            yield "pair", f"{before.group()} {found.group()}"
        before = found
    for found in _SIGNS.finditer(lower):
        yield "signs", found.group()
    lines = [line.strip() for line in lower.split("\n") if line.strip()]
    if len(lines) > 1:
        for line in {*lines[:LINES], *lines[-LINES:]}:
            yield "line", line


_Found = tuple[float, str, str, list[int], int, float, float]


def _grouped(found: Sequence[_Found], most: int) -> list[TellingMark]:
    """Marks carried by the same rows put together, in order of what they explain."""
    groups: list[tuple[_Found, set[int], list[_Found]]] = []
    for one in found:
        rows = set(one[3])
        home = next((g for g in groups if one[4] == g[0][4] and _jaccard(rows, g[1]) >= ALIKE), None)
        if home is not None:
            home[2].append(one)
        elif len(groups) < most:
            groups.append((one, rows, [one]))
    made = []
    for (excess, _, _, carrying, label, precision, recall), _, members in groups:
        marks = sorted(members, key=lambda m: (KINDS.index(m[1]) > 0, -len(m[2]), m[2]))
        kept: list[str] = []
        for member in marks:
            if not any(member[2] in longer for longer in kept):
                kept.append(member[2])
        kind = marks[0][1]
        made.append(TellingMark(kind, tuple(kept), label, len(carrying), precision, recall, excess))
    return made


def _jaccard(a: set[int], b: set[int]) -> float:
    both = len(a & b)
    return both / (len(a) + len(b) - both)
