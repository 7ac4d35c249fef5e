"""Flaws combine: whatever is planted together can be undone, and each truth still holds at the end."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted_rows import (
    GROUNDS,
    LEAVES,
    NAMES,
    REPLACING,
    eligible,
    flaw_of,
    has_digit,
    letters,
    plain,
    planted,
    rows_of,
    single,
    span,
    steps,
)

from crossover.data.bad_input import BadInput
from crossover.data.docstrings import Docstrings
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.planting import undo
from crossover.data.hub_dataset import HubDataset
from crossover.data.inbox import Inbox
from crossover.data.table_file import TableFile

ROWS = 200
STRENGTHS = st.sampled_from([0.0, 0.1, 0.4, 0.8, 1.0]) | st.floats(0, 1)


@st.composite
def several(draw):
    """Flaws of the yaml files in any order, each at some strength and of some seed."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(2, len(NAMES)))]
    return {
        name: flaw_of(name, strength=draw(STRENGTHS), seed=draw(st.integers(0, 3)))
        for name in names
    }  # fmt: skip


def still_true(corpus, bare, flaws):
    """Assert what the ids of each flaw promise of the rows as they are in the end."""
    middle, end = span(bare, flaws["spike"].days if "spike" in flaws else 14)
    now = rows_of(corpus)
    replaced: list[str] = []
    for name in corpus.truth.flaws:
        rows = [now[id_] for id_ in corpus.truth.ids(name)]
        texts, times = [str(row["text"]) for row in rows], [str(row["time"]) for row in rows]
        labels = [str(row["label"]) for row in rows]
        if name == "footer":
            assert all(flaws[name].line in text.split("\n") for text in texts)
        if name == "signature":
            assert all("\nMarit Oduya-Brandt\nEastbridge Office" in text for text in texts)
        if name == "spike":
            assert all("equinox" in text.split() for text in texts)
            assert all(middle <= time < end for time in times)
        if name == "dropped_digits":
            assert not any(has_digit(text) for text in texts)
            assert all(time >= middle for time in times)
        if name in ("label_shift", "growing_slice"):
            assert all(time >= middle for time in times)
        if name == "campaign_start":
            assert all(time >= "2024-07-01" for time in times)
        if name in REPLACING:
            replaced += corpus.truth.ids(name)
        noisy = set(corpus.truth.ids("label_noise"))
        kept = [label for row, label in zip(rows, labels, strict=True) if row["id"] not in noisy]
        if name == "merged_classes":
            assert set(kept) <= {"ad_spam"}
        if name == "split_class":
            assert set(kept) <= {"good_2"}
        if name == "meta_columns":
            assert sorted(corpus.truth.details(name).values()) == [
                "noise",
                "redundant",
                "redundant",
                "useful",
            ]
            assert set(corpus.truth.details(name)) <= set(corpus.meta)
        if name == "vitamin":
            assert corpus.meta["votes"] == "votes" and all(row["votes"] for row in rows)
    assert len(replaced) == len(set(replaced)), "no text is replaced twice"


@pytest.mark.parametrize("ground", GROUNDS)
@given(flaws=several())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_flaws_planted_together_are_undone_and_their_truth_holds(ground, flaws):
    corpus = planted(ground, flaws, ROWS)
    bare = planted(ground, {"footer": flaw_of("footer")}, ROWS)
    assert undo(corpus).table.equals(bare.table) and undo(corpus).meta == bare.meta
    assert set(corpus.truth.flaws) == {name for name, flaw in flaws.items() if flaw.strength > 0}
    for step in steps(corpus):
        assert LEAVES[step.flaw](step), "as planted alone, whatever was planted before"
    listed = {(line["id"], line["column"]) for line in corpus.truth.of_rows().to_pylist()}
    before = rows_of(bare)
    for id_, row in rows_of(corpus).items():
        for column in bare.table.column_names:
            assert (id_, column) in listed or row[column] == before[id_][column]
    still_true(corpus, bare, flaws)


@pytest.mark.parametrize("ground", GROUNDS)
def test_all_flaws_at_full_strength_combine(ground):
    flaws = {name: flaw_of(name, strength=1) for name in NAMES}
    corpus = planted(ground, flaws)
    assert undo(corpus).table.equals(plain(ground).table)
    still_true(corpus, plain(ground), flaws)
    assert "drug_spam" not in corpus.classes and "good" not in corpus.classes, "no noise brings them back"


@pytest.mark.parametrize("name", ["footer", "signature", "merged_classes", "split_class"])
def test_flaws_that_ask_for_a_class_alone_choose_the_same_rows_in_any_company(name):
    flaws = {other: flaw_of(other, strength=0.5) for other in NAMES}
    assert planted("inbox", flaws).truth.ids(name) == single("inbox", name, 0.5).truth.ids(name)


def test_flaws_of_one_kind_combine_under_names_of_their_own():
    flaws = {
        "first": flaw_of("footer", strength=0.5, line="one line"),
        "second": flaw_of("footer", strength=0.5, line="another line"),
        "once": flaw_of("label_noise", strength=0.5),
        "twice": flaw_of("label_noise", strength=0.5),
    }
    corpus = planted("inbox", flaws)
    assert undo(corpus).table.equals(plain("inbox").table)
    now = rows_of(corpus)
    for name in ("first", "second"):
        assert set(corpus.truth.ids(name)) <= eligible("inbox", "footer")
        assert all(flaws[name].line in str(now[id_]["text"]).split("\n") for id_ in corpus.truth.ids(name))
    assert set(corpus.truth.ids("first")) != set(corpus.truth.ids("second"))
    assert set(corpus.truth.ids("once")) & set(corpus.truth.ids("twice")), "a wrong label can go wrong again"
    assert all(step.before != step.after for step in steps(corpus) if step.column == "label")


def test_the_order_of_flaws_in_a_yaml_does_not_undo_any():
    """A word put into a text later would break the line that was appended before."""
    flaws = {name: flaw_of(name, strength=1) for name in ("footer", "signature")}
    flaws["spike"] = flaw_of("spike", strength=1, days=300)
    for names in (list(flaws), list(flaws)[::-1]):
        still_true(planted("inbox", {name: flaws[name] for name in names}), plain("inbox"), flaws)


def test_a_filter_upstream_sees_what_senders_wrote():
    """Digits of a line that was appended are dropped with the others, whatever the order in the yaml."""
    digits = flaw_of("dropped_digits", strength=1)
    footer = flaw_of("footer", strength=1, line="Room 101, call 5550")
    corpus = planted("inbox", {"digits": digits, "footer": footer})
    both = set(corpus.truth.ids("digits")) & set(corpus.truth.ids("footer"))
    texts = [corpus.texts[corpus.row_of[id_]] for id_ in both]
    assert texts and all(text.endswith("\nRoom , call ") for text in texts)
    assert undo(corpus).table.equals(plain("inbox").table)


def test_a_corpus_without_truth_cannot_be_undone():
    with pytest.raises(BadInput, match="letters carries no truth"):
        undo(letters())


def test_no_selection_of_rows_carries_the_truth():
    corpus = single("inbox", "footer", 0.5)
    assert corpus.select(corpus.ids[:20]).truth is None
    assert "truth" not in vars(corpus.rows(corpus.ids[:20]))


def sources(folder: Path, flaw: dict[str, Flaw] | None):
    """Every data source, small, with these flaws."""
    table = folder / "own.parquet"
    if not table.exists():
        pq.write_table(letters(120).table.select(["text", "label"]), table)
    yield Inbox(rows=120, flaw=flaw)
    yield TableFile(str(table), flaw=flaw)
    yield HubDataset("a/b", "hub", path=str(table), flaw=flaw)
    yield Docstrings(["networkx", "sympy"], per_library=40, flaw=flaw)


def test_every_source_can_be_planted(tmp_path):
    noise, none = ({"noise": flaw_of("label_noise", strength=s)} for s in (0.3, 0.0))
    for wrong, zero, bare in zip(*(sources(tmp_path, flaw) for flaw in (noise, none, None)), strict=True):
        corpus, plain_corpus = wrong.load(), zero.load()
        assert undo(corpus).table.equals(plain_corpus.table)
        assert 0 < len(corpus.truth.ids("noise")) < 0.6 * len(corpus)
        assert bare.load().truth is None and sorted(bare.load().texts) == sorted(plain_corpus.texts)
        assert corpus.name == plain_corpus.name and corpus.card.source == plain_corpus.card.source
