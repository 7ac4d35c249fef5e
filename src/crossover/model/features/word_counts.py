"""Plain counts of words and word n-grams, what naive Bayes is defined on."""

from __future__ import annotations

from sklearn.feature_extraction.text import CountVectorizer

from crossover.model.features.vocabulary import VocabularyBlock
from crossover.model.features.word_tfidf import WORD


class WordCounts(VocabularyBlock):
    """How often each word n-gram occurs in the text, unweighted and unscaled.

    Args:
        ngram_min: shortest n-gram, in words.
        ngram_max: longest n-gram, in words.
        min_df: training rows a term must occur in.
        lowercase: lower-case the text first.
    """

    def __init__(
        self, ngram_min: int = 1, ngram_max: int = 1, min_df: int = 1, lowercase: bool = True
    ) -> None:
        self.ngram_min = ngram_min
        self.ngram_max = ngram_max
        self.min_df = min_df
        self.lowercase = lowercase

    def _vectorizer(self, vocabulary: dict[str, int] | None) -> CountVectorizer:
        return CountVectorizer(
            ngram_range=(self.ngram_min, self.ngram_max),
            min_df=self.min_df if vocabulary is None else 1,
            lowercase=self.lowercase,
            token_pattern=WORD,
            vocabulary=vocabulary,
        )
