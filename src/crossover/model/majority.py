"""Majority: the shares of the classes, whatever the text says; the floor under every comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Rows
from crossover.model.classifier import Arrays, Classifier, Meta


class Majority(Classifier):
    """Predicts each class's share of the training rows; one class among them is enough.

    Args:
        seed: not used; every classifier takes one.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Count the labels."""
        self._begin(texts, labels, classes, least=1)
        counts = np.array([list(labels).count(name) for name in classes], dtype=np.float64)
        self.shares_: NDArray[np.float64] = counts / counts.sum()
        self.parameters_ = len(classes) - 1
        return self

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes): the same shares in every row."""
        self._require_fitted()
        return np.tile(self.shares_, (len(texts), 1))

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """The shares."""
        self._require_fitted()
        return {"shares": self.shares_}, {}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self.shares_ = arrays["shares"].astype(np.float64)
        self.parameters_ = len(self.shares_) - 1
