"""Stratified and allotment: exact class shares, sizes as asked, and whole clusters at random."""

from collections import Counter

import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.split.allotment import allot, four_parts
from crossover.split.clusters import join, keep_in_last
from crossover.split.stratified import Stratified

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def labelled_corpus(counts: dict[str, int]) -> Corpus:
    labels = [name for name, rows in counts.items() for _ in range(rows)]
    # The row's number in letters: digits would be masked, and the rows one cluster.
    spelt = [
        f"{k:04d}".translate(str.maketrans("0123456789", "abcdefghij")) for k in range(max(counts.values()))
    ]
    texts = [f"{name} number {spelt[k]}" for name, rows in counts.items() for k in range(rows)]
    return Corpus.from_columns("counted", texts, labels, CARD)


def test_class_shares_are_exact_to_a_row_and_sizes_to_a_row() -> None:
    counts = {"a": 703, "b": 211, "c": 97, "d": 13}
    corpus = labelled_corpus(counts)
    split = Stratified(test=0.2, validation=0.1, group_duplicates="normalised").split(corpus)
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    total = sum(counts.values())
    for part, share in four_parts(0.2, 0.1).items():
        assert abs(len(split.parts[part]) - share * total) <= 1.5
        rows = Counter(label[id_] for id_ in split.parts[part])
        for name, count in counts.items():
            assert abs(rows[name] - share * count) <= 1.5, (part, name)


def test_many_small_classes_do_not_all_round_towards_the_same_part() -> None:
    corpus = labelled_corpus({f"intent{'abcdefghijk'[k // 7]}{'abcdefg'[k % 7]}": 13 for k in range(77)})
    split = Stratified(test=0.2, validation=0.1).split(corpus)
    assert abs(len(split.parts["select"]) - len(split.parts["calibrate"])) <= 1
    assert abs(len(split.test) - 0.2 * 77 * 13) <= 1.5


def test_a_class_of_one_row_is_refused_with_counts() -> None:
    with pytest.raises(BadInput, match=r"'rare': 1 rows in 1 clusters"):
        Stratified().split(labelled_corpus({"a": 50, "b": 40, "rare": 1}))


def test_a_class_of_copies_only_is_refused_for_it_cannot_be_on_both_sides() -> None:
    texts = [f"{'abcdefghijkl'[k % 12]}{'mnopq'[k // 12]} text" for k in range(60)] + ["same words"] * 6
    corpus = Corpus.from_columns("copies", texts, ["a"] * 30 + ["b"] * 30 + ["c"] * 6, CARD)
    with pytest.raises(BadInput, match=r"'c': 6 rows in 1 clusters"):
        Stratified().split(corpus)


def test_a_class_of_two_rows_lies_in_train_and_in_test() -> None:
    corpus = labelled_corpus({"a": 300, "b": 200, "pair": 2})
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    for seed in range(5):
        split = Stratified(seed=seed).split(corpus)
        assert "pair" in {label[id_] for id_ in split.train}
        assert "pair" in {label[id_] for id_ in split.test}


def test_no_validation_leaves_both_halves_empty() -> None:
    split = Stratified(validation=0).split(labelled_corpus({"a": 60, "b": 40}))
    assert split.recipe["obtained"] == {"train": 80, "select": 0, "calibrate": 0, "test": 20}


@pytest.mark.parametrize(("test", "validation"), [(0, 0.1), (0.9, 0.1), (1.2, 0), (0.2, -0.1)])
def test_impossible_shares_are_refused(test: float, validation: float) -> None:
    with pytest.raises(BadInput, match="their sum below 1"):
        Stratified(test=test, validation=validation).split(labelled_corpus({"a": 60, "b": 40}))


def test_an_unknown_kind_of_duplicate_is_refused() -> None:
    with pytest.raises(BadInput, match="group_duplicates='fuzzy'"):
        Stratified(group_duplicates="fuzzy").split(labelled_corpus({"a": 60, "b": 40}))


def test_a_cluster_reaches_the_test_part_with_its_share_whatever_its_size() -> None:
    # 10 clusters each of 12, 6 and 3 rows and 90 single rows: P(test) should be .2 for each size.
    sizes = [12] * 10 + [6] * 10 + [3] * 10 + [1] * 90
    unit_of = {f"r{u:03d}-{k}": f"r{u:03d}-0" for u, size in enumerate(sizes) for k in range(size)}
    labels = {id_: "ab"[int(id_[1:4]) % 2] for id_ in unit_of}
    inside: Counter[int] = Counter()
    repeats = 300
    for seed in range(repeats):
        parts = allot(labels, unit_of, four_parts(0.2, 0.1), [seed], 0.1)
        for unit in {unit_of[id_] for id_ in parts["test"]}:
            inside[sizes[int(unit[1:4])]] += 1
    for size, of_it in Counter(sizes).items():
        rate = inside[size] / (repeats * of_it)
        # 5 standard errors of 3,000 draws or more; the 12s meet some exclusion where 12 no longer fit.
        assert abs(rate - 0.2) < 0.04, (size, rate)


def test_keep_in_last_takes_from_train_and_never_from_test() -> None:
    parts = {"train": ["a", "b", "c"], "select": ["d"], "calibrate": [], "test": ["e", "f"]}
    kept, gone = keep_in_last(parts, {"a": "k", "d": "k", "b": "m", "e": "m", "f": "m"})
    assert kept == {"train": ["c"], "select": ["d"], "calibrate": [], "test": ["e", "f"]}
    assert gone == 2


def test_join_is_the_union_of_groupings_named_by_the_smallest_id() -> None:
    joined = join(["e", "d", "c", "b", "a"], [{"a": "x", "b": "x"}, {"b": "x", "c": "x", "d": "y"}])
    assert joined == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e"}


def test_stratified_classes_do_not_depend_on_the_seed() -> None:
    corpus = labelled_corpus({"a": 100, "b": 50})
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    counts = {
        tuple(sorted(Counter(label[id_] for id_ in Stratified(seed=seed).split(corpus).test).items()))
        for seed in range(5)
    }
    assert counts == {(("a", 20), ("b", 10))}
