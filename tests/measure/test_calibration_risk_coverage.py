import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.measure.calibration_risk_coverage import aurc, rank_weights, risk_coverage_curve


def plain_aurc(confidence, wrong):
    """Mean of the risks among the 1, 2, ... most confident rows, without ties."""
    order = np.argsort(-confidence, kind="stable")
    return float((np.cumsum(wrong[order]) / np.arange(1, len(wrong) + 1)).mean())


def test_hand_worked():
    confidence, wrong = np.array([0.7, 0.9, 0.8]), np.array([False, False, True])
    # in order: right, wrong, right: risks 0, 1/2, 1/3
    assert aurc(confidence, wrong).value == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    curve = risk_coverage_curve(confidence, wrong, points=3)
    assert [(p.coverage, p.threshold, p.rows, p.risk) for p in curve] == [
        (pytest.approx(1 / 3), 0.9, 1, 0.0),
        (pytest.approx(2 / 3), 0.8, 2, 0.5),
        (1.0, 0.7, 3, pytest.approx(1 / 3)),
    ]


@given(st.lists(st.tuples(st.sampled_from([0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_equal_confidences_are_averaged_over_their_orders(rows):
    confidence, wrong = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    orders = [
        np.array(order)
        for order in itertools.permutations(range(len(rows)))
        if np.all(np.diff(confidence[list(order)]) <= 0)
    ]
    means = [(np.cumsum(wrong[o]) / np.arange(1, len(o) + 1)).mean() for o in orders]
    assert aurc(confidence, wrong).value == pytest.approx(np.mean(means))


def test_a_ranking_that_puts_errors_last_has_the_smaller_area():
    wrong = np.arange(100) >= 80
    best, worst = np.linspace(1, 0.5, 100), np.linspace(0.5, 1, 100)
    assert aurc(best, wrong).value < 0.05
    assert aurc(worst, wrong).value > 0.4
    # no ranking at all: the area is the error rate
    assert aurc(np.full(100, 0.5), wrong).value == pytest.approx(0.2)
    assert rank_weights(best).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("ties", [False, True])
def test_the_interval_is_that_of_the_jackknife(ties):
    generator = np.random.default_rng(0)
    confidence = generator.random(800)
    if ties:
        confidence = np.round(confidence, 1)
    wrong = generator.random(800) > 0.5 + confidence / 2
    found = aurc(confidence, wrong)
    left = np.array([aurc(np.delete(confidence, i), np.delete(wrong, i)).value for i in range(800)])
    error = np.sqrt(799 / 800 * ((left - left.mean()) ** 2).sum())
    assert np.log(found.high / found.value) == pytest.approx(1.963 * error / found.value, rel=0.03)
    assert found.low * found.high == pytest.approx(found.value**2)
    assert found.n == 800


def test_copies_widen_the_interval_and_leave_the_value():
    generator = np.random.default_rng(0)
    confidence = generator.random(200)
    wrong = generator.random(200) > confidence
    once = aurc(confidence, wrong)
    copied = aurc(np.repeat(confidence, 4), np.repeat(wrong, 4), np.repeat(np.arange(200), 4))
    assert copied.n == 200
    assert copied.value == pytest.approx(once.value, rel=0.02)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.05)
    ignored = aurc(np.repeat(confidence, 4), np.repeat(wrong, 4))
    assert ignored.high - ignored.low < 0.6 * (once.high - once.low)


def test_the_interval_covers():
    generator = np.random.default_rng(0)

    def rows(n):
        confidence = generator.beta(6, 1, n)
        return confidence, generator.random(n) > confidence

    truth = plain_aurc(*rows(2_000_000))
    covered = 0
    for _ in range(600):
        score = aurc(*rows(250))
        covered += score.low <= truth <= score.high
    assert 0.925 <= covered / 600 <= 0.975


def test_no_error_and_no_rows_are_said():
    none = aurc(np.linspace(0.5, 1, 30), np.zeros(30, dtype=bool))
    assert (none.value, none.low) == (0.0, None) and "no error in 30 rows" in none.method
    empty = aurc(np.zeros(0), np.zeros(0, dtype=bool))
    assert empty.value is None and "no such rows" in empty.method
    assert risk_coverage_curve(np.zeros(0), np.zeros(0, dtype=bool)) == []


def test_the_curve_answers_rows_of_equal_confidence_together_and_ends_with_all():
    confidence = np.repeat([0.6, 0.8, 1.0], [10, 30, 60])
    wrong = np.repeat([True, False, False], [10, 30, 60])
    curve = risk_coverage_curve(confidence, wrong)
    assert [(p.rows, p.threshold, p.risk) for p in curve] == [(60, 1.0, 0.0), (90, 0.8, 0.0), (100, 0.6, 0.1)]
    assert curve[0].low == 0.0 and 0.0 < curve[0].high < 0.1
    grouped = risk_coverage_curve(confidence, wrong, np.arange(100) // 5)
    assert grouped[-1].high > curve[-1].high
