"""The page of a study: the answer and its caveats first, whatever is missing, whole or not at all."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import html5lib
import pytest

from crossover.report import compare_sections, crossover_sections
from crossover.report.verdict_page import verdict_page, verdict_tables, write_report

_SPEC = importlib.util.spec_from_file_location(
    "example_verdict", Path(__file__).parent / "example_verdict.py"
)
assert _SPEC is not None and _SPEC.loader is not None
EXAMPLE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(EXAMPLE)


@pytest.fixture
def verdict() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(EXAMPLE.crossover_verdict()))
    return made


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (crossover_sections, compare_sections):
        monkeypatch.setattr(module, "charts", lambda plain: [])


@pytest.fixture(scope="module")
def page() -> str:
    """The example's page, figures and all, made once."""
    return verdict_page(EXAMPLE.crossover_verdict()).html()


def text_of(html: str) -> str:
    body = html5lib.parse(html, namespaceHTMLElements=False).find("body")
    return " ".join(" ".join(body.itertext()).split())


def test_the_page_holds_everything_the_verdict_says(verdict: dict[str, Any], page: str) -> None:
    shown = text_of(page)
    for word in (
        *verdict["sentence"].split("; "),
        verdict["population"],
        *verdict["would_change"],
        verdict["next_step"],
        *verdict["flags"],
        "≈ 918",
        "690 to 1,306",
        "TF-IDF + logistic regression",
        "near-duplicates on both sides",
        "group by near-duplicate cluster",
        "4,862",
        "BSD-3-Clause",
        "MemoryError: the encoder needs 2.1 GB",
        verdict["numbers"]["commands"]["study"],
        verdict["numbers"]["commands"]["run"][0],
        "2.10.0",
        verdict["runs"][-1],
        verdict["numbers"]["corpus"]["fingerprint"],
        verdict["numbers"]["split"]["fingerprint"],
        "12 to 19 more draws",
        "By log loss the answer differs: not resolved",
    ):
        assert word in shown, word


def test_the_answer_and_its_flags_come_before_any_figure(verdict: dict[str, Any], page: str) -> None:
    places = [page.index(word) for word in ("<h1>", 'class="notice"', verdict["flags"][0], "<nav", "<svg")]
    assert places == sorted(places)
    order = re.findall(r'<section id="([a-z-]+)"', page)
    middle = ["curves", "difference", "cost", "ahead", "scores", "split", "data", "arms", "failures"]
    assert order == [*middle, "reproduce", "environment"]


@pytest.mark.usefixtures("no_figures")
def test_text_seen_in_pretraining_is_flagged_even_where_the_study_forgot(verdict: dict[str, Any]) -> None:
    seen = verdict["numbers"]["corpus"]["card"]["seen_in_pretraining"]
    once = text_of(verdict_page(verdict).html()).count(seen)
    verdict["flags"] = []
    page = text_of(verdict_page(verdict).html())
    assert "never evidence that pretraining pays" in page
    assert page.count(seen) == once
    verdict["numbers"]["corpus"]["card"]["seen_in_pretraining"] = ""
    assert "never evidence" not in text_of(verdict_page(verdict).html())


@pytest.mark.usefixtures("no_figures")
def test_an_unresolved_answer_claims_no_crossing(verdict: dict[str, Any]) -> None:
    verdict["numbers"]["pairs"][0]["kind"] = "not_resolved"
    tiles = text_of(verdict_page(verdict).html())
    assert "Crossing none claimed 95% interval 690 to 1,306" in tiles
    assert "≈ 918" not in tiles
    verdict["numbers"]["pairs"][0]["pilot"] = True
    assert "A pilot: four draws" in text_of(verdict_page(verdict).html())


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("make", [EXAMPLE.crossover_verdict, EXAMPLE.compare_verdict])
def test_any_missing_part_leaves_a_page(make: Callable[[], dict[str, Any]]) -> None:
    whole = make()
    for key in whole:
        verdict_page({name: value for name, value in whole.items() if name != key}).html()

    def without(plain: Any, path: tuple[Any, ...] = ()) -> None:
        """Every mapping key at any depth left out once, and set to null once."""
        for key in list(plain) if isinstance(plain, dict) else range(min(len(plain), 1)):
            if isinstance(plain, dict):
                kept = plain.pop(key)
                verdict_page(whole).html()
                plain[key] = None
                verdict_page(whole).html()
                plain[key] = kept
            if isinstance(plain[key], (dict, list)) and len(path) < 4:
                without(plain[key], (*path, key))

    whole["runs"], whole["numbers"]["environment"], whole["numbers"]["commands"] = [], {}, {}
    whole["numbers"]["cost"] = whole["numbers"].get("cost", [])[:1]
    for name in ("corpus", "split"):
        whole["numbers"].pop(name)
    without(whole["numbers"])


def test_an_empty_verdict_is_still_a_page() -> None:
    assert "No sentence was given." in verdict_page({}).html()


def test_a_study_of_another_kind_shows_its_numbers() -> None:
    page = text_of(
        verdict_page({"study": "novelty", "sentence": "s", "numbers": {"effect": {"words": 0.25}}}).html()
    )
    assert "Novelty study" in page and "effect.words 0.25" in page


def test_numbers_that_are_no_numbers_are_dashes(verdict: dict[str, Any]) -> None:
    for value in (float("nan"), float("inf"), "12", None, True, 10**400):
        point = verdict["numbers"]["arms"]["tfidf"]["curve"][0]
        point["mean"] = point["low"] = value
        row = verdict_tables(verdict)[2].shown_rows()[0]
        assert row[3][0] == "–"
        assert row[4][0].startswith("[–, 0.")


def test_a_comparison_shows_scores_with_intervals_and_how_they_were_made() -> None:
    page = text_of(verdict_page(EXAMPLE.compare_verdict()).html())
    for word in ("0.944", "[0.924, 0.962]", "bootstrap over clusters, 2,000 draws", "0, 1, 2", "+0.013",
                 "[−0.004, +0.030]", "0.260", "equivalence not established", "the first fitted model",
                 "probe (minilm) minus TF-IDF + logistic regression"):  # fmt: skip
        assert word in page, word
    assert verdict_page(EXAMPLE.compare_verdict()).html().count("<svg") == 2


def test_evidence_that_is_a_mapping_reads_as_words() -> None:
    loud = {"severity": "warning", "title": "leak", "evidence": {"test_rows": 14, "first": [["a", "b"]]}}
    quiet = {"severity": "info", "title": "balance", "evidence": {"largest": 0.5}}
    verdict = {"numbers": {"split": {"findings": [loud, quiet]}}}
    page = text_of(verdict_page(verdict).html())
    assert "test_rows = 14; first[0] = a, b" in page
    assert "balance" in page and "largest" not in page


def test_the_report_lies_beside_the_verdict_with_figures_and_tables(
    verdict: dict[str, Any], tmp_path: Path
) -> None:
    page = write_report(verdict, tmp_path)
    assert page == tmp_path / "report.html"
    assert page.stat().st_size < 3_000_000
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {
        "report.html", "figures/learning_curves.png", "figures/difference_1.png", "figures/difference_2.png",
        "figures/cost.png", "figures/extrapolation.png", *(f"tables/table_{k}.csv" for k in range(1, 5)),
    }  # fmt: skip
    with open(tmp_path / "tables" / "table_4.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    point = verdict["numbers"]["arms"]["tfidf"]["curve"][0]
    assert len(rows) == 16 and rows[0]["arm"] == "TF-IDF + logistic regression"
    assert float(rows[0]["fit, cold (s)"]) == point["fit_seconds_cold"]


@pytest.mark.slow
def test_a_second_report_replaces_the_first_and_its_stale_figures(
    verdict: dict[str, Any], tmp_path: Path
) -> None:
    write_report(verdict, tmp_path)
    (tmp_path / "figures" / "mine.png").write_bytes(b"kept")
    verdict["numbers"]["pairs"] = verdict["numbers"]["pairs"][:1]
    verdict["sentence"] = "Another answer."
    assert "Another answer." in write_report(verdict, tmp_path).read_text(encoding="utf-8")
    left = {p.name for p in (tmp_path / "figures").iterdir()}
    assert left == {"learning_curves.png", "difference_1.png", "cost.png", "extrapolation.png", "mine.png"}


@pytest.mark.usefixtures("no_figures")
def test_a_write_that_fails_leaves_the_old_page_and_no_scraps(
    verdict: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_report(verdict, tmp_path).read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    verdict["sentence"] = "Another answer."
    with pytest.raises(OSError, match="No space"):
        write_report(verdict, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.usefixtures("no_figures")
def test_a_page_of_far_too_much_stays_small(verdict: dict[str, Any]) -> None:
    huge = "x" * 200_000
    numbers = verdict["numbers"]
    numbers["split"]["findings"] = [{"title": huge, "evidence": huge, "remedy": huge}] * 3_000
    numbers["failures"] = [{"digest": huge, "error": huge}] * 3_000
    numbers["corpus"]["classes"] = [huge] * 3_000
    numbers["environment"] = {f"key{k}": huge for k in range(500)}
    numbers["commands"]["run"] = [huge] * 300
    verdict["runs"] = [f"{k:016x}" for k in range(50_000)]
    verdict["flags"] = [huge] * 300
    verdict["would_change"] = [huge] * 300
    assert len(verdict_page(verdict).html().encode()) < 3_000_000


def test_importing_the_report_loads_nothing_heavy() -> None:
    modules = ("verdict_page", "page", "tables", "drawing", "runs_table", "learning_curve_figure")
    heavy = {"torch", "transformers", "altair", "vl_convert", "rich", "jinja2", "pandas", "scipy", "hydra"}
    imports = "; ".join(f"import crossover.report.{name}" for name in modules)
    code = f"import sys; {imports}; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("caution", [True, False])
def test_looks_at_the_test_part_are_told_and_too_many_are_a_notice(caution: bool) -> None:
    verdict = EXAMPLE.compare_verdict()
    said = "4 looks at this test part are taken & none was declared"
    verdict["numbers"]["test_budget"] = {"sentence": said, "caution": caution}
    html = verdict_page(verdict).html()
    assert "4 looks at this test part are taken &amp; none" in html
    assert ("Looks at the test part" in html) == caution
