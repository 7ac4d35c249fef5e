"""Scores of a model over the population from which its scored rows were drawn with unequal probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from crossover.measure.interval import Statistic
from crossover.measure.metric.confusion import ClassCounts, CountMetric, count_columns
from crossover.measure.metric.metric import RowMean, all_metrics
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.measure.weighted_mean import Drawn, Resamples, estimate, hajek


def weighted_scores(
    predictions: Predictions, drawn: Drawn, method: str = "hajek", level: float = 0.95
) -> dict[str, Score]:
    """Metrics, and precision, recall and F1 of each class, of the population behind the rows given.

    A metric that is a mean of rows goes by ``method``. Every other is a function of ratios of sums (of
    hits, gold and predicted rows of each class): each sum is weighted by 1/pi, and the interval is a
    bootstrap's; precision, recall and F1 of a class are Hajek means over the rows concerned. Metrics of
    another kind are left out.

    Raises:
        BadInput: as :func:`~crossover.measure.weighted_mean.estimate`.
    """
    gold, probabilities = predictions.gold_index, predictions.probabilities
    columns = count_columns(gold, predictions.predicted_index, len(predictions.classes))
    counted = Resamples.of(columns, drawn)
    scores: dict[str, Score] = {}
    for metric in all_metrics():
        if isinstance(metric, RowMean):
            values = metric.row_values(gold, probabilities)
            scores[metric.name] = estimate(metric.name, values, drawn, method, metric.bounds, level)
        elif isinstance(metric, CountMetric):
            scores[metric.name] = counted.score(metric.name, _statistic_of(metric), level)
    return scores | _of_classes(predictions, drawn, level)


def _statistic_of(metric: CountMetric) -> Statistic:
    return lambda sums: metric.of_counts(ClassCounts.of_columns(sums))


def class_shares(
    labels: Sequence[str], drawn: Drawn, method: str = "hajek", level: float = 0.95
) -> dict[str, Score]:
    """``share/<class>`` of the population, of each label that occurs."""
    held = np.array(labels)
    return {
        f"share/{name}": estimate(
            f"share/{name}", (held == name).astype(np.float64), drawn, method, (0.0, 1.0), level
        )
        for name in sorted(set(labels))
    }


def _of_classes(predictions: Predictions, drawn: Drawn, level: float) -> dict[str, Score]:
    gold, predicted = predictions.gold_index, predictions.predicted_index
    scores = {}
    for k, name in enumerate(predictions.classes):
        is_gold, is_predicted = gold == k, predicted == k
        hit = (is_gold & is_predicted).astype(np.float64)
        domains = {"precision": is_predicted, "recall": is_gold, "f1": is_gold | is_predicted}
        for measure, domain in domains.items():
            score = hajek(f"{measure}/{name}", hit, drawn, (0.0, 1.0), level, domain)
            # F1 = 2J/(1 + J) of the share J of true positives among rows that are either
            mapped = {
                end: value if value is None or measure != "f1" else 2.0 * value / (1.0 + value)
                for end, value in (("value", score.value), ("low", score.low), ("high", score.high))
            }
            scores[score.name] = replace(score, **mapped)  # type: ignore[arg-type]
    return scores
