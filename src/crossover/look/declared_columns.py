"""Declared columns: values that are missing, columns that say nothing, and columns that say the same."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.measure.association import categories_associated

NEARLY = 0.99
"""Share of rows with one value from which on a column is nearly constant."""
SAME = 0.95
"""Rank correlation from which on two number columns say the same."""
V_FLOOR = 0.1
FEWEST_ROWS = 20

Rows = NDArray[np.int64]


def declared_columns(corpus: Corpus, rows: Rows) -> list[Finding]:
    """Missing values and whether they tell the class; constant, nearly constant and redundant columns.

    Args:
        rows: one row of each cluster of copies (dependence.py), for the test of missing values.
    """
    findings = []
    for column in corpus.meta:
        cells = corpus.meta_values(column)
        missing = np.array([cell in (None, "") for cell in cells], bool)
        findings += _missing(corpus, column, missing, rows)
        findings += _constant(column, [cell for cell in cells if cell not in (None, "")], len(corpus))
    return findings + _redundant(corpus)


def _missing(corpus: Corpus, column: str, missing: NDArray[np.bool_], rows: Rows) -> list[Finding]:
    count = int(missing.sum())
    if not count:
        return []
    evidence: dict[str, object] = {"column": column, "rows": count, "share": count / len(corpus)}
    said = f"{count:,} of {len(corpus):,} rows ({count / len(corpus):.1%}) have no {column}"
    if count == len(corpus):
        remedy = "check the column's name (data.meta), or leave it out"
        return [Finding(f"missing-{column}", "warning", said, evidence, remedy)]
    labelled = np.array([corpus.labels[row] is not None for row in rows.tolist()], bool)
    number = {label: k for k, label in enumerate(corpus.classes)}
    used = rows[labelled]
    classes = np.array([number[str(corpus.labels[row])] for row in used.tolist()], np.int64)
    found = categories_associated(missing[used].astype(np.int64), classes)
    if found is None:
        return [Finding(f"missing-{column}", "info", said, evidence)]
    evidence |= {
        "effect": found.effect,
        "effect_floor": V_FLOOR,
        "test": f"missing or not by class, {found.method}; one row a cluster",
        "share_by_label": {
            label: float(missing[used][classes == k].mean())
            for label, k in number.items()
            if (classes == k).any()
        },
    }
    large = found.effect >= V_FLOOR
    return [
        Finding(
            f"missing-{column}",
            "warning" if large else "info",
            f"{said}; that goes with the class at Cramér's V {found.effect:.2f}",
            evidence,
            f"find out why {column} is missing where it is: a model that reads it will read that"
            if large
            else "",
            found.p,
        )
    ]


def _constant(column: str, cells: list[object], total: int) -> list[Finding]:
    if len(cells) < FEWEST_ROWS:
        return []
    counts: dict[object, int] = {}
    for cell in cells:
        counts[cell] = counts.get(cell, 0) + 1
    value, most = min(counts.items(), key=lambda item: (-item[1], str(item[0])))
    if most < NEARLY * len(cells):
        return []
    evidence = {"column": column, "value": str(value), "rows": most, "values": len(counts), "of": total}
    if len(counts) == 1:
        return [
            Finding(
                f"constant-{column}",
                "warning",
                f"{column} is {str(value)!r} in every row that has one",
                evidence,
                f"leave {column} out of data.meta: it can tell nothing apart",
            )
        ]
    said = f"{column} is {str(value)!r} in {most / len(cells):.1%} of the rows that have one"
    return [Finding(f"constant-{column}", "info", said, evidence)]


def _redundant(corpus: Corpus) -> list[Finding]:
    numbers = {
        name: np.array([np.nan if cell is None else cell for cell in corpus.meta_values(name)], float)
        for name, kind in corpus.meta.items()
        if kind == "number"
    }
    same = []
    for first, second in combinations(sorted(numbers), 2):
        known = ~np.isnan(numbers[first]) & ~np.isnan(numbers[second])
        a, b = numbers[first][known], numbers[second][known]
        if len(a) < FEWEST_ROWS or np.ptp(a) == 0 or np.ptp(b) == 0:
            continue
        rho = float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
        if abs(rho) >= SAME:
            same.append({"columns": [first, second], "rho": rho})
    if not same:
        return []
    pair = same[0]["columns"]
    return [
        Finding(
            "redundant-columns",
            "warning",
            f"{len(same)} pairs of number columns say the same, first {pair}",
            {"pairs": same, "rho_floor": SAME},
            "keep one of each pair: an ablation that removes one alone finds it worthless",
        )
    ]
