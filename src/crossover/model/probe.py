"""Linear probe: logistic regression on a frozen encoder's vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from crossover.data.corpus import Rows
from crossover.model.classifier import Arrays, Classifier, Meta
from crossover.model.embedding_cache import add_cost
from crossover.model.encoder.encoder import Encoder
from crossover.model.l2_path import Solution, solve_path
from crossover.model.linear_classifier import check_penalty
from crossover.protocol.selection.rule import Outcome


class Probe(Classifier):
    """Multinomial logistic regression on pooled, standardised embeddings (Alain & Bengio, 2016).

    The encoder is not trained. Each dimension is centred and scaled by the training rows' mean
    and standard deviation (a constant one is left at 0). Minimises C · sum of log losses +
    |weights|²/2, the intercept free (crossover.model.l2_path). The optimum is unique, and the rows
    are taken in one order whatever order they come in, so neither seed nor order changes a bit. A
    probability depends on its own text only, bit for bit.

    Args:
        encoder: the frozen encoder.
        C: inverse strength of the penalty, above 0.
        class_weight: ``balanced`` weighs each class by 1 / its rows; None weighs rows alike.
        max_iter: solver steps at most; ``history_`` says whether they sufficed.
        tol: largest share by which the objective may lie above its minimum.
        seed: not used; every classifier takes one.
    """

    # 2: the default C went from 1.0 to 0.1 (docs/decisions/0006). 3: another solver, and ``tol`` is of the
    # objective, no longer of its gradient (0014).
    behaviour_version: ClassVar[int] = 3
    search_space: ClassVar[Mapping[str, Sequence[object]]] = {
        "C": [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]
    }

    present_: tuple[str, ...]
    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    weights_: NDArray[np.float64]
    intercept_: NDArray[np.float64]

    def __init__(
        self,
        encoder: Encoder,
        C: float = 0.1,
        class_weight: str | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-6,
        seed: int = 0,
    ) -> None:
        self.encoder = encoder
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.seed = seed

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Encode, standardise and solve; ``validation`` and ``meta`` are not read."""
        self._solve(*self._prepare(texts, labels, classes))
        return self

    def fit_each(
        self, trials: Iterable[Self], rows: Rows, classes: Sequence[str], validation: Rows
    ) -> Iterator[tuple[Self, Outcome]]:
        """Fit the trials along one path of the penalty, on one embedding of the rows.

        The optimum of each is that of a ``fit`` of its own, reached within ``tol``; the last bits depend
        on which other values of C are tried. Where the path fails, each trial is fitted by itself.
        """
        each = list(trials)
        first = each[0]
        try:
            features, codes = first._prepare(rows.texts, rows.labels, classes)
            path = first._path(features, codes, [trial.C for trial in each])
        except FloatingPointError:
            yield from super().fit_each(each, rows, classes, validation)
            return
        held = first._encode(validation.texts)
        for trial, solution in zip(each, path, strict=True):
            if trial is not first:
                check_penalty(type(self).__name__, trial.C, trial.class_weight)
                trial._begin(rows.texts, rows.labels, classes)
                trial.present_, trial.mean_, trial.scale_ = first.present_, first.mean_, first.scale_
            trial._keep(solution)
            yield trial, trial._probabilities(held)

    def _prepare(
        self, texts: Sequence[str], labels: Sequence[str], classes: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Features and class numbers of the rows, checked, encoded, standardised and put in one order."""
        check_penalty(type(self).__name__, self.C, self.class_weight)
        self._begin(texts, labels, classes)
        self.present_ = tuple(name for name in classes if name in set(labels))
        pairs = sorted(zip(texts, labels, strict=True))
        vectors = self._encode([text for text, _ in pairs])
        self.mean_ = vectors.mean(axis=0)
        deviation = vectors.std(axis=0)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        codes = np.array([self.present_.index(label) for _, label in pairs])
        return (vectors - self.mean_) / self.scale_, codes

    def _solve(self, features: NDArray[np.float64], codes: NDArray[np.int64]) -> None:
        self._keep(self._path(features, codes, [self.C])[0])

    def _path(
        self, features: NDArray[np.float64], codes: NDArray[np.int64], strengths: Sequence[float]
    ) -> list[Solution]:
        balanced = self.class_weight == "balanced"
        return solve_path(features, codes, strengths, balanced, self.max_iter, self.tol)

    def _keep(self, solution: Solution) -> None:
        """Take the solver's weights.

        Raises:
            FloatingPointError: they are not finite.
        """
        self.weights_, self.intercept_ = solution.weights, solution.intercept
        self.history_ = [{"iterations": float(solution.iterations), "converged": float(solution.converged)}]
        if not (np.isfinite(self.weights_).all() and np.isfinite(self.intercept_).all()):
            raise FloatingPointError("Probe: the weights are not finite")
        self.parameters_ = self.weights_.size + self.intercept_.size

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes) probabilities, rows summing to 1."""
        self._require_fitted()
        return self._probabilities(self._encode(texts))

    def _probabilities(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        features = (vectors - self.mean_) / self.scale_
        # einsum on contiguous rows and not @: a BLAS product rounds a row by how many rows there are.
        linear = np.einsum("nd,kd->nk", features, self.weights_) + self.intercept_
        if len(self.weights_) == 1:
            linear = np.column_stack([np.zeros(len(linear)), linear])
        return self._spread(softmax(linear, axis=1), self.present_)

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Weights and standardisation, and the SHA-256 of the encoder they belong to."""
        self._require_fitted()
        arrays: Arrays = {
            "weights": self.weights_,
            "intercept": self.intercept_,
            "mean": self.mean_,
            "scale": self.scale_,
        }
        return arrays, {"present": list(self.present_), "encoder": self.encoder.pinned()}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            BadInput: the encoder found here is another than the one fitted on.
        """
        self.encoder.require(cast(Mapping[str, str], plain["encoder"]))
        self.present_ = tuple(cast(Sequence[str], plain["present"]))
        self.weights_ = np.ascontiguousarray(arrays["weights"], dtype=np.float64)
        self.intercept_ = arrays["intercept"].astype(np.float64)
        self.mean_ = arrays["mean"].astype(np.float64)
        self.scale_ = arrays["scale"].astype(np.float64)
        self.parameters_ = self.weights_.size + self.intercept_.size

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        vectors, cost = self.encoder.encode(texts)
        add_cost(self.cost_, cost)
        return vectors.astype(np.float64)
