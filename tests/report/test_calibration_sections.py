"""The page of a calibration study: bump, diagrams, measures; text of the data stays text."""

import json
from pathlib import Path
from typing import Any

import html5lib
import pytest

from crossover.report.calibration_figures import reliability_diagram, risk_coverage
from crossover.report.calibration_sections import charts, tables
from crossover.report.chart_style import arm_styles
from crossover.report.verdict_page import verdict_page, verdict_tables, write_report

HOSTILE = "<script>alert(1)</script>"


def point(at: float, seen: float) -> dict[str, float]:
    return {
        "low": at - 0.05, "high": at + 0.05, "n": 50, "probability": at, "frequency": seen,
        "band_low": at - 0.04, "band_high": at + 0.04, "joint_low": at - 0.08, "joint_high": at + 0.08,
    }  # fmt: skip


def arm(finding: str) -> dict[str, Any]:
    score = {"value": 0.1, "low": None, "high": None, "n": 90, "method": "no interval", "null_low": 0.0,
             "null_high": 0.04, "p_value": 0.001}  # fmt: skip
    where = {"class": HOSTILE, "class_index": 1, "low": 0.41, "high": 0.62, "rows": 33, "observed": 0.8,
             "expected": 0.52, "promised": 0.5, "z": 4.2}  # fmt: skip
    diagram = {"points": [point(0.2, 0.21), point(0.5, 0.8)], "outside": 1}
    return {
        "title": "tf-idf", "finding": finding, "labels": 300, "labels_with_recalibration": 700,
        "calibrate_rows": 400,
        "calibration": {
            "scores": {"smooth_ece": score},
            "diagrams": {"top_label": diagram, "class/1": diagram},
            "risk_coverage": [
                {"coverage": 0.5, "risk": 0.1, "low": 0.05, "high": 0.2},
                {"coverage": 1.0, "risk": 0.3, "low": 0.2, "high": 0.4},
            ],
        },
        "global": {"p_value": 0.001, "where": where},
        "local": {"p_value": 0.004, "located": where, "confirmed": where},
        "detectable": [{"deviation": 0.1, "rows_needed": 612, "rows_there": 150}],
        "bump": {
            "rows_inside": 64,
            "rows": [{"id": "r1", "gold": "spam", "predicted": "good", "probability": 0.5, "mapped": 0.51,
                      "unexpected": True, "half": "located", "text": HOSTILE}],
            "traits": [{"contrast": "inside against outside", "kind": "word", "trait": "invoice", "held": 9,
                        "of": 12, "held_other": 1, "of_other": 80, "p": 1e-9, "holm_p": 1e-8,
                        "confirmed": True}],
            "candidates": [{"candidate": "label noise", "here": "nothing", "would_tell": "label again"}],
        },
    }  # fmt: skip


@pytest.fixture
def verdict() -> dict[str, Any]:
    told = arm("local")
    smooth = told["calibration"]["scores"]["smooth_ece"]
    return {
        "study": "calibration", "kind": "local", "sentence": "On toy, tfidf is locally off; candidates.",
        "numbers": {
            "metric": "macro_f1", "corpus": {"name": "toy"}, "arms": {"tfidf": told},
            "tables": {
                "calibration": [{"arm": "tfidf", "measure": "smooth_ece", **smooth}],
                "recalibration": [
                    {"arm": "tfidf", "recalibration": "none", "title": "as it is", "log_loss": 1.0},
                    {"arm": "tfidf", "recalibration": "beta", "title": "beta calibration", "log_loss": 0.9,
                     "log_loss_change": -0.1, "log_loss_change_low": -0.2, "log_loss_change_high": -0.05,
                     "recommended": True},
                    {"arm": "tfidf", "recalibration": "platt", "title": "Platt scaling", "reason": "3 rows"},
                ],
                "scans": [
                    {"arm": "tfidf", "scan": "confirmation", "p_value": 0.004, **told["local"]["confirmed"]}
                ],
            },
        },
    }  # fmt: skip


def text_of(html: str) -> str:
    body = html5lib.parse(html, namespaceHTMLElements=False).find("body")
    return " ".join(" ".join(body.itertext()).split())


def test_the_page_shows_the_bump_with_rows_words_candidates_and_its_size(verdict: dict[str, Any]) -> None:
    html = verdict_page(verdict).html()
    shown = text_of(html)
    for words in (
        "tfidf: confirmation", "[0.410, 0.620]", "Candidates: tfidf", "label noise: nothing", "word: invoice",
        "9 of 12", "1 of 80", "64 rows are inside", "too many of these", "0.1 with 612 independent rows",
        "400 calibrate rows (300 labels without them, 700 with)", "best within calibrate", "3 rows", HOSTILE,
    ):  # fmt: skip
        assert words in shown, words
    assert HOSTILE not in html, "text of the data is escaped"


def test_diagrams_are_drawn_for_the_predicted_class_and_the_class_of_the_bump(
    verdict: dict[str, Any],
) -> None:
    made = {chart.name: chart for chart in charts(verdict["numbers"])}
    assert set(made) == {"reliability_1", "reliability_1_class", "risk_coverage"}
    assert "the bump, [0.41, 0.62]" in made["reliability_1_class"].caption
    assert "1 of 2 points are outside" in made["reliability_1"].caption
    for chart in made.values():
        assert chart.drawing().raw.startswith("<svg")
    bands = json.dumps(made["reliability_1"].spec)
    assert "0.46" in bands and "0.54" in bands and "0.58" in bands, "both bands are in the figure"


def test_only_a_confirmed_bump_is_shaded(verdict: dict[str, Any]) -> None:
    verdict["numbers"]["arms"]["tfidf"]["finding"] = "recalibrate"
    made = {chart.name: chart for chart in charts(verdict["numbers"])}
    assert "bump" not in made["reliability_1_class"].caption


def test_tables_state_every_scan_measure_and_recalibration(verdict: dict[str, Any]) -> None:
    made = {table.caption: table for table in verdict_tables(verdict)}
    assert len(made["Before and after"].rows) == 3
    measures = made["Measures on test"].rows
    assert measures == (("tfidf", "smooth ECE", 0.1, (None, None), (0.0, 0.04), "0.001", 90.0),)
    assert made["Rows of the range: tfidf"].rows[0][-1] == HOSTILE


def test_a_page_of_which_everything_is_missing_still_stands(tmp_path: Path) -> None:
    for numbers in ({}, {"arms": {"a": {}}}, {"arms": {"a": {"global": {"where": None}, "bump": None}}}):
        bare = {"study": "calibration", "kind": "no_runs", "sentence": "On toy nothing.", "numbers": numbers}
        assert "On toy nothing" in write_report(bare, tmp_path).read_text()
    assert all(not table.rows for table in tables({}))
    assert (
        reliability_diagram("x", "t", "a", {}) is None
        and risk_coverage("x", {"a": []}, arm_styles({})) is None
    )
