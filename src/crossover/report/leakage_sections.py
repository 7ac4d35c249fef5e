"""What the page of a leakage study shows: the cost, the same rows seen and unseen, the parts told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossover.report import chart_style as style
from crossover.report.chart_style import metric_title
from crossover.report.drawing import Chart
from crossover.report.page import Block, Bullets, Code, Fold, Picture, Prose, Section
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text
from crossover.report.tables import Cell, Column, Table, show

ANSWERS = {
    "costs": "flattered",
    "hurts": "misled",
    "no_matter": "of no matter",
    "not_resolved": "not resolved",
    "none": "nothing to exchange",
    "insufficient": "insufficient evidence",
}
_ROW = 40
"""Height of one row of a figure."""
STRATA = (("seen", "copy in train"), ("unseen", "its cluster left out"), ("alone", "no copy"))


def charts(plain: Plain) -> list[Chart]:
    """The cost of each arm, and shares of rows right by class and stratum."""
    return [chart for chart in (_costs(plain), _strata(plain)) if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """None beyond the verdict's own flags: the goal stands in the sentence and below it."""
    return []


def head(plain: Plain) -> list[Block]:
    """The goal and what the split does for it."""
    served = mapping(plain, "served")
    lines = tuple(line for line in (text(served, "title"), text(served, "remedy")) if line)
    return [Bullets("The goal", lines)] if lines else []


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Cost, strata, parts told apart, the split recommended."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    costs, strata, apart = cost_table(plain), strata_table(plain), apart_table(plain)
    found = []
    if costs.rows:
        note = Prose(
            "Each test row that has a sibling in train is predicted twice, with its cluster in train and "
            "with as many rows of each class from other clusters in its place; the cost is the whole test "
            "part's score with the first predictions less that with the second. Intervals are over clusters "
            "and repartitions.",
            "quiet",
        )
        every = repartition_table(plain)
        blocks = (*_picture(pictures, "cost_of_leak"), note, costs, deltas_table(plain))
        found.append(Section("What is the leak worth?", "cost", (*blocks, *_folded(every))))
    if strata.rows:
        said = Prose(
            "Rows with copies are easier or harder than others in any case: compare them with themselves, "
            "seen and unseen, never with the rows that have none.",
            "quiet",
        )
        groups = groups_table(plain)
        shown = (strata, groups) if groups.rows else (strata,)
        found.append(
            Section("The same rows, seen and unseen", "strata", (*_picture(pictures, "strata"), said, *shown))
        )
    if apart.rows:
        said = Prose(
            "Each arm was fitted to tell the split's train from its test on half of the clusters and scored "
            "on the other half. After a random cut the area is .5 but for chance; a cut by time or by a "
            "benchmark's authors may show drift.",
            "quiet",
        )
        found.append(Section("Can train and test be told apart?", "apart", (said, apart)))
    best = text(mapping(plain, "recommended_split"), "yaml")
    if best:
        said = Prose("The same is written beside this page, in recommended_split.yaml.", "quiet")
        found.append(Section("The split recommended", "recommended", (said, Code(tuple(best.splitlines())))))
    return found


def tables(plain: Plain) -> list[Table]:
    """Costs, differences, strata, groups, repartitions, parts told apart."""
    return [
        cost_table(plain), deltas_table(plain), strata_table(plain), groups_table(plain),
        repartition_table(plain), apart_table(plain),
    ]  # fmt: skip


def cost_table(plain: Plain) -> Table:
    """One row an arm: the share of rows, the cost, and what leaving rows out would have shown."""
    made: list[tuple[Cell, ...]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        cost, loss, answer = mapping(arm, "cost"), mapping(arm, "cost_log_loss"), text(arm, "answer")
        made.append(
            (
                text(arm, "title", key),
                ANSWERS.get(answer, answer),
                number(mapping(arm, "share"), "in_train"),
                number(cost, "mean"),
                _ends(cost),
                number(loss, "mean"),
                _ends(loss),
                number(arm, "deleted"),
                number(arm, "train_rows"),
            )
        )
    name = metric_title(text(plain, "metric"))
    columns = (
        Column("arm"),
        Column("answer"),
        Column("test rows with a copy", "score"),
        Column(f"cost ({name})", "signed"),
        Column("its interval", "signed_interval"),
        Column("cost (log loss)", "signed"),
        Column("its interval", "signed_interval"),
        Column("rows left out: not the cost", "signed"),
        Column("training rows", "count"),
    )
    note = "Positive: better with the copies in train. Intervals are widened for the number of arms."
    return Table("The cost of the leak", columns, tuple(made), note)


def deltas_table(plain: Plain) -> Table:
    """One row an arm: the difference a row, a cluster, and of the rows that nothing was done to."""
    made: list[tuple[Cell, ...]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        delta, cluster, control = (mapping(arm, name) for name in ("delta", "delta_by_cluster", "control"))
        if delta:
            made.append(
                (
                    text(arm, "title", key),
                    number(delta, "mean"), _ends(delta), number(delta, "rows"), number(delta, "clusters"),
                    number(cluster, "mean"), _ends(cluster), number(control, "mean"), _ends(control),
                )
            )  # fmt: skip
    columns = (
        Column("arm"),
        Column("a row", "signed"),
        Column("its interval", "signed_interval"),
        Column("rows", "count"),
        Column("clusters", "count"),
        Column("a cluster", "signed"),
        Column("its interval", "signed_interval"),
        Column("control", "signed"),
        Column("its interval", "signed_interval"),
    )
    note = (
        "A cluster: each cluster counting once, which is another estimand. Control: rows without a copy, one "
        "training set less the other; chance alone moves it."
    )
    return Table("Accuracy, seen less unseen", columns, tuple(made), note)


def strata_table(plain: Plain) -> Table:
    """One row an arm and class: shares of rows right."""
    made: list[tuple[Cell, ...]] = [
        (
            text(arm, "title", key), text(row, "class"), number(row, "rows_copied"), number(row, "seen"),
            number(row, "unseen"), number(row, "rows_alone"), number(row, "alone"),
        )
        for key, arm in keyed_rows(plain, "arms").items()
        for row in rows(arm, "strata")
    ]  # fmt: skip
    columns = (
        Column("arm"),
        Column("class"),
        Column("rows with a copy", "count"),
        Column("right, copy in train", "score"),
        Column("right, its cluster left out", "score"),
        Column("rows without", "count"),
        Column("right, no copy", "score"),
    )
    return Table("Share of rows right", columns, tuple(made), "Rows are counted once a repartition.")


def groups_table(plain: Plain) -> Table:
    """One row an arm and declared group: shares of its rows right, the one that loses most first."""
    made: list[tuple[Cell, ...]] = [
        (
            text(arm, "title", key), text(row, "group"), number(row, "rows"), number(row, "seen"),
            number(row, "unseen"),
        )
        for key, arm in keyed_rows(plain, "arms").items()
        for row in rows(arm, "groups")
    ]  # fmt: skip
    columns = (
        Column("arm"),
        Column("group"),
        Column("rows", "count"),
        Column("right, group in train", "score"),
        Column("right, group left out", "score"),
    )
    note = "Rows are counted once a repartition. Groups that could not be exchanged are not here."
    return Table("Share of rows right, by group", columns, tuple(made), note)


def repartition_table(plain: Plain) -> Table:
    """One row an arm and repartition: the score seen and unseen."""
    made: list[tuple[Cell, ...]] = [
        (text(arm, "title", key), number(row, "repartition"), number(row, "seen"), number(row, "unseen"))
        for key, arm in keyed_rows(plain, "arms").items()
        for row in rows(arm, "draws")
    ]
    name = metric_title(text(plain, "metric"))
    columns = (
        Column("arm"),
        Column("repartition", "count"),
        Column(f"{name}, clusters seen", "score"),
        Column(f"{name}, unseen", "score"),
    )
    return Table("Every repartition", columns, tuple(made))


def apart_table(plain: Plain) -> Table:
    """One row an arm: how well it tells train from test."""
    titles = {key: text(arm, "title", key) for key, arm in keyed_rows(plain, "arms").items()}
    made: list[tuple[Cell, ...]] = [
        (
            titles.get(key, key), number(found, "area"), number(found, "se"), number(found, "p"),
            number(found, "holm_p"), number(found, "rows"), number(found, "clusters"),
        )
        for key, found in keyed_rows(plain, "apart").items()
    ]  # fmt: skip
    columns = (
        Column("arm"),
        Column("area under the curve", "score"),
        Column("standard error", "score"),
        Column("P", "quantity"),
        Column("P (Holm)", "quantity"),
        Column("rows", "count"),
        Column("clusters", "count"),
    )
    return Table("Train told from test", columns, tuple(made))


def _ends(found: Plain) -> tuple[float | None, float | None]:
    return number(found, "low"), number(found, "high")


def _folded(table: Table) -> tuple[Block, ...]:
    return (Fold(f"Every repartition ({len(table.rows):,})", (table,)),) if table.rows else ()


def _picture(pictures: dict[str, Picture], name: str) -> tuple[Block, ...]:
    return (pictures[name],) if name in pictures else ()


def _axes(values: Sequence[float], labels: Sequence[str], title: str) -> dict[str, Any]:
    import altair as alt

    scale = alt.Scale(domain=list(style.value_domain(values)), nice=False, zero=False)
    return {
        "x": alt.X("x:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6, format=".3~f")),
        "y": alt.Y("y:N", title=None, sort=list(labels), scale=alt.Scale(domain=list(labels)),
                   axis=alt.Axis(ticks=False, domain=False)),
    }  # fmt: skip


def _costs(plain: Plain) -> Chart | None:
    """A row an arm: the cost with its interval, 0, and the margin."""
    import altair as alt

    lines = []
    for key, arm in keyed_rows(plain, "arms").items():
        cost = mapping(arm, "cost")
        mean, (low, high) = number(cost, "mean"), _ends(cost)
        if mean is not None and low is not None and high is not None:
            lines.append({"y": style.short(key, 30), "x": mean, "low": low, "high": high,
                          "label": show(mean, "signed")})  # fmt: skip
    if not lines:
        return None
    margin = number(plain, "margin") or 0.0
    labels = [str(line["y"]) for line in lines]
    ends = [float(line[end]) for line in lines for end in ("low", "high")]  # type: ignore[arg-type]
    name = metric_title(text(plain, "metric"))
    axes = _axes([*ends, 0.0, -margin, margin], labels, f"{name} with the clusters in train, less without")
    band = alt.Chart(style.data([{"x": -margin, "x2": margin}])).mark_rect(color=style.GRID, opacity=0.8)
    zero = alt.Chart(style.data([{"x": 0.0}])).mark_rule(color=style.INK, strokeDash=[5, 3])
    bars = alt.Chart(style.data([{"y": o["y"], "x": o["low"], "x2": o["high"]} for o in lines]))
    points = alt.Chart(style.data(lines)).encode(**axes)
    named = points.encode(text="label:N")
    layers = [
        band.encode(x=axes["x"], x2="x2:Q"),
        zero.encode(x=axes["x"]),
        bars.mark_rule(color=style.COLOURS[0], strokeWidth=2.4).encode(**axes, x2="x2:Q"),
        points.mark_point(filled=True, size=80, color=style.COLOURS[0], opacity=1),
        named.mark_text(dy=-12, stroke=style.PAPER, strokeWidth=3, fontSize=11.5),
        named.mark_text(dy=-12, color=style.INK, fontSize=11.5),
    ]
    title = "What the copies in train are worth"
    return Chart(
        "cost_of_leak",
        f"{title}: {len(lines)} arms with intervals",
        "Right of 0 the score is flattered; a bar within the grey band is of no matter.",
        style.finished(layers, title, "cost and its interval", _ROW * len(labels) + 10),
    )


def _strata(plain: Plain) -> Chart | None:
    """A row an arm and class: share of rows right, seen, unseen, and without a copy."""
    import altair as alt

    points: list[dict[str, Any]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        for row in rows(arm, "strata"):
            name = f"{style.short(key, 20)}: {style.short(text(row, 'class'), 16)}"
            found = [(label, number(row, field)) for field, label in STRATA]
            points += [{"y": name, "x": value, "kind": label} for label, value in found if value is not None]
    if not points:
        return None
    labels = list(dict.fromkeys(str(point["y"]) for point in points))
    axes = _axes([float(point["x"]) for point in points], labels, "share of rows right")
    kinds = [label for _, label in STRATA]
    look = {
        "color": alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=list(style.COLOURS[:3])),
                           legend=alt.Legend(orient="top", direction="horizontal")),
        "shape": alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds, range=list(style.SHAPES[:3]))),
    }  # fmt: skip
    paired = [point for point in points if point["kind"] != kinds[2]]
    line = alt.Chart(style.data(paired)).mark_line(color=style.MUTED, strokeWidth=1.6)
    made = alt.Chart(style.data(points)).mark_point(filled=True, size=80, opacity=0.9)
    title = "The same rows, seen and unseen"
    return Chart(
        "strata",
        f"{title}: {len(points)} shares",
        "Circle and square are the same rows, with their cluster in train and without it: their distance is "
        "the leak. Triangles are other rows, which say how hard rows without copies are.",
        style.finished(
            [line.encode(**axes, detail="y:N"), made.encode(**axes, **look)], title,
            "by arm and class, over all repartitions",
            _ROW * len(labels) + 10,
        ),
    )  # fmt: skip
