"""Linear support vector machine, its margins turned into probabilities inside the training rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from crossover.data.corpus import Rows
from crossover.model.features.block import FeatureBlock
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.linear_classifier import LinearClassifier, Weights, check_penalty, scores

FOLDS = 3
"""Folds of the out-of-fold margins, Platt's own number."""


class LinearSvm(LinearClassifier):
    """One-vs-rest linear SVM with squared hinge loss (LIBLINEAR), calibrated by Platt's method.

    Margins of rows the SVM was not fitted on come from three stratified folds of the training
    rows, features fitted anew in each; on them one scale and one shift a class are fitted by
    log loss against Platt's softened targets (Platt 1999, Lin et al. 2007; with more than two
    classes: softmax of scale · margin + shift). The SVM is then fitted on all rows and its
    weights are kept already scaled and shifted, so that they are log-odds. A class with a single
    row is never held out; where none can be (one row a class) the margin itself is the log-odds.
    LIBLINEAR penalises the intercept like a weight.

    Args:
        features: name -> feature block; None is ``{word: WordTfidf()}``.
        C: inverse strength of the penalty, above 0.
        class_weight: ``balanced`` weighs each class by 1 / its rows; None weighs rows alike.
        max_iter: Newton steps at most.
        tol: LIBLINEAR's stopping tolerance, relative to the gradient at 0.
        seed: draws the folds.
    """

    search_space: ClassVar[Mapping[str, Sequence[object]]] = {
        "C": [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]
    }

    def __init__(
        self,
        features: Mapping[str, FeatureBlock] | None = None,
        C: float = 1.0,
        class_weight: str | None = None,
        max_iter: int = 1000,
        tol: float = 1e-4,
        seed: int = 0,
    ) -> None:
        self.features = features
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.seed = seed

    def _default_features(self) -> Mapping[str, FeatureBlock]:
        return {"word": WordTfidf()}

    def _solve(self, matrix: csr_matrix, codes: NDArray[np.int64], rows: Rows) -> Weights:
        check_penalty(type(self).__name__, self.C, self.class_weight)
        margins, held = self._out_of_fold(codes, rows)
        scale, shift = platt(margins[held], codes[held], int(codes.max()) + 1)
        weights, intercept = self._margins_of(matrix, codes)
        shift = shift[1:] if len(intercept) == 1 else shift
        return scale * weights, scale * intercept + shift

    def _margins_of(self, matrix: csr_matrix, codes: NDArray[np.int64]) -> Weights:
        # The primal solver draws nothing, so that only the folds depend on the seed; without a
        # random_state scikit-learn would still advance the global generator.
        solver = LinearSVC(
            C=self.C,
            class_weight=self.class_weight,
            dual=False,
            max_iter=self.max_iter,
            tol=self.tol,
            random_state=0,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            solver.fit(matrix, codes)
        stopped = any(issubclass(w.category, ConvergenceWarning) for w in caught)
        self.history_ = [{"iterations": float(solver.n_iter_), "converged": float(not stopped)}]
        return solver.coef_.astype(np.float64), solver.intercept_.astype(np.float64)

    def _out_of_fold(
        self, codes: NDArray[np.int64], rows: Rows
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(rows, classes) margins of held-out rows, and which rows were held out."""
        folds = fold_of(codes, self.seed)
        margins = np.zeros((len(codes), int(codes.max()) + 1))
        for fold in range(FOLDS):
            out = np.flatnonzero(folds == fold)
            kept = np.flatnonzero(folds != fold)
            if not out.size:
                continue
            train, test = rows.take(kept), rows.take(out)
            stack = self._new_stack()
            weights, intercept = self._margins_of(stack.fit_transform(train.texts, train.meta), codes[kept])
            margins[out] = scores(stack.transform(test.texts, test.meta), weights, intercept)
        return margins, folds >= 0


def fold_of(codes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Fold of each row, dealt within each class; -1 for the only row of its class.

    Every class stays in the training part of every fold.
    """
    draw = np.random.default_rng(seed)
    folds = np.full(len(codes), -1, dtype=np.int64)
    for code in range(int(codes.max()) + 1):
        members = draw.permutation(np.flatnonzero(codes == code))
        if members.size > 1:
            # Classes start in different folds, so that many small ones do not all sit in the first.
            folds[members] = (np.arange(members.size) + code) % FOLDS
    return folds


def platt(
    margins: NDArray[np.float64], codes: NDArray[np.int64], classes: int
) -> tuple[float, NDArray[np.float64]]:
    """Scale (not negative) and shift a class (the first 0) of least log loss on (rows, classes) margins.

    The target of a row's own class is (n + 1) / (n + 2), n the rows of that class; the rest is
    shared by the others. No row at all gives scale 1 and shifts 0.
    """
    if not len(margins):
        return 1.0, np.zeros(classes)
    own = (np.bincount(codes, minlength=classes) + 1.0) / (np.bincount(codes, minlength=classes) + 2.0)
    target = np.repeat(((1.0 - own[codes]) / (classes - 1))[:, None], classes, axis=1)
    target[np.arange(len(codes)), codes] = own[codes]

    def loss(free: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_p = log_softmax(free[0] * margins + np.concatenate([[0.0], free[1:]]), axis=1)
        surplus = np.exp(log_p) - target
        slope = np.concatenate([[(surplus * margins).sum()], surplus[:, 1:].sum(axis=0)])
        return float(-(target * log_p).sum() / len(codes)), slope / len(codes)

    start = np.concatenate([[1.0], np.zeros(classes - 1)])
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] + [(None, None)] * (classes - 1),
        options={"gtol": 1e-8, "ftol": 1e-14, "maxiter": 1000},
    )
    return float(found.x[0]), np.concatenate([[0.0], found.x[1:]])
