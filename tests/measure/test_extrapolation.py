"""An extrapolation finds a known law, is checked on the largest size, and says when it cannot be made."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from crossover.measure.extrapolation import Extrapolation, _draw_deviation, extrapolate

SIZES = [50, 100, 200, 400, 800, 1600]
COUNTS = [2, 2, 2, 8, 8, 8]


def power(n: float) -> float:
    return float(0.93 - 0.25 * (n / 50) ** -0.5)


def noisy(counts: list[int], seed: int, curve=power) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [
        [float(v) for v in curve(n) + 0.03 * (50 / n) ** 0.4 * rng.standard_normal(count)]
        for n, count in zip(SIZES, counts, strict=True)
    ]


def test_a_power_law_without_noise_is_recovered_and_checked() -> None:
    made = extrapolate(SIZES, [[power(n)] * 2 for n in SIZES])
    assert made.law == "pow3"
    assert [at.size for at in made.at] == [3200, 6400]
    assert [at.mean for at in made.at] == pytest.approx([power(3200), power(6400)], abs=1e-5)
    assert [mean for _, mean in made.fitted] == pytest.approx([power(n) for n in SIZES], abs=1e-5)
    assert made.held_out is not None and made.held_out.size == 1600
    assert made.held_out.predicted == pytest.approx(power(1600), abs=1e-5)
    assert made.held_out.found == pytest.approx(power(1600))
    assert made.held_out.last1_error == pytest.approx(power(1600) - power(800))
    assert "closest at the 1,600 rows held out" in made.reason


def test_an_exponential_is_told_from_a_power_law() -> None:
    def curve(n: float) -> float:
        return float(0.9 - 0.4 * np.exp(-0.2 * (n - 50) / 50))

    sizes = [50, 100, 200, 300, 400]
    made = extrapolate(sizes, [[curve(n)] * 3 for n in sizes])
    assert made.law == "exp3"
    assert [at.mean for at in made.at] == pytest.approx([curve(800), curve(1600)], abs=1e-4)


def test_a_loss_falls_as_its_mirror_rises() -> None:
    scores = noisy(COUNTS, 3)
    rising = extrapolate(SIZES, scores)
    falling = extrapolate(
        SIZES, [[1 - v for v in found] for found in scores], larger_is_better=False, bounds=(0.0, 1.0)
    )
    assert falling.law == rising.law
    for up, down in zip(rising.at, falling.at, strict=True):
        assert (1 - down.mean, 1 - down.high, 1 - down.low) == pytest.approx((up.mean, up.low, up.high))
    loss = extrapolate(
        SIZES, [[0.2 + 3 * n**-0.4] * 2 for n in SIZES], larger_is_better=False, bounds=(0, 34.5)
    )
    assert loss.at[1].mean == pytest.approx(0.2 + 3 * 6400**-0.4, abs=1e-4)


def test_the_fit_is_the_weighted_least_squares_of_scipy() -> None:
    """Draws and spread are alike at every size, so that weights are equal; the bounds do not bind."""
    rng = np.random.default_rng(5)
    means = [power(n) + 0.004 * rng.standard_normal() for n in SIZES]
    made = extrapolate(SIZES, [[mean - 0.01, mean + 0.01] for mean in means])
    assert made.law == "pow3"
    x = np.array(SIZES) / 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best, _ = curve_fit(lambda n, a, b, c: a - b * n**-c, x, means, p0=(0.9, 0.3, 0.5))
    assert best[0] < 1
    assert [at.mean for at in made.at] == pytest.approx(
        [best[0] - best[1] * z ** -best[2] for z in (64, 128)], abs=2e-5
    )


def test_an_asymptote_above_the_bounds_is_held_at_them_as_scipy_does() -> None:
    means = [power(n) for n in SIZES]
    made = extrapolate(SIZES, [[mean - 0.01, mean + 0.01] for mean in means], bounds=(0, 0.91))
    assert made.law == "pow3"
    best, _ = curve_fit(
        lambda n, a, b, c: a - b * n**-c,
        np.array(SIZES) / 50,
        means,
        p0=(0.9, 0.3, 0.5),
        bounds=([0, 0, 0.02], [0.91, np.inf, 4]),
    )
    assert best[0] == pytest.approx(0.91, abs=1e-4), "the bound binds"
    expected = [best[0] - best[1] * z ** -best[2] for z in (1, 2, 4, 8, 16, 32, 64, 128)]
    found = [mean for _, mean in made.fitted] + [at.mean for at in made.at]
    assert found == pytest.approx(expected, abs=5e-4)


def test_the_deviation_of_a_draw_is_unbiased_whatever_the_number_of_draws() -> None:
    """Log variances of two draws lie 1.27 too low, of eight 0.15: both are put right first."""
    rng = np.random.default_rng(4)
    n = np.array(SIZES, dtype=float)
    logs = []
    for _ in range(300):
        values = [
            0.1 * (50 / size) ** 0.5 * rng.standard_normal(r) for size, r in zip(SIZES, COUNTS, strict=True)
        ]
        logs.append(np.log(_draw_deviation(n, values)))
    truth = np.log(0.1 * (50 / n) ** 0.5)
    assert np.mean(logs, axis=0) == pytest.approx(truth, abs=0.08)


def missed(counts: list[int], spread: list[float]) -> float:
    """How far the fit stays from a first size that is 2 points off a power law."""
    means = [power(50) + 0.02, *(power(n) for n in SIZES[1:])]
    made = extrapolate(
        SIZES,
        [
            [mean + sd * sign for sign in np.resize([-1.0, 1.0], count)]
            for mean, sd, count in zip(means, spread, counts, strict=True)
        ],
    )
    assert made.law == "pow3"
    return abs(made.fitted[0][1] - means[0])


def test_a_size_with_more_draws_counts_more() -> None:
    even = [0.01] * 6
    assert missed([2, *[16] * 5], even) > 1.5 * missed([16, *[2] * 5], even)


def test_a_size_whose_draws_spread_more_counts_less() -> None:
    falling = [0.02 * (50 / n) ** 0.6 for n in SIZES]
    assert missed([4] * 6, falling) > 1.5 * missed([4] * 6, [0.01] * 6)


def test_on_a_noisy_plateau_the_last_value_mostly_goes_on() -> None:
    laws = [extrapolate(SIZES, noisy([4] * 6, seed, lambda n: 0.8)) for seed in range(40)]
    for made in laws:
        assert made.held_out is not None
        assert made.held_out.error <= made.held_out.last1_error
    last = [made for made in laws if made.law == "last1"]
    assert len(last) >= 8
    for made in last:
        assert made.held_out is not None and made.held_out.error == made.held_out.last1_error
        assert made.at[0].mean == made.at[1].mean == made.held_out.found
        assert made.fitted == ((1600, made.held_out.found),)
        assert "no law beat the last value" in made.reason


def test_where_a_law_ties_with_the_last_value_the_last_value_is_shown() -> None:
    for level in (0.75, 0.1, 0.3, 1 / 3, 0.7, 0.9):
        flat = extrapolate(SIZES, [[level] * 2, [level] * 3, *[[level] * 7] * 4])
        assert flat.law == "last1" and flat.at[1].mean == pytest.approx(level)
    drop = extrapolate(SIZES, [[v] * 2 for v in (0.75, 0.75, 0.75, 0.75, 0.75, 0.7)])
    assert drop.law == "last1" and drop.at[1].mean == 0.7, "all laws predicted 0.75"


@pytest.mark.parametrize("counts", [[4] * 6, COUNTS, [1, 1, 4, 4, 4, 4]])
def test_the_interval_covers_a_true_power_law_beyond_the_largest_size(counts: list[int]) -> None:
    made = [extrapolate(SIZES, noisy(counts, seed), seed=seed) for seed in range(100)]
    for k, n in enumerate((3200, 6400)):
        covered = sum(one.at[k].low <= power(n) <= one.at[k].high for one in made)
        assert covered >= 85
    assert np.median([one.at[0].high - one.at[0].low for one in made]) < 0.05, "no use if it covers all"


def test_the_interval_is_wider_farther_out_and_with_fewer_draws() -> None:
    def width(counts: list[int], k: int) -> float:
        made = [extrapolate(SIZES, noisy(counts, seed)).at[k] for seed in range(20)]
        return float(np.mean([at.high - at.low for at in made]))

    assert width([3] * 6, 0) > 1.5 * width([48] * 6, 0)
    assert width([8] * 6, 1) > width([8] * 6, 0)


def test_the_same_draws_give_the_same_extrapolation() -> None:
    scores = noisy(COUNTS, 1)
    assert extrapolate(SIZES, scores) == extrapolate(SIZES, scores)
    assert extrapolate(SIZES, scores, seed=1).at[0].mean == extrapolate(SIZES, scores).at[0].mean
    assert extrapolate(SIZES, scores, seed=1).at[0].low != extrapolate(SIZES, scores).at[0].low


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=4), min_size=4, max_size=7
    ),
    st.booleans(),
)
def test_any_scores_give_values_within_bounds_that_never_turn_back(
    draws: list[list[float]], larger: bool
) -> None:
    sizes = [30 * 2**k for k in range(len(draws))]
    made = extrapolate(sizes, draws, larger_is_better=larger)
    for at in made.at:
        assert 0 <= at.low <= at.mean <= at.high <= 1
    sign = 1 if larger else -1
    path = [sign * mean for _, mean in made.fitted] + [sign * at.mean for at in made.at]
    assert all(a <= b + 1e-12 for a, b in pairwise(path))


@pytest.mark.parametrize(
    ("draws", "reason"),
    [
        ([[0.5, 0.6]] * 3, "insufficient evidence: 3 sizes, at least 4 are needed"),
        ([[0.5, 0.6]] * 2 + [[0.5]] * 2, "insufficient evidence: 2 of 4 sizes have two draws or more"),
        ([[0.5, 0.6]] * 4 + [[]], "insufficient evidence: a size has no draw"),
        ([[0.5, 0.6]] * 3 + [[0.5, float("nan")]], "insufficient evidence: a score is not finite"),
    ],
)
def test_too_little_is_said_to_be_insufficient(draws: list[list[float]], reason: str) -> None:
    made = extrapolate(range(10, 10 + len(draws)), draws)
    assert made == Extrapolation(None, None, (), (), made.reason)
    assert made.reason.startswith(reason)


def test_sizes_that_do_not_ascend_are_refused() -> None:
    for sizes in ([50, 50, 100, 200], [100, 50, 200, 400], [0, 1, 2, 3]):
        with pytest.raises(ValueError, match="positive, ascending"):
            extrapolate(sizes, [[0.5, 0.6]] * 4)
    with pytest.raises(ValueError, match="4 sizes but draws of 3"):
        extrapolate([1, 2, 3, 4], [[0.5, 0.6]] * 3)


def test_json_holds_plain_values() -> None:
    plain = extrapolate(SIZES, noisy(COUNTS, 0)).to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert set(plain) == {"law", "held_out", "fitted", "at", "reason"}
    assert plain["held_out"].keys() == {"size", "predicted", "found", "error", "last1_error"}  # type: ignore[attr-defined]
    assert plain["at"][0].keys() == {"size", "mean", "low", "high"}  # type: ignore[index]
