"""Swapped pairs: one test part, equal training sets, and each cluster's rows on one side only."""

import numpy as np
import pytest

from crossover.data.corpus import Card, Corpus
from crossover.split.split import Split
from crossover.split.swapped_pair import swapped_pair

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def made(seed: int = 0, giant: int = 0) -> tuple[Corpus, Split, dict[str, str]]:
    """600 rows, half of them in clusters of 2 to 6 of one class or of both."""
    rng = np.random.default_rng(seed)
    rows = 600
    labels = ["a" if x < 0.6 else "b" for x in rng.random(rows)]
    corpus = Corpus.from_columns("rows", [f"row {k}" for k in range(rows)], labels, CARD)
    cluster_of, at = {}, giant
    for id_ in corpus.ids[:giant]:
        cluster_of[id_] = "giant"
    while at < rows // 2:
        size = int(rng.integers(2, 7))
        for id_ in corpus.ids[at : at + size]:
            cluster_of[id_] = f"c{at}"
        at += size
    order = [corpus.ids[k] for k in rng.permutation(rows)]
    parts = {"train": order[:420], "select": order[420:450], "calibrate": order[450:480], "test": order[480:]}
    return corpus, Split(corpus.fingerprint, {k: tuple(v) for k, v in parts.items()}), cluster_of


def tally(corpus: Corpus, split: Split) -> list[int]:
    labels = [corpus.labels[corpus.row_of[id_]] for id_ in split.train]
    return [labels.count(name) for name in corpus.classes]


@pytest.mark.parametrize("seed", range(5))
def test_the_sides_are_equal_in_every_class_and_a_cluster_is_in_the_train_of_one(seed: int) -> None:
    corpus, split, cluster_of = made(seed)
    pair = swapped_pair(corpus, split, cluster_of, seed)
    assert pair.left.test == pair.right.test == split.test
    assert tally(corpus, pair.left) == tally(corpus, pair.right)
    own = {"left": set(pair.left.train), "right": set(pair.right.train)}
    siblings = {
        id_: {s for s in split.train if cluster_of.get(s) == cluster_of.get(id_, "")} for id_ in split.test
    }
    for id_ in pair.seen_left:
        assert siblings[id_] and siblings[id_] <= own["left"] and not siblings[id_] & own["right"]
    for id_ in pair.seen_right:
        assert siblings[id_] and siblings[id_] <= own["right"] and not siblings[id_] & own["left"]
    assert all(not siblings[id_] for id_ in pair.alone) and not pair.always
    everyone = [*pair.seen_left, *pair.seen_right, *pair.alone]
    assert sorted(everyone) == sorted(split.test)
    assert pair.share == pytest.approx(1 - len(pair.alone) / len(split.test))
    spare = [
        id_ for id_ in split.train if cluster_of.get(id_) not in {cluster_of.get(t, 0) for t in split.test}
    ]
    assert all(len(set(spare) - rows) <= 0.1 * len(spare) for rows in own.values()), "little is left out"


def test_a_cluster_that_no_other_can_replace_stays_on_both_sides() -> None:
    corpus, split, cluster_of = made(giant=260)
    pair = swapped_pair(corpus, split, cluster_of, 0)
    giant = {id_ for id_, name in cluster_of.items() if name == "giant"}
    assert set(pair.always) == giant & set(split.test)
    assert giant & set(split.train) <= set(pair.left.train) & set(pair.right.train)
    assert tally(corpus, pair.left) == tally(corpus, pair.right) and pair.seen_left and pair.seen_right


def test_another_seed_deals_otherwise_and_the_same_seed_alike() -> None:
    corpus, split, cluster_of = made()
    first, again, other = (swapped_pair(corpus, split, cluster_of, seed) for seed in (3, 3, 4))
    assert first.left.fingerprint == again.left.fingerprint != other.left.fingerprint


def test_each_cluster_is_as_often_left_as_right() -> None:
    corpus, split, cluster_of = made()
    name = next(cluster_of[i] for i in swapped_pair(corpus, split, cluster_of, 0).seen_left)
    left = sum(
        any(cluster_of[i] == name for i in swapped_pair(corpus, split, cluster_of, seed).seen_left)
        for seed in range(200)
    )
    assert 65 <= left <= 135, "within 5 standard errors of a half"


def test_without_any_copy_the_sides_are_the_train_part() -> None:
    corpus, split, _ = made()
    pair = swapped_pair(corpus, split, {}, 0)
    assert set(pair.left.train) == set(pair.right.train) == set(split.train)
    assert pair.share == 0 and not pair.seen_left and pair.alone == split.test


def test_where_every_row_has_a_group_the_groups_give_a_few_rows_to_be_equal() -> None:
    rng = np.random.default_rng(8)
    sizes = {"one": 300, "two": 290, "three": 205, "four": 200, "mine": 100, "yours": 95}
    names = [name for name, size in sizes.items() for _ in range(size)]
    labels = ["spam" if name in ("one", "two") else "ham" for name in names]
    corpus = Corpus.from_columns("mail", [f"mail {k}" for k in range(len(names))], labels, CARD)
    order = rng.permutation(len(names))
    parts = {"train": order[:900], "select": [], "calibrate": [], "test": order[900:]}
    split = Split(
        corpus.fingerprint, {part: tuple(corpus.ids[k] for k in rows) for part, rows in parts.items()}
    )
    source_of = dict(zip(corpus.ids, names, strict=True))
    pair = swapped_pair(corpus, split, source_of, 0)
    assert tally(corpus, pair.left) == tally(corpus, pair.right)
    assert not pair.always and not pair.alone
    sides = ((pair.left, pair.seen_left, pair.right), (pair.right, pair.seen_right, pair.left))
    for side, seen, other in sides:
        for name in {source_of[id_] for id_ in seen}:
            own = {id_ for id_ in split.train if source_of[id_] == name}
            assert 0.8 * len(own) <= len(own & set(side.train)), "at most a tenth of the class is left out"
            assert not own & set(other.train)


def test_no_cluster_loses_its_only_row_to_make_the_sides_equal() -> None:
    names = ["a", "a", "b", "b", "c", "c"]
    corpus = Corpus.from_columns("pairs", [f"row {k}" for k in range(6)], ["x"] * 6, CARD)
    parts = {"train": tuple(corpus.ids[::2]), "select": (), "calibrate": (), "test": tuple(corpus.ids[1::2])}
    pair = swapped_pair(
        corpus, Split(corpus.fingerprint, parts), dict(zip(corpus.ids, names, strict=True)), 0
    )
    assert len(pair.always) == 1 and len(pair.seen_left) == len(pair.seen_right) == 1
