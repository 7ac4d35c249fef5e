"""Stability selection: halves that complement, bounds by hand and kept in simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.data.bad_input import BadInput
from crossover.measure.stability_selection import (
    check_threshold,
    expected_false,
    expected_false_unimodal,
    features_to_choose,
    half_samples,
    shares,
)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=40), st.integers(1, 5), st.integers(0, 9))
def test_halves_complement_each_other_and_share_each_class(codes: list[int], pairs: int, seed: int) -> None:
    labels = np.array(codes)
    halves = half_samples(labels, pairs, seed)
    assert len(halves) == 2 * pairs
    for left, right in zip(halves[::2], halves[1::2], strict=True):
        assert sorted([*left, *right]) == list(range(len(labels)))
        for code in set(codes):
            assert abs(int((labels[left] == code).sum()) - int((labels[right] == code).sum())) <= 1
        assert abs(len(left) - len(right)) <= 1
    again = half_samples(labels, pairs, seed)
    assert all(np.array_equal(a, b) for a, b in zip(halves, again, strict=True))


def test_pairs_differ_from_one_another() -> None:
    halves = half_samples(np.arange(60) % 2, 5, 0)
    assert len({tuple(half) for half in halves}) == 10


def test_the_bounds_by_hand() -> None:
    assert expected_false(10, 1_000, 0.75) == pytest.approx(100 / (0.5 * 1_000))
    # Theorem 2, threshold up to 3/4: C = 1 / (2 (2t - 1 - 1/(2B))), bound C theta q
    assert expected_false_unimodal(10, 1_000, 0.75, 50) == pytest.approx(0.01 * 10 / (2 * (0.5 - 0.01)))
    # above 3/4: C = 4 (1 - t + 1/(2B)) / (1 + 1/B)
    assert expected_false_unimodal(10, 1_000, 0.9, 50) == pytest.approx(4 * 0.11 / 1.02 * 0.01 * 10)
    assert expected_false_unimodal(70, 100, 0.9, 50) is None, "q/p above 1/sqrt(3)"
    assert expected_false_unimodal(10, 1_000, 0.5001, 50) is None


@given(st.integers(1, 5_000), st.floats(0.51, 1.0), st.floats(0.01, 20.0), st.integers(1, 300))
def test_q_keeps_the_bound_unless_one_feature_alone_breaks_it(
    columns: int, threshold: float, false: float, most: int
) -> None:
    q = features_to_choose(columns, threshold, false, most)
    assert 1 <= q <= min(most, columns)
    assert q == 1 or expected_false(q, columns, threshold) <= false * (1 + 1e-9)
    if q < min(most, columns):
        assert expected_false(q + 1, columns, threshold) > false * (1 - 1e-6)


def test_noise_is_kept_less_often_than_the_bound_says() -> None:
    """Blind choice by correlation with noise: the base procedure of the null, at the level of arrays."""
    rng = np.random.default_rng(0)
    n, p, pairs, threshold = 80, 200, 20, 0.75
    q = features_to_choose(p, threshold, 2.0, 100)
    kept = []
    for repetition in range(60):
        x, y = rng.standard_normal((n, p)), np.arange(n) % 2
        chosen = []
        for half in half_samples(y, pairs, repetition):
            pull = np.abs((x[half] - x[half].mean(axis=0)).T @ (y[half] - y[half].mean()))
            chosen.append(np.argsort(-pull)[:q])
        kept.append(int((shares(chosen, p) >= threshold).sum()))
    unimodal = expected_false_unimodal(q, p, threshold, pairs)
    assert unimodal is not None
    assert np.mean(kept) + 3 * np.std(kept) / math.sqrt(60) < unimodal < expected_false(q, p, threshold)


def test_shares_count_half_samples() -> None:
    found = shares([np.array([0, 2]), np.array([2, 2]), np.array([], dtype=np.int64)], 4)
    assert found.tolist() == pytest.approx([1 / 3, 0, 2 / 3, 0])
    assert shares([], 2).tolist() == [0, 0]


@pytest.mark.parametrize(("threshold", "false"), [(0.5, 1.0), (1.1, 1.0), (0.9, 0.0), (float("nan"), 1.0)])
def test_what_gives_no_bound_is_refused(threshold: float, false: float) -> None:
    with pytest.raises(BadInput, match=r"threshold=|false_selections="):
        check_threshold(threshold, false)
