"""k nearest neighbours by the cosine of a frozen encoder's vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model.classifier import Arrays, Classifier, Meta
from crossover.model.embedding_cache import add_cost
from crossover.model.encoder.encoder import Encoder

_QUERIES = 256
_GRAIN = 1e-6


class NearestNeighbour(Classifier):
    """Vote shares of the k training rows with the largest cosine (Cover & Hart, 1967).

    Probabilities are (votes + smoothing · class share) / (k + smoothing), where class shares are
    those of the training rows; so a tie among votes goes to the class more frequent there, and no
    class seen in training gets 0. Cosines are compared to six decimals; rows that tie are taken
    in the order of their text, then label, so the order of the rows changes nothing.

    Args:
        encoder: the frozen encoder.
        k: neighbours that vote, at least 1; all rows where there are fewer.
        smoothing: weight of the class shares, in votes, above 0.
        seed: not used; every classifier takes one.
    """

    search_space: ClassVar[Mapping[str, Sequence[object]]] = {"k": [1, 3, 5, 9, 15, 25, 51]}

    vectors_: NDArray[np.float32]
    codes_: NDArray[np.int64]

    def __init__(self, encoder: Encoder, k: int = 5, smoothing: float = 1.0, seed: int = 0) -> None:
        self.encoder = encoder
        self.k = k
        self.smoothing = smoothing
        self.seed = seed

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Keep the rows' vectors; ``validation`` and ``meta`` are not read.

        Raises:
            BadInput: as every classifier, or ``k`` or ``smoothing`` out of range.
        """
        if self.k < 1 or not self.smoothing > 0:
            raise BadInput(
                f"NearestNeighbour: k={self.k}, smoothing={self.smoothing}; expected k >= 1 and > 0"
            )
        self._begin(texts, labels, classes)
        pairs = sorted(zip(texts, labels, strict=True))
        self.vectors_ = self._encode([text for text, _ in pairs])
        self.codes_ = np.array([self.classes_.index(label) for _, label in pairs], np.int64)
        self.parameters_ = self.vectors_.size
        return self

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes) smoothed vote shares, rows summing to 1."""
        self._require_fitted()
        queries = self._encode(texts)
        k = min(self.k, len(self.codes_))
        votes = np.zeros((len(texts), len(self.classes_)))
        for start in range(0, len(queries), _QUERIES):
            nearest = self._nearest(queries[start : start + _QUERIES], k)
            for place, row in enumerate(nearest):
                votes[start + place] = np.bincount(self.codes_[row], minlength=len(self.classes_))
        share = np.bincount(self.codes_, minlength=len(self.classes_)) / len(self.codes_)
        return (votes + self.smoothing * share) / (k + self.smoothing)

    def _nearest(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """(queries, k) positions of the training rows with the largest cosine, the earlier of equals."""
        # Filled up to one shape, for a product of another shape may round otherwise.
        full = np.zeros((_QUERIES, queries.shape[1]), np.float32)
        full[: len(queries)] = queries
        cosines = (full @ self.vectors_.T)[: len(queries)]
        n = len(self.codes_)
        rank = np.rint(cosines / _GRAIN).astype(np.int64) * n + np.arange(n - 1, -1, -1)
        return np.argpartition(rank, n - k, axis=1)[:, n - k :] if k < n else np.argsort(rank, axis=1)

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Vectors and class numbers of the training rows, and the encoder's SHA-256."""
        self._require_fitted()
        return {"vectors": self.vectors_, "codes": self.codes_}, {"encoder": self.encoder.pinned()}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            BadInput: the encoder found here is another than the one fitted on.
        """
        self.encoder.require(cast(Mapping[str, str], plain["encoder"]))
        self.vectors_ = arrays["vectors"].astype(np.float32)
        self.codes_ = arrays["codes"].astype(np.int64)
        self.parameters_ = self.vectors_.size

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 1."""
        vectors, cost = self.encoder.encode(texts)
        add_cost(self.cost_, cost)
        lengths = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
        unit: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return unit
