"""The crossed mean: worked by hand, equal to the two-way form on a full layout, and holding its level."""

import numpy as np
import pytest

from crossover.measure.crossed_mean import crossed_mean
from crossover.measure.two_way import effects_of, mean_squares


def test_by_hand() -> None:
    # Two draws, three clusters, cluster 1 in draw 0 only: mean 2, deviations -1, 0, 2, -1.
    found = crossed_mean(np.array([1.0, 2.0, 4.0, 1.0]), np.array([0, 0, 1, 1]), np.array([0, 1, 2, 0]))
    assert found.mean == 2.0 and (found.clusters, found.draws, found.values) == (3, 2, 4)
    by_cluster = 3 / 2 * ((-1 - 1) ** 2 + 0 + 2**2) / 16
    by_draw = 2 / 1 * ((-1 + 0) ** 2 + (2 - 1) ** 2) / 16
    cells = 0.0  # cluster 0 came up twice, with -1 and -1: nothing about its mean of -1
    assert found.se**2 == pytest.approx(max(by_cluster + by_draw - cells, by_cluster, by_draw))
    assert found.effective == pytest.approx(16 / (4 + 1 + 1))


def test_on_a_full_layout_it_is_the_two_way_variance() -> None:
    rng = np.random.default_rng(0)
    R, m = 12, 400
    d = rng.normal(size=(R, 1)) * 0.1 + rng.normal(size=(1, m)) + rng.normal(size=(R, m))
    msa, msb, mse = mean_squares(effects_of(d), effects_of(d))
    rows = np.tile(np.arange(m), R)
    found = crossed_mean(d.ravel(), np.repeat(np.arange(R), m), rows)
    assert found.se**2 == pytest.approx((msa + msb - mse) / (R * m), rel=0.01)


def test_a_mean_of_0_is_claimed_apart_in_one_of_twenty_studies_or_fewer() -> None:
    """Unequal clusters, a draw effect and rows that come up in some draws only."""
    rng, wrong, repeats = np.random.default_rng(1), 0, 1_000
    for _ in range(repeats):
        size = rng.integers(1, 9, 60)
        cluster = np.repeat(np.arange(60), size)
        effect = rng.normal(size=60)[cluster] + 0.5 * rng.normal(size=len(cluster))
        draws, clusters, values = [], [], []
        for draw in range(10):
            came = np.flatnonzero(rng.random(len(cluster)) < 0.3)
            draws += [draw] * len(came)
            clusters += cluster[came].tolist()
            values += (effect[came] + 0.2 * rng.normal() + rng.normal(size=len(came))).tolist()
        found = crossed_mean(np.array(values), np.array(draws), np.array(clusters))
        low, high = found.interval(0.95) or (0.0, 0.0)
        wrong += not low <= 0 <= high
    assert wrong / repeats <= 0.065


def test_where_nothing_varies_there_is_no_interval() -> None:
    same = crossed_mean(np.zeros(5), np.array([0, 0, 1, 1, 1]), np.arange(5))
    assert same.interval() is None and same.p == 1.0
    one = crossed_mean(np.array([1.0, 0.0]), np.array([0, 1]), np.zeros(2, np.int64))
    assert one.interval() is None and not one.known
