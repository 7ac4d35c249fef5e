"""Comparison plot: a dot and an interval a row, for scores of arms or differences of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.tables import show


@dataclass(frozen=True)
class Dot:
    """One row: its name, value and interval."""

    label: str
    value: float
    low: float | None
    high: float | None


def dot_plot(name: str, title: str, axis: str, dots: Sequence[Dot], zero: bool = False) -> Chart | None:
    """Rows in the order given, top first; ``zero`` marks no difference. None without rows."""
    if not dots:
        return None
    import altair as alt

    values = [v for dot in dots for v in (dot.value, dot.low, dot.high) if v is not None] + (
        [0.0] if zero else []
    )
    labels = style.distinct([dot.label for dot in dots], 52)
    shared = {
        "x": alt.X(
            "x:Q",
            title=axis,
            scale=alt.Scale(domain=list(style.value_domain(values)), nice=False, zero=False),
            axis=alt.Axis(tickCount=6, **({"labelExpr": style.SIGNED} if zero else {"format": ".3~f"})),
        ),
        "y": alt.Y(
            "y:N",
            title=None,
            sort=labels,
            scale=alt.Scale(domain=labels),
            axis=alt.Axis(ticks=False, domain=False),
        ),
    }
    points = [
        {"y": label, "x": dot.value, "label": show(dot.value, "signed" if zero else "score")}
        for label, dot in zip(labels, dots, strict=True)
    ]
    bars = [
        {"y": label, "x": dot.low, "x2": dot.high}
        for label, dot in zip(labels, dots, strict=True)
        if dot.low is not None and dot.high is not None
    ]
    layers: list[Any] = []
    if zero:
        line = alt.Chart(style.data([{"x": 0.0}]))
        layers.append(line.mark_rule(color=style.INK, strokeWidth=1.2).encode(x=shared["x"]))
    if bars:
        layers.append(
            alt.Chart(style.data(bars))
            .mark_rule(color=style.COLOURS[0], strokeWidth=2.4)
            .encode(**shared, x2="x2:Q")
        )
    made = alt.Chart(style.data(points)).encode(**shared)
    layers.append(made.mark_point(filled=True, size=80, color=style.COLOURS[0], opacity=1))
    layers.append(
        made.mark_text(dy=-12, color=style.INK, fontSize=11.5, baseline="middle").encode(text="label:N")
    )
    caption = "Point: value; bar: its interval, made as the table below says."
    return Chart(name, f"{title}: {len(dots)} rows with intervals", caption,
                 style.finished(layers, title, "value and interval", 44 * len(dots) + 10))  # fmt: skip
