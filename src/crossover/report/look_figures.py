"""Figures of a look: class sizes, lengths by class, classes over time, a statistic by value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.plain_values import Plain, mapping, number, numbers, rows, text, texts
from crossover.report.tables import quantity

CLASSES = 24
"""Classes of the balance figure; a table has them all."""
FEWEST = 5
"""Rows a period must have to be drawn; the table has all."""
LINES = 6
"""Classes drawn as lines of one figure, the largest."""


def balance_chart(plain: Plain) -> Chart | None:
    """Bars of class shares with their intervals, the largest first."""
    import altair as alt

    shown = rows(plain, "balance")[:CLASSES]
    if not shown:
        return None
    labels = style.distinct([text(row, "label") for row in shown], 40)
    points = [
        {
            "y": label,
            "x": number(row, "share"),
            "low": number(row, "low"),
            "high": number(row, "high"),
            "label": f"{number(row, 'rows') or 0:,.0f}",
        }
        for label, row in zip(labels, shown, strict=True)
    ]
    top = max(float(point["high"] or 0) for point in points)
    y = alt.Y("y:N", title=None, sort=labels, axis=alt.Axis(ticks=False, domain=False))
    x = alt.X(
        "x:Q",
        title="share of labelled rows",
        scale=alt.Scale(domain=[0, min(1.0, 1.15 * top)], nice=False),
        axis=alt.Axis(format=".0%", tickCount=6),
    )
    made = alt.Chart(style.data(points))
    layers = [
        made.mark_bar(color=style.COLOURS[0], height={"band": 0.62}, opacity=0.85).encode(x=x, y=y),
        made.mark_rule(color=style.INK, strokeWidth=1.6).encode(x="low:Q", x2="high:Q", y=y),
        made.mark_text(align="left", dx=8, fontSize=12, color=style.INK).encode(
            x="high:Q", y=y, text="label:N"
        ),
    ]
    spec = style.finished(
        layers,
        "How the classes are spread",
        "bar: share; line: 95% interval; figure: rows",
        30 * len(points) + 12,
        right=70,
    )
    more = len(rows(plain, "balance")) - len(shown)
    caption = "Share of the labelled rows, Wilson's interval for rows drawn independently."
    return Chart(
        "look_balance",
        f"class shares of {len(points)} classes",
        caption + (f" {more} smaller classes are in the table." if more else ""),
        spec,
    )


def lengths_chart(plain: Plain) -> Chart | None:
    """Lines of the share of each class's texts by number of words."""
    import altair as alt

    histogram = mapping(plain, "lengths")
    bins = texts(histogram, "bins")
    classes = rows(histogram, "classes")[:LINES]
    if not bins or not classes:
        return None
    labels = style.distinct([text(row, "label") for row in classes], 24)
    points = [
        {"x": name, "y": share, "class": label}
        for label, row in zip(labels, classes, strict=True)
        for name, share in zip(bins, numbers(row, "shares"), strict=False)
    ]
    top = max(max(numbers(row, "shares"), default=0.0) for row in classes)
    made = alt.Chart(style.data(points)).encode(
        x=alt.X(
            "x:O",
            title="words in a text",
            sort=bins,
            axis=alt.Axis(labelAngle=-35, grid=False, values=bins[:: 1 + len(bins) // 18]),
        ),
        y=_axis(1.08 * top, "share of the class's texts"),
        color=_colours(labels),
        shape=alt.Shape(
            "class:N",
            sort=labels,
            legend=_legend(),
            scale=alt.Scale(domain=labels, range=list(style.SHAPES[: len(labels)])),
        ),
    )
    hidden = int(number(histogram, "hidden") or 0)
    caption = "A bin is half a doubling wide from 4 words on." + (
        f" The {LINES} largest classes; {hidden} more are not drawn." if hidden else ""
    )
    return Chart(
        "look_lengths",
        f"length of texts by class, {len(labels)} lines",
        caption,
        style.finished(
            [made.mark_line(strokeWidth=1.8, opacity=0.8), made.mark_point(filled=True, size=45, opacity=1)],
            "How long the texts are",
            "one line a class",
            250,
        ),
    )


def time_chart(breakdowns: Sequence[Plain], name: str, title: str) -> Chart | None:
    """One statistic, or the shares of some classes, over the periods of a time column, with intervals."""
    import altair as alt

    series = [(breakdown, breakdown_rows(breakdown)) for breakdown in breakdowns[:LINES]]
    periods = [row[0] for row in series[0][1]] if series else []
    if len(periods) < 2:
        return None
    names = style.distinct([statistic_title(text(breakdown, "statistic")) for breakdown, _ in series], 30)
    points: list[dict[str, Any]] = [
        {"x": value, "y": middle, "low": low, "high": high, "class": label}
        for label, (_, listed) in zip(names, series, strict=True)
        for value, count, middle, low, high in listed
        if middle is not None and count >= FEWEST
    ]
    if not points:
        return None
    middles = [point["y"] for point in points]
    ends = [*middles, *(point["high"] for point in points if point["high"] is not None)]
    shares = all(text(breakdown, "centre") == "share" for breakdown, _ in series)
    by, every = style.short(text(series[0][0], "by")), max(1, len(periods) // 12)
    x = alt.X(
        "x:O",
        title=f"{by}, {text(series[0][0], 'kind')}",
        sort=periods,
        scale=alt.Scale(domain=periods, paddingOuter=0.4),
        axis=alt.Axis(labelAngle=-35, values=periods[::every], grid=False),
    )
    # One period of few rows may have an interval longer than all the rest: it is cut at the frame.
    high = 1.0 if shares and max(ends) > 0.5 else 1.05 * min(max(ends), 2 * max(middles)) or 1.0
    middle = text(series[0][0], "centre")
    axis = (
        _axis(high, "share of the period's rows")
        if shares
        else _axis(high, f"{middle} of the period's texts", ",.3~r")
    )
    made = alt.Chart(style.data(points)).encode(x=x, color=_colours(names))
    layers = [
        made.mark_line(strokeWidth=1.3, opacity=0.5).encode(y=axis),
        made.mark_rule(strokeWidth=1.8, clip=True).encode(y=alt.Y("low:Q"), y2="high:Q"),
        made.mark_point(filled=True, size=44, opacity=1).encode(y=alt.Y("y:Q")),
    ]
    return Chart(
        name,
        f"{title} over {len(periods)} periods",
        f"Point: {middle} of the period; line: its 95% interval, copies and groups counted once. "
        f"Periods of under {FEWEST} rows have no point.",
        style.finished(layers, title, f"by {by}", 240),
    )


def statistic_chart(breakdown: Plain, name: str, overall: float | None) -> Chart | None:
    """One statistic by value with intervals; a line marks the mean or median of all texts."""
    import altair as alt

    statistic, centre = text(breakdown, "statistic"), text(breakdown, "centre")
    shown = [row for row in breakdown_rows(breakdown) if row[2] is not None][:CLASSES]
    if len(shown) < 2:
        return None
    labels = style.distinct([row[0] for row in shown], 40)
    points = [
        {
            "y": label,
            "x": row[2],
            "low": row[3],
            "high": row[4],
            "end": row[2] if row[4] is None else row[4],
            "label": quantity(row[2] or 0.0),
        }
        for label, row in zip(labels, shown, strict=True)
    ]
    ends = [float(v) for row in shown for v in row[2:5] if v is not None]
    low, high = style.value_domain([*ends, *([overall] if overall is not None else [])])
    x = alt.X(
        "x:Q",
        title=statistic_title(statistic) if centre == "share" else f"{statistic_title(statistic)}, {centre}",
        scale=alt.Scale(domain=[low, high + 0.08 * (high - low)], nice=False, zero=False),
        axis=alt.Axis(tickCount=6, format=",.3~r"),
    )
    y = alt.Y(
        "y:N",
        title=None,
        sort=labels,
        scale=alt.Scale(domain=labels),
        axis=alt.Axis(ticks=False, domain=False, grid=True),
    )
    made = alt.Chart(style.data(points)).encode(y=y)
    layers: list[Any] = []
    if overall is not None:
        mean = alt.Chart(style.data([{"x": overall}]))
        layers.append(mean.mark_rule(color=style.RULE, strokeWidth=1.4, strokeDash=[4, 3]).encode(x=x))
    layers += [
        made.mark_rule(color=style.COLOURS[0], strokeWidth=2.4).encode(x="low:Q", x2="high:Q"),
        made.mark_point(filled=True, size=70, color=style.COLOURS[0], opacity=1).encode(x=x),
        made.mark_text(align="left", dx=8, fontSize=11.5, color=style.INK).encode(x="end:Q", text="label:N"),
    ]
    title = f"{statistic_title(statistic).capitalize()} by {by_title(text(breakdown, 'by'))}"
    return Chart(
        name,
        f"{title}, {len(points)} values",
        f"Point: {centre}; line: its 95% interval, copies and groups counted once"
        + ("." if overall is None else "; dashed: all texts."),
        style.finished(
            layers,
            title,
            f"{centre} of a value's texts, with its interval",
            26 * len(points) + 20,
            right=50,
        ),
    )


Row = tuple[str, float, float | None, float | None, float | None]


def breakdown_rows(breakdown: Plain) -> list[Row]:
    """(value, rows, middle, low, high) of each value; the breakdown's ``centre`` says what the middle is."""
    columns = [_entries(breakdown, key) for key in ("rows", "estimates", "low", "high")]
    names = texts(breakdown, "values")
    if any(len(column) != len(names) for column in columns):
        return []
    return [
        (name, float(count or 0), middle, low, high)
        for name, count, middle, low, high in zip(names, *columns, strict=True)
    ]


def by_title(by: str) -> str:
    """What a breakdown is by, as a reader knows it."""
    return "class" if by == "label" else style.short(by)


def statistic_title(name: str) -> str:
    """A statistic as a reader knows it, with its unit."""
    known = {
        "urls": "links",
        "addresses": "e-mail addresses",
        "digits": "share of digits",
        "capitals": "share of capitals",
        "punctuation": "share of punctuation",
        "blank": "share of blank texts",
    }
    return known.get(name, style.short(name.replace("_", " ")))


def _entries(plain: Plain, key: str) -> list[float | None]:
    value = plain.get(key)
    if not isinstance(value, (list, tuple)):
        return []
    return [number({"x": entry}, "x") for entry in value]


def _axis(high: float, title: str, form: str = ".0%") -> Any:
    import altair as alt

    return alt.Y(
        "y:Q",
        title=title,
        scale=alt.Scale(domain=[0.0, high], nice=False),
        axis=alt.Axis(
            titleAngle=0,
            titleAlign="left",
            titleAnchor="end",
            titleY=-12,
            titleX=0,
            titleBaseline="bottom",
            tickCount=5,
            domain=False,
            ticks=False,
            format=form,
        ),
    )


def _colours(labels: Sequence[str]) -> Any:
    import altair as alt

    return alt.Color(
        "class:N",
        sort=list(labels),
        legend=_legend() if len(labels) > 1 else None,
        scale=alt.Scale(domain=list(labels), range=list(style.COLOURS[: len(labels)])),
    )


def _legend() -> Any:
    import altair as alt

    return alt.Legend(
        title=None, orient="right", labelFontSize=12.5, labelColor=style.INK, labelLimit=170, offset=14
    )
