"""Words that set two groups apart: planted ones found, chance ones not, z as the paper has it."""

import numpy as np
import pytest

from crossover.measure.words_apart import words_apart

WORDS = [f"word{k}" for k in range(60)]


def texts(count: int, seed: int, planted: str = "", share: float = 0.0) -> list[str]:
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        words = list(draw.choice(WORDS, 12, replace=False))
        if draw.random() < share:
            words.append(planted)
        made.append(" ".join(words))
    return made


def test_a_planted_word_comes_first_and_signed() -> None:
    found = words_apart(texts(40, 0, "invoice", 0.7), texts(200, 1, "invoice", 0.05))
    assert found[0].word == "invoice" and found[0].z > 3 and found[0].p <= 0.01
    other = words_apart(texts(200, 1, "invoice", 0.05), texts(40, 0, "invoice", 0.7))
    assert other[0].word == "invoice" and other[0].z == pytest.approx(-found[0].z)
    assert (other[0].first, other[0].second) == (found[0].second, found[0].first)


def test_chance_words_stay_above_their_level() -> None:
    alarms = 0
    for seed in range(100):
        found = words_apart(texts(20, 2 * seed), texts(80, 2 * seed + 1), permutations=99, seed=seed)
        alarms += found[0].p <= 0.05
    assert alarms <= 13, "binomial(100, .05) exceeds 13 once in 3,000"


def test_repeats_within_a_text_are_one_piece_of_evidence() -> None:
    first, second = texts(30, 3, "free", 0.4), texts(90, 4, "free", 0.1)
    shouted = [text.replace("free", "free FREE free") for text in first]
    assert words_apart(first, second)[0] == words_apart(shouted, second)[0]


def test_z_is_that_of_monroe_by_hand() -> None:
    """Two words in 10 texts of 5 and 5: x in 5 and 1, y in 1 and 5."""
    first = ["xx"] * 4 + ["xx yy"]
    second = ["yy"] * 4 + ["yy xx"]
    found = {w.word: w for w in words_apart(first, second, permutations=19)}
    # 12 word types in all, prior weight 1.2 shared .6 and .6; each group holds 6 types
    own, other = 5 + 0.6, 1 + 0.6
    delta = np.log(own / (6 + 1.2 - own)) - np.log(other / (6 + 1.2 - other))
    assert found["xx"].z == pytest.approx(delta / np.sqrt(1 / own + 1 / other))


def test_too_little_says_nothing() -> None:
    assert words_apart(["a b"] * 4, ["c d"] * 50) == []
    assert words_apart(["same text"] * 6, ["same text"] * 6) == [], "a word in every text sets nothing apart"
    assert words_apart([""] * 6, ["!"] * 6) == []
