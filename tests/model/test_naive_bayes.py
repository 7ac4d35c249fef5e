"""Naive Bayes by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline

from crossover.data.bad_input import BadInput
from crossover.model.features.surface import Surface
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.naive_bayes import NaiveBayes

TEXTS = ["free free prize", "win prize", "lunch home", "home home love", "report at lunch", "free lunch"]
LABELS = ["spam", "spam", "ham", "ham", "news", "ham"]
CLASSES = ["ham", "news", "spam"]


def test_posterior_by_hand():
    model = NaiveBayes().fit(["aa aa bb", "bb cc", "cc"], ["x", "y", "y"], ["x", "y"])
    # x: 3 words, aa 2, bb 1; y: 3 words, bb 1, cc 2; Laplace over 3 terms; priors 1/3 and 2/3.
    x = 1 / 3 * (3 / 6) ** 2 * (1 / 6)
    y = 2 / 3 * (1 / 6) ** 2 * (3 / 6)
    assert model.predict_proba(["aa cc aa unknown"])[0, 0] == pytest.approx(x / (x + y))


@pytest.mark.parametrize(("complement", "oracle"), [(False, MultinomialNB), (True, ComplementNB)])
@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_probabilities_are_those_of_scikit_learn(complement, oracle, alpha):
    theirs = make_pipeline(CountVectorizer(), oracle(alpha=alpha)).fit(TEXTS, LABELS)
    ours = NaiveBayes(alpha=alpha, complement=complement).fit(TEXTS, LABELS, CLASSES)
    seen = [*TEXTS, "free report", "nothing known", ""]
    np.testing.assert_allclose(ours.predict_proba(seen), theirs.predict_proba(seen), atol=1e-12)


def test_a_long_text_stays_finite():
    probabilities = NaiveBayes().fit(TEXTS, LABELS, CLASSES).predict_proba(["free prize " * 100_000])
    np.testing.assert_array_equal(probabilities, [[0, 0, 1]])


def test_negative_features_are_refused_by_name_and_weighted_ones_taken():
    with pytest.raises(BadInput, match="surface: "):
        NaiveBayes({"surface": Surface()}).fit(TEXTS, LABELS, CLASSES)
    NaiveBayes({"word": WordTfidf()}).fit(TEXTS, LABELS, CLASSES)


def test_no_smoothing_is_refused():
    with pytest.raises(BadInput, match="alpha=0"):
        NaiveBayes(alpha=0.0).fit(TEXTS, LABELS, CLASSES)
