"""Logistic regression on dense rows along its L2 path: every strength of the penalty at the price of a few.

One problem differs from the next only by its penalty, whose Hessian is known. So the problems are solved from
the strongest penalty to the weakest, each started where the last two point to, and what L-BFGS has learned of
the curvature is carried over, exactly: a pair (s, y) of one strength is the pair (s, y + change · s) of another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs

Array = NDArray[np.float64]
Loss = Callable[[Array], tuple[float, Array]]
"""Mean loss a row and its gradient at (scores, columns + 1) weights, the intercept last."""

PAIRS = 20
"""Steps L-BFGS remembers: on standardised sentence vectors a third fewer steps than 10, no gain at 30."""
HALVINGS = 50
SUFFICIENT = 1e-4
"""Share of the decrease promised by the slope that a step must reach (Armijo)."""
ROUNDING = 64 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights at one strength.

    Attributes:
        weights: (1, columns) for two classes, else (classes, columns).
        intercept: (1,) or (classes,).
        iterations: steps from where this strength was begun.
        gradient: largest absolute entry of the gradient of the mean objective a row.
    """

    weights: Array
    intercept: Array
    iterations: int
    gradient: float


def solve_path(
    features: Array,
    codes: NDArray[np.int64],
    strengths: Sequence[float],
    balanced: bool = False,
    max_iter: int = 10_000,
    tol: float = 1e-6,
) -> list[Solution]:
    """Minimise C · sum of log losses + |weights|²/2, the intercept free, for each C of ``strengths``.

    L-BFGS in its compact form (Byrd, Nocedal & Schnabel 1994) with backtracking, all in float64. A solution
    depends on the whole of ``strengths``, but only within ``tol``.

    Args:
        features: (rows, columns), centred and scaled for speed.
        codes: class numbers 0..k-1, every one of which occurs.
        strengths: C, above 0, in any order.
        balanced: weigh each class by 1 / its rows.
        max_iter: steps a strength at most.
        tol: largest gradient entry of the mean objective a row at which a strength is solved.

    Returns:
        A solution for each of ``strengths``, in their order.

    Raises:
        FloatingPointError: the features are not finite, or so large that the loss is not.
    """
    rows, columns = features.shape
    counts = np.bincount(codes)
    weigh = (1.0 / (len(counts) * counts) if balanced else np.full(len(counts), 1.0 / rows))[codes]
    share = np.bincount(codes, weigh)
    if len(counts) == 2:
        loss, start = _binary(features, codes, weigh), np.log(share[1:] / share[:1])
    else:
        loss, start = _multinomial(features, codes, weigh), np.log(share) - np.log(share).mean()
    here = np.zeros((len(start), columns + 1))
    here[:, -1] = start
    # No curvature of either loss along any direction is above this one: the first step is a safe one.
    steepest = 0.5 * (float(np.einsum("ij,ij,i->", features, features, weigh)) + 1.0)
    memory = _Memory(here.size, here.shape[1], 1.0 / steepest)
    solved: dict[float, Solution] = {}
    behind: tuple[float, Array] | None = None
    reached = 0.0
    for C in sorted({float(C) for C in strengths}):
        begin = here
        if behind is not None:
            begin = here + min(1.0, math.log(C / reached) / math.log(reached / behind[0])) * (
                here - behind[1]
            )
        if reached:
            behind = (reached, here)
        memory.weaken(1.0 / (C * rows))
        here, steps, gradient = _minimise(loss, begin, memory, max_iter, tol)
        solved[C], reached = Solution(here[:, :-1].copy(), here[:, -1].copy(), steps, gradient), C
    return [solved[float(C)] for C in strengths]


class _Memory:
    """The last steps s and changes of gradient y, and the direction they suggest."""

    def __init__(self, size: int, width: int, scale: float) -> None:
        self.width, self.scale, self.penalty = width, scale, 0.0
        self.s, self.y = np.zeros((0, size)), np.zeros((0, size))

    def weaken(self, penalty: float) -> None:
        """From now on the pairs are those of the same losses under another penalty."""
        self.y += (penalty - self.penalty) * self._penalised(self.s)
        self.penalty = penalty
        self._new_products()

    def add(self, step: Array, change: Array) -> None:
        """Remember one more pair; the oldest is forgotten."""
        self.s = np.vstack([self.s[-PAIRS + 1 :], step.ravel()])
        self.y = np.vstack([self.y[-PAIRS + 1 :], change.ravel()])
        self._new_products()

    def forget(self) -> None:
        """Start anew."""
        self.s, self.y = self.s[:0], self.y[:0]

    def direction(self, gradient: Array) -> Array:
        """The inverse Hessian, as far as it is known, times the gradient."""
        g = gradient.ravel()
        if not len(self.s):
            return self.scale * gradient
        scale = self.diagonal[-1] / self.yy[-1, -1]
        u, _ = dtrtrs(self.upper, self.s @ g)
        v, _ = dtrtrs(self.upper, self.diagonal * u + scale * (self.yy @ u - self.y @ g), trans=1)
        found: Array = scale * (g - u @ self.y) + v @ self.s
        return found.reshape(gradient.shape)

    def _new_products(self) -> None:
        self.upper, self.yy = self.s @ self.y.T, self.y @ self.y.T
        self.diagonal = self.upper.diagonal().copy()

    def _penalised(self, flat: Array) -> Array:
        found = flat.copy()
        found[:, self.width - 1 :: self.width] = 0.0
        return found


def _minimise(
    loss: Loss, begin: Array, memory: _Memory, max_iter: int, tol: float
) -> tuple[Array, int, float]:
    """Weights, steps, and largest gradient entry."""
    penalty = memory.penalty

    def objective(at: Array) -> tuple[float, Array]:
        value, gradient = loss(at)
        inner = at[:, :-1]
        gradient[:, :-1] += penalty * inner
        return value + 0.5 * penalty * float(np.vdot(inner, inner)), gradient

    here = begin
    value, gradient = objective(here)
    for step in range(max_iter + 1):
        largest = max(float(gradient.max()), -float(gradient.min()))
        if not math.isfinite(value + largest):
            raise FloatingPointError(f"the loss is {value}, its gradient {largest}")
        if largest <= tol or step == max_iter:
            break
        down = memory.direction(gradient)
        slope = float(np.vdot(down, gradient))
        if not slope > 0:  # rounding has spoiled what was remembered
            memory.forget()
            down = memory.direction(gradient)
            slope = float(np.vdot(down, gradient))
        size = 1.0
        for _ in range(HALVINGS):
            there = here - size * down
            new_value, new_gradient = objective(there)
            if new_value <= value - SUFFICIENT * size * slope + ROUNDING * abs(value):
                break
            size *= 0.5
        else:
            break
        if np.vdot(there - here, new_gradient - gradient) > 0:
            memory.add(there - here, new_gradient - gradient)
        here, value, gradient = there, new_value, new_gradient
    return here, step, largest


def _binary(features: Array, codes: NDArray[np.int64], weigh: Array) -> Loss:
    """Two classes: one score, the log-odds of the second."""
    sign = np.where(codes == 1, 1.0, -1.0)
    signed = -sign * weigh

    def loss(at: Array) -> tuple[float, Array]:
        margin = sign * (features @ at[0, :-1] + at[0, -1])
        odds_against = np.exp(np.minimum(-margin, 700.0))
        residual = signed * (odds_against / (1.0 + odds_against))
        gradient = np.empty_like(at)
        gradient[0, :-1] = residual @ features
        gradient[0, -1] = residual.sum()
        return float(weigh @ np.log1p(odds_against)), gradient

    return loss


def _multinomial(features: Array, codes: NDArray[np.int64], weigh: Array) -> Loss:
    """More classes: a score each; the penalty alone decides what is common to all."""
    rows = np.arange(len(codes))

    def loss(at: Array) -> tuple[float, Array]:
        score = features @ at[:, :-1].T + at[:, -1]
        score -= score.max(axis=1, keepdims=True)
        own = score[rows, codes]
        np.exp(score, out=score)
        total = score.sum(axis=1)
        score *= (weigh / total)[:, None]
        score[rows, codes] -= weigh
        gradient = np.empty_like(at)
        gradient[:, :-1] = score.T @ features
        gradient[:, -1] = score.sum(axis=0)
        return float(weigh @ (np.log(total) - own)), gradient

    return loss
