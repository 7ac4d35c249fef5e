"""VocabularyBlock: what the blocks that count terms share: vocabulary and inverse document frequency."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from crossover.data.bad_input import BadInput
from crossover.model.classifier import Arrays, Meta
from crossover.model.features import out_of_core
from crossover.model.features.block import FeatureBlock

_NO_TERMS = ("empty vocabulary", "no terms remain")


class VocabularyBlock(FeatureBlock):
    """One column a term, terms in sorted order, counted or weighted by scikit-learn's vectorizer.

    Terms unknown at fitting are ignored later. Training rows without a single term give a block
    of no columns.
    """

    ngram_min: int
    ngram_max: int
    min_df: int
    terms_: list[str]
    idf_: NDArray[np.float64]

    @abstractmethod
    def _vectorizer(self, vocabulary: dict[str, int] | None) -> CountVectorizer:
        """The vectorizer of these settings, learning its vocabulary where None is given."""

    def _read(self, texts: Sequence[str]) -> Sequence[str]:
        """The part of each text that is read."""
        return texts

    def fit(self, texts: Sequence[str], meta: Meta | None = None) -> Self:
        """Learn the vocabulary and document frequencies of these rows."""
        self.fit_transform(texts, meta)
        return self

    def fit_transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """Fit, and transform the same rows in one pass over the text; many rows out of core, same bits."""
        self._check()
        if len(texts) >= out_of_core.ROWS:
            return self._fit_out_of_core(texts)
        learning = self._vectorizer(None)
        try:
            # No term can be in more rows than there are; scikit-learn calls that a wrong min_df.
            matrix = learning.fit_transform(self._read(texts)) if self.min_df <= len(texts) else None
        except ValueError as error:
            if not any(phrase in str(error) for phrase in _NO_TERMS):
                raise
            matrix = None
        if matrix is None:
            self._keep([], np.zeros(0))
            return csr_matrix((len(texts), 0))
        terms = cast(list[str], learning.get_feature_names_out().tolist())
        self._keep(terms, learning.idf_ if isinstance(learning, TfidfVectorizer) else np.ones(len(terms)))
        matrix.sort_indices()
        return csr_matrix(matrix, dtype=np.float64)

    def transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """(texts, terms) weights of the terms known."""
        self._require_fitted("terms_")
        if not self.terms_ or not texts:
            return csr_matrix((len(texts), len(self.terms_)))
        matrix = self._fitted.transform(self._read(texts))
        matrix.sort_indices()
        return csr_matrix(matrix, dtype=np.float64)

    def names(self) -> list[str]:
        """The terms."""
        self._require_fitted("terms_")
        return self.terms_

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Terms in column order, and the inverse document frequency of each."""
        self._require_fitted("terms_")
        return {"idf": self.idf_}, {"terms": self.terms_}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self._keep(list(cast(Sequence[str], plain["terms"])), arrays["idf"].astype(np.float64))

    def _fit_out_of_core(self, texts: Sequence[str]) -> csr_matrix:
        learning = self._vectorizer(None)
        rows = out_of_core.document_frequencies(self._read(texts), learning.build_analyzer())
        met = [term for term, count in rows.items() if count >= self.min_df]
        found = np.array([rows[term] for term in met], np.float64)
        weighted = isinstance(learning, TfidfVectorizer)
        idf = np.log((1.0 + len(texts)) / (1.0 + found)) + 1.0 if weighted else np.ones(len(met))
        order = sorted(range(len(met)), key=met.__getitem__)
        self._keep([met[k] for k in order], idf[order])
        if not met:
            return csr_matrix((len(texts), 0))
        # Rows are scaled with their terms in the order they were met, as scikit-learn does in one pass:
        # a sum in another order has other bits.
        scaling = self._with_idf(met, idf)
        column = np.empty(len(met), np.int32)
        column[order] = np.arange(len(met), dtype=np.int32)
        return out_of_core.spooled(
            (
                _renumbered(scaling.transform(self._read(texts[piece])), column)
                for piece in out_of_core.pieces(len(texts))
            ),
            len(met),
        )

    def _check(self) -> None:
        name = type(self).__name__
        if self.min_df < 1:
            raise BadInput(f"{name}: min_df={self.min_df}, expected at least 1 row a term")
        if not 1 <= self.ngram_min <= self.ngram_max:
            raise BadInput(
                f"{name}: ngram_min={self.ngram_min}, ngram_max={self.ngram_max}; "
                "expected 1 <= ngram_min <= ngram_max"
            )

    def _keep(self, terms: list[str], idf: NDArray[np.float64]) -> None:
        # A fitted block and a restored one hold the same vectorizer, so both give the same bits.
        self.terms_ = terms
        self.idf_ = idf
        if terms:
            self._fitted = self._with_idf(terms, idf)

    def _with_idf(self, terms: Sequence[str], idf: NDArray[np.float64]) -> CountVectorizer:
        made = self._vectorizer({term: column for column, term in enumerate(terms)})
        if isinstance(made, TfidfVectorizer):
            made.idf_ = idf
        return made


def _renumbered(matrix: csr_matrix, column: NDArray[np.int32]) -> csr_matrix:
    """The matrix with column k in the place ``column[k]``."""
    moved = csr_matrix((matrix.data, column[matrix.indices], matrix.indptr), shape=matrix.shape)
    moved.sort_indices()
    return moved
