"""Oddness: how far each text stands from the others, with nothing to tune and a reason a row.

ECOD (Li, Zhao, Hu, Botta, Ionescu and Chen, IEEE TKDE 2022): of each trait the share of texts at least as low
and at least as high is counted, and minus its logarithm summed over the traits, once over the low tails, once
over the high ones, once over the tail that a trait's skewness points to; the largest sum is the score. Traits
count as if independent, so the score orders rows and is no probability.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

READ = 2_000
"""Characters of a text whose words and characters are weighed."""

_WORD = re.compile(r"\w+")

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Oddness:
    """``score`` (rows,), larger is odder; ``trait`` says, for each row, what adds most to it: rare words,
    rare characters, many or few of a number."""

    score: Numbers
    trait: tuple[str, ...]


def oddness(texts: Sequence[str], numbers: Mapping[str, NDArray[np.generic]]) -> Oddness:
    """Score the texts by the rarity of their words and characters and by numbers already taken of them.

    Args:
        numbers: trait -> one finite number a text.
    """
    if not texts:
        return Oddness(np.zeros(0), ())
    rare = {
        "rare words": rarity(texts, lambda text: _WORD.findall(text.lower())),
        "rare characters": rarity(texts, lambda text: text),
    }
    low, high, skewed = (np.zeros((len(rare) + len(numbers), len(texts))) for _ in range(3))
    for k, values in enumerate([*rare.values(), *numbers.values()]):
        floats = np.asarray(values, np.float64)
        low[k], high[k] = _tails(floats)
        if k < len(rare):
            low[k] = 0.0  # common words are not odd
        skewed[k] = low[k] if k >= len(rare) and _skewness(floats) < 0 else high[k]
    sums = np.stack([part.sum(axis=0) for part in (low, high, skewed)])
    tails = np.concatenate([high, low])
    names = [*rare, *(f"many {name}" for name in numbers), *rare, *(f"few {name}" for name in numbers)]
    return Oddness(sums.max(axis=0), tuple(names[k] for k in tails.argmax(axis=0).tolist()))


def rarity(texts: Sequence[str], pieces: Callable[[str], Iterable[str]]) -> Numbers:
    """(rows,) bits a distinct piece of a text surprises by on average, given the *other* texts.

    A piece that k of the n - 1 other texts hold has -log2((k + 1/2) / n) bits: a text is never expected
    because of itself. A text without pieces has 0.
    """
    number: dict[str, int] = {}
    rows = [
        np.array([number.setdefault(piece, len(number)) for piece in set(pieces(text[:READ]))], np.int64)
        for text in texts
    ]
    flat = np.concatenate([*rows, np.empty(0, np.int64)])
    others = np.bincount(flat, minlength=len(number)) - 1
    sizes = np.array([len(row) for row in rows])
    owner = np.repeat(np.arange(len(rows)), sizes)
    bits = -np.log2((others + 0.5) / len(texts))
    summed = np.bincount(owner, bits[flat], minlength=len(rows))
    mean: Numbers = np.asarray(summed / np.maximum(sizes, 1), np.float64)
    return mean


def _tails(values: Numbers) -> tuple[Numbers, Numbers]:
    """-log of the share of rows as low or lower, and as high or higher; rows that tie share it."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    up_to = np.cumsum(counts)
    from_on = len(values) - up_to + counts
    n = len(values)
    return -np.log(up_to / n)[place], -np.log(from_on / n)[place]


def _skewness(values: Numbers) -> float:
    centred = values - values.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    return float(np.mean((centred / spread) ** 3)) if spread > 0 else 0.0
