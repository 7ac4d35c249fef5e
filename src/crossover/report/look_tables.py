"""Tables of a look: what was counted, for the page, a terminal and a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence

from crossover.report import look_figures as figures
from crossover.report.chart_style import short
from crossover.report.plain_values import Plain, flat, mapping, number, numbers, rows, text
from crossover.report.tables import Cell, Column, Table, quantity

BESIDE = 6
"""Values that stand side by side in a table, the statistics below one another."""
QUANTILES = ("least", "5%", "25%", "median", "75%", "95%", "most")


def look_tables(found: Plain) -> list[Table]:
    """The tables of a look without texts, for a terminal or a spreadsheet."""
    made = [balance_table(found), statistics_table(found), duplicate_table(found), word_table(found)]
    made += breakdown_tables(found, "label")
    return [table for table in made if table.rows]


def balance_table(found: Plain) -> Table:
    """Rows and share of each class."""
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "label"),
            number(row, "rows"),
            number(row, "share"),
            (number(row, "low"), number(row, "high")),
        )
        for row in rows(found, "balance")
    ]
    columns = (
        Column("class"),
        Column("rows", "count"),
        Column("share", "score"),
        Column("95% interval", "interval"),
    )
    note = "Wilson's interval of the population's share, if these rows were drawn from it one by one."
    return Table("Classes", columns, tuple(made), note)


def statistics_table(found: Plain) -> Table:
    """Mean and quantiles of each statistic over all texts."""
    made: list[tuple[Cell, ...]] = []
    for row in rows(found, "statistics"):
        quantiles = numbers(row, "quantiles")
        if len(quantiles) == len(QUANTILES):
            made.append((figures.statistic_title(text(row, "name")), number(row, "mean"), *quantiles))
    columns = (Column("of a text"), *(Column(title, "quantity") for title in ("mean", *QUANTILES)))
    return Table("What the texts are made of", columns, tuple(made))


def breakdown_tables(found: Plain, by: str) -> list[Table]:
    """Statistics of the texts by value, and the share of each class by value."""
    listed = [b for b in rows(found, "breakdowns") if text(b, "by") == by]
    title = figures.by_title(by)
    statistics = [b for b in listed if not of_class(b)]
    shares = [b for b in listed if of_class(b)]
    return [
        _breakdown_table(f"The texts by {title}: mean or median [95% interval]", title, statistics),
        _breakdown_table(f"The classes by {title}: share [95% interval]", title, shares),
    ]


def _breakdown_table(caption: str, by: str, breakdowns: Sequence[Plain]) -> Table:
    """One row a value; one row a statistic where the values are few enough to stand side by side."""
    cells: dict[str, list[str | None]] = {}
    counts: dict[str, float] = {}
    for k, breakdown in enumerate(breakdowns):
        for value, count, middle, low, high in figures.breakdown_rows(breakdown):
            counts.setdefault(value, count)
            cells.setdefault(value, [None] * len(breakdowns))[k] = _with_interval(middle, low, high)
    names = [
        figures.statistic_title(text(breakdown, "statistic"))
        + (", median" if text(breakdown, "centre") == "median" else "")
        for breakdown in breakdowns
    ]
    made: list[tuple[Cell, ...]]
    if len(cells) <= BESIDE:
        columns = [Column("of a text"), *(Column(f"{short(v, 24)} ({counts[v]:,.0f} rows)") for v in cells)]
        made = [(name, *(column[k] for column in cells.values())) for k, name in enumerate(names)]
    else:
        columns = [Column(by), Column("rows", "count"), *(Column(name) for name in names)]
        made = [(value, counts[value], *row) for value, row in cells.items()]
    return Table(caption, tuple(columns), tuple(made) if cells else (), shape="figures")


def duplicate_table(found: Plain) -> Table:
    """The largest clusters of copies."""
    clusters = rows(found, "clusters")
    texts_too = any("text" in row for row in clusters)
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "name"),
            number(row, "rows"),
            _counts(mapping(row, "labels")),
            *([text(row, "text")] if texts_too else []),
        )
        for row in clusters
    ]
    last = (Column("its text, cut"),) if texts_too else ()
    columns = (Column("first row"), Column("rows", "count"), Column("classes"), *last)
    note = "To see a cluster whole, search the rows below for its first row; the column copy of names it."
    return Table("The largest clusters of near-copies", columns, tuple(made), note)


def word_table(found: Plain) -> Table:
    """Words that one class uses more than the others."""
    made: list[tuple[Cell, ...]] = [
        (
            text(row, "class"),
            text(row, "word"),
            number(row, "share"),
            number(row, "share_of_others"),
            number(row, "z"),
        )
        for row in rows(found, "words")
    ]
    columns = (
        Column("class"),
        Column("word"),
        Column("share of its texts", "score"),
        Column("share of the others", "score"),
        Column("z", "quantity"),
    )
    note = (
        "z: weighted log-odds ratio over its standard error, over texts that hold the word; it tests nothing."
    )
    return Table("Words a class over-uses", columns, tuple(made), note)


def contrast_table(found: Plain) -> Table:
    """Every statistic at one value of a column against another, as asked for."""
    made: list[tuple[Cell, ...]] = []
    for row in rows(found, "contrasts"):
        means = numbers(row, "means")
        if len(means) == 2:
            made.append(
                (
                    figures.statistic_title(text(row, "statistic")),
                    f"{text(row, 'by')}: {text(row, 'first')} against {text(row, 'second')}",
                    *means,
                    _with_interval(number(row, "difference"), number(row, "low"), number(row, "high")),
                    number(row, "p_value"),
                )
            )
    columns = (
        Column("of a text"),
        Column("values"),
        Column("mean of the first", "quantity"),
        Column("of the second", "quantity"),
        Column("difference [95% interval]"),
        Column("P", "quantity"),
    )
    note = "P of each line by itself: of twenty lines one is below .05 by chance."
    return Table("Two values set against each other", columns, tuple(made), note)


def _counts(labels: Plain) -> str:
    return ", ".join(f"{short(name, 24)} {value}" for name, value in flat(labels, 8))


def _with_interval(mean: float | None, low: float | None, high: float | None) -> str | None:
    if mean is None:
        return None
    ends = "" if low is None or high is None else f" [{quantity(low)}, {quantity(high)}]"
    return f"{quantity(mean)}{ends}"


def of_class(breakdown: Plain) -> bool:
    """Whether it follows the share of a class rather than a statistic of the texts."""
    return text(breakdown, "statistic").startswith("share of ")
