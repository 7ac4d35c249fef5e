"""Null runs: chance does not alarm, knowledge does, and why macro-F1 is not asked."""

import numpy as np
import pytest

from crossover.measure.metric.macro_f1 import MacroF1
from crossover.measure.null_score import lift, permutation_p

SHARES = np.array([0.7, 0.3])


def world(
    knows: float, runs: int = 30, rows: int = 300, seed: int = 0
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Gold labels, and null runs that know a share of them and guess the rest from the prior."""
    draw = np.random.default_rng(seed)
    gold = (draw.random(rows) < SHARES[1]).astype(np.int64)
    tables = []
    for _ in range(runs):
        guess = (draw.random(rows) < 0.5 * SHARES[1]).astype(np.int64)
        said = np.where(draw.random(rows) < knows, gold, guess)
        tables.append(np.where(said[:, None] == np.arange(2), 0.8, 0.2))
    return gold, tables


def leads(knows: float, score: str, **kwargs: int) -> tuple[float, float]:
    gold, tables = world(knows, **kwargs)
    found = lift(score, gold, tables, 0.99)
    return found.low, found.mean


def test_guessing_is_below_the_prior_and_knowing_above() -> None:
    for score in ("accuracy", "log_loss"):
        assert leads(0.0, score)[1] < 0
        assert leads(0.8, score)[0] > 0


def test_chance_alone_raises_no_alarm() -> None:
    alarms = sum(
        leads(0.0, score, seed=seed)[0] > 0 for seed in range(100) for score in ("accuracy", "log_loss")
    )
    assert alarms == 0


def test_no_constant_prediction_leads_whatever_it_is() -> None:
    """The shares of 8 training rows can be 1 to 7 where the truth is even: hesitating is no knowledge."""
    gold, _ = world(0.0)
    for shares in ((0.7, 0.3), (0.5, 0.5), (0.9, 0.1), (0.1, 0.9)):
        for score in ("accuracy", "log_loss"):
            found = lift(score, gold, [np.tile(shares, (len(gold), 1))] * 3, 0.95)
            assert found.mean <= 0.0 and found.low <= 0.0


def test_an_untrained_model_is_no_leak() -> None:
    """Even guesses, a little noise: it beats the shares of a skewed training draw, not the scored rows'."""
    draw = np.random.default_rng(3)
    gold = (draw.random(300) < 0.5).astype(np.int64)
    tables = []
    for _ in range(30):
        p = np.clip(0.5 + 0.02 * draw.standard_normal(300), 0.01, 0.99)
        tables.append(np.column_stack([1 - p, p]))
    assert all(lift(score, gold, tables, 0.99).low <= 0.0 for score in ("accuracy", "log_loss"))


def test_a_coin_beats_the_majority_rule_in_macro_f1() -> None:
    """Why row 0 of the diagnosis reads accuracy and log loss whatever the metric of record."""
    draw = np.random.default_rng(1)
    gold = (draw.random(4000) < 0.3).astype(np.int64)
    coin = np.eye(2)[(draw.random(4000) < 0.3).astype(np.int64)]
    majority = np.tile([1.0, 0.0], (4000, 1))
    metric = MacroF1()
    coins, rule = metric(gold, coin), metric(gold, majority)
    assert coins is not None and rule is not None and coins > rule + 0.05


def test_p_is_never_zero() -> None:
    assert permutation_p(1.0, [0.1] * 99) == pytest.approx(0.01)
    assert permutation_p(0.1, [0.1, 0.05, 0.2]) == pytest.approx(3 / 4), "a tie counts against the real run"
