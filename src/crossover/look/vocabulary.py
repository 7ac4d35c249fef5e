"""Vocabulary: the words each class over-uses against the others. It describes, and tests nothing.

The score is the signed root of the log-likelihood ratio (Dunning, Computational Linguistics 19, 1993) over
texts that hold a word, about standard normal for a word the class does not matter to. The weighted log-odds
of measure/words_apart.py are not used here: they rate a word that one class alone has, such as a signature,
below a commoner one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from crossover.look.finding import Finding
from crossover.look.word_table import WordTable

MOST_CLASSES = 100
LEAST_Z = 2.0


@dataclass(frozen=True)
class ClassWord:
    """A word of a class: texts of the class and of the others that hold it, their shares, and z."""

    word: str
    texts: int
    others: int
    share: float
    share_of_others: float
    z: float

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


def vocabulary(
    table: WordTable, labels: Sequence[str | None], most: int = 12
) -> Mapping[str, tuple[ClassWord, ...]]:
    """For each class, sorted, the words with the largest z above 2; no class with under 5 texts on a side.

    Args:
        table: of the texts whose labels are given.
        labels: None where missing: those texts are left out.
    """
    known = np.array([label is not None for label in labels], bool)
    names = sorted({label for label in labels if label is not None})[:MOST_CLASSES]
    held = table.held[np.flatnonzero(known)]
    given = np.array([label for label in labels if label is not None], object)
    if not table.words or not len(given):
        return {}
    member = np.array([given == name for name in names], float)
    sizes = member.sum(axis=1)
    counts = np.asarray((held.T @ member.T).T)
    texts = np.asarray(held.sum(axis=0)).ravel()
    # Unlabelled texts may be all that hold a word.
    some = np.flatnonzero(texts > 0)
    counts, texts = counts[:, some], texts[some]
    z = _scores(counts, sizes[:, None], texts, len(given))
    found = {}
    for k, name in enumerate(names):
        rest = len(given) - sizes[k]
        if min(sizes[k], rest) < 5:
            continue
        order = sorted(range(len(some)), key=lambda w: (-z[k, w], table.words[some[w]]))[:most]
        found[name] = tuple(
            ClassWord(
                table.words[some[w]], int(counts[k, w]), int(texts[w] - counts[k, w]),
                float(counts[k, w] / sizes[k]), float((texts[w] - counts[k, w]) / rest), float(z[k, w]),
            )
            for w in order
            if z[k, w] > LEAST_Z
        )  # fmt: skip
    return found


def _scores(
    counts: NDArray[np.float64], sizes: NDArray[np.float64], texts: NDArray[np.float64], total: int
) -> NDArray[np.float64]:
    """Signed root of G squared of the table word or not by class or not, for each class and word."""
    ratio = np.zeros_like(counts)
    for rows, held in ((sizes, counts), (total - sizes, texts - counts)):
        for seen, share in ((held, texts / total), (rows - held, 1 - texts / total)):
            ratio += xlogy(seen, np.where(seen > 0, seen, 1) / np.maximum(rows * share, 1e-300))
    sign = np.sign(counts - sizes * texts / total)
    return np.asarray(sign * np.sqrt(2 * np.maximum(ratio, 0)))


def vocabulary_finding(words: Mapping[str, Sequence[ClassWord]], read: int) -> list[Finding]:
    """One finding that describes: the first words of each class."""
    if not any(words.values()):
        return []
    name, most = max(words.items(), key=lambda item: (len(item[1]) and item[1][0].z, item[0]))
    first = most[0]
    return [
        Finding(
            "words-of-a-class",
            "info",
            f"the word that sets a class apart most is {first.word!r}: in {first.share:.1%} of {name!r}, in "
            f"{first.share_of_others:.1%} of the others",
            {
                "words": {label: [word.to_json() for word in found[:5]] for label, found in words.items()},
                "texts_read": read,
            },
        )
    ]
