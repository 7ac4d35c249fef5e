"""The page of an artefact study: with and without a mark first, every table, no text goes live."""

import json
from pathlib import Path

from crossover.report.artifacts_sections import (
    charts,
    finding_table,
    head,
    mark_table,
    moved_table,
    reading_table,
    remedy_table,
    sections,
    tables,
    worth_table,
)
from crossover.report.verdict_page import verdict_page, write_report

CHANGE = {"mean": 0.17, "low": 0.14, "high": 0.20, "p": 1e-6}
LEAD = {"mean": 0.1, "low": 0.05, "high": 0.15}
READING = {
    "rows": 400,
    "score": 0.7,
    "base": 0.46,
    "difference": CHANGE,
    "nats": LEAD,
    "accuracy": LEAD,
    "p": 1e-4,
}
WORTH = {"arm": "model", "mark": "drain", "named": True, "with": 0.94, "without": 0.77, "drop": CHANGE,
         "rows": 400, "carriers": 100, "right_with": 98, "right_without": 30, "moved": 68}  # fmt: skip
PLAIN = {
    "metric": "macro_f1", "subject": "model", "tests": 20, "tolerance": 0.05,
    "arms": {"model": {"title": "logistic regression"}},
    "alone": [{"name": "length", **READING}, {"name": "order of the file", **READING}],
    "partial": [{"name": "first 3 words", **READING}],
    "marks": [{"name": "<b>see", "members": ["<b>see you", "<script>"], "kind": "line", "class": "spam",
               "train": {"carriers": 40, "recall": 0.2, "precision": 1.0},
               "test": {"carriers": 20, "hits": 20, "precision": 1.0, "low": 0.83, "high": 1.0, "p": 1e-9},
               "alarms": True}],
    "worth": [WORTH, {**WORTH, "mark": "<b>see", "named": False}],
    "remedies": [{"mark": "drain", "remedy": "mask", "train_rows": 900, "score": 0.9, "score_stripped": 0.9,
                  "cost": {"mean": -0.04, "low": -0.06, "high": -0.02}, "gain": CHANGE}],
    "unmoved": [{"arm": "model", "name": "lower_case", "changed": 300, "moved": 6, "rate": 0.02, "low": 0.007,
                 "high": 0.04, "p": 1.0, "drop": CHANGE,
                 "directions": [{"from": "ham", "to": "spam", "count": 6}]},
                {"arm": "model", "name": "other_urls", "changed": 0, "moved": 0, "rate": None, "low": 0.0,
                 "high": 0.0, "p": 1.0, "directions": []}],
    "findings": [{"code": "mark-carries-score", "severity": "warning", "p_value": 1e-6,
                  "title": "The score falls without drain", "remedy": "Take the remedy.",
                  "evidence": {"what": "drain", "p_holm": 2e-5}},
                 {"code": "reading-alone", "severity": "info", "title": "length alone", "evidence": {},
                  "remedy": "", "p_value": 1e-4}],
    "unresolved": ["typos may still move 7% of predictions"],
}  # fmt: skip
VERDICT = {"study": "artifacts", "kind": "artefact", "sentence": "On x, 0.94 with drain and 0.77 without.",
           "numbers": PLAIN, "population": "x", "would_change": ["y"], "next_step": "z", "flags": [],
           "runs": []}  # fmt: skip


def test_the_named_mark_stands_at_the_head_with_and_without() -> None:
    (tiles,) = head(PLAIN)
    assert tiles.items == (("macro-F1 without drain", "0.770", "0.940 with it"),)


def test_the_figures_hold_every_mark_reading_and_change_that_has_a_value() -> None:
    worth, readings, moved = charts(PLAIN)
    assert json.dumps(worth.spec).count('"label": "drain"') and '"low": 0.74' in json.dumps(worth.spec)
    drawn = json.dumps(readings.spec)
    assert all(name in drawn for name in ("length alone", "order of the file alone", "first 3 words"))
    assert "lower case" in json.dumps(moved.spec) and "other urls" not in json.dumps(moved.spec)
    for chart in (worth, readings, moved):
        assert chart.drawing().raw.startswith("<svg") and chart.caption


def test_every_table_says_what_was_counted() -> None:
    assert finding_table(PLAIN).rows == (("The score falls without drain", 1e-6, 2e-5, "Take the remedy."),)
    assert worth_table(PLAIN).rows[0][:5] == ("drain (named)", 0.94, 0.77, 0.17, (0.14, 0.20))
    assert worth_table(PLAIN).rows[0][6:] == (100, 0.98, 0.30, 68)
    assert mark_table(PLAIN).rows[0][2:7] == ("spam", 40, 0.2, 20, 1.0)
    assert reading_table(PLAIN, "alone", "x").rows[1][0] == "order of the file alone"
    assert moved_table(PLAIN).rows[0][-1] == "ham to spam: 6" and moved_table(PLAIN).rows[1][3] is None
    assert remedy_table(PLAIN).rows[0][:5] == ("drain", "mask", 900, 0.9, (-0.06, -0.02))
    assert [section.anchor for section in sections(PLAIN, charts(PLAIN))] == [
        "findings", "worth", "marks", "alone", "partial", "moved", "remedies", "open",
    ]  # fmt: skip


def test_a_verdict_without_runs_has_a_page_too() -> None:
    empty = {"metric": "macro_f1", "subject": "model", "arms": {}}
    assert "with drain" in verdict_page({**VERDICT, "numbers": empty}).html()
    assert charts(empty) == [] and sections(empty, []) == [] and not any(t.rows for t in tables(empty))


def test_a_mark_of_markup_stays_text_and_the_report_is_written(tmp_path: Path) -> None:
    page = write_report(VERDICT, tmp_path).read_text(encoding="utf-8")
    assert "<b>see" not in page and "&lt;b&gt;see" in page
    assert {f.name for f in (tmp_path / "figures").iterdir()} == {"worth.png", "readings.png", "moved.png"}
