"""Telling marks: a planted one is found, what it is made of is put together, and chance is not confirmed."""

import numpy as np
import pytest
from scipy import stats

from crossover.measure.telling_marks import confirm, telling_marks

LINE = "think of the trees"


def mail(rows: int, strength: float, seed: int = 0) -> tuple[list[str], np.ndarray]:
    draw = np.random.default_rng(seed)
    gold = draw.integers(0, 2, rows)
    texts = []
    for label in gold:
        text = " ".join(f"word{k}" for k in draw.integers(0, 60, 8))
        texts.append(text + "\nbye" + (f"\n{LINE}" if label and draw.random() < strength else ""))
    return texts, gold


def test_a_planted_line_is_found_first_and_its_words_are_part_of_it() -> None:
    texts, gold = mail(400, 0.2)
    (mark, *rest) = telling_marks(texts, gold)
    assert mark.kind == "line" and mark.members == (LINE,) and mark.label == 1
    assert mark.precision == 1.0 and mark.recall == pytest.approx(0.2, abs=0.06)
    assert not rest, "its words and pairs are no marks of their own"


def test_without_a_planted_line_nothing_is_found() -> None:
    assert telling_marks(*mail(400, 0.0)) == []


def test_copies_of_one_text_are_one_carrier() -> None:
    texts = ["buy now == best"] * 40 + [f"word{k} other" for k in range(200)]
    gold = np.array([1] * 40 + [k % 2 for k in range(200)])
    assert {m.kind for m in telling_marks(texts, gold)} <= {"signs", "pair", "word"} != set()
    clusters = ["copy"] * 40 + [str(k) for k in range(200)]
    assert telling_marks(texts, gold, clusters=clusters) == []


def test_confirming_by_hand() -> None:
    carried = np.array([True] * 8 + [False] * 12)
    of_class = np.array([True] * 8 + [False] * 8 + [True] * 4)
    found = confirm(carried, of_class)
    assert (found.carriers, found.hits, found.precision) == (8, 8, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 8)) and found.high == 1.0
    assert found.p == pytest.approx(0.6**8)
    assert confirm(~carried & carried, of_class).p == 1.0


def test_a_cluster_counts_once_in_confirming() -> None:
    carried, of_class = np.array([False, True, True, False]), np.array([True, True, True, False])
    found = confirm(carried, of_class, clusters=np.array([0, 0, 0, 1]))
    assert (found.carriers, found.hits) == (1, 1)
    assert found.p == pytest.approx(stats.binom.sf(0, 1, 0.5))
