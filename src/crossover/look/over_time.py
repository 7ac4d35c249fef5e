"""Over time: classes, statistics of the texts and declared columns that do not stay what they were.

A class that grows, digits that vanish from a date on, a region that comes up: each is the largest change of a
column at some moment (measure/change_point.py), P corrected for the columns looked at. One row of each
cluster of copies is read. With many rows everything changes a little: what is smaller than :data:`FLOOR`
only describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Corpus
from crossover.look.bins import moments_of
from crossover.look.finding import Finding
from crossover.look.text_statistics import TextStatistics
from crossover.measure.change_point import FEWEST_ROWS, changes, shares_below

FLOOR = 0.05
"""Least change worth a warning: of a share, or of the chance that a later value exceeds an earlier one."""
FEWEST_OF_VALUE = 10
"""Rows that must have a value of a column for its share to be followed."""
MOST_FOLLOWED = 200
"""Values of a column that are followed, the commonest."""

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def over_time(corpus: Corpus, statistics: TextStatistics, rows: Rows) -> list[Finding]:
    """For each time column: what changes among classes, statistics, and each category and number column.

    Args:
        statistics: of all texts of the corpus, in its order.
        rows: the rows to read, one of each cluster of copies (dependence.py).
    """
    findings = []
    for name, kind in corpus.meta.items():
        if kind != "time":
            continue
        moments = moments_of(corpus.meta_values(name))[rows]
        timed = ~np.isnat(moments)
        if timed.sum() < FEWEST_ROWS or np.ptp(moments[timed].astype(np.int64)) == 0:
            continue
        kept, when = rows[timed], moments[timed]
        labels = [corpus.labels[row] for row in kept.tolist()]
        findings += _change("class", "label", _shares(labels), when, name)
        texts = {key: values[kept] for key, values in statistics.numbers.items() if key != "blank"}
        findings += _change("text", "statistic", _ranked(texts), when, name)
        for column, other in corpus.meta.items():
            if other == "category":
                cells = corpus.meta_values(column)
                shares = _shares([cells[row] for row in kept.tolist()])
                findings += _change(f"meta-{column}", column, shares, when, name)
            elif other == "number":
                numbers = np.array([np.nan if v is None else v for v in corpus.meta_values(column)], float)[
                    kept
                ]
                known = ~np.isnan(numbers)
                findings += _change(
                    f"meta-{column}", "column", _ranked({column: numbers[known]}), when[known], name
                )
    return findings


def _shares(cells: Sequence[object]) -> dict[str, Floats]:
    """A column of 0 and 1 for each common value; rows without a value are 0 in all."""
    counts: dict[str, int] = {}
    names = ["" if cell in (None, "") else str(cell) for cell in cells]
    for value in names:
        counts[value] = counts.get(value, 0) + 1
    common = sorted((v for v in counts if v and counts[v] >= FEWEST_OF_VALUE), key=lambda v: (-counts[v], v))
    every = np.array(names, object)
    return {value: (every == value).astype(float) for value in common[:MOST_FOLLOWED]}


def _ranked(columns: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: shares_below(values[:, None])[:, 0] for name, values in columns.items()}


def _change(
    what: str, of: str, columns: Mapping[str, Floats], moments: NDArray[np.datetime64], time: str
) -> list[Finding]:
    if not columns or len(moments) < FEWEST_ROWS:
        return []
    names = list(columns)
    table = np.column_stack(list(columns.values()))
    found = changes(table, moments)
    # Of two classes the one says what the other does: one test, not two.
    tests = 1 if len(names) == 2 and bool((table.sum(axis=1) == 1).all()) else len(names)
    effects = np.nan_to_num(found.after - found.before)
    best = min(range(len(names)), key=lambda k: (abs(effects[k]) < FLOOR, found.p[k], names[k]))
    if np.isnat(found.moment[best]):
        return []
    p = min(1.0, tests * float(found.p[best]))
    before, after, effect = float(found.before[best]), float(found.after[best]), float(effects[best])
    day = str(found.moment[best].astype("datetime64[D]"))
    large = abs(effect) >= FLOOR
    ranked = of in ("statistic", "column")
    if ranked:
        said = f"from {day} on {names[best]!r} is larger than before in {0.5 + effect:.1%} of pairs of rows"
    else:
        said = f"{of} {names[best]!r} has {before:.1%} before {day}, {after:.1%} from then on"
    return [
        Finding(
            f"{what}-over-time-{time}",
            "warning" if large else "info",
            f"the largest change over {time}: {said}",
            {
                "time": time,
                "of": of,
                "value": names[best],
                "since": day,
                "before": before,
                "after": after,
                "effect": effect,
                "effect_floor": FLOOR,
                "looked_at": len(names),
                "tests": tests,
                "rows": len(moments),
                "test": "largest change, Kolmogorov's law, Bonferroni over values; one row a cluster",
            },
            _REMEDY[what.split("-")[0]].format(time=time, day=day) if large else "",
            p,
        )
    ]


_REMEDY = {
    "class": "a random split hides this: score by split=temporal split.time={time} too, and ask what "
    "happened on {day}",
    "text": "find what changed upstream on {day} (a filter, a source), and score by split=temporal "
    "split.time={time}",
    "meta": "rows to come are mixed like the last ones: score by split=temporal split.time={time}, and "
    "each value by itself",
}
