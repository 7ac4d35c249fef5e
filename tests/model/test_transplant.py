"""Weights put into another model's objective: stopped optimisers are found, converged ones cleared."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.experiment import run
from crossover.measure.all_just_weights import CODES
from crossover.model.encoder.encoder import Encoder
from crossover.model.features.char_tfidf import CharTfidf
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.linear_svm import LinearSvm
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.naive_bayes import NaiveBayes
from crossover.model.probe import Probe
from crossover.model.transplant import Transplant, _matrix, _own_weights, objective_of
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec

WORDS = {
    "ham": ["lunch", "home", "love", "later", "tomorrow", "meeting", "thanks", "please"],
    "news": ["report", "project", "offer", "market", "election", "goal", "storm", "court"],
    "spam": ["free", "win", "cash", "prize", "claim", "money", "text", "call"],
}
EVERY = [word for words in WORDS.values() for word in words]
LR = "crossover.model.logistic_regression.LogisticRegression"


def rows(count, classes=("ham", "news", "spam"), seed=0, own=3):
    """Texts of ``own`` words of their class among 8: learnable, with errors left."""
    draw = random.Random(seed)
    shares = [3, 2, 1][: len(classes)]
    labels = [*classes, *draw.choices(classes, shares, k=count - len(classes))]
    texts = [" ".join(draw.choices(WORDS[name], k=own) + draw.choices(EVERY, k=8 - own)) for name in labels]
    return texts, labels


def transplanted(old, new, count=150, classes=("ham", "news", "spam"), **kinds):
    texts, labels = rows(count, classes, **kinds)
    return Transplant(old, new).fit(texts, labels, classes).history_[0]


def verdict(numbers):
    return CODES[int(numbers["verdict"])]


def objective_at_its_solution(model, classes):
    texts, labels = rows(120, classes)
    model.fit(texts, labels, classes)
    codes = np.array([classes.index(label) for label in labels])
    matrix = _matrix(model, texts, None)
    return objective_of(model, matrix, codes), _own_weights(model, matrix, codes)


@pytest.mark.parametrize("classes", [("ham", "spam"), ("ham", "news", "spam")])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("kind", [LogisticRegression, LinearSvm])
def test_the_objective_written_down_is_the_one_the_model_minimises(kind, class_weight, classes):
    model = kind(C=3.0, class_weight=class_weight, tol=1e-12, max_iter=20_000)
    objective, own = objective_at_its_solution(model, classes)
    assert objective.gap(*own) < 1e-12 * objective.parts(*own).value
    # A wrong C, class weight or intercept rule would leave a gradient here.
    moved = own[0] * 1.01, own[1]
    assert objective.gap(*moved) > 1e-6 * objective.parts(*own).value


def test_the_probes_objective_is_on_its_standardised_vectors(tiny_model):
    encoder = Encoder(name=str(tiny_model), max_length=32)
    for class_weight in (None, "balanced"):
        model = Probe(encoder, C=0.1, class_weight=class_weight, tol=1e-9)
        objective, own = objective_at_its_solution(model, ("ham", "news", "spam"))
        assert objective.gap(*own) < 1e-8 * objective.parts(*own).value


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("classes", [("ham", "spam"), ("ham", "news", "spam")])
def test_an_optimiser_stopped_early_is_found_with_a_certificate(classes, steps):
    numbers = transplanted(LogisticRegression(max_iter=steps), LogisticRegression(), classes=classes)
    assert verdict(numbers) == "optimisation"
    assert numbers["saving"] > 100 * numbers["tolerance"]
    assert numbers["gap"] >= numbers["saving"]
    assert (numbers["old_converged"], numbers["new_converged"]) == (0.0, 1.0)
    # Evaluated at the new weights as they are, the same objective is the new model's own.
    assert numbers["objective_raw"] == pytest.approx(numbers["objective_scaled"], rel=1e-6)


def test_a_stopped_svm_is_found_by_the_weights_of_a_logistic_regression():
    numbers = transplanted(LinearSvm(max_iter=1, tol=1e-9), LogisticRegression(C=3.0), count=400)
    assert verdict(numbers) == "optimisation" and numbers["loss_kind"] == 1.0


@pytest.mark.parametrize(
    "pair",
    [
        (LogisticRegression(), LogisticRegression(tol=1e-9)),
        (LogisticRegression(), LinearSvm()),
        (LinearSvm(), LogisticRegression()),
        (LinearSvm(), LinearSvm(C=5.0)),
    ],
)
def test_a_converged_optimiser_is_cleared_whatever_weights_are_tried(pair):
    numbers = transplanted(*pair)
    assert verdict(numbers) in ("regularisation", "not_lower")
    assert numbers["gap"] <= numbers["tolerance"]
    assert numbers["saving"] <= numbers["gap"] + 1e-12


def test_too_strong_a_penalty_is_told_from_too_weak_a_one():
    texts = {"count": 150, "classes": ("ham", "spam")}
    strong = transplanted(LogisticRegression(C=0.001), LogisticRegression(C=100.0), **texts)
    assert verdict(strong) == "regularisation"
    assert strong["loss_new"] < strong["loss_old"] and strong["penalty_raw"] > strong["penalty_old"]
    weak = transplanted(LogisticRegression(C=1e4, tol=1e-9), LogisticRegression(C=1.0), **texts)
    assert verdict(weak) == "not_lower"


def test_svm_weights_in_the_logistic_objective_get_a_scale_a_class():
    numbers = transplanted(LogisticRegression(), LinearSvm())
    assert (numbers["scales"], numbers["loss_kind"], numbers["classes"]) == (3.0, 0.0, 3.0)
    assert 0 < numbers["scale_least"] < numbers["scale_most"]
    assert numbers["objective_old"] <= numbers["objective_scaled"] < numbers["objective_raw"]
    same_kind = transplanted(LogisticRegression(), LogisticRegression(C=1.0))
    assert same_kind["scales"] == 1.0 and same_kind["scale_least"] == same_kind["scale_most"]
    two = transplanted(LogisticRegression(), LinearSvm(), classes=("ham", "spam"))
    assert two["scales"] == 1.0


def test_platts_scale_does_not_enter_the_svms_own_objective():
    texts, labels = rows(90)
    model = Transplant(LinearSvm(C=2.0), LogisticRegression()).fit(texts, labels, tuple(WORDS))
    svm, numbers = model.old_, model.history_[0]
    assert numbers["strength"] == pytest.approx(1 / (2.0 * 90))
    margins, b = svm._margins_of(
        svm.stack_.transform(texts), np.array([tuple(WORDS).index(x) for x in labels])
    )
    assert numbers["penalty_old"] == pytest.approx(((margins**2).sum() + (b**2).sum()) / (2 * 2.0 * 90))
    assert not np.allclose(margins, svm.weights_)


def test_a_loose_solver_that_no_weights_unmask_is_neither_blamed_nor_cleared():
    numbers = transplanted(LinearSvm(C=10.0, tol=0.01), LogisticRegression(C=1.0), count=400)
    assert numbers["saving"] < 0
    assert verdict(numbers) == "inconclusive" and numbers["gap"] > numbers["tolerance"]


def test_a_gradient_that_bounds_too_loosely_is_replaced_by_a_closer_solution():
    old = LinearSvm(C=10.0, tol=3e-4)
    texts, labels = rows(400)
    model = Transplant(old, LogisticRegression(C=1.0)).fit(texts, labels, tuple(WORDS))
    codes = np.array([tuple(WORDS).index(label) for label in labels])
    matrix = _matrix(model.old_, texts, None)
    objective, own = objective_of(model.old_, matrix, codes), _own_weights(model.old_, matrix, codes)
    closest = LinearSvm(C=10.0, tol=1e-12, max_iter=50_000)._margins_of(matrix, codes)
    short = objective.parts(*own).value - objective.parts(*closest).value
    loose, gap = objective.gap(*own), model.history_[0]["gap"]
    assert loose > model.history_[0]["tolerance"], "the plain bound settles it: nothing was tested"
    assert short - 1e-12 <= gap <= loose / 2
    assert gap == pytest.approx(short, rel=1e-3)


def test_it_predicts_like_the_new_model_and_leaves_its_arguments_unfitted():
    texts, labels = rows(60)
    old, new = LogisticRegression(), LinearSvm()
    model = Transplant(old, new, seed=5).fit(texts, labels, tuple(WORDS))
    alone = LinearSvm(seed=5).fit(texts, labels, tuple(WORDS))
    np.testing.assert_array_equal(model.predict_proba(texts), alone.predict_proba(texts))
    assert not hasattr(new, "weights_") and not hasattr(old, "weights_") and new.seed == 0
    assert model.parameters_ == alone.parameters_


def test_other_features_are_refused_and_so_are_models_without_weights_to_exchange():
    texts, labels = rows(40)
    words, letters = {"a": WordTfidf()}, {"a": CharTfidf()}
    for old, new in (
        (LogisticRegression(words), LinearSvm(letters)),
        (LogisticRegression(words), LinearSvm({"b": WordTfidf()})),
        # The same columns, other numbers in them.
        (LogisticRegression(words), LinearSvm({"a": WordTfidf(sublinear=False)})),
    ):
        with pytest.raises(BadInput, match="same features"):
            Transplant(old, new).fit(texts, labels, tuple(WORDS))
    with pytest.raises(BadInput, match="NaiveBayes has no weights"):
        Transplant(LogisticRegression(), NaiveBayes()).fit(texts, labels, tuple(WORDS))


def test_two_probes_are_compared_on_the_encoders_vectors(tiny_model):
    encoder = Encoder(name=str(tiny_model), max_length=32)
    numbers = transplanted(Probe(encoder, max_iter=2), Probe(encoder), count=60)
    assert verdict(numbers) == "optimisation"
    assert verdict(transplanted(Probe(encoder), Probe(encoder, C=1.0), count=60)) != "optimisation"


@pytest.mark.parametrize("texts", [[""] * 12, ["same words"] * 12])
def test_rows_that_are_all_alike_complete_with_finite_numbers(texts):
    labels = ["ham", "ham", "spam"] * 4
    for pair in ((LogisticRegression(), LinearSvm()), (LinearSvm(), LogisticRegression())):
        numbers = Transplant(*pair).fit(texts, labels, ["ham", "spam"]).history_[0]
        assert all(math.isfinite(value) for value in numbers.values())
        assert verdict(numbers) != "optimisation"


def test_a_run_keeps_the_numbers_in_its_record(tmp_path):
    from toy import toy_store

    store, corpus, split = toy_store(tmp_path)
    parts = {"old": component(LR, {"max_iter": 1}), "new": component(LR)}
    model = component("crossover.model.transplant.Transplant", parts)
    record = run(RunSpec(corpus.fingerprint, split.fingerprint, model), store)
    kept = store.run(record.spec.digest)
    assert kept.history[0] == record.history[0] and verdict(kept.history[0]) == "optimisation"
    assert all(type(value) is float for value in kept.history[0].values())
    alone = run(RunSpec(corpus.fingerprint, split.fingerprint, component(LR)), store)
    np.testing.assert_array_equal(record.predictions.probabilities, alone.predictions.probabilities)
