"""Shift in time: rows of one kind move from before a date to after it, so that their share grows.

With ``column=label`` this is label shift (the share of a class grows, texts of a class stay what
they are); with a meta column it is a slice that grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.flaw.flaw import Batch, Flaw, Stage, seconds
from crossover.data.row_random import uniform


@dataclass(frozen=True, kw_only=True)
class TimeShift(Flaw):
    """Move a share of the early rows of one kind to a time after the date, growing towards the end.

    Args:
        column: ``label`` or a meta column of kind category or group.
        value: the value that becomes more frequent.
        since: a date such as 2024-03-01; None is the middle of the corpus' times.
    """

    column: str = "label"
    value: str | None = None
    since: str | None = None

    stage: ClassVar[Stage] = Stage.TIME

    def plant(self, batch: Batch, name: str) -> None:
        """Write new times for the chosen rows; texts and labels stay."""
        self._check_value(batch, name)
        since, column = batch.from_date(name, self.since), batch.time_column(name)
        span = (np.datetime64(str(batch.ground.last_time)[:19], "s") - since).astype(np.int64)
        late = since + (span * np.sqrt(uniform(self.bits(batch, name, "when")))).astype("timedelta64[s]")
        moved = seconds(late)
        among = batch.equal(self.column, self.value) & (batch.times(name) < since)
        for row in self.chosen(batch, name, among):
            batch.change(name, row, column, moved[row], f"{self.column}={self.value}")

    def _check_value(self, batch: Batch, name: str) -> None:
        kinds = {"label": "category", **batch.kinds}
        slices = [column for column, kind in kinds.items() if kind in ("category", "group")]
        if self.column not in slices:
            raise BadInput(f"flaw {name}: column={self.column!r}; expected one of {slices}")
        known = batch.ground.values.get(self.column)
        if self.column == "label":
            known = tuple(batch.classes)
        elif batch.ground.writer is None:
            known = tuple(str(cell) for cell in batch.columns[self.column] if cell is not None)
        if self.value is None or (known is not None and self.value not in known):
            raise BadInput(f"flaw {name}: value={self.value!r} does not occur in column {self.column!r}")
