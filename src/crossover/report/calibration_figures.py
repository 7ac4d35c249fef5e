"""Reliability diagrams with consistency bands, and risk-coverage curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.plain_values import Plain, number, rows

TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SQUARE = 400
"""Height of a reliability diagram."""


@dataclass(frozen=True)
class Shaded:
    """A range of the probability that is marked, and what it is called."""

    low: float
    high: float
    label: str


def reliability_diagram(
    name: str, title: str, axis: str, diagram: Plain, shaded: Shaded | None = None
) -> Chart | None:
    """Observed frequency against stated probability, a point a bin, over the bands; None without points."""
    points = [point for row in rows(diagram, "points") if (point := _point(row)) is not None]
    if not points:
        return None
    import altair as alt

    whole = alt.Scale(domain=[0, 1], nice=False)
    ticks: dict[str, Any] = {"values": list(TICKS), "format": ".1f"}
    axes: dict[str, Any] = {
        "x": alt.X("x:Q", title=axis, scale=whole, axis=alt.Axis(grid=False, **ticks)),
        "y": alt.Y(
            "y:Q", title="share of rows where it came true", scale=whole,
            axis=alt.Axis(
                titleAngle=0, titleAlign="left", titleAnchor="end", titleY=-12, titleX=0,
                titleBaseline="bottom", domain=False, ticks=False, **ticks,
            ),
        ),
    }  # fmt: skip
    layers: list[Any] = []
    if shaded is not None:
        layers += _shade(shaded, axes)
    line = alt.Chart(style.data([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}])).encode(**axes)
    layers.append(line.mark_line(color=style.RULE, strokeWidth=1.2, strokeDash=[4, 3]))
    for ends, width in (("joint", 2.0), ("band", 9.0)):
        bars = [{"x": p["x"], "y": p[f"{ends}_low"], "y2": p[f"{ends}_high"]} for p in points]
        bar = alt.Chart(style.data(bars)).mark_rule(color=style.RULE, strokeWidth=width, opacity=0.55)
        layers.append(bar.encode(**axes, y2="y2:Q"))
    made = alt.Chart(style.data(points)).encode(**axes)
    layers.append(made.mark_line(color=style.COLOURS[0], strokeWidth=1.6))
    layers.append(made.mark_point(filled=True, size=64, color=style.COLOURS[0], opacity=1))
    outside = int(number(diagram, "outside") or 0)
    caption = (
        "Points: rows in bins of about equal numbers. Thick grey bars: where 95% of perfectly calibrated "
        "models "
        "with these very probabilities lie, bin by bin; thin grey bars: where 95% of them lie with all "
        "points at "
        f"once. {outside} of {len(points)} points are outside their thick bar."
    )
    if shaded is not None:
        caption += f" Shaded: {shaded.label}."
    label = f"{title}: {len(points)} bins, {outside} outside the band of a calibrated model"
    spec = style.finished(layers, title, "observed against stated; dashed: as stated", SQUARE)
    return Chart(name, label, caption, spec)


def risk_coverage(
    name: str, arms: Mapping[str, Sequence[Plain]], styles: Mapping[str, style.ArmStyle]
) -> Chart | None:
    """Error among the rows answered, against the share answered, surest rows first; None without points."""
    curves: dict[str, list[dict[str, Any]]] = {}
    for arm, told in arms.items():
        found = [
            {"x": x, "y": y, "low": number(row, "low"), "high": number(row, "high")}
            for row in told
            if (x := number(row, "coverage")) is not None and (y := number(row, "risk")) is not None
        ]
        if len(found) > 1:
            curves[arm] = found
    if not curves:
        return None
    import altair as alt

    values = [0.0] + [
        end for curve in curves.values() for p in curve for end in (p["y"], p["high"]) if end is not None
    ]
    domain = style.value_domain(values)
    x = alt.X(
        "x:Q", title="share of rows answered, the surest first", scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(values=list(TICKS), format=".0%", grid=False),
    )  # fmt: skip
    axes: dict[str, Any] = {"x": x, "y": style.value_axis(values, "error among the rows answered")}
    layers: list[Any] = []
    for arm, curve in curves.items():
        look = styles[arm]
        sure = [
            {"x": p["x"], "y": p["low"], "y2": p["high"]}
            for p in curve
            if p["low"] is not None and p["high"] is not None
        ]
        if sure:
            area = alt.Chart(style.data(sure)).mark_area(color=look.colour, opacity=0.14, clip=True)
            layers.append(area.encode(**axes, y2="y2:Q"))
        drawn = alt.Chart(style.data(curve)).encode(**axes)
        layers.append(drawn.mark_line(color=look.colour, strokeWidth=2))
        layers.append(drawn.mark_point(shape=look.shape, size=34, filled=True, color=look.colour, opacity=1))
    layers += style.edge_labels({arm: curve[-1] for arm, curve in curves.items()}, styles, axes, domain)
    caption = (
        "Answering only rows whose largest probability is above a threshold: further left fewer rows, "
        "fewer errors. "
        "Shaded: 95% interval at each threshold."
    )
    spec = style.finished(layers, "What abstaining buys", "risk against coverage")
    return Chart(name, f"Risk against coverage of {len(curves)} arms", caption, spec)


def _shade(shaded: Shaded, axes: Mapping[str, Any]) -> list[Any]:
    """The marked range over the whole height."""
    import altair as alt

    spot = alt.Chart(style.data([{"x": shaded.low, "x2": shaded.high}]))
    return [spot.mark_rect(color=style.SHADE, opacity=0.2, clip=True).encode(x=axes["x"], x2="x2:Q")]


def _point(row: Plain) -> dict[str, float] | None:
    names = {
        "x": "probability", "y": "frequency", "band_low": "band_low", "band_high": "band_high",
        "joint_low": "joint_low", "joint_high": "joint_high",
    }  # fmt: skip
    found = {key: number(row, name) for key, name in names.items()}
    return (
        {key: value for key, value in found.items() if value is not None}
        if None not in found.values()
        else None
    )
