"""Every conf/flaw/*.yaml: nested in strength, its truth exact, only the rows it may touch are touched."""

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from planted_rows import (
    ELIGIBLE,
    GROUNDS,
    LEAVES,
    NAMES,
    eligible,
    flaw_of,
    letters,
    plain,
    planted,
    rows_of,
    single,
    steps,
)
from scipy.stats import binomtest, mannwhitneyu

from crossover.data.bad_input import BadInput
from crossover.data.corpus import content_ids
from crossover.data.flaw import planting
from crossover.data.flaw.planting import undo
from crossover.data.inbox import Inbox
from crossover.data.truth import SCHEMA

CHANCE = 1e-5
"""Statistical tests here fail by chance this often, for each of some 200 of them."""

KEEP_SOME_TEXTS = ("campaign", "campaign_start")
"""Planting them lists, in a corpus that is not generated, the templates too: rows that keep their text."""

ADDS_COLUMNS = ("meta_columns",)
PLANTS_ROWS = [name for name in NAMES if name not in ADDS_COLUMNS]

every_flaw = pytest.mark.parametrize("name", NAMES)
every_row_flaw = pytest.mark.parametrize("name", PLANTS_ROWS)
every_ground = pytest.mark.parametrize("ground", GROUNDS)


def listed(corpus):
    """The cells of the truth, with the value each has in the corpus."""
    rows = rows_of(corpus)
    lines = corpus.truth.of_rows().to_pylist()
    return {(line["id"], line["column"]): rows[line["id"]][line["column"]] for line in lines}


def test_what_each_may_touch_and_leaves_behind_is_said():
    assert set(ELIGIBLE) == set(LEAVES) == set(NAMES)


@every_flaw
def test_strength_zero_is_the_plain_inbox(name):
    zero = single("inbox", name, 0.0)
    assert zero.fingerprint == plain("inbox").fingerprint and zero.ids == plain("inbox").ids
    assert zero.truth is not None and zero.truth.table.num_rows == 0 and not zero.truth.flaws
    assert zero.card == plain("inbox").card


@every_flaw
def test_strength_zero_is_another_corpus_under_neutral_ids(name):
    zero, before = single("letters", name, 0.0), letters()
    assert zero.truth is not None and zero.truth.table.num_rows == 0 and not zero.truth.flaws
    assert zero.meta == before.meta and zero.card == before.card and zero.name == before.name

    def content(corpus):
        return sorted(repr(row) for row in corpus.table.drop_columns("id").to_pylist())

    assert content(zero) == content(before)


@every_ground
@every_flaw
@pytest.mark.parametrize("strength", [0.3, 1])
def test_undoing_by_the_truth_gives_the_plain_corpus(name, strength, ground):
    corpus = single(ground, name, strength)
    assert undo(corpus).table.equals(plain(ground).table)
    assert undo(corpus).meta == plain(ground).meta
    assert corpus.truth is not None and list(corpus.truth.flaws) == [name]
    assert corpus.truth.flaws[name]["strength"] == strength
    assert name in corpus.card.notes[-1] and corpus.card.notes[:-1] == plain(ground).card.notes


@every_ground
@every_row_flaw
@pytest.mark.parametrize("strength", [0.3, 1])
def test_the_cells_listed_are_the_cells_that_differ(name, strength, ground):
    corpus, before = single(ground, name, strength), rows_of(plain(ground))
    after, cells = rows_of(corpus), listed(corpus)
    assert len(cells) == corpus.truth.of_rows().num_rows > 0, "a flaw writes a cell once"
    differ = {
        (id_, column)
        for id_, row in after.items()
        for column in plain(ground).table.column_names
        if row[column] != before[id_][column]
    }
    assert differ <= set(cells)
    if not (ground == "letters" and name in KEEP_SOME_TEXTS):
        # A ballot tossed may fall as the annotators had voted, a column added differs from nothing.
        assert {column for _, column in set(cells) - differ} <= {"votes"}
    for step in steps(corpus):
        assert LEAVES[name](step)
        assert step.column == "votes" or before[step.id][step.column] == step.before


@every_ground
@every_row_flaw
def test_the_share_planted_is_the_strength_and_only_eligible_rows_are_touched(name, ground):
    may = eligible(ground, name)
    assert len(may) > 5
    for strength in (0.2, 0.5):
        ids = single(ground, name, strength).truth.ids(name)
        assert len(ids) == len(set(ids)) and set(ids) <= may
        assert binomtest(len(ids), len(may), strength).pvalue > CHANCE
    assert set(single(ground, name, 1.0).truth.ids(name)) == may


@every_ground
@every_row_flaw
def test_what_is_planted_at_a_strength_is_planted_at_every_greater_one(name, ground):
    cells = [listed(single(ground, name, strength)) for strength in (0.2, 0.5, 1)]
    for fewer, more in itertools.pairwise(cells):
        assert fewer.items() <= more.items()
    details = [single(ground, name, strength).truth.details(name) for strength in (0.2, 1)]
    assert details[0].items() <= details[1].items()


@every_ground
@every_row_flaw
def test_another_seed_chooses_other_rows(name, ground):
    first, second = (set(single(ground, name, 0.5, seed).truth.ids(name)) for seed in (0, 1))
    both, may = len(first & second), len(eligible(ground, name))
    assert first != second
    assert binomtest(both, may, 0.25).pvalue > CHANCE, "seeds choose independently of each other"


@every_row_flaw
def test_a_flaw_of_another_name_chooses_other_rows(name):
    other = planted("inbox", {"other": flaw_of(name, strength=0.5)})
    assert set(other.truth.ids("other")) != set(single("inbox", name, 0.5).truth.ids(name))


@every_flaw
def test_ids_and_order_of_an_inbox_are_those_of_the_plain_one(name):
    assert single("inbox", name, 0.5).ids == plain("inbox").ids


@every_flaw
@pytest.mark.parametrize("named", [True, False], ids=["own ids", "hashes of the text"])
def test_ids_of_another_corpus_say_nothing_and_its_order_is_theirs(name, named):
    before = letters(200, named)
    zero, half = (planting.planted(before, {name: flaw_of(name, strength=s)}) for s in (0.0, 0.5))
    assert zero.ids == half.ids == sorted(half.ids)
    assert all(len(id_) == 16 and set(id_) <= set("0123456789abcdef") for id_ in half.ids)
    assert not set(half.ids) & {*before.ids, *content_ids(before.texts), *content_ids(half.texts)}
    place = {text: row for row, text in enumerate(before.texts)}
    order = [place[text] for text in zero.texts]
    assert sum(a < b for a, b in itertools.pairwise(order)) < 0.65 * len(order), "shuffled"


def test_an_id_cannot_be_made_of_a_row_alone():
    """Whoever hashes the text of a planted row as it was made could else tell that it was changed."""
    whole, part = letters(200, named=False), letters(199, named=False)
    ids = [planting.planted(corpus, {"footer": flaw_of("footer")}).ids for corpus in (whole, part)]
    assert not set(ids[0]) & set(ids[1])


@every_ground
@every_row_flaw
def test_planted_rows_are_anywhere_in_the_order(name, ground):
    corpus, may = single(ground, name, 0.5), eligible(ground, name)
    ids = set(corpus.truth.ids(name))
    for key in (corpus.row_of.__getitem__, lambda id_: int(id_, 16) / 2**64):
        inside, outside = [key(id_) for id_ in ids], [key(id_) for id_ in may - ids]
        assert mannwhitneyu(inside, outside).pvalue > CHANCE


@every_flaw
def test_the_order_of_the_corpus_changes_nothing(name):
    before = letters(200)
    turned = before.select(before.ids[::-1])
    flaws = {name: flaw_of(name, strength=0.5)}
    one, other = planting.planted(before, flaws), planting.planted(turned, flaws)
    assert one.table.equals(other.table)
    assert one.truth.table.equals(other.truth.table)


@every_flaw
def test_a_larger_inbox_is_planted_alike(name):
    flaws = {name: flaw_of(name, strength=0.5)}
    small, large = planted("inbox", flaws, 150), single("inbox", name, 0.5)
    assert small.table.equals(large.table.slice(0, 150))
    lines = [set(map(str, corpus.truth.table.to_pylist())) for corpus in (small, large)]
    assert lines[0] <= lines[1]


@every_flaw
def test_pieces_of_any_size_make_one_inbox(name):
    flaws = {name: flaw_of(name, strength=0.5), "more": flaw_of("vitamin", strength=0.3)}
    source = Inbox(rows=250, flaw=flaws)
    pieces, whole = list(source.batches(100)), source.load()
    assert [len(piece) for piece in pieces] == [100, 100, 50]
    assert pa.concat_tables([piece.table for piece in pieces]).equals(whole.table)
    assert {piece.meta.get("score_a") for piece in pieces} == {whole.meta.get("score_a")}
    lines = [str(line) for piece in pieces for line in piece.truth.of_rows().to_pylist()]
    assert sorted(lines) == sorted(map(str, whole.truth.of_rows().to_pylist()))
    for piece in pieces:
        assert piece.truth.flaws == whole.truth.flaws
        assert undo(piece).table.num_columns == len(plain("inbox").table.column_names)
    # In the truth of the whole a column that every piece adds is listed once.
    added = whole.truth.table.num_rows - whole.truth.of_rows().num_rows
    assert added == (4 if name in ADDS_COLUMNS else 0)


ELSEWHERE = """
import sys
sys.path.insert(0, sys.argv[1])
from planted_rows import GROUNDS, NAMES, flaw_of, planted
for ground in GROUNDS:
    corpus = planted(ground, {name: flaw_of(name, strength=0.4) for name in NAMES}, 150)
    print(corpus.fingerprint, corpus.truth.digest)
"""


def test_another_process_plants_the_same():
    tests = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tests)],
        env={**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [planted(ground, {name: flaw_of(name, strength=0.4) for name in NAMES}, 150) for ground in GROUNDS]
    assert found.stdout.split() == [
        word for corpus in here for word in (corpus.fingerprint, corpus.truth.digest)
    ]


@every_flaw
@pytest.mark.parametrize("strength", [-0.01, 1.01, math.nan, math.inf, True, "0.5", None], ids=repr)
def test_a_strength_that_is_no_share_is_refused_by_name(name, strength):
    with pytest.raises(BadInput, match=r"strength.*(expected|is a|null is no)"):
        flaw_of(name, strength=strength)
    flaw = flaw_of(name)
    with pytest.raises(BadInput, match=f"flaw {flaw.kind}: strength={strength!r}; expected a number from 0"):
        type(flaw)(strength=strength)


@pytest.mark.parametrize("seed", [-1, None, 0.5, True, "0"], ids=repr)
def test_a_seed_that_is_none_is_refused_by_name(seed):
    with pytest.raises(BadInput, match="seed="):
        type(flaw_of("footer"))(seed=seed)


@every_ground
def test_the_truth_is_of_its_schema_and_says_what_was_set(ground):
    corpus = planted(ground, {name: flaw_of(name, strength=0.5) for name in NAMES})
    assert corpus.truth.table.schema.equals(SCHEMA)
    assert set(corpus.truth.table["flaw"].to_pylist()) == set(corpus.truth.flaws) == set(NAMES)
    for name, told in corpus.truth.to_json().items():
        assert told["settings"] == flaw_of(name, strength=0.5).settings()
        assert told["rows"] == len(set(corpus.truth.ids(name)))
    numbers = corpus.truth.table["step"].to_pylist()
    assert numbers == sorted(numbers) and set(numbers) == set(range(1, len(NAMES) + 1))


@pytest.mark.parametrize("name", ["footer", "label_noise", "merged_classes", "split_class"])
def test_rows_of_a_smaller_corpus_are_planted_alike(name):
    whole = letters(300)
    part = whole.select(whole.ids[50:250])
    flaws = {name: flaw_of(name, strength=0.5)}
    large, small = (planting.planted(corpus, flaws).table.to_pylist() for corpus in (whole, part))

    def content(rows):
        return {repr({**row, "id": None}) for row in rows}

    assert content(small) <= content(large)
