"""Grouped: no group on both sides, and a clear word where the groups do not allow the sizes."""

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.split.grouped import Grouped
from crossover.split.k_fold import KFold

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def by_author(authors: list[str | None], texts: list[str] | None = None) -> Corpus:
    rng = np.random.default_rng(5)
    own = ["".join(rng.choice(LETTERS, 30)) for _ in authors]
    labels = ["ab"[k % 2] for k in range(len(authors))]
    return Corpus.from_columns("mail", texts or own, labels, CARD, [f"{k:04d}" for k in range(len(authors))],
                               {"author": ("group", authors)})  # fmt: skip


def test_a_group_larger_than_every_part_is_refused_by_name() -> None:
    corpus = by_author(["ann"] * 80 + [f"p{k}" for k in range(20)])
    with pytest.raises(BadInput, match=r"author='ann' holds 80 of 100 rows"):
        Grouped(by=["author"]).split(corpus)


def test_one_group_is_refused_with_a_way_out() -> None:
    with pytest.raises(BadInput, match=r"all 40 rows lie in one group \(author='ann'\).*split=stratified"):
        Grouped(by=["author"]).split(by_author(["ann"] * 40))


def test_sizes_beyond_the_tolerance_are_refused_asked_against_obtained() -> None:
    corpus = by_author([f"p{k // 25}" for k in range(100)])
    with pytest.raises(BadInput, match=r"train \d+ for 70\.0.*split\.tolerance=0\.1"):
        Grouped(by=["author"]).split(corpus)


def test_an_undeclared_column_is_refused() -> None:
    with pytest.raises(BadInput, match=r"no meta column 'sender'"):
        Grouped(by=["sender"]).split(by_author([f"p{k}" for k in range(60)]))


def test_rows_without_a_group_are_no_group_together() -> None:
    corpus = by_author([None] * 150 + [f"p{k // 3}" for k in range(150)])
    split = Grouped(by=["author"], group_duplicates="none").split(corpus)
    assert not set(split.groups) & set(corpus.ids[:150])
    assert {len([g for g in split.groups.values() if g == name]) for name in split.groups.values()} == {3}


@pytest.mark.parametrize("straddling", ["union", "reserve"])
def test_copies_between_groups_never_meet_across_parts(straddling: str) -> None:
    authors: list[str | None] = [f"p{k // 5}" for k in range(300)]
    corpus = by_author(authors)
    texts = corpus.texts[:]
    for k in range(0, 300, 20):  # the first rows of fifteen authors are one text
        texts[k] = "exactly the same words"
    corpus = by_author(authors, texts)
    split = Grouped(by=["author"], straddling=straddling).split(corpus)
    part_of = {id_: part for part, ids in split.parts.items() for id_ in ids}
    copies = {part_of.get(corpus.ids[k], "reserve") for k in range(0, 300, 20)}
    assert len(copies - {"reserve"}) == 1
    reserved = split.recipe["reserve"]
    assert (sum(reserved.values()) > 0) == ("reserve" in copies) == (straddling == "reserve")
    if straddling == "union":
        joined = {split.groups[corpus.ids[k]] for k in range(0, 300, 20)}
        assert joined == {"0000"}, "the fifteen authors are one cluster, named by its smallest id"


def test_auto_joins_groups_until_one_would_hold_a_tenth_and_says_so() -> None:
    authors: list[str | None] = [f"p{k // 5}" for k in range(300)]
    few, many = by_author(authors).texts[:], by_author(authors).texts[:]
    for k in range(0, 300, 60):
        few[k] = "exactly the same words"
    for k in range(0, 300, 15):
        many[k] = "exactly the same words"
    for texts, done in ((few, "union"), (many, "reserve")):
        split = Grouped(by=["author"]).split(by_author(authors, texts))
        assert split.recipe["settings"]["straddling"] == done


def test_folds_are_one_partition_of_all_rows() -> None:
    corpus = by_author([f"p{k // 3}" for k in range(300)])
    tests = [KFold(k=5, fold=fold, by=["author"]).split(corpus).test for fold in range(5)]
    assert sorted(id_ for test in tests for id_ in test) == corpus.ids
    assert max(map(len, tests)) - min(map(len, tests)) <= 6


def test_a_class_in_fewer_groups_than_folds_is_refused() -> None:
    corpus = by_author([f"p{k // 4}" for k in range(100)])
    labels = ["rare" if k < 12 else "ab"[k % 2] for k in range(100)]
    columns = {"author": ("group", corpus.meta_values("author"))}
    corpus = Corpus.from_columns("mail", corpus.texts, labels, CARD, corpus.ids, columns)
    with pytest.raises(BadInput, match=r"each of fold 0.*'rare': 12 rows in 3 clusters"):
        KFold(k=5, by=["author"]).split(corpus)


@pytest.mark.parametrize(("k", "fold"), [(1, 0), (5, 5), (5, -1)])
def test_an_impossible_fold_is_refused(k: int, fold: int) -> None:
    with pytest.raises(BadInput, match="fold from 0 to k - 1"):
        KFold(k=k, fold=fold, by=[]).split(by_author([f"p{k}" for k in range(60)]))


def test_without_a_word_every_column_declared_as_a_group_is_kept_together() -> None:
    authors = [f"p{k % 150}" for k in range(300)]
    corpus = by_author(authors)
    silent, said = Grouped().split(corpus), Grouped(by=["author"]).split(corpus)
    assert silent.parts == said.parts and silent.groups == said.groups
    assert Grouped(by=[]).split(corpus).groups == {}
