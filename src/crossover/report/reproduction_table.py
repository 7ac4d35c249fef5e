"""A reproduction as a reader is told it: a table of scores, what surrounds differed, one sentence."""

from __future__ import annotations

from crossover.record.reproduction import IDENTICAL, Reproduction
from crossover.report.tables import Cell, Column, Table
from crossover.report.visible_text import visible


def reproduction_table(found: Reproduction, titles: tuple[str, str]) -> Table:
    """One row a score: both values in full, their difference, and what was allowed.

    ``titles`` name the two sides ("then", "now"; the two processes of an audit).
    """
    columns = (Column("score"), *(Column(title) for title in titles), Column("difference", "quantity"),
               Column("allowed"), Column("verdict"))  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for score in found.scores:
        allowed = f"{score.tolerance.value:.2g}, {score.tolerance.source}" if found.environment else "0"
        values = (_full(score.then), _full(score.now))
        rows.append((score.name, *values, score.difference, allowed, score.kind))
    predictions = "equal" if found.same_predictions else "not equal"
    return Table("Scores", columns, tuple(rows), f"predictions, by SHA-256: {predictions}")


def reproduction_lines(found: Reproduction, titles: tuple[str, str]) -> list[str]:
    """What differs around the run, where the training parts, and last the verdict in one line."""
    then, now = titles
    lines = [
        f"environment: {visible(name)}: {visible(one)} {then}, {visible(other)} {now}"
        for name, one, other in found.environment
    ]
    if found.parting is not None:
        step, what = found.parting.step, found.parting.what
        values = f"{_full(found.parting.then)} {then}, {_full(found.parting.now)} {now}"
        lines.append(f"training parts at step {step}: {what} {values}")
    elif found.kind != IDENTICAL:
        lines.append("training: every step kept is equal")
    return [*lines, f"{found.kind}: {found.why}"]


def _full(value: float | None) -> str:
    return "undefined" if value is None else repr(value)
