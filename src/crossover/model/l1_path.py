"""Logistic regression along its L1 path: which features and blocks turn on first, and keep doing so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.measure.stability_selection import check_threshold, features_to_choose, half_samples, shares
from crossover.model.features.block import FeatureBlock
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.l1_solver import L1Solver, Point, column_sd
from crossover.model.linear_classifier import LinearClassifier, Weights

TURNS_ON = "turns on: "
"""Before a feature's name in the history entry of the lambda at which it first has a weight; the value is the
1-based number, among all classes, of the class its largest weight speaks for (negative: against)."""
SHARE = "share: "
"""Before a feature's name in the last entry: the share of half-samples that chose it."""
BLOCK_SHARE = "share of block: "
"""Before a block's name in the last entry: the share of half-samples that chose any of its features."""
KEPT = 300
"""Shares kept in the history, the largest first; at least 2q, more than can be stable."""
LARGEST_FROZEN = 1_000


class L1Path(LinearClassifier):
    """Multinomial logistic regression with an L1 penalty, followed from the lambda at which nothing is on.

    Minimises mean log loss + lambda · sum of |weight| · (standard deviation of the column), one standard
    deviation of any column costing the same. Columns of ``frozen`` blocks are in from the start and carry no
    such penalty (a ridge of 1e-4 keeps them finite). The intercept is never penalised. The path ends at
    ``ratio`` times its first lambda, or where more than ``max_features`` are on; its last model predicts.

    With ``pairs`` above 0 the path is followed on 2 * pairs half-samples too, as far as it takes to turn q
    features on, and ``history_`` ends with the share of them that chose each feature (stability selection;
    q by ``threshold`` and ``false_selections``, crossover.measure.stability_selection).

    ``history_`` has an entry a lambda: ``lambda``, ``relative`` to the first, ``features`` on, ``on:
    BLOCK`` and ``weight: BLOCK`` (sum of standardised weights) a block, mean log ``loss``, ``explained``
    share of the null model's, ``violation`` of optimality over lambda, and ``turns on: FEATURE`` for each
    feature new at it.

    Args:
        features: name -> feature block; None is ``{word: WordTfidf(ngram_max=1, min_df=2)}``.
        frozen: names of blocks known to be good, kept in.
        lambdas: values of lambda, equally spaced on a log scale.
        ratio: last lambda over the first, in (0, 1).
        max_features: features on at which the path ends.
        pairs: complementary pairs of half-samples; 0 for none.
        threshold: share of half-samples from which on a feature is called stable, above .5.
        false_selections: noise features that may be expected among the stable ones.
        tol: largest violation of optimality, in units of lambda.
        seed: of the half-samples.
    """

    search_space: ClassVar[Mapping[str, Sequence[object]]] = {"ratio": [0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02]}

    def __init__(
        self,
        features: Mapping[str, FeatureBlock] | None = None,
        frozen: list[str] | None = None,
        lambdas: int = 40,
        ratio: float = 0.05,
        max_features: int = 200,
        pairs: int = 0,
        threshold: float = 0.9,
        false_selections: float = 1.0,
        tol: float = 1e-4,
        seed: int = 0,
    ) -> None:
        self.features = features
        self.frozen = frozen
        self.lambdas = lambdas
        self.ratio = ratio
        self.max_features = max_features
        self.pairs = pairs
        self.threshold = threshold
        self.false_selections = false_selections
        self.tol = tol
        self.seed = seed

    def _default_features(self) -> Mapping[str, FeatureBlock]:
        return {"word": WordTfidf(ngram_max=1, min_df=2)}

    def _solve(self, matrix: csr_matrix, codes: NDArray[np.int64], rows: Rows) -> Weights:
        self._check()
        names, blocks = self.stack_.names(), sorted(self.features or self._default_features())
        of_block = np.array([_block_of(name, blocks) for name in names])
        frozen = self._frozen(of_block, blocks, len(codes))
        sd = column_sd(matrix)
        solver = L1Solver(matrix, codes, len(self.present_), frozen, sd, self.tol)
        points = self._path(solver)
        on: set[int] = set()
        for point in points:
            new = [j for j in point.on.tolist() if j not in on and not frozen[j]]
            on.update(new)
            counted = {
                **_by_block(point, of_block, blocks, frozen),
                **{TURNS_ON + names[j]: self._speaks_for(point, j) for j in new},
            }
            self.history_.append({**self._entry(point, solver, len(point.on) - int(frozen[point.on].sum())),
                                  **counted})  # fmt: skip
        if self.pairs:
            self.history_.append(self._stability(matrix, codes, frozen, sd, names, of_block, blocks))
        inverse = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
        return points[-1].weights.toarray() * inverse, points[-1].intercept

    def _check(self) -> None:
        check_threshold(self.threshold, self.false_selections)
        if not 0 < self.ratio < 1 or self.lambdas < 2 or self.max_features < 1 or self.pairs < 0:
            raise BadInput(
                f"L1Path: ratio={self.ratio}, lambdas={self.lambdas}, max_features={self.max_features}, "
                f"pairs={self.pairs}; expected a ratio between 0 and 1, at least 2 lambdas and 1 feature, no "
                "negative number of pairs"
            )
        if not 0 < self.tol < 1:
            raise BadInput(f"L1Path: tol={self.tol}, expected a number between 0 and 1, such as 1e-4")

    def _frozen(self, of_block: NDArray[np.str_], blocks: list[str], rows: int) -> NDArray[np.bool_]:
        unknown = sorted(set(self.frozen or []) - set(blocks))
        if unknown:
            raise BadInput(f"L1Path: frozen names the block {unknown[0]!r}, the features are {blocks}")
        frozen = np.isin(of_block, self.frozen or [])
        most = min(LARGEST_FROZEN, rows // 2)
        if int(frozen.sum()) > most:
            raise BadInput(
                f"L1Path: the frozen blocks have {int(frozen.sum()):,} columns for {rows:,} training rows; "
                f"without a penalty at most {most:,} are determined. Freeze small blocks (surface, "
                "declared_meta), or raise min_df"
            )
        return frozen

    def _path(self, solver: L1Solver) -> list[Point]:
        if solver.lambda_max <= 0:  # no penalised column varies with the classes
            return [solver.at(1.0)]
        points = []
        for step in range(self.lambdas):
            points.append(solver.at(solver.lambda_max * self.ratio ** (step / (self.lambdas - 1))))
            if np.isin(points[-1].on, solver.penalised).sum() > self.max_features:
                break
        return points

    def _entry(self, point: Point, solver: L1Solver, features: int) -> dict[str, float]:
        return {
            "lambda": point.lam,
            "relative": point.lam / solver.lambda_max if solver.lambda_max > 0 else 1.0,
            "features": float(features),
            "loss": point.loss,
            "explained": 1 - point.loss / solver.null_loss if solver.null_loss > 0 else 0.0,
            "violation": point.violation,
            "steps": float(point.steps),
        }

    def _speaks_for(self, point: Point, column: int) -> float:
        """Signed 1-based number of a class among ``classes_``."""
        weights = point.weights[:, [column]].toarray().ravel()
        row = int(np.argmax(np.abs(weights)))
        if len(weights) == 1:
            return float(self.classes_.index(self.present_[1 if weights[0] > 0 else 0]) + 1)
        return float((self.classes_.index(self.present_[row]) + 1) * (1 if weights[row] > 0 else -1))

    def _stability(
        self,
        matrix: csr_matrix,
        codes: NDArray[np.int64],
        frozen: NDArray[np.bool_],
        sd: NDArray[np.float64],
        names: list[str],
        of_block: NDArray[np.str_],
        blocks: list[str],
    ) -> dict[str, float]:
        """How often each feature is among the first q of a half-sample's path."""
        able = int((~frozen & (sd > 0)).sum())
        most = min(self.max_features, len(codes) // 4)
        q = features_to_choose(able, self.threshold, self.false_selections, max(most, 1)) if able else 0
        chosen: list[NDArray[np.int64]] = []
        halves = half_samples(codes, self.pairs, self.seed)
        for k, half in enumerate(halves):
            chosen.append(self._first(matrix[half], codes[half], frozen, q))
            if self.on_step is not None:
                self.on_step(k + 1, len(halves), "half-samples")
        found = shares(chosen, len(names))
        order = np.lexsort((np.arange(len(names)), -found))[: max(KEPT, 2 * q)]
        mean = float(np.mean([len(picked) for picked in chosen]))
        any_of = {
            f"{BLOCK_SHARE}{block}": float(np.mean([bool((of_block[p] == block).any()) for p in chosen]))
            for block in blocks
            if not frozen[of_block == block].any()
        }
        return {
            "half_samples": float(len(halves)), "q": float(q), "columns": float(able), "chosen": mean,
            **any_of, **{SHARE + names[j]: float(found[j]) for j in order.tolist() if found[j] > 0},
        }  # fmt: skip

    def _first(
        self, matrix: csr_matrix, codes: NDArray[np.int64], frozen: NDArray[np.bool_], q: int
    ) -> NDArray[np.int64]:
        """The first q penalised columns of the path on these rows; those of one lambda by their weight."""
        present, numbered = np.unique(codes, return_inverse=True)
        if len(present) < 2 or not q:
            return np.zeros(0, np.int64)
        solver = L1Solver(matrix, numbered.astype(np.int64), len(present), frozen, None, max(self.tol, 1e-2))
        found: list[int] = []
        if solver.lambda_max <= 0:
            return np.zeros(0, np.int64)
        for step in range(1, self.lambdas):
            point = solver.at(solver.lambda_max * self.ratio ** (step / (self.lambdas - 1)))
            size = np.abs(point.weights).max(axis=0).toarray().ravel()
            new = [j for j in point.on.tolist() if not frozen[j] and j not in found]
            found += sorted(new, key=lambda j: (-size[j], j))
            if len(found) >= q:
                break
        return np.array(found[:q], dtype=np.int64)


def _block_of(name: str, blocks: list[str]) -> str:
    """The block of a column named ``block: column``; the longest where one block's name begins another's."""
    fits = [block for block in blocks if name.startswith(f"{block}: ")]
    return max(fits, key=len, default="")


def _by_block(
    point: Point, of_block: NDArray[np.str_], blocks: list[str], frozen: NDArray[np.bool_]
) -> dict[str, float]:
    """Features on and sum of standardised weights of each block that is not frozen."""
    size = np.asarray(np.abs(point.weights).sum(axis=0)).ravel()
    made: dict[str, float] = {}
    for block in blocks:
        own = (of_block == block) & ~frozen
        if own.any():
            made[f"on: {block}"] = float(own[point.on].sum())
            made[f"weight: {block}"] = float(size[own].sum())
    return made
