"""Scoring: every metric of a run's predictions with its interval, and the measure tuning goes by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.measure.interval import (
    Statistic,
    Units,
    bootstrap,
    cluster_index,
    normal,
    proportion,
)
from crossover.measure.metric.confusion import ClassCounts, CountMetric, count_columns
from crossover.measure.metric.metric import Metric, RowMean, all_metrics, metric_named
from crossover.measure.metric.per_class import class_scores
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score


def score_all(
    predictions: Predictions, groups: Mapping[str, str] | None = None, level: float = 0.95
) -> dict[str, Score]:
    """Every metric, and precision, recall and F1 of each class, of the rows given.

    Pass one part: ``score_all(predictions.part("test"), split.groups)``. The intervals hold for
    this one fitted model over fresh rows (clusters, where ``groups`` names the cluster of an id);
    they know nothing of training draws and seeds. Deterministic, whatever the order of rows.

    Proportions have Wilson's interval; balanced accuracy, macro-F1, MCC, log loss and Brier a BCa
    bootstrap; a further metric one of its ``row_values``.
    """
    gold, predicted = predictions.gold_index, predictions.predicted_index
    classes, probabilities = predictions.classes, predictions.probabilities
    clusters = cluster_index(predictions.ids, groups)
    per_class = class_scores(gold, predicted, classes, clusters, level)
    counted = _count_units(gold, predicted, len(classes), clusters)
    means = [m for m in all_metrics() if isinstance(m, RowMean) and not m.is_proportion]
    losses = Units.of_rows(
        np.column_stack([*(m.row_values(gold, probabilities) for m in means), np.ones(len(gold))]), clusters
    )
    scores = {}
    for metric in all_metrics():
        if metric in means:
            column = means.index(metric)
            score = bootstrap(metric.name, losses, _mean_of(column), metric.bounds, level)
        elif isinstance(metric, RowMean):
            score = proportion(metric.name, metric.row_values(gold, probabilities) > 0.5, clusters, level)
        elif isinstance(metric, CountMetric):
            score = bootstrap(metric.name, counted, _statistic_of(metric), metric.bounds, level)
            if score.low is None and metric.mean_of:
                score = _from_classes(score, metric.mean_of, per_class, classes, gold)
        else:
            score = _from_row_values(metric, gold, probabilities, clusters, level)
        scores[metric.name] = score
    return {**scores, **per_class}


def selection_measure(
    name: str, classes: Sequence[str]
) -> Callable[[Sequence[str], NDArray[np.float64]], tuple[float, ...]]:
    """What tuning trials are compared by: gold labels and (m, K) probabilities to a sortable pair.

    The pair is the metric named, signed so that larger is better, then minus the log loss, which
    breaks the ties that are common on few validation rows. An undefined metric counts as its
    worst value.

    Raises:
        BadInput: no such metric; when called, a gold label outside ``classes``.
    """
    metric, tie = metric_named(name), metric_named("log_loss")
    column = {label: k for k, label in enumerate(classes)}

    def measure(labels: Sequence[str], probabilities: NDArray[np.float64]) -> tuple[float, ...]:
        unknown = sorted(set(labels) - set(column))
        if unknown:
            raise BadInput(
                f"validation label {unknown[0]!r} is not among the classes {list(classes)}; "
                "name the classes of the whole corpus, not of one part"
            )
        gold = np.array([column[label] for label in labels], dtype=np.int64)
        return _signed(metric, gold, probabilities), _signed(tie, gold, probabilities)

    return measure


def _signed(metric: Metric, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    sign, worst = (1.0, metric.bounds[0]) if metric.larger_is_better else (-1.0, metric.bounds[1])
    value = metric(gold, probabilities)
    return sign * (worst if value is None else value)


def _mean_of(column: int) -> Statistic:
    def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = sums[..., -1]
        return np.where(rows > 0, sums[..., column] / np.maximum(rows, 1.0), np.nan)

    return mean


def _statistic_of(metric: CountMetric) -> Statistic:
    return lambda sums: metric.of_counts(ClassCounts.of_columns(sums))


def _count_units(
    gold: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: int,
    clusters: NDArray[np.int64] | None,
) -> Units:
    """Class counts of clusters, or of the distinct (gold, predicted) cells and how often each occurs."""
    if clusters is not None:
        return Units.of_rows(count_columns(gold, predicted, classes), clusters)
    cells, counts = np.unique(gold * classes + predicted, return_counts=True)
    columns = count_columns(cells // classes, cells % classes, classes)
    return Units(columns, counts.astype(np.int64))


def _from_classes(
    score: Score,
    measure: str,
    per_class: Mapping[str, Score],
    classes: Sequence[str],
    gold: NDArray[np.int64],
) -> Score:
    """Limits of a mean over classes from the limits of each class (MOVER, Zou and Donner 2008).

    For rows without a single error (or without a single hit), where every resample is alike and
    the bootstrap is silent, but so many rows without an error still bound it.
    """
    parts = [per_class[f"{measure}/{classes[k]}"] for k in np.unique(gold)]
    down = [p.value - p.low for p in parts if p.value is not None and p.low is not None]
    up = [p.high - p.value for p in parts if p.value is not None and p.high is not None]
    if score.value is None or len(down) < len(parts):
        return score
    return replace(
        score,
        low=score.value - math.hypot(*down) / len(parts),
        high=score.value + math.hypot(*up) / len(parts),
        method=f"MOVER of the Wilson limits of {measure} in {len(parts)} classes (no resample differs)",
    )


def _from_row_values(
    metric: Metric,
    gold: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> Score:
    value = metric(gold, probabilities)
    if value is None:
        return Score(metric.name, None, None, None, len(gold), "undefined on these rows", level)
    error, n = mean_error(metric.row_values(gold, probabilities), clusters)
    return normal(metric.name, value, error, n, "row values", metric.bounds, level)


def mean_error(values: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> tuple[float, int]:
    """Standard error of the mean of (m,) values, and the number of units it rests on.

    With clusters: sqrt(G/(G-1) sum_g (sum of deviations in g)^2)/m, which needs no cluster of
    equal size. 0 for a single unit.
    """
    deviations = values - values.mean()
    if clusters is not None:
        sizes = np.bincount(clusters)
        deviations = np.bincount(clusters, weights=deviations)[sizes > 0]
    units = len(deviations)
    if units < 2:
        return 0.0, units
    return math.sqrt(units / (units - 1) * float((deviations**2).sum())) / len(values), units
