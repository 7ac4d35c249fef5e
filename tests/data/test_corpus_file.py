"""A corpus written to a folder: all of it or nothing, piece by piece, read back as it was."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.data.corpus_file import write_corpus
from crossover.data.flaw.footer import Footer
from crossover.data.flaw.label_noise import LabelNoise
from crossover.data.flaw.meta_columns import MetaColumns
from crossover.data.inbox import META, Inbox
from crossover.data.table_file import TableFile
from crossover.data.truth import SCHEMA

ALL_META = {**META, **dict.fromkeys(("a", "b", "c", "d"), "number")}


@dataclass(frozen=True)
class InPieces:
    """An inbox in pieces of 70 rows that can never be had whole; it may break off."""

    inbox: Inbox
    breaks: BaseException | None = None

    def load(self):
        raise AssertionError("a source of batches is never loaded whole")

    def batches(self):
        for number, piece in enumerate(self.inbox.batches(70)):
            if self.breaks and number == 2:
                raise self.breaks
            yield piece


@dataclass(frozen=True)
class Whole:
    corpus: Corpus

    def load(self):
        return self.corpus


def flaws():
    return {
        "label_noise": LabelNoise(strength=0.2),
        "footer": Footer(strength=0.0, label="good"),
        "meta_columns": MetaColumns(strength=0.5, label="phishing", columns=["a", "b", "c", "d"]),
    }


def read_back(folder, meta):
    return TableFile(str(folder / "corpus.parquet"), id="id", meta=meta).load()


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_source_of_batches_is_written_piece_by_piece_and_reads_back_equal(tmp_path):
    inbox = Inbox(300)
    folder = write_corpus(InPieces(inbox), tmp_path / "mail")
    assert folder == tmp_path / "mail" and listing(tmp_path) == [
        "mail",
        "mail/corpus.json",
        "mail/corpus.parquet",
    ]
    assert pq.read_metadata(folder / "corpus.parquet").num_row_groups == 5
    assert read_back(folder, META).fingerprint == inbox.load().fingerprint
    assert read_back(folder, META).ids == inbox.load().ids


def test_pieces_make_no_difference(tmp_path):
    for name, source in (("one", Inbox(300, flaw=flaws())), ("many", InPieces(Inbox(300, flaw=flaws())))):
        write_corpus(source, tmp_path / name)
    for file in ("corpus.parquet", "truth.parquet"):
        assert pq.read_table(tmp_path / "one" / file).equals(pq.read_table(tmp_path / "many" / file))
    assert (tmp_path / "one/corpus.json").read_bytes() == (tmp_path / "many/corpus.json").read_bytes()


def test_a_source_that_can_only_be_loaded_is_written_too(tmp_path):
    meta = {"when": ("time", ["2024-01-01T00:00:00+00:00", None]), "size": ("number", [1.5, None])}
    corpus = Corpus.from_columns(
        "two", ["NA", "line\nline 007 é"], ["yes", None], Card("s", "s", "l", "d", "p"), ["007", "b"], meta
    )
    folder = write_corpus(Whole(corpus), tmp_path / "two")
    assert read_back(folder, {"when": "time", "size": "number"}).fingerprint == corpus.fingerprint
    assert json.loads((folder / "corpus.json").read_text(encoding="utf-8"))["flaws"] == {}


def test_the_card_lies_beside_the_table(tmp_path):
    inbox = Inbox(300, name="post")
    plain = json.loads((write_corpus(inbox, tmp_path / "mail") / "corpus.json").read_text(encoding="utf-8"))
    assert (plain["name"], plain["rows"], plain["meta"]) == ("post", 300, META)
    assert Card.from_json(plain["card"]) == inbox.load().card
    assert "generated" in plain["card"]["source"]


def test_the_truth_lies_beside_the_table(tmp_path):
    inbox = Inbox(300, flaw=flaws())
    folder, truth = write_corpus(InPieces(inbox), tmp_path / "mail"), inbox.load().truth
    written = pq.read_table(folder / "truth.parquet")
    assert written.schema.equals(SCHEMA) and sorted(map(str, written.to_pylist())) == sorted(
        map(str, truth.table.to_pylist())
    )
    assert written["id"].null_count == 4, "each added column is listed once"
    plain = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    assert plain["flaws"] == truth.to_json() and set(plain["flaws"]) == {"label_noise", "meta_columns"}
    assert 30 < plain["flaws"]["label_noise"]["rows"] < 90
    assert read_back(folder, ALL_META).fingerprint == inbox.load().fingerprint


def test_without_flaws_of_some_strength_there_is_no_truth_file(tmp_path):
    folder = write_corpus(Inbox(100, flaw={"label_noise": LabelNoise()}), tmp_path / "mail")
    assert listing(folder) == ["corpus.json", "corpus.parquet"]


@pytest.mark.parametrize("breaks", [BadInput("row 141"), OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_a_source_that_breaks_off_leaves_nothing(breaks, tmp_path):
    with pytest.raises(type(breaks)):
        write_corpus(InPieces(Inbox(300, flaw=flaws()), breaks), tmp_path / "mail")
    assert listing(tmp_path) == []


def test_a_size_that_is_refused_leaves_nothing(tmp_path):
    with pytest.raises(BadInput, match="rows=3"):
        write_corpus(Inbox(3), tmp_path / "mail")
    assert listing(tmp_path) == []


def test_nothing_has_the_name_before_all_is_written(tmp_path):
    seen = []
    write_corpus(
        InPieces(Inbox(300)), tmp_path / "mail", lambda *_: seen.append((tmp_path / "mail").exists())
    )
    assert seen == [False] * 5 and listing(tmp_path)[0] == "mail"


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file"])
def test_what_exists_is_refused_and_kept(kind, tmp_path):
    there = tmp_path / "mail"
    if kind == "file":
        there.write_text("mine")
    else:
        there.mkdir()
        if kind == "folder":
            (there / "mine").write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(BadInput, match=r"to=.*mail: there is one already; name another"):
        write_corpus(Inbox(100), there)
    assert listing(tmp_path) == before


def test_a_folder_made_meanwhile_is_refused_and_kept(tmp_path):
    there = tmp_path / "mail"

    def make(*_):
        there.mkdir(exist_ok=True)
        (there / "theirs").write_text("theirs")

    with pytest.raises(BadInput, match="there is one already"):
        write_corpus(InPieces(Inbox(300)), there, make)
    assert listing(tmp_path) == ["mail", "mail/theirs"]


def test_folders_on_the_way_are_made(tmp_path):
    assert listing(write_corpus(Inbox(100), tmp_path / "a" / "b" / "mail")) == [
        "corpus.json",
        "corpus.parquet",
    ]


@pytest.mark.parametrize("name", ["taken/mail", "taken/a/mail", "m" * 300, f"{'m' * 300}/mail"])
def test_a_folder_that_cannot_be_made_is_refused_by_name(name, tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(BadInput, match=r"^to=.*m.*; name a folder you can write$"):
        write_corpus(InPieces(Inbox(100)), tmp_path / name)
    assert listing(tmp_path) == ["taken"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_without_permission_is_refused_by_name(mode, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(mode)
    try:
        with pytest.raises(BadInput, match="Permission denied; name a folder you can write"):
            write_corpus(InPieces(Inbox(100)), closed / "mail")
    finally:
        closed.chmod(0o700)
    assert listing(tmp_path) == ["closed"]


def test_progress_is_told_after_each_piece(tmp_path):
    told = []
    write_corpus(InPieces(Inbox(300)), tmp_path / "unsized", lambda *step: told.append(step))
    assert told == [(done, done, "rows") for done in (70, 140, 210, 280, 300)]
    told.clear()
    write_corpus(Inbox(5200), tmp_path / "sized", lambda *step: told.append(step))
    assert told == [(5000, 5200, "rows"), (5200, 5200, "rows")]


def test_a_path_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_corpus(Inbox(100), Path("mail"))
    assert listing(tmp_path) == ["mail", "mail/corpus.json", "mail/corpus.parquet"]
