"""A sealed part: cut once whatever else changes, read by nobody, opened into the same training rows."""

import json

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.look.duplicates import normalise
from crossover.split.audit import audit
from crossover.split.grouped import Grouped
from crossover.split.k_fold import KFold
from crossover.split.predefined import Predefined
from crossover.split.sealed import opened
from crossover.split.split import Split
from crossover.split.stored import Stored
from crossover.split.stratified import Stratified
from crossover.split.temporal import Temporal

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
SPELT = str.maketrans("0123456789", "abcdefghij")


def corpus_of(rows: int = 400) -> Corpus:
    """Every fourth text twice; a day for each row, and a part that a column names."""
    rng = np.random.default_rng(5)
    texts = [f"row {f'{k - k % 4 // 3:04d}'.translate(SPELT)} of these" for k in range(rows)]
    labels = [f"c{k}" for k in rng.integers(0, 3, rows)]
    days = [f"2020-{1 + k // 34:02d}-{1 + k % 28:02d}T00:00:00+00:00" for k in range(rows)]
    parts = [str(part) for part in rng.choice(["train", "test", "sealed"], rows, p=[0.6, 0.2, 0.2])]
    meta = {"date": ("time", days), "part": ("category", parts)}
    return Corpus.from_columns("made", texts, labels, CARD, [f"r{k:03d}" for k in range(rows)], meta)


CORPUS = corpus_of()


def test_the_sealed_rows_stay_the_same_whatever_seed_fold_or_share_is_asked() -> None:
    sealed = {
        Stratified(sealed=0.1, seed=seed, test=test).split(CORPUS).sealed
        for seed in (0, 1, 2)
        for test in (0.1, 0.3)
    }
    sealed |= {KFold(k=3, fold=fold, seed=4, by=[], sealed=0.1).split(CORPUS).sealed for fold in range(3)}
    assert len(sealed) == 1
    assert 38 <= len(next(iter(sealed))) <= 42
    assert len({Grouped(by=[], seed=seed, sealed=0.1).split(CORPUS).sealed for seed in (0, 1)}) == 1


def test_the_folds_cover_what_is_open_and_nothing_that_is_sealed() -> None:
    folds = [KFold(k=4, fold=fold, by=[], sealed=0.2).split(CORPUS) for fold in range(4)]
    tested = [id_ for fold in folds for id_ in fold.test]
    assert sorted([*tested, *folds[0].sealed]) == sorted(CORPUS.ids)


def test_shares_are_of_all_labelled_rows_and_the_sealed_part_has_every_class() -> None:
    split = Stratified(test=0.2, validation=0.1, sealed=0.25).split(CORPUS)
    sizes = {part: len(ids) for part, ids in split.parts.items()} | {"sealed": len(split.sealed)}
    asked = {"train": 180, "select": 20, "calibrate": 20, "test": 80, "sealed": 100}
    assert all(abs(sizes[part] - asked[part]) <= 3 for part in asked), sizes
    labels = [CORPUS.labels[CORPUS.row_of[id_]] for id_ in split.sealed]
    assert set(labels) == set(CORPUS.classes)


def test_by_time_the_latest_rows_are_sealed_and_by_column_those_it_names() -> None:
    split = Temporal(sealed=0.1, tolerance=0.5).split(CORPUS)
    dates = dict(zip(CORPUS.ids, CORPUS.meta_values("date"), strict=True))
    assert min(str(dates[id_]) for id_ in split.sealed) > max(str(dates[id_]) for id_ in split.test)
    named = Predefined(column="part", group_duplicates="none").split(CORPUS)
    parts = dict(zip(CORPUS.ids, CORPUS.meta_values("part"), strict=True))
    assert set(named.sealed) == {id_ for id_ in CORPUS.ids if parts[id_] == "sealed"}


def test_opening_leaves_training_as_it_was_and_rests_the_old_test_part() -> None:
    split = Stratified(sealed=0.2).split(CORPUS)
    new = opened(split, "five looks are spent")
    assert new.test == split.sealed and not new.sealed
    assert all(new.parts[part] == split.parts[part] for part in ("train", "select", "calibrate"))
    assert not set(split.test) & {id_ for ids in new.parts.values() for id_ in ids}
    assert new.recipe["opened_from"] == split.fingerprint and new.recipe["because"] == "five looks are spent"
    assert new.recipe["reserve"]["test part before"] == len(split.test)
    assert new.test_fingerprint != split.test_fingerprint, "its looks are counted from none"
    clusters = [new.groups[id_] for id_ in new.test if id_ in new.groups]
    assert clusters, "copies among the sealed rows are one piece of evidence still"


def test_what_is_not_sealed_cannot_be_opened_and_a_reason_is_asked_for() -> None:
    with pytest.raises(BadInput, match=r"split\.sealed=0\.1"):
        opened(Stratified().split(CORPUS), "why not")
    with pytest.raises(BadInput, match="because="):
        opened(Stratified(sealed=0.1).split(CORPUS), " ")


@pytest.mark.parametrize("share", [-0.1, 0.7, 1.0])
def test_a_share_that_leaves_nothing_to_train_on_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match="sealed"):
        Stratified(test=0.2, validation=0.1, sealed=share).split(CORPUS)


def test_the_audit_finds_a_sealed_row_whose_copy_is_in_train() -> None:
    clean = Stratified(sealed=0.2).split(CORPUS)
    found = {finding.code: finding for finding in audit(CORPUS, clean, kinds=("normalised",))}
    assert found["leak-normalised"].severity == "info"
    assert f"({len(clean.sealed)} of them sealed)" in found["split-sizes"].title
    copy = {normalise(text): id_ for id_, text in zip(CORPUS.ids, CORPUS.texts, strict=True)}
    twin = next(
        (a, b)
        for a, text in zip(CORPUS.ids, CORPUS.texts, strict=True)
        if a in clean.train and (b := copy[normalise(text)]) != a
    )
    train = tuple(id_ for id_ in clean.train if id_ != twin[1])
    leaky = Split(CORPUS.fingerprint, {**clean.parts, "train": train}, {}, {}, (*clean.sealed, twin[1]))
    leak = {finding.code: finding for finding in audit(CORPUS, leaky, kinds=("normalised",))}
    assert leak["leak-normalised"].severity == "warning"
    assert leak["leak-normalised"].evidence["sealed_rows"] == 1
    assert "sealed rows too" in leak["leak-normalised"].title


def test_a_row_cannot_be_sealed_and_read() -> None:
    parts = {"train": ("a",), "select": (), "calibrate": (), "test": ("b",)}
    with pytest.raises(BadInput, match="two parts"):
        Split("0" * 16, parts, {}, {}, ("b",))


def test_a_stored_split_is_the_same_split_and_a_false_path_is_named(tmp_path) -> None:
    split = Stratified(sealed=0.2).split(CORPUS)
    (tmp_path / "split.json").write_text(json.dumps(split.to_json()), encoding="utf-8")
    for path in (tmp_path, tmp_path / "split.json"):
        again = Stored(str(path)).split(CORPUS)
        assert again.fingerprint == split.fingerprint and again.sealed == split.sealed
    with pytest.raises(BadInput, match="cannot be read"):
        Stored(str(tmp_path / "none")).split(CORPUS)
    (tmp_path / "split.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(BadInput, match=r"no split\.json"):
        Stored(str(tmp_path)).split(CORPUS)
    (tmp_path / "split.json").write_text(json.dumps(split.to_json()), encoding="utf-8")
    with pytest.raises(BadInput, match="changed; split again"):
        Stored(str(tmp_path)).split(corpus_of(200))
