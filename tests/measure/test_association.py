"""Association: SciPy's tests as oracles, a V near 0 by chance, levels kept with many small groups."""

import numpy as np
import pytest
from scipy import stats

from crossover.measure.association import (
    categories_associated,
    numbers_associated,
    numbers_differ,
    one_against_rest,
)


def test_large_tables_give_pearsons_chi_square_and_perfect_ones_a_v_of_1() -> None:
    draw = np.random.default_rng(0)
    first, second = draw.integers(0, 3, 600), draw.integers(0, 4, 600)
    table = np.array([[(second[first == a] == b).sum() for b in range(4)] for a in range(3)])
    found = categories_associated(first, second)
    assert np.isclose(found.p, stats.chi2_contingency(table).pvalue) and found.method == "chi-square"
    assert categories_associated(first, first).effect == pytest.approx(1.0)
    assert categories_associated(first, np.zeros(600, int)) is None


def test_many_small_groups_are_permuted_and_seldom_alarm() -> None:
    draw, alarms, effects = np.random.default_rng(1), 0, []
    for _ in range(200):
        found = categories_associated(draw.integers(0, 60, 120), draw.integers(0, 2, 120), 99)
        assert found.method == "99 permutations"
        alarms += found.p <= 0.05
        effects.append(found.effect)
    assert 2 <= alarms <= 20 and np.mean(effects) < 0.2


def test_a_group_that_has_one_class_each_is_found_by_permutation() -> None:
    group = np.repeat(np.arange(40), 3)
    found = categories_associated(group, group % 2)
    assert found.p == 1 / 2000 and found.effect > 0.8


def test_kruskal_wallis_agrees_with_scipy_and_sparse_levels_are_left_out() -> None:
    draw = np.random.default_rng(2)
    values, codes = np.round(draw.normal(size=90), 1), np.repeat([0, 1, 2], 30)
    found = numbers_differ(values, codes)
    assert np.isclose(found.p, stats.kruskal(*(values[codes == k] for k in range(3))).pvalue)
    rare = np.zeros(100)
    rare[:3] = 1
    assert numbers_differ(rare, np.repeat([0, 1], [95, 5])) is None
    assert numbers_differ(np.ones(50), np.repeat([0, 1], 25)) is None


def test_spearman_agrees_with_scipy() -> None:
    draw = np.random.default_rng(3)
    a, b = draw.integers(0, 9, 80).astype(float), draw.normal(size=80)
    found, want = numbers_associated(a, b), stats.spearmanr(a, b)
    assert np.isclose(found.effect, want.statistic) and np.isclose(found.p, want.pvalue)
    assert numbers_associated(a, np.ones(80)) is None
    assert numbers_associated(b, b).p < 1e-100


def test_one_against_the_rest_counts_pairs() -> None:
    values, codes = np.array([1.0, 2.0, 2.0, 3.0, 0.0]), np.array([0, 1, 0, 1, 2])
    pairs = [(a > b) + 0.5 * (a == b) for a in values[codes == 1] for b in values[codes != 1]]
    assert np.isclose(one_against_rest(values, codes)[1], np.mean(pairs))
