"""What the page of a compare study shows: scores with intervals, and differences of pairs."""

from __future__ import annotations

from collections.abc import Sequence

from crossover.measure.looks import percent
from crossover.report.chart_style import metric_title
from crossover.report.comparison_figure import Dot, dot_plot
from crossover.report.drawing import Chart
from crossover.report.page import Block, Bullets, Fold, Picture, Prose, Section
from crossover.report.plain_values import Plain, flat, keyed_rows, mapping, number, rows, text
from crossover.report.tables import Cell, Column, Table


def charts(plain: Plain) -> list[Chart]:
    """Scores by the metric of record, and the paired differences."""
    name = _metric(plain)
    scores = [
        Dot(text(arm, "title", key), value, number(score, "low"), number(score, "high"))
        for key, arm in keyed_rows(plain, "arms").items()
        for score in [mapping(mapping(arm, "scores"), name)]
        if (value := number(score, "value")) is not None
    ]
    gaps = [
        Dot(_pair_title(plain, pair, row), value, number(row, "low"), number(row, "high"))
        for pair, row in _differences(plain)
        if (value := _first(row, "value", "mean")) is not None
    ]
    metric = metric_title(name)
    found = (
        dot_plot("scores", f"{metric} of every arm", metric, scores),
        dot_plot(
            "differences", f"Paired differences in {metric}", f"difference in {metric}", gaps, zero=True
        ),
    )
    return [chart for chart in found if chart is not None]


def warnings(plain: Plain) -> list[str]:
    """None beyond the verdict's own flags."""
    return []


def head(plain: Plain) -> list[Block]:
    """Nothing beyond the sentence: a comparison has no single figure to remember."""
    return []


def sections(plain: Plain, drawn: list[Chart]) -> list[Section]:
    """Scores, differences, and cost where it is known."""
    pictures = {chart.name: Picture.of(chart) for chart in drawn}
    made: list[tuple[str, str, str, Table]] = [
        ("Every score", "scores", "scores", score_table(plain)),
        ("Is the difference real?", "difference", "differences", difference_table(plain)),
        ("What it costs", "cost", "", cost_table(plain)),
    ]
    found = []
    for title, anchor, figure, table in made:
        blocks: list[Block] = [pictures[figure]] if figure in pictures else []
        headline = score_table(plain, (_metric(plain), "log_loss")) if anchor == "scores" else table
        if headline.rows:
            blocks.append(headline)
        if len(headline.rows) < len(table.rows):
            blocks.append(Fold(f"Every score of every arm ({len(table.rows):,})", (table,)))
        words = _in_words(plain) if anchor == "difference" else ()
        if words:
            blocks.append(Bullets("In words", words))
        if anchor == "scores" and blocks:
            blocks.append(
                Prose(
                    "Compare arms by their paired differences, not by whether two intervals overlap.", "quiet"
                )
            )
        if blocks:
            found.append(Section(title, anchor, tuple(blocks)))
    return found


def score_table(plain: Plain, only: Sequence[str] = ()) -> Table:
    """One row an arm and score, with its interval and how that was made; all scores, or these."""
    made: list[tuple[Cell, ...]] = []
    for key, arm in keyed_rows(plain, "arms").items():
        scores = mapping(arm, "scores")
        for name in (name for name in scores if not only or name in only):
            score = mapping(scores, name)
            made.append(
                (
                    text(arm, "title", key),
                    metric_title(str(name)),
                    number(score, "value"),
                    (number(score, "low"), number(score, "high")),
                    number(score, "n"),
                    text(score, "method"),
                    _seeds(arm),
                )
            )
    columns = (
        Column("arm"),
        Column("score"),
        Column("value", "score"),
        Column(_interval_title(plain), "interval"),
        Column("n", "count"),
        Column("how the interval was made"),
        Column("seeds"),
    )
    return Table("Scores with their intervals", columns, tuple(made))


def difference_table(plain: Plain) -> Table:
    """One row a pair and metric: left minus right, with Holm's p where several pairs were tested."""
    made: list[tuple[Cell, ...]] = [
        (
            _pair_title(plain, pair, row),
            _first(row, "value", "mean"),
            (number(row, "low"), number(row, "high")),
            _first(row, "p", "p_value"),
            number(pair, "holm_p"),
        )
        for pair, row in _differences(plain)
    ]
    columns = (
        Column("pair"),
        Column("difference", "signed"),
        Column(_interval_title(plain), "signed_interval"),
        Column("p", "quantity"),
        Column("p (Holm)", "quantity"),
    )
    return Table("Paired differences", columns, tuple(made))


def cost_table(plain: Plain) -> Table:
    """One row an arm, one column a cost that any arm states."""
    arms = keyed_rows(plain, "arms")
    costs = {key: mapping(arm, "cost") for key, arm in arms.items()}
    names = sorted({str(name) for cost in costs.values() for name in cost if number(cost, name) is not None})[
        :8
    ]
    made: list[tuple[Cell, ...]] = [
        (text(arms[key], "title", key), *(number(cost, name) for name in names))
        for key, cost in costs.items()
        if cost
    ]
    columns = (Column("arm"), *(Column(name.replace("_", " "), "quantity") for name in names))
    return Table("Cost", columns, tuple(made) if names else ())


def _in_words(plain: Plain) -> tuple[str, ...]:
    """Equivalence, and what sets the two fitted models apart, of the first 20 pairs."""
    return tuple(
        f"{_pair_title(plain, pair, {})}: {said}"
        for pair in rows(plain, "pairs")[:20]
        for said in (text(pair, name) for name in ("sentence", "equivalence", "mcnemar"))
        if said
    )


def _interval_title(plain: Plain) -> str:
    """``interval``, with its level where declared looks at the test part made it another than 95%."""
    level = number(plain, "level") or 0.95
    return "interval" if level == 0.95 else f"{percent(level)} interval"


def _metric(plain: Plain) -> str:
    """The metric of record, else the first score any arm states."""
    stated = text(plain, "metric")
    if stated:
        return stated
    for arm in keyed_rows(plain, "arms").values():
        for name in mapping(arm, "scores"):
            return str(name)
    return "score"


def _differences(plain: Plain) -> list[tuple[Plain, Plain]]:
    """(pair, its difference) for each of: a list, a mapping by score, one mapping, the pair itself."""
    found: list[tuple[Plain, Plain]] = []
    for pair in rows(plain, "pairs"):
        listed = rows(pair, "differences")
        named = mapping(pair, "differences")
        if listed:
            found += [(pair, row) for row in listed]
        elif named:
            found += [(pair, {"metric": name, **mapping(named, name)}) for name in named]
        else:
            found.append((pair, mapping(pair, "difference") or pair))
    return found


def _pair_title(plain: Plain, pair: Plain, row: Plain) -> str:
    arms = keyed_rows(plain, "arms")
    sides = []
    for names in (("left", "expensive"), ("right", "cheap")):
        key = next((text(pair, name) for name in names if text(pair, name)), names[0])
        sides.append(text(arms.get(key, {}), "title", key))
    metric = text(row, "metric")
    return " minus ".join(sides) + (f", {metric_title(metric)}" if metric else "")


def _seeds(arm: Plain) -> str:
    seeds = arm.get("seeds")
    if isinstance(seeds, (list, tuple)):
        return ", ".join(str(seed) for seed in seeds) or "–"
    if isinstance(seeds, dict):
        return "; ".join(f"{name} {value}" for name, value in flat(seeds))
    return "–" if seeds is None else str(seeds)


def _first(row: Plain, *names: str) -> float | None:
    for name in names:
        found = number(row, name)
        if found is not None:
            return found
    return None
