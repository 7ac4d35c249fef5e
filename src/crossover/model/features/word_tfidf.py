"""Words and word n-grams, weighted by inverse document frequency."""

from __future__ import annotations

from typing import Final

from sklearn.feature_extraction.text import TfidfVectorizer

from crossover.model.features.vocabulary import VocabularyBlock

WORD: Final = r"(?u)\b\w\w+\b"
"""A word is two or more word characters, scikit-learn's own default."""


class WordTfidf(VocabularyBlock):
    """TF-IDF of word n-grams, each row scaled to length 1 (Salton & Buckley 1988).

    Weight = tf · (ln((1 + rows) / (1 + rows with the term)) + 1), tf = 1 + ln(count) where
    ``sublinear``, else the count. The defaults are those of the published spam-filter figures:
    one- and two-word terms, lower-cased, sublinear, no term dropped.

    Args:
        ngram_min: shortest n-gram, in words.
        ngram_max: longest n-gram, in words.
        min_df: training rows a term must occur in.
        sublinear: damp repeated terms.
        lowercase: lower-case the text first.
    """

    def __init__(
        self,
        ngram_min: int = 1,
        ngram_max: int = 2,
        min_df: int = 1,
        sublinear: bool = True,
        lowercase: bool = True,
    ) -> None:
        self.ngram_min = ngram_min
        self.ngram_max = ngram_max
        self.min_df = min_df
        self.sublinear = sublinear
        self.lowercase = lowercase

    def _vectorizer(self, vocabulary: dict[str, int] | None) -> TfidfVectorizer:
        return TfidfVectorizer(
            ngram_range=(self.ngram_min, self.ngram_max),
            min_df=self.min_df if vocabulary is None else 1,
            sublinear_tf=self.sublinear,
            lowercase=self.lowercase,
            token_pattern=WORD,
            vocabulary=vocabulary,
        )
