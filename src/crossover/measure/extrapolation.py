"""Extrapolation: where a learning curve would go beyond its largest size, checked on that size first.

Laws after Mohr and Viering (2022), the Learning Curve Database, n_1 the smallest size:

- ``pow3``: score(n) = a - b (n/n_1)^(-c)
- ``exp3``: score(n) = a - b exp(-c (n - n_1)/n_1)
- ``last1``: score(n) = the score at the largest size

with b >= 0 and a within the metric's bounds; for a loss the sign of b is turned. An extrapolation is a
figure and never a verdict: it holds only if the law goes on beyond the sizes that were run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

Floats: TypeAlias = NDArray[np.float64]

LAWS = ("pow3", "exp3")
LAST = "last1"
FEWEST_SIZES = 4
"""A law of three parameters and one size held out."""
FACTORS = (2, 4)
"""How far ahead, in multiples of the largest size."""
REPLICATES = 200

_RATES, _ROUNDS = 31, 4


@dataclass(frozen=True)
class HeldOut:
    """The largest size as predicted from the smaller ones: by the law shown, and by the last value."""

    size: int
    predicted: float
    found: float
    error: float
    last1_error: float


@dataclass(frozen=True)
class ScoreAhead:
    """The score that the law gives at a size that was not run, with its 95% interval."""

    size: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Extrapolation:
    """How an arm's curve would go on; ``law`` is None where the evidence is insufficient.

    ``fitted`` holds (size, score) of the law at the sizes it was fitted to (last1: the largest alone);
    ``reason`` says why there is no extrapolation, or why the law is the one shown.
    """

    law: str | None
    held_out: HeldOut | None
    fitted: tuple[tuple[int, float], ...]
    at: tuple[ScoreAhead, ...]
    reason: str

    def to_json(self) -> dict[str, object]:
        """The extrapolation as plain JSON values."""
        plain = asdict(self)
        fitted = [{"size": size, "mean": mean} for size, mean in self.fitted]
        return {**plain, "fitted": fitted, "at": list(plain["at"])}


def extrapolate(
    sizes: Sequence[int],
    draws: Sequence[Sequence[float]],
    *,
    larger_is_better: bool = True,
    bounds: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
) -> Extrapolation:
    """The curve of one arm at 2 and 4 times its largest size.

    Each law is fitted to the sizes but the largest and predicts that one; the law with the smallest error
    is refitted to all sizes and shown, the last value where no law came closer. Fits are least squares
    weighted by the draws of a size over their variance, whose logarithm is taken as linear in log n.

    The interval is the 2.5% to 97.5% range over 200 replicates, widened to hold the value itself. In each
    replicate the draws of every size are made anew from standardised residuals pooled over sizes (Efron
    and Tibshirani 1993, section 9.4: a size with one or two draws has too few of its own), and the law is
    chosen anew, so that doubt about the law enters. Draws of different sizes are taken as independent;
    test rows stay as they are. Draws that agree at every size give an interval of no width.

    Args:
        sizes: training sizes, ascending, all different.
        draws: the score of every draw at each size; their number may differ.
        larger_is_better: False for a loss.
        bounds: smallest and largest value the metric can take.
        seed: of the replicates.

    Raises:
        ValueError: sizes are not positive and ascending, or not as many as ``draws``.
    """
    _check(sizes, draws)
    if lacking := _lacking(draws):
        return Extrapolation(None, None, (), (), f"insufficient evidence: {lacking}")
    sign = 1.0 if larger_is_better else -1.0
    floor, ceiling = sorted(sign * bound for bound in bounds)
    n = np.asarray(sizes, dtype=np.float64)
    values = [sign * np.asarray(found, dtype=np.float64) for found in draws]
    deviation = _draw_deviation(n, values)
    observed = np.array([[found.mean() for found in values]])
    replicates = observed + _resampled_errors(values, deviation, np.random.default_rng(seed))
    means = np.clip(np.vstack([observed, replicates]), floor, ceiling)
    counts = np.array([len(found) for found in values], dtype=np.float64)
    weights = counts / np.square(deviation) if deviation.all() else counts
    chosen, errors, checks, curves = _chosen(n, means, weights, floor, ceiling)
    law, largest = int(chosen[0]), int(sizes[-1])
    fitted = tuple((int(s), float(v)) for s, v in zip(sizes, sign * curves[0, : len(n)], strict=True))
    held_out = HeldOut(
        size=largest,
        predicted=float(sign * checks[law, 0]),
        found=float(sign * means[0, -1]),
        error=float(errors[law, 0]),
        last1_error=float(errors[-1, 0]),
    )
    return Extrapolation(
        law=(*LAWS, LAST)[law],
        held_out=held_out,
        fitted=fitted if law < len(LAWS) else fitted[-1:],
        at=_ahead(largest, sign * curves[:, len(n) :]),
        reason=_reason(largest, errors[:, 0]),
    )


def _check(sizes: Sequence[int], draws: Sequence[Sequence[float]]) -> None:
    if len(sizes) != len(draws):
        raise ValueError(f"{len(sizes)} sizes but draws of {len(draws)}")
    if any(size <= 0 for size in sizes) or any(a >= b for a, b in pairwise(sizes)):
        raise ValueError(f"sizes {list(sizes)}: expected positive, ascending, all different")


def _ahead(largest: int, curves: Floats) -> tuple[ScoreAhead, ...]:
    """Value (the first curve) and percentile interval (the others, the replicates) at each factor."""
    low, high = np.quantile(curves[1:], (0.025, 0.975), axis=0)
    return tuple(
        ScoreAhead(factor * largest, float(value), float(min(left, value)), float(max(right, value)))
        for factor, value, left, right in zip(FACTORS, curves[0], low, high, strict=True)
    )


def _chosen(
    n: Floats, means: Floats, weights: Floats, floor: float, ceiling: float
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """For each curve (row of ``means``) the law closest at the largest size, by number; a tie goes to last1.

    Also each law's error and prediction there, (laws, curves), and the chosen law refitted to all sizes, read
    at the sizes and ahead of them: (curves, sizes + factors).
    """
    targets = np.concatenate([n, n[-1] * np.asarray(FACTORS, dtype=np.float64)])
    checks = [_predict(law, n[:-1], means[:, :-1], weights[:-1], n[-1:], ceiling)[:, 0] for law in LAWS]
    fits = [_predict(law, n, means, weights, targets, ceiling) for law in LAWS]
    checks.append(means[:, -2])
    fits.append(np.repeat(means[:, -1:], len(targets), axis=1))
    predicted = np.clip(np.stack(checks), floor, ceiling)
    # Rounded, so that a tie is not settled by the last bit of a sum.
    errors: Floats = np.abs(predicted - means[:, -1]).round(12)
    chosen = len(LAWS) - np.argmin(errors[::-1], axis=0)
    curves = np.clip(np.stack(fits)[chosen, np.arange(len(means))], floor, ceiling)
    return chosen, errors, predicted, curves


def _lacking(draws: Sequence[Sequence[float]]) -> str:
    """What an extrapolation lacks, empty where nothing."""
    if len(draws) < FEWEST_SIZES:
        return f"{len(draws)} sizes, at least {FEWEST_SIZES} are needed"
    if not all(len(found) for found in draws):
        return "a size has no draw"
    several = sum(len(found) > 1 for found in draws)
    if 2 * several <= len(draws):
        return f"{several} of {len(draws)} sizes have two draws or more, more than half are needed"
    if not all(np.isfinite(found).all() for found in draws):
        return "a score is not finite"
    return ""


def _reason(largest: int, errors: Floats) -> str:
    """Which law came closest at the size held out, and by how much."""
    stated = ", ".join(f"{law} {error:.2g}" for law, error in zip((*LAWS, LAST), errors, strict=True))
    if errors[-1] <= errors[:-1].min():
        return f"no law beat the last value at the {largest:,} rows held out (errors: {stated})"
    return f"closest at the {largest:,} rows held out (errors: {stated})"


def _draw_deviation(n: Floats, values: Sequence[Floats]) -> Floats:
    """Standard deviation of one draw at each size: log variance linear in log n; 0 where draws agree.

    The mean and variance of the logarithm of a sample variance with nu degrees of freedom are taken out
    and weighed by (digamma and trigamma of nu/2), so that sizes with 2 and with 8 draws fit together.
    """
    freedom = np.array([len(found) - 1 for found in values], dtype=np.float64)
    spread = np.array([found.var(ddof=1) if len(found) > 1 else 0.0 for found in values])
    known = spread > 1e-20
    if not known.any():
        return np.zeros(len(n))
    half = freedom[known] / 2
    logs = np.log(spread[known]) - digamma(half) + np.log(half)
    weights = 1 / polygamma(1, half)
    x = np.log(n)
    centre = np.average(x[known], weights=weights)
    level = np.average(logs, weights=weights)
    about = np.sum(weights * np.square(x[known] - centre))
    # Flat to falling as 1/n^2: outside it a slope is noise of a few draws.
    slope = np.sum(weights * (x[known] - centre) * logs) / about if about > 0 else 0.0
    deviation: Floats = np.exp((level + np.clip(slope, -2.0, 0.0) * (x - centre)) / 2)
    return deviation


def _resampled_errors(values: Sequence[Floats], deviation: Floats, rng: np.random.Generator) -> Floats:
    """Errors of the mean at every size, (replicates, sizes), from residuals pooled over the sizes."""
    if not deviation.all():
        return np.zeros((REPLICATES, len(values)))
    several = [(found, sd) for found, sd in zip(values, deviation, strict=True) if len(found) > 1]
    # A residual about the mean of R draws is too small by sqrt((R - 1)/R).
    pool = np.concatenate(
        [(found - found.mean()) / sd * np.sqrt(len(found) / (len(found) - 1)) for found, sd in several]
    )
    return np.column_stack(
        [
            sd * rng.choice(pool, (REPLICATES, len(found))).mean(axis=1)
            for found, sd in zip(values, deviation, strict=True)
        ]
    )


def _decline(law: str, rates: Floats, n: Floats, first: float) -> Floats:
    """What is left of the distance to the asymptote, 1 at the first size: (curves, rates, sizes)."""
    steps = np.log(n / first) if law == "pow3" else (n - first) / first
    left: Floats = np.exp(-rates[:, :, None] * steps)
    return left


def _predict(law: str, n: Floats, means: Floats, weights: Floats, targets: Floats, ceiling: float) -> Floats:
    """The law fitted to each row of ``means`` (curves, sizes), read at ``targets``: (curves, targets).

    For a given rate the best a and b have a closed form (variable projection, Golub and Pereyra 1973), so
    the rate alone is searched: 31 values, then three times 31 around the best. It needs no start and
    finds the best rate over the whole range.
    """
    share = weights / weights.sum()
    ends = np.log([0.02, 4.0] if law == "pow3" else [0.05 * n[0] / n[-1], 4.0])
    centre = np.full((len(means), 1), ends.mean())
    width = float(ends[1] - ends[0]) / 2
    every = np.arange(len(means))
    for _ in range(_ROUNDS):
        logs = np.clip(centre + width * np.linspace(-1, 1, _RATES), *ends)
        left = _decline(law, np.exp(logs), n, n[0])
        a, b = _asymptote_and_drop(left, means, share, ceiling)
        lost = np.square(means[:, None, :] - a[:, :, None] + b[:, :, None] * left) @ share
        best = np.argmin(lost, axis=1)
        centre = logs[every, best][:, None]
        width *= 2 / (_RATES - 1)
    ahead = _decline(law, np.exp(centre), targets, n[0])[:, 0]
    read: Floats = a[every, best][:, None] - b[every, best][:, None] * ahead
    return read


def _asymptote_and_drop(left: Floats, means: Floats, share: Floats, ceiling: float) -> tuple[Floats, Floats]:
    """Least squares of means = a - b left with b >= 0 and a <= ceiling, for every curve and rate.

    The problem is convex and the means lie below the ceiling, so that at most one of the two limits binds.
    """
    middle = (means @ share)[:, None]
    centre = left @ share
    spread = np.square(left - centre[:, :, None]) @ share
    shared = np.einsum("kcj,kj,j->kc", left - centre[:, :, None], means - middle, share)
    b = np.maximum(0.0, -shared / np.maximum(spread, 1e-300))
    a = middle + b * centre
    if np.isfinite(ceiling):
        at_ceiling = np.einsum("kcj,kj,j->kc", left, ceiling - means, share) / (np.square(left) @ share)
        b = np.where(a > ceiling, at_ceiling, b)
        a = np.minimum(a, ceiling)
    return a, b
