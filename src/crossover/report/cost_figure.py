"""Cost plot: score against the cold seconds of one fit, a path for each arm over the sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.learning_curve_figure import ends
from crossover.report.plain_values import Plain, keyed_rows, number, rows, text


def cost_plot(plain: Plain) -> Chart | None:
    """The figure for a crossover verdict; None where no point has both a score and a cost."""
    arms = keyed_rows(plain, "arms")
    styles = style.arm_styles(arms)
    paths = {key: path for key, arm in arms.items() if (path := _path(plain, key, arm))}
    if not paths:
        return None
    points = [point for path in paths.values() for point in path]
    values = style.reach(
        [point["y"] for point in points],
        [end for point in points if point["decides"] for end in ends(point)],
        [],
    )
    metric = style.metric_title(text(plain, "metric", "score"))
    axes = _axes([point["x"] for point in points], values, metric)
    layers: list[Any] = []
    for key, path in paths.items():
        layers += _arm_layers(path, styles[key], axes)
    layers += _labels(paths, styles, axes)
    return Chart(
        "cost",
        f"Cost: {metric} against cold training seconds for {len(paths)} arms",
        "Each mark is one arm at one size (the ends are named), each bar the interval of a deciding size. "
        "Cold: nothing cached, encoding included. Up and to the left is better.",
        style.finished(layers, "What a point costs", f"{metric} against cold seconds of one fit"),
    )


def cold_seconds(plain: Plain, key: str, size: float, point: Plain) -> float | None:
    """Cold seconds of one fit, from the cost table, else from the curve."""
    for row in rows(plain, "cost"):
        if text(row, "arm") == key and number(row, "size") == size:
            found = number(row, "fit_seconds_cold")
            return found if found is not None else number(row, "fit_seconds")
    return number(point, "fit_seconds_cold")


def _path(plain: Plain, key: str, arm: Plain) -> list[dict[str, Any]]:
    path = []
    for point in rows(arm, "curve"):
        size, mean = number(point, "size"), number(point, "mean")
        if size is None or mean is None:
            continue
        seconds = cold_seconds(plain, key, size, point)
        if seconds is not None and seconds > 0:
            interval = {"low": number(point, "low"), "high": number(point, "high")}
            decides = number(point, "stage") != 1
            path.append({"x": seconds, "y": mean, "size": size, "decides": decides, **interval})
    return sorted(path, key=lambda step: float(step["size"]))


def _axes(seconds: Sequence[float], values: Sequence[float], metric: str) -> dict[str, Any]:
    import altair as alt

    return {
        "x": alt.X(
            "x:Q",
            title="cold seconds of one fit, log scale",
            scale=alt.Scale(type="log", domain=[min(seconds) / 1.5, max(seconds) * 1.5], nice=False),
            axis=alt.Axis(format="~g", grid=False, tickCount=6, labelOverlap="greedy"),
        ),
        "y": style.value_axis(values, metric),
    }


def _arm_layers(path: Sequence[Mapping[str, Any]], arm: style.ArmStyle, axes: Mapping[str, Any]) -> list[Any]:
    import altair as alt

    points = [{"x": p["x"], "y": p["y"], "order": k} for k, p in enumerate(path)]
    dash = [6, 4] if arm.illustration else [1, 0]
    layers = [
        alt.Chart(style.data(points))
        .mark_line(color=arm.colour, strokeWidth=1.6, opacity=0.75, strokeDash=dash)
        .encode(**axes, order="order:Q")
    ]
    bars = [{"x": p["x"], "y": p["low"], "y2": p["high"]} for p in path if p["decides"] and len(ends(p)) == 2]
    if bars:
        made = alt.Chart(style.data(bars)).mark_rule(color=arm.colour, opacity=0.6, clip=True)
        layers.append(made.encode(**axes, y2="y2:Q"))
    return layers + style.mean_marks(path, arm, axes, 50)


def _labels(
    paths: Mapping[str, Sequence[Mapping[str, Any]]],
    styles: Mapping[str, style.ArmStyle],
    axes: Mapping[str, Any],
) -> list[Any]:
    """The smallest and largest size beside their marks, and the arm's name above its path."""
    import altair as alt

    layers = []
    for key, path in paths.items():
        arm = styles[key]
        first_and_last = [path[0], path[-1]] if len(path) > 1 else [path[0]]
        sizes = [{"x": p["x"], "y": p["y"], "label": f"{p['size']:,.0f}"} for p in first_and_last]
        layers.append(
            alt.Chart(style.data(sizes))
            .mark_text(align="left", baseline="top", dx=6, dy=5, fontSize=11, color=style.MUTED)
            .encode(**axes, text="label:N")
        )
        label = f"{arm.label} (illustration)" if arm.illustration else arm.label
        chart = alt.Chart(style.data([{"x": path[-1]["x"], "y": path[-1]["y"], "label": label}]))
        place = {
            "align": "left",
            "baseline": "bottom",
            "dx": 8,
            "dy": -4,
            "fontSize": 12.5,
            "fontWeight": 600,
        }
        chart = chart.encode(**axes, text="label:N")
        layers.append(chart.mark_text(stroke=style.PAPER, strokeWidth=3, limit=330, **place))
        layers.append(chart.mark_text(color=arm.colour, limit=330, **place))
    return layers
