"""Word spikes: a word that for some days is everywhere, and hardly anywhere before and after.

Numbers and names of months are left out: they follow the calendar by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import rel_entr
from scipy.stats import hypergeom

from crossover.data.corpus import Corpus
from crossover.look.bins import moments_of
from crossover.look.finding import Finding
from crossover.look.word_table import FEWEST_TEXTS, WordTable

WINDOWS = (1, 2, 4, 8)
"""Lengths of the windows looked at, in steps: a day, or the span over STEPS where that is longer."""
STEPS = 128
SHARE_FLOOR, TIMES_FLOOR = 0.1, 5.0
"""A spike is in at least this share of the texts of its days, and so many times as frequent as elsewhere."""

EXACT = 200
"""Cells of a window length whose P is computed."""

_MONTHS = """
january february march april may june july august september october november december jan feb mar
apr jun jul aug sep sept oct nov dec januar februar märz mai juni juli oktober dezember janvier
février mars avril juin juillet août septembre octobre novembre décembre enero febrero marzo abril
mayo junio julio agosto septiembre octubre noviembre diciembre gennaio febbraio aprile maggio giugno
luglio settembre ottobre dicembre janeiro fevereiro março maio junho julho setembro outubro novembro
dezembro januari februari maart mei augustus
"""


@dataclass(frozen=True, order=True)
class _Spike:
    """A word in a window of days; the best one is the smallest: above the floors first, then by P."""

    small: bool
    p: float
    word: str
    day: int
    days: int
    seen: int
    texts: int
    elsewhere: float


def word_spikes(corpus: Corpus, table: WordTable, rows: NDArray[np.int64]) -> list[Finding]:
    """For each time column the word and window least likely by chance: hypergeometric, Bonferroni over all.

    Args:
        table: of the texts of ``rows``, in their order.
        rows: one row of each cluster of copies (dependence.py): a campaign is no spike of its every word.
    """
    calendar = frozenset(_MONTHS.split())
    followed = [k for k, word in enumerate(table.words) if word not in calendar and not word.isdigit()]
    findings = []
    for name, kind in corpus.meta.items():
        if kind == "time" and followed:
            moments = moments_of(corpus.meta_values(name))[rows]
            timed = np.flatnonzero(~np.isnat(moments))
            days = moments[timed].astype("datetime64[D]").astype(np.int64)
            words = [table.words[k] for k in followed]
            findings += _looked_for(table.held[timed][:, followed], words, days, name)
    return findings


def _looked_for(held: csr_array, words: list[str], days: NDArray[np.int64], time: str) -> list[Finding]:
    if len(days) < 2 * FEWEST_TEXTS:
        return []
    width = max(1, -(-(int(np.ptp(days)) + 1) // STEPS))
    step = (days - days.min()) // width
    steps = int(step.max()) + 1
    bins = csr_array((np.ones(len(step)), (np.arange(len(step)), step)), shape=(len(step), steps))
    counts, texts = (held.T @ bins).tocsr(), np.bincount(step, minlength=steps)
    totals = np.asarray(held.sum(axis=0)).ravel()
    lengths = [length for length in WINDOWS if 2 * length <= steps]
    best: list[_Spike] = []
    for length in lengths:
        windows = steps - length + 1
        # Column w sums the steps w to w + length - 1.
        inside = np.add.outer(np.arange(windows), np.arange(length)).ravel()
        joined = csr_array(
            (np.ones(windows * length), (inside, np.repeat(np.arange(windows), length))),
            shape=(steps, windows),
        )
        sums, sizes = (counts @ joined).tocoo(), texts @ joined.toarray()
        # What is seen less than twice as often as expected cannot be the least likely.
        kept = (sums.data >= FEWEST_TEXTS) & (sums.data > 2 * totals[sums.row] * sizes[sums.col] / len(step))
        word, window, seen = sums.row[kept], sums.col[kept], sums.data[kept]
        size, rows = sizes[window], len(step)
        elsewhere = (totals[word] - seen) / np.maximum(rows - size, 1)
        small = (seen < SHARE_FLOOR * size) | (seen < TIMES_FLOOR * elsewhere * size)
        # The exact tail is dear: it is had for the cells that its exponent says are least likely.
        likely = np.lexsort(
            (window, word, -_exponent(seen / totals[word], size / rows) * totals[word], small)
        )
        word, window, seen, size, elsewhere, small = (
            cells[likely[:EXACT]] for cells in (word, window, seen, size, elsewhere, small)
        )
        p = hypergeom.sf(seen - 1, rows, totals[word], size)
        for k in np.lexsort((window, word, p, small))[:1].tolist():
            best.append(
                _Spike(
                    bool(small[k]), float(p[k]), words[word[k]], int(days.min() + window[k] * width),
                    length * width, int(seen[k]), int(size[k]), float(elsewhere[k]),
                )
            )  # fmt: skip
    tests = len(words) * sum(steps - length + 1 for length in lengths)
    return [_finding(min(best), tests, time)] if best else [_nothing(time)]


def _exponent(share: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divergence of the share of a word's texts that lie in a window from the share expected there."""
    return np.asarray(rel_entr(share, expected) + rel_entr(1 - share, 1 - expected))


def _nothing(time: str) -> Finding:
    return Finding(f"word-spike-{time}", "info", f"no word stands out in some days of {time}", p_value=1.0)


def _finding(spike: _Spike, tests: int, time: str) -> Finding:
    share, since = spike.seen / spike.texts, str(np.datetime64(spike.day, "D"))
    return Finding(
        f"word-spike-{time}",
        "info" if spike.small else "warning",
        f"{spike.word!r} is in {share:.1%} of the texts of {spike.days} days from {since} on, else in "
        f"{spike.elsewhere:.1%}",
        {
            "time": time,
            "word": spike.word,
            "since": since,
            "days": spike.days,
            "texts": spike.seen,
            "share": share,
            "share_elsewhere": spike.elsewhere,
            "share_floor": SHARE_FLOOR,
            "times_floor": TIMES_FLOOR,
            "looked_at": tests,
            "test": "hypergeometric, Bonferroni over words and windows; one row a cluster",
        },
        ""
        if spike.small
        else "read some of these texts; if the word means nothing for the label, take it out before "
        f"training, and score the days apart (split=temporal split.time={time})",
        min(1.0, tests * spike.p),
    )
