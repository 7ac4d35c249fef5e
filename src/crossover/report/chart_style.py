"""How every figure looks: colours, axes, labels at the ends of lines.

The colours are those of Okabe and Ito (2008), told apart with any colour vision; each arm has a
shape of its own too. A page in dark mode recolours the neutral tones by their attribute values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from crossover.report.visible_text import visible

INK, MUTED, RULE, GRID, PAPER, SHADE = "#20262d", "#5b6570", "#8d969f", "#e3e7ea", "#ffffff", "#e8a317"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b08a00", "#56b4e9", "#7a5195", "#6b6b6b")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke", "triangle-right")
WIDTH, HEIGHT = 620, 300
SIGNED = "datum.value == 0 ? '0' : format(datum.value, '+.3~f')"
"""How an axis of differences writes its numbers."""
DRAWS_SHOWN = 60
"""Points drawn of one arm at one size."""


@dataclass(frozen=True)
class ArmStyle:
    """Colour, shape and short name of one arm, the same in every figure of a page."""

    key: str
    label: str
    colour: str
    shape: str
    illustration: bool


def arm_styles(arms: Mapping[str, Mapping[str, object]]) -> dict[str, ArmStyle]:
    """A style for each arm, in order; labels are made different where titles are alike."""
    styles: dict[str, ArmStyle] = {}
    labels = distinct([str(arm.get("title") or key) for key, arm in arms.items()])
    for k, ((key, arm), label) in enumerate(zip(arms.items(), labels, strict=True)):
        styles[key] = ArmStyle(
            key, label, COLOURS[k % len(COLOURS)], SHAPES[k % len(SHAPES)], arm.get("illustration") is True
        )
    return styles


def distinct(names: Sequence[str], limit: int = 34) -> list[str]:
    """Short labels of these names, numbered where they would be alike."""
    labels: list[str] = []
    for name in names:
        label = first = short(name, limit)
        copy = 2
        while label in labels:
            label, copy = f"{first} ({copy})", copy + 1
        labels.append(label)
    return labels


def short(text: str, limit: int = 34) -> str:
    """One line of a text for a label."""
    line = visible(" ".join(text.split()), 200)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def metric_title(name: str) -> str:
    """``macro_f1`` as a reader knows it."""
    known = {
        "macro_f1": "macro-F1",
        "mcc": "Matthews correlation",
        "log_loss": "log loss",
        "brier": "Brier score",
    }
    return known.get(name, short(name.replace("_", " ")))


def size_axis(sizes: Sequence[float], title: str) -> Any:
    """The log2 x axis with a tick at every grid size."""
    import altair as alt

    values = sorted(set(sizes))
    return alt.X(
        "x:Q",
        title=f"{title}, log scale",
        scale=alt.Scale(type="log", base=2, domain=list(size_domain(values)), nice=False),
        axis=alt.Axis(values=values, format=",d", labelOverlap="greedy", grid=False, tickSize=5),
    )


def size_domain(sizes: Sequence[float]) -> tuple[float, float]:
    """Ends of the x axis: a little room beyond the grid sizes."""
    return min(sizes) * 2**-0.3, max(sizes) * 2**0.3


def value_axis(values: Sequence[float], title: str, signed: bool = False) -> Any:
    """The y axis over these values, its title set level above it."""
    import altair as alt

    return alt.Y(
        "y:Q",
        title=title,
        scale=alt.Scale(domain=list(value_domain(values)), nice=False, zero=False),
        axis=alt.Axis(
            titleAngle=0, titleAlign="left", titleAnchor="end", titleY=-12, titleX=0, titleBaseline="bottom",
            tickCount=6, domain=False, ticks=False, format="" if signed else ".3~f",
            **({"labelExpr": SIGNED} if signed else {}),
        ),
    )  # fmt: skip


def value_domain(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis over these values, never of zero length."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or max(abs(high) * 0.05, 0.01)
    return low - room, high + room


def reach(sure: Sequence[float], deciding: Sequence[float], locating: Sequence[float]) -> list[float]:
    """Values an axis must hold: all of ``sure``, interval ends as far as they leave it readable.

    An interval of two draws can be ten times as long as the curve is high. Ends that decide may
    widen the axis to three times the span of ``sure``, ends that only locate by a quarter of it on
    each side; what goes beyond is cut at the frame and stands in the table.
    """
    low, high = min(sure), max(sure)
    span = high - low or 0.1 * abs(high) or 0.1
    cut = [min(max(end, low - span), high + span) for end in deciding]
    cut += [min(max(end, low - span / 4), high + span / 4) for end in locating]
    return [low, high, *cut]


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Positions moved as little as a single sweep can so that neighbours are ``gap`` apart."""
    order = sorted(range(len(positions)), key=lambda k: (positions[k], k))
    placed = list(positions)
    for before, after in pairwise(order):
        placed[after] = max(placed[after], placed[before] + gap)
    if order:
        shift = math.fsum(placed[k] - positions[k] for k in order) / len(order)
        placed = [value - shift for value in placed]
    return placed


def finished(
    layers: Sequence[Any], title: str, subtitle: str, height: int = HEIGHT, right: int = 20
) -> dict[str, Any]:
    """The layers as one specification in the house style; ``right`` is room for labels."""
    import altair as alt

    return in_style(
        alt.layer(*layers).properties(
            width=WIDTH,
            height=height,
            padding={"left": 8, "top": 8, "right": right, "bottom": 8},
            title=alt.TitleParams(title, subtitle=subtitle, anchor="start", frame="group", offset=22),
        )
    )


def in_style(chart: Any) -> dict[str, Any]:
    """The specification of a chart with the fonts, colours and rules of the house."""
    styled = (
        chart.configure(background=PAPER, font="Liberation Sans, Arial, Helvetica, sans-serif")
        .configure_view(stroke=None)
        .configure_title(
            fontSize=15, color=INK, subtitleColor=MUTED, subtitleFontSize=12, subtitlePadding=5,
            fontWeight=600, limit=820,
        )
        .configure_axis(
            labelColor=MUTED, titleColor=MUTED, labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
            gridColor=GRID, domainColor=RULE, tickColor=RULE, titlePadding=10, labelLimit=320, titleLimit=600,
        )
    )  # fmt: skip
    spec: dict[str, Any] = styled.to_dict()
    return spec


def data(rows: Sequence[Mapping[str, object]]) -> Any:
    """Rows as inline data."""
    import altair as alt

    return alt.Data(values=[dict(row) for row in rows])


def mean_marks(
    points: Sequence[Mapping[str, Any]], arm: ArmStyle, axes: Mapping[str, Any], size: int
) -> list[Any]:
    """A mark at each point's mean: filled where it decides, hollow where it only located."""
    import altair as alt

    layers = []
    for decides in (True, False):
        marks = [{"x": p["x"], "y": p["y"]} for p in points if p["decides"] is decides]
        if marks:
            fill = arm.colour if decides and not arm.illustration else PAPER
            layers.append(
                alt.Chart(data(marks))
                .mark_point(
                    shape=arm.shape, size=size, stroke=arm.colour, fill=fill, strokeWidth=1.8, opacity=1
                )
                .encode(**axes)
            )
    return layers


def edge_labels(
    last: Mapping[str, Mapping[str, Any]],
    styles: Mapping[str, ArmStyle],
    axes: Mapping[str, Any],
    domain: tuple[float, float],
) -> list[Any]:
    """Each arm's name at the right edge, level with its last point, names kept apart."""
    import altair as alt

    end = max(point["x"] for point in last.values())
    gap = 17 / HEIGHT * (domain[1] - domain[0])
    look = {"align": "left", "dx": 14 + 6 * len(last), "fontSize": 12.5, "fontWeight": 600, "limit": 330}
    layers = []
    for key, place in zip(last, spread([point["y"] for point in last.values()], gap), strict=True):
        arm = styles[key]
        label = f"{arm.label} (illustration)" if arm.illustration else arm.label
        chart = alt.Chart(data([{"x": end, "y": place, "label": label}])).encode(**axes, text="label:N")
        layers.append(chart.mark_text(stroke=PAPER, strokeWidth=3, **look))
        layers.append(chart.mark_text(color=arm.colour, **look))
    return layers
