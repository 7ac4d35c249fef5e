"""Logistic regression on dense rows along its L2 path: every strength of the penalty at the price of a few.

Problems that differ only in their penalty are solved from the strongest penalty to the weakest, each begun
where the last two point to. A step is that of L-BFGS (Nocedal 1980), its first guess of the Hessian being
nearly a true one: Cholesky factors of the Hessian at an earlier point, in float32 and of the rows that still
bend the loss, taken anew when steps become many. Losses and gradients are in float64, so the optimum does not
depend on that guess. Where rows are few, weights are sought among combinations of them (QR), where it lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import ssyrk, strsv
from scipy.linalg.lapack import dormqr, spotrf

Array = NDArray[np.float64]

# Figures behind the constants: docs/performance.md, probes.
PAIRS = 10
"""Steps L-BFGS remembers; with a good first guess more are no gain."""
STEPS_OF_A_STRENGTH = 4
"""A strength that took more steps has the next one begin with a new factor."""
STEPS_OF_A_FACTOR = 12
"""Steps within a strength after which the factor is taken anew."""
NEGLIGIBLE = 0.1
"""Rows whose curvature is below this share of the mean are left out of the factor."""
MOST_ROWS = 2_000
"""Rows in the factor at most, those of the largest curvature."""
FEW_ROWS = 300
"""Up to so many rows, if fewer than columns, the problem is first reduced to as many columns."""
FURTHEST = 2.0
"""How far beyond the last two strengths a begin is extrapolated, in units of their distance."""
REACH = 100.0
"""Steps at which an intercept, which no penalty holds, is taken to lie from its optimum at most."""
MARGIN = 0.1
"""Share of ``tol`` at which a strength is left: ``REACH`` is a figure of experience and no bound."""
HALVINGS = 50
SUFFICIENT = 1e-4
"""Share of the decrease promised by the slope that a step must reach (Armijo)."""
ROUNDING = 64 * np.finfo(np.float64).eps
FLOORS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Added to the factor's diagonal, in units of its largest entry: the first that float32 can factor."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights at one strength.

    Attributes:
        weights: (1, columns) for two classes, else (classes, columns).
        intercept: (1,) or (classes,); the loss leaves a constant of several classes open: they sum to 0.
        iterations: steps from where this strength was begun.
        gap: largest share by which the objective lies above its minimum: |gradient|² / 2 penalty for the
            weights (strong convexity), and for an intercept |gradient| times ``REACH`` times its next step.
        converged: whether ``gap`` is as small as was asked.
    """

    weights: Array
    intercept: Array
    iterations: int
    gap: float
    converged: bool


def solve_path(
    features: Array,
    codes: NDArray[np.int64],
    strengths: Sequence[float],
    balanced: bool = False,
    max_iter: int = 10_000,
    tol: float = 1e-6,
) -> list[Solution]:
    """Minimise C · sum of log losses + |weights|²/2, the intercept free, for each C of ``strengths``.

    A solution depends on the whole of ``strengths``, but only within ``tol``.

    Args:
        features: (rows, columns), centred and scaled for speed.
        codes: class numbers 0..k-1, k at least 2, every one of which occurs.
        strengths: C, above 0, in any order; a value may recur.
        balanced: weigh each class by 1 / its rows.
        max_iter: steps a strength at most.
        tol: largest share by which an objective may lie above its minimum.

    Returns:
        A solution for each of ``strengths``, in their order.

    Raises:
        FloatingPointError: the features are not finite, or so large that the loss or its curvature is not.
    """
    if not np.isfinite(features).all():
        raise FloatingPointError("a feature is not finite")
    counts = np.bincount(codes)
    weigh = (1.0 / (len(counts) * counts) if balanced else np.full(len(counts), 1.0 / len(codes)))[codes]
    reduced, back = _few_columns(features)
    with np.errstate(over="ignore", invalid="ignore"):
        if len(counts) == 2:
            solved = _follow(_Binary(reduced, codes, weigh), strengths, max_iter, tol)
        else:
            solved = _follow(_Multinomial(reduced, codes, weigh), strengths, max_iter, tol)
    ends = list(solved.values())
    weights = back(np.concatenate([end.at[:, :-1] for end in ends])).reshape(len(ends), -1, features.shape[1])
    found = {
        C: Solution(own, _centred(end.at[:, -1]), end.steps, end.gap, end.gap <= tol * MARGIN)
        for (C, end), own in zip(solved.items(), weights, strict=True)
    }
    return [found[float(C)] for C in strengths]


def _centred(intercept: Array) -> Array:
    return intercept - intercept.mean() if len(intercept) > 1 else intercept.copy()


def _few_columns(features: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Features over an orthonormal basis of the rows, and what takes (k, columns) weights back.

    A penalised optimum is a combination of rows, so nothing is lost; inner products are kept.
    """
    rows, columns = features.shape
    if rows >= columns or rows > FEW_ROWS:
        return np.ascontiguousarray(features), lambda weights: weights
    reflectors, scales = np.linalg.qr(features.T, mode="raw")

    def back(weights: Array) -> Array:
        padded = np.zeros((columns, len(weights)), order="F")
        padded[:rows] = weights.T
        found, _, _ = dormqr("L", "N", reflectors.T, scales, padded, 64 * len(weights), overwrite_c=1)
        return np.ascontiguousarray(found.T)

    return np.ascontiguousarray(np.tril(reflectors[:, :rows])), back


class _Loss(Protocol):
    """Mean log loss a row, as a function of (scores, columns + 1) weights, the intercept last."""

    features: Array
    start: Array
    """(scores,) intercepts that give the shares of the classes."""

    def value(self, at: Array) -> tuple[float, Array]:
        """The loss and its gradient."""
        ...

    def curvature(self, at: Array) -> Array:
        """(scores, rows) second derivative of a row's loss by each of its scores."""
        ...


@dataclass(frozen=True, eq=False)
class _End:
    """Where a strength was left."""

    at: Array
    steps: int
    gap: float


def _follow(loss: _Loss, strengths: Sequence[float], max_iter: int, tol: float) -> dict[float, _End]:
    """The end of each distinct strength, from the strongest penalty to the weakest."""
    here = np.zeros((len(loss.start), loss.features.shape[1] + 1))
    here[:, -1] = loss.start
    hessian = _Hessian(loss)
    ends: dict[float, _End] = {}
    passed: list[tuple[float, Array]] = []
    for C in sorted({float(C) for C in strengths}):
        penalty = 1.0 / (C * len(loss.features))
        begin = here
        if len(passed) == 2:
            (first, before), (last, _) = passed
            ahead = math.log(C / last) / math.log(last / first)
            begin = here + min(FURTHEST, ahead) * (here - before)
        if not ends or next(reversed(ends.values())).steps > STEPS_OF_A_STRENGTH:
            hessian.renew(begin, penalty)
        else:
            hessian.forget()
        ends[C] = _minimise(loss, begin, hessian, penalty, max_iter, tol * MARGIN)
        here = ends[C].at
        passed = [*passed[-1:], (C, here)]
    return ends


def _minimise(
    loss: _Loss, begin: Array, hessian: _Hessian, penalty: float, max_iter: int, tol: float
) -> _End:
    """Steps until the gap is at most ``tol`` of the objective, or none leads down any more."""

    def objective(at: Array) -> tuple[float, Array]:
        value, gradient = loss.value(at)
        inner = at[:, :-1]
        gradient[:, :-1] += penalty * inner
        return value + 0.5 * penalty * float(np.vdot(inner, inner)), gradient

    here, steps, since = begin, 0, 0
    value, gradient = objective(here)
    while True:
        if not (math.isfinite(value) and np.isfinite(gradient).all()):
            raise FloatingPointError(f"the loss is {value}, or its gradient is not finite")
        if since >= STEPS_OF_A_FACTOR:
            hessian.renew(here, penalty)
            since = 0
        down = hessian.direction(gradient)
        of_weights, of_intercept = gradient[:, :-1], np.abs(gradient[:, -1])
        above = float(np.vdot(of_weights, of_weights)) / (2.0 * penalty)
        above += REACH * float(of_intercept @ np.abs(down[:, -1]))
        if above <= tol * value or steps == max_iter:
            return _End(here, steps, above / value)
        slope = float(np.vdot(down, gradient))
        size = 1.0
        for _ in range(HALVINGS if slope > 0 else 0):
            there = here - size * down
            new_value, new_gradient = objective(there)
            if new_value <= value - SUFFICIENT * size * slope + ROUNDING * value:
                break
            size *= 0.5
        else:
            if hessian.fresh:  # as low as rounding lets it come
                return _End(here, steps, above / value)
            since = STEPS_OF_A_FACTOR  # what was remembered has led astray: once more with new factors
            continue
        hessian.add(there - here, new_gradient - gradient)
        here, value, gradient = there, new_value, new_gradient
        steps, since = steps + 1, since + 1


class _Hessian:
    """What is known of the Hessian: factors of its blocks at an earlier point, and the last steps.

    The block of a score is X' diag(curvature) X + penalty, without a penalty for the intercept; what couples
    two scores is left to the steps.

    Attributes:
        fresh: whether the factors are of this point and penalty, and nothing else is remembered.
    """

    fresh = False

    def __init__(self, loss: _Loss) -> None:
        self._loss = loss
        self._pairs: list[tuple[Array, Array, float]] = []
        self._factors: list[NDArray[np.float32]] = []

    def renew(self, at: Array, penalty: float) -> None:
        """Factor the Hessian at these weights, and forget the steps that led here.

        Raises:
            FloatingPointError: it is not finite.
        """
        self._factors = [self._factor(curvature, penalty) for curvature in self._loss.curvature(at)]
        self.forget()
        self.fresh = True

    def _factor(self, curvature: Array, penalty: float) -> NDArray[np.float32]:
        curved = np.flatnonzero(curvature >= NEGLIGIBLE * curvature.mean())
        if len(curved) > MOST_ROWS:
            curved = np.sort(np.argpartition(curvature, -MOST_ROWS)[-MOST_ROWS:])
        kept = curvature[curved]
        if kept.sum() > 0:  # else every row is saturated, and the penalty alone bends the objective
            kept *= curvature.sum() / kept.sum()
        root = np.sqrt(kept).astype(np.float32)
        part = np.empty((len(curved), self._loss.features.shape[1] + 1), np.float32)
        np.multiply(self._loss.features[curved], root[:, None], out=part[:, :-1], casting="same_kind")
        part[:, -1] = root
        block = ssyrk(1.0, part.T, lower=1)
        diagonal = np.einsum("ii->i", block)
        diagonal[:-1] += np.float32(penalty)
        plain, largest = diagonal.copy(), diagonal.max()
        for floor in FLOORS:
            diagonal[:] = plain + np.float32(floor) * largest
            factor, failed = spotrf(block, lower=1, clean=0)
            if not failed and np.isfinite(factor.diagonal()).all():
                return np.asarray(factor)
        raise FloatingPointError("the curvature of the loss is not finite in float32, or 0")

    def add(self, step: Array, change: Array) -> None:
        """Remember a step and the change of the gradient along it, the oldest is forgotten."""
        product = float(np.vdot(step, change))
        if product > 0:
            self._pairs = [*self._pairs[1 - PAIRS :], (step, change, 1.0 / product)]
        self.fresh = False

    def forget(self) -> None:
        """Keep the factors alone: the steps were made under another penalty, or before them."""
        self._pairs = []
        self.fresh = False

    def direction(self, gradient: Array) -> Array:
        """The inverse Hessian, as far as it is known, times the gradient: (scores, columns + 1)."""
        rest = gradient.copy()
        shares: list[float] = []
        for step, change, inverse in reversed(self._pairs):
            shares.append(inverse * float(np.vdot(step, rest)))
            rest -= shares[-1] * change
        found = self._solved(rest)
        for step, change, inverse in self._pairs:
            found += (shares.pop() - inverse * float(np.vdot(change, found))) * step
        return found

    def _solved(self, rest: Array) -> Array:
        """What the factors make of it: two triangular solves a score, faster so than by LAPACK's spotrs."""
        found = np.empty_like(rest)
        for own, factor, of_score in zip(found, self._factors, rest, strict=True):
            own[:] = strsv(factor, strsv(factor, of_score, lower=1), lower=1, trans=1)
        return found


class _Binary:
    """Two classes: one score, the log-odds of the second."""

    def __init__(self, features: Array, codes: NDArray[np.int64], weigh: Array) -> None:
        share = np.bincount(codes, weigh)
        self.features, self.start = features, np.log(share[1:] / share[:1])
        self._weigh, self._sign = weigh, np.where(codes == 1, 1.0, -1.0)
        self._against = -self._sign * weigh

    def value(self, at: Array) -> tuple[float, Array]:
        """The loss and its gradient."""
        against = self._odds_against(at)
        residual = self._against * (against / (1.0 + against))
        gradient = np.empty_like(at)
        gradient[0, :-1] = residual @ self.features
        gradient[0, -1] = residual.sum()
        return float(self._weigh @ np.log1p(against)), gradient

    def curvature(self, at: Array) -> Array:
        """(1, rows) p · (1 - p) times the row's weight."""
        wrong = self._odds_against(at)
        wrong /= 1.0 + wrong
        found: Array = self._weigh * wrong * (1.0 - wrong)
        return found[None, :]

    def _odds_against(self, at: Array) -> Array:
        """(rows,) odds against the row's own class, kept from overflowing."""
        margin = self._sign * (self.features @ at[0, :-1] + at[0, -1])
        found: Array = np.exp(np.minimum(-margin, 700.0))
        return found


class _Multinomial:
    """More classes: a score each; the penalty alone decides what is common to all."""

    def __init__(self, features: Array, codes: NDArray[np.int64], weigh: Array) -> None:
        share = np.log(np.bincount(codes, weigh))
        self.features, self.start = features, share - share.mean()
        self._weigh, self._codes, self._row = weigh, codes, np.arange(len(codes))

    def value(self, at: Array) -> tuple[float, Array]:
        """The loss and its gradient."""
        score = self._scores(at)
        own = score[self._row, self._codes]
        np.exp(score, out=score)
        total = score.sum(axis=1)
        score *= (self._weigh / total)[:, None]
        score[self._row, self._codes] -= self._weigh
        gradient = np.empty_like(at)
        gradient[:, :-1] = score.T @ self.features
        gradient[:, -1] = score.sum(axis=0)
        return float(self._weigh @ (np.log(total) - own)), gradient

    def curvature(self, at: Array) -> Array:
        """(classes, rows) p · (1 - p) times the row's weight."""
        chance = np.exp(self._scores(at))
        chance /= chance.sum(axis=1, keepdims=True)
        return np.ascontiguousarray((self._weigh[:, None] * chance * (1.0 - chance)).T)

    def _scores(self, at: Array) -> Array:
        """(rows, classes) scores, the largest of a row 0."""
        score: Array = self.features @ at[:, :-1].T + at[:, -1]
        score -= score.max(axis=1, keepdims=True)
        return score
