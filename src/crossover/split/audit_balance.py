"""Balance of a split: have train and test the classes, slices and lengths that dealing at random gives?

Each is a test with a least size that matters; which of them alarm is decided for the page as one family.
The units are the clusters that the split kept whole, single rows elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.measure.interval import cluster_index
from crossover.measure.unit_balance import levels, unit_balance
from crossover.split.split import Split

SHIFT = 0.02
"""Least difference of a share between train and test that is worth a warning."""

LENGTH_SHIFT = 0.03
"""Least distance from 1/2 of the chance that a test text is longer than a training text."""

MOST_LEVELS = 200
"""A category column with more values than this names rows rather than slices."""


def balance_findings(corpus: Corpus, split: Split) -> list[Finding]:
    """Classes, each declared category, and text lengths of train against test, then missing classes."""
    ids = [*split.train, *split.test]
    in_test = np.arange(len(ids)) >= len(split.train)
    found = cluster_index(ids, split.groups)
    units = np.arange(len(ids)) if found is None else found
    rows = [corpus.row_of[id_] for id_ in ids]
    findings = [_classes(corpus, split, rows, in_test, units)]
    for column, meaning in sorted(corpus.meta.items()):
        if meaning == "category" and column != _naming_parts(split):
            values = corpus.meta_values(column)
            names = ["(missing)" if values[row] in (None, "") else str(values[row]) for row in rows]
            if 1 < len(set(names)) <= MOST_LEVELS:
                findings.append(_slices(column, names, in_test, units))
    findings.append(_lengths(np.array([len(corpus.texts[row]) for row in rows]), in_test, units))
    return [*findings, *_missing_classes(corpus, split)]


def _naming_parts(split: Split) -> object:
    """The column that the parts were read from: it differs between them by definition."""
    asked = cast(Mapping[str, object], split.recipe.get("asked", {}))
    return asked.get("column") if split.recipe.get("method") == "predefined" else None


def _shares(
    names: list[str], in_test: NDArray[np.bool_], units: NDArray[np.int64]
) -> tuple[str, float, float, int]:
    """The level whose share differs most, by how much (test - train), P and degrees of freedom."""
    shown, table = levels(names, float(in_test.mean()))
    shift = table[in_test].mean(axis=0) - table[~in_test].mean(axis=0)
    widest = int(np.argmax(np.abs(shift)))
    balance = unit_balance(table, in_test, units)
    return shown[widest], float(shift[widest]), balance.p, balance.degrees


def _classes(
    corpus: Corpus, split: Split, rows: list[int], in_test: NDArray[np.bool_], units: NDArray[np.int64]
) -> Finding:
    widest, shift, p, degrees = _shares([str(corpus.labels[row]) for row in rows], in_test, units)
    counts, classes = _class_counts(corpus, split)
    matters = abs(shift) >= SHIFT
    return Finding(
        "class-balance",
        "warning" if matters else "info",
        f"class shares of train and test differ by at most {abs(shift):.1%} ({widest!r})",
        {
            "rows": {part: {name: counts[part][name] for name in classes} for part in counts},
            "largest_difference": abs(shift),
            "degrees": degrees,
        },
        "stratify, or expect scores to depend on the shift of prevalence" if matters else "",
        p,
    )


def _slices(column: str, names: list[str], in_test: NDArray[np.bool_], units: NDArray[np.int64]) -> Finding:
    widest, shift, p, degrees = _shares(names, in_test, units)
    matters = abs(shift) >= SHIFT
    return Finding(
        f"slice-balance-{column}",
        "warning" if matters else "info",
        f"shares of {column} in train and test differ by at most {abs(shift):.1%} ({widest!r})",
        {"column": column, "values": len(set(names)), "value": widest, "test_less_train": shift,
         "degrees": degrees},
        f"read scores by {column}, or weight the test rows: their mix is not that of train"
        if matters
        else "",
        p,
    )  # fmt: skip


def _lengths(lengths: NDArray[np.int64], in_test: NDArray[np.bool_], units: NDArray[np.int64]) -> Finding:
    ranks = rankdata(lengths) / len(lengths)
    longer = 0.5 + float(ranks[in_test].mean() - ranks[~in_test].mean())
    balance = unit_balance(ranks[:, None], in_test, units)
    matters = abs(longer - 0.5) >= LENGTH_SHIFT
    return Finding(
        "length-balance",
        "warning" if matters else "info",
        f"a test text is longer than a training text with chance {longer:.2f}",
        {
            "chance_test_longer": longer,
            "median_characters": {
                "train": float(np.median(lengths[~in_test])),
                "test": float(np.median(lengths[in_test])),
            },
        },
        "the parts hold other kinds of text: find out which, before the score is read" if matters else "",
        balance.p,
    )


def _class_counts(corpus: Corpus, split: Split) -> tuple[Mapping[str, Counter[str]], list[str]]:
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    counts = {part: Counter(str(label[id_]) for id_ in ids) for part, ids in split.parts.items()}
    return counts, sorted({name for part in counts.values() for name in part})


def _missing_classes(corpus: Corpus, split: Split) -> list[Finding]:
    counts, classes = _class_counts(corpus, split)
    findings = []
    for part in counts:
        missing = [name for name in classes if not counts[part][name]]
        if not missing or not split.parts[part]:
            continue
        unlearnt = part == "train"
        findings.append(
            Finding(
                f"class-missing-{part}",
                "error" if unlearnt else "warning",
                f"{len(missing)} classes have no row in {part}, first {missing[0]!r}",
                {"part": part, "classes": missing},
                "no model can predict a class it never saw: move the cut or leave those rows out"
                if unlearnt
                else "scores of these classes are undefined there: ask for a larger part or merge classes",
            )
        )
    return findings
