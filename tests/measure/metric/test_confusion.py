"""The confusion matrix and its sums count every row once."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import confusion_matrix as oracle

from crossover.measure.metric.confusion import ClassCounts, confusion_matrix, count_columns, ratio


def test_gold_runs_down_and_predicted_across_with_empty_classes_kept():
    gold, predicted = np.array([0, 0, 2]), np.array([1, 0, 2])
    found = confusion_matrix(gold, predicted, 4)
    assert found.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_the_matrix_agrees_with_scikit_learn_and_with_the_summed_columns():
    generator = np.random.default_rng(0)
    gold, predicted = generator.integers(5, size=200), generator.integers(5, size=200)
    matrix = confusion_matrix(gold, predicted, 5)
    assert (matrix == oracle(gold, predicted, labels=range(5))).all()
    counts = ClassCounts.of_columns(count_columns(gold, predicted, 5).sum(axis=0))
    assert (counts.hits == np.diag(matrix)).all()
    assert (counts.gold == matrix.sum(axis=1)).all()
    assert (counts.predicted == matrix.sum(axis=0)).all()


def test_a_ratio_without_a_denominator_is_0():
    assert ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist() == [0.25, 0.0]
