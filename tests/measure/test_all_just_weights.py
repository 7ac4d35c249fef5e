"""The verdict follows the numbers in the order of the method, and says what it rests on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.measure.all_just_weights import CODES, TOLERANCE, code_of, judge, threshold_tuned
from crossover.measure.metric.metric import metric_named
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score


def numbers(**changes):
    """A cleared optimiser, new's unregularised loss higher."""
    plain = {
        "rows": 800.0, "objective_old": 0.5, "loss_old": 0.3, "loss_old_free": 0.25, "objective_scaled": 0.55,
        "loss_new": 0.35, "gap": 1e-8,
    } | changes  # fmt: skip
    whole = plain["objective_old"]
    return plain | {"tolerance": TOLERANCE * whole, "saving": whole - plain["objective_scaled"]}


def score(value, low, high):
    return Score("difference of accuracy", value, low, high, 300, "paired rows")


GAIN = score(0.04, 0.01, 0.07)


def test_a_lower_objective_is_a_certificate_of_a_stopped_optimiser():
    found = judge(numbers(objective_scaled=0.4, gap=0.2), GAIN, None, "svm", "lr")
    assert (found.kind, found.certificate) == ("optimisation", True)
    assert "lr's weights, scaled, give svm's own objective 0.4, below the 0.5" in found.sentence
    assert "0.2 of J lower" in found.sentence and "800 training rows" in found.sentence
    assert "0.0400 [0.0100, 0.0700]" in found.sentence


@pytest.mark.parametrize(("saving", "kind"), [(2e-6, "optimisation"), (0.5e-6, "inconclusive")])
def test_a_saving_within_the_tolerance_certifies_nothing(saving, kind):
    assert judge(numbers(objective_scaled=0.5 * (1 - saving), gap=0.1), GAIN).kind == kind


def test_an_optimiser_cleared_and_a_lower_unregularised_loss_say_regularisation():
    found = judge(numbers(loss_new=0.1), GAIN)
    assert (found.kind, found.certificate) == ("regularisation", False)
    assert "cleared" in found.sentence and "0.1 against 0.3" in found.sentence
    assert "weak" not in found.sentence
    # Where the old weights reach it too, merely longer, the sign is weak and the sentence says so.
    assert "merely longer" in judge(numbers(loss_new=0.1, loss_old_free=0.1), GAIN).sentence


def test_a_gap_above_the_tolerance_clears_nobody():
    found = judge(numbers(loss_new=0.1, gap=0.01), GAIN, None, "probe", "other")
    assert found.kind == "inconclusive"
    assert "up to 0.02 of J above the least value" in found.sentence


def test_thresholds_that_take_the_gain_away_say_threshold_or_loss():
    found = judge(numbers(), GAIN, score(0.002, -0.01, 0.014))
    assert found.kind == "threshold"
    assert "0.0020 [-0.0100, 0.0140]" in found.sentence


@pytest.mark.parametrize(
    ("tuned", "said"),
    [
        (None, "was not tried"),
        (score(None, None, None), "was not tried"),
        (score(0.03, 0.005, 0.055), "leaves a gain of 0.0300"),
        # Just no longer above 0, yet hardly smaller: not removed, only unsettled.
        (score(0.035, -0.001, 0.07), "does not settle it"),
    ],
)
def test_else_the_model_or_its_objective_is_at_fault(tuned, said):
    found = judge(numbers(), GAIN, tuned)
    assert found.kind == "objective" and said in found.sentence


@pytest.mark.parametrize("gain", [score(0.01, -0.01, 0.03), score(None, None, None), score(0.02, None, None)])
def test_without_a_gain_on_select_there_is_nothing_to_explain_but_a_certificate_is_told(gain):
    assert judge(numbers(loss_new=0.1), gain).kind == "not_better"
    found = judge(numbers(objective_scaled=0.4, gap=0.2), gain)
    assert found.kind == "not_better" and found.certificate and "stopped short" in found.sentence
    assert "nan" not in found.sentence and "None" not in found.sentence


def test_an_objective_of_0_is_no_division_by_0():
    assert judge(numbers(objective_old=0.0, objective_scaled=0.0, gap=0.0, loss_old=0.0), GAIN).sentence


@given(st.floats(0.01, 10), st.floats(0, 10), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_every_set_of_numbers_has_one_verdict_and_one_sentence(whole, other, loss, new_loss, gap):
    given_ = numbers(
        objective_old=whole, objective_scaled=other, loss_old=loss, loss_new=new_loss, gap=gap,
    )  # fmt: skip
    found = judge(given_, GAIN)
    assert found.certificate == (code_of(given_) == CODES.index("optimisation"))
    assert found.kind == {"not_lower": "objective"}.get(CODES[code_of(given_)], CODES[code_of(given_)])
    assert found.sentence.count(".  ") == 0 and found.sentence.endswith(".")


def shifted_model(rows, seed, shift, part):
    """Two classes; the model's log-odds are right but for ``shift``."""
    draw = np.random.default_rng(seed)
    log_odds = draw.normal(0.0, 2.0, rows)
    gold = draw.random(rows) < 1 / (1 + np.exp(-log_odds))
    p = 1 / (1 + np.exp(-(log_odds + shift)))
    ids = tuple(f"{part}{k}" for k in range(rows))
    labels = tuple("spam" if is_spam else "ham" for is_spam in gold)
    return Predictions(ids, (part,) * rows, labels, ("ham", "spam"), np.column_stack([1 - p, p]))


def test_a_shifted_threshold_is_found_on_one_part_and_mends_the_other():
    accuracy = metric_named("accuracy")
    tune, other = (shifted_model(4000, k, -2.5, part) for k, part in enumerate(("calibrate", "select")))
    tuned = threshold_tuned(tune, other, accuracy)
    best = accuracy(other.gold_index, shifted_model(4000, 1, 0.0, "select").probabilities)
    before = accuracy(other.gold_index, other.probabilities)
    assert before < best - 0.1
    assert accuracy(tuned.gold_index, tuned.probabilities) > best - 0.01
    assert tuned.ids == other.ids and tuned.gold == other.gold
    np.testing.assert_allclose(tuned.probabilities.sum(axis=1), 1.0)


def test_log_loss_is_tuned_downwards():
    log_loss = metric_named("log_loss")
    tune, other = (shifted_model(2000, k, -2.0, part) for k, part in enumerate(("calibrate", "select")))
    tuned = threshold_tuned(tune, other, log_loss)
    assert log_loss(other.gold_index, tuned.probabilities) < log_loss(other.gold_index, other.probabilities)


def test_without_rows_or_need_nothing_is_shifted_and_a_class_of_probability_0_keeps_it():
    accuracy = metric_named("accuracy")
    gold = ("a", "b", "c", "a")
    sure = np.array([[0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.4, 0.6, 0.0], [0.6, 0.4, 0.0]])
    model = Predictions(("1", "2", "3", "4"), ("select",) * 4, gold, ("a", "b", "c"), sure)
    for tune in (model.take([]), model.take([0, 1, 3])):
        np.testing.assert_array_equal(threshold_tuned(tune, model, accuracy).probabilities, sure)
    assert (threshold_tuned(model, model, metric_named("macro_f1")).probabilities[:, 2] == 0).all()
