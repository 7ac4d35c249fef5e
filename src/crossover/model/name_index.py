"""Name index: in which shard and row a text's vector lies, by the SHA-256 of the text; 48 bytes a text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Names = NDArray[np.uint8]
Places = NDArray[np.int64]


class NameIndex:
    """Names of 32 bytes, added a shard at a time, found by binary search over their first 8 bytes.

    A dictionary would take five times the memory; the other 24 bytes are compared all the same.
    """

    def __init__(self) -> None:
        self._added: list[Names] = []
        self._names: Names = np.zeros((0, 32), np.uint8)
        self._heads: NDArray[np.uint64] = np.zeros(0, np.uint64)  # sorted
        self._rows: Places = np.zeros(0, np.int64)  # of each head, in _names
        self._starts: Places = np.zeros(0, np.int64)  # of each shard, in _names
        self._gone: NDArray[np.bool_] = np.zeros(0, bool)

    def add(self, names: Names) -> int:
        """Take in the (texts, 32) names of the next shard; its number, counted from 0."""
        self._added.append(np.ascontiguousarray(names))
        return len(self._gone) + len(self._added) - 1

    def drop(self, shard: int) -> None:
        """The shard is no more: its names are found in another one, or not at all."""
        self._merge()
        self._gone[shard] = True

    def find(self, names: Names) -> tuple[Places, Places]:
        """Shard and row of each of the (texts, 32) names; shard -1 where it is unknown.

        A name that several shards hold is found in the first of them.
        """
        self._merge()
        shards = np.full(len(names), -1, np.int64)
        rows = np.zeros(len(names), np.int64)
        heads = _heads(names)
        at = np.searchsorted(self._heads, heads)
        open_ = np.arange(len(names))
        while True:
            inside = at[open_] < len(self._heads)
            open_ = open_[inside]
            open_ = open_[self._heads[at[open_]] == heads[open_]]
            if not len(open_):
                return shards, rows
            places = self._rows[at[open_]]
            where = np.searchsorted(self._starts, places, side="right") - 1
            equal = (self._names[places] == names[open_]).all(axis=1) & ~self._gone[where]
            shards[open_[equal]] = where[equal]
            rows[open_[equal]] = (places - self._starts[where])[equal]
            open_ = open_[~equal]
            at[open_] += 1

    def _merge(self) -> None:
        if not self._added:
            return
        starts = len(self._names) + np.cumsum([0, *map(len, self._added)])[:-1]
        heads = np.concatenate([self._heads, *map(_heads, self._added)])
        rows = np.concatenate([self._rows, np.arange(len(self._names), len(heads))])
        order = np.argsort(heads, kind="stable")  # of equal names the earliest shard's comes first
        self._heads, self._rows = heads[order], rows[order]
        self._names = np.concatenate([self._names, *self._added])
        self._starts = np.concatenate([self._starts, starts])
        self._gone = np.concatenate([self._gone, np.zeros(len(self._added), bool)])
        self._added = []


def _heads(names: Names) -> NDArray[np.uint64]:
    return np.ascontiguousarray(names[:, :8]).view(np.uint64).ravel()
