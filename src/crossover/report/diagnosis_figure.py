"""Figures of a diagnosis: errors over sizes against the target, null runs, the course of the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, numbers, rows, text

BAND = 34
"""Height of one row of the null figure."""


def error_curves(plain: Plain) -> Chart | None:
    """Training (hollow, dashed) and validation (filled) errors of each arm over sizes, and the target."""
    arms = keyed_rows(plain, "arms")
    points = [point for point in rows(plain, "errors") if number(point, "mean") is not None]
    target = number(plain, "target")
    if not points or target is None:
        return None
    import altair as alt

    styles = style.arm_styles(arms)
    ends = [v for p in points for v in (number(p, "low"), number(p, "high")) if v is not None]
    means = [v for p in points if (v := number(p, "mean")) is not None]
    # a bound of few draws may be far longer than the curve: it is cut at the frame
    values = style.reach([*means, target], [], ends)
    metric = style.metric_title(text(plain, "metric", "score"))
    sizes = [v for p in points if (v := number(p, "size")) is not None]
    axes = {
        "x": style.size_axis(sizes, "training rows (n)"),
        "y": style.value_axis(values, f"error in {metric}"),
    }
    domain = style.size_domain(sizes)
    rule = [{"x": domain[0], "x2": domain[1], "y": target}]
    layers: list[Any] = [
        alt.Chart(style.data(rule))
        .mark_rule(color=style.INK, strokeDash=[2, 3], strokeWidth=1.4)
        .encode(**axes, x2="x2:Q"),
        alt.Chart(style.data([{"x": domain[0], "y": target, "label": f"target {target:g}"}]))
        .mark_text(align="left", dx=4, dy=-8, color=style.INK, fontSize=12)
        .encode(**axes, text="label:N"),
    ]
    last: dict[str, dict[str, Any]] = {}
    for k, key in enumerate(arms):
        for part in ("training", "validation"):
            line = _line([p for p in points if text(p, "arm") == key and text(p, "part") == part], k)
            if line:
                layers += _curve(line, styles[key], part == "training", axes)
                if part == "validation":
                    last[key] = {"x": max(sizes), "y": line[-1]["y"]}
    layers += style.edge_labels(last, styles, axes, style.value_domain(values)) if last else []
    caption = (
        "Filled marks and solid lines: validation error; hollow marks and dashed lines: training error. "
        "Bars: 95% intervals over draws, one size at a time; they decide nothing, the bounds of the "
        "decision table are wider. A bar cut at the frame goes on; the table has it in full."
    )
    spec = style.finished(
        layers, "Training and validation error", "mean over draws of the training rows", right=24
    )
    label = f"Training and validation errors of {len(arms)} arms over training rows, target {target:g}"
    return Chart("errors", label, caption, spec)


def _line(points: Sequence[Plain], aside: int) -> list[dict[str, Any]]:
    line: list[dict[str, Any]] = [
        {
            "x": (number(p, "size") or 0.0) * 2 ** (0.03 * aside),
            "y": number(p, "mean"),
            "low": number(p, "low"),
            "high": number(p, "high"),
        }
        for p in points
    ]
    return sorted(line, key=lambda point: float(point["x"]))


def _curve(
    line: Sequence[Mapping[str, Any]], arm: style.ArmStyle, training: bool, axes: Mapping[str, Any]
) -> list[Any]:
    import altair as alt

    whole = [{"x": p["x"], "y": p["low"], "y2": p["high"]} for p in line if p["low"] is not None]
    made = alt.Chart(style.data([{"x": p["x"], "y": p["y"]} for p in line]))
    dash = [6, 4] if training else [1, 0]
    return [
        alt.Chart(style.data(whole))
        .mark_rule(color=arm.colour, opacity=0.55, strokeWidth=1 if training else 2, clip=True)
        .encode(**axes, y2="y2:Q"),
        made.mark_line(color=arm.colour, strokeWidth=2, strokeDash=dash).encode(**axes),
        made.mark_point(
            shape=arm.shape, size=56, opacity=1, strokeWidth=1.8, stroke=arm.colour,
            fill=style.PAPER if training else arm.colour,
        ).encode(**axes),
    ]  # fmt: skip


def null_plot(plain: Plain) -> Chart | None:
    """Accuracy of null runs and of real runs of the same size, a mark a run, and the majority rule."""
    nulls = mapping(plain, "nulls")
    kinds = (("labels permuted", "permuted", 1), ("constant text", "constant", 5), ("real runs", "real", 2))
    found = {title: (numbers(nulls, key), look) for title, key, look in kinds if numbers(nulls, key)}
    if "labels permuted" not in found:
        return None
    import altair as alt

    majority = number(nulls, "majority")
    values = [v for each, _ in found.values() for v in each] + ([majority] if majority is not None else [])
    shared = {
        "x": alt.X(
            "x:Q",
            title="accuracy on the rows scored by the null runs",
            scale=alt.Scale(domain=list(style.value_domain(values)), nice=False, zero=False),
            axis=alt.Axis(tickCount=6, format=".3~f"),
        ),
        "y": alt.Y(
            "y:N", title=None, sort=list(found), scale=alt.Scale(domain=list(found)),
            axis=alt.Axis(ticks=False, domain=False),
        ),
    }  # fmt: skip
    layers: list[Any] = []
    if majority is not None:
        line = alt.Chart(style.data([{"x": majority, "label": "majority rule"}]))
        layers.append(line.mark_rule(color=style.INK, strokeDash=[2, 3]).encode(x=shared["x"]))
        layers.append(
            line.mark_text(align="left", dx=5, color=style.INK, fontSize=12).encode(
                x=shared["x"], y=alt.value(-7), text="label:N"
            )
        )
    for title, (each, look) in found.items():
        made = alt.Chart(style.data([{"x": value, "y": title} for value in each])).encode(**shared)
        colour = style.COLOURS[look % len(style.COLOURS)]
        layers.append(made.mark_tick(color=colour, thickness=2, size=18, opacity=0.6))
    size = number(nulls, "size")
    subtitle = f"each mark one run on {size:,.0f} rows" if size is not None else "each mark one run"
    caption = (
        "A model that can know nothing (labels permuted, or every text the same) must not lie beyond the "
        "majority rule in the mean; the real runs should lie apart from the permuted ones."
    )
    spec = style.finished(layers, "Null runs", subtitle, BAND * len(found) + 16)
    return Chart("nulls", f"Accuracy of null runs and real runs, {len(found)} kinds", caption, spec)


def course_plot(plain: Plain) -> Chart | None:
    """Block means of the training loss, a line a run."""
    courses = [numbers(course, "blocks") for course in rows(plain, "courses")]
    courses = [blocks for blocks in courses if len(blocks) > 1]
    if not courses:
        return None
    import altair as alt

    values = [value for blocks in courses for value in blocks]
    x = alt.X(
        "x:Q", title="tenth of the training steps",
        scale=alt.Scale(domain=[0.7, len(courses[0]) + 0.3], nice=False),
        axis=alt.Axis(values=list(range(1, len(courses[0]) + 1)), grid=False, format="d"),
    )  # fmt: skip
    axes = {"x": x, "y": style.value_axis(values, "training loss (nats), mean of a tenth")}
    layers: list[Any] = []
    for blocks in courses[: style.DRAWS_SHOWN]:
        line = alt.Chart(style.data([{"x": k, "y": value} for k, value in enumerate(blocks, start=1)]))
        layers.append(line.mark_line(color=style.COLOURS[0], opacity=0.6).encode(**axes))
        layers.append(line.mark_point(color=style.COLOURS[0], size=20, filled=True).encode(**axes))
    return Chart(
        "courses",
        f"Training loss over the steps of {len(courses)} runs",
        "One line a run. A rise beyond the noise of batches, or turns up and down, is evidence against the "
        "learning rate only where the intervention lowers the objective.",
        style.finished(layers, "The course of training", f"{len(courses)} runs at the largest size", 220),
    )
