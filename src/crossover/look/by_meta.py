"""By meta: declared columns that tell the class, or whose values have texts of another kind.

A column that tells the class is a short cut for a model that reads it, and for one that reads the text if
the text betrays the column. One row of each cluster of copies is read; effects below the floors only
describe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.look.text_statistics import TextStatistics
from crossover.measure.association import (
    Association,
    categories_associated,
    numbers_associated,
    numbers_differ,
    one_against_rest,
)

V_FLOOR, AUC_FLOOR, EPSILON_FLOOR, RHO_FLOOR = 0.1, 0.55, 0.02, 0.15
"""Least effects worth a warning: Cramer's V; the chance that a class's number exceeds another's (or falls
below: 1 - AUC); epsilon squared; Spearman's rho."""
FEWEST_OF_CLASS = 10
"""Rows a class needs to be named as the one that a number tells."""
MOST_ROWS = 50_000
"""Rows read, drawn at random: beyond them only effects too small to matter become visible."""

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def by_meta(corpus: Corpus, statistics: TextStatistics, rows: Rows) -> list[Finding]:
    """For each category, group and number column: whether it goes with the class, and with the statistics.

    Statistics by group are left to the breakdown: no two senders write alike.

    Args:
        statistics: of all texts of the corpus, in its order.
        rows: one row of each cluster of copies (dependence.py).
    """
    if len(rows) > MOST_ROWS:
        by_id = np.array(sorted(rows.tolist(), key=corpus.ids.__getitem__), np.int64)
        rows = np.sort(np.random.default_rng(0).permutation(by_id)[:MOST_ROWS])
    labels = [corpus.labels[row] for row in rows.tolist()]
    numbers = {name: values[rows] for name, values in statistics.numbers.items() if name != "blank"}
    findings: list[Finding] = []
    for column, kind in corpus.meta.items():
        if kind not in ("category", "group", "number"):
            continue
        every = corpus.meta_values(column)
        cells = [every[row] for row in rows.tolist()]
        known = np.array([cell not in (None, "") for cell in cells], bool)
        both = np.flatnonzero(known & np.array([label is not None for label in labels], bool))
        classes = _codes([labels[k] for k in both.tolist()])
        if kind == "number":
            values = np.array([cells[k] for k in both.tolist()], float)
            names = sorted({str(labels[k]) for k in both.tolist()})
            findings += _class_by_number(column, values, classes, names)
            there = np.flatnonzero(known)
            values = np.array([cells[k] for k in there.tolist()], float)
            found = {s: numbers_associated(values, x[there]) for s, x in numbers.items()}
            findings += _text(column, kind, found, RHO_FLOOR)
        else:
            codes = _codes([cells[k] for k in both.tolist()])
            findings += _class_by_value(column, kind, categories_associated(codes, classes))
            if kind == "category":
                there = np.flatnonzero(known)
                codes = _codes([cells[k] for k in there.tolist()])
                found = {s: numbers_differ(x[there], codes) for s, x in numbers.items()}
                findings += _text(column, kind, found, EPSILON_FLOOR)
    return findings


def _codes(cells: Sequence[object]) -> Rows:
    names = [str(cell) for cell in cells]
    number = {name: k for k, name in enumerate(sorted(set(names)))}
    return np.array([number[name] for name in names], np.int64)


def _class_by_value(column: str, kind: str, found: Association | None) -> list[Finding]:
    if found is None:
        return []
    large = found.effect >= V_FLOOR
    apart = (
        f"keep its values apart (split=grouped split.by=[{column}]) and compare the scores" if large else ""
    )
    return [
        Finding(
            f"class-by-{column}",
            "warning" if large else "info",
            f"{column} goes with the class at Cramér's V {found.effect:.2f} (0 tells nothing, 1 tells all)",
            _evidence(column, kind, found, V_FLOOR),
            apart,
            found.p,
        )
    ]


def _class_by_number(column: str, values: Floats, classes: Rows, names: Sequence[str]) -> list[Finding]:
    found = numbers_differ(values, classes) if len(classes) else None
    if found is None:
        return []
    areas = one_against_rest(values, classes)
    areas[np.bincount(classes) < FEWEST_OF_CLASS] = 0.5
    best = int(np.argmax(np.abs(areas - 0.5)))
    name, area = names[best], float(areas[best])
    large = max(area, 1 - area) >= AUC_FLOOR
    return [
        Finding(
            f"class-by-{column}",
            "warning" if large else "info",
            f"{column} is {'larger' if area >= 0.5 else 'smaller'} in {name!r} than in the other classes in "
            f"{max(area, 1 - area):.1%} of pairs of rows",
            {**_evidence(column, "number", found, AUC_FLOOR), "value": name, "area": area},
            f"ask whether {column} is known when the label is not; if so give it to the model by name "
            "(feature=declared_meta), if not leave it out of data.meta"
            if large
            else "",
            found.p,
        )
    ]


def _text(column: str, kind: str, tried: dict[str, Association | None], floor: float) -> list[Finding]:
    found = {name: one for name, one in tried.items() if one is not None}
    if not found:
        return []
    name, best = min(found.items(), key=lambda item: (abs(item[1].effect) < floor, item[1].p, item[0]))
    large = abs(best.effect) >= floor
    how = "Spearman's rho" if kind == "number" else "epsilon squared"
    return [
        Finding(
            f"text-by-{column}",
            "warning" if large else "info",
            f"of the statistics of the texts {name!r} goes most with {column}: {how} {best.effect:.2f}",
            {**_evidence(column, kind, best, floor), "statistic": name, "looked_at": len(found)},
            f"texts differ by {column}: read some of each, and score its values one by one" if large else "",
            min(1.0, best.p * len(found)),
        )
    ]


def _evidence(column: str, kind: str, found: Association, floor: float) -> dict[str, object]:
    return {
        "column": column,
        "kind": kind,
        "effect": found.effect,
        "effect_floor": floor,
        "rows": found.rows,
        "test": f"{found.method}; one row a cluster",
    }
