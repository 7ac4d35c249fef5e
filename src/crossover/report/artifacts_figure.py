"""Figures of the artefact study: scores with and without a mark, and readings against the base rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.measure.looks import percent
from crossover.report import chart_style as style
from crossover.report.chart_style import metric_title
from crossover.report.drawing import Chart
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text
from crossover.report.tables import show

_ROW = 40
"""Height of one row of a figure."""
WITH, WITHOUT, BASE = style.COLOURS[0], style.COLOURS[1], style.MUTED

NAMES = {
    "length": "length alone",
    "formatting": "formatting alone (length, capitals, digits, punctuation, URLs)",
    "meta": "declared meta columns alone",
}


def at_level(plain: Plain) -> str:
    """The coverage of the intervals, as they are named."""
    return percent(number(plain, "level") or 0.95)


def reading_title(name: str) -> str:
    """A reading in words."""
    return NAMES.get(name, f"{name} alone" if name.startswith("order of") else name)


def worth_plot(plain: Plain) -> Chart | None:
    """A row a mark: the score with it, without it, and the interval of the latter's distance."""
    several = len(keyed_rows(plain, "arms")) > 1
    subject = text(plain, "subject")
    made = []
    for row in sorted(rows(plain, "worth"), key=lambda one: text(one, "arm") != subject):
        drop = mapping(row, "drop")
        values = [number(row, "with"), number(row, "without"), number(drop, "low"), number(drop, "high")]
        if None in values:
            continue
        first, second, low, high = (value or 0.0 for value in values)
        turned = 1.0 if (first - second) * (number(drop, "mean") or 0.0) >= 0 else -1.0
        ends = sorted((first - turned * low, first - turned * high))
        label = text(row, "mark") + (f", {text(row, 'arm')}" if several else "")
        made.append({"label": label, "with": first, "without": second, "low": ends[0], "high": ends[1]})
    name = metric_title(text(plain, "metric", "score"))
    title = f"{name} with and without each mark"
    caption = (
        "Filled: the score as it is; hollow: with the mark taken out of the test texts, with the "
        f"{at_level(plain)} interval of the paired difference."
    )
    return _pairs("worth", title, name, made, ("with it", "without it"), caption)


def readings_plot(plain: Plain) -> Chart | None:
    """A row a reading: its score, and the base rate."""
    made = []
    for key in ("alone", "partial"):
        for row in rows(plain, key):
            difference = mapping(row, "difference")
            values = [
                number(row, "base"),
                number(row, "score"),
                number(difference, "low"),
                number(difference, "high"),
            ]
            if None in values:
                continue
            base, score, low, high = (value or 0.0 for value in values)
            turned = 1.0 if (score - base) * (number(difference, "mean") or 0.0) >= 0 else -1.0
            ends = sorted((base + turned * low, base + turned * high))
            label = reading_title(text(row, "name"))
            made.append({"label": label, "with": base, "without": score, "low": ends[0], "high": ends[1]})
    name = metric_title(text(plain, "metric", "score"))
    caption = (
        "Filled: the base rate, what the class shares alone give; hollow: the reading, with the "
        f"{at_level(plain)} interval of the paired difference."
    )
    return _pairs(
        "readings",
        f"{name} of what can be predicted without the whole text",
        name,
        made,
        ("base rate", "reading"),
        caption,
    )


def _pairs(
    name: str,
    title: str,
    axis: str,
    made: Sequence[Mapping[str, Any]],
    legend: tuple[str, str],
    caption: str,
) -> Chart | None:
    """Two points a row, the second with an interval."""
    if not made:
        return None
    import altair as alt

    labels = style.distinct([row["label"] for row in made], 44)
    points = [{**row, "y": label} for row, label in zip(made, labels, strict=True)]
    values = [row[key] for row in made for key in ("with", "without", "low", "high")]
    y = alt.Y(
        "y:N",
        title=None,
        sort=labels,
        scale=alt.Scale(domain=labels),
        axis=alt.Axis(ticks=False, domain=False),
    )
    x = {
        "title": axis,
        "scale": alt.Scale(domain=list(style.value_domain(values)), nice=False, zero=False),
        "axis": alt.Axis(tickCount=6, format=".3~f"),
    }
    base = alt.Chart(style.data(points))
    layers: list[Any] = [
        base.mark_rule(color=WITHOUT, strokeWidth=2.4).encode(x=alt.X("low:Q", **x), x2="high:Q", y=y),
        base.mark_point(filled=True, size=80, color=WITH, opacity=1).encode(x=alt.X("with:Q", **x), y=y),
        base.mark_point(size=80, stroke=WITHOUT, fill=style.PAPER, strokeWidth=2, opacity=1).encode(
            x=alt.X("without:Q", **x), y=y
        ),
    ]
    told = [
        {"y": label, "x": row["without"], "said": show(row["without"], "score")}
        for row, label in zip(made, labels, strict=True)
    ]
    layers.append(
        alt.Chart(style.data(told))
        .mark_text(dy=-13, color=style.INK, fontSize=11.5, baseline="middle")
        .encode(x=alt.X("x:Q", **x), y=y, text="said:N")
    )
    subtitle = f"filled: {legend[0]}; hollow: {legend[1]}, with its interval"
    return Chart(
        name,
        f"{title}: {len(made)} rows",
        caption,
        style.finished(layers, title, subtitle, _ROW * len(made) + 10),
    )
