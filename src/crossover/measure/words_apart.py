"""Words that set two groups of texts apart: weighted log-odds, P corrected for every word looked at.

The score of a word is the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn,
Fightin' Words, Political Analysis 16, 2008), over texts that hold the word and not over its occurrences: a
word repeated in one text is one piece of evidence. P is that of the largest |z| over all words when texts
are dealt to the groups at random (Westfall and Young 1993), exact for the search over words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_WORD = re.compile(r"\w\w+")
LONGEST = 10_000
"""Characters read of a text."""
FEWEST_TEXTS = 5
"""Texts that must hold a word, and that each group must have."""


@dataclass(frozen=True)
class Word:
    """A word: texts with it in either group, log-odds ratio over its standard error, corrected P."""

    word: str
    first: int
    second: int
    z: float
    p: float

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


def words_apart(
    first: Sequence[str],
    second: Sequence[str],
    most: int = 10,
    permutations: int = 999,
    seed: int = 0,
) -> list[Word]:
    """The words with the largest |z|, z > 0 marking those of ``first``; empty with under 5 texts a group.

    The prior of a word is its share among all texts given; its weight is the number of word types a text
    holds on average. Words in fewer than 5 texts are not looked at. Ties go by the word. Deterministic.
    """
    if min(len(first), len(second)) < FEWEST_TEXTS:
        return []
    matrix, names = _presence([*first, *second])
    if not names:
        return []
    member = np.zeros((permutations + 1, matrix.shape[0]))
    member[0, : len(first)] = 1.0
    draw = np.random.default_rng(seed)
    for row in range(1, permutations + 1):
        member[row, draw.permutation(matrix.shape[0])[: len(first)]] = 1.0
    counts = np.asarray(matrix.T @ member.T).T
    totals = member @ np.asarray(matrix.sum(axis=1)).ravel()
    z = _scores(counts, totals, np.asarray(matrix.sum(axis=0)).ravel(), matrix.shape[0])
    largest = np.abs(z[1:]).max(axis=1)
    order = sorted(range(len(names)), key=lambda k: (-abs(float(z[0, k])), names[k]))[:most]
    held = np.asarray(matrix.sum(axis=0)).ravel()
    return [
        Word(
            names[k],
            int(counts[0, k]),
            int(held[k] - counts[0, k]),
            float(z[0, k]),
            float((1 + (largest >= abs(z[0, k]) - 1e-12).sum()) / (permutations + 1)),
        )
        for k in order
    ]


def _presence(texts: Sequence[str]) -> tuple[csr_matrix, list[str]]:
    """(texts, words) of 0 and 1 for words in enough texts but not in all, and the words, sorted."""
    held = [set(_WORD.findall(text[:LONGEST].lower())) for text in texts]
    counts: dict[str, int] = {}
    for words in held:
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    names = sorted(word for word, count in counts.items() if FEWEST_TEXTS <= count < len(texts))
    column = {word: k for k, word in enumerate(names)}
    pairs = [(row, column[word]) for row, words in enumerate(held) for word in words if word in column]
    rows, columns = ([pair[k] for pair in sorted(pairs)] for k in (0, 1))
    return csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(texts), len(names))), names


def _scores(
    counts: NDArray[np.float64], totals: NDArray[np.float64], held: NDArray[np.float64], texts: int
) -> NDArray[np.float64]:
    """z of each word (columns) in each dealing (rows): Monroe et al., equations 16 to 22."""
    whole = float(held.sum())
    prior = held / whole * (whole / texts)
    weight = float(prior.sum())
    own, other = counts + prior, held - counts + prior
    rest_own = totals[:, None] + weight - own
    rest_other = whole - totals[:, None] + weight - other
    difference = np.log(own / rest_own) - np.log(other / rest_other)
    result: NDArray[np.float64] = difference / np.sqrt(1.0 / own + 1.0 / other)
    return result
