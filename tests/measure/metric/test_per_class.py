"""Precision, recall and F1 of each class are right, and their intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from crossover.measure.interval import wilson
from crossover.measure.metric.per_class import class_scores

GOLD = np.array([0, 0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 0, 1])


def test_a_worked_example():
    scores = class_scores(GOLD, PREDICTED, ("ham", "spam", "rare", "never"))
    assert scores["precision/ham"].value == pytest.approx(3 / 4)
    assert scores["recall/ham"].value == pytest.approx(3 / 4)
    assert scores["f1/ham"].value == pytest.approx(6 / 8)
    assert [scores[f"{m}/ham"].n for m in ("precision", "recall", "f1")] == [4, 4, 5]
    assert scores["precision/spam"].value == pytest.approx(1 / 3)
    low, high = map(float, wilson(1.0, 3.0))
    assert (scores["precision/spam"].low, scores["precision/spam"].high) == pytest.approx((low, high))
    # TP 3 of TP+FP+FN 5: the limits of F1 are those of 3/5, mapped
    low, high = map(float, wilson(3.0, 5.0))
    assert scores["f1/ham"].low == pytest.approx(2 * low / (1 + low))
    assert scores["f1/ham"].high == pytest.approx(2 * high / (1 + high))


def test_what_has_no_rows_is_undefined_and_what_is_missed_is_0():
    scores = class_scores(GOLD, PREDICTED, ("ham", "spam", "rare", "never"))
    assert scores["precision/rare"].value is None
    assert scores["recall/rare"].value == 0.0
    assert scores["f1/rare"].value == 0.0
    assert scores["f1/rare"].high > 0.5
    assert [scores[f"{m}/never"].value for m in ("precision", "recall", "f1")] == [None, None, None]


def test_values_agree_with_scikit_learn():
    generator = np.random.default_rng(2)
    gold, predicted = generator.integers(4, size=300), generator.integers(4, size=300)
    expected = precision_recall_fscore_support(gold, predicted)
    scores = class_scores(gold, predicted, "abcd")
    for k, name in enumerate("abcd"):
        found = [scores[f"{m}/{name}"].value for m in ("precision", "recall", "f1")]
        assert found == pytest.approx([column[k] for column in expected[:3]])


def test_the_f1_interval_covers_the_true_f1():
    generator = np.random.default_rng(7)
    # 15% positive, recall .8, false positive rate .03
    true = 2 * 0.15 * 0.8 / (0.15 + 0.15 * 0.8 + 0.85 * 0.03)
    covered = 0
    for _ in range(600):
        gold = (generator.random(150) < 0.15).astype(np.int64)
        predicted = (generator.random(150) < np.where(gold == 1, 0.8, 0.03)).astype(np.int64)
        score = class_scores(gold, predicted, ("no", "yes"))["f1/yes"]
        covered += score.low <= true <= score.high
    assert 0.925 <= covered / 600 <= 0.98


def test_clusters_widen_the_interval_and_are_what_n_counts():
    gold, predicted = np.tile(GOLD, 10), np.tile(PREDICTED, 10)
    clusters = np.tile(np.arange(7), 10)  # every row ten times over
    alone = class_scores(gold, predicted, "abc")["recall/a"]
    grouped = class_scores(gold, predicted, "abc", clusters)["recall/a"]
    assert grouped.value == alone.value
    assert (alone.n, grouped.n) == (40, 4)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
