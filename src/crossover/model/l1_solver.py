"""The L1 path of logistic regression on sparse columns: proximal Newton steps, warm starts, working sets.

Minimises, for one lambda after another (largest first),

    mean log loss + lambda * sum of |v_j| (penalised) + FROZEN_RIDGE/2 * sum of v_j^2 (frozen)

where v_j is the weight of column j in units of its standard deviation (scaled without centring: the
intercept, never penalised, makes the two the same). With two classes there is one row of weights, else
one a class, solved in turn with the others fixed. Columns enter the working set by the sequential strong rule
(Tibshirani et al., JRSS B 74, 2012); every column's optimality is checked before a lambda is left, so the
screening costs no exactness. Each quadratic subproblem is solved by a primal-dual active set, by coordinate
descent where that cycles (Friedman, Hastie and Tibshirani, J. Statistical Software 33, 2010; Lee, Sun and
Saunders 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, diags, hstack

Floats = NDArray[np.float64]
Block: TypeAlias = csc_matrix | NDArray[np.float64]
"""Columns of a working set; dense where they are few numbers, which spares the overhead of sparse ones."""

FROZEN_RIDGE = 1e-4
"""Keeps the weights of frozen columns finite where they separate the classes by themselves."""
_TINY = 1e-8
"""Relative ridge of a subproblem: two equal columns share their weight instead of leaving it open."""
_LEAST_CURVATURE = 1e-5
_DENSE = 2_000_000
_TOGETHER = 300
"""Unpenalised weights, all classes together, up to which one step moves all: class by class they creep."""
_CYCLES, _ROUNDS, _HALVINGS, _ACTIVE_SETS = 500, 50, 40, 25


@dataclass(frozen=True, eq=False)
class Point:
    """The solution at one lambda.

    ``weights`` (rows, columns) in standardised units, ``intercept`` (rows,), the mean log ``loss``, the
    largest ``violation`` of the optimality conditions in units of lambda, and the Newton ``steps`` it took.
    """

    lam: float
    weights: csr_matrix
    intercept: Floats
    loss: float
    violation: float
    steps: int

    @property
    def on(self) -> NDArray[np.int64]:
        """Columns with a weight in any row, ascending."""
        found: NDArray[np.int64] = np.unique(self.weights.indices).astype(np.int64)
        return found


def column_sd(matrix: csr_matrix) -> Floats:
    """(columns,) standard deviation of each column, 0 where it does not vary."""
    rows = matrix.shape[0]
    mean = np.asarray(matrix.mean(axis=0)).ravel()
    square = np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel() / rows
    variance = square - mean**2
    return np.sqrt(np.where(variance > 1e-12 * np.maximum(square, 1e-300), variance, 0.0))


class L1Solver:
    """The problem on given rows, and where the solver stands.

    Args:
        matrix: (rows, columns).
        codes: (rows,) class numbers 0..classes-1, at least two of which occur.
        classes: number of classes.
        frozen: (columns,) which columns carry no L1 penalty.
        sd: (columns,) the scale of each column; a column of scale 0 never gets a weight. None: of these rows.
        tol: largest violation of the optimality conditions, in units of lambda.

    Attributes:
        lambda_max: least lambda at which no penalised column has a weight.
        null_loss: mean log loss with the intercept and the frozen columns alone.
    """

    def __init__(
        self,
        matrix: csr_matrix,
        codes: NDArray[np.int64],
        classes: int,
        frozen: NDArray[np.bool_],
        sd: Floats | None = None,
        tol: float = 1e-4,
    ) -> None:
        scale = column_sd(matrix) if sd is None else sd
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        self._z = csc_matrix(matrix @ diags(inverse))
        self._zt = csr_matrix(self._z.T)
        self._n = matrix.shape[0]
        self._rows = 1 if classes == 2 else classes
        hits = np.zeros((self._n, classes))
        hits[np.arange(self._n), codes] = 1.0
        self._y = hits[:, 1:] if classes == 2 else hits
        self._frozen = np.flatnonzero(frozen & (scale > 0))
        self.penalised = np.flatnonzero(~frozen & (scale > 0))
        self._always = hstack(
            [csc_matrix(np.ones((self._n, 1))), self._z[:, self._frozen]], format="csc"
        ).toarray()
        self._free = np.zeros((self._rows, self._always.shape[1]))
        self._v = np.zeros((self._rows, self._z.shape[1]))
        self._scores = np.zeros((self._n, self._rows))
        self._tol, self._steps = tol, 0
        self._last = np.inf
        self._fit_sets(np.inf, [np.zeros(0, np.int64)] * self._rows)
        slope = np.abs(self._slope()[:, self.penalised])
        self.lambda_max = float(slope.max()) if slope.size else 0.0
        self.null_loss = self._loss(self._scores)

    def at(self, lam: float) -> Point:
        """The solution at ``lam``, warm-started from the last one asked for."""
        slope, self._steps = self._slope(), 0
        strong = np.abs(slope) >= 2 * lam - min(self._last, self.lambda_max)
        keep = np.zeros(self._v.shape[1], bool)
        keep[self.penalised] = True
        sets = [(strong[r] | (self._v[r] != 0)) & keep for r in range(self._rows)]
        for _ in range(_ROUNDS):
            self._fit_sets(lam, [np.flatnonzero(chosen) for chosen in sets])
            slope = self._slope()
            late = [(np.abs(slope[r]) > lam * (1 + self._tol)) & keep & ~sets[r] for r in range(self._rows)]
            if not any(missed.any() for missed in late):
                break
            sets = [chosen | missed for chosen, missed in zip(sets, late, strict=True)]
        self._last = lam
        violation = self._violation(slope, lam)
        weights = self._v.copy()
        weights[:, self._frozen] = self._free[:, 1:]
        return Point(
            lam,
            csr_matrix(weights),
            self._free[:, 0].copy(),
            self._loss(self._scores),
            violation,
            self._steps,
        )

    def _violation(self, slope: Floats, lam: float) -> float:
        """Largest distance of the penalised columns from the subgradient conditions, over lambda."""
        g, v = slope[:, self.penalised], self._v[:, self.penalised]
        off = np.where(v != 0, np.abs(g + lam * np.sign(v)), np.maximum(np.abs(g) - lam, 0.0))
        return float(off.max(initial=0.0)) / lam

    def _probabilities(self, scores: Floats) -> Floats:
        if self._rows == 1:
            return np.asarray(1.0 / (1.0 + np.exp(-np.clip(scores, -700, 700))))
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))

    def _loss(self, scores: Floats) -> float:
        if self._rows == 1:
            return float((np.logaddexp(0.0, scores) - self._y * scores).mean())
        top = scores.max(axis=1)
        total = np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top
        return float((total - (self._y * scores).sum(axis=1)).mean())

    def _slope(self) -> Floats:
        """(rows, columns) slope of the mean log loss in each standardised weight."""
        rest = self._probabilities(self._scores) - self._y
        slope: Floats = np.asarray(self._zt @ rest).T / self._n
        return slope

    def _fit_sets(self, lam: float, sets: list[NDArray[np.int64]]) -> None:
        """Solve on the working sets, one of penalised columns a row of weights."""
        blocks = [self._z[:, chosen] for chosen in sets]
        if self._n * max(len(chosen) for chosen in sets) <= _DENSE:
            blocks = [block.toarray() for block in blocks]
        bound = self._tol * (lam if np.isfinite(lam) else 1e-3)
        together = 1 < self._rows <= _TOGETHER // self._always.shape[1]
        for _ in range(_CYCLES):
            off = self._newton_free(bound) if together else 0.0
            for r in range(self._rows):
                off = max(off, self._newton(r, sets[r], blocks[r], lam, bound))
            if off <= bound:
                return

    def _newton_free(self, bound: float) -> float:
        """One Newton step of every row's unpenalised weights; returns how far from optimal it began."""
        a, rows = self._always, self._rows
        p = self._probabilities(self._scores)
        ridge = np.full(a.shape[1], FROZEN_RIDGE)
        ridge[0] = 0.0
        slope = (p - self._y).T @ a / self._n + ridge * self._free
        begun = float(np.abs(slope).max())
        if begun <= bound:
            return begun
        self._steps += 1
        spread = p[:, :, None] * (np.eye(rows) - p[:, None, :])
        curve = np.einsum("ni,nkl,nj->kilj", a, spread, a, optimize=True) / self._n
        whole = curve.reshape(slope.size, slope.size) + np.diag(np.tile(ridge, rows))
        whole[np.diag_indices_from(whole)] += _TINY  # adding the same to every class changes nothing
        step = -np.linalg.solve(whole, slope.ravel()).reshape(slope.shape)
        before = self._loss(self._scores) + float((ridge * self._free**2).sum()) / 2
        promised, share, move = float((slope * step).sum()), 1.0, a @ step.T
        for _ in range(_HALVINGS):
            free, scores = self._free + share * step, self._scores + share * move
            after = self._loss(scores) + float((ridge * free**2).sum()) / 2
            if after <= before + 0.01 * share * promised + 1e-14 * abs(before):
                self._free, self._scores = free, scores
                break
            share /= 2
        return begun

    def _newton(self, r: int, chosen: NDArray[np.int64], block: Block, lam: float, bound: float) -> float:
        """One proximal Newton step of a row's weights; returns how far from optimal it began."""
        p = self._probabilities(self._scores)[:, r]
        rest, curve = p - self._y[:, r], np.maximum(p * (1 - p), _LEAST_CURVATURE) / self._n
        ridge = np.full(self._always.shape[1], FROZEN_RIDGE)
        ridge[0] = 0.0
        g_free = self._always.T @ rest / self._n + ridge * self._free[r]
        g, v = np.asarray(block.T @ rest) / self._n, self._v[r, chosen]
        off = np.where(v != 0, np.abs(g + lam * np.sign(v)), np.maximum(np.abs(g) - lam, 0.0))
        begun = max(float(np.abs(g_free).max()), float(off.max(initial=0.0)))
        if begun <= bound:
            return begun
        self._steps += 1
        weighted = self._always * curve[:, None]
        free = self._always.T @ weighted + np.diag(ridge)
        free[np.diag_indices_from(free)] *= 1 + _TINY
        if len(chosen):
            across = np.asarray(block.T @ weighted)
            inner = _gram(block, curve)
            into = np.linalg.solve(free, np.column_stack([across.T, g_free]))
            m = inner - across @ into[:, :-1]
            m[np.diag_indices_from(m)] += _TINY * np.diag(inner)
            target = _lasso(m, m @ v - (g - across @ into[:, -1]), v, lam)
            step = target - v
            step_free = -into[:, -1] - into[:, :-1] @ step
        else:
            step = np.zeros(0)
            step_free = -np.linalg.solve(free, g_free)
        self._search(r, chosen, block, (step, step_free, g, g_free), lam)
        return begun

    def _search(
        self,
        r: int,
        chosen: NDArray[np.int64],
        block: Block,
        way: tuple[Floats, Floats, Floats, Floats],
        lam: float,
    ) -> None:
        """Halve the step until the objective falls as its slope promises (Armijo)."""
        step, step_free, g, g_free = way
        v, free = self._v[r, chosen], self._free[r]
        move = self._always @ step_free + (np.asarray(block @ step) if len(chosen) else 0.0)

        def penalty(weights: Floats, unpenalised: Floats) -> float:
            l1 = lam * float(np.abs(weights).sum()) if len(weights) else 0.0
            return l1 + FROZEN_RIDGE / 2 * float(unpenalised[1:] @ unpenalised[1:])

        before = self._loss(self._scores) + penalty(v, free)
        promised = float(g @ step + g_free @ step_free)
        if len(chosen):
            promised += lam * float(np.abs(v + step).sum() - np.abs(v).sum())
        share, scores = 1.0, self._scores.copy()
        for _ in range(_HALVINGS):
            scores[:, r] = self._scores[:, r] + share * move
            after = self._loss(scores) + penalty(v + share * step, free + share * step_free)
            if after <= before + 0.01 * share * promised + 1e-14 * abs(before):
                self._v[r, chosen] = v + share * step
                self._free[r] = free + share * step_free
                self._scores = scores
                return
            share /= 2


def _gram(block: Block, curve: Floats) -> Floats:
    """Block' diag(curve) Block, dense."""
    if isinstance(block, np.ndarray):
        return np.asarray(block.T @ (block * curve[:, None]))
    return np.asarray((block.T @ block.multiply(curve[:, None]).tocsc()).toarray())


def _lasso(m: Floats, d: Floats, start: Floats, lam: float) -> Floats:
    """argmin of v'Mv/2 - d'v + lam |v|_1 for M positive definite."""
    v, scale = start, np.diag(m)
    before: Floats | None = None
    for _ in range(_ACTIVE_SETS):
        pull = scale * v + d - m @ v
        signs = np.where(np.abs(pull) > lam, np.sign(pull), 0.0)
        if before is not None and np.array_equal(signs, before):
            return v
        before, active = signs, np.flatnonzero(signs)
        v = np.zeros_like(start)
        if len(active):
            v[active] = np.linalg.solve(m[np.ix_(active, active)], d[active] - lam * signs[active])
    return _descend(m, d, start, lam)


def _descend(m: Floats, d: Floats, start: Floats, lam: float) -> Floats:
    """The same by coordinate descent, which always converges."""
    v, scale = start.copy(), np.diag(m)
    rest = d - m @ v
    order = range(len(v))
    for sweep in range(1000):
        largest = 0.0
        for j in order if sweep % 10 == 0 else np.flatnonzero(v):
            pull = rest[j] + scale[j] * v[j]
            new = float(np.sign(pull)) * max(abs(pull) - lam, 0.0) / scale[j]
            if new != v[j]:
                change = new - v[j]
                rest -= m[:, j] * change
                v[j] = new
                largest = max(largest, abs(change) * scale[j])
        if largest <= 1e-7 * lam and sweep % 10 == 0:
            break
    return v
