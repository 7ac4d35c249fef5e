"""Importance: probabilities as intended, and a draw that keeps them exactly, whatever the order."""

import itertools

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.sample.importance import Importance, duel, inclusion_probabilities, pivotal
from crossover.sample.sample import Population


def enumerated(pi: tuple[float, ...], order: tuple[int, ...]) -> dict[frozenset[int], float]:
    """Every sample that the draw can end in when rows meet in this order, with its probability."""
    found: dict[frozenset[int], float] = {}

    def go(at: int, holder: int, held: float, drawn: frozenset[int], chance: float) -> None:
        if at == len(order):
            last = drawn | {holder} if held > 0.5 else drawn
            found[last] = found.get(last, 0.0) + chance
            return
        for share, (left, right) in duel(held, pi[order[at]]):
            if share == 0:
                continue
            ends = [(holder, left), (order[at], right)]
            decided, on = ends if left in (0.0, 1.0) else ends[::-1]
            go(at + 1, *on, drawn | {decided[0]} if decided[1] == 1.0 else drawn, chance * share)

    go(1, order[0], pi[order[0]], frozenset(), 1.0)
    return found


@pytest.mark.parametrize("pi", [(0.1, 0.2, 0.4, 0.6, 0.7), (0.5, 0.5, 0.5, 0.5), (0.9, 0.9, 0.9, 0.2, 0.1)])
def test_inclusion_is_exact_and_the_size_fixed_for_every_order(pi: tuple[float, ...]) -> None:
    for order in itertools.permutations(range(len(pi))):
        samples = enumerated(pi, order)
        assert sum(samples.values()) == pytest.approx(1)
        assert {len(sample) for sample in samples} == {round(sum(pi))}
        included = [sum(p for sample, p in samples.items() if row in sample) for row in range(len(pi))]
        assert included == pytest.approx(list(pi), abs=1e-12)


def test_in_random_order_every_pair_can_be_drawn_together() -> None:
    pi = (0.1, 0.2, 0.4, 0.6, 0.7)
    together: dict[frozenset[int], float] = {}
    orders = list(itertools.permutations(range(5)))
    for order in orders:
        for sample, p in enumerated(pi, order).items():
            together[sample] = together.get(sample, 0.0) + p / len(orders)
    pairs = {
        frozenset(pair): together.get(frozenset(pair), 0.0) for pair in itertools.combinations(range(5), 2)
    }
    assert min(pairs.values()) > 0
    rng, times = np.random.default_rng(0), dict.fromkeys(pairs, 0)
    for _ in range(20_000):
        times[frozenset(int(row) for row in np.flatnonzero(pivotal(np.array(pi), rng)))] += 1
    for pair, p in pairs.items():
        assert abs(times[pair] - 20_000 * p) < 4.5 * np.sqrt(20_000 * p * (1 - p)), (
            "the code draws as enumerated"
        )


BY_HAND = [
    ([1, 1, 2], 1, 1e-12, [0.25, 0.25, 0.5]),
    ([0, 0, 4, 4], 2, 0.5, [0.25, 0.25, 0.75, 0.75]),
    # the large row is certain; the other three share the second place
    ([1, 1, 2, 96], 2, 1e-12, [0.25, 0.25, 0.5, 1.0]),
    # no doubt at all: evenly
    ([0, 0, 0, 0], 2, 0.2, [0.5, 0.5, 0.5, 0.5]),
]


@pytest.mark.parametrize(("scores", "size", "floor", "expected"), BY_HAND)
def test_probabilities_by_hand(scores: list[float], size: int, floor: float, expected: list[float]) -> None:
    assert inclusion_probabilities(np.array(scores, float), size, floor) == pytest.approx(expected)


def test_heavy_scores_make_certain_rows_and_the_floor_holds() -> None:
    many = inclusion_probabilities(np.random.default_rng(0).pareto(0.5, 5_000), 300, 0.1)
    assert many.sum() == pytest.approx(300) and many.max() == 1.0 and many.min() >= 0.9 * 0.1 * 200 / 5_000
    assert pivotal(many, np.random.default_rng(1)).sum() == 300


@pytest.mark.parametrize(
    ("values", "floor", "match"),
    [
        ([0.1, None, 0.3], 0.2, "'b' has doubt=None"),
        ([0.1, -1.0, 0.3], 0.2, "at least 0"),
        ([0.1, "x", 0.3], 0.2, "at least 0"),
        ([0.1, 0.2, 0.3], 0.0, "no chance"),
        ([0.1, 0.2, 0.3], 1.5, "no chance"),
    ],
)
def test_scores_that_are_none_and_a_missing_floor_are_refused(values: list, floor: float, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        Importance(1, "doubt", floor).draw(Population(tuple("abc"), {"doubt": values}, "made"))
