"""The L2 path is at scikit-learn's optimum, or nearer, at every strength, and says where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression as Oracle

from crossover.model import l2_path
from crossover.model.l2_path import Solution, solve_path

STRENGTHS = [1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 100.0]


def problem(
    rows: int, columns: int, classes: int = 2, seed: int = 0, noise: float = 2.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Standardised features with a falling spectrum, as sentence vectors have, and class numbers."""
    draw = np.random.default_rng(seed)
    spectrum = 1.0 / np.sqrt(np.arange(1, columns + 1))
    features = draw.standard_normal((rows, columns)) * spectrum @ draw.standard_normal((columns, columns))
    score = features @ draw.standard_normal((columns, classes)) / np.sqrt(columns)
    score += noise * draw.standard_normal((rows, classes))
    codes = score.argmax(axis=1).astype(np.int64)
    codes[:classes] = np.arange(classes)
    return (features - features.mean(0)) / features.std(0), codes


def scores_of(features: NDArray[np.float64], found: Solution) -> NDArray[np.float64]:
    score = features @ found.weights.T + found.intercept
    return np.column_stack([np.zeros(len(score)), score]) if score.shape[1] == 1 else score


def objective(
    features: NDArray[np.float64], codes: NDArray[np.int64], C: float, found: Solution, balanced: bool = False
) -> float:
    """C · sum of weighted log losses + |weights|²/2, in plain words."""
    counts = np.bincount(codes)
    weigh = (len(codes) / (len(counts) * counts) if balanced else np.ones(len(counts)))[codes]
    losses = -log_softmax(scores_of(features, found), axis=1)[np.arange(len(codes)), codes]
    return float(C * (weigh @ losses) + 0.5 * (found.weights**2).sum())


def oracle(
    features: NDArray[np.float64], codes: NDArray[np.int64], C: float, balanced: bool = False
) -> Solution:
    """scikit-learn, run until it can get no further."""
    weigh = "balanced" if balanced else None
    solver = "newton-cholesky" if len(set(codes.tolist())) == 2 else "lbfgs"
    model = Oracle(C=C, class_weight=weigh, solver=solver, tol=1e-12, max_iter=50_000).fit(features, codes)
    return Solution(model.coef_, model.intercept_, 0, 0.0, True)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("balanced", [False, True], ids=["alike", "balanced"])
@pytest.mark.parametrize(
    ("rows", "columns", "classes"),
    [(40, 60, 2), (40, 60, 3), (40, 60, 7), (310, 320, 2), (200, 30, 2), (200, 30, 3), (200, 30, 7)],
)
def test_the_loss_is_scikit_learns_within_a_millionth(
    rows: int, columns: int, classes: int, balanced: bool
) -> None:
    features, codes = problem(rows, columns, classes)
    for C, found in zip(STRENGTHS, solve_path(features, codes, STRENGTHS, balanced), strict=True):
        least = objective(features, codes, C, oracle(features, codes, C, balanced), balanced)
        reached = objective(features, codes, C, found, balanced)
        assert reached <= least * (1 + 1e-6), f"C = {C}: {reached / least - 1:.1e} above scikit-learn"
        assert found.converged and found.weights.shape == (1 if classes == 2 else classes, columns)


@pytest.mark.parametrize("classes", [2, 4])
def test_run_on_it_is_scikit_learns_solution_to_many_digits(classes: int) -> None:
    features, codes = problem(120, 40, classes)
    for C, found in zip([0.01, 1.0], solve_path(features, codes, [0.01, 1.0], tol=1e-13), strict=True):
        expected = oracle(features, codes, C)
        np.testing.assert_allclose(found.weights, expected.weights, atol=2e-6)
        np.testing.assert_allclose(found.intercept, expected.intercept, atol=2e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_where_it_ends_the_stated_objective_is_flat(classes: int) -> None:
    features, codes = problem(90, 25, classes)
    found = solve_path(features, codes, [0.3], tol=1e-12)[0]
    surplus = np.exp(log_softmax(scores_of(features, found), axis=1))
    surplus[np.arange(len(codes)), codes] -= 1
    surplus = surplus[:, 1:] if classes == 2 else surplus
    np.testing.assert_allclose(0.3 * surplus.T @ features + found.weights, 0, atol=1e-5)
    np.testing.assert_allclose(surplus.sum(axis=0), 0, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(6, 70),
    st.integers(1, 50),
    st.integers(2, 4),
    st.booleans(),
    st.lists(st.floats(-5, 3), min_size=1, max_size=5),
    st.integers(0, 10_000),
)
def test_no_strength_is_further_above_its_minimum_than_was_asked(
    rows: int, columns: int, classes: int, balanced: bool, powers: list[float], seed: int
) -> None:
    features, codes = problem(rows, columns, classes, seed)
    strengths = [10.0**power for power in powers]
    closer = solve_path(features, codes, strengths, balanced, tol=1e-10)
    for C, found, near in zip(
        strengths, solve_path(features, codes, strengths, balanced), closer, strict=True
    ):
        least = objective(features, codes, C, near, balanced)
        assert objective(features, codes, C, found, balanced) <= least * (1 + 1e-6)
        assert found.converged and found.gap <= 1e-6


def test_strengths_are_answered_in_their_order_and_once_each() -> None:
    features, codes = problem(60, 20)
    plain = dict(zip(STRENGTHS, solve_path(features, codes, STRENGTHS), strict=True))
    mixed = [1.0, 1e-4, 100.0, 1.0, 0.01, 0.1, 1e-3, 10.0]
    for C, found in zip(mixed, solve_path(features, codes, mixed), strict=True):
        np.testing.assert_array_equal(found.weights, plain[C].weights)
        np.testing.assert_array_equal(found.intercept, plain[C].intercept)


def test_a_strength_alone_and_on_a_path_have_the_same_loss() -> None:
    features, codes = problem(80, 100)
    for C, found in zip(STRENGTHS, solve_path(features, codes, STRENGTHS), strict=True):
        alone = solve_path(features, codes, [C])[0]
        assert objective(features, codes, C, found) == pytest.approx(
            objective(features, codes, C, alone), rel=1e-6
        )


@pytest.mark.parametrize("C", [1e3, 1e6])
def test_separable_rows_under_hardly_any_penalty_are_solved_to_the_promised_share(C: float) -> None:
    features, codes = problem(50, 80, noise=0.0)
    found = solve_path(features, codes, [1.0, C])[1]
    least = objective(features, codes, C, solve_path(features, codes, [1.0, C], tol=1e-9)[1])
    assert ((scores_of(features, found).argmax(axis=1)) == codes).all()
    assert found.converged and objective(features, codes, C, found) <= least * (1 + 1e-6)


def test_constant_columns_get_no_weight_and_change_nothing() -> None:
    features, codes = problem(60, 20)
    wide = np.column_stack([features[:, :7], np.zeros(60), features[:, 7:], np.zeros(60)])
    for C, found, plain in zip(
        STRENGTHS, solve_path(wide, codes, STRENGTHS), solve_path(features, codes, STRENGTHS), strict=True
    ):
        np.testing.assert_array_equal(found.weights[:, [7, 21]], 0)
        assert objective(wide, codes, C, found) == pytest.approx(
            objective(features, codes, C, plain), rel=1e-6
        )


def test_rows_that_are_all_alike_leave_the_shares_of_the_classes() -> None:
    codes = np.array([0, 0, 0, 1, 2, 2], dtype=np.int64)
    for features in (np.zeros((6, 4)), np.zeros((6, 9))):
        found = solve_path(features, codes, [0.1, 10.0])[1]
        shares = np.exp(log_softmax(found.intercept))
        np.testing.assert_allclose(shares, [3 / 6, 1 / 6, 2 / 6], atol=1e-6)


@pytest.mark.parametrize("few", [0, 10_000], ids=["columns as they are", "columns of the rows"])
def test_fewer_rows_than_columns_are_solved_the_same_with_and_without_reduction(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, codes = problem(50, 90, 3)
    plain = solve_path(features, codes, STRENGTHS, tol=1e-10)
    monkeypatch.setattr(l2_path, "FEW_ROWS", few)
    for found, expected in zip(solve_path(features, codes, STRENGTHS, tol=1e-10), plain, strict=True):
        np.testing.assert_allclose(found.weights, expected.weights, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["PAIRS", "MOST_ROWS", "NEGLIGIBLE", "STEPS_OF_A_FACTOR", "STEPS_OF_A_STRENGTH"]
)
def test_the_optimum_does_not_depend_on_how_well_the_hessian_is_guessed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, codes = problem(150, 30)
    plain = solve_path(features, codes, STRENGTHS)
    monkeypatch.setattr(l2_path, name, 25)
    for C, found, expected in zip(STRENGTHS, solve_path(features, codes, STRENGTHS), plain, strict=True):
        assert objective(features, codes, C, found) == pytest.approx(
            objective(features, codes, C, expected), rel=1e-6
        )


def test_steps_run_out_is_said() -> None:
    features, codes = problem(60, 20)
    found = solve_path(features, codes, [0.01, 1.0], max_iter=2)[1]
    assert found.iterations == 2 and not found.converged and found.gap > 1e-6


def test_features_are_left_as_they_were() -> None:
    features, codes = problem(30, 40)
    before = features.copy()
    solve_path(features, codes, STRENGTHS)
    np.testing.assert_array_equal(features, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("shape", [(30, 10), (10, 30)])
def test_features_that_are_no_numbers_or_too_large_are_refused(bad: float, shape: tuple[int, int]) -> None:
    features, codes = problem(*shape)
    features[3, 2] = bad
    with pytest.raises(FloatingPointError, match="not finite"):
        solve_path(features, codes, STRENGTHS)
