"""Unit balance: the chi-square of rows where rows are dealt, and its level where clusters are."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from crossover.measure.unit_balance import levels, unit_balance


def test_of_single_rows_it_is_pearsons_chi_square() -> None:
    rng = np.random.default_rng(0)
    kind, in_test = rng.integers(3, size=900), rng.random(900) < 0.25
    table = np.eye(3)[kind]
    counts = np.array([table[~in_test].sum(axis=0), table[in_test].sum(axis=0)])
    found = unit_balance(table, in_test, np.arange(900))
    assert found.degrees == 2
    assert found.p == pytest.approx(chi2_contingency(counts).pvalue, abs=0.002)


def test_clusters_dealt_whole_do_not_alarm_where_a_chi_square_of_rows_would() -> None:
    rng = np.random.default_rng(1)
    units = np.repeat(np.arange(120), rng.integers(1, 20, 120))
    kind = np.eye(2)[rng.integers(2, size=120)][units]
    own = rows = 0
    for _ in range(1_000):
        in_test = (rng.random(120) < 0.25)[units]
        own += unit_balance(kind, in_test, units).p <= 0.05
        rows += unit_balance(kind, in_test, np.arange(len(units))).p <= 0.05
    assert own / 1_000 <= 0.065
    assert rows / 1_000 > 0.3, "what is guarded against"


def test_a_shift_of_whole_clusters_is_found() -> None:
    units = np.repeat(np.arange(200), 5)
    kind = np.eye(2)[(units < 60).astype(int)]
    assert unit_balance(kind, units < 50, units).p < 1e-6


def test_nothing_to_tell_gives_no_evidence() -> None:
    assert unit_balance(np.ones((6, 1)), np.arange(6) < 2, np.arange(6)).p == 1.0
    assert unit_balance(np.eye(6), np.arange(6) < 2, np.zeros(6, int)).p == 1.0


def test_rare_levels_are_told_of_together() -> None:
    shown, table = levels(["a"] * 60 + ["b"] * 30 + ["c"] * 5 + ["d"] * 5, 0.2)
    assert shown == ["a", "b", "(rare values)"]
    assert table.sum(axis=0).tolist() == [60, 30, 10]
