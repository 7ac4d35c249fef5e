"""A look as plain values: what ``findings.json`` holds and the page shows, without any text of the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.look.whole_look import Looked
from crossover.measure.interval import wilson
from crossover.report.masked_text import masked

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
CLUSTERS = 20
"""Largest clusters of near-copies that are listed."""
CLASSES = 6
"""Classes of the histogram of lengths."""

Json = dict[str, object]


def summary(corpus: Corpus, looked: Looked, findings: Sequence[Finding], mask: bool) -> Json:
    """Everything that was counted over the corpus, as plain JSON values."""
    numbers = looked.statistics.numbers
    return {
        "corpus": {
            "name": corpus.name,
            "fingerprint": corpus.fingerprint,
            "rows": len(corpus),
            "classes": list(corpus.classes),
            "meta": dict(corpus.meta),
            "card": corpus.card.to_json(),
        },
        "findings": [finding.to_json() for finding in findings],
        "balance": balance_rows(corpus),
        "lengths": length_histogram(corpus, numbers["words"]),
        "statistics": [_statistic(name, values) for name, values in numbers.items()],
        "languages": _counted(looked.statistics.languages),
        "scripts": _counted(looked.statistics.scripts),
        "breakdowns": [_masked(breakdown.to_json(), mask) for breakdown in looked.breakdowns],
        "words": [
            {"class": label, **word.to_json()} for label, words in looked.vocabulary.items() for word in words
        ],
        "clusters": [cluster.to_json() for cluster in looked.clusters[:CLUSTERS]],
        "contrasts": [contrast.to_json() for contrast in looked.contrasts],
    }


def balance_rows(corpus: Corpus) -> list[Json]:
    """Rows, share and Wilson's 95% limits of each class, the largest first."""
    counts = Counter(label for label in corpus.labels if label is not None)
    total = sum(counts.values())
    made: list[Json] = []
    for label, rows in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        low, high = (float(end) for end in wilson(rows, total))
        made.append({"label": label, "rows": rows, "share": rows / total, "low": low, "high": high})
    return made


def length_histogram(corpus: Corpus, words: NDArray[np.generic]) -> Json:
    """Share of each class's texts by number of words, for the largest classes.

    Bins 0, 1, 2, 3, then two a doubling: 4 to 5, 6 to 7, 8 to 11, 12 to 15 and so on.
    """
    counts = Counter(label for label in corpus.labels if label is not None)
    shown = [label for label, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:CLASSES]]
    sizes = np.asarray(words, np.float64)
    if not shown or not len(sizes):
        return {"bins": [], "classes": [], "hidden": 0}
    starts = [0, 1, 2, 3]
    while starts[-1] <= sizes.max():
        starts.append(starts[-2] * 2)
    bins = [f"{first}–{after - 1}" if after - first > 1 else str(first) for first, after in pairwise(starts)]
    labels = np.array([label or "" for label in corpus.labels], object)
    classes = []
    for label in shown:
        own = sizes[labels == label]
        inside = np.histogram(own, np.array(starts) - 0.5)[0]
        classes.append({"label": label, "shares": [float(share) for share in inside / len(own)]})
    return {"bins": bins, "classes": classes, "hidden": len(counts) - len(shown)}


def _statistic(name: str, values: NDArray[np.generic]) -> Json:
    numbers = np.asarray(values, np.float64)
    if not len(numbers):
        return {"name": name, "mean": None, "median": None, "quantiles": []}
    quantiles = [float(value) for value in np.quantile(numbers, QUANTILES)]
    return {"name": name, "mean": float(numbers.mean()), "median": quantiles[3], "quantiles": quantiles}


def _counted(names: Sequence[str]) -> list[Json]:
    counts = Counter(names)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "rows": rows, "share": rows / len(names)} for name, rows in ordered]


def _masked(breakdown: Json, mask: bool) -> Json:
    """The breakdown with addresses and numbers out of the names of categories and groups."""
    if not mask or breakdown["kind"] not in ("category", "group"):
        return breakdown
    return {**breakdown, "values": [masked(str(value)) for value in cast(Sequence[str], breakdown["values"])]}
