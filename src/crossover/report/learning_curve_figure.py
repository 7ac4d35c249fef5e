"""Learning curves: the score of every arm against labelled rows, with interval bands and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.plain_values import Plain, keyed_rows, number, numbers, rows, text


def learning_curves(plain: Plain) -> Chart | None:
    """The figure for a crossover verdict's ``numbers``; None where no arm has a point."""
    arms = keyed_rows(plain, "arms")
    styles = style.arm_styles(arms)
    lines = {key: line for key, arm in arms.items() if (line := _line(arm))}
    if not lines:
        return None
    points = [point for line in lines.values() for point in line]
    values = style.reach(
        [value for point in points for value in (point["y"], *point["draws"])],
        [end for point in points if point["decides"] for end in ends(point)],
        [end for point in points if not point["decides"] for end in ends(point)],
    )
    metric = style.metric_title(text(plain, "metric", "score"))
    axes = {
        "x": style.size_axis([point["x"] for point in points], text(plain, "axis", "labelled rows (n)")),
        "y": style.value_axis(values, metric),
    }
    layers: list[Any] = []
    for k, (key, line) in enumerate(lines.items()):
        layers += _arm_layers(line, styles[key], axes, 2 ** (0.07 + 0.06 * k))
    last = {key: line[-1] for key, line in lines.items()}
    layers += style.edge_labels(last, styles, axes, style.value_domain(values))
    corpus = style.short(text(_corpus(plain), "name"), 40)
    return Chart(
        "learning_curves",
        f"Learning curves: {metric} against labelled rows for {len(lines)} arms",
        "Line: mean over draws of the training rows; band and bar: its interval; each small mark: one draw, "
        "set aside so that arms do not hide each other. Hollow marks with thin bars only located the "
        "crossing (stage 1); dashed lines are illustrations and enter no verdict. A bar cut at the frame "
        "goes on beyond it; the table has it in full.",
        style.finished(
            layers,
            "Learning curves",
            f"{metric} on the test rows{f' of {corpus}' if corpus else ''}",
            right=24,
        ),
    )


def ends(point: Mapping[str, Any]) -> list[float]:
    """The interval of a point, empty where it has none."""
    return [point[end] for end in ("low", "high") if point[end] is not None]


def _corpus(plain: Plain) -> Plain:
    corpus = plain.get("corpus")
    return corpus if isinstance(corpus, Mapping) else {}


def _line(arm: Plain) -> list[dict[str, Any]]:
    points = []
    for row in rows(arm, "curve"):
        size, mean = number(row, "size"), number(row, "mean")
        if size is None or mean is None or size <= 0:
            continue
        points.append(
            {
                "x": size,
                "y": mean,
                "low": number(row, "low"),
                "high": number(row, "high"),
                "draws": numbers(row, "draws")[: style.DRAWS_SHOWN],
                "decides": number(row, "stage") != 1,
            }
        )
    return sorted(points, key=lambda point: float(point["x"]))


def _arm_layers(
    line: Sequence[Mapping[str, Any]], arm: style.ArmStyle, axes: Mapping[str, Any], aside: float
) -> list[Any]:
    import altair as alt

    layers = []
    for decides in (True, False):
        whole = [point for point in line if point["decides"] is decides and len(ends(point)) == 2]
        if not whole:
            continue
        made = alt.Chart(style.data([{"x": p["x"], "y": p["low"], "y2": p["high"]} for p in whole]))
        made = made.encode(**axes, y2="y2:Q")
        if decides:
            layers.append(made.mark_area(color=arm.colour, opacity=0.15, clip=True))
        width, opacity = (2, 0.6) if decides else (1, 0.3)
        layers.append(made.mark_rule(color=arm.colour, opacity=opacity, strokeWidth=width, clip=True))
    draws = [{"x": p["x"] * aside, "y": value} for p in line for value in p["draws"]]
    if draws:
        layers.append(
            alt.Chart(style.data(draws))
            .mark_point(shape=arm.shape, filled=True, size=14, color=arm.colour, opacity=0.5)
            .encode(**axes)
        )
    means = alt.Chart(style.data([{"x": p["x"], "y": p["y"]} for p in line]))
    dash = [6, 4] if arm.illustration else [1, 0]
    layers.append(means.mark_line(color=arm.colour, strokeWidth=2.2, strokeDash=dash).encode(**axes))
    return layers + style.mean_marks(line, arm, axes, 46)
