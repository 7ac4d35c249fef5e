"""The log of looks: nothing is overwritten, nothing half-written, and each stage says who has looked."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from crossover.data.bad_input import BadInput
from crossover.record.look_log import LookNote, looked, looks_of, note_look

CORPUS = "0123456789abcdef"
RAW = LookNote("raw", CORPUS, "", (), ("id-1", "id-2"), ("blank-texts",), "raw-00")


def test_a_look_reads_back_with_everything_that_was_said(tmp_path: Path) -> None:
    note = replace(
        RAW, by="Ann, fraud analyst", expertise="ten years", found="two <b>wrong</b>", decided="drop"
    )
    note_look(tmp_path, note)
    (found,) = looks_of(tmp_path, CORPUS)
    assert found == replace(note, when=found.when) and found.signed
    assert found.when.endswith("+00:00")
    assert looks_of(tmp_path, "f" * 16) == []


def test_many_writers_lose_no_look_and_overwrite_none(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda k: note_look(tmp_path, replace(RAW, by=f"reader {k}")), range(40)))
    assert len(set(files)) == 40
    assert {note.by for note in looks_of(tmp_path, CORPUS)} == {f"reader {k}" for k in range(40)}
    assert not list((tmp_path / "looks" / CORPUS / "log").glob(".*")), "nothing is left aside"


def test_a_log_that_cannot_be_written_or_read_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "looks").write_text("a file")
    with pytest.raises(BadInput, match="cannot be noted"):
        note_look(tmp_path, RAW)
    other = tmp_path / "other"
    file = note_look(other, RAW)
    file.write_text("{")
    with pytest.raises(BadInput, match="move it away"):
        looks_of(other, CORPUS)


def test_a_corpus_is_no_path_and_a_stage_is_known() -> None:
    with pytest.raises(ValueError, match="fingerprint"):
        looks_of(Path(), "../../etc")
    with pytest.raises(ValueError, match="stage"):
        replace(RAW, stage="later")


def test_each_stage_tells_the_last_signed_look_that_bears_on_this_split_and_these_runs() -> None:
    notes = [
        replace(RAW, by="Ann", when="2026-01-01", found="x"),
        replace(RAW, when="2026-01-02"),
        replace(RAW, stage="split", split="other", by="Bo", when="2026-01-03"),
        replace(RAW, stage="model", split="s", runs=("r1",), when="2026-01-04"),
    ]
    raw, split, model = looked(notes, "s", ["r1", "r2"])
    assert (raw["looks"], raw["signed"], raw["by"], raw["when"]) == (2, 1, "Ann", "2026-01-01")
    assert split == {"stage": "split", "looks": 0, "signed": 0}, (
        "a look at another split says nothing of this"
    )
    assert (model["looks"], model["signed"], model["by"]) == (1, 0, "")
    assert looked(notes, "s", ["r3"])[2]["looks"] == 0
    json.dumps([raw, split, model])
    assert "ids" not in raw
