"""The page of a diagnosis: findings ranked with step and refutation, the whole table, nothing lost."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

import html5lib
import pytest

from crossover.report import diagnosis_sections
from crossover.report.diagnosis_sections import charts, finding_table, tables, warnings
from crossover.report.verdict_page import verdict_page, verdict_tables, write_report

_SPEC = importlib.util.spec_from_file_location("hostile_texts", Path(__file__).parent / "hostile_texts.py")
assert _SPEC is not None and _SPEC.loader is not None
HOSTILE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(HOSTILE)

BOUND = {"level": 0.995, "draws": 8, "rows": 100, "method": "two-way over draws and rows"}


def finding(code: str, severity: str, step: str = "Do this.") -> dict[str, object]:
    return {
        "code": code, "severity": severity, "title": f"Title of {code}", "evidence": f"seen {code}",
        "next_step": step, "refute": f"a run against {code}" if step else "",
    }  # fmt: skip


def example() -> dict[str, Any]:
    """A verdict as the study writes it."""
    errors = [
        {
            "arm": arm,
            "size": size,
            "part": part,
            "mean": mean,
            "low": mean - 0.01,
            "high": mean + 0.02,
            **BOUND,
        }
        for arm, shift in (("rich", 0.0), ("plain", 0.05))
        for size, base in ((100, 0.3), (200, 0.2), (400, 0.15))
        for part, mean in (("validation", base + shift), ("training", 0.01))
    ]
    side = {"arm": "rich", "only_right": 12, "ids": ["a"], "note": "", "words": [
        {"word": "invoice", "first": 7, "second": 3, "z": 3.2, "p": 0.01}]}  # fmt: skip
    numbers = {
        "metric": "accuracy", "subject": "rich", "target": 0.05, "size": 400, "level": 0.995,
        "corpus": {"name": "mail", "fingerprint": "f" * 16, "rows": 1000, "classes": ["a", "b"], "card": {}},
        "split": {"fingerprint": "e" * 16, "recipe": {}, "sizes": {"train": 600}},
        "arms": {name: {"title": name, "component": {"target": "crossover.Y"}} for name in ("rich", "plain")},
        "findings": [finding("more_data", "serious"), finding("slower", "warning"),
                     finding("capacity", "fine", "")],
        "decision": [
            {"order": 0, "code": "data_bug", "condition": "nulls", "holds": False, "seen": "fine"},
            {"order": 3, "code": "specification", "condition": "floor", "holds": None, "seen": "no audit"},
            {"order": 6, "code": "more_data", "condition": "slope", "holds": True, "seen": "falls"},
        ],
        "errors": errors,
        "nulls": {"size": 100, "rows": 200, "permutations": 3, "p": 0.01, "permuted": [0.4, 0.45, 0.5],
                  "constant": [0.6, None], "real": [0.7, 0.75], "majority": 0.6,
                  "lifts": {"permuted": {"accuracy": {"mean": -0.1, "low": -0.2, "high": 0.0, **BOUND}}}},
        "overfit": [1.0, 1.0, 1.0],
        "interventions": [{"name": "a better solver", "tolerance": 1e-6,
                           "change": {"mean": -1e-9, "low": -2e-9, "high": 1e-9, **BOUND}}],
        "slope": {"mean": -0.05, "low": -0.07, "high": -0.03, **BOUND},
        "comparisons": [{"arm": "plain", "difference": {"mean": -0.05, "low": -0.08, "high": -0.02, **BOUND},
                         "equivalence": "not established", "fit_seconds_ratio": 6.0, "predict_ratio": 1.5}],
        "words": {"rows": 200, "subject": side,
                  "other": {**side, "arm": "plain", "words": [], "note": "too few"}},
        "weights": {"old": "plain", "new": "rich", "kind": "objective", "sentence": "Model or objective: so.",
                    "numbers": {"objective_old": 0.5, "gap": 1e-9}},
        "courses": [{"steps": 100, "blocks": [1.0, 0.7, 0.9, 0.5], "turns": 2, "oscillates": True,
                     "diverges": False, "gradient_norm": 1.5, "gradient_ratio": 0.5}],
    }  # fmt: skip
    return {
        "study": "diagnosis", "kind": "more_data", "sentence": "On mail, rich needs rows; target 0.05.",
        "numbers": numbers, "population": "Over mail.", "would_change": ["more"], "next_step": "Label.",
        "flags": ["one flag"], "runs": ["0" * 16],
    }  # fmt: skip


@pytest.fixture
def verdict() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(example()))
    return made


def text_of(html: str) -> str:
    body = html5lib.parse(html, namespaceHTMLElements=False).find("body")
    return " ".join(" ".join(body.itertext()).split())


def test_the_page_holds_every_finding_its_step_and_what_could_refute_it(verdict: dict[str, Any]) -> None:
    shown = text_of(verdict_page(verdict).html())
    for row in verdict["numbers"]["findings"]:
        for name in ("title", "evidence", "next_step", "refute"):
            assert row[name] in shown
    for word in (
        "not assessed",
        "Cleared by this study",
        "invoice",
        "Model or objective: so.",
        "too few",
        "one flag",
    ):
        assert word in shown


def test_findings_keep_their_rank_and_fine_ones_stand_apart(verdict: dict[str, Any]) -> None:
    rows = finding_table(verdict["numbers"]).rows
    assert [(row[0], row[1]) for row in rows] == [(1, "serious"), (2, "warning")]


def test_a_verdict_that_all_is_good_is_still_the_first_finding(verdict: dict[str, Any]) -> None:
    verdict["numbers"]["findings"].insert(0, finding("good_enough", "fine"))
    assert finding_table(verdict["numbers"]).rows[0][2] == "Title of good_enough"


def test_what_stops_everything_is_a_warning_at_the_head(verdict: dict[str, Any]) -> None:
    assert warnings(verdict["numbers"]) == []
    verdict["numbers"]["findings"].insert(0, finding("data_bug", "stop"))
    assert warnings(verdict["numbers"]) == ["Title of data_bug: seen data_bug"]


def test_figures_show_every_point_the_target_and_every_null_run(verdict: dict[str, Any]) -> None:
    drawn = {chart.name: chart for chart in charts(verdict["numbers"])}
    assert set(drawn) == {"errors", "nulls", "courses"}
    svg = {name: chart.drawing().raw for name, chart in drawn.items()}
    assert "target 0.05" in svg["errors"] and "training rows (n), log scale" in svg["errors"]
    assert "majority rule" in svg["nulls"] and "tenth of the training steps" in svg["courses"]
    spec = json.dumps(drawn["nulls"].spec)
    assert spec.count('"y": "labels permuted"') == 3 and spec.count('"y": "constant text"') == 1
    assert all(chart.png().startswith(b"\x89PNG") for chart in drawn.values())


def test_tables_hold_numbers_in_full_for_a_spreadsheet(verdict: dict[str, Any]) -> None:
    captions = [table.caption for table in verdict_tables(verdict)]
    assert captions[:2] == ["Findings", "Decision table"] and len(captions) == 8
    (changes,) = [t for t in tables(verdict["numbers"]) if t.caption.startswith("Interventions")]
    assert changes.rows[0][1] == "-1e-09", "a change of the objective is not rounded to 0"


@pytest.mark.slow
def test_whatever_is_missing_the_page_stands(
    verdict: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(verdict["numbers"]):
        part = copy.deepcopy(verdict)
        part["numbers"].pop(name)
        assert len(charts(part["numbers"])) >= 1, "what one figure lacks does not take the others away"
        with monkeypatch.context() as patched:
            patched.setattr(diagnosis_sections, "charts", lambda plain: [])
            verdict_page(part).html()
    bare = {**verdict, "numbers": {"metric": "accuracy"}}
    assert write_report(bare, tmp_path).exists() and not list((tmp_path / "figures").iterdir())


def test_words_of_the_corpus_are_shown_as_text(
    verdict: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis_sections, "charts", lambda plain: [])
    for payload in HOSTILE.PAYLOADS[:6]:
        verdict["numbers"]["words"]["subject"]["words"][0]["word"] = payload
        html = verdict_page(verdict).html()
        assert html5lib.parse(html, namespaceHTMLElements=False).findall(".//body//img") == []
        assert len(html5lib.parse(html, namespaceHTMLElements=False).findall(".//script")) == 1
