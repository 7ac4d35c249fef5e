"""Declared looks share 5%; noise that is tried often enough passes for a find without that."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from crossover.measure.interval import wilson
from crossover.measure.looks import adaptive_reach, level_of, percent


def test_levels_by_hand() -> None:
    assert level_of(1) == 0.95, "one look is what it always was, to the bit"
    assert level_of(5) == pytest.approx(0.99)
    assert [percent(level_of(looks)) for looks in (1, 5, 20)] == ["95%", "99%", "99.75%"]
    with pytest.raises(ValueError, match="at least 1"):
        level_of(0)


def test_the_adaptive_worst_case_grows_as_the_root_and_never_beyond_one() -> None:
    assert adaptive_reach(4, 400) == pytest.approx(0.1)
    assert adaptive_reach(16, 400) == pytest.approx(2 * adaptive_reach(4, 400))
    assert adaptive_reach(10, 1) == 1.0


@pytest.mark.parametrize("looks", [5, 20])
def test_the_best_of_many_noise_models_is_a_false_claim_unless_its_looks_were_declared(looks: int) -> None:
    """``looks`` models of true accuracy .7 on one part of 500 rows; does the best one's interval miss?"""
    correct = np.arange(501)
    missed = {}
    for level in (0.95, level_of(looks)):
        leaves_out = wilson(correct, 500, level)[0] > 0.7
        missed[level] = 1 - (1 - binom.pmf(correct, 500, 0.7)[leaves_out].sum()) ** looks
    assert missed[0.95] > 1 - 0.98**looks > 0.09
    assert missed[level_of(looks)] < 0.03


def test_declared_looks_do_not_cover_an_analyst_who_follows_the_scores() -> None:
    """Blum and Hardt's attack: vote over models of pure chance, each turned towards its own score."""
    rng = np.random.default_rng(2)
    rows, looks, gains = 500, 51, []  # an odd number: no ties
    for _ in range(200):
        right = rng.random((looks, rows)) < 0.5
        turned = np.where(right.mean(axis=1, keepdims=True) >= 0.5, right, ~right)
        gains.append((turned.sum(axis=0) > looks / 2).mean() - 0.5)
    alone = wilson(np.array(gains) * rows + rows / 2, rows, level_of(looks + 1))[0]
    assert np.mean(alone > 0.5) > 0.5, "Bonferroni over the looks is no cure for a model made of the scores"
    assert np.mean(gains) == pytest.approx(adaptive_reach(looks, rows) / math.pi, abs=0.03)
    assert np.max(gains) < adaptive_reach(looks, rows), "and the bound that is printed holds"
