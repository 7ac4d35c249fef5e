"""score_all gives every score its interval, alike for the same rows, and quickly."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.measure import scoring
from crossover.measure.metric.metric import all_metrics
from crossover.measure.predictions import Predictions
from crossover.measure.scoring import mean_error, score_all, selection_measure

METRICS = ["accuracy", "balanced_accuracy", "brier", "log_loss", "macro_f1", "mcc"]


def predicted(m, k, signal=2.0, seed=0):
    """Predictions of m rows of k classes; the larger the signal the more are right."""
    generator = np.random.default_rng(seed)
    gold = generator.integers(k, size=m)
    score = generator.normal(size=(m, k))
    score[np.arange(m), gold] += signal
    probabilities = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    classes = tuple(f"c{j:02d}" for j in range(k))
    ids = tuple(f"i{j}" for j in range(m))
    return Predictions(ids, ("test",) * m, tuple(classes[j] for j in gold), classes, probabilities)


def certain(gold, said, classes=("ham", "spam")):
    """Predictions that give all probability to the class said."""
    m = len(gold)
    probabilities = np.eye(len(classes))[[classes.index(name) for name in said]]
    return Predictions(tuple(f"i{k}" for k in range(m)), ("test",) * m, tuple(gold), classes, probabilities)


def test_every_metric_and_class_has_a_score_whose_interval_holds_the_value():
    rows = predicted(400, 3)
    scores = score_all(rows)
    names = [f"{m}/{c}" for c in rows.classes for m in ("precision", "recall", "f1")]
    assert list(scores) == METRICS + names
    for name, score in scores.items():
        assert score.name == name
        assert score.low < score.value < score.high
    for metric in all_metrics():
        assert scores[metric.name].value == pytest.approx(metric(rows.gold_index, rows.probabilities))
        assert scores[metric.name].n == 400
    assert scores["accuracy"].method == "Wilson"
    assert scores["macro_f1"].method == "BCa bootstrap, 2000 resamples of rows"


def test_the_macro_f1_interval_covers_the_true_value():
    # 13% spam, recall .85, false positive rate .02
    hit, false = 0.13 * 0.85, 0.87 * 0.02
    true = (2 * hit / (0.13 + hit + false) + 2 * (0.87 - false) / (0.87 + 0.87 - false + 0.13 - hit)) / 2
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        gold = generator.random(200) < 0.13
        said = generator.random(200) < np.where(gold, 0.85, 0.02)
        word = np.array(["ham", "spam"])
        score = score_all(certain(word[gold.astype(int)].tolist(), word[said.astype(int)].tolist()))[
            "macro_f1"
        ]
        covered += score.low <= true <= score.high
    assert 0.90 <= covered / 200 <= 0.995


@pytest.mark.parametrize("grouped", [False, True])
def test_scores_repeat_and_do_not_depend_on_the_order_of_rows(grouped):
    rows = predicted(120, 3)
    groups = {id_: f"g{int(id_[1:]) // 3}" for id_ in rows.ids} if grouped else None
    first = score_all(rows, groups)
    assert score_all(rows, groups) == first
    mixed = score_all(rows.take(np.random.default_rng(1).permutation(120).tolist()), groups)
    for name, score in first.items():
        other = mixed[name]
        assert [other.value, other.low, other.high] == pytest.approx([score.value, score.low, score.high])


def test_with_groups_n_counts_clusters_and_intervals_widen():
    rows = predicted(60, 2, signal=1.0)
    copies = [k for k in range(60) for _ in range(5)]
    many = replace(rows.take(copies), ids=tuple(f"i{k}-{j}" for k in range(60) for j in range(5)))
    groups = {id_: id_.split("-")[0] for id_ in many.ids}
    alone, grouped, single = score_all(many), score_all(many, groups), score_all(rows)
    for name in METRICS:
        width = grouped[name].high - grouped[name].low
        assert grouped[name].n == 60
        assert grouped[name].value == pytest.approx(alone[name].value)
        assert width > 1.8 * (alone[name].high - alone[name].low)
        # copies bring nothing: as wide as the rows once
        assert width == pytest.approx(single[name].high - single[name].low, rel=0.1)


def test_a_model_without_an_error_keeps_an_interval_where_one_can_be_had():
    scores = score_all(certain(["ham"] * 80 + ["spam"] * 20, ["ham"] * 80 + ["spam"] * 20))
    low = {measure: [scores[f"{measure}/{c}"].low for c in ("ham", "spam")] for measure in ("recall", "f1")}
    for name, measure in (("balanced_accuracy", "recall"), ("macro_f1", "f1")):
        expected = 1.0 - math.hypot(*(1.0 - x for x in low[measure])) / 2
        assert (scores[name].low, scores[name].high) == (pytest.approx(expected), 1.0)
        assert scores[name].method.startswith("MOVER")
    assert (scores["mcc"].value, scores["mcc"].low) == (1.0, None)
    assert scores["mcc"].method.startswith("no interval")


def test_the_majority_rule_is_scored_as_what_it_is():
    scores = score_all(certain(["ham"] * 80 + ["spam"] * 20, ["ham"] * 100))
    assert scores["balanced_accuracy"].value == 0.5
    assert scores["balanced_accuracy"].low < 0.5 < scores["balanced_accuracy"].high
    assert scores["mcc"].value == 0.0
    assert scores["f1/spam"].value == 0.0
    assert scores["precision/spam"].value is None
    assert scores["log_loss"].value == pytest.approx(0.2 * 36.04, abs=0.01)


def test_one_class_of_gold_and_no_rows_are_said_to_be_undefined():
    scores = score_all(certain(["ham"] * 30, ["ham", "spam"] * 15))
    assert scores["mcc"].value is None
    assert scores["accuracy"].value == 0.5
    assert scores["recall/spam"].value is None
    empty = score_all(predicted(30, 2).take([]))
    assert {score.value for score in empty.values()} == {None}
    assert {score.n for score in empty.values()} == {0}


def test_every_number_that_leaves_is_finite():
    for rows in (predicted(5, 4), predicted(25, 20), predicted(1, 2), certain(["ham"], ["spam"])):
        for score in score_all(rows).values():
            for number in (score.value, score.low, score.high):
                assert number is None or math.isfinite(number)


def test_a_metric_of_another_make_gets_an_interval_from_its_row_values(monkeypatch):
    class Margin:
        name, larger_is_better, bounds = "margin", True, (-1.0, 1.0)

        def __call__(self, gold, probabilities):
            return float(self.row_values(gold, probabilities).mean()) if len(gold) else None

        def row_values(self, gold, probabilities):
            return 2 * probabilities[np.arange(len(gold)), gold] - 1

    monkeypatch.setattr(scoring, "all_metrics", lambda: (Margin(),))
    score = score_all(predicted(200, 2))["margin"]
    assert score.low < score.value < score.high
    assert score.method == "t interval, row values"


def test_scoring_is_quick_enough_to_follow_every_run():
    for m, k, most in ((2000, 2, 0.15), (3000, 77, 1.5), (10_000, 77, 3.0)):
        rows = predicted(m, k, signal=3.0)
        score_all(rows)
        start = time.process_time()
        score_all(rows)
        # CPU seconds, and twice the promise, for a machine that others share
        assert time.process_time() - start < 2 * most


def test_the_error_of_a_mean_is_that_of_its_clusters():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    assert mean_error(values, None) == (pytest.approx(values.std(ddof=1) / 2), 4)
    # sums of deviations from 3: -3 and 3
    assert mean_error(values, np.array([0, 0, 5, 5])) == (pytest.approx(math.sqrt(2 * 18) / 4), 2)
    assert mean_error(values, np.zeros(4, np.int64)) == (0.0, 1)


def test_trials_are_compared_by_the_metric_then_by_log_loss():
    measure = selection_measure("accuracy", ("ham", "spam"))
    gold = ["ham", "spam", "ham", "ham"]
    sure = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]])
    unsure = np.array([[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [0.4, 0.6]])
    worse = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9]])
    assert measure(gold, unsure)[0] == measure(gold, sure)[0] == 0.75
    assert measure(gold, unsure)[1] == pytest.approx((3 * math.log(0.6) + math.log(0.4)) / 4)
    assert measure(gold, unsure) > measure(gold, worse)
    assert sorted([measure(gold, worse), measure(gold, unsure), measure(gold, sure)])[-1] == max(
        measure(gold, sure), measure(gold, unsure)
    )


def test_where_smaller_is_better_the_sign_turns_and_undefined_is_worst():
    low, high = np.array([[0.9, 0.1]] * 2), np.array([[0.6, 0.4]] * 2)
    for name in ("log_loss", "brier"):
        measure = selection_measure(name, ("ham", "spam"))
        assert 0 > measure(["ham", "ham"], low)[0] > measure(["ham", "ham"], high)[0]
    assert selection_measure("mcc", ("ham", "spam"))(["ham", "ham"], low)[0] == -1.0


def test_unknown_names_are_refused():
    with pytest.raises(BadInput, match="macro_f1"):
        selection_measure("macro-f1", ("a", "b"))
    with pytest.raises(BadInput, match="'c' is not among the classes"):
        selection_measure("accuracy", ("a", "b"))(["a", "c"], np.full((2, 2), 0.5))
