"""The table and the warning beside the figure of curves carried beyond the largest size."""

from __future__ import annotations

from crossover.report.chart_style import metric_title
from crossover.report.extrapolation_figure import known_arms
from crossover.report.page import Prose
from crossover.report.plain_values import Plain, keyed_rows, mapping, number, rows, text
from crossover.report.tables import Cell, Column, Table

_LAWS = {
    "pow3": "power law (pow3)",
    "exp3": "exponential (exp3)",
    "last1": "the last value goes on (last1)",
}


def no_verdict(plain: Plain) -> Prose:
    """The sentence that keeps an extrapolation apart from the answer."""
    arms, ahead = known_arms(plain), keyed_rows(plain, "extrapolation")
    sizes = [number(point, "size") for key in ahead for point in rows(arms[key], "curve")]
    largest = max((size for size in sizes if size is not None), default=None)
    by = "by the largest size" if largest is None else f"by n = {largest:,.0f}"
    return Prose(
        "This is no verdict and changes nothing above. It shows where the curves would go if each kept to "
        "the law that best predicted its largest size. Of a crossing that was not seen, the study says only: "
        f"not {by}."
    )


def extrapolation_table(plain: Plain) -> Table:
    """One row an arm and size ahead; an arm without an extrapolation has one row with the reason."""
    metric = metric_title(text(plain, "metric", "score"))
    arms = known_arms(plain)
    made: list[tuple[Cell, ...]] = []
    for key, entry in keyed_rows(plain, "extrapolation").items():
        title, reason = text(arms[key], "title", key), text(entry, "reason", "–")
        held_out, law = mapping(entry, "held_out"), text(entry, "law", "none")
        shown = (title, _LAWS.get(law, law))
        check = tuple(
            number(held_out, name) for name in ("size", "predicted", "found", "error", "last1_error")
        )
        for at in rows(entry, "at"):
            ends = (number(at, "low"), number(at, "high"))
            made.append((*shown, number(at, "size"), number(at, "mean"), ends, *check, reason))
        if not rows(entry, "at"):
            made.append((*shown, None, None, (None, None), *check, reason))
    columns = (
        Column("arm"),
        Column("law"),
        Column("at n", "count"),
        Column(f"{metric} it gives", "score"),
        Column("interval", "interval"),
        Column("n held out", "count"),
        Column("predicted", "score"),
        Column("found", "score"),
        Column("error", "score"),
        Column("error of the last value", "score"),
        Column("why this law"),
    )
    return Table(
        "Curves carried beyond the largest size",
        columns,
        tuple(made),
        "The law shown is the one that, fitted without the largest size, came closest to it; where none came "
        "closer than the last value, the last value goes on. Interval: 95% over replicates of the draws, the "
        "law chosen anew in each; it takes for granted the same test rows, and that a law goes on beyond the "
        "sizes run.",
    )
