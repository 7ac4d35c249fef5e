"""Traits of a bump are named on one half and confirmed on the other."""

import json

import numpy as np
import pytest
from scipy import stats

from crossover.measure.calibration_traits import CONTRASTS, traits_apart

ROWS = 400
DRAW = np.random.default_rng(4)
INSIDE = np.arange(ROWS) % 4 == 0
FIRST = (np.arange(ROWS) // 4) % 2 == 0
WORDS = ["alpha", "beta", "gamma", "delta"]


def texts(marked: np.ndarray) -> list[str]:
    draw = np.random.default_rng(5)
    return [f"{' '.join(draw.choice(WORDS, 3))} {'invoice' if own else 'lunch'}" for own in marked]


def test_a_word_of_the_rows_inside_is_confirmed_with_fishers_p() -> None:
    marked = INSIDE & (np.arange(ROWS) % 3 == 0) | (np.arange(ROWS) % 37 == 0)
    found = traits_apart(INSIDE, np.zeros(ROWS, dtype=bool), FIRST, texts(marked))
    first = found[0]
    assert (first.trait, first.kind, first.contrast, first.confirmed) == (
        "invoice",
        "word",
        CONTRASTS[0],
        True,
    )
    side, other = INSIDE & ~FIRST, ~INSIDE & ~FIRST
    table = [
        [(marked & side).sum(), (~marked & side).sum()],
        [(marked & other).sum(), (~marked & other).sum()],
    ]
    assert first.p == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)
    assert (first.held, first.of) == (table[0][0], side.sum())
    assert first.holm_p == pytest.approx(first.p * len(found))


def test_what_the_first_half_alone_shows_is_not_confirmed() -> None:
    found = traits_apart(INSIDE, np.zeros(ROWS, dtype=bool), FIRST, texts(INSIDE & FIRST))
    assert any(trait.trait == "invoice" for trait in found)
    assert not any(trait.confirmed for trait in found)


def test_unexpected_rows_inside_are_a_contrast_of_their_own() -> None:
    unexpected = np.arange(ROWS) % 16 < 8
    found = traits_apart(INSIDE, unexpected, FIRST, texts(unexpected))
    assert [trait.contrast for trait in found if trait.trait == "invoice" and trait.confirmed] == [
        CONTRASTS[1]
    ]


def test_meta_values_times_numbers_and_disputed_votes_are_traits() -> None:
    agreed, split = json.dumps({"a": "x", "b": "x"}), json.dumps({"a": "x", "b": "y"})
    meta = {
        "region": ("category", ["north" if own else "south" for own in INSIDE]),
        "time": ("time", [f"2024-0{1 + 5 * own}-01T00:00:00+00:00" for own in INSIDE.astype(int)]),
        "size": ("number", [9.0 if own else float(k % 5) for k, own in enumerate(INSIDE)]),
        "votes": ("votes", [split if own else agreed for own in INSIDE]),
        "empty": ("category", [None] * ROWS),
    }
    found = traits_apart(INSIDE, np.zeros(ROWS, dtype=bool), FIRST, ["one text"] * ROWS, meta)
    confirmed = {trait.kind: trait.trait for trait in found if trait.confirmed}
    assert confirmed["category"] == "region = north"
    assert confirmed["votes"] == "votes: annotators disagree"
    assert confirmed["time"].startswith("time from 20") and confirmed["number"].startswith("size from ")


def test_chance_is_confirmed_in_at_most_one_of_twenty() -> None:
    alarms = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        words = [" ".join(draw.choice(list("abcdefghij"), 4)).replace(" ", "x ") + "x" for _ in range(200)]
        inside, first = draw.random(200) < 0.3, draw.random(200) < 0.5
        alarms += any(t.confirmed for t in traits_apart(inside, draw.random(200) < 0.5, first, words))
    assert alarms <= 8


def test_too_few_rows_name_nothing() -> None:
    inside = np.zeros(50, dtype=bool)
    inside[:4] = True
    assert traits_apart(inside, inside, np.arange(50) % 2 == 0, ["a word"] * 50) == []
