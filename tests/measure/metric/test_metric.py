"""Every metric: bounds, row order, row values, and agreement with scikit-learn."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from crossover.data.bad_input import BadInput
from crossover.measure.metric.confusion import CountMetric, predicted_classes
from crossover.measure.metric.log_loss import LEAST
from crossover.measure.metric.metric import RowMean, all_metrics, metric_named

NAMES = ["accuracy", "balanced_accuracy", "brier", "log_loss", "macro_f1", "mcc"]
CONF = Path(__file__).parents[3] / "conf" / "metric"


@st.composite
def rows(draw, least=1):
    """Gold and probabilities of 1 to 40 rows of 2 to 5 classes, some rows certain, some tied."""
    m, k = draw(st.integers(least, 40)), draw(st.integers(2, 5))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    gold = generator.integers(draw(st.integers(1, k)), size=m)
    kind = draw(st.sampled_from(["soft", "certain", "tied", "constant"]))
    if kind == "soft":
        probabilities = generator.dirichlet(np.ones(k), size=m)
    elif kind == "certain":
        probabilities = np.eye(k)[generator.integers(k, size=m)]
    elif kind == "tied":
        probabilities = np.full((m, k), 1.0 / k)
    else:
        probabilities = np.tile(generator.dirichlet(np.ones(k)), (m, 1))
    return gold.astype(np.int64), probabilities


def test_the_metrics_are_found_by_their_files_and_each_has_its_yaml():
    assert [metric.name for metric in all_metrics()] == NAMES
    for metric in all_metrics():
        kind = type(metric)
        assert kind.__module__ == f"crossover.measure.metric.{metric.name}"
        line = f"_target_: {kind.__module__}.{kind.__name__}"
        assert line in (CONF / f"{metric.name}.yaml").read_text(encoding="utf-8").splitlines()
    assert sorted(file.stem for file in CONF.glob("*.yaml")) == NAMES


def test_an_unknown_metric_is_refused_with_the_nearest_name():
    with pytest.raises(BadInput, match="did you mean 'macro_f1'"):
        metric_named("macrof1")
    with pytest.raises(BadInput, match="Expected one of"):
        metric_named("zzz")


@pytest.mark.parametrize("name", NAMES)
@given(rows())
@settings(max_examples=60, deadline=None)
def test_values_lie_in_the_stated_bounds_and_do_not_depend_on_row_order(name, case):
    gold, probabilities = case
    metric = metric_named(name)
    value = metric(gold, probabilities)
    if value is None:
        assert name == "mcc"
        assert len(set(gold)) == 1
        return
    assert metric.bounds[0] - 1e-12 <= value <= metric.bounds[1] + 1e-12
    order = np.random.default_rng(1).permutation(len(gold))
    assert metric(gold[order], probabilities[order]) == pytest.approx(value, abs=1e-12)
    assert metric.row_values(gold[order], probabilities[order]) == pytest.approx(
        metric.row_values(gold, probabilities)[order], abs=1e-9
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_prediction_reaches_the_good_bound(name):
    gold = np.array([0, 1, 2, 1])
    metric = metric_named(name)
    assert metric(gold, np.eye(3)[gold]) == pytest.approx(metric.bounds[1 if metric.larger_is_better else 0])


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_have_no_score(name):
    empty = np.zeros(0, np.int64), np.zeros((0, 2))
    assert metric_named(name)(*empty) is None
    assert metric_named(name).row_values(*empty).shape == (0,)


@given(rows())
@settings(max_examples=150, deadline=None)
def test_every_metric_agrees_with_scikit_learn(case):
    gold, probabilities = case
    predicted, k = predicted_classes(probabilities), probabilities.shape[1]
    present = sorted(set(gold.tolist()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that were not predicted
        expected = {
            "accuracy": oracle.accuracy_score(gold, predicted),
            "balanced_accuracy": oracle.balanced_accuracy_score(gold, predicted),
            "macro_f1": oracle.f1_score(gold, predicted, labels=present, average="macro", zero_division=0),
            "mcc": oracle.matthews_corrcoef(gold, predicted) if len(present) > 1 else None,
            "log_loss": oracle.log_loss(gold, probabilities, labels=range(k)),
            "brier": oracle.brier_score_loss(gold, probabilities, labels=range(k), scale_by_half=False)
            if k > 2
            else 2 * np.mean((probabilities[:, 1] - gold) ** 2),
        }
    for name, value in expected.items():
        found = metric_named(name)(gold, probabilities)
        assert found is None if value is None else found == pytest.approx(value, abs=1e-12), name


@given(rows(least=2))
@settings(max_examples=150, deadline=None)
def test_the_closed_form_pseudo_values_equal_brute_force_deletion(case):
    gold, probabilities = case
    m = len(gold)
    for metric in all_metrics():
        whole = metric(gold, probabilities)
        if not isinstance(metric, CountMetric) or whole is None:
            continue
        without = [metric(np.delete(gold, i), np.delete(probabilities, i, axis=0)) or 0.0 for i in range(m)]
        expected = m * whole - (m - 1) * np.array(without)
        assert metric.row_values(gold, probabilities) == pytest.approx(expected, abs=1e-9), metric.name


def test_row_values_average_to_the_metric():
    generator = np.random.default_rng(3)
    gold = generator.choice(4, p=[0.5, 0.3, 0.15, 0.05], size=2000)
    probabilities = generator.dirichlet(np.ones(4), size=2000)
    probabilities[np.arange(2000), gold] += 0.6
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for metric in all_metrics():
        values = metric.row_values(gold, probabilities)
        near = 1e-12 if isinstance(metric, RowMean) else 5 / 2000
        assert values.mean() == pytest.approx(metric(gold, probabilities), abs=near), metric.name


def test_pseudo_values_give_the_standard_error_that_resampling_shows():
    generator = np.random.default_rng(5)
    metric = metric_named("macro_f1")

    def sample(m):
        gold = (generator.random(m) < 0.15).astype(np.int64)
        right = generator.random(m) < np.where(gold == 1, 0.8, 0.95)
        return gold, np.eye(2)[np.where(right, gold, 1 - gold)]

    fresh = np.std([metric(*sample(400)) for _ in range(1500)])
    stated = np.mean([metric.row_values(*sample(400)).std(ddof=1) / 20 for _ in range(40)])
    assert stated == pytest.approx(fresh, rel=0.08)


def test_macro_f1_counts_a_class_never_predicted_as_0_and_leaves_out_a_class_without_gold():
    gold = np.array([0, 0, 1, 1])
    probabilities = np.eye(4)[[0, 0, 0, 2]]
    # class 0: TP 2, FP 1, FN 0 -> 4/5; class 1: 0; class 2 predicted without gold, class 3 neither
    assert metric_named("macro_f1")(gold, probabilities) == pytest.approx((0.8 + 0.0) / 2)


def test_mcc_is_undefined_for_one_class_of_gold_and_0_for_a_constant_prediction():
    metric = metric_named("mcc")
    one_class = np.zeros(3, np.int64), np.eye(2)[[0, 1, 0]]
    assert metric(*one_class) is None
    with pytest.raises(BadInput, match="mcc is undefined on these 3 rows"):
        metric.row_values(*one_class)
    assert metric(np.array([0, 1, 1]), np.eye(2)[[1, 1, 1]]) == 0.0


def test_log_loss_of_an_impossible_class_is_the_clip_and_not_infinite():
    value = metric_named("log_loss")(np.array([0, 1]), np.array([[0.0, 1.0], [0.5, 0.5]]))
    assert value == pytest.approx((-math.log(LEAST) + math.log(2)) / 2)
    assert metric_named("log_loss")(np.array([1]), np.array([[0.0, 1.0 + 2e-16]])) == 0.0


def test_brier_is_the_sum_over_classes():
    assert metric_named("brier")(np.array([0]), np.array([[0.5, 0.3, 0.2]])) == pytest.approx(
        0.25 + 0.09 + 0.04
    )
    assert metric_named("brier")(np.array([0]), np.array([[0.0, 1.0, 0.0]])) == 2.0


def test_a_tie_goes_to_the_first_class_in_order():
    assert metric_named("accuracy")(np.array([0, 1]), np.full((2, 2), 0.5)) == 0.5
