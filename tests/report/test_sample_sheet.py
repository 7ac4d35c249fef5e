"""The sheet of a sample: nothing in it runs, nothing is lost on the way back, and what was lost is found."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.measure.predictions import Predictions
from crossover.report.sample_sheet import COLUMNS, estimates_table, judged, read_sheet, write_sheet
from crossover.sample.sample import Sample, of_corpus
from crossover.sample.stratified import Stratified
from crossover.sample.uniform import Uniform

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
TEXTS = ["=HYPERLINK('x')", 'a "quoted"\nline', "plain", "@cmd", "NA", "-1", "semi;colon", "last"]
CORPUS = Corpus.from_columns("made", TEXTS, ["a", "b"] * 4, CARD, [f"00{k}" for k in range(8)])


def drawn(size: int = 8) -> Sample:
    return Uniform(size).draw(of_corpus(CORPUS))


def filled(file: Path, change=lambda rows: rows) -> Path:
    with open(file, newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row["label"] = "ab"[int(row["id"]) % 2]
    with open(file, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(change(rows))
    return file


def test_no_text_of_a_csv_runs_as_a_formula_and_a_parquet_has_it_as_it_is(tmp_path: Path) -> None:
    write_sheet(drawn(), CORPUS, tmp_path / "s.csv")
    with open(tmp_path / "s.csv", newline="", encoding="utf-8") as handle:
        rows = {row["id"]: row for row in csv.DictReader(handle)}
    assert tuple(next(iter(rows.values()))) == COLUMNS
    assert rows["000"]["text"] == "'=HYPERLINK('x')" and rows["003"]["text"] == "'@cmd"
    assert rows["001"]["text"] == TEXTS[1] and rows["004"]["text"] == "NA"
    assert {row["label"] for row in rows.values()} == {""}, "and no label gives the answer away"
    write_sheet(drawn(), CORPUS, tmp_path / "s.parquet")
    assert pq.read_table(tmp_path / "s.parquet")["text"].to_pylist() == TEXTS


def test_a_labelled_sheet_comes_back_with_its_design_and_its_probabilities(tmp_path: Path) -> None:
    sample = Stratified(5, "label", "equal").draw(of_corpus(CORPUS))
    file = filled(write_sheet(sample, CORPUS, tmp_path / "s.csv"))
    corpus, how = read_sheet(str(file))
    assert tuple(corpus.ids) == sample.ids and how.population == 8
    assert how.inclusion == pytest.approx(sample.inclusion) and how.degrees == 5 - 2
    plain = json.loads((tmp_path / "s.csv.json").read_text(encoding="utf-8"))
    assert plain["settings"] == sample.design["settings"] and plain["corpus"] == CORPUS.fingerprint
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"


REFUSED = {
    "a row taken out": (lambda rows: rows[1:], "put them back"),
    "a label missing": (lambda rows: [{**rows[0], "label": ""}, *rows[1:]], "1 of 6 rows have no label yet"),
    "a probability gone": (
        lambda rows: [{**rows[0], "inclusion": ""}, *rows[1:]],
        "'inclusion' must be filled",
    ),
    "a probability of 2": (lambda rows: [{**rows[0], "inclusion": "2"}, *rows[1:]], "above 0 and at most 1"),
    "two populations": (
        lambda rows: [{**rows[0], "population": "9"}, *rows[1:]],
        "'population' must be filled",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_sheet_that_was_changed_is_refused(case: str, tmp_path: Path) -> None:
    change, match = REFUSED[case]
    file = filled(write_sheet(drawn(6), CORPUS, tmp_path / "s.csv"), change)
    with pytest.raises(BadInput, match=match):
        read_sheet(str(file))


def test_a_sheet_never_overwrites_labels_and_needs_a_known_suffix(tmp_path: Path) -> None:
    file = filled(write_sheet(drawn(), CORPUS, tmp_path / "s.csv"))
    before = file.read_bytes()
    with pytest.raises(BadInput, match="it may hold labels"):
        write_sheet(drawn(), CORPUS, file)
    assert file.read_bytes() == before
    with pytest.raises(BadInput, match=r"\.csv or \.parquet"):
        write_sheet(drawn(), CORPUS, tmp_path / "s.xlsx")


def test_a_run_is_judged_by_the_sheets_labels_and_only_on_rows_it_predicted() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    scored = Predictions(("000", "001"), ("test",) * 2, ("b", "b"), ("a", "b"), probabilities)
    two = CORPUS.select(["001", "000"])
    again = judged(scored, two)
    assert again.ids == ("001", "000") and again.gold == ("b", "a"), "the new labels, not the run's"
    assert again.probabilities[0, 1] == 0.8
    with pytest.raises(BadInput, match="predicted 2 of the 8 rows"):
        judged(scored, CORPUS)
    with pytest.raises(BadInput, match="none of the run's classes"):
        judged(Predictions(("000", "001"), ("test",) * 2, ("b", "b"), ("b", "c"), probabilities), two)
    assert estimates_table({}).rows == ()
