"""Nested subsets: one chain a draw, disjoint draws while rows allow, the same on every machine."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.split.nested_subsets import (
    Subset,
    capped,
    ids_sha256,
    overlap_fraction,
    scored_ids,
    subset_ids,
)
from crossover.split.split import Split

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def cut(rows: int) -> tuple[Corpus, Split]:
    labels = ["rare" if k % 5 == 0 else "often" for k in range(rows)]
    corpus = Corpus.from_columns(
        "made", [f"text {k}" for k in range(rows)], labels, CARD, [f"r{k}" for k in range(rows)]
    )
    ids = corpus.ids
    parts = {
        "train": tuple(ids[: rows - 20]),
        "select": tuple(ids[-20:-15]),
        "calibrate": tuple(ids[-15:-10]),
    }
    return corpus, Split(corpus.fingerprint, {**parts, "test": tuple(ids[-10:])})


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(120, 240),
    pools=st.integers(0, 6),
    draw=st.integers(0, 5),
    scheme=st.sampled_from(["natural", "per_class"]),
    sizes=st.lists(st.integers(1, 19), min_size=2, max_size=4),
)
def test_each_size_lies_inside_the_next(rows, pools, draw, scheme, sizes) -> None:
    corpus, split = cut(rows)
    draw = draw if not pools else draw % pools
    chain = [set(subset_ids(corpus, split, Subset(scheme, size, draw, pools))) for size in sorted(sizes)]
    for smaller, larger in pairwise(chain):
        assert smaller <= larger <= set(split.train)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(60, 200), pools=st.integers(2, 8))
def test_draws_share_no_row_up_to_a_pool_and_then_do(rows: int, pools: int) -> None:
    corpus, split = cut(rows)
    block = len(split.train) // pools
    draws = [subset_ids(corpus, split, Subset("natural", block, draw, pools)) for draw in range(pools)]
    together = [id_ for ids in draws for id_ in ids]
    assert len(together) == len(set(together)) == block * pools
    assert overlap_fraction(block, len(split.train), pools) == 0
    wider = [set(subset_ids(corpus, split, Subset("natural", 2 * block, d, pools))) for d in range(2)]
    assert len(wider[0]) == 2 * block and overlap_fraction(2 * block, len(split.train), pools) > 0


def test_per_class_takes_the_same_number_of_each_class() -> None:
    corpus, split = cut(120)
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    for draw in range(3):
        ids = subset_ids(corpus, split, Subset("per_class", 7, draw))
        assert Counter(label[id_] for id_ in ids) == {"often": 7, "rare": 7}


def test_natural_draws_have_the_prevalence_of_train_on_average() -> None:
    corpus, split = cut(220)
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    rare = [
        sum(label[id_] == "rare" for id_ in subset_ids(corpus, split, Subset("natural", 50, draw)))
        for draw in range(100)
    ]
    assert 9.2 <= sum(rare) / 100 <= 10.8, (
        "10 of 50; four standard errors are 1.0 before the finite correction"
    )
    assert len(set(rare)) > 3, "it is drawn, not stratified"


def test_more_rows_than_there_are_is_refused_by_class() -> None:
    corpus, split = cut(120)
    with pytest.raises(BadInput, match=r"101 training rows were asked of all, the train part has 100"):
        subset_ids(corpus, split, Subset("natural", 101, 0))
    with pytest.raises(BadInput, match=r"21 training rows were asked of class 'rare'.* has 20"):
        subset_ids(corpus, split, Subset("per_class", 21, 0))


@pytest.mark.parametrize(
    "bad", [("other", 5, 0, 0), ("natural", 0, 0, 0), ("natural", 5, -1, 0), ("natural", 5, 3, 3)]
)
def test_an_impossible_subset_is_refused(bad: tuple[str, int, int, int]) -> None:
    with pytest.raises(BadInput):
        Subset(*bad)


def test_a_cap_is_nested_and_keeps_order() -> None:
    ids = [f"r{k}" for k in range(50)]
    small, large = capped(ids, 10), capped(ids, 30)
    assert len(small) == 10 and set(small) < set(large)
    assert list(large) == [id_ for id_ in ids if id_ in set(large)]
    assert capped(ids, None) == capped(ids, 99) == tuple(ids)
    assert set(capped(ids[::-1], 10)) == set(small)
    _, split = cut(120)
    assert Counter(part for part, _ in scored_ids(split, ["r1"], 8)) == {
        "train": 1, "select": 2, "calibrate": 2, "test": 8,
    }  # fmt: skip


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_nested_subsets import cut, Subset, subset_ids, ids_sha256
from test_every_split import corpus_of, Stratified, Grouped, KFold
corpus, split = cut(120)
found = [ids_sha256(subset_ids(corpus, split, Subset(s, 15, d, p)))
         for s in ("natural", "per_class") for d in (0, 1) for p in (0, 4)]
made = corpus_of(260, 3)
found += [kind().split(made).fingerprint for kind in (Stratified, Grouped, KFold)]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_fresh_processes_agree_under_any_hash_seed() -> None:
    here = os.path.dirname(__file__)  # noqa: PTH120
    found = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, here], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1 and len(set(json.loads(found.pop()))) == 11


def test_the_digest_of_ids_does_not_know_their_order() -> None:
    assert ids_sha256(["b", "a"]) == ids_sha256(["a", "b"]) != ids_sha256(["a", "c"])
