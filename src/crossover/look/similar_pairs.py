"""Similar pairs: which of many texts share most of their character 5-grams, in memory that stays small.

Candidates come from MinHash with banding (Broder 1997; Leskovec, Rajaraman & Ullman, Mining of Massive
Datasets, ch. 3), and each is verified by its exact Jaccard similarity, so no pair is claimed that is not one;
:data:`RECALL` says how many may be missed.

Of each text only a sketch of under 1 KB is kept; the shingles of the few rows that are verified are made
again. Texts that a fixed stock of phrases writes meet by chance in a share of all pairs that does not fall
with their number: the time then grows with its square, at a rate of some million pairs a second, while the
memory stays linear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rensa
from scipy.sparse import csr_array

from crossover.data.free_memory import check_room

SHINGLE = 5
"""Characters in a shingle: word shingles do not exist for a text of four words."""

SHINGLED_CHARACTERS = 2_000
"""Near-duplicates are judged by this many leading characters of a text."""

PERMUTATIONS = 256
RECALL = 0.98
"""Least chance that a pair right at the threshold becomes a candidate; it rises with similarity."""

SEED = 1
MARGIN = 0.16
"""Candidates whose MinHash estimate is further than this (5 standard deviations) below the threshold
are not verified."""

LARGE_BUCKET = 500
LEADERS = 50
"""A bucket of more rows than LARGE_BUCKET is compared with up to LEADERS of its rows, not pair by pair: a
giant family of copies is found through its first member, and a phrase that thousands of unlike texts share
costs no square of their number. Pairs that meet in such buckets only, and under no leader, are missed."""

TEXTS_A_TIME, PAIRS_A_TIME, VERIFIED_A_TIME = 4_096, 1 << 18, 5_000

OnProgress = Callable[[int, int, str], None]
"""Told steps done, steps in all and what is being done."""

Pairs = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def similar_pairs(texts: Sequence[str], threshold: float, on_progress: OnProgress | None = None) -> Pairs:
    """Pairs (row, later row) of texts as they stand with Jaccard similarity >= threshold, shape (pairs, 2).

    Every pair returned is verified; a pair at the threshold is found with probability of at
    least :data:`RECALL`, up to chance collisions, a more similar one more surely.
    """
    if len(texts) < 2:
        return np.empty((0, 2), np.int64)
    say = on_progress or _say_nothing
    verify = _Verifier(texts, sketches(texts, threshold, say), threshold)
    bands = verify.sketches.keys
    for band, keys in enumerate(bands):
        say(band, len(bands), "comparing texts that share a band")
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], keys[order][1:] != keys[order][:-1]]))
        counts = np.diff(starts, append=len(order))
        for pairs in _within(order, starts, counts):
            verify.similar_of(pairs)
        for begin, count in zip(starts[counts > LARGE_BUCKET], counts[counts > LARGE_BUCKET], strict=True):
            _led(order[begin : begin + count], verify)
    say(len(bands), len(bands), "comparing texts that share a band")
    return np.column_stack(np.divmod(verify.similar, len(texts)))


def _say_nothing(done: int, of: int, what: str) -> None:
    """No progress is wanted."""


@dataclass(frozen=True, eq=False)
class Sketches:
    """What is kept of n texts: ``sizes`` (n,) of their sets of shingles, ``keys`` (bands, n), equal where two
    texts agree on a whole band of minima, and ``low`` (n, PERMUTATIONS), the lowest byte of each minimum."""

    sizes: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint32]
    low: npt.NDArray[np.uint8]


def sketches(texts: Sequence[str], threshold: float, say: OnProgress = _say_nothing) -> Sketches:
    """MinHash sketches of texts, banded for a threshold.

    Raises:
        BadInput: they would not fit the memory that is free.
    """
    rows = _band_rows(threshold)
    starts = range(0, PERMUTATIONS - rows + 1, rows)
    check_room(
        len(texts) * (8 + 4 * len(starts) + PERMUTATIONS),
        f"looking for near-duplicates among {len(texts):,} texts",
        "take a sample of the rows (data.take=200000)",
    )
    made = Sketches(
        np.empty(len(texts), np.int64),
        np.empty((len(starts), len(texts)), np.uint32),
        np.empty((len(texts), PERMUTATIONS), np.uint8),
    )
    for begin in range(0, len(texts), TEXTS_A_TIME):
        say(begin, len(texts), "sketching texts")
        part = slice(begin, begin + TEXTS_A_TIME)
        flat, offsets = _shingles(texts[part])
        matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
            flat, offsets.astype(np.uint64), PERMUTATIONS, SEED
        )
        signatures = np.array(matrix.to_rows(), dtype=np.uint32)
        made.sizes[part] = np.diff(offsets)
        made.low[part] = signatures.astype(np.uint8)
        for band, start in enumerate(starts):
            key = np.zeros(len(signatures), np.uint64)
            for column in range(start, start + rows):
                key = (key ^ signatures[:, column]) * _ODD
            # Of the 64 bits the upper 32 are kept: a collision can add a candidate, never lose one.
            made.keys[band, part] = key >> np.uint64(32)
    return made


class _Verifier:
    """Exact similarity of candidate pairs; a pair is verified once however often it is met.

    ``similar`` holds the pairs found so far, ascending, each as row * n + later row.
    """

    def __init__(self, texts: Sequence[str], made: Sketches, threshold: float) -> None:
        self.texts, self.sketches, self.threshold = texts, made, threshold
        self.similar = np.empty(0, np.int64)
        self._unlike = np.empty(0, np.int64)

    def similar_of(self, pairs: Pairs) -> Pairs:
        """The similar ones among pairs (row, later row), none of them given twice."""
        keys = pairs[:, 0] * len(self.texts) + pairs[:, 1]
        found = _among(keys, self.similar)
        likely = self._likely(keys[~found & ~_among(keys, self._unlike)])
        near = self._exact(likely)
        if len(likely):
            self.similar = np.sort(np.concatenate([self.similar, likely[near]]))
            self._unlike = np.sort(np.concatenate([self._unlike, likely[~near]]))
        return np.column_stack(np.divmod(np.concatenate([keys[found], likely[near]]), len(self.texts)))

    def _likely(self, keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those whose sizes and sketches allow the threshold. Equal low bytes can only raise an estimate."""
        a, b = np.divmod(keys, len(self.texts))
        sizes, low = self.sketches.sizes, self.sketches.low
        fits = np.minimum(sizes[a], sizes[b]) >= self.threshold * np.maximum(sizes[a], sizes[b])
        keys, a, b = keys[fits], a[fits], b[fits]
        least = (self.threshold - MARGIN) * PERMUTATIONS
        kept = np.empty(len(keys), bool)
        for start in range(0, len(keys), TEXTS_A_TIME):
            some = slice(start, start + TEXTS_A_TIME)
            kept[some] = np.count_nonzero(low[a[some]] == low[b[some]], axis=1) >= least
        likely: npt.NDArray[np.int64] = keys[kept]
        return likely

    def _exact(self, keys: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        near = np.empty(len(keys), bool)
        for start in range(0, len(keys), VERIFIED_A_TIME):
            part = slice(start, start + VERIFIED_A_TIME)
            rows, place = np.unique(np.divmod(keys[part], len(self.texts)), return_inverse=True)
            a, b = place.reshape(2, -1)
            flat, offsets = _shingles([self.texts[row] for row in rows.tolist()])
            # The hashes are the column numbers: a product of two rows then merges sorted lists.
            sets = csr_array(
                (np.ones(len(flat), np.int8), flat.astype(np.int64), offsets), shape=(len(rows), 2**62)
            )
            common = np.diff(sets[a].multiply(sets[b]).tocsr().indptr)
            sizes = np.diff(offsets)
            near[part] = common >= self.threshold * (sizes[a] + sizes[b] - common)
        return near


def _within(order: Pairs, starts: Pairs, counts: Pairs) -> Iterator[Pairs]:
    """All pairs within each bucket of up to LARGE_BUCKET rows, buckets of one size together."""
    for size in np.unique(counts[(counts > 1) & (counts <= LARGE_BUCKET)]).tolist():
        i, j = np.triu_indices(size, 1)
        begins = starts[counts == size]
        together = max(1, PAIRS_A_TIME // len(i))
        for k in range(0, len(begins), together):
            rows = order[begins[k : k + together, None] + np.arange(size)]
            yield np.column_stack([rows[:, i].ravel(), rows[:, j].ravel()])


def _led(rest: Pairs, verify: _Verifier) -> None:
    """A large bucket: its first row gathers those like it, then the first of the others, and so on."""
    for _ in range(LEADERS):
        if len(rest) <= LARGE_BUCKET:
            break
        near = verify.similar_of(np.column_stack([np.full(len(rest) - 1, rest[0]), rest[1:]]))
        rest = rest[1:][~np.isin(rest[1:], near[:, 1])]
    if 1 < len(rest) <= LARGE_BUCKET:
        i, j = np.triu_indices(len(rest), 1)
        verify.similar_of(np.column_stack([rest[i], rest[j]]))


def _among(keys: npt.NDArray[np.int64], known: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether each key is one of ``known``, which ascend."""
    if not len(known):
        return np.zeros(len(keys), bool)
    found: npt.NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys
    return found


def _band_rows(threshold: float) -> int:
    """Most rows a band may have so that a pair at the threshold meets with probability RECALL."""
    rows = 1
    while 1 - (1 - threshold ** (rows + 1)) ** (PERMUTATIONS // (rows + 1)) >= RECALL and rows < 32:
        rows += 1
    return rows


def _shingles(texts: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """The shingle hashes of all texts one after another, and the (texts + 1,) offsets of each."""
    hashes = [_shingle_hashes(text) for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in hashes], dtype=np.int64)])
    return np.concatenate([*hashes, np.empty(0, np.uint64)]), offsets


def _shingle_hashes(text: str) -> Hashes:
    """Sorted distinct 62-bit hashes of the shingles of the leading characters."""
    codes = np.frombuffer(text[:SHINGLED_CHARACTERS].encode("utf-32-le"), np.uint32).astype(np.uint64)
    if len(codes) < SHINGLE:
        codes = np.concatenate([codes, np.zeros(SHINGLE - len(codes), np.uint64)])
    count = len(codes) - SHINGLE + 1
    hashes = codes[:count]
    for k in range(1, SHINGLE):
        hashes = hashes * _ODD ^ codes[k : count + k]
    # The finaliser of splitmix64: neighbours in text must not be neighbours in hash.
    hashes = hashes * _ODD
    hashes = (hashes ^ hashes >> np.uint64(29)) * _MIX
    ordered = np.sort((hashes ^ hashes >> np.uint64(32)) >> np.uint64(2))
    # np.unique goes by a hash table, which takes six times as long on a few hundred numbers.
    distinct: Hashes = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    return distinct


_ODD, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
