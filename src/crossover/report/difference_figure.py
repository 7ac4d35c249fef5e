"""Difference plot: expensive arm minus cheap arm by size, and the interval of the crossing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.learning_curve_figure import ends
from crossover.report.plain_values import Plain, keyed_rows, number, numbers, rows, text


def difference_plot(plain: Plain, pair: Plain, name: str) -> Chart | None:
    """The figure for one pair of a crossover verdict; None where the pair has no difference.

    Zero is a solid line, a margin other than zero a dashed one; the pieces of the crossing's
    interval are shaded over the sizes they span, to the edge where they are open.
    """
    points = _points(pair)
    if not points:
        return None
    margin = number(pair, "margin") or 0.0
    values = style.reach(
        [0.0, margin, *(value for point in points for value in (point["y"], *point["draws"]))],
        [end for point in points if point["decides"] for end in ends(point)],
        [end for point in points if not point["decides"] for end in ends(point)],
    )
    sizes = [point["x"] for point in points]
    metric = style.metric_title(text(plain, "metric", "score"))
    axes = {
        "x": style.size_axis(sizes, text(plain, "axis", "labelled rows (n)")),
        "y": style.value_axis(values, f"difference in {metric}", signed=True),
    }
    expensive, cheap = _names(plain, pair)
    layers = [
        *_pieces(pair, axes, style.size_domain(sizes), style.value_domain(values)),
        *_levels(axes, margin, style.size_domain(sizes)),
        *_differences(points, axes),
        *_sides(axes, expensive, cheap, style.size_domain(sizes)[1]),
    ]
    level = number(pair, "level") or 0.95
    decided = any(point["decides"] for point in points)
    caption = (
        f"Above zero {expensive} is ahead, below it {cheap}. Point and bar: mean paired difference with its "
    )
    caption += f"{100 * level:.3g}% interval at that size; small marks: single draws."
    if not all(point["decides"] for point in points):
        caption += " Hollow points with thin bars decide nothing; a bar cut at the frame goes on beyond it."
    if rows(pair, "pieces"):
        caption += " Shaded: the interval of the crossing; line in it: the estimate."
    subtitle = f"paired by draw of the training rows, {metric}" + ("" if decided else "; an illustration")
    label = f"Difference in {metric}, {expensive} minus {cheap}, by labelled rows"
    title = f"{expensive} minus {cheap}"
    return Chart(name, label, caption, style.finished(layers, title, subtitle, 270 if decided else 180))


def _names(plain: Plain, pair: Plain) -> tuple[str, str]:
    styles = style.arm_styles(keyed_rows(plain, "arms"))
    named = []
    for side in ("expensive", "cheap"):
        key = text(pair, side, side)
        named.append(styles[key].label if key in styles else style.short(key))
    return named[0], named[1]


def _points(pair: Plain) -> list[dict[str, Any]]:
    """One point a size; where a size was also used to locate, the deciding stage is shown."""
    points: dict[float, dict[str, Any]] = {}
    for row in rows(pair, "differences"):
        size, mean = number(row, "size"), number(row, "mean")
        decides = number(row, "stage") != 1 and number(row, "n_draws") != 1
        if size is None or mean is None or size <= 0 or (size in points and not decides):
            continue
        points[size] = {
            "x": size,
            "y": mean,
            "low": number(row, "low"),
            "high": number(row, "high"),
            "draws": numbers(row, "draws")[: style.DRAWS_SHOWN],
            "decides": decides,
        }
    return [points[size] for size in sorted(points)]


def _pieces(
    pair: Plain, axes: Mapping[str, Any], width: tuple[float, float], height: tuple[float, float]
) -> list[Any]:
    import altair as alt

    bands, labels = [], []
    for piece in rows(pair, "pieces"):
        low, high = number(piece, "low"), number(piece, "high")
        start = width[0] if low is None or piece.get("low_open") is True else max(low, width[0])
        end = width[1] if high is None or piece.get("high_open") is True else min(high, width[1])
        bands.append({"x": start, "x2": end, "y": height[0], "y2": height[1]})
        labels.append({"x": (start * end) ** 0.5, "y": height[1], "label": f"crossing {piece_text(piece)}"})
    if not bands:
        return []
    layers = [
        alt.Chart(style.data(bands))
        .mark_rect(color=style.SHADE, opacity=0.2)
        .encode(**axes, x2="x2:Q", y2="y2:Q"),
        alt.Chart(style.data(labels))
        .mark_text(color=style.INK, fontSize=11.5, dy=-8, baseline="bottom")
        .encode(**axes, text="label:N"),
    ]
    estimate = number(pair, "estimate")
    if estimate is not None and width[0] <= estimate <= width[1]:
        line = [{"x": estimate, "y": height[0], "y2": height[1]}]
        layers.append(
            alt.Chart(style.data(line)).mark_rule(color=style.SHADE, strokeWidth=2).encode(**axes, y2="y2:Q")
        )
    return layers


def piece_text(piece: Plain) -> str:
    """``500 to 900``, ``<= 50 to 900``: one piece of a crossing's interval in words."""
    low, high = number(piece, "low"), number(piece, "high")
    first = "?" if low is None else f"{'≤ ' if piece.get('low_open') is True else ''}{low:,.0f}"
    last = "?" if high is None else f"{'≥ ' if piece.get('high_open') is True else ''}{high:,.0f}"
    return f"{first} to {last}"


def _levels(axes: Mapping[str, Any], margin: float, width: tuple[float, float]) -> list[Any]:
    import altair as alt

    def line(level: float, **look: Any) -> Any:
        return (
            alt.Chart(style.data([{"x": width[0], "x2": width[1], "y": level}]))
            .mark_rule(**look)
            .encode(**axes, x2="x2:Q")
        )

    layers = [line(0.0, color=style.INK, strokeWidth=1.2)]
    if margin:
        layers.append(line(margin, color=style.INK, strokeWidth=1.2, strokeDash=[5, 4]))
        label = [{"x": width[1], "y": margin, "label": f"margin {margin:+.3g}".replace("-", "−")}]
        layers.append(
            alt.Chart(style.data(label))
            .mark_text(align="right", baseline="bottom", dy=-3, color=style.INK, fontSize=11.5)
            .encode(**axes, text="label:N")
        )
    return layers


def _differences(points: Sequence[Mapping[str, Any]], axes: Mapping[str, Any]) -> list[Any]:
    import altair as alt

    draws = [
        {"x": p["x"] * 2**0.05, "y": value} for p in points if len(p["draws"]) > 1 for value in p["draws"]
    ]
    colour = style.COLOURS[0]
    layers = [
        alt.Chart(style.data([{"x": p["x"], "y": p["y"]} for p in points]))
        .mark_line(color=colour, strokeWidth=1.6, opacity=0.7)
        .encode(**axes)
    ]
    if draws:
        layers.append(
            alt.Chart(style.data(draws))
            .mark_point(filled=True, size=14, color=colour, opacity=0.45)
            .encode(**axes)
        )
    for decides in (True, False):
        bars = [
            {"x": p["x"], "y": p["low"], "y2": p["high"]}
            for p in points
            if p["decides"] is decides and len(ends(p)) == 2
        ]
        if bars:
            layers.append(
                alt.Chart(style.data(bars))
                .mark_rule(
                    color=colour, strokeWidth=2.4 if decides else 1, opacity=1 if decides else 0.4, clip=True
                )
                .encode(**axes, y2="y2:Q")
            )
        marks = [{"x": p["x"], "y": p["y"]} for p in points if p["decides"] is decides]
        if marks:
            layers.append(
                alt.Chart(style.data(marks))
                .mark_point(
                    size=70,
                    stroke=colour,
                    fill=colour if decides else style.PAPER,
                    strokeWidth=1.8,
                    opacity=1,
                )
                .encode(**axes)
            )
    return layers


def _sides(axes: Mapping[str, Any], expensive: str, cheap: str, right: float) -> list[Any]:
    """Which arm is ahead on each side of zero, written to the right of the plot."""
    import altair as alt

    layers = []
    for label, dy in ((f"↑ {expensive} ahead", -9), (f"↓ {cheap} ahead", 10)):
        chart = alt.Chart(style.data([{"x": right, "y": 0.0, "label": label}]))
        mark = chart.mark_text(align="left", baseline="middle", dx=8, dy=dy, color=style.MUTED, fontSize=11.5)
        layers.append(mark.encode(**axes, text="label:N"))
    return layers
