"""The audit counts what leaks, alarms on what matters, and stays quiet on a clean random split."""

from dataclasses import replace

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.look.finding import Finding
from crossover.split.audit import audit
from crossover.split.grouped import Grouped
from crossover.split.predefined import Predefined
from crossover.split.split import Split
from crossover.split.stratified import Stratified

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def cut(corpus: Corpus, **parts: list[int]) -> Split:
    ids = {
        part: tuple(corpus.ids[k] for k in parts.get(part, []))
        for part in ("train", "select", "calibrate", "test")
    }
    return Split(corpus.fingerprint, ids)


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    found = {finding.code: finding for finding in findings}
    assert len(found) == len(findings)
    return found


TEXTS = [
    "call the number 0800 now to claim", "see you at the station tonight", "lunch is ready when you are",
    "the meeting moved to friday", "call the number 0800 now to claim", "SEE YOU at the station  tonight",
    "lunch is ready when you come", "nothing like any other row at all",
]  # fmt: skip


def test_leaks_are_counted_by_kind_on_a_hand_made_split() -> None:
    corpus = Corpus.from_columns("mini", TEXTS, ["a", "b"] * 4, CARD)
    found = by_code(audit(corpus, cut(corpus, train=[0, 1, 2, 3], test=[4, 5, 6, 7])))
    assert found["leak-exact"].evidence["test_rows"] == 1
    assert found["leak-normalised"].evidence["test_rows"] == 2
    assert found["leak-near"].evidence["test_rows"] == 3
    assert found["leak-near"].evidence["test_share"] == 0.75
    assert found["leak-exact"].severity == found["leak-normalised"].severity == "error"


def test_leaks_into_validation_count_too() -> None:
    corpus = Corpus.from_columns("mini", TEXTS, ["a", "b"] * 4, CARD)
    found = by_code(
        audit(
            corpus,
            cut(corpus, train=[0, 1, 2, 3], select=[4], calibrate=[5], test=[6, 7]),
            kinds=["normalised"],
        )
    )
    assert found["leak-normalised"].evidence["validation_rows"] == 2
    assert found["leak-normalised"].severity == "warning"


def test_groups_and_times_on_both_sides_are_counted() -> None:
    meta = {
        "author": ("group", ["x", "y", None, "z", "x", "w", None, "z"]),
        "date": ("time", [f"2020-01-0{k}T00:00:00+00:00" for k in (1, 2, 3, 6, 5, 6, 7, 8)]),
    }
    corpus = Corpus.from_columns("mini", TEXTS, ["a", "b"] * 4, CARD, meta=meta)
    split = cut(corpus, train=[0, 1, 2, 3], test=[4, 5, 6, 7])
    found = by_code(audit(corpus, split, kinds=[]))
    assert found["group-author"].evidence["test_rows"] == 2, "x and z; a missing author is nobody's"
    assert found["group-author"].evidence["groups_on_both_sides"] == 2
    assert found["time-date"].evidence["test_rows_not_later"] == 2, "the 5th, and the 6th itself"
    assert found["time-date"].severity == "info", "whether that matters is for the goal to say"
    by_time = replace(split, recipe={**split.recipe, "method": "temporal"})
    assert by_code(audit(corpus, by_time, kinds=[]))["time-date"].severity == "error"


def test_classes_missing_from_a_part_are_named() -> None:
    corpus = Corpus.from_columns("mini", TEXTS, ["a", "b", "a", "b", "a", "c", "a", "b"], CARD)
    found = by_code(audit(corpus, cut(corpus, train=[0, 1, 2, 3], select=[4], test=[5, 6, 7]), kinds=[]))
    assert found["class-missing-train"].severity == "error"
    assert found["class-missing-train"].evidence["classes"] == ["c"]
    assert found["class-missing-select"].evidence["classes"] == ["b", "c"]
    assert "class-missing-test" not in found and "class-missing-calibrate" not in found


def test_sizes_far_from_those_asked_are_said() -> None:
    corpus = Corpus.from_columns("many", [f"{k:b} text" for k in range(200)], ["a", "b"] * 100, CARD)
    parts = cut(corpus, train=list(range(100)), test=list(range(100, 200))).parts
    split = Split(corpus.fingerprint, parts, recipe={"asked": {"train": 0.8, "test": 0.2}, "reserve": {}})
    sizes = by_code(audit(corpus, split, kinds=[]))["split-sizes"]
    assert sizes.severity == "warning" and sizes.evidence["off_by_share"] == {
        "train": pytest.approx(-0.3),
        "test": pytest.approx(0.3),
    }


def test_a_cluster_that_the_split_itself_cut_is_an_error() -> None:
    corpus = Corpus.from_columns("mini", TEXTS, ["a", "b"] * 4, CARD)
    whole = cut(corpus, train=[0, 1, 2, 3], test=[4, 5, 6, 7])
    split = Split(corpus.fingerprint, whole.parts, {corpus.ids[0]: "k", corpus.ids[4]: "k"})
    assert by_code(audit(corpus, split, kinds=[]))["cluster-cut"].severity == "error"


SLICED = {"kind": ("category", [f"k{k % 7 % 4}" for k in range(400)])}


def sliced() -> Corpus:
    """400 rows of three classes and four slices, texts of many lengths."""
    labels = ["a"] * 280 + ["b"] * 90 + ["c"] * 30
    return Corpus.from_columns("null", ["x" * (k * 37 % 101) + f"{k}" for k in range(400)], labels, CARD,
                               meta=SLICED)  # fmt: skip


def alarms(corpus: Corpus, split: Split) -> set[str]:
    return {f.code for f in audit(corpus, split, kinds=[]) if f.p_value is not None and f.severity != "info"}


def test_a_plain_random_split_alarms_on_any_balance_in_one_of_twenty_and_a_shifted_one_does() -> None:
    rng, corpus, repeats = np.random.default_rng(0), sliced(), 300
    orders = [rng.permutation(400).tolist() for _ in range(repeats)]
    hits = sum(bool(alarms(corpus, cut(corpus, train=o[:300], test=o[300:]))) for o in orders)
    assert hits / repeats <= 0.08, "the level of the page is 5%; 8% is 2.4 standard errors above"
    shifted = cut(corpus, train=list(range(80, 380)), test=[*range(80), *range(380, 400)])
    assert "class-balance" in alarms(corpus, shifted)
    by_slice = sorted(range(400), key=lambda k: (k % 7 % 4 != 0, k * 7 % 400))
    assert alarms(corpus, cut(corpus, train=by_slice[100:], test=by_slice[:100])) >= {"slice-balance-kind"}
    by_length = sorted(range(400), key=lambda k: len(corpus.texts[k]))
    assert alarms(corpus, cut(corpus, train=by_length[100:], test=by_length[:100])) == {"length-balance"}


def test_clusters_dealt_whole_at_random_do_not_alarm_either() -> None:
    """Rows of a cluster are alike in class, slice and length: as evidence they are one."""
    rng, repeats, hits = np.random.default_rng(1), 200, 0
    of = np.repeat(np.arange(80), rng.integers(1, 10, 80))
    kinds, labels = rng.integers(3, size=80)[of], rng.integers(2, size=80)[of]
    length = rng.integers(5, 200, 80)[of]
    corpus = Corpus.from_columns(
        "clusters", [f"{k} " + "x" * int(n) for k, n in enumerate(length)], [f"l{k}" for k in labels], CARD,
        meta={"kind": ("category", [f"k{k}" for k in kinds])},
    )  # fmt: skip
    groups = {id_: f"c{of[row]}" for row, id_ in enumerate(corpus.ids)}
    for _ in range(repeats):
        tested = rng.permutation(80)[:20]
        rows = np.isin(of, tested)
        parts = cut(corpus, train=np.flatnonzero(~rows).tolist(), test=np.flatnonzero(rows).tolist()).parts
        hits += bool(alarms(corpus, Split(corpus.fingerprint, parts, groups)))
    assert hits / repeats <= 0.09, "the level of the page is 5%; 9% is 2.6 standard errors above"


def test_the_column_that_names_the_parts_is_no_slice_of_them() -> None:
    draw = np.random.default_rng(5)
    part = draw.permutation(["train"] * 280 + ["test"] * 120).tolist()
    meta = {"part": ("category", part), "place": ("category", draw.choice(["north", "south"], 400).tolist())}
    corpus = Corpus.from_columns(
        "parted", [f"row {k}" for k in range(400)], draw.choice(["a", "b"], 400).tolist(), CARD, None, meta
    )
    found = by_code(audit(corpus, Predefined("part", validation_share=0.0).split(corpus), kinds=[]))
    assert "slice-balance-part" not in found
    assert "slice-balance-place" in found


def test_what_an_encoder_saw_is_told() -> None:
    card = Card("made", "seeded", "none", "2019", "nobody", seen_in_pretraining="forum posts of 2019")
    corpus = Corpus.from_columns("mini", TEXTS, ["a", "b"] * 4, card)
    found = by_code(audit(corpus, cut(corpus, train=[0, 1, 2, 3], test=[4, 5, 6, 7]), kinds=[]))
    assert found["seen-in-pretraining"].severity == "warning"
    assert "forum posts of 2019" in found["seen-in-pretraining"].title


def test_another_corpus_is_refused() -> None:
    corpus = Corpus.from_columns("mini", TEXTS, ["a", "b"] * 4, CARD)
    other = Corpus.from_columns("mini", TEXTS, ["b", "a"] * 4, CARD)
    with pytest.raises(BadInput, match="split again"):
        audit(other, cut(corpus, train=[0, 1, 2, 3], test=[4, 5, 6, 7]))


def test_grouping_by_near_duplicates_ends_the_leak_that_a_random_split_has(data_folder) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(data_folder / "sms_spam.parquet")
    corpus = Corpus.from_columns("sms", table["text"].to_pylist(), table["label"].to_pylist(), CARD)
    random = by_code(audit(corpus, Stratified(group_duplicates="none").split(corpus)))
    apart = by_code(audit(corpus, Grouped().split(corpus)))
    assert random["leak-normalised"].evidence["test_share"] > 0.08
    assert [apart[f"leak-{kind}"].evidence["test_rows"] for kind in ("exact", "normalised", "near")] == [
        0,
        0,
        0,
    ]
    assert apart["split-sizes"].severity == apart["class-balance"].severity == "info"
