"""The SVM's margins are LIBLINEAR's, and its probabilities are calibrated on rows it was not fitted on."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.svm import LinearSVC

from crossover.data.bad_input import BadInput
from crossover.model.linear_svm import FOLDS, LinearSvm, fold_of, platt

WORDS = [
    "free",
    "win",
    "cash",
    "prize",
    "call",
    "lunch",
    "home",
    "meeting",
    "love",
    "report",
    "the",
    "you",
    "is",
    "at",
]


class FirstColumn(ClassifierMixin, BaseEstimator):
    """A classifier whose margin is its first feature."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


def simulated(count: int, scale: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    margin = draw.normal(size=count)
    return margin, (draw.random(count) < expit(scale * margin + shift)).astype(np.int64)


def two_columns(margin: np.ndarray) -> np.ndarray:
    return np.column_stack([np.zeros(len(margin)), margin])


def test_platt_recovers_the_scale_and_shift_that_made_the_labels():
    margin, codes = simulated(40_000, 2.5, -0.7)
    scale, shift = platt(two_columns(margin), codes, 2)
    assert scale == pytest.approx(2.5, abs=0.1)
    assert shift == pytest.approx([0.0, -0.7], abs=0.06)


def test_platt_agrees_with_scikit_learn_on_few_rows():
    margin, codes = simulated(30, 3.0, 1.0)
    frozen = FrozenEstimator(FirstColumn().fit(margin[:, None], codes))
    oracle = CalibratedClassifierCV(frozen, method="sigmoid").fit(margin[:, None], codes)
    scale, shift = platt(two_columns(margin), codes, 2)
    ours = expit(scale * margin + shift[1])
    np.testing.assert_allclose(ours, oracle.predict_proba(margin[:, None])[:, 1], atol=1e-4)


def test_platt_of_three_classes_recovers_its_parameters():
    draw = np.random.default_rng(1)
    margins = draw.normal(size=(60_000, 3))
    odds = 1.5 * margins + np.array([0.0, 0.5, -1.0])
    codes = (odds + draw.gumbel(size=odds.shape)).argmax(axis=1)
    scale, shift = platt(margins, codes, 3)
    assert scale == pytest.approx(1.5, abs=0.05)
    assert shift == pytest.approx([0.0, 0.5, -1.0], abs=0.06)


def test_platt_never_turns_margins_round_and_stays_finite_where_they_separate():
    margin = np.array([-2.0, -1.0, 1.0, 2.0])
    assert platt(two_columns(-margin), np.array([0, 0, 1, 1]), 2)[0] == 0.0
    scale, shift = platt(two_columns(margin), np.array([0, 0, 1, 1]), 2)
    assert 0 < scale < 10 and np.isfinite(shift).all()
    empty_scale, empty_shift = platt(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), 3)
    assert empty_scale == 1.0 and empty_shift.tolist() == [0.0, 0.0, 0.0]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 5))
def test_every_class_stays_in_the_training_part_of_every_fold(drawn, seed):
    codes = np.unique(drawn, return_inverse=True)[1]
    folds = fold_of(codes, seed)
    for code in range(codes.max() + 1):
        members = folds[codes == code]
        if len(members) == 1:
            assert members[0] == -1
        else:
            assert (members >= 0).all() and (members < FOLDS).all()
            counts = np.bincount(members, minlength=FOLDS)
            assert counts.max() < len(members) and counts.max() - counts.min() <= 1


def spam_rows(count: int, seed: int) -> tuple[list[str], list[str]]:
    draw = random.Random(seed)
    labels = [("ham", "spam")[k % 3 == 0] for k in range(count)]
    return [
        " ".join(draw.choices(WORDS[:10] if label == "spam" else WORDS[4:], k=5)) for label in labels
    ], labels


def test_the_weights_point_where_liblinear_points():
    texts, labels = spam_rows(60, 0)
    ours = LinearSvm(C=0.5).fit(texts, labels, ["ham", "spam"])
    matrix = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)
    theirs = LinearSVC(C=0.5, dual=False).fit(matrix, labels).coef_[0]
    ratio = ours.weights_[0] / theirs
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    assert ratio[0] > 0


def test_the_seed_moves_the_calibration_only():
    texts, labels = spam_rows(45, 1)
    one, other = (LinearSvm(seed=seed).fit(texts, labels, ["ham", "spam"]) for seed in (0, 1))
    direction = [model.weights_ / np.linalg.norm(model.weights_) for model in (one, other)]
    np.testing.assert_allclose(direction[0], direction[1], atol=1e-12)
    assert not np.array_equal(one.weights_, other.weights_)


def test_labels_that_have_nothing_to_do_with_the_text_get_probabilities_near_their_shares():
    draw = random.Random(3)
    texts = [" ".join(draw.choices(WORDS, k=8)) for _ in range(300)]
    labels = ["spam" if draw.random() < 0.2 else "ham" for _ in texts]
    share = labels[:150].count("spam") / 150
    spam = LinearSvm(C=10.0).fit(texts[:150], labels[:150], ["ham", "spam"]).predict_proba(texts)[:, 1]
    # Platt's scaling on the rows the SVM was fitted on would be sure of itself: it knows them by heart.
    assert np.abs(spam - share).mean() < 0.08
    assert spam.mean() == pytest.approx(share, abs=0.03)


def test_one_row_a_class_uses_the_margin_as_it_is():
    model = LinearSvm().fit(["free prize", "lunch home"], ["spam", "ham"], ["ham", "spam"])
    matrix = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(
        ["free prize", "lunch home"]
    )
    theirs = LinearSVC(dual=False).fit(matrix, [1, 0])
    np.testing.assert_allclose(
        model.predict_proba(["free prize"])[0, 1], expit(theirs.decision_function(matrix[:1])[0]), atol=1e-9
    )


def test_settings_without_a_meaning_are_refused_by_name():
    with pytest.raises(BadInput, match="C=0"):
        LinearSvm(C=0.0).fit(["a b", "c d"], ["x", "y"], ["x", "y"])
