"""LinearClassifier: what every linear model over named feature blocks shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import softmax

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model.classifier import Arrays, Classifier, Meta
from crossover.model.features import out_of_core
from crossover.model.features.block import FeatureBlock
from crossover.model.features.stack import FeatureStack

Weights = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(rows, features) weights and (rows,) intercepts; one row a class, or one row for two classes."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """The learned weights with their names, kept for records.

    ``weights`` is (len(classes), len(names)) and ``intercept`` (len(classes),), in log-odds up to
    a constant a text. With two classes there is one row: the log-odds of the class named, against
    the other.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]


class LinearClassifier(Classifier):
    """Softmax of a linear score over feature blocks; one kind of model a file says how it is solved."""

    features: Mapping[str, FeatureBlock] | None
    present_: tuple[str, ...]
    stack_: FeatureStack
    weights_: NDArray[np.float64]
    intercept_: NDArray[np.float64]

    @abstractmethod
    def _default_features(self) -> Mapping[str, FeatureBlock]:
        """The blocks that stand where ``features`` is left out."""

    @abstractmethod
    def _solve(self, matrix: csr_matrix, codes: NDArray[np.int64], rows: Rows) -> Weights:
        """Weights for (rows, features) and class numbers 0..k-1, every one of which occurs."""

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Fit the blocks, then the weights; ``validation`` is not read."""
        matrix, codes, rows = self._prepare(texts, labels, classes, meta)
        self._keep(self._solve(matrix, codes, rows))
        return self

    def _prepare(
        self, texts: Sequence[str], labels: Sequence[str], classes: Sequence[str], meta: Meta | None
    ) -> tuple[csr_matrix, NDArray[np.int64], Rows]:
        """Check the rows and fit the blocks: what :meth:`_solve` takes."""
        self._begin(texts, labels, classes)
        self.present_ = tuple(name for name in classes if name in set(labels))
        code = {name: k for k, name in enumerate(self.present_)}
        codes = np.array([code[label] for label in labels], dtype=np.int64)
        rows = Rows(list(texts), list(labels), {name: list(values) for name, values in (meta or {}).items()})
        self.stack_ = self._new_stack()
        matrix = self.stack_.fit_transform(rows.texts, rows.meta)
        self._count_encoding()
        return matrix, codes, rows

    def _keep(self, found: Weights) -> None:
        """Take the solver's weights.

        Raises:
            FloatingPointError: they are not finite.
        """
        self.weights_, self.intercept_ = found
        if not (np.isfinite(self.weights_).all() and np.isfinite(self.intercept_).all()):
            raise FloatingPointError(f"{type(self).__name__}: the weights are not finite")
        self.parameters_ = self.weights_.size + self.intercept_.size

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes) probabilities; a row depends on its own text and meta only, bit for bit."""
        self._require_fitted()
        made = []
        for piece in out_of_core.pieces(len(texts), out_of_core.ROWS) if texts else [slice(0)]:
            some = {name: values[piece] for name, values in (meta or {}).items()}
            matrix = self.stack_.transform(texts[piece], some)
            self._count_encoding()
            made.append(softmax(scores(matrix, self.weights_, self.intercept_), axis=1))
        return self._spread(np.concatenate(made), self.present_)

    def coefficients(self) -> Coefficients:
        """The learned weights with their names."""
        self._require_fitted()
        rows = self.present_[1:] if len(self.weights_) == 1 else self.present_
        return Coefficients(tuple(self.stack_.names()), rows, self.weights_, self.intercept_)

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Weights, intercepts and the state of each block."""
        self._require_fitted()
        arrays, blocks = self.stack_.state()
        arrays = {**arrays, "weights": self.weights_, "intercept": self.intercept_}
        return arrays, {"present": list(self.present_), "features": blocks}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self.present_ = tuple(cast(Sequence[str], plain["present"]))
        self.stack_ = self._new_stack()
        self.stack_.restore(arrays, cast(Mapping[str, object], plain["features"]))
        self.weights_ = arrays["weights"].astype(np.float64)
        self.intercept_ = arrays["intercept"].astype(np.float64)
        self.parameters_ = self.weights_.size + self.intercept_.size

    def _count_encoding(self) -> None:
        """Add what the last matrix took, and would have taken, to ``cost_``."""
        before: dict[str, float] = getattr(self, "cost_", {})
        self.cost_ = before | {name: before.get(name, 0.0) + s for name, s in self.stack_.cost_.items()}

    def _new_stack(self) -> FeatureStack:
        return FeatureStack(self.features or self._default_features())


def scores(
    matrix: csr_matrix, weights: NDArray[np.float64], intercept: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(rows, classes) linear scores; the first of two classes scores 0."""
    linear = np.asarray(matrix @ weights.T) + intercept
    return np.column_stack([np.zeros(len(linear)), linear]) if linear.shape[1] == 1 else linear


def check_penalty(name: str, C: float, class_weight: str | None) -> None:
    """Refuse a strength or class weight that no linear solver takes.

    Raises:
        BadInput: ``C`` is not above 0, or ``class_weight`` is neither null nor 'balanced'.
    """
    if not C > 0:
        raise BadInput(f"{name}: C={C}, expected a number above 0 (smaller regularises more)")
    if class_weight not in (None, "balanced"):
        raise BadInput(f"{name}: class_weight={class_weight!r}, expected null or balanced")
