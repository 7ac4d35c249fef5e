"""Word table: which texts hold which words, as one sparse table that several looks read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

READ = 4_000
"""Characters read of a text."""
FEWEST_TEXTS = 5
"""Texts that must hold a word; one that all hold is left out."""

_WORD = re.compile(r"\w\w+")


@dataclass(frozen=True, eq=False)
class WordTable:
    """``held`` (texts, words) of 0 and 1, and the words in the order of its columns, sorted."""

    held: csr_array
    words: tuple[str, ...]


def word_table(texts: Sequence[str]) -> WordTable:
    """The words, lower-cased, of two characters or more; numbers are words too."""
    number: dict[str, int] = {}
    found: list[int] = []
    ends = [0]
    for text in texts:
        for word in set(_WORD.findall(text[:READ].lower())):
            found.append(number.setdefault(word, len(number)))
        ends.append(len(found))
    columns = np.array(found, np.int64)
    counts = np.bincount(columns, minlength=len(number))
    kept = [w for w, k in number.items() if FEWEST_TEXTS <= counts[k] < len(texts)]
    kept.sort()
    place = np.full(len(number), -1, np.int64)
    place[[number[word] for word in kept]] = np.arange(len(kept))
    rows = np.repeat(np.arange(len(texts)), np.diff(ends))
    used = place[columns] >= 0 if len(columns) else np.zeros(0, bool)
    table = csr_array(
        (np.ones(int(used.sum())), (rows[used], place[columns[used]])), shape=(len(texts), len(kept))
    )
    return WordTable(table, tuple(kept))
