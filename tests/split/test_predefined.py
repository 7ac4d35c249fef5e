"""Predefined: the parts as published, nothing guessed."""

from collections import Counter

import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.split.predefined import Predefined

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def marked(parts: list[str | None], labels: list[str | None] | None = None) -> Corpus:
    rows = len(parts)
    texts = [f"{'abcdefghijklmnopqrstuvwxyz'[k % 26] * 3} {'abcdefghij'[k // 26] * 7}" for k in range(rows)]
    given = labels or ["ab"[k % 2] for k in range(rows)]
    return Corpus.from_columns(
        "bench", texts, given, CARD, [f"{k:03d}" for k in range(rows)], {"split": ("category", parts)}
    )


def test_given_parts_are_kept_and_validation_is_halved() -> None:
    split = Predefined(validation="dev").split(marked(["train"] * 60 + ["dev"] * 20 + ["test"] * 20))
    assert split.train == tuple(f"{k:03d}" for k in range(60))
    assert split.test == tuple(f"{k:03d}" for k in range(80, 100))
    assert (len(split.parts["select"]), len(split.parts["calibrate"])) == (10, 10)
    assert Counter(int(id_) % 2 for id_ in split.parts["select"]) == {0: 5, 1: 5}


def test_validation_is_cut_from_train_by_seed_where_there_is_none() -> None:
    corpus = marked(["train"] * 80 + ["test"] * 20)
    one, other = Predefined(seed=0).split(corpus), Predefined(seed=1).split(corpus)
    assert len(one.parts["select"]) == len(one.parts["calibrate"]) == 4
    assert one.test == other.test and one.parts["select"] != other.parts["select"]
    assert Predefined(validation_share=0).split(corpus).recipe["obtained"]["train"] == 80


def test_select_calibrate_and_reserve_may_be_named() -> None:
    parts = ["train"] * 40 + ["select"] * 4 + ["calibrate"] * 6 + ["test"] * 20 + ["reserve"] * 5
    split = Predefined().split(marked(parts))
    assert split.recipe["obtained"] == {"train": 40, "select": 4, "calibrate": 6, "test": 20}
    assert split.recipe["reserve"] == {"marked reserve": 5}


@pytest.mark.parametrize("value", ["tset", None])
def test_a_value_that_names_no_part_is_refused_with_its_row(value: str | None) -> None:
    with pytest.raises(BadInput, match=r"row 61 \(id '060'\): split=.* names no part"):
        Predefined().split(marked(["train"] * 60 + [value] + ["test"] * 20))


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(BadInput, match=r"split='test'.*name its value with split.test"):
        Predefined().split(marked(["train"] * 60))


def test_a_label_only_in_test_is_refused_with_its_rows() -> None:
    labels = ["ab"[k % 2] for k in range(80)]
    labels[70] = "new"
    with pytest.raises(BadInput, match=r"'new' is in the test part \(1 rows, first \['070'\]\)"):
        Predefined().split(marked(["train"] * 60 + ["test"] * 20, labels))


def test_unlabelled_test_rows_are_never_scored() -> None:
    labels: list[str | None] = ["ab"[k % 2] for k in range(80)]
    labels[70] = None
    split = Predefined().split(marked(["train"] * 60 + ["test"] * 20, labels))
    assert "070" not in split.test and split.recipe["reserve"] == {"unlabelled": 1}


def test_copies_across_published_parts_are_kept_or_reserved_as_told() -> None:
    corpus = marked(["train"] * 60 + ["test"] * 20)
    texts = corpus.texts[:]
    texts[5] = texts[70]
    twice = Corpus.from_columns(
        "bench", texts, corpus.labels, CARD, corpus.ids, {"split": ("category", corpus.meta_values("split"))}
    )
    kept = Predefined(validation_share=0).split(twice)
    assert "005" in kept.train and "070" in kept.test and not kept.groups
    apart = Predefined(validation_share=0, across="reserve").split(twice)
    assert "005" not in apart.train and "070" in apart.test
