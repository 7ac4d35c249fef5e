"""Naive Bayes on word counts: one pass over the text, nothing to converge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.naive_bayes import ComplementNB, MultinomialNB

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model.features.block import FeatureBlock
from crossover.model.features.word_counts import WordCounts
from crossover.model.linear_classifier import LinearClassifier, Weights


class NaiveBayes(LinearClassifier):
    """Multinomial naive Bayes with additive smoothing (McCallum & Nigam 1998).

    Its probabilities are overconfident: words are counted as independent evidence.

    Args:
        features: name -> feature block, columns not negative; None is ``{word: WordCounts()}``.
        alpha: pseudo-count a term, above 0; 1 is Laplace's rule.
        complement: estimate each class from the rows of all others (Rennie et al. 2003), which
            suits unequal classes; class shares are then not used.
        seed: not used; every classifier takes one.
    """

    search_space: ClassVar[Mapping[str, Sequence[object]]] = {
        "alpha": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
    }

    def __init__(
        self,
        features: Mapping[str, FeatureBlock] | None = None,
        alpha: float = 1.0,
        complement: bool = False,
        seed: int = 0,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.complement = complement
        self.seed = seed

    def _default_features(self) -> Mapping[str, FeatureBlock]:
        return {"word": WordCounts()}

    def _solve(self, matrix: csr_matrix, codes: NDArray[np.int64], rows: Rows) -> Weights:
        if not self.alpha > 0:
            raise BadInput(f"NaiveBayes: alpha={self.alpha}, expected a pseudo-count above 0")
        if matrix.nnz and matrix.data.min() < 0:
            column = self.stack_.names()[matrix.indices[int(np.argmin(matrix.data))]]
            raise BadInput(
                f"NaiveBayes counts, and feature {column!r} is negative; use word_counts, word_tfidf or "
                "char_tfidf blocks here, or model=logistic_regression for standardised features"
            )
        solver = ComplementNB(alpha=self.alpha) if self.complement else MultinomialNB(alpha=self.alpha)
        solver.fit(matrix, codes)
        weights = solver.feature_log_prob_.astype(np.float64)
        if self.complement:
            return weights, np.zeros(len(weights))
        return weights, solver.class_log_prior_.astype(np.float64)
