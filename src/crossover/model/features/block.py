"""FeatureBlock: one named group of text features, fitted on training rows only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from scipy.sparse import csr_matrix

from crossover.data.bad_input import BadInput
from crossover.model.classifier import Arrays, Meta


class FeatureBlock(ABC):
    """Turns texts (and the meta columns of the same rows) into columns of numbers.

    ``__init__`` only stores the settings; what ``fit`` learns ends in ``_`` and sees training
    rows only. Any text is taken: empty ones, identical ones, a megabyte without a space.

    Attributes:
        behaviour_version: raised when the same settings come to mean something else.
    """

    behaviour_version: ClassVar[int] = 1

    @abstractmethod
    def fit(self, texts: Sequence[str], meta: Meta | None = None) -> Self:
        """Learn vocabulary, scale or categories from training rows."""

    @abstractmethod
    def transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """(texts, len(names())) float64 matrix; a row depends on its own text and meta only."""

    def fit_transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """Fit, and transform the same rows; overridden where one pass does both."""
        return self.fit(texts, meta).transform(texts, meta)

    @abstractmethod
    def names(self) -> list[str]:
        """One name a column, after fitting."""

    @abstractmethod
    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Learned state as arrays and plain JSON values."""

    @abstractmethod
    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""

    def _require_fitted(self, attribute: str) -> None:
        if not hasattr(self, attribute):
            raise BadInput(f"{type(self).__name__} is not fitted; call fit first or load a saved one")
