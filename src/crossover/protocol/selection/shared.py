"""selection=shared: every arm is tuned on the split's select half, whose size is added to n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.protocol.selection.rule import Factory, Measure, Selected, fit_trials


@dataclass(frozen=True)
class Shared:
    """Fit every trial on all n rows, keep the best on the select half."""

    def select(
        self,
        make: Factory,
        rows: Rows,
        classes: Sequence[str],
        shared: Rows,
        budget: int,
        measure: Measure,
        seed: int,
    ) -> Selected:
        """Fit the winner on all ``rows``.

        Raises:
            BadInput: the split has no select half.
        """
        if not len(shared):
            raise BadInput(
                "selection=shared needs a select half; split with validation > 0, or use selection=inside"
            )
        model, settings, trials = fit_trials(make, rows, classes, shared, budget, measure, seed)
        return Selected(model, settings, trials)

    def labels_read(self, shared: Rows, searched: bool) -> int:
        """The select half, where it was read at all."""
        return len(shared) if searched else 0
