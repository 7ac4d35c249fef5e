"""Blocks fitted and matrices made in this process, so that a study of hundreds of runs makes each once.

A fitted block is found again by its settings and the rows it was fitted on, a matrix by that and the
rows it is of: the same objects, hence the same bits, as if they had been made anew.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.sparse import csr_matrix

from crossover.model.classifier import Meta
from crossover.model.features.block import FeatureBlock

BYTES = 128 * 2**20
"""Memory that may be held; what was not used for longest goes first."""
FEWEST_ROWS = 32
"""Fewer rows are not kept: making them anew is cheap, and a latency must be that of a text not met before."""
_BYTES_A_NAME = 200


@dataclass(frozen=True)
class Made:
    """A fitted block with the matrix of some rows, and the seconds they took to make."""

    block: FeatureBlock
    matrix: csr_matrix
    seconds: float
    now: float
    """Seconds spent on this call; 0 where it was found."""


class BlockCache:
    """Least recently used matrices and fitted blocks, within ``most`` bytes."""

    def __init__(self, most: int = BYTES) -> None:
        self.most = most
        self._held: OrderedDict[str, tuple[Made, int]] = OrderedDict()
        self._bytes = 0

    def fitted(
        self, block: FeatureBlock, texts: Sequence[str], meta: Meta | None, rows: str
    ) -> tuple[Made, str]:
        """``block`` fitted on these rows and their matrix, and the key under which others are made of it.

        ``rows`` is their :func:`fingerprint`, empty where they have none. ``block`` is fitted itself
        where nothing is found; what is found is shared and must not be fitted again.
        """
        key = _join(settings_of(block), rows)
        found = self._found(key)
        if found is None:
            began = time.perf_counter()
            matrix = block.fit_transform(texts, meta)
            found = Made(block, matrix, (took := time.perf_counter() - began), took)
            self._keep(key, found, len(texts), len(block.names()) * _BYTES_A_NAME)
        return found, key

    def transformed(
        self, block: FeatureBlock, fitted: str, texts: Sequence[str], meta: Meta | None, rows: str
    ) -> Made:
        """The matrix of these rows by a fitted block, ``fitted`` being its key."""
        key = _join(fitted, rows and f"of {rows}")
        found = self._found(key)
        if found is None:
            began = time.perf_counter()
            matrix = block.transform(texts, meta)
            found = Made(block, matrix, (took := time.perf_counter() - began), took)
            self._keep(key, found, len(texts), 0)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._bytes = 0

    def _found(self, key: str) -> Made | None:
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        made, _ = self._held[key]
        return Made(made.block, made.matrix, made.seconds, 0.0)

    def _keep(self, key: str, made: Made, rows: int, more: int) -> None:
        matrix = made.matrix
        size = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes + more
        if not key or rows < FEWEST_ROWS or size > self.most:
            return
        self._held[key] = (made, size)
        self._bytes += size
        while self._bytes > self.most:
            _, (_, freed) = self._held.popitem(last=False)
            self._bytes -= freed


def fingerprint(texts: Sequence[str], meta: Meta | None) -> str:
    """SHA-256 of texts and meta columns; empty where a meta value is no plain one."""
    try:
        plain = json.dumps([list(texts), {name: list(values) for name, values in (meta or {}).items()}])
    except TypeError:
        return ""
    return hashlib.sha256(plain.encode("ascii")).hexdigest()


def settings_of(block: FeatureBlock) -> str:
    """A block's class, version and settings as text; empty where a setting is no plain value."""
    kind = type(block)
    settings = {name: value for name, value in vars(block).items() if not name.endswith("_")}
    name = f"{kind.__module__}.{kind.__qualname__}"
    try:
        return json.dumps([name, kind.behaviour_version, settings], sort_keys=True)
    except TypeError:
        return ""


def _join(first: str, second: str) -> str:
    return f"{first} {second}" if first and second else ""


kept = BlockCache()
"""That of this process."""
