import json
import time

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss

from crossover.data.bad_input import BadInput
from crossover.measure.calibration import DECOMPOSITION, SCORES, measure_calibration, recalibration_gains
from crossover.measure.predictions import Predictions
from crossover.measure.scoring import score_all

TESTED = (*SCORES, "reliability")


def drawn(rows, classes=3, sharpened=1.0, spread=2.0, seed=0):
    """Probabilities raised to a power (1 is calibrated, above 1 overconfident) and labels of the truth."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(size=(rows, classes)) * spread
    truth = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    gold = (generator.random(rows)[:, None] >= truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    stated = truth**sharpened
    return stated / stated.sum(axis=1, keepdims=True), gold


def p_values(found):
    return {name: score.p_value for name, score in (found.scores | found.decomposition).items()}


def test_losses_are_scikit_learns_and_those_of_the_run_record():
    p, gold = drawn(300, sharpened=1.4)
    scores = measure_calibration(p, gold, simulations=19).scores
    assert scores["log_loss"].score.value == pytest.approx(log_loss(gold, p))
    assert scores["brier"].score.value == pytest.approx(
        brier_score_loss(gold, p, labels=[0, 1, 2], scale_by_half=False)
    )
    classes = ("a", "b", "c")
    ids = tuple(str(i) for i in range(300))
    recorded = score_all(Predictions(ids, ("test",) * 300, tuple(classes[k] for k in gold), classes, p))
    assert scores["brier"].score == recorded["brier"]
    assert scores["log_loss"].score == recorded["log_loss"]


def test_the_decomposition_adds_up_to_the_brier_score():
    p, gold = drawn(500, 4)
    found = measure_calibration(p, gold, simulations=19)
    parts = {name: found.decomposition[name].score.value for name in DECOMPOSITION}
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["remainder"]
    assert total == pytest.approx(found.scores["brier"].score.value)
    shares = np.bincount(gold) / 500
    assert parts["uncertainty"] == pytest.approx((shares * (1 - shares)).sum() * 500 / 499)
    assert parts["reliability"] == pytest.approx(4 * found.scores["class_wise_l2"].debiased_square)
    # what a model that says the shares to everyone has: no resolution
    constant = measure_calibration(np.tile(shares, (500, 1)), gold, simulations=19).decomposition
    assert constant["resolution"].score.value == pytest.approx(0.0, abs=1e-12)
    assert parts["resolution"] > 0.2


@pytest.mark.slow
def test_p_is_uniform_for_a_calibrated_model_and_the_band_holds_95_in_100():
    found, inside = {name: [] for name in TESTED}, dict.fromkeys(SCORES, 0)
    studies = 400
    for study in range(studies):
        p, gold = drawn(120, 3, seed=study)
        made = measure_calibration(p, gold, simulations=99, seed=10_000 + study)
        for name in TESTED:
            found[name].append(p_values(made)[name])
        for name in SCORES:
            score = made.scores[name]
            inside[name] += score.null_low <= score.score.value <= score.null_high
    for name, values in found.items():
        # P takes the values 1/100, 2/100, ... (two-sided every second): spread them out to compare
        width = 0.02 if name in ("brier", "log_loss", "aurc") else 0.01
        spread = np.array(values) - width * np.random.default_rng(1).random(studies)
        assert stats.kstest(spread, "uniform").pvalue > 0.001, name
        assert np.mean(np.array(values) <= 0.05) <= 0.085, name
    for name, count in inside.items():
        # 99 simulations: the band of the errors ends at their 95th, and nothing is ever below it
        assert 0.905 <= count / studies <= 0.98, name


@pytest.mark.slow
def test_copies_do_not_make_a_calibrated_model_look_miscalibrated():
    rejected, ignored, studies = dict.fromkeys(TESTED, 0), 0, 150
    for study in range(studies):
        p, gold = drawn(80, 3, seed=study)
        rows = np.repeat(np.arange(80), np.random.default_rng(study).integers(1, 7, 80))
        made = measure_calibration(p[rows], gold[rows], rows, simulations=99, seed=study)
        assert made.independent_rows == 80 and made.rows == len(rows)
        for name, value in p_values(made).items():
            if value is not None:
                rejected[name] += value <= 0.05
        ignored += (
            p_values(measure_calibration(p[rows], gold[rows], simulations=99))["class_wise_ece"] <= 0.05
        )
    assert all(count / studies <= 0.107 for count in rejected.values()), rejected  # 5% + 3.2 SE
    assert ignored / studies > 0.5


def test_an_overconfident_model_is_told_from_a_calibrated_one_by_every_error():
    p, gold = drawn(2000, 3, sharpened=1.8)
    found = measure_calibration(p, gold)
    for name in TESTED:
        assert p_values(found)[name] <= 0.002, name
    for name in ("brier", "log_loss"):
        assert found.scores[name].score.value > found.scores[name].null_high
    for name in ("top_label_ece", "class_wise_ece", "ece_sweep", "smooth_ece"):
        score = found.scores[name]
        assert score.score.low is None and "null band" in score.score.method
        assert score.null_low <= score.null_mean <= score.null_high < score.score.value
    assert found.diagrams["top_label"].jointly_outside > 3


def test_the_debiased_root_has_an_interval_only_where_it_is_told_apart_from_0():
    p, gold = drawn(1500, 3, sharpened=2.2)
    root = measure_calibration(p, gold).scores["top_label_l2"]
    large, outcomes = drawn(100_000, 3, sharpened=2.2, seed=1)
    truth = measure_calibration(large, outcomes, simulations=1).scores["top_label_l2"].score.value
    assert root.score.low < truth < root.score.high
    assert root.score.value == pytest.approx(np.sqrt(root.debiased_square))
    p, gold = drawn(1500, 3)
    near = measure_calibration(p, gold).scores["top_label_l2"]
    assert near.score.low is None and "not told apart from 0" in near.score.method
    assert near.score.value == pytest.approx(np.sqrt(max(0.0, near.debiased_square)))


@pytest.mark.slow
def test_intervals_of_the_debiased_root_and_the_resolution_cover():
    truth = measure_calibration(*drawn(200_000, 3, sharpened=2.5, seed=99), simulations=1)
    wanted = {
        "top_label_l2": truth.scores["top_label_l2"].score.value,
        "class_wise_l2": truth.scores["class_wise_l2"].score.value,
        "resolution": truth.decomposition["resolution"].score.value,
        "uncertainty": truth.decomposition["uncertainty"].score.value,
    }
    covered, studies = dict.fromkeys(wanted, 0), 200
    for study in range(studies):
        made = measure_calibration(*drawn(800, 3, sharpened=2.5, seed=study), simulations=39)
        for name, value in wanted.items():
            score = (made.scores | made.decomposition)[name].score
            covered[name] += score.low is not None and score.low <= value <= score.high
    assert all(count / studies >= 0.91 for count in covered.values()), covered


def test_clusters_widen_the_interval_of_the_losses():
    p, gold = drawn(150, 3)
    rows = np.repeat(np.arange(150), 4)
    once = measure_calibration(p, gold, simulations=19)
    copied = measure_calibration(p[rows], gold[rows], rows, simulations=199)
    for name in ("brier", "log_loss"):
        score, alone = copied.scores[name].score, once.scores[name].score
        assert score.n == 150
        assert score.value == pytest.approx(alone.value)
        assert score.high - score.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert copied.scores["top_label_ece"].score.value == pytest.approx(
        once.scores["top_label_ece"].score.value
    )
    # the band too is that of 150 rows, not of 600
    width = [s["brier"].null_high - s["brier"].null_low for s in (copied.scores, once.scores)]
    assert width[0] > 0.7 * width[1]


def test_the_order_of_rows_changes_nothing_and_the_seed_does():
    p, gold = drawn(200, 4)
    p = np.round(p, 2) / np.round(p, 2).sum(axis=1, keepdims=True)
    clusters = np.arange(200) // 2
    order = np.random.default_rng(0).permutation(200)
    for groups in (None, clusters):
        moved = None if groups is None else groups[order]
        first = measure_calibration(p, gold, groups, simulations=49).to_json()
        assert first == measure_calibration(p[order], gold[order], moved, simulations=49).to_json()
        assert first != measure_calibration(p, gold, groups, simulations=49, seed=1).to_json()


def test_a_confidence_of_exactly_one_is_counted():
    p = np.array([[1.0, 0.0]] * 40 + [[0.6, 0.4]] * 60)
    gold = np.array([0] * 30 + [1] * 10 + [0] * 36 + [1] * 24)
    found = measure_calibration(p, gold)
    last = found.diagrams["top_label"].points[-1]
    assert (last.n, last.probability, last.frequency) == (40, 1.0, 0.75)
    assert found.scores["top_label_ece"].score.value == pytest.approx(0.4 * 0.25)
    assert found.scores["top_label_ece"].p_value < 0.01


@pytest.mark.parametrize(
    "case",
    [
        "one class of gold",
        "one class of both",
        "identical rows",
        "absent class",
        "certain",
        "thirty",
        "float32",
    ],
)
def test_what_is_degenerate_is_measured_without_a_nan(case):
    p, gold = drawn(60, 3)
    if case == "one class of gold":
        gold = np.zeros(60, dtype=np.int64)
    elif case == "one class of both":
        p, gold = np.tile([1.0, 0.0], (60, 1)), np.zeros(60, dtype=np.int64)
    elif case == "identical rows":
        p = np.tile([0.5, 0.3, 0.2], (60, 1))
    elif case == "absent class":
        p = np.column_stack([p[:, :2] / p[:, :2].sum(axis=1, keepdims=True), np.zeros(60)])
    elif case == "certain":
        p = np.eye(3)[gold]
    elif case == "thirty":
        p, gold = drawn(60, 30)
    else:
        p = p.astype(np.float32).astype(np.float64)
    found = measure_calibration(p, gold, simulations=49)
    json.dumps(found.to_json(), allow_nan=False)
    for name in SCORES:
        assert found.scores[name].score.value is not None
    if case in ("certain", "one class of both"):
        assert found.scores["top_label_ece"].score.value == 0.0
        assert found.scores["top_label_ece"].p_value == 1.0
        assert found.scores["smooth_ece"].score.value == 0.0


def test_too_few_independent_rows_are_said_not_measured():
    p, gold = drawn(19)
    found = measure_calibration(p, gold)
    rows = np.repeat(np.arange(19), 5)
    clustered = measure_calibration(p[rows], gold[rows], rows)
    for made in (found, clustered):
        assert made.independent_rows == 19
        for score in (made.scores | made.decomposition).values():
            assert score.score.value is None and score.p_value is None
            assert "at least 20" in score.score.method
        assert made.diagrams == {} and made.risk_coverage == []
        json.dumps(made.to_json(), allow_nan=False)
    assert clustered.rows == 95
    assert measure_calibration(np.zeros((0, 2)), np.zeros(0, dtype=np.int64)).rows == 0


def test_bad_input_is_refused_by_row():
    p, gold = drawn(40)
    p[7, 0] = np.nan
    with pytest.raises(BadInput, match="row 7"):
        measure_calibration(p, gold)
    with pytest.raises(BadInput, match="bins=0"):
        measure_calibration(*drawn(40), bins=0)


def test_gains_are_paired_differences():
    p, gold = drawn(500, 3, sharpened=2.5)
    better = p**0.4 / (p**0.4).sum(axis=1, keepdims=True)
    gains = recalibration_gains(p, better, gold)
    assert gains["log_loss"].value == pytest.approx(log_loss(gold, better) - log_loss(gold, p))
    assert gains["log_loss"].high < 0 and gains["brier"].high < 0
    assert gains["accuracy"].value == 0.0 and gains["accuracy"].low is None  # nothing changed place
    losses = -np.log(better[np.arange(500), gold]) + np.log(p[np.arange(500), gold])
    expected = stats.ttest_1samp(losses, 0.0).confidence_interval(0.95)
    assert (gains["log_loss"].low, gains["log_loss"].high) == pytest.approx(tuple(expected))
    rows = np.repeat(np.arange(500), 3)
    copied = recalibration_gains(p[rows], better[rows], gold[rows], rows)["log_loss"]
    assert (copied.low, copied.high, copied.n) == pytest.approx((*expected, 500))
    empty = recalibration_gains(p[:0], p[:0], gold[:0])["brier"]
    assert empty.value is None


def test_six_thousand_rows_take_a_second_not_a_minute():
    p, gold = drawn(6000, 5)
    began = time.process_time()
    measure_calibration(p, gold)
    assert time.process_time() - began < 4.0  # about .4 s; six of them and the fits are promised in 5
