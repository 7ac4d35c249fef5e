"""Class shares: how the classes are spread over the values of each declared meta column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np

from crossover.data.corpus import Corpus
from crossover.measure.interval import wilson

VALUES = 12
"""Values of a category or group that stand for themselves; the others are taken together."""
PERIODS = 30
"""Most periods of a time column: days, else months, else years, whichever come to no more."""
OTHERS, MISSING = "(all others)", "(missing)"


@dataclass(frozen=True)
class ClassShare:
    """The share of class ``label`` among the ``rows`` labelled rows of one value of column ``by``.

    ``low`` and ``high`` are Wilson's 95% limits, which take rows as independent.
    """

    by: str
    kind: str
    value: str
    label: str
    rows: int
    share: float
    low: float
    high: float

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


def class_shares(corpus: Corpus) -> list[ClassShare]:
    """Shares by category, group and time columns; values by rows, periods in order of time."""
    made: list[ClassShare] = []
    for column, kind in sorted(corpus.meta.items()):
        if kind not in ("category", "group", "time"):
            continue
        values = [MISSING if value in (None, "") else str(value) for value in corpus.meta_values(column)]
        named = periods(values) if kind == "time" else _common(values)
        labelled = [(v, label) for v, label in zip(named, corpus.labels, strict=True) if label is not None]
        totals = Counter(value for value, _ in labelled)
        counts = Counter(labelled)
        order = sorted(totals) if kind == "time" else sorted(totals, key=lambda value: _place(value, totals))
        for value in order:
            n = totals[value]
            for label in corpus.classes:
                low, high = (float(end) for end in wilson(counts[value, label], n))
                share = counts[value, label] / n
                made.append(ClassShare(column, kind, value, label, n, share, low, high))
    return made


def periods(values: Sequence[str]) -> list[str]:
    """The day, month or year of each ISO 8601 time, the finest that gives no more than PERIODS."""
    for length in (10, 7, 4):
        cut = [value[:length] if _readable(value) else MISSING for value in values]
        if len(set(cut)) <= PERIODS:
            return cut
    years = sorted({value for value in cut if value != MISSING})
    held = {year: f"{block[0]}-{block[-1]}" for block in np.array_split(years, PERIODS) for year in block}
    return [held.get(value, value) for value in cut]


def _common(values: Sequence[str]) -> list[str]:
    counts = Counter(value for value in values if value != MISSING)
    kept = {value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:VALUES]}
    return [value if value in kept or value == MISSING else OTHERS for value in values]


def _place(value: str, totals: Counter[str]) -> tuple[int, int, str]:
    return (1 + (value == MISSING) if value in (OTHERS, MISSING) else 0), -totals[value], value


def _readable(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
