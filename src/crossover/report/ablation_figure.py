"""Figures of an ablation: three ways of crediting each component, and the credit of each draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.plain_values import Plain, mapping, number, numbers, text

KINDS = {
    "leave_one_out": "left out alone",
    "shapley": "Shapley value",
    "add_one": "added alone",
    "main": "main effect",
}
"""Kinds of effect in the order they are drawn, as a reader knows them."""
_ROW = 58


def credit_chart(components: Mapping[str, Plain], metric: str) -> Chart | None:
    """A row a component, a point with its interval for each kind of effect; None without any."""
    import altair as alt

    points = [
        {
            "component": label,
            "kind": title,
            "x": value,
            "low": number(effect, "low"),
            "high": number(effect, "high"),
        }
        for label, row in zip(style.distinct(list(components)), components.values(), strict=True)
        for kind, title in KINDS.items()
        for effect in [mapping(row, kind)]
        if (value := number(effect, "mean")) is not None
    ]
    if not points:
        return None
    bars = [{**point, "x": point["low"]} for point in points if point["low"] is not None]
    kinds = [title for title in KINDS.values() if any(point["kind"] == title for point in points)]
    values = [0.0] + [float(v) for p in points for v in (p["x"], p["low"], p["high"]) if isinstance(v, float)]
    shown = {
        "x": _effect_axis(values, f"effect on {metric} (right of 0: better with it)"),
        "y": _component_axis(style.distinct(list(components))),
        "yOffset": alt.YOffset("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, paddingOuter=0.5)),
    }
    colour = alt.Color(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=kinds, range=list(style.COLOURS[: len(kinds)])),
        legend=alt.Legend(orient="top", direction="horizontal", labelFontSize=12, symbolSize=90, offset=4),
    )
    shape = alt.Shape(
        "kind:N", title=None, scale=alt.Scale(domain=kinds, range=list(style.SHAPES[: len(kinds)]))
    )
    made = alt.Chart(style.data(points)).encode(**shown)
    layers = [
        _zero(shown["x"]),
        alt.Chart(style.data(bars)).mark_rule(strokeWidth=2.2).encode(**shown, color=colour, x2="high:Q"),
        made.mark_point(filled=True, size=75, opacity=1).encode(color=colour, shape=shape),
    ]
    return Chart(
        "credit",
        f"What each of {len(components)} components is credited with, three ways, with 95% intervals",
        "Left out alone: what the whole model loses without it. Added alone: what it brings to nothing. "
        "Shapley value: its mean gain over all orders of adding; these alone sum to the whole model's gain."
        if "Shapley value" in kinds
        else "Main effect: mean score with it less mean score without it, over the coalitions that were run.",
        style.finished(
            layers, "What each component is credited with", "mean over draws and its 95% interval",
            _ROW * len(components) + 10,
        ),
    )  # fmt: skip


def draw_chart(components: Mapping[str, Plain], primary: str, metric: str) -> Chart | None:
    """A row a component, a dot a draw; None without any draw."""
    import altair as alt

    labels = style.distinct(list(components))
    dots: list[dict[str, object]] = []
    counts: list[dict[str, object]] = []
    values = [0.0]
    for label, row in zip(labels, components.values(), strict=True):
        draws = numbers(mapping(row, primary), "draws")
        if not draws:
            continue
        values += draws
        dots += [{"component": label, "x": value} for value in draws[: style.DRAWS_SHOWN]]
        above = sum(value > 0 for value in draws)
        counts.append({"component": label, "said": f"{above} of {len(draws)} above 0, {_stable(row)}"})
    if not dots:
        return None
    x = _effect_axis(values, f"{KINDS.get(primary, primary)} on each draw, {metric}")
    y = _component_axis(labels)
    edge = style.value_domain(values)[1]
    marks = alt.Chart(style.data(dots)).mark_point(
        size=70, filled=False, strokeWidth=1.8, color=style.COLOURS[0], opacity=0.9
    )
    words = alt.Chart(style.data([{**count, "x": edge} for count in counts])).mark_text(
        align="left", dx=12, fontSize=12, color=style.INK
    )
    layers = [_zero(x), marks.encode(x=x, y=y), words.encode(x=x, y=y, text="said:N")]
    return Chart(
        "draws",
        f"The effect of {len(components)} components on each training draw",
        "One ring a training draw. Stable: above 0 in so many draws that it would be in over 80% of all.",
        style.finished(layers, "Draw by draw", "one ring a training draw", 34 * len(components) + 10),
    )


def _stable(row: Plain) -> str:
    word = text(mapping(row, "stable"), "word", "not established")
    return word if word != "not established" else "stability not established"


def _effect_axis(values: Sequence[float], title: str) -> Any:
    import altair as alt

    return alt.X(
        "x:Q",
        title=title,
        scale=alt.Scale(domain=list(style.value_domain(values)), nice=False, zero=False),
        axis=alt.Axis(tickCount=6, labelExpr=style.SIGNED),
    )


def _component_axis(labels: Sequence[str]) -> Any:
    import altair as alt

    return alt.Y(
        "component:N",
        title=None,
        sort=list(labels),
        scale=alt.Scale(domain=list(labels)),
        axis=alt.Axis(ticks=False, domain=False, grid=True, labelColor=style.INK, labelFontSize=13),
    )


def _zero(x: Any) -> Any:
    import altair as alt

    return alt.Chart(style.data([{"x": 0.0}])).mark_rule(color=style.INK, strokeWidth=1.2).encode(x=x)
