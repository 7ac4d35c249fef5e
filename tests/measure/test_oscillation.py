"""The course of a loss: noise is no oscillation, turns and divergence beyond noise are."""

import math

import numpy as np

from crossover.measure.oscillation import course


def falling(seed: int, noise: float = 0.2, steps: int = 200) -> np.ndarray:
    return np.exp(-np.arange(steps) / 60) + noise * np.random.default_rng(seed).standard_normal(steps)


def test_a_noisy_fall_is_neither() -> None:
    found = [course(falling(seed)) for seed in range(200)]
    assert sum(c.oscillates is True for c in found) <= 4
    assert sum(c.diverges is True for c in found) <= 10


def test_a_swinging_course_oscillates_and_a_rising_end_diverges() -> None:
    swing = falling(0, 0.05) + 0.4 * np.sin(np.arange(200) / 200 * 6 * math.pi)
    assert course(swing).oscillates and course(swing).turns >= 2
    rising = falling(1, 0.05) + np.maximum(0, np.arange(200) - 120) / 80
    assert course(rising).diverges and not course(rising).oscillates


def test_few_steps_say_nothing() -> None:
    found = course([1.0, 0.5, 2.0, 0.1] * 5)
    assert found.oscillates is None and found.diverges is None and found.blocks == ()
    assert course([]).steps == 0 and course([]).gradient_norm is None


def test_a_loss_that_is_not_finite_diverges() -> None:
    found = course([*falling(2), math.nan])
    assert found.diverges and not found.finite and found.steps == 201
    assert course([1.0, math.inf]).diverges


def test_gradient_norms_are_told_as_median_and_last_over_first() -> None:
    found = course(falling(3), np.linspace(2.0, 1.0, 200))
    assert found.gradient_norm is not None and abs(found.gradient_norm - 1.5) < 0.01
    assert found.gradient_ratio is not None and 0.5 < found.gradient_ratio < 0.55
    assert course([1.0], [3.0]).gradient_ratio == 1.0


def test_a_course_without_noise_counts_every_turn() -> None:
    steps = np.repeat([3.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0], 4)
    assert course(steps).turns == 8
