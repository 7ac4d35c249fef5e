"""What every way to split promises, on corpora that hypothesis makes up."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.look.duplicates import normalise
from crossover.record.store import Store
from crossover.split.grouped import Grouped
from crossover.split.k_fold import KFold
from crossover.split.predefined import Predefined
from crossover.split.split import Split, Splitter
from crossover.split.stratified import Stratified
from crossover.split.temporal import Temporal

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
WORDS = [
    "river",
    "stone",
    "paper",
    "cloud",
    "engine",
    "market",
    "window",
    "garden",
    "letter",
    "summer",
    "bridge",
    "winter",
    "copper",
    "velvet",
]


def corpus_of(rows: int, seed: int, classes: int = 3, copies: float = 0.2, authors: int = 40) -> Corpus:
    """Random sentences; some rows repeat an earlier text in other case and digits."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    for row in range(rows):
        if texts and rng.random() < copies:
            texts.append(texts[int(rng.integers(len(texts)))].upper())
        else:
            texts.append(" ".join(rng.choice(WORDS, 8)) + f" {row % 10}")
    labels: list[str | None] = [f"c{k}" for k in rng.integers(0, classes, rows)]
    labels[::17] = [None] * len(labels[::17])
    parts = ["test" if draw < 0.25 else "train" for draw in rng.random(rows)]
    days = [f"2020-{1 + k % 12:02d}-{1 + k % 28:02d}T00:00:00+00:00" for k in rng.integers(0, 3000, rows)]
    meta = {
        "author": ("group", [f"a{k}" for k in rng.integers(0, authors, rows)]),
        "part": ("category", parts),
        "date": ("time", days),
    }
    return Corpus.from_columns("made", texts, labels, CARD, [f"r{k}" for k in range(rows)], meta)


SPLITTERS: dict[str, Splitter] = {
    "stratified": Stratified(),
    "grouped by duplicates": Grouped(by=[]),
    "grouped": Grouped(by=["author"], group_duplicates="normalised", straddling="reserve", tolerance=0.5),
    "temporal": Temporal(time="date", gap=2, tolerance=0.5),
    "predefined": Predefined(column="part", across="reserve"),
    "k_fold": KFold(k=4, fold=2, by=[]),
    "grouped k_fold": KFold(k=4, fold=1, by=["author"], straddling="reserve", tolerance=0.5),
    "stratified, sealed": Stratified(sealed=0.15),
    "grouped, sealed": Grouped(
        by=["author"], group_duplicates="normalised", straddling="reserve", tolerance=0.5, sealed=0.15
    ),
    "temporal, sealed": Temporal(time="date", gap=2, tolerance=0.5, sealed=0.15),
    "k_fold, sealed": KFold(k=4, fold=2, by=[], sealed=0.15),
}


@pytest.mark.parametrize("name", SPLITTERS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.integers(200, 300), seed=st.integers(0, 10_000))
def test_parts_are_whole_disjoint_and_honest(name: str, rows: int, seed: int) -> None:
    corpus = corpus_of(rows, seed)
    try:
        split = SPLITTERS[name].split(corpus)
    except BadInput as refused:  # groups too lumpy for the sizes: refused by name, never silently
        assert "grouped" in name and "tolerance" in str(refused)
        return
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    placed = [id_ for ids in split.parts.values() for id_ in ids]
    assert len(placed) == len(set(placed))
    assert all(label[id_] is not None for id_ in placed), "rows without a label go to no part"
    reserve = split.recipe["reserve"]
    assert isinstance(reserve, dict)
    assert len(placed) + sum(reserve.values()) == len(corpus), "each row is placed or accounted for"
    if name.removesuffix(", sealed") in ("stratified", "grouped by duplicates", "k_fold"):
        assert set(reserve) <= {"unlabelled", "sealed"}
    assert reserve.get("sealed", 0) == len(split.sealed) and bool(split.sealed) == ("sealed" in name)
    part_of = {id_: part for part, ids in split.parts.items() for id_ in ids}
    part_of |= dict.fromkeys(split.sealed, "sealed")
    for together in (lambda row: normalise(corpus.texts[row]), author_of(corpus, name)):
        where: dict[object, set[str]] = {}
        for id_, part in part_of.items():
            where.setdefault(together(corpus.row_of[id_]), set()).add(part)
        assert all(len(parts) == 1 for parts in where.values())
    reach: dict[str, set[str]] = {}
    for id_, group in split.groups.items():
        reach.setdefault(group, set()).add(part_of[id_])
    assert all(len(parts) == 1 for parts in reach.values())
    assert set(Counter(split.groups.values()).values()).isdisjoint({1}), "a cluster has two rows or more"
    obtained = {part: len(ids) for part, ids in split.parts.items()}
    assert split.recipe["obtained"] == obtained | ({"sealed": len(split.sealed)} if split.sealed else {})
    json.dumps(split.to_json(), allow_nan=False)


def author_of(corpus: Corpus, name: str):
    """The author where the split groups by it, else the row itself."""
    authors = corpus.meta_values("author")
    grouped = name in ("grouped", "grouped k_fold", "grouped, sealed")
    return lambda row: authors[row] if grouped else row


@pytest.mark.parametrize("name", SPLITTERS)
def test_same_seed_same_split_whatever_the_row_order(name: str) -> None:
    corpus = corpus_of(260, 3)
    order = np.random.default_rng(0).permutation(len(corpus))
    shuffled = corpus.select([corpus.ids[k] for k in order])
    split = SPLITTERS[name].split(corpus)
    assert SPLITTERS[name].split(shuffled).to_json() == split.to_json()


@pytest.mark.parametrize("kind", [Stratified, Grouped, KFold])
def test_another_seed_is_another_split_of_the_same_sizes(kind: type) -> None:
    corpus = corpus_of(260, 3, copies=0.0)
    by = {} if kind is Stratified else {"by": []}
    one, other = kind(seed=0, **by).split(corpus), kind(seed=1, **by).split(corpus)
    assert one.fingerprint != other.fingerprint
    assert one.recipe["obtained"] == other.recipe["obtained"]


GOLDEN = {
    "stratified": "3d5d27b188c4fcc3",
    "grouped by duplicates": "22b8a14830460dd0",
    "grouped": "8684467d3b963607",
    "temporal": "795c19fa26b3b0a4",
    "predefined": "4762d69c072736aa",
    "k_fold": "b7fca69c20dbd9d4",
    "grouped k_fold": "2a70bdec73273948",
}
"""Fingerprints of the splits of one corpus before rows could be sealed."""


@pytest.mark.parametrize("name", GOLDEN)
def test_a_split_without_a_sealed_part_keeps_its_name_and_says_nothing_of_one(name: str) -> None:
    split = SPLITTERS[name].split(corpus_of(260, 3))
    assert split.fingerprint == GOLDEN[name]
    assert "sealed" not in json.dumps(split.to_json())


@pytest.mark.parametrize("name", SPLITTERS)
def test_a_split_survives_the_store_and_tampering_is_refused(name: str, tmp_path) -> None:
    corpus = corpus_of(260, 3)
    store = Store(tmp_path)
    split = SPLITTERS[name].split(corpus)
    fingerprint = store.save_split(split)
    again = store.split(fingerprint)
    again.verify(corpus)
    assert again.to_json() == split.to_json()
    file = tmp_path / "splits" / fingerprint / "split.json"
    plain = json.loads(file.read_text(encoding="utf-8"))
    plain["parts"]["train"].append(plain["parts"]["test"].pop())
    file.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(BadInput, match="edited or damaged"):
        store.split(fingerprint)


@pytest.mark.parametrize("change", ["part", "group", "corpus", "sealed"])
def test_every_bit_of_a_split_is_in_its_fingerprint(change: str) -> None:
    corpus = corpus_of(260, 3)
    plain = Stratified(sealed=0.1 if change == "sealed" else 0.0).split(corpus).to_json()
    if change == "part":
        plain["parts"]["select"], plain["parts"]["calibrate"] = (
            plain["parts"]["calibrate"],
            plain["parts"]["select"],
        )
    elif change == "group":
        plain["groups"].pop(next(iter(plain["groups"])))
    elif change == "sealed":
        plain["sealed"].pop()
    else:
        plain["corpus"] = "0" * 16
    with pytest.raises(BadInput, match="edited or damaged"):
        Split.from_json(plain, "split.json")


def test_a_split_of_another_corpus_is_refused() -> None:
    split = Stratified().split(corpus_of(260, 3))
    with pytest.raises(BadInput, match="changed; split again"):
        split.verify(corpus_of(260, 4))


def test_a_row_in_two_parts_is_refused() -> None:
    parts = {"train": ("a", "b"), "select": (), "calibrate": (), "test": ("b",)}
    with pytest.raises(BadInput, match="two parts"):
        Split("0" * 16, parts)


def test_one_class_is_refused() -> None:
    corpus = Corpus.from_columns("one", ["a b", "c d", "e f"], ["x", "x", None], CARD)
    with pytest.raises(BadInput, match="at least two classes"):
        Stratified().split(corpus)


@pytest.mark.parametrize("values", [[0.1, 0.5], [0.1, None]], ids=["unequal", "of some rows only"])
def test_test_rows_drawn_with_unequal_probabilities_are_refused_with_the_way_out(values) -> None:
    made = corpus_of(260, 3)
    held = {"pi": ("inclusion", [values[k % 2] for k in range(260)])}
    corpus = Corpus.from_columns("made", made.texts, made.labels, CARD, made.ids, held)
    with pytest.raises(BadInput, match=r"the test part, column 'pi'.*hajek, horvitz_thompson or bootstrap"):
        Stratified().split(corpus).verify(corpus)
    even = {"pi": ("inclusion", [0.25] * 260)}
    uniform = Corpus.from_columns("made", made.texts, made.labels, CARD, made.ids, even)
    Stratified().split(uniform).verify(uniform)
