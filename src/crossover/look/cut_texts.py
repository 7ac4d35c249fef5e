"""Cut texts: many more texts of exactly one length than of those beside it, as a limit upstream leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding

SHORTEST = 30
"""Shorter texts are often alike in length without being cut."""
WINDOW, LEAST_REACH = 0.1, 10
"""Lengths beside, as a share of the length and at least, that say how many texts to expect."""
SHARE_FLOOR, TIMES_FLOOR = 0.01, 3.0
"""Least share of the texts that have the length, and least ratio to the commonest length beside it, for a
warning: texts of equal words have lengths in steps."""


def cut_texts(corpus: Corpus, rows: NDArray[np.int64]) -> list[Finding]:
    """The length in characters that most exceeds its neighbours: binomial within the window, Bonferroni.

    Args:
        rows: one row of each cluster of copies (dependence.py): copies have one length without being cut.
    """
    lengths = np.array([len(corpus.texts[row]) for row in rows.tolist()], np.int64)
    if not len(lengths) or lengths.max() < SHORTEST:
        return []
    counts = np.bincount(lengths)
    totals = np.concatenate([[0], np.cumsum(counts)])
    tried = np.flatnonzero(counts[SHORTEST:] > 1) + SHORTEST
    if not len(tried):
        return []
    reach = np.maximum(LEAST_REACH, (WINDOW * tried).astype(np.int64))
    # A limit has nothing above it: the lengths below it alone say what to expect, or both sides, the more.
    low, high = tried - reach, np.minimum(tried + reach, len(counts) - 1)
    below = totals[tried] - totals[low]
    above = totals[high + 1] - totals[tried + 1]
    beside = np.maximum(below, above) / reach
    p = binom.sf(counts[tried] - 1, counts[tried] + np.maximum(below, above), 1 / (1 + reach))
    # Every length between the shortest and the longest might have been the one.
    different = int((counts[SHORTEST:] > 0).sum())
    best = int(np.argmin(p))
    length, count = int(tried[best]), int(counts[tried[best]])
    expected = float(beside[best])
    near = np.concatenate([counts[low[best] : length], counts[length + 1 : high[best] + 1]])
    commonest = int(near.max(initial=0))
    large = count >= SHARE_FLOOR * len(lengths) and count >= TIMES_FLOOR * max(commonest, 1)
    longer = int((lengths > length).sum())
    return [
        Finding(
            "cut-texts",
            "warning" if large else "info",
            f"{count:,} texts have exactly {length:,} characters, where {expected:.1f} would be expected; "
            f"{longer:,} are longer",
            {
                "length": length,
                "texts": count,
                "expected": expected,
                "commonest_beside": commonest,
                "longer": longer,
                "share": count / len(lengths),
                "share_floor": SHARE_FLOOR,
                "times_floor": TIMES_FLOOR,
                "looked_at": different,
                "test": "binomial against the lengths beside it, Bonferroni over lengths; one row a cluster",
            },
            "look how these texts end: if they were cut upstream, bring them whole, or cut every class alike"
            if large
            else "",
            min(1.0, float(p[best]) * different),
        )
    ]
