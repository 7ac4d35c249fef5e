"""Paired tests agree with statsmodels, hold their level, and say what they do not speak of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from crossover.data.bad_input import BadInput
from crossover.measure.metric.metric import metric_named
from crossover.measure.paired import equivalence, equivalence_over_draws, holm, mcnemar, paired_difference
from crossover.measure.predictions import Predictions


def discordant(b, c, both=5):
    """Gold and two models' classes with b rows right in the first only and c in the second only."""
    gold = np.zeros(b + c + both, np.int64)
    first, second = gold.copy(), gold.copy()
    second[:b], first[b : b + c] = 1, 1
    return gold, first, second


@given(st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_mcnemar_agrees_with_statsmodels_and_mid_p_drops_half_of_what_was_seen_on_each_side(b, c):
    found = mcnemar(*discordant(b, c))
    assert (found.only_first, found.only_second, found.n) == (b, c, b + c + 5)
    if b + c:
        assert found.exact == pytest.approx(statsmodels_mcnemar([[5, b], [c, 0]], exact=True).pvalue)
        k, n = min(b, c), b + c
        half = stats.binom.cdf(k - 1, n, 0.5) + 0.5 * stats.binom.pmf(k, n, 0.5)
        assert found.mid == pytest.approx(min(1.0, 2 * half))
        assert found.mid <= found.exact


def test_mcnemar_by_hand():
    # 1 against 7: exact 2 * (1 + 8) / 256; mid-p takes off the 8 / 256 of the table seen
    found = mcnemar(*discordant(1, 7))
    assert found.exact == pytest.approx(18 / 256)
    assert found.mid == pytest.approx(10 / 256)
    same = mcnemar(*discordant(0, 0))
    assert (same.exact, same.mid) == (1.0, 1.0)
    large = mcnemar(*discordant(3000, 3300))
    assert large.exact == pytest.approx(stats.binomtest(3000, 6300).pvalue, rel=1e-6)


def test_mcnemar_speaks_of_two_fitted_models_and_not_of_arms():
    sentence = mcnemar(*discordant(3, 9)).sentence
    assert "alone is right on 3" in sentence
    assert "not the arms" in sentence
    with pytest.raises(ValueError, match="expected equal"):
        mcnemar(np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(2, np.int64))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)  # statsmodels collects garbage at each call: 0.1 s
def test_holm_agrees_with_statsmodels_and_keeps_names_and_order(values):
    named = {f"t{k}": p for k, p in enumerate(values)}
    adjusted = holm(named)
    assert list(adjusted) == list(named)
    assert list(adjusted.values()) == pytest.approx(multipletests(values, method="holm")[1])


def test_holm_by_hand_and_refusal():
    assert holm({"a": 0.04, "b": 0.01, "c": 0.03}) == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})
    assert holm({}) == {}
    with pytest.raises(ValueError, match="'x'"):
        holm({"x": math.nan})


@given(st.integers(0, 10_000), st.floats(0.01, 1.0))
@settings(max_examples=60, deadline=None)
def test_equivalence_agrees_with_statsmodels_and_with_its_interval(seed, margin):
    values = np.random.default_rng(seed).normal(0.1, 0.3, size=8)
    found = equivalence_over_draws(values, margin)
    assert found.p == pytest.approx(DescrStatsW(values).ttost_mean(-margin, margin)[0])
    assert (found.low, found.high) == pytest.approx(
        stats.t.interval(0.90, 7, values.mean(), stats.sem(values))
    )
    assert found.equivalent == (-margin < found.low and found.high < margin)


def test_equivalence_is_claimed_falsely_at_the_edge_of_the_margin_in_5_of_100():
    generator = np.random.default_rng(0)
    draws = generator.normal(0.02, 0.004, size=(3000, 6))  # the truth lies on the margin
    claimed = np.mean([equivalence_over_draws(row, 0.02).equivalent for row in draws])
    assert 0.038 <= claimed <= 0.063
    inside = np.mean([equivalence_over_draws(row - 0.02, 0.02).equivalent for row in draws])
    assert inside > 0.99


def test_the_verdict_states_its_margin_and_absence_of_evidence_is_not_equality():
    yes = equivalence(0.001, 0.002, 9, 0.01)
    assert yes.sentence.startswith("equivalent within a margin of 0.01 (difference 0.0010, 90% interval")
    no = equivalence(0.001, 0.02, 9, 0.01)
    assert not no.equivalent
    assert no.sentence.startswith("equivalence not established within a margin of 0.01")
    assert equivalence(0.0, 0.0, 9, 0.01).equivalent
    assert not equivalence(0.01, 0.0, 9, 0.01).equivalent


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.1, 5, 0.0), "margin 0.0"),
        ((0.0, 0.1, 5, math.nan), "margin nan"),
        ((0.0, -0.1, 5, 0.01), "standard error -0.1"),
        ((0.0, 0.1, 0, 0.01), "0 degrees"),
        ((0.0, 0.1, 5, 0.01, 0.6), "alpha 0.6"),
    ],
)
def test_equivalence_refuses_what_means_nothing(arguments, message):
    with pytest.raises(BadInput, match=message):
        equivalence(*arguments)


def test_one_draw_is_too_few():
    with pytest.raises(BadInput, match=r"1 draw\(s\): at least two"):
        equivalence_over_draws([0.1], 0.01)


def model(gold, probabilities, ids=None):
    classes = tuple("abc"[: probabilities.shape[1]])
    ids = tuple(ids or (f"i{k}" for k in range(len(gold))))
    return Predictions(ids, ("test",) * len(gold), tuple(classes[k] for k in gold), classes, probabilities)


def pair(m=300, seed=0):
    generator = np.random.default_rng(seed)
    gold = generator.integers(3, size=m)
    both = []
    for signal in (1.5, 1.0):
        score = generator.normal(size=(m, 3))
        score[np.arange(m), gold] += signal
        both.append(model(gold, np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)))
    return both


def test_a_paired_difference_is_the_t_interval_of_the_row_differences():
    first, second = pair()
    metric = metric_named("log_loss")
    score = paired_difference(first, second, metric)
    rows = [metric.row_values(p.gold_index, p.probabilities) for p in (first, second)]
    expected = stats.ttest_rel(*rows).confidence_interval(0.95)
    assert score.name == "difference of log_loss"
    assert score.value == pytest.approx(rows[0].mean() - rows[1].mean())
    assert (score.low, score.high) == pytest.approx((expected.low, expected.high))
    assert (score.n, score.method) == (300, "t interval, paired rows")


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "mcc", "brier"])
def test_swapping_the_models_turns_the_difference_round_and_row_order_does_not_matter(name):
    first, second = pair()
    metric = metric_named(name)
    one, other = paired_difference(first, second, metric), paired_difference(second, first, metric)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    shuffled = second.take(np.random.default_rng(2).permutation(300).tolist())
    assert paired_difference(first, shuffled, metric) == one


def test_the_macro_f1_difference_covers_the_true_one():
    # two classes, both models wrong on 10% and 15% of rows of either class, mistakes independent
    generator = np.random.default_rng(5)
    metric = metric_named("macro_f1")

    def true(error):
        hit = 0.3 * (1 - error)
        other = 0.7 * (1 - error)
        return (2 * hit / (0.3 + hit + 0.7 * error) + 2 * other / (0.7 + other + 0.3 * error)) / 2

    covered = 0
    for _ in range(400):
        gold = (generator.random(250) < 0.3).astype(np.int64)
        said = [np.where(generator.random(250) < error, 1 - gold, gold) for error in (0.1, 0.15)]
        score = paired_difference(*(model(gold, np.eye(2)[s]) for s in said), metric)
        covered += score.low <= true(0.1) - true(0.15) <= score.high
    assert 0.92 <= covered / 400 <= 0.98


def test_clusters_widen_a_paired_difference():
    first, second = pair(60)
    ids = [f"i{k}-{j}" for k in range(60) for j in range(4)]
    rows = [k for k in range(60) for _ in range(4)]
    many = [model(p.gold_index[rows], p.probabilities[rows], ids) for p in (first, second)]
    metric, groups = metric_named("log_loss"), {id_: id_.split("-")[0] for id_ in ids}
    single = paired_difference(first, second, metric)
    grouped = paired_difference(*many, metric, groups)
    assert (grouped.low, grouped.high) == pytest.approx((single.low, single.high))
    assert (grouped.n, grouped.method) == (60, "t interval, paired clusters")
    assert paired_difference(*many, metric).low > grouped.low


def test_models_that_differ_on_no_row_have_no_interval_of_width_0():
    first, _ = pair()
    score = paired_difference(first, first, metric_named("accuracy"))
    assert (score.value, score.low) == (0.0, None)
    one_class = model(np.zeros(30, np.int64), np.full((30, 2), 0.5))
    assert paired_difference(one_class, one_class, metric_named("mcc")).value is None


def test_predictions_that_do_not_match_are_refused_by_row():
    first, second = pair(40)
    metric = metric_named("accuracy")
    with pytest.raises(BadInput, match="'i39' first"):
        paired_difference(first, second.take(range(39)), metric)
    other = second.gold_index.copy()
    other[7] = (other[7] + 1) % 3
    with pytest.raises(BadInput, match="row 'i7' is"):
        paired_difference(first, model(other, second.probabilities), metric)
    with pytest.raises(BadInput, match="classes differ"):
        paired_difference(first, model(np.zeros(40, np.int64), np.full((40, 2), 0.5)), metric)
    with pytest.raises(BadInput, match="twice"):
        paired_difference(first, second.take([*range(40), 0]), metric)
