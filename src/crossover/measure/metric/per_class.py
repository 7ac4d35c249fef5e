"""Precision, recall and F1 of each class, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crossover.measure.interval import proportion
from crossover.measure.score import Score


def class_scores(
    gold: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: Sequence[str],
    clusters: NDArray[np.int64] | None = None,
    level: float = 0.95,
) -> dict[str, Score]:
    """``precision/<class>``, ``recall/<class>`` and ``f1/<class>`` of each class.

    Each is a proportion of a set of rows: precision of those predicted, recall of those gold.
    F1 = 2J/(1 + J) grows with J = TP/(TP + FP + FN), the proportion of true positives among the
    rows that are either, so the limits of F1 are the mapped limits of J. ``n`` counts the rows
    of that set (clusters where ``clusters``, (m,), is given). Without such rows a score is
    undefined: precision of a class never predicted, recall of one without gold.
    """
    scores = {}
    for k, name in enumerate(classes):
        is_gold, is_predicted = gold == k, predicted == k
        either, hit = is_gold | is_predicted, is_gold & is_predicted
        for measure, rows in (("precision", is_predicted), ("recall", is_gold), ("f1", either)):
            some = None if clusters is None else clusters[rows]
            score = proportion(f"{measure}/{name}", hit[rows], some, level)
            scores[score.name] = _f1_of_jaccard(score) if measure == "f1" else score
    return scores


def _f1_of_jaccard(score: Score) -> Score:
    def f1(jaccard: float | None) -> float | None:
        return None if jaccard is None else 2.0 * jaccard / (1.0 + jaccard)

    method = score.method if score.low is None else f"{score.method}, of TP/(TP+FP+FN), mapped to F1"
    return replace(score, value=f1(score.value), low=f1(score.low), high=f1(score.high), method=method)
