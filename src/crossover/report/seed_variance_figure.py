"""Strip plot: every run's score by training draw, with the mean over draws and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart

ROW = 18
"""Height of a draw's row."""


def strip_plot(
    name: str,
    title: str,
    axis: str,
    draws: Sequence[tuple[int, Sequence[float]]],
    mean: tuple[float, float, float] | None,
    domain: tuple[float, float],
) -> Chart | None:
    """One row a draw, ordered by its mean, one mark a run; None without runs.

    ``mean`` is (value, low, high); ``domain`` the ends of the score's axis, the same for every arm.
    """
    found = [(draw, scores) for draw, scores in draws if scores][: style.DRAWS_SHOWN]
    if not found:
        return None
    import altair as alt

    found.sort(key=lambda pair: (-sum(pair[1]) / len(pair[1]), pair[0]))
    labels = [f"draw {draw}" for draw, _ in found]
    axes = {
        "x": alt.X(
            "x:Q", title=axis, scale=alt.Scale(domain=list(domain), nice=False, zero=False),
            axis=alt.Axis(tickCount=6, format=".3~f"),
        ),
        "y": alt.Y(
            "y:N", title=None, sort=labels, scale=alt.Scale(domain=labels),
            axis=alt.Axis(ticks=False, domain=False, grid=True),
        ),
    }  # fmt: skip
    pairs = list(zip(labels, found, strict=True))
    runs = [{"y": label, "x": score} for label, (_, scores) in pairs for score in scores]
    means = [{"y": label, "x": sum(scores) / len(scores)} for label, (_, scores) in pairs]
    layers: list[Any] = _mean(mean, axes)
    layers.append(
        alt.Chart(style.data(runs))
        .mark_point(size=46, filled=True, color=style.COLOURS[0], opacity=0.55)
        .encode(**axes)
    )
    layers.append(
        alt.Chart(style.data(means))
        .mark_tick(color=style.COLOURS[1], thickness=2.4, size=14, opacity=1)
        .encode(**axes)
    )
    caption = "Point: one run; those of a row differ in their seed alone. Orange: the draw's mean."
    if mean is not None:
        caption += (
            " Shaded: 95% interval of the mean over fresh draws, seeds and test rows; line in it: the mean."
        )
    spec = style.finished(layers, title, "one row a training draw, one point a run", ROW * len(found) + 12)
    return Chart(name, f"{title}: {len(runs)} runs on {len(found)} training draws", caption, spec)


def _mean(mean: tuple[float, float, float] | None, axes: Mapping[str, Any]) -> list[Any]:
    if mean is None:
        return []
    import altair as alt

    value, low, high = mean
    band = alt.Chart(style.data([{"x": low, "x2": high}])).mark_rect(
        color=style.SHADE, opacity=0.2, clip=True
    )
    line = alt.Chart(style.data([{"x": value}])).mark_rule(color=style.SHADE, strokeWidth=2)
    return [band.encode(x=axes["x"], x2="x2:Q"), line.encode(x=axes["x"])]
