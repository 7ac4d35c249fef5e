"""FeatureStack: named blocks side by side, as a linear model reads them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Self, cast

import numpy as np
from scipy.sparse import csr_matrix, hstack

from crossover.data.bad_input import BadInput
from crossover.model.classifier import Arrays, Meta
from crossover.model.features import out_of_core
from crossover.model.features.block import FeatureBlock
from crossover.model.features.block_cache import Made, fingerprint, kept

NOTHING = "(no feature)"
"""Name of the one column of zeros that stands where no block found any."""


class FeatureStack:
    """Blocks by name, their columns joined in the order of the sorted names.

    The blocks given are settings and stay unfitted: the stack fits copies, or takes a block that was
    fitted with these settings on these rows before in this process (block_cache.py). Where no block
    has a column (every text empty) there is one column of zeros, so that a linear model falls back on
    the shares of the classes.

    Attributes:
        cost_: ``encode_seconds`` that the last matrix took, ``encode_seconds_cold`` it would have
            taken with nothing found.
    """

    def __init__(self, blocks: Mapping[str, FeatureBlock]) -> None:
        for name, block in blocks.items():
            if not isinstance(block, FeatureBlock):
                raise BadInput(
                    f"features.{name} is {block!r}, expected a feature block "
                    "(+feature@model.features.NAME=word_tfidf, char_tfidf, surface or declared_meta)"
                )
        self._given = {name: blocks[name] for name in sorted(blocks)}
        self._blocks = {name: copy.copy(block) for name, block in self._given.items()}
        self._fitted = dict.fromkeys(self._given, "")
        self.cost_: dict[str, float] = {}

    def fit(self, texts: Sequence[str], meta: Meta | None = None) -> Self:
        """Fit every block."""
        self.fit_transform(texts, meta)
        return self

    def fit_transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """Fit every block and join its columns."""
        rows = fingerprint(texts, meta)
        made = {}
        for name, block in self._given.items():
            made[name], self._fitted[name] = kept.fitted(copy.copy(block), texts, meta, rows)
        self._blocks = {name: one.block for name, one in made.items()}
        return self._join(list(made.values()), len(texts))

    def transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """(texts, len(names())) float64, row-wise sorted indices."""
        rows = fingerprint(texts, meta)
        made = [
            kept.transformed(block, self._fitted[name], texts, meta, rows)
            for name, block in self._blocks.items()
        ]
        return self._join(made, len(texts))

    def names(self) -> list[str]:
        """``block: column`` for each column."""
        names = [f"{name}: {column}" for name, block in self._blocks.items() for column in block.names()]
        return names or [NOTHING]

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Arrays as ``features/<block>/<name>``, plain values by block."""
        arrays: Arrays = {}
        plain: dict[str, object] = {}
        for name, block in self._blocks.items():
            inner, plain[name] = block.state()
            arrays.update({f"features/{name}/{key}": value for key, value in inner.items()})
        return arrays, plain

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self._blocks = {name: copy.copy(block) for name, block in self._given.items()}
        self._fitted = dict.fromkeys(self._given, "")
        for name, block in self._blocks.items():
            prefix = f"features/{name}/"
            inner = {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}
            block.restore(inner, cast(Mapping[str, object], plain[name]))

    def _join(self, made: list[Made], rows: int) -> csr_matrix:
        self.cost_ = {
            "encode_seconds": sum(one.now for one in made),
            "encode_seconds_cold": sum(one.seconds for one in made),
        }
        parts = [one.matrix for one in made]
        if not sum(part.shape[1] for part in parts):
            return csr_matrix((rows, 1), dtype=np.float64)
        if any(out_of_core.is_spooled(part) for part in parts):  # and read-only
            columns = sum(part.shape[1] for part in parts)
            joined = (hstack([part[some] for part in parts], "csr") for some in out_of_core.pieces(rows))
            return parts[0] if len(parts) == 1 else out_of_core.spooled(joined, columns)
        # A copy in any case: what is kept must not change with what a solver does to its columns.
        joined = parts[0].copy() if len(parts) == 1 else hstack(parts, format="csr")
        return csr_matrix(joined, dtype=np.float64)
