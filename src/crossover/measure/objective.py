"""Regularised objectives of linear classifiers as arrays: value, gradient, gap, best scale.

J(w, b) = loss + penalty, the loss a mean over rows, the penalty strength · |w|²/2 (with |b|²
where the intercept is penalised). ``strength`` is lambda = 1/(C · rows) for a solver that
minimises C · sum of losses + |w|²/2, as scikit-learn's and LIBLINEAR's do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit, logsumexp, softmax

Array = NDArray[np.float64]

LOSSES = ("logistic", "squared_hinge", "squared")
"""The losses known, in the order of their codes in a run's history."""


@dataclass(frozen=True)
class Parts:
    """An objective's value at some weights, and its two terms: ``value`` = ``loss`` + ``penalty``."""

    value: float
    loss: float
    penalty: float


@dataclass(frozen=True, eq=False)
class Scaled:
    """The best positive scale and intercept of given weights, and the objective there."""

    scale: Array
    intercept: Array
    parts: Parts


@dataclass(frozen=True, eq=False)
class Objective:
    """An L2-regularised objective of ``rows`` x ``features``, with one score for two classes, else K.

    Losses, each a sum over the scores of a row and a mean over rows:

    - ``logistic``: binary log loss of one score, softmax cross-entropy of K.
    - ``squared_hinge``: max(0, 1 - y f)² a score, y = 1 for the class of the score and -1 for the
      rest: one-vs-rest.
    - ``squared``: (f - y)²/2 a score, y = ±1 likewise: the ridge classifier.

    Args:
        matrix: (rows, features), sparse or not.
        codes: (rows,) class numbers 0..K-1.
        loss: one of :data:`LOSSES`.
        strength: lambda, above 0.
        row_weights: (rows, 1), or (rows, scores) where a row weighs differently in each score.
        intercept_penalised: whether |b|² stands beside |w|².
    """

    matrix: csr_matrix | Array
    codes: NDArray[np.int64]
    loss: str
    strength: float
    row_weights: Array
    intercept_penalised: bool = False

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss {self.loss!r}: expected one of {', '.join(LOSSES)}")
        if not self.strength >= 0:
            raise ValueError(f"strength {self.strength!r}: expected lambda, a number of at least 0")

    def scores(self, weights: Array) -> Array:
        """(rows, scores) of (scores, features) weights, without an intercept."""
        return np.asarray(self.matrix @ weights.T)

    def parts(self, weights: Array, intercept: Array) -> Parts:
        """Value and terms at (scores, features) weights and (scores,) intercepts."""
        return self._parts(self.scores(weights) + intercept, float((weights**2).sum()), intercept)

    def gradient(self, weights: Array, intercept: Array) -> tuple[Array, Array]:
        """Derivatives of J by the weights and by the intercepts, in their shapes."""
        slope = self._slope(self.scores(weights) + intercept)
        by_intercept = slope.sum(axis=0)
        if self.intercept_penalised:
            by_intercept = by_intercept + self.strength * intercept
        return np.asarray(self.matrix.T @ slope).T + self.strength * weights, by_intercept

    def gap(self, weights: Array, intercept: Array) -> float:
        """Certified bound on J(w, b) - min J, 0 at the optimum.

        J is lambda-strongly convex in what is penalised, so |grad|²/(2 lambda) >= J - min J
        (Nesterov 2004, theorem 2.1.10). A free intercept is minimised out first: the bound is then
        J(w, b) - J(w, b*) + |grad_w J(w, b*)|²/(2 lambda). The square is also the Fenchel duality
        gap of w with the dual point made of the derivatives of the loss at w, which a free
        intercept allows where they sum to 0, as they do at b*.
        """
        if self.strength == 0:
            raise ValueError("without a penalty there is no bound: strength is 0")
        if self.intercept_penalised:
            by_weight, by_intercept = self.gradient(weights, intercept)
            return float((by_weight**2).sum() + (by_intercept**2).sum()) / (2 * self.strength)
        linear = self.scores(weights)
        best = self._best_intercept(linear, intercept)
        excess = self._loss(linear + intercept) - self._loss(linear + best)
        by_weight, _ = self.gradient(weights, best)
        return max(0.0, excess) + float((by_weight**2).sum()) / (2 * self.strength)

    def scaled(self, weights: Array, intercept: Array, scales: int) -> Scaled:
        """min over s > 0 and b of J(s · weights, b), from s = 1 and the intercepts given.

        ``scales`` is 1, or one a score for one-vs-rest weights. The problem is convex and has at
        most 2K unknowns. What is returned was evaluated, so it bounds min J from above even where
        the search stops short. A scale of 0 says that the least lies in the limit: no positive
        multiple of these weights helps.
        """
        linear = self.scores(weights)
        squares = (weights**2).sum(axis=1)
        if scales not in (1, len(weights)):
            raise ValueError(f"{scales} scales for {len(weights)} scores: expected 1 or one a score")
        # In units in which every score has a spread of about 1 the search is well conditioned.
        size = np.sqrt((linear**2).mean(axis=0)) if scales > 1 else np.sqrt([(linear**2).mean()])
        size = np.where(size > 0, size, 1.0)
        penalised = self.strength if self.intercept_penalised else 0.0

        def value(free: Array) -> tuple[float, Array]:
            scale, b = free[:scales] / size, free[scales:]
            at = linear * scale + b
            slope = self._slope(at)
            by_scale = (slope * linear).sum(axis=0) + self.strength * scale * squares
            by_scale = by_scale if scales > 1 else by_scale.sum(keepdims=True)
            by_intercept = slope.sum(axis=0) + penalised * b
            total = self._parts(at, float((scale**2 * squares).sum()), b).value
            return total, np.concatenate([by_scale / size, by_intercept])

        start = np.concatenate([size, intercept])
        bounds = [*[(0.0, None)] * scales, *[(None, None)] * len(weights)]
        free = _least(value, start, bounds)
        scale, b = np.broadcast_to(free[:scales] / size, (len(weights),)).copy(), free[scales:]
        parts = self._parts(linear * scale + b, float((scale**2 * squares).sum()), b)
        return Scaled(scale, b, parts)

    def unregularised(self) -> Objective:
        """The same objective without its penalty."""
        return replace(self, strength=0.0)

    def _best_intercept(self, linear: Array, start: Array) -> Array:
        def value(b: Array) -> tuple[float, Array]:
            return self._loss(linear + b), self._slope(linear + b).sum(axis=0)

        return _least(value, start, [(None, None)] * len(start))

    def _parts(self, at: Array, squares: float, intercept: Array) -> Parts:
        if self.intercept_penalised:
            squares += float((intercept**2).sum())
        loss, penalty = self._loss(at), self.strength * squares / 2
        return Parts(loss + penalty, loss, penalty)

    def _signs(self, scores: int) -> Array:
        """(rows, scores) of ±1; with one score the second class is the positive one."""
        own = self.codes[:, None] == (np.arange(scores) if scores > 1 else np.array([1]))
        return np.where(own, 1.0, -1.0)

    def _loss(self, at: Array) -> float:
        rows, scores = at.shape
        if self.loss == "logistic" and scores == 1:
            each = np.logaddexp(0.0, -self._signs(1) * at)
        elif self.loss == "logistic":
            each = (logsumexp(at, axis=1) - at[np.arange(rows), self.codes])[:, None]
        elif self.loss == "squared_hinge":
            each = np.maximum(0.0, 1.0 - self._signs(scores) * at) ** 2
        else:
            each = (at - self._signs(scores)) ** 2 / 2
        return float((self.row_weights * each).sum() / rows)

    def _slope(self, at: Array) -> Array:
        """(rows, scores) derivatives of the mean loss by the scores."""
        rows, scores = at.shape
        signs = self._signs(scores)
        if self.loss == "logistic" and scores == 1:
            slope = -signs * expit(-signs * at)
        elif self.loss == "logistic":
            slope = softmax(at, axis=1) - (signs > 0)
        elif self.loss == "squared_hinge":
            slope = -2.0 * signs * np.maximum(0.0, 1.0 - signs * at)
        else:
            slope = at - signs
        return np.asarray(self.row_weights * slope / rows)


def _least(
    value: Callable[[Array], tuple[float, Array]],
    start: Array,
    bounds: Sequence[tuple[float | None, float | None]],
) -> Array:
    """The best point L-BFGS-B finds of a convex function, never worse than the start."""
    unit = max(value(start)[0], np.finfo(np.float64).tiny)

    def relative(point: Array) -> tuple[float, Array]:
        at, slope = value(point)
        return at / unit, slope / unit

    options = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 5000, "maxfun": 20_000, "maxls": 50, "maxcor": 30}
    point = start
    # Started anew where it stopped: a line search may give up on the last digits of a first pass.
    for _ in range(3):
        found = minimize(relative, point, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        if not relative(found.x)[0] < relative(point)[0]:
            break
        point = found.x
    return point
