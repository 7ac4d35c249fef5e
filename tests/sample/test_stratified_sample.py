"""Allocation by hand, and what it refuses."""

import pytest

from crossover.data.bad_input import BadInput
from crossover.sample.sample import Population
from crossover.sample.stratified import Stratified, allocate

SIZES = {"a": 500, "b": 300, "c": 200}


def test_proportional_and_neyman_by_hand() -> None:
    assert allocate(SIZES, {name: float(rows) for name, rows in SIZES.items()}, 100) == {
        "a": 50,
        "b": 30,
        "c": 20,
    }
    # rows times SD: 500 * .1, 300 * .5, 200 * .25 = 50, 150, 50
    assert allocate(SIZES, {"a": 50.0, "b": 150.0, "c": 50.0}, 100) == {"a": 20, "b": 60, "c": 20}


def test_the_allocation_is_the_best_of_all_whole_numbers() -> None:
    sizes, weights = {"a": 9, "b": 9, "c": 9}, {"a": 5.0, "b": 2.0, "c": 1.0}
    splits = [(a, b, 12 - a - b) for a in range(2, 9) for b in range(2, 9) if 2 <= 12 - a - b <= 9]
    best = min(sum(w**2 / n for w, n in zip(weights.values(), split, strict=True)) for split in splits)
    drawn = allocate(sizes, weights, 12)
    assert sum(weights[name] ** 2 / n for name, n in drawn.items()) == pytest.approx(best)


def test_small_strata_are_taken_whole_and_every_stratum_gives_two() -> None:
    assert allocate({"a": 1, "b": 3, "c": 100}, {"a": 9.0, "b": 9.0, "c": 1.0}, 20) == {
        "a": 1,
        "b": 3,
        "c": 16,
    }
    assert allocate({"a": 50, "b": 50}, {"a": 0.0, "b": 1.0}, 10) == {"a": 2, "b": 8}
    with pytest.raises(BadInput, match="two rows each, 6 in all"):
        allocate(SIZES, dict.fromkeys(SIZES, 1.0), 5)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"allocation": "best"}, "expected one of"),
        ({"allocation": "neyman"}, "none for 'x'"),
        ({"allocation": "neyman", "sds": {"x": 1.0, "y": -1.0}}, "bad: 'y'"),
        ({"by": "kind"}, "no column 'kind'"),
        ({"period": "week"}, "expected one of"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, object], match: str) -> None:
    rows = Population(tuple("abcdef"), {"label": ["x", "y"] * 3}, "made")
    with pytest.raises(BadInput, match=match):
        Stratified(**{"size": 4, **settings}).draw(rows)  # type: ignore[arg-type]
