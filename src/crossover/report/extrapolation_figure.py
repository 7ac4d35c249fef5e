"""If the curves went on: each arm's fitted law over the sizes run, and where it goes beyond them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.learning_curve_figure import ends
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text


def extrapolation_plot(plain: Plain) -> Chart | None:
    """The figure for a crossover verdict's ``numbers``; None where no arm has an extrapolation."""
    arms = known_arms(plain)
    styles = style.arm_styles(arms)
    lines = {
        key: line for key in keyed_rows(plain, "extrapolation") if (line := _line(plain, arms[key], key))
    }
    if not lines:
        return None
    points = [point for line in lines.values() for part in line.values() for point in part]
    values = style.reach(
        [point["y"] for point in points], [], [end for point in points for end in ends(point)]
    )
    metric = style.metric_title(text(plain, "metric", "score"))
    axes = {
        "x": style.size_axis([point["x"] for point in points], text(plain, "axis", "labelled rows (n)")),
        "y": style.value_axis(values, metric),
    }
    largest = max(point["x"] for line in lines.values() for point in line["found"])
    layers = _frontier(largest, axes)
    for k, (key, line) in enumerate(lines.items()):
        layers += _arm_layers(line, styles[key], axes, 2 ** (0.06 * k))
    last = {key: line["ahead"][-1] for key, line in lines.items()}
    layers += style.edge_labels(last, styles, axes, style.value_domain(values))
    return Chart(
        "extrapolation",
        f"If the curves went on: {metric} of {len(lines)} arms beyond the largest size",
        "Filled marks: mean scores of the study. Solid line: the law fitted to them (none where the last "
        "value goes on); dashed: the same law beyond the largest size, hollow marks with 95% bars at 2 and 4 "
        "times it. Cross: the largest size as predicted from the smaller ones. A figure, no verdict; bars "
        "cut at the frame are in the table.",
        style.finished(
            layers, "If the curves went on", f"{metric}, fitted and carried beyond the largest size", right=24
        ),
    )


def known_arms(plain: Plain) -> dict[str, Plain]:
    """The study's arms, in order, then any that only the extrapolation names."""
    arms = keyed_rows(plain, "arms")
    return {**arms, **{key: {} for key in keyed_rows(plain, "extrapolation") if key not in arms}}


def _points(found: Sequence[Plain], name: str = "mean") -> list[dict[str, Any]]:
    points = []
    for row in found:
        size, value = number(row, "size"), number(row, name)
        if size is not None and value is not None and size > 0:
            points.append({"x": size, "y": value, "low": number(row, "low"), "high": number(row, "high")})
    return sorted(points, key=lambda point: float(point["x"]))


def _line(plain: Plain, arm: Plain, key: str) -> dict[str, list[dict[str, Any]]]:
    """Points found, fitted, ahead and held out; empty where there is nothing ahead."""
    entry = keyed_rows(plain, "extrapolation")[key]
    ahead, fitted = _points(rows(entry, "at")), _points(rows(entry, "fitted"))
    if not ahead or not fitted:
        return {}
    # Intervals of the means are in the figure of the learning curves; here they would only hide the law.
    found = [{**point, "low": None, "high": None} for point in _points(rows(arm, "curve"))] or fitted
    checked = _points([mapping(entry, "held_out")], "predicted")
    return {"found": found, "fitted": fitted, "ahead": ahead, "checked": checked}


def _frontier(largest: float, axes: Mapping[str, Any]) -> list[Any]:
    """A rule at the largest size that was run."""
    import altair as alt

    chart = alt.Chart(style.data([{"x": largest, "label": "largest size run"}]))
    rule = chart.mark_rule(color=style.RULE, strokeDash=[3, 3]).encode(x=axes["x"])
    label = chart.mark_text(align="right", dx=-6, fontSize=11, color=style.MUTED, baseline="bottom")
    return [rule, label.encode(x=axes["x"], y=alt.value(style.HEIGHT - 6), text="label:N")]


def _arm_layers(
    line: Mapping[str, Sequence[Mapping[str, Any]]],
    arm: style.ArmStyle,
    axes: Mapping[str, Any],
    aside: float,
) -> list[Any]:
    import altair as alt

    def chart(points: Sequence[Mapping[str, Any]], moved: float = 1.0) -> Any:
        return alt.Chart(style.data([{"x": p["x"] * moved, "y": p["y"]} for p in points])).encode(**axes)

    fitted, ahead = line["fitted"], line["ahead"]
    mark = {"shape": arm.shape, "size": 46, "stroke": arm.colour, "strokeWidth": 1.8, "opacity": 1}
    layers = [
        chart(fitted).mark_line(color=arm.colour, strokeWidth=2.2),
        chart([fitted[-1], *ahead]).mark_line(color=arm.colour, strokeWidth=1.8, strokeDash=[6, 4]),
        chart(line["found"]).mark_point(fill=arm.colour, **mark),
    ]
    bars = [{"x": p["x"] * aside, "y": p["low"], "y2": p["high"]} for p in ahead if len(ends(p)) == 2]
    if bars:
        made = alt.Chart(style.data(bars)).mark_rule(color=arm.colour, strokeWidth=2, opacity=0.6, clip=True)
        layers.append(made.encode(**axes, y2="y2:Q"))
    layers.append(chart(ahead, aside).mark_point(fill=style.PAPER, **mark))
    if line["checked"]:
        cross = {"shape": "M-1,-1L1,1M-1,1L1,-1", "size": 110, "stroke": arm.colour, "strokeWidth": 1.8}
        layers.append(chart(line["checked"]).mark_point(opacity=1, **cross))
    return layers
