"""Objectives have the values, gradients, optima and gaps that can be worked out by hand or by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from crossover.measure.objective import LOSSES, Objective

TWO = np.array([[1.0, 0.0], [0.0, 1.0]])
OPPOSED = np.array([[1.0, -1.0]])
ZERO = np.zeros(1)


def two_rows(loss, strength, penalised=False):
    """x = (1, 0) of class 1 and x = (0, 1) of class 0: at w = (a, -a), b = 0 both rows have margin a."""
    return Objective(TWO, np.array([1, 0]), loss, strength, np.ones((2, 1)), penalised)


def made(seed, classes, loss, penalised=False, strength=0.05, rows=30, features=4):
    draw = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(classes), draw.integers(0, classes, rows - classes)])
    matrix = draw.normal(size=(rows, features)) + 0.7 * codes[:, None]
    scores = 1 if classes == 2 else classes
    weights = draw.uniform(0.5, 2.0, (rows, scores if loss == "squared_hinge" else 1))
    return Objective(matrix, codes, loss, strength, weights, penalised), scores, draw


def flat(objective, scores, features=4):
    """J and its gradient as functions of one vector."""

    def value(free):
        w, b = free[: scores * features].reshape(scores, features), free[scores * features :]
        by_weight, by_intercept = objective.gradient(w, b)
        return objective.parts(w, b).value, np.concatenate([by_weight.ravel(), by_intercept])

    return value


def optimum(objective, scores, features=4):
    start = np.zeros(scores * (features + 1))
    options = {"gtol": 1e-11, "ftol": 1e-16, "maxiter": 20_000, "maxfun": 50_000}
    found = minimize(flat(objective, scores), start, jac=True, method="L-BFGS-B", options=options)
    return found.x[: scores * features].reshape(scores, features), found.x[scores * features :], found.fun


@pytest.mark.parametrize(
    ("loss", "each", "a"),
    [("logistic", math.log(1 + math.exp(-3)), 3.0), ("squared_hinge", 0.49, 0.3), ("squared", 2.0, 3.0)],
)
def test_two_rows_have_the_objective_worked_by_hand(loss, each, a):
    parts = two_rows(loss, 0.1).parts(a * OPPOSED, ZERO)
    assert parts.loss == pytest.approx(each)
    assert parts.penalty == pytest.approx(0.1 * a * a)
    assert parts.value == parts.loss + parts.penalty


def test_a_penalised_intercept_stands_in_the_penalty_and_a_free_one_does_not():
    at = OPPOSED, np.array([2.0])
    assert two_rows("squared", 0.1).parts(*at).penalty == pytest.approx(0.1)
    assert two_rows("squared", 0.1, True).parts(*at).penalty == pytest.approx(0.1 + 0.1 * 2)


def test_margins_above_1_cost_the_hinge_nothing_and_the_square_something():
    assert two_rows("squared_hinge", 0.1).parts(5 * OPPOSED, ZERO).loss == 0.0
    assert two_rows("squared", 0.1).parts(5 * OPPOSED, ZERO).loss == 8.0


@pytest.mark.parametrize("length", [0.2, 1.0, 40.0])
@pytest.mark.parametrize(("loss", "best"), [("squared_hinge", 1 / 1.1), ("squared", 1 / 1.2)])
def test_the_best_scale_of_any_length_is_the_one_worked_by_hand(loss, best, length):
    # (1 - a)² + .1 a² is least at 1/(1 + .1), (a - 1)²/2 + .1 a² at 1/(1 + .2).
    scaled = two_rows(loss, 0.1).scaled(length * OPPOSED, np.array([3.0]), 1)
    assert scaled.scale[0] * length == pytest.approx(best, abs=1e-6)
    assert scaled.intercept[0] == pytest.approx(0.0, abs=1e-6)
    assert scaled.parts.value == pytest.approx(0.1 * best, abs=1e-9)


def test_weights_that_point_the_wrong_way_are_scaled_to_nothing_and_never_turned_round():
    scaled = two_rows("logistic", 0.1).scaled(-OPPOSED, ZERO, 1)
    assert scaled.scale[0] == pytest.approx(0.0, abs=1e-9)
    assert scaled.parts.value == pytest.approx(math.log(2))


def test_the_gap_of_two_rows_is_the_one_worked_by_hand():
    # At w = 0 the hinge's gradient is (-1, 1): |grad|²/(2 lambda) = 1/lambda.
    assert two_rows("squared_hinge", 0.25, True).gap(0 * OPPOSED, ZERO) == pytest.approx(4.0)
    # The free intercept 1 is first brought back to 0: log loss there falls to log 2, gradient (-1/4, 1/4).
    excess = (math.log1p(math.exp(1)) + math.log1p(math.exp(-1))) / 2 - math.log(2)
    gap = two_rows("logistic", 0.25).gap(0 * OPPOSED, np.array([1.0]))
    assert gap == pytest.approx(excess + 2 / 16 / 0.5, abs=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_the_derivative_of_the_value(loss, penalised, classes):
    objective, scores, draw = made(1, classes, loss, penalised)
    value, at = flat(objective, scores), draw.normal(size=scores * 5)
    slope = approx_fprime(at, lambda free: value(free)[0], 1e-7)
    np.testing.assert_allclose(value(at)[1], slope, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from(LOSSES), st.sampled_from([2, 3]), st.booleans(),
    st.floats(0.0, 2.0),
)  # fmt: skip
def test_the_gap_bounds_the_distance_to_the_optimum_and_every_saving(seed, loss, classes, penalised, noise):
    objective, scores, draw = made(seed, classes, loss, penalised)
    w, b, least = optimum(objective, scores)
    w, b = w + noise * draw.normal(size=w.shape), b + noise * draw.normal(size=b.shape)
    value, gap = objective.parts(w, b).value, objective.gap(w, b)
    assert gap >= value - least - 1e-10
    # So no weights can show a saving above the gap: a rule that asks for one can never fire.
    other = objective.scaled(draw.normal(size=w.shape), b, 1).parts.value
    assert value - other <= gap + 1e-10
    if noise == 0.0:
        assert gap < 1e-8


def test_the_square_of_the_gradient_is_the_fenchel_duality_gap():
    """Binary log loss, intercept at its best: primal less dual, written out from the conjugate."""
    objective, _, draw = made(3, 2, "logistic")
    w = draw.normal(size=(1, 4))
    b = np.array([minimize(lambda b: objective.parts(w, b).value, [0.0], method="BFGS", tol=1e-12).x[0]])
    at = (objective.scores(w) + b)[:, 0]
    p, y, c, n = 1 / (1 + np.exp(-at)), objective.codes, objective.row_weights[:, 0], len(at)
    conjugate = np.sum(c * (p * np.log(p) + (1 - p) * np.log1p(-p))) / n
    pulled = objective.matrix.T @ (c * (p - y)) / n
    dual = -conjugate - (pulled**2).sum() / (2 * objective.strength)
    assert objective.gap(w, b) == pytest.approx(objective.parts(w, b).value - dual, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_scaling_is_as_good_as_scipys_over_the_same_unknowns(loss, classes, seed):
    objective, scores, draw = made(seed, classes, loss, penalised=loss == "squared_hinge")
    w, b = draw.normal(size=(scores, 4)) + 0.3, draw.normal(size=scores)
    for scales in {1, scores}:

        def value(free, scales=scales):
            return objective.parts(np.exp(free[:scales])[:, None] * w, free[scales:]).value

        theirs = minimize(value, np.zeros(scales + scores), method="BFGS", options={"gtol": 1e-9}).fun
        ours = objective.scaled(w, b, scales)
        assert ours.parts.value <= theirs + 1e-9
        again = objective.parts(ours.scale[:, None] * w, ours.intercept)
        assert again.value == pytest.approx(ours.parts.value, rel=1e-12)
        assert (ours.scale >= 0).all()


def test_one_scale_a_class_undoes_what_one_scale_cannot():
    objective, scores, _ = made(5, 4, "squared_hinge", penalised=True)
    w, b, least = optimum(objective, scores)
    apart = np.array([0.1, 1.0, 5.0, 30.0])
    undone = objective.scaled(apart[:, None] * w, b, scores)
    assert undone.parts.value == pytest.approx(least, rel=1e-8)
    # Along w the curvature can be slight, so the scales themselves are found less sharply.
    np.testing.assert_allclose(undone.scale * apart, 1.0, atol=1e-3)
    assert objective.scaled(apart[:, None] * w, b, 1).parts.value > least * 1.01
    with pytest.raises(ValueError, match="2 scales for 4 scores"):
        objective.scaled(w, b, 2)


def test_scaling_never_raises_the_objective_above_that_of_the_weights_as_they_are():
    for seed in range(20):
        objective, scores, draw = made(seed, 3, "logistic")
        w, b = 10 ** draw.uniform(-3, 3) * draw.normal(size=(scores, 4)), draw.normal(size=scores)
        assert objective.scaled(w, b, 1).parts.value <= objective.parts(w, b).value


def test_sparse_and_dense_rows_give_the_same():
    objective, scores, draw = made(2, 3, "logistic")
    sparse = Objective(csr_matrix(objective.matrix), *list(vars(objective).values())[1:])
    w, b = draw.normal(size=(scores, 4)), draw.normal(size=scores)
    assert sparse.parts(w, b).value == pytest.approx(objective.parts(w, b).value, rel=1e-12)
    assert sparse.gap(w, b) == pytest.approx(objective.gap(w, b), rel=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_solutions_of_other_libraries_are_optima(classes):
    objective, _, _ = made(8, classes, "logistic")
    X, y, n = np.asarray(objective.matrix), objective.codes, len(objective.codes)
    plain = np.ones((n, 1))
    theirs = LogisticRegression(C=2.0, tol=1e-12, solver="newton-cg", max_iter=10_000).fit(X, y)
    ours = Objective(X, y, "logistic", 1 / (2.0 * n), plain)
    assert ours.gap(theirs.coef_, theirs.intercept_) < 1e-10
    svm = LinearSVC(C=2.0, dual=False, tol=1e-12, max_iter=100_000).fit(X, y)
    ours = Objective(X, y, "squared_hinge", 1 / (2.0 * n), plain, intercept_penalised=True)
    assert ours.gap(svm.coef_, svm.intercept_) < 1e-10
    targets = np.where(y[:, None] == (np.arange(3) if classes > 2 else [1]), 1.0, -1.0)
    ridge = Ridge(alpha=0.3 * n, tol=1e-12).fit(X, targets)
    ours = Objective(X, y, "squared", 0.3, plain)
    assert ours.gap(np.atleast_2d(ridge.coef_), np.atleast_1d(ridge.intercept_)) < 1e-10


def test_without_a_penalty_there_is_no_gap_and_unknown_losses_are_refused():
    with pytest.raises(ValueError, match="strength is 0"):
        two_rows("logistic", 0.1).unregularised().gap(OPPOSED, ZERO)
    assert two_rows("logistic", 0.1).unregularised().parts(OPPOSED, ZERO).penalty == 0.0
    with pytest.raises(ValueError, match="hinge"):
        two_rows("hinge", 0.1)
    with pytest.raises(ValueError, match="nan"):
        two_rows("logistic", math.nan)
