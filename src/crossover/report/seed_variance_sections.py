"""What the page of a seed-variance study shows: components, every run, seeds needed, each group."""

from __future__ import annotations

from crossover.measure.variance_components import limit_factors
from crossover.report.chart_style import metric_title, value_domain
from crossover.report.comparison_figure import Dot, dot_plot
from crossover.report.drawing import Chart
from crossover.report.page import Block, Bullets, Picture, Section, Tiles
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, numbers, rows, text
from crossover.report.seed_variance_figure import strip_plot
from crossover.report.tables import Cell, Column, Table

ARMS_DRAWN = 6
"""Arms whose runs are drawn; the tables have every arm."""
FACTOR_DEGREES = (2, 4, 9, 19)


def charts(plain: Plain) -> list[Chart]:
    """Standard deviations of every source, and every run of every arm."""
    metric = metric_title(text(plain, "metric", "score"))
    dots = [
        Dot(f"{title} · {text(part, 'source')}", sd, number(part, "sd_low"), number(part, "sd_high"))
        for title, result in _results(plain)
        for part in rows(result, "components")
        if (sd := number(part, "sd")) is not None
    ]
    found = [dot_plot("components", f"How much each source moves {metric}", f"SD of {metric}", dots)]
    shown = _results(plain)[:ARMS_DRAWN]
    values = [v for _, result in shown for draw in rows(result, "by_draw") for v in numbers(draw, "scores")]
    for _, result in shown:
        values += [end for end in _ends(mapping(result, "mean")) or () if end is not None]
    for k, (title, result) in enumerate(shown, start=1):
        by_draw = [
            (int(number(draw, "draw") or 0), numbers(draw, "scores")) for draw in rows(result, "by_draw")
        ]
        if values:
            domain, mean = value_domain(values), _ends(mapping(result, "mean"))
            found.append(strip_plot(f"runs_{k}", f"Every run: {title}", metric, by_draw, mean, domain))
    return [chart for chart in found if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """None beyond the verdict's own flags."""
    return []


def head(plain: Plain) -> list[Block]:
    """The few figures to remember, of the arm most moved by its seed."""
    moved = [
        (largest, title, result)
        for title, result in _results(plain)
        if (largest := number(mapping(result, "change"), "largest")) is not None
    ]
    if not moved:
        return []
    largest, title, result = max(moved, key=lambda entry: (entry[0], entry[1]))
    parts = {text(part, "source"): part for part in rows(result, "components")}
    tiles = [("Largest change by seed alone", f"{largest:.3f}", title)]
    for source, name in (("seed", "SD over seeds"), ("training draw", "SD over training draws")):
        sd = number(parts.get(source, {}), "sd")
        if sd is not None:
            low, high = (number(parts[source], end) or 0.0 for end in ("sd_low", "sd_high"))
            tiles.append((name, f"{sd:.3f}", f"{low:.3f} to {high:.3f}"))
    needed = [row for row in rows(result, "needed") if text(row, "given") == "one training set"]
    if needed:
        row = needed[len(needed) // 2]
        difference = number(row, "difference")
        tiles.append((f"Seeds an arm to see {difference:g}", _runs(row), "on one training set, 80% power"))
    return [Tiles(tuple(tiles))]


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Components, runs, seeds needed, groups, pairs; absent parts left out."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    ranks = ranking_table(plain)
    made: list[tuple[str, str, list[Block]]] = [
        (
            "Where the variance comes from",
            "components",
            [
                *[pictures[name] for name in pictures if name == "components"],
                *_some(component_table(plain)),
                *refused(plain),
                *_some(ranks),
                *([factor_table()] if rows(mapping(plain, "tables"), "components") else []),
            ],
        ),
        ("Every run", "runs", [pictures[name] for name in pictures if name.startswith("runs_")]),
        ("How many seeds it takes", "needed", _some(needed_table(plain))),
        ("Each arm as one result", "groups", _some(group_table(plain))),
        ("Arm against arm", "pairs", _some(pair_table(plain))),
    ]
    return [Section(title, anchor, tuple(blocks)) for title, anchor, blocks in made if blocks]


def tables(plain: Plain) -> list[Table]:
    """Components, rankings, seeds needed, groups and pairs."""
    return [
        component_table(plain),
        ranking_table(plain),
        needed_table(plain),
        group_table(plain),
        pair_table(plain),
    ]


def component_table(plain: Plain) -> Table:
    """One row an arm and source that the design tells apart."""
    made: list[tuple[Cell, ...]] = []
    for title, result in _results(plain):
        for part in rows(result, "components"):
            variance, low, high = (number(part, f"variance{end}") for end in ("", "_low", "_high"))
            if variance is None or low is None or high is None:
                continue
            made.append(
                (
                    title, text(part, "source"), number(part, "sd"),
                    (number(part, "sd_low"), number(part, "sd_high")),
                    f"{variance:.2e} [{low:.2e}, {high:.2e}]", number(part, "degrees"), _factors(part),
                )
            )  # fmt: skip
    columns = (
        Column("arm"), Column("source"), Column("SD, cut at 0", "score"), Column("95% interval", "interval"),
        Column("variance, not cut, 95% interval"), Column("df", "count"), Column("SD limit factors"),
    )  # fmt: skip
    note = (
        "Intervals: chi-square for one mean square, modified large sample for sums and differences. A "
        "variance below 0 means that the draws differ less than their seeds would make them. Limit factors: "
        "what a plain SD on so many degrees of freedom (df) is multiplied by for its 95% limits."
    )
    return Table("Variance components", columns, tuple(made), note)


def refused(plain: Plain) -> list[Block]:
    """Components that are not told, each with its reason."""
    said = tuple(
        f"{title}, {text(part, 'source')}: {text(part, 'method').removeprefix('refused: ')}"
        for title, result in _results(plain)
        for part in rows(result, "components")
        if number(part, "variance") is None
    )
    return [Bullets("Components not told, and why", said)] if said else []


def ranking_table(plain: Plain) -> Table:
    """Pairs of sources and the F interval of their ratio."""
    made: list[tuple[Cell, ...]] = []
    for title, result in _results(plain):
        for row in rows(result, "rankings"):
            larger, why = text(row, "larger"), "the interval holds 1"
            if row.get("doubtful") is True:
                why = "the effects are far from normal"
            low, high = number(row, "low") or 0.0, number(row, "high")
            interval = f"[{low:.3g}, {'∞' if high is None else f'{high:.3g}'}]"
            made.append(
                (title, f"{text(row, 'first')} / {text(row, 'second')}", number(row, "ratio"),
                 interval, text(row, "of"),
                 f"{larger} varies more" if larger else f"not ranked: {why}")
            )  # fmt: skip
    columns = (
        Column("arm"), Column("ratio of"), Column("ratio", "quantity"), Column("95% F interval"),
        Column("ratio is of"), Column("ranked"),
    )  # fmt: skip
    return Table("Which source is larger", columns, tuple(made))


def factor_table() -> Table:
    """How poorly few runs know a standard deviation."""
    made = tuple((degrees, limit_factors(degrees)) for degrees in FACTOR_DEGREES)
    columns = (Column("degrees of freedom", "count"), Column("factors of the SD's 95% limits", "interval"))
    return Table("What an SD is worth", columns, made)


def needed_table(plain: Plain) -> Table:
    """Runs an arm for each difference, on one training set and on fresh draws."""
    made: list[tuple[Cell, ...]] = []
    for title, result in _results(plain):
        for row in rows(result, "needed"):
            how = text(row, "given")
            made.append((title, number(row, "difference"), how, number(row, "sd"), _runs(row)))
    columns = (
        Column("arm"), Column("difference to see", "quantity"), Column("runs on"),
        Column("SD planned with (80% upper limit)", "score"), Column("runs an arm"),
    )  # fmt: skip
    note = (
        "Two arms that both vary as this one does, two-sided t test at 5%, power 80% (noncentral t). On "
        "these test rows: no number of seeds makes up for too few of them."
    )
    return Table("Runs needed to see a difference", columns, tuple(made), note)


def group_table(plain: Plain) -> Table:
    """Mean, median, interquartile mean and failure rate of every arm's runs."""
    made: list[tuple[Cell, ...]] = []
    for title, result in _results(plain):
        runs = mapping(result, "runs")
        count = f"{number(runs, 'finished') or 0:.0f} of {number(runs, 'planned') or 0:.0f}"
        for name in ("mean", "median", "interquartile_mean", "failure_rate"):
            score = mapping(result, name)
            ends = (number(score, "low"), number(score, "high"))
            what = name.replace("_", " ")
            made.append((title, count, what, number(score, "value"), ends, text(score, "method")))
    columns = (
        Column("arm"), Column("runs"), Column("summary"), Column("value", "score"),
        Column("95% interval", "interval"), Column("how"),
    )  # fmt: skip
    note = (
        "Median and interquartile mean are over draws, given these test rows. A failure did not finish, has "
        "no score, or is not above the majority rule on validation."
    )
    return Table("Groups", columns, tuple(made), note)


def pair_table(plain: Plain) -> Table:
    """One row a pair of arms: lead, probability of improvement, paired draws needed."""
    titles = {key: text(arm, "title", key) for key, arm in keyed_rows(plain, "arms").items()}
    pairs = rows(plain, "pairs")
    wanted = [key for key in (pairs[0] if pairs else {}) if key.startswith("draws_for_")]
    made: list[tuple[Cell, ...]] = []
    for row in pairs:
        left, right = text(row, "left"), text(row, "right")
        needed = ["–" if (n := number(row, key)) is None else f"{n:,.0f}" for key in wanted]
        made.append(
            (
                f"{titles.get(left, left)} – {titles.get(right, right)}", number(row, "draws"),
                number(row, "lead"), (number(row, "low"), number(row, "high")), number(row, "improvement"),
                (number(row, "improvement_low"), number(row, "improvement_high")), " / ".join(needed),
            )
        )  # fmt: skip
    differences = " / ".join(key.removeprefix("draws_for_") for key in wanted)
    columns = (
        Column("first – second"), Column("draws in common", "count"), Column("lead of the first", "signed"),
        Column("95% interval", "signed_interval"), Column("P(first better)", "score"),
        Column("its 95% interval", "interval"), Column(f"paired draws to see {differences}"),
    )  # fmt: skip
    note = (
        "P(first better): chance that a run of the first beats one of the second on the same training draw, "
        "from 10 draws up."
    )
    return Table("Pairs of arms", columns, tuple(made), note)


def _results(plain: Plain) -> list[tuple[str, Plain]]:
    return [
        (text(arm, "title", key), result)
        for key, arm in keyed_rows(plain, "arms").items()
        if (result := mapping(arm, "result"))
    ]


def _ends(score: Plain) -> tuple[float, float, float] | None:
    value, low, high = (number(score, key) for key in ("value", "low", "high"))
    return None if value is None or low is None or high is None else (value, low, high)


def _factors(part: Plain) -> str:
    low, high = number(part, "factor_low"), number(part, "factor_high")
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _runs(row: Plain) -> str:
    runs = number(row, "runs")
    return text(row, "said", "–") if runs is None else f"{runs:,.0f}"


def _some(table: Table) -> list[Block]:
    return [table] if table.rows else []
