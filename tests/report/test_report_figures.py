"""Figures name their axes, show their intervals, mark what is no evidence, and carry no life."""

from __future__ import annotations

import copy
import importlib.util
import struct
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.report import chart_style
from crossover.report.comparison_figure import Dot, dot_plot
from crossover.report.cost_figure import cost_plot
from crossover.report.difference_figure import difference_plot, piece_text
from crossover.report.drawing import Chart, Drawing
from crossover.report.learning_curve_figure import learning_curves

_SPEC = importlib.util.spec_from_file_location(
    "example_verdict", Path(__file__).parent / "example_verdict.py"
)
assert _SPEC is not None and _SPEC.loader is not None
EXAMPLE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(EXAMPLE)


@pytest.fixture
def numbers() -> dict[str, Any]:
    return copy.deepcopy(EXAMPLE.crossover_verdict()["numbers"])


def svg(chart: Chart | None) -> ET.Element:
    assert chart is not None
    return ET.fromstring(chart.drawing().raw)


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter("text")]


def marks(root: ET.Element, kind: str) -> list[ET.Element]:
    """The drawn elements of one kind of mark, axes left out."""
    return [
        child
        for group in root.iter("g")
        if group.get("class", "").startswith(f"mark-{kind} role-mark")
        for child in group
    ]


def test_learning_curves_name_axes_arms_and_show_bands_and_draws(numbers: dict[str, Any]) -> None:
    root = svg(learning_curves(numbers))
    text = words(root)
    assert "labelled training rows (n), log scale" in text
    assert "macro-F1" in text
    for label in ("TF-IDF + logistic regression", "probe (minilm)", "fine-tuning (minilm) (illustration)"):
        assert label in text
    assert {"50", "3,200"} <= set(text)
    assert len(marks(root, "area")) == 2
    assert len(marks(root, "rule")) == 7 + 7 + 2
    draws = sum(len(point["draws"]) for arm in numbers["arms"].values() for point in arm["curve"])
    means = sum(len(arm["curve"]) for arm in numbers["arms"].values())
    assert len(marks(root, "symbol")) == draws + means


def test_only_the_illustration_is_dashed(numbers: dict[str, Any]) -> None:
    lines = marks(svg(learning_curves(numbers)), "line")
    dashed = [line.get("stroke") for line in lines if line.get("stroke-dasharray") == "6,4"]
    assert len(lines) == 3
    assert dashed == [chart_style.COLOURS[2]]


def test_the_x_axis_is_logarithmic(numbers: dict[str, Any]) -> None:
    root = svg(learning_curves(numbers))
    ticks = {}
    for element in root.iter("text"):
        if (element.text or "") in ("50", "100", "200", "3,200"):
            ticks[element.text] = float(element.get("transform", "").split("(")[1].split(",")[0])
    step = ticks["100"] - ticks["50"]
    assert ticks["200"] - ticks["100"] == pytest.approx(step, abs=0.1)
    assert ticks["3,200"] - ticks["50"] == pytest.approx(6 * step, abs=0.2)


def test_the_difference_plot_shades_the_crossing_and_draws_zero(numbers: dict[str, Any]) -> None:
    root = svg(difference_plot(numbers, numbers["pairs"][0], "difference_1"))
    text = words(root)
    assert "difference in macro-F1" in text and "labelled training rows (n), log scale" in text
    assert "crossing 690 to 1,306" in text
    assert "↑ probe (minilm) ahead" in text
    shaded = marks(root, "rect")
    assert len(shaded) == 1
    bars = [rule for rule in marks(root, "rule") if rule.get("stroke") == chart_style.COLOURS[0]]
    assert len(bars) == 7
    zero = [rule for rule in marks(root, "rule") if rule.get("stroke") == chart_style.INK]
    assert len(zero) == 1


def test_a_size_used_in_both_stages_is_drawn_once_from_the_deciding_one(numbers: dict[str, Any]) -> None:
    chart = difference_plot(numbers, numbers["pairs"][0], "difference_1")
    big = [mark for mark in marks(svg(chart), "symbol") if mark.get("stroke") == chart_style.COLOURS[0]]
    filled = [mark for mark in big if mark.get("fill") == chart_style.COLOURS[0]]
    assert (len(big), len(filled)) == (7, 4)


def test_a_margin_is_a_dashed_line_with_its_value(numbers: dict[str, Any]) -> None:
    pair = {**numbers["pairs"][0], "margin": 0.01}
    root = svg(difference_plot(numbers, pair, "difference_1"))
    assert "margin +0.01" in words(root)
    assert any(rule.get("stroke-dasharray") == "5,4" for rule in marks(root, "rule"))


def test_an_open_piece_reaches_the_edge_and_says_so(numbers: dict[str, Any]) -> None:
    closed = {"low": 400.0, "high": 1600.0, "low_open": False, "high_open": False}
    opened = {"low": 50.0, "high": 1600.0, "low_open": True, "high_open": False}
    assert piece_text(opened) == "≤ 50 to 1,600"
    assert piece_text({**closed, "high_open": True}) == "400 to ≥ 1,600"

    def width(piece: dict[str, object]) -> float:
        pair = {**numbers["pairs"][0], "pieces": [piece]}
        (rect,) = marks(svg(difference_plot(numbers, pair, "difference_1")), "rect")
        path = rect.get("d", "")
        return float(path.split("h")[1].split("v")[0])

    assert width(closed) < width({**opened, "low_open": False}) < width(opened)


def test_cost_plot_names_cold_seconds_and_ends(numbers: dict[str, Any]) -> None:
    root = svg(cost_plot(numbers))
    text = words(root)
    assert "cold seconds of one fit, log scale" in text and "macro-F1" in text
    assert text.count("3,200") == 2
    assert len(marks(root, "rule")) == 8
    del numbers["cost"]
    assert len(marks(svg(cost_plot(numbers)), "symbol")) == 16
    for arm in numbers["arms"].values():
        for point in arm["curve"]:
            del point["fit_seconds_cold"]
    assert cost_plot(numbers) is None


def test_dot_plot_shows_value_and_interval() -> None:
    dots = [Dot("one", 0.5, 0.4, 0.6), Dot("one", 0.7, None, None)]
    root = svg(dot_plot("scores", "Scores", "macro-F1", dots))
    text = words(root)
    assert {"macro-F1", "one", "one (2)", "0.500", "0.700"} <= set(text)
    assert len(marks(root, "rule")) == 1
    assert len(marks(root, "symbol")) == 2
    assert dot_plot("scores", "Scores", "macro-F1", []) is None
    signed = svg(dot_plot("gaps", "Gaps", "difference", [Dot("pair", -0.1, -0.2, 0.01)], zero=True))
    assert "−0.100" in words(signed)
    assert len(marks(signed, "rule")) == 2


def test_nothing_to_draw_is_no_figure(numbers: dict[str, Any]) -> None:
    assert learning_curves({}) is None
    assert learning_curves({"arms": {"a": {"curve": [{"size": 50, "mean": None}]}}}) is None
    assert difference_plot(numbers, {**numbers["pairs"][0], "differences": []}, "difference_1") is None
    assert cost_plot({}) is None


def test_one_point_without_draws_or_interval_is_still_drawn() -> None:
    chart = learning_curves({"arms": {"a": {"curve": [{"size": 50, "mean": 0.5}]}}})
    assert len(marks(svg(chart), "symbol")) == 1


def test_a_two_draw_interval_does_not_flatten_the_curve(numbers: dict[str, Any]) -> None:
    """Its ends (here ±50) are cut at the frame."""
    for point in numbers["arms"]["tfidf"]["curve"]:
        if point["stage"] == 1:
            point["low"], point["high"] = -50.0, 50.0
    text = words(svg(learning_curves(numbers)))
    ticks = [
        float(t.replace("−", "-")) for t in text if t.replace("−", "-").replace(".", "").lstrip("-").isdigit()
    ]
    assert all(-1 < tick < 2 or tick >= 50 for tick in ticks)


def test_png_has_twice_the_size_of_the_svg(numbers: dict[str, Any]) -> None:
    chart = learning_curves(numbers)
    assert chart is not None
    png = chart.png()
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and len(png) > 20_000
    width, height = struct.unpack(">II", png[16:24])
    root = svg(chart)
    assert width == pytest.approx(2 * float(root.get("width", "0")), abs=2)
    assert height == pytest.approx(2 * float(root.get("height", "0")), abs=2)


def test_a_drawing_keeps_what_draws_and_drops_what_lives() -> None:
    raw = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'width="9" onload="x()">'
        "<script>x()</script><style>*{}</style><foreignObject><p>x</p></foreignObject>"
        '<a href="http://evil.example/"><text>link</text></a><image href="http://evil.example/"/>'
        '<use xlink:href="#clip1"/><g style="fill:red" clip-path="url(#clip1)" onclick="x()">'
        '<rect id="clip1" fill="url(http://evil.example/)" width="1.23456"/>'
        '<text id="evil text" aria-label="a">shown\u202e</text></g></svg>'
    )
    kept = Drawing(raw, "name", 'label "quoted"').raw
    root = ET.fromstring(kept)
    assert {element.tag for element in root.iter()} == {"svg", "g", "rect", "text"}
    assert root.attrib == {"width": "9", "role": "img", "aria-label": 'label "quoted"'}
    (group,) = root
    assert group.attrib == {"clip-path": "url(#name-clip1)"}
    assert group[0].attrib == {"id": "name-clip1", "width": "1.23"}
    assert (group[1].attrib, group[1].text) == ({}, "shown‹U+202E›")


@pytest.mark.parametrize(
    "raw",
    [
        '<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>',
        "<svg><!-- comment --></svg>",
        "<p>not svg</p>",
    ],
)
def test_a_drawing_that_is_no_plain_svg_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match=r"svg|SVG"):
        Drawing(raw, "name", "label")


def test_a_figure_name_from_data_is_refused() -> None:
    with pytest.raises(ValueError, match="figure name"):
        Drawing("<svg/>", 'x"y', "label")


def test_a_figure_drawn_twice_is_the_same_to_the_byte(numbers: dict[str, Any]) -> None:
    first, second = learning_curves(numbers), learning_curves(numbers)
    assert first is not None and second is not None
    assert first.drawing().raw == second.drawing().raw
    assert 'id="learning_curves-clip1"' in first.drawing().raw


def test_a_great_many_draws_do_not_make_a_great_figure(numbers: dict[str, Any]) -> None:
    numbers["arms"]["tfidf"]["curve"][6]["draws"] = [0.9] * 50_000
    chart = learning_curves(numbers)
    assert chart is not None and len(chart.drawing().raw) < 100_000


def test_ids_of_two_figures_differ(numbers: dict[str, Any]) -> None:
    ids = []
    for chart in (learning_curves(numbers), difference_plot(numbers, numbers["pairs"][0], "difference_1")):
        ids += [element.get("id") for element in svg(chart).iter() if element.get("id")]
    assert ids and len(ids) == len(set(ids))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.2))
def test_labels_are_kept_apart_in_their_order(positions: list[float], gap: float) -> None:
    placed = chart_style.spread(positions, gap)
    order = sorted(range(len(positions)), key=lambda k: (positions[k], k))
    for below, above in pairwise(order):
        assert placed[above] - placed[below] >= gap - 1e-9
    assert sum(placed) == pytest.approx(sum(positions))


def test_labels_far_apart_do_not_move() -> None:
    assert chart_style.spread([0.1, 0.9], 0.05) == [0.1, 0.9]


def test_arms_of_one_title_get_different_labels() -> None:
    styles = chart_style.arm_styles({"a": {"title": "same"}, "b": {"title": "same"}, "c": {}})
    assert [style.label for style in styles.values()] == ["same", "same (2)", "c"]
    assert len({style.colour for style in styles.values()}) == 3
    assert len({style.shape for style in styles.values()}) == 3
