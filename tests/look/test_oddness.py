"""Odd texts come first whatever makes them odd, and the score says what does."""

import numpy as np
import pytest
from scipy.stats import ecdf

from crossover.look.oddness import oddness, rarity

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "dog", "run", "by", "our", "old", "red", "door"]


def plain_texts(rows: int = 300) -> list[str]:
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(WORDS, 9)) for _ in range(rows)]


def lengths(texts: list[str]) -> dict[str, np.ndarray]:
    return {"characters": np.array([len(text) for text in texts])}


@pytest.mark.parametrize(
    ("planted", "trait"),
    [
        ("quixotic zephyr jukebox fjord vexing waltz nymph bd glyph", "rare words"),
        ("the cat sat on a mat €§¶• and saw the dog", "rare characters"),
        (" ".join(["the cat sat on a mat"] * 20), "many characters"),
        ("cat", "few characters"),
    ],
)
def test_a_planted_oddity_is_among_the_first_two_percent_and_is_named(planted: str, trait: str) -> None:
    texts = [*plain_texts(), planted]
    found = oddness(texts, lengths(texts))
    assert (found.score > found.score[-1]).sum() <= 5
    assert found.trait[-1] == trait


def test_rarity_of_a_piece_is_by_hand_what_the_other_texts_make_it() -> None:
    bits = rarity(["a b", "a c", "a"], str.split)
    rare, common = -np.log2(0.5 / 3), -np.log2(2.5 / 3)
    assert bits == pytest.approx([(rare + common) / 2, (rare + common) / 2, common])


def test_a_copy_makes_a_text_less_odd_but_it_is_not_expected_because_of_itself() -> None:
    odd = "zephyr jukebox"
    alone = rarity([*plain_texts(50), odd], str.split)[-1]
    twice = rarity([*plain_texts(50), odd, odd], str.split)[-1]
    assert alone == pytest.approx(-np.log2(0.5 / 51)) and twice < alone


def test_the_score_of_one_number_is_ecods_by_another_library() -> None:
    """Texts alike, so that the number alone tells: the larger of both tails' -log, by scipy's ECDF."""
    values = np.random.default_rng(1).exponential(size=200)
    texts = ["same"] * 200
    low = -np.log(ecdf(values).cdf.evaluate(values))
    high = -np.log(ecdf(-values).cdf.evaluate(-values))
    assert oddness(texts, {"x": values}).score == pytest.approx(np.maximum(low, high))


def test_the_order_of_rows_changes_nothing_and_constants_weigh_nothing() -> None:
    texts = plain_texts(80)
    order = np.random.default_rng(2).permutation(80)
    one = oddness(texts, lengths(texts)).score
    other = oddness([texts[k] for k in order], lengths([texts[k] for k in order])).score
    assert other == pytest.approx(one[order])
    assert oddness(texts, {**lengths(texts), "zero": np.zeros(80)}).score == pytest.approx(one)


def test_no_texts_and_empty_texts_have_a_score() -> None:
    assert len(oddness([], {}).score) == 0
    assert np.isfinite(oddness(["", "", "a"], lengths(["", "", "a"])).score).all()
