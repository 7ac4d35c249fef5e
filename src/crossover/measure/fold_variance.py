"""Fold variance: how far the error moves with the training set and the seed, against a target error.

The fold models of one k-fold partition are scored on the same rows, so that which rows happen to be
scored is common to all of them. What is left of a fold's mean after the model itself is the chance
of its row outcomes given the model, the binomial noise; in the crossed layout of models and rows it
is the residual mean square, and it is subtracted. (p(1 - p)/m would subtract too much: it also holds
how hard the rows are, which on common rows is the same for every model.)

Two fold models of a k-fold partition share (k - 2)/(k - 1) of their training rows, so for a score
that is linear in the rows their variance is 1/(k - 1) of that of independent training sets of their
size. The training part of the variance is scaled back by k - 1, as the delete-a-group jackknife does
(Shao and Wu, Annals of Statistics 17, 1989); the seed's part is independent already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.measure.two_way import paired_mean, unit_values

Floats = NDArray[np.float64]

FEWEST_DEGREES = 4
"""Below so many degrees of freedom no limit of a standard deviation is given (methods.md 2)."""


@dataclass(frozen=True)
class FoldSpread:
    """What the fold models' errors on common rows say.

    ``error`` with ``error_low`` and ``error_high``: mean over folds and seeds, its interval over fresh
    rows given these models. ``sd`` is the standard deviation over fresh training sets of the
    folds' size and fresh seeds, ``low`` and ``high`` its limits; None below :data:`FEWEST_DEGREES`.
    ``training`` and ``seed`` are its two variance components, untruncated (an estimate may fall below
    0); with one seed a fold the two are not told apart and ``seed`` is None. ``raw_sd`` is the standard
    deviation of the folds' means as they stand, ``noise_sd`` the part of it that the rows' chance
    makes. ``folds`` of the ``partition``'s k enter; ``degrees`` are one fewer.
    """

    error: float
    error_low: float
    error_high: float
    sd: float
    low: float | None
    high: float | None
    training: float
    seed: float | None
    raw_sd: float
    noise_sd: float
    folds: int
    partition: int
    seeds: int
    units: int
    level: float = 0.95

    @property
    def degrees(self) -> int:
        """Degrees of freedom between folds."""
        return self.folds - 1


def sd_factors(degrees: int, level: float = 0.95) -> tuple[float, float]:
    """What a standard deviation on so many degrees of freedom is multiplied by for its two limits."""
    tail = (1 - level) / 2
    return (
        math.sqrt(degrees / float(special.chdtri(degrees, tail))),
        math.sqrt(degrees / float(special.chdtri(degrees, 1 - tail))),
    )


def fold_spread(
    errors: Floats,
    clusters: NDArray[np.int64] | None = None,
    partition: int | None = None,
    level: float = 0.95,
) -> FoldSpread:
    """Spread of fold models, S seeds each, on m common rows.

    Args:
        partition: k, how many folds the rows were cut into, where not all of them are here.
        errors: (folds, S, m) error of each row; jackknife pseudo-values where the score is no mean over rows.
        clusters: (m,) integer cluster of each row; clusters replace rows as units.
        level: coverage of either interval.

    The limits of the SD are those of a sum of mean squares with signs (Graybill and Wang 1980; Ting et al.
    1990). The upper one scales the training part by k - 1, which is right for a score linear in the rows; the
    lower one does not scale it, which is right where a few other rows act like another training set (a deep
    tree): together they hold for what lies between. The upper limit is not let fall below the noise taken
    off, scaled alike: folds whose means vary less than the rows' chance do not show an SD of 0.

    The error's interval is over fresh rows, given these models: the distance to the target that is to be
    explained is theirs, and what another training set or seed would do is the SD it is compared with.

    Raises:
        BadInput: values that are not finite, or fewer than 2 units.
    """
    k, seeds, m = errors.shape
    cut = partition or k
    units = unit_values(errors.reshape(k * seeds, m), clusters)
    cube = units.reshape(k, seeds, units.shape[1])
    squares = _mean_squares(cube)
    training, seed = _components(squares, cube.shape)
    noise = squares["rows_folds"][0] / (seeds * cube.shape[2]) if k > 1 else 0.0
    low = high = None
    if k - 1 >= FEWEST_DEGREES:
        low, high = _limits(squares, cube.shape, cut, level)
        high = max(high, math.sqrt((cut - 1) * noise))
    mean = paired_mean(errors.mean(axis=(0, 1))[None], 0.0, clusters)
    error_low, error_high = mean.interval(level)
    return FoldSpread(
        error=mean.mean, error_low=error_low, error_high=error_high,
        sd=math.sqrt(max((cut - 1) * training + (seed or 0.0), 0.0)), low=low, high=high,
        training=training, seed=seed, raw_sd=float(cube.mean(axis=(1, 2)).std(ddof=1)) if k > 1 else 0.0,
        noise_sd=math.sqrt(noise), folds=k, partition=cut, seeds=seeds, units=cube.shape[2], level=level,
    )  # fmt: skip


def _mean_squares(cube: Floats) -> dict[str, tuple[float, int]]:
    """(mean square, degrees of freedom) of folds, seeds in folds, and either crossed with rows."""
    k, seeds, m = cube.shape
    grand, row = cube.mean(), cube.mean(axis=(0, 1))
    fold, run = cube.mean(axis=(1, 2)), cube.mean(axis=2)
    found: dict[str, tuple[float, int]] = {}
    if k > 1:
        rest = cube.mean(axis=1) - fold[:, None] - row + grand
        df = (k - 1) * (m - 1)
        found["folds"] = float(m * seeds * ((fold - grand) ** 2).sum() / (k - 1)), k - 1
        found["rows_folds"] = float(seeds * (rest**2).sum() / df), df
    if seeds > 1:
        rest = cube - cube.mean(axis=1, keepdims=True) - run[:, :, None] + fold[:, None, None]
        df = k * (seeds - 1)
        found["seeds"] = float(m * ((run - fold[:, None]) ** 2).sum() / df), df
        found["rows_seeds"] = float((rest**2).sum() / (df * (m - 1))), df * (m - 1)
    return found


def _weights(shape: tuple[int, ...], scale: float) -> dict[str, float]:
    """Weights of the mean squares whose sum is scale * training + seed component, where told apart."""
    _, seeds, m = shape
    weights = {"folds": scale / (m * seeds), "rows_folds": -scale / (m * seeds)}
    if seeds > 1:
        weights["seeds"] = 1 / m - scale / (m * seeds)
        weights["rows_seeds"] = -weights["seeds"]
    return weights


def _components(squares: dict[str, tuple[float, int]], shape: tuple[int, ...]) -> tuple[float, float | None]:
    """Variance components of training rows and seed; untruncated."""
    _, seeds, m = shape
    seed = (squares["seeds"][0] - squares["rows_seeds"][0]) / m if seeds > 1 else None
    if "folds" not in squares:
        return 0.0, seed
    both = (squares["folds"][0] - squares["rows_folds"][0]) / (m * seeds)
    return both - (seed or 0.0) / seeds, seed


def _limits(
    squares: dict[str, tuple[float, int]], shape: tuple[int, ...], cut: int, level: float
) -> tuple[float, float]:
    low = _limit(squares, _weights(shape, 1.0), level, -1)
    high = _limit(squares, _weights(shape, cut - 1.0), level, +1)
    return math.sqrt(max(low, 0.0)), math.sqrt(max(high, 0.0))


def _limit(
    squares: dict[str, tuple[float, int]], weights: dict[str, float], level: float, side: int
) -> float:
    """One limit of sum(weight * expected mean square): modified large sample."""
    total = spread = 0.0
    for name, weight in weights.items():
        square, df = squares[name]
        low, high = (factor**2 for factor in sd_factors(df, level))
        reach = high - 1 if weight * side > 0 else 1 - low
        total += weight * square
        spread += (reach * weight * square) ** 2
    return total + side * math.sqrt(spread)


KINDS = ("target_met", "variance_does_not_matter", "variance_matters", "not_resolved", "insufficient")
"""What :func:`against_target` may answer."""


def against_target(spread: FoldSpread, target: float) -> str:
    """One of :data:`KINDS`.

    The distance to the target is (error - target), judged by the error's limits. Variance does not matter
    where the standard deviation's upper limit lies below the distance's lower limit; it matters where its
    lower limit lies above the distance's upper limit. Either claim uses two one-sided limits of 97.5%, so it
    is wrong in at most 5% of studies.
    """
    if spread.low is None or spread.high is None:
        return "insufficient"
    if spread.error_high <= target:
        return "target_met"
    if spread.high < spread.error_low - target:
        return "variance_does_not_matter"
    if spread.low > spread.error_high - target:
        return "variance_matters"
    return "not_resolved"


@dataclass(frozen=True)
class CorrectedMean:
    """Mean of k-fold errors; its corrected standard error and interval, and the uncorrected interval."""

    mean: float
    se: float
    low: float
    high: float
    plain_low: float
    plain_high: float
    folds: int


def nadeau_bengio(
    errors: Sequence[float], test_rows: float, train_rows: float, level: float = 0.95
) -> CorrectedMean | None:
    """Interval of the mean of k-fold errors with the corrected variance, s²(1/k + n_test/n_train).

    The plain variance s²/k takes the folds for independent; they share training rows. The correction is
    approximate: it takes the correlation of two folds for n_test/(n_test + n_train), and no unbiased
    estimator exists (Nadeau and Bengio, Machine Learning 52, 2003; Bengio and Grandvalet 2004).

    Returns None below two folds.
    """
    k = len(errors)
    if k < 2:
        return None
    mean, s = float(np.mean(errors)), float(np.std(errors, ddof=1))
    t = float(special.stdtrit(k - 1, (1 + level) / 2))
    se, plain = s * math.sqrt(1 / k + test_rows / train_rows), s / math.sqrt(k)
    return CorrectedMean(mean, se, mean - t * se, mean + t * se, mean - t * plain, mean + t * plain, k)
