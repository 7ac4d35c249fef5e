"""selection=inside: a fifth of the n rows an arm is given is held out, then given back.

The arm is tuned on the held-out fifth and refitted on all n with the selected settings and
step count; every arm alike, so the size of the training set stays the labels it costs.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crossover.data.corpus import Rows
from crossover.protocol.selection.rule import Factory, Measure, Selected, fit_trials

HELD_OUT = 0.2
FEWEST_TO_SEARCH = 5


@dataclass(frozen=True)
class Inside:
    """Tune on 20% of the rows, refit on all; under 5 rows of a class there is no search."""

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
        """Fit the winner on all ``rows``; ``shared`` is never read."""
        settings: dict[str, object] = {}
        trials: list[dict[str, object]] = []
        enough = min(Counter(rows.labels).values()) >= FEWEST_TO_SEARCH
        if enough and (budget > 1 or make({}).wants_validation):
            kept, held = _hold_out(rows.labels, seed)
            _, settings, trials = fit_trials(
                make, rows.take(kept), classes, rows.take(held), budget, measure, seed
            )
        model = make(settings).fit(rows.texts, rows.labels, classes, None, rows.meta)
        return Selected(model, settings, trials)

    def labels_read(self, shared: Rows, searched: bool) -> int:
        """None beyond the n rows."""
        return 0


def _hold_out(labels: Sequence[str], seed: int) -> tuple[list[int], list[int]]:
    """Positions kept and held out, a fifth of each class (rounded, at least 1)."""
    held: list[int] = []
    draw = random.Random(seed)
    for name in sorted(set(labels)):
        members = [k for k, label in enumerate(labels) if label == name]
        draw.shuffle(members)
        held.extend(members[: max(1, round(HELD_OUT * len(members)))])
    out = set(held)
    return [k for k in range(len(labels)) if k not in out], sorted(held)
