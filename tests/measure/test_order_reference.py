"""The order reference reads the labels of neighbours; where order says nothing it beats no shares."""

import numpy as np
import pytest

from crossover.measure.null_score import lift
from crossover.measure.order_reference import order_reference


def test_rows_sum_to_one_and_a_place_among_one_class_is_told_that_class() -> None:
    places, gold = np.arange(100.0), (np.arange(100) >= 50).astype(np.int64)
    found = order_reference(places, gold, np.array([5.0, 95.0, -10.0, 1e9]), 2)
    assert found.sum(axis=1) == pytest.approx(1.0)
    # 20 neighbours, all of one class, and as much weight for the shares of all (a half each).
    assert found[0] == pytest.approx([0.75, 0.25]) and found[1] == pytest.approx([0.25, 0.75])
    assert found[2] == pytest.approx(found[0]) and found[3] == pytest.approx(found[1])


def test_an_order_without_information_seldom_beats_the_shares() -> None:
    alarms = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        gold, places = draw.choice(3, 600, p=[0.6, 0.3, 0.1]), draw.permutation(600).astype(float)
        found = order_reference(places[:400], gold[:400], places[400:], 3)
        alarms += lift("log_loss", gold[400:], [found], 0.95).low > 0
    assert alarms <= 16  # 10 expected at most; the reference is worse than the shares, so fewer


def test_without_training_rows_or_with_a_place_that_is_no_number_it_refuses() -> None:
    with pytest.raises(ValueError, match="at least one"):
        order_reference(np.zeros(0), np.zeros(0, np.int64), np.zeros(1), 2)
    with pytest.raises(ValueError, match="finite"):
        order_reference(np.zeros(1), np.zeros(1, np.int64), np.array([np.nan]), 2)
