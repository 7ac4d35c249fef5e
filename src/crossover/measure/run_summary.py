"""What a group of runs amounts to: median, interquartile mean, failure rate, probability of improvement.

Runs come in draws (a draw's runs differ in their seeds alone); the draw is the unit, so that more seeds
of the same few draws do not make an interval narrower than the draws allow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from crossover.measure.interval import clopper_pearson, normal, t_quantile
from crossover.measure.score import Score

Floats = NDArray[np.float64]

FEWEST_FOR_MEDIAN = 6
"""Below so many units the least and the greatest do not hold the median in 95 of 100 cases."""
FEWEST_FOR_IMPROVEMENT = 10
TRIM = 0.25


def units_of(draws: Sequence[Floats]) -> list[Floats]:
    """The units of a group: its draws, or the single runs where there is one draw."""
    return [np.atleast_1d(run) for run in draws[0]] if len(draws) == 1 else list(draws)


def median(draws: Sequence[Floats], level: float = 0.95) -> Score:
    """Median run with Woodruff's interval (1952) over draws.

    The share of runs at or below the median has a standard error from the draws' sums; the score's
    quantiles at one half plus and minus t(units - 1) of it are the limits.
    """
    units, runs = units_of(draws), np.concatenate(draws)
    value, count = float(np.median(runs)), len(units)
    if count < FEWEST_FOR_MEDIAN:
        reason = f"no interval: {count} units, {FEWEST_FOR_MEDIAN} are needed"
        return Score("median", value, None, None, count, reason, level)
    # a run at the median itself counts half, so that the share is one half
    below = [(unit < value) + 0.5 * (unit == value) for unit in units]
    error = _error_of_mean(below)
    if error == 0:
        error = 0.5 / math.sqrt(count - 1)  # as if the units were all of a piece
    half = t_quantile(level, count - 1) * error
    low, high = np.quantile(runs, [max(0.0, 0.5 - half), min(1.0, 0.5 + half)], method="inverted_cdf")
    return Score("median", value, float(low), float(high), count, "Woodruff over draws", level)


def interquartile_mean(draws: Sequence[Floats], level: float = 0.95) -> Score:
    """Mean of the middle half of the runs (Agarwal et al., NeurIPS 2021).

    The interval is Tukey and McLaughlin's for a trimmed mean (1963), the Winsorised runs summed to
    draws: t on the draws that the trimming leaves, less one.
    """
    units, runs = units_of(draws), np.concatenate(draws)
    value, count = float(stats.trim_mean(runs, TRIM)), len(units)
    if count < FEWEST_FOR_MEDIAN:
        reason = f"no interval: {count} units, {FEWEST_FOR_MEDIAN} are needed"
        return Score("interquartile mean", value, None, None, count, reason, level)
    ordered, cut = np.sort(runs), int(TRIM * len(runs))
    held = [np.clip(unit, ordered[cut], ordered[len(runs) - cut - 1]) for unit in units]
    error = _error_of_mean(held) / (1 - 2 * TRIM)
    left = count - 2 * int(TRIM * count)
    method = f"trimmed mean over {count} units"
    return normal("interquartile mean", value, error, left, method, level=level)


def failure_rate(failed: int, runs: int, level: float = 0.95) -> Score:
    """Share of runs that failed, with Clopper and Pearson's interval."""
    if not runs:
        return Score("failure rate", None, None, None, 0, "undefined: no runs", level)
    low, high = clopper_pearson(float(failed), float(runs), level)
    return Score("failure rate", failed / runs, float(low), float(high), runs, "Clopper-Pearson", level)


def improvement(first: Sequence[Floats], second: Sequence[Floats], level: float = 0.95) -> Score:
    """Chance that a run of ``first`` beats one of ``second`` trained on the same draw, ties counted half.

    Agarwal et al. (2021), a draw in the place of a task: the share of seed pairs won, mean over draws.
    The interval is Clopper and Pearson's with the draws as trials and the sum of shares as successes:
    a share between 0 and 1 varies no more than a coin of the same mean, so it covers at least so much.
    From :data:`FEWEST_FOR_IMPROVEMENT` draws up.
    """
    name, count = "probability of improvement", len(first)
    if count < FEWEST_FOR_IMPROVEMENT:
        reason = f"{count} draws in common, {FEWEST_FOR_IMPROVEMENT} are needed"
        return Score(name, None, None, None, count, reason, level)
    shares = [
        float((a[:, None] > b[None, :]).mean() + 0.5 * (a[:, None] == b[None, :]).mean())
        for a, b in zip(first, second, strict=True)
    ]
    low, high = clopper_pearson(float(sum(shares)), float(count), level)
    return Score(name, float(np.mean(shares)), float(low), float(high), count, "Clopper-Pearson", level)


def normality(residuals: Floats) -> float | None:
    """P of Shapiro and Wilk's test (1965) of the seeds' residuals; None below 8 or where none varies."""
    if len(residuals) < 8 or np.ptp(residuals) == 0:
        return None
    return float(stats.shapiro(residuals).pvalue)


def _error_of_mean(units: Sequence[Floats]) -> float:
    """Standard error of the mean of all values, units being what is sampled."""
    values = np.concatenate(units)
    sums = np.array([float((unit - values.mean()).sum()) for unit in units])
    count = len(sums)
    return math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(values)
