"""Curves carried on are drawn apart from what was run, beside a sentence that this is no verdict."""

from __future__ import annotations

import copy
import importlib.util
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from crossover.report import chart_style
from crossover.report.crossover_sections import charts, sections
from crossover.report.drawing import Chart
from crossover.report.extrapolation_figure import extrapolation_plot
from crossover.report.extrapolation_table import extrapolation_table, no_verdict
from crossover.report.page import Prose


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXAMPLE = _beside("example_verdict")
PAYLOADS: tuple[str, ...] = _beside("hostile_texts").PAYLOADS


@pytest.fixture
def numbers() -> dict[str, Any]:
    return copy.deepcopy(EXAMPLE.crossover_verdict()["numbers"])


def svg(chart: Chart | None) -> ET.Element:
    assert chart is not None
    return ET.fromstring(chart.drawing().raw)


def marks(root: ET.Element, kind: str) -> list[ET.Element]:
    return [
        child
        for group in root.iter("g")
        if group.get("class", "").startswith(f"mark-{kind} role-mark")
        for child in group
    ]


def test_the_law_is_solid_over_the_sizes_run_and_dashed_beyond(numbers: dict[str, Any]) -> None:
    root = svg(extrapolation_plot(numbers))
    words = [element.text or "" for element in root.iter("text")]
    assert {
        "labelled training rows (n), log scale",
        "macro-F1",
        "largest size run",
        "6,400",
        "12,800",
    } <= set(words)
    assert {"TF-IDF + logistic regression", "probe (minilm)"} <= set(words)
    assert not any("fine-tuning" in word for word in words), "an illustration is not carried on"
    dashed = [line.get("stroke") for line in marks(root, "line") if line.get("stroke-dasharray") == "6,4"]
    assert dashed == [chart_style.COLOURS[0], chart_style.COLOURS[1]]
    bars = Counter(rule.get("stroke") for rule in marks(root, "rule"))
    assert bars[chart_style.COLOURS[0]] == bars[chart_style.COLOURS[1]] == 2
    hollow = [mark for mark in marks(root, "symbol") if mark.get("fill") == chart_style.PAPER]
    crosses = [mark for mark in marks(root, "symbol") if mark.get("fill") in (None, "none", "transparent")]
    assert (len(hollow), len(crosses), len(marks(root, "symbol"))) == (4, 2, 14 + 4 + 2)


def test_colours_are_those_of_the_other_figures_when_an_arm_is_left_out(numbers: dict[str, Any]) -> None:
    del numbers["extrapolation"]["tfidf"]
    lines = marks(svg(extrapolation_plot(numbers)), "line")
    assert {line.get("stroke") for line in lines} == {chart_style.COLOURS[1]}


def test_the_section_follows_the_cost_and_says_that_it_is_no_verdict(numbers: dict[str, Any]) -> None:
    made = sections(numbers, charts(numbers))
    titles = [section.title for section in made]
    assert titles[titles.index("What it costs") + 1] == "If the curves went on"
    section = made[titles.index("If the curves went on")]
    first = section.blocks[0]
    assert isinstance(first, Prose)
    assert first.text.startswith("This is no verdict and changes nothing above.")
    assert first.text.endswith("not by n = 3,200.")
    assert len(section.blocks) == 3


def test_the_largest_size_is_that_of_the_arms_carried_on(numbers: dict[str, Any]) -> None:
    numbers["arms"]["finetune"]["curve"].append({"size": 9_000, "mean": 0.9, "draws": [0.9]})
    assert no_verdict(numbers).text.endswith("not by n = 3,200.")


def test_the_table_has_each_arm_and_size_with_its_check(numbers: dict[str, Any]) -> None:
    table = extrapolation_table(numbers)
    titles = [column.title for column in table.columns]
    cells = [dict(zip(titles, row, strict=True)) for row in table.rows]
    assert [(row["arm"], row["at n"]) for row in cells] == [
        ("TF-IDF + logistic regression", 6400),
        ("TF-IDF + logistic regression", 12800),
        ("probe (minilm)", 6400),
        ("probe (minilm)", 12800),
    ]
    entry = numbers["extrapolation"]["tfidf"]
    assert cells[0]["law"] == "power law (pow3)" and cells[2]["law"] == "the last value goes on (last1)"
    assert cells[0]["macro-F1 it gives"] == entry["at"][0]["mean"]
    assert cells[0]["interval"] == (entry["at"][0]["low"], entry["at"][0]["high"])
    assert cells[0]["error"] == entry["held_out"]["error"]
    assert cells[0]["error of the last value"] == entry["held_out"]["last1_error"]


def test_insufficient_evidence_is_a_row_and_no_line(numbers: dict[str, Any]) -> None:
    reason = "insufficient evidence: 3 sizes, at least 4 are needed"
    lacking = {"law": None, "held_out": None, "fitted": [], "at": [], "reason": reason}
    numbers["extrapolation"] = {"tfidf": lacking}
    assert extrapolation_plot(numbers) is None
    (row,) = extrapolation_table(numbers).rows
    assert row[:3] == ("TF-IDF + logistic regression", "none", None) and row[-1] == reason
    assert "If the curves went on" in [section.title for section in sections(numbers, [])]


def test_a_verdict_of_an_earlier_release_has_no_such_section(numbers: dict[str, Any]) -> None:
    del numbers["extrapolation"]
    assert extrapolation_plot(numbers) is None
    assert "If the curves went on" not in [section.title for section in sections(numbers, [])]


def test_hostile_arm_names_stay_text(numbers: dict[str, Any]) -> None:
    def drawn(names: list[str]) -> ET.Element:
        entry, curve = numbers["extrapolation"]["tfidf"], numbers["arms"]["tfidf"]["curve"]
        whole = {name: {"title": name, "curve": curve} for name in names}
        return svg(
            extrapolation_plot({**numbers, "arms": whole, "extrapolation": dict.fromkeys(names, entry)})
        )

    def shape(root: ET.Element) -> set[tuple[str, tuple[str, ...]]]:
        return {(element.tag, tuple(sorted(element.attrib))) for element in root.iter()}

    some = [PAYLOADS[k] for k in range(0, len(PAYLOADS), 6)]
    hostile = drawn(some)
    assert shape(hostile) == shape(drawn([f"plain {k}" for k in range(len(some))]))
    assert any("<script>" in (element.text or "") for element in hostile.iter("text"))


def test_an_arm_known_to_the_extrapolation_alone_is_drawn_under_its_key(numbers: dict[str, Any]) -> None:
    numbers["extrapolation"]["<b>new</b>"] = numbers["extrapolation"]["tfidf"]
    words = [element.text for element in svg(extrapolation_plot(numbers)).iter("text")]
    assert "<b>new</b>" in words
    assert "<b>new</b>" in [row[0] for row in extrapolation_table(numbers).rows]
