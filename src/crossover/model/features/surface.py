"""Surface features: how a text looks, not what it says."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from crossover.data.bad_input import BadInput
from crossover.model.classifier import Arrays, Meta
from crossover.model.features.block import FeatureBlock

NAMES = (
    "log_characters",
    "log_tokens",
    "capital_share",
    "digit_share",
    "punctuation_share",
    "log_urls",
    "empty",
)
_URL = re.compile(r"(?:https?://|www\.)\S", re.IGNORECASE)


class Surface(FeatureBlock):
    """Length, tokens, capitals, digits, punctuation, URLs and emptiness, standardised on train.

    Counts enter as ln(1 + count), so that one very long text does not outweigh every word;
    shares are of the characters. A text of white space and invisible marks only is empty. A
    column that is constant in train is left at 0 there (its spread is taken as 1).

    Args:
        columns: which of :data:`NAMES`, in their order; None is all of them.
    """

    def __init__(self, columns: list[str] | None = None) -> None:
        self.columns = columns

    def fit(self, texts: Sequence[str], meta: Meta | None = None) -> Self:
        """Mean and standard deviation of each column over these rows.

        Raises:
            BadInput: ``columns`` names none, or one there is not.
        """
        unknown = sorted(set(self.columns or []) - set(NAMES))
        if unknown or self.columns == []:
            raise BadInput(
                f"Surface: columns={self.columns}; expected some of {list(NAMES)}, or null for all"
            )
        raw = self._raw(texts)
        self.mean_: NDArray[np.float64] = raw.mean(axis=0)
        spread = raw.std(axis=0)
        # Rounding leaves a constant column a spread of some 1e-17 instead of 0.
        self.spread_: NDArray[np.float64] = np.where(spread > 1e-12, spread, 1.0)
        return self

    def transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """(texts, columns) standardised columns, in the order of :data:`NAMES`."""
        self._require_fitted("mean_")
        return csr_matrix((self._raw(texts) - self.mean_) / self.spread_)

    def names(self) -> list[str]:
        """The names of the columns."""
        return [name for name in NAMES if self.columns is None or name in self.columns]

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Mean and spread."""
        self._require_fitted("mean_")
        return {"mean": self.mean_, "spread": self.spread_}, {}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self.mean_ = arrays["mean"].astype(np.float64)
        self.spread_ = arrays["spread"].astype(np.float64)

    def _raw(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return _raw(texts)[:, [NAMES.index(name) for name in self.names()]]


def _raw(texts: Sequence[str]) -> NDArray[np.float64]:
    return np.array([_row(text) for text in texts], dtype=np.float64).reshape(len(texts), len(NAMES))


def _row(text: str) -> list[float]:
    size = max(1, len(text))
    # Category P* is punctuation; Z* and C* are spaces, controls and invisible marks.
    kinds = [unicodedata.category(character)[0] for character in text]
    return [
        math.log1p(len(text)),
        math.log1p(len(text.split())),
        sum(map(str.isupper, text)) / size,
        sum(map(str.isdigit, text)) / size,
        kinds.count("P") / size,
        math.log1p(sum(1 for _ in _URL.finditer(text))),
        float(all(kind in "ZC" for kind in kinds)),
    ]
