"""What the page of a regularization-path study shows: the path by block, first and stable features."""

from __future__ import annotations

from typing import Any

from crossover.report import chart_style as style
from crossover.report.drawing import Chart
from crossover.report.page import Block, Fold, Picture, Prose, Section
from crossover.report.plain_values import Plain, keyed_rows, number, rows, text
from crossover.report.tables import Cell, Column, Table

FIRST = 25
"""Features of the table that is open; all are in the one that folds out."""
FIGURES = 4
"""Arms whose path is drawn."""


def charts(plain: Plain) -> list[Chart]:
    """The path of each arm, by block."""
    arms = list(keyed_rows(plain, "arms").items())[:FIGURES]
    names = sorted({text(row, "block") for _, arm in arms for row in rows(arm, "blocks")})
    styles = style.arm_styles({block: {"title": block} for block in names})
    made = [_path(f"path-{k}", key, arm, styles) for k, (key, arm) in enumerate(arms, start=1)]
    return [chart for chart in made if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """None beyond the verdict's own flags."""
    return []


def head(plain: Plain) -> list[Block]:
    """Nothing beyond the sentence."""
    return []


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """When each block turns on, and the features."""
    blocks, bounds = block_table(plain), bound_table(plain)
    found = []
    if blocks.rows:
        pictures: tuple[Block, ...] = tuple(Picture.of(chart) for chart in drawn)
        found.append(Section("When each block turns on", "path", (*pictures, blocks)))
    made: list[Block] = []
    for key in keyed_rows(plain, "arms"):
        table = feature_table(plain, key)
        if table.rows:
            made.append(Table(table.caption, table.columns, _by_entry(table)[:FIRST], table.note))
            if len(table.rows) > FIRST:
                made.append(Fold(f"Every feature of {style.short(key)} ({len(table.rows):,})", (table,)))
    if made:
        found.append(Section("Which features", "features", tuple(made)))
    if bounds.rows:
        note = Prose(
            "A feature is stable where the share of half-samples that chose it reaches the threshold. The "
            "bounds count features that a half-sample chooses no more often than blindly; features that say "
            "the same share their chances, so that a block can be chosen always and none of it be stable.",
            "quiet",
        )
        found.append(Section("How many by chance", "bound", (bounds, note)))
    return found


def tables(plain: Plain) -> list[Table]:
    """Blocks, the features of every arm, the bounds."""
    return [
        block_table(plain),
        *(feature_table(plain, key) for key in keyed_rows(plain, "arms")),
        bound_table(plain),
    ]


def block_table(plain: Plain) -> Table:
    """One row an arm and block."""
    made: list[tuple[Cell, ...]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        for row in rows(arm, "blocks"):
            on = number(row, "turns_on")
            made.append(
                (key, text(row, "block", "–"), "never" if on is None else "", on,
                 text(row, "first_feature", "–"), number(row, "features_at_end"),
                 number(row, "stable_features"), number(row, "share"))
            )  # fmt: skip
        frozen = arm.get("frozen")
        made += [
            (key, str(name), "kept in", None, "–", None, None, None)
            for name in (frozen if isinstance(frozen, list) else [])
        ]
    columns = (
        Column("arm"),
        Column("block"),
        Column("remark"),
        Column("turns on at (share of the first lambda)", "quantity"),
        Column("first feature"),
        Column("features on at the end", "count"),
        Column("stable features", "count"),
        Column("half-samples that chose any", "quantity"),
    )
    return Table("Blocks, in the order of their names", columns, tuple(made))


def feature_table(plain: Plain, key: str) -> Table:
    """One row a feature of an arm, stable ones first."""
    arm = keyed_rows(plain, "arms").get(key, {})
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "feature", "–"),
            text(row, "block", "–"),
            f"{text(row, 'speaks')} {text(row, 'class')}" if text(row, "class") else "–",
            number(row, "relative"),
            number(row, "share"),
            "stable" if row.get("stable") is True else "",
        )
        for row in rows(arm, "features")
    ]
    columns = (
        Column("feature"),
        Column("block"),
        Column("speaks"),
        Column("turns on at (share of the first lambda)", "quantity"),
        Column("half-samples that chose it", "quantity"),
        Column(""),
    )
    on = sum(number(row, "relative") is not None for row in rows(arm, "features"))
    late = (number(arm, "turned_on") or on) - on
    note = f"{late:,.0f} more turn on later and are not listed." if late > 0 else ""
    return Table(f"Features of {style.short(key)}, as they turn on", columns, tuple(made), note)


def bound_table(plain: Plain) -> Table:
    """One row an arm: what was chosen from, and how many noise features to expect."""
    made: list[tuple[Cell, ...]] = [
        (
            key,
            number(arm, "columns"),
            number(arm, "chosen"),
            number(arm, "stable"),
            number(arm, "expected_false"),
            number(arm, "expected_false_unimodal"),
        )
        for key, arm in keyed_rows(plain, "arms").items()
        if "expected_false" in arm
    ]
    columns = (
        Column("arm"),
        Column("features to choose from", "count"),
        Column("chosen by a half-sample", "quantity"),
        Column("stable", "count"),
        Column("by chance, at most (any distribution)", "quantity"),
        Column("by chance, at most (unimodal)", "quantity"),
    )
    return Table("Stability selection (Shah and Samworth 2013)", columns, tuple(made))


def _by_entry(table: Table) -> tuple[tuple[Cell, ...], ...]:
    """The rows as they turn on; those that never did on the whole training part come last."""

    def when(row: tuple[Cell, ...]) -> tuple[float, float]:
        relative, share = row[3], row[4]
        return (
            -relative if isinstance(relative, (int, float)) else 1.0,
            -share if isinstance(share, (int, float)) else 0.0,
        )

    return tuple(sorted(table.rows, key=when))


def _path(name: str, arm: str, plain: Plain, styles: dict[str, style.ArmStyle]) -> Chart | None:
    """Features on, by block, from the first lambda (left) to the last."""
    import altair as alt

    path = rows(plain, "path")
    blocks = [text(row, "block") for row in rows(plain, "blocks")]
    if len(path) < 2 or not blocks:
        return None
    points = [
        {"x": relative, "y": number(entry, f"on: {block}") or 0.0, "block": block}
        for entry in path
        if (relative := number(entry, "relative"))
        for block in blocks
    ]
    if not points:
        return None
    xs = [float(str(point["x"])) for point in points]
    ys = [float(str(point["y"])) for point in points]
    ticks = [tick for tick in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01) if min(xs) <= tick]
    axes: dict[str, Any] = {
        "x": alt.X(
            "x:Q",
            title="lambda as a share of the first, log scale; the penalty falls to the right",
            scale=alt.Scale(type="log", domain=[max(xs), min(xs)], nice=False),
            axis=alt.Axis(values=ticks, format="~g", grid=False, tickSize=5),
        ),
        "y": style.value_axis([0.0, *ys], "features with a weight"),
    }
    layers: list[Any] = []
    last: dict[str, dict[str, Any]] = {}
    for block in blocks:
        own = [point for point in points if point["block"] == block]
        look = styles[block]
        chart = alt.Chart(style.data(own)).encode(**axes)
        layers.append(chart.mark_line(color=look.colour, strokeWidth=2, interpolate="step-after"))
        first = next((point for point in own if point["y"]), None)
        if first is not None:
            start = alt.Chart(style.data([first])).encode(**axes)
            layers.append(
                start.mark_point(shape=look.shape, size=90, filled=True, color=look.colour, opacity=1)
            )
        last[block] = {"x": min(xs), "y": own[-1]["y"]}
    domain = style.value_domain([0.0, *ys])
    layers += _labels(last, styles, axes, domain)
    title = f"The path of {style.short(arm)}, by block"
    return Chart(
        name,
        f"{title}: {len(path)} values of lambda",
        "Lines: features of a block that have a weight; mark: where its first turns on. Blocks kept in from "
        "the start are not drawn.",
        style.finished(layers, title, "from the whole training part", right=150),
    )


def _labels(
    last: dict[str, dict[str, Any]],
    styles: dict[str, style.ArmStyle],
    axes: dict[str, Any],
    domain: tuple[float, float],
) -> list[Any]:
    """Block names at the right edge; the last lambda is the smallest x here."""
    import altair as alt

    gap = 17 / style.HEIGHT * (domain[1] - domain[0])
    places = style.spread([point["y"] for point in last.values()], gap)
    return [
        alt.Chart(style.data([{"x": point["x"], "y": place, "label": styles[block].label}]))
        .encode(**axes, text="label:N")
        .mark_text(color=styles[block].colour, align="left", dx=8, fontSize=12.5, fontWeight=600, limit=140)
        for (block, point), place in zip(last.items(), places, strict=True)
    ]
