"""Character n-grams, weighted by inverse document frequency: robust to spelling and to disguise."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer

from crossover.model.features.vocabulary import VocabularyBlock


class CharTfidf(VocabularyBlock):
    """TF-IDF of character n-grams, each row scaled to length 1.

    Args:
        ngram_min: shortest n-gram, in characters.
        ngram_max: longest n-gram, in characters.
        min_df: training rows a term must occur in.
        within_words: n-grams stay inside space-delimited words, padded with a space at each end.
        sublinear: damp repeated terms.
        lowercase: lower-case the text first.
        max_characters: what lies beyond this many characters of a text is not read: n-grams of
            1 MB without a repeat take some 10 s and two million columns.
    """

    def __init__(
        self,
        ngram_min: int = 2,
        ngram_max: int = 5,
        min_df: int = 1,
        within_words: bool = True,
        sublinear: bool = True,
        lowercase: bool = True,
        max_characters: int = 50_000,
    ) -> None:
        self.ngram_min = ngram_min
        self.ngram_max = ngram_max
        self.min_df = min_df
        self.within_words = within_words
        self.sublinear = sublinear
        self.lowercase = lowercase
        self.max_characters = max_characters

    def _read(self, texts: Sequence[str]) -> Sequence[str]:
        return [text[: self.max_characters] for text in texts]

    def _vectorizer(self, vocabulary: dict[str, int] | None) -> TfidfVectorizer:
        return TfidfVectorizer(
            analyzer="char_wb" if self.within_words else "char",
            ngram_range=(self.ngram_min, self.ngram_max),
            min_df=self.min_df if vocabulary is None else 1,
            sublinear_tf=self.sublinear,
            lowercase=self.lowercase,
            vocabulary=vocabulary,
        )
