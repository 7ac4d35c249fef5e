"""The two-sample test: the area is scikit-learn's, the level holds cross-fitted, clusters dealt whole."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from crossover.measure.two_sample import Half, two_sample


def test_the_area_is_that_of_another_library_and_of_a_hand_worked_example() -> None:
    rng = np.random.default_rng(0)
    second, scores = rng.random(200) < 0.3, rng.integers(0, 9, 200).astype(float)
    found = two_sample([Half(scores, second, np.arange(200))])
    assert found is not None and found.area == pytest.approx(roc_auc_score(second, scores))
    # Two of three pairs in order, one tied: (2 + 1/2) / 3... of 3 pairs of one test row and three others.
    hand = two_sample([Half(np.array([1.0, 2.0, 3.0, 3.0]), np.array([0, 0, 0, 1], bool), np.arange(4))])
    assert hand is not None and hand.area == pytest.approx(2.5 / 3)


def fitted_halves(rng: np.random.Generator, shift: float) -> list[Half]:
    """Clusters of rows with 30 features dealt to two parts; a ridge on each half scores the other."""
    units = np.repeat(np.arange(80), rng.integers(1, 6, 80))
    centre, part = rng.normal(size=(80, 30)), rng.random(80) < 0.3
    x = centre[units] + 0.3 * rng.normal(size=(len(units), 30))
    y = part[units]
    x[y, 0] += shift
    fold = (rng.random(80) < 0.5)[units]
    halves = []
    for held in (fold, ~fold):
        a, b = x[~held], y[~held] - y[~held].mean()
        weights = np.linalg.solve(a.T @ a + 5 * np.eye(30), a.T @ b)
        halves.append(Half(x[held] @ weights, y[held], units[held]))
    return halves


def test_the_level_holds_although_both_halves_rest_on_the_same_pairs() -> None:
    rng = np.random.default_rng(2)
    hits = sum(two_sample(fitted_halves(rng, 0.0)).p <= 0.05 for _ in range(1_000))
    assert hits / 1_000 <= 0.065


def test_a_shift_is_found() -> None:
    rng = np.random.default_rng(3)
    assert sum(two_sample(fitted_halves(rng, 4.0)).p <= 0.05 for _ in range(50)) >= 45


def test_a_half_without_one_of_the_parts_gives_no_test() -> None:
    assert two_sample([Half(np.arange(3.0), np.ones(3, bool), np.arange(3))]) is None
