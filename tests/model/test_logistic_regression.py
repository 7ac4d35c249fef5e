"""Logistic regression reaches its optimum, names its weights, and says when it did not converge."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression as Oracle
from sklearn.pipeline import make_pipeline

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model.features.char_tfidf import CharTfidf
from crossover.model.features.declared_meta import DeclaredMeta
from crossover.model.features.stack import NOTHING
from crossover.model.features.surface import Surface
from crossover.model.features.word_counts import WordCounts
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.logistic_regression import LogisticRegression

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


def rows(classes: int, count: int = 60) -> tuple[list[str], list[str]]:
    draw = random.Random(classes)
    labels = [f"c{k % classes}" for k in range(count)]
    return [" ".join(draw.choices(WORDS[int(label[1]) * 3 :], k=5)) for label in labels], labels


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("C", [1.0, 100.0])
def test_probabilities_are_those_of_scikit_learn_run_to_convergence(classes, C):
    texts, labels = rows(classes)
    names = sorted(set(labels))
    oracle = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), Oracle(C=C, tol=1e-9, max_iter=10_000)
    ).fit(texts, labels)
    ours = LogisticRegression(C=C).fit(texts, labels, names)
    np.testing.assert_allclose(ours.predict_proba(texts), oracle.predict_proba(texts), atol=2e-4)
    assert ours.history_[0]["converged"] == 1.0


def test_the_weights_are_where_the_stated_objective_is_flat():
    texts, labels = rows(3)
    model = LogisticRegression(C=7.0).fit(texts, labels, ["c0", "c1", "c2"])
    matrix = model.stack_.transform(texts)
    surplus = softmax(matrix @ model.weights_.T + model.intercept_, axis=1)
    surplus[np.arange(len(labels)), [int(label[1]) for label in labels]] -= 1
    # C · sum of losses + |w|²/2, the intercept free.
    np.testing.assert_allclose(7.0 * (matrix.T @ surplus).T + model.weights_, 0, atol=7.0 * len(texts) * 1e-6)
    np.testing.assert_allclose(surplus.sum(axis=0), 0, atol=len(texts) * 1e-6)


def test_a_fit_cut_short_is_an_entry_in_the_history_and_no_warning():
    texts, labels = rows(3)
    model = LogisticRegression(C=1e4, max_iter=1).fit(texts, labels, ["c0", "c1", "c2"])
    assert model.history_ == [{"iterations": 1.0, "converged": 0.0}]


def test_coefficients_of_two_classes_are_the_log_odds_of_the_one_named():
    texts, labels = ["free prize", "free win", "lunch home", "home love"], ["spam", "spam", "ham", "ham"]
    model = LogisticRegression().fit(texts, labels, ["ham", "other", "spam"])
    kept = model.coefficients()
    assert (
        kept.classes == ("spam",)
        and kept.weights.shape == (1, len(kept.names))
        and kept.intercept.shape == (1,)
    )
    weight = dict(zip(kept.names, kept.weights[0], strict=True))
    assert weight["word: free"] > 0 > weight["word: home"]
    probabilities = model.predict_proba(["free lunch"])[0]
    odds = np.log(probabilities[2] / probabilities[0])
    row = model.stack_.transform(["free lunch"]).toarray()[0]
    assert odds == pytest.approx(float(row @ kept.weights[0] + kept.intercept[0]))
    assert model.parameters_ == len(kept.names) + 1


def test_coefficients_of_more_classes_have_a_row_each():
    texts, labels = rows(3)
    kept = LogisticRegression().fit(texts, labels, ["c0", "c1", "c2", "c3"]).coefficients()
    assert kept.classes == ("c0", "c1", "c2") and kept.weights.shape == (3, len(kept.names))


def test_balanced_weights_are_as_if_the_rare_class_were_repeated():
    texts, labels = rows(2, 40)
    texts, labels = texts[:30], ["c0" if k >= 10 else "c1" for k in range(30)]
    counts = {"word": WordCounts()}
    balanced = LogisticRegression(counts, C=1.0, class_weight="balanced").fit(texts, labels, ["c0", "c1"])
    # Weights 30/(2·10) and 30/(2·20) sum to 30; with each rare row twice, 40 rows weigh 1 each.
    repeated = LogisticRegression(counts, C=30 / 40).fit(
        texts + texts[:10], labels + labels[:10], ["c0", "c1"]
    )
    np.testing.assert_allclose(balanced.predict_proba(texts), repeated.predict_proba(texts), atol=1e-5)
    plain = LogisticRegression(counts, C=1.0).fit(texts, labels, ["c0", "c1"])
    assert balanced.predict_proba(texts)[:, 1].mean() > plain.predict_proba(texts)[:, 1].mean() + 0.05


def test_texts_without_any_word_fall_back_on_the_shares_of_the_classes():
    model = LogisticRegression().fit(["", "!", "?", " "], ["ham", "ham", "ham", "spam"], ["ham", "spam"])
    np.testing.assert_allclose(model.predict_proba(["", "free"]), [[0.75, 0.25]] * 2, atol=1e-5)
    assert model.coefficients().names == (NOTHING,)


def test_declared_meta_decides_where_the_text_cannot():
    blocks = {"word": WordTfidf(), "meta": DeclaredMeta(category=["sender"])}
    meta = {"sender": ["ann", "eve"] * 4}
    model = LogisticRegression(blocks).fit(
        ["same text"] * 8, ["ham", "spam"] * 4, ["ham", "spam"], None, meta
    )
    probabilities = model.predict_proba(["same text"] * 2, {"sender": ["eve", "ann"]})
    assert probabilities[0, 1] > 0.9 and probabilities[1, 0] > 0.9
    with pytest.raises(BadInput, match="'sender'"):
        model.predict_proba(["same text"])


def test_every_named_block_enters_whatever_the_order_they_are_named_in():
    texts, labels = rows(2)
    blocks = {"word": WordTfidf(), "surface": Surface(), "char": CharTfidf()}
    one = LogisticRegression(blocks).fit(texts, labels, ["c0", "c1"])
    other = LogisticRegression(dict(reversed(blocks.items()))).fit(texts, labels, ["c0", "c1"])
    np.testing.assert_array_equal(one.predict_proba(texts), other.predict_proba(texts))
    assert {name.split(":")[0] for name in one.coefficients().names} == set(blocks)


@pytest.mark.parametrize("wrong", [{"C": 0.0}, {"C": -1.0}, {"C": float("nan")}, {"class_weight": "auto"}])
def test_settings_without_a_meaning_are_refused_by_name(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        LogisticRegression(**wrong).fit(*rows(2), ["c0", "c1"])


def test_a_second_fit_forgets_the_first():
    model = LogisticRegression()
    model.fit(["aa bb", "cc dd"], ["x", "y"], ["x", "y"])
    texts, labels = rows(2)
    again = model.fit(texts, labels, ["c0", "c1"]).predict_proba(texts)
    np.testing.assert_array_equal(
        again, LogisticRegression().fit(texts, labels, ["c0", "c1"]).predict_proba(texts)
    )


STRENGTHS = [100.0, 1e4, 0.1, 3.0, 100.0, 30.0]
"""As trials are drawn: the default first, the others in no order."""


@pytest.mark.parametrize("classes", [2, 3])
def test_trials_fitted_together_are_as_near_the_optimum_as_each_alone(classes):
    texts, labels = rows(classes)
    names = sorted(set(labels))
    trials = [LogisticRegression(C=C) for C in STRENGTHS]
    outcomes = trials[0].fit_each(iter(trials), Rows(texts, labels), names, Rows(texts[::3], labels[::3]))
    for C, trial, (model, outcome) in zip(STRENGTHS, trials, outcomes, strict=True):
        alone = LogisticRegression(C=C).fit(texts, labels, names)
        closest = LogisticRegression(C=C, tol=1e-11).fit(texts, labels, names)
        value = [objective_of(m, texts, labels) for m in (model, alone, closest)]
        assert model is trial and value[0] <= max(value[1], value[2] * (1 + 1e-6))
        np.testing.assert_allclose(outcome, closest.predict_proba(texts[::3]), atol=1e-3)
        assert model.history_[0]["converged"] == 1 and model.parameters_ == alone.parameters_
        assert model.coefficients().names == alone.coefficients().names


def objective_of(model: LogisticRegression, texts: list[str], labels: list[str]) -> float:
    own = [model.predict_proba(texts)[k, int(label[1])] for k, label in enumerate(labels)]
    return float(-model.C * np.log(own).sum() + 0.5 * (model.weights_**2).sum())


def test_trials_of_one_c_are_one_solution_so_that_the_default_wins_its_tie():
    texts, labels = rows(2)
    trials = [LogisticRegression(C=C) for C in STRENGTHS]
    found = [o for _, o in trials[0].fit_each(trials, Rows(texts, labels), ["c0", "c1"], Rows(texts, labels))]
    np.testing.assert_array_equal(found[0], found[4])


def test_a_trial_whose_weights_are_not_finite_costs_its_own_place_only(monkeypatch):
    solve_at = LogisticRegression._solve_at

    def fragile(self, C, matrix, codes, begin):
        (weights, intercept), entry = solve_at(self, C, matrix, codes, begin)
        return (weights * (np.nan if C == 3.0 else 1.0), intercept), entry

    monkeypatch.setattr(LogisticRegression, "_solve_at", fragile)
    texts, labels = rows(2)
    trials = [LogisticRegression(C=C) for C in STRENGTHS]
    found = [o for _, o in trials[0].fit_each(trials, Rows(texts, labels), ["c0", "c1"], Rows(texts, labels))]
    assert [isinstance(outcome, FloatingPointError) for outcome in found] == [C == 3.0 for C in STRENGTHS]
    assert all(np.isfinite(found[k]).all() for k in (0, 1, 2, 4, 5))


def test_a_fit_of_its_own_is_begun_at_0_whatever_was_fitted_before():
    texts, labels = rows(3)
    names = ["c0", "c1", "c2"]
    expected = LogisticRegression(C=7.0).fit(texts, labels, names).weights_
    model = LogisticRegression(C=7.0)
    list(model.fit_each([LogisticRegression(C=1.0), model], Rows(texts, labels), names, Rows(texts, labels)))
    np.testing.assert_array_equal(model.fit(texts, labels, names).weights_, expected)
