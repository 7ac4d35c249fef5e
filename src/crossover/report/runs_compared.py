"""Two runs side by side: where their specs differ, their scores with a paired interval, their costs."""

from __future__ import annotations

from collections.abc import Mapping

from crossover.data.bad_input import BadInput
from crossover.measure.metric.metric import all_metrics
from crossover.measure.paired import paired_difference
from crossover.record.environment import differences
from crossover.record.run_record import RunRecord
from crossover.report.plain_values import flat
from crossover.report.tables import Cell, Column, Table


def runs_compared(first: RunRecord, second: RunRecord, groups: Mapping[str, str]) -> list[Table]:
    """Specs where they differ, then scores (first minus second, paired on the same test rows), then costs.

    ``groups`` names the cluster of a test row, where rows are not independent.
    """
    sides = (Column(first.digest), Column(second.digest))
    specs = [dict(flat(record.spec.to_json(), 1000)) for record in (first, second)]
    differ: list[tuple[Cell, ...]] = [
        (name, specs[0].get(name, "default"), specs[1].get(name, "default"))
        for name in sorted({*specs[0], *specs[1]})
        if specs[0].get(name) != specs[1].get(name)
    ]
    around: list[tuple[Cell, ...]] = list(differences(first.environment, second.environment))
    costs: list[tuple[Cell, ...]] = [
        (name, first.cost.get(name), second.cost.get(name)) for name in sorted({*first.cost, *second.cost})
    ]
    scores, note = _scores(first, second, groups)
    numbers = tuple(Column(column.title, "quantity") for column in sides)
    columns = (
        Column("score"),
        *(Column(column.title, "score") for column in sides),
        Column("difference", "signed"),
        Column("95% interval", "signed_interval"),
    )
    tables = [
        Table("Where the specifications differ", (Column("setting"), *sides), tuple(differ)),
        Table("Scores on the test rows", columns, tuple(scores), note),
        Table("Costs", (Column("cost"), *numbers), tuple(costs)),
        Table("Where the environments differ", (Column("what"), *sides), tuple(around)),
    ]
    return [table for table in tables if table.rows]


def _scores(
    first: RunRecord, second: RunRecord, groups: Mapping[str, str]
) -> tuple[list[tuple[Cell, ...]], str]:
    """A row a metric; where the two saw other test rows there is no paired interval, and the note says so."""
    rows: list[tuple[Cell, ...]] = []
    note = "First minus second, of these two fitted models; which arm is better is a question for a study."
    for metric in all_metrics():
        one, other = (record.scores.get(metric.name) for record in (first, second))
        if one is None or other is None:
            continue
        try:
            one_part, other_part = first.predictions.part("test"), second.predictions.part("test")
            paired = paired_difference(one_part, other_part, metric, groups)
        except BadInput as error:
            note = f"not paired: {error}"
            rows.append((metric.name, one.value, other.value, None, None))
        else:
            rows.append((metric.name, one.value, other.value, paired.value, (paired.low, paired.high)))
    return rows, note
