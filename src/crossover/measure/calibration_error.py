"""Calibration errors of one probability by equal-mass bins: plain, debiased, and with the bins swept.

Each takes (n,) probabilities and (n,) outcomes of 0 and 1, or (n, S) for S sets of outcomes at
once, and gives a value for each set. The plain and the swept error are above 0 for a perfectly
calibrated model: judge them against :mod:`crossover.measure.calibration_null`, never alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossover.measure.calibration_bins import BinnedOutcomes, EqualMassBins, bin_starts, check_event

BINS = 15
MOST_SWEPT = 100
"""The sweep tries no more bins than this."""


def equal_mass_error(
    probability: NDArray[np.float64], outcomes: NDArray[np.float64], bins: int = BINS
) -> NDArray[np.float64]:
    """Expected calibration error (L1) over equal-mass bins (Naeini et al. 2015; Nguyen and O'Connor 2015)."""
    check_event(probability, outcomes)
    return BinnedOutcomes.of(EqualMassBins.of(probability, bins), outcomes.astype(np.float64)).absolute_error


def debiased_square(
    probability: NDArray[np.float64], outcomes: NDArray[np.float64], bins: int = BINS
) -> NDArray[np.float64]:
    """Squared calibration error (L2) over equal-mass bins, debiased: under calibration its mean is 0.

    It may be below 0. Sum over bins of n_b/n (r_b^2 - s_b^2/n_b), r_b and s_b^2 the mean and the
    variance of outcome less probability (Broecker 2012; Kumar, Liang and Ma 2019). Kumar's variance
    is that of the outcome alone, which also counts the spread of the probabilities within a bin;
    the two are equal where a bin holds one probability, and this one needs no such bins.
    """
    check_event(probability, outcomes)
    return BinnedOutcomes.of(EqualMassBins.of(probability, bins), outcomes.astype(np.float64)).debiased_square


def sweep_error(probability: NDArray[np.float64], outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """ECE-sweep (L1): as many equal-mass bins as leave their frequencies ascending (Roelofs et al. 2022).

    The number of bins is raised from 1 until a frequency first falls below that of the bin before
    (or to :data:`MOST_SWEPT`); the error is that of the last number before.
    """
    check_event(probability, outcomes)
    order = np.argsort(probability, kind="stable")
    p = probability[order]
    single = outcomes.ndim == 1
    sets = (outcomes[:, None] if single else outcomes)[order]
    hits = np.concatenate([np.zeros((1, sets.shape[1])), np.cumsum(sets, axis=0, dtype=np.float64)])
    promised = np.concatenate([[0.0], np.cumsum(p)])
    rows = len(p)
    error = np.abs(hits[-1] - promised[-1]) / rows
    rising = np.arange(sets.shape[1])
    tried = 1
    for bins in range(2, min(MOST_SWEPT, rows) + 1):
        edges = np.append(bin_starts(p, bins), rows)
        if len(edges) == tried:  # ties: no more bins than before
            continue
        tried = len(edges)
        n = np.diff(edges)[:, None]
        inside = np.diff(hits[np.ix_(edges, rising)], axis=0)
        kept = (np.diff(inside / n, axis=0) >= 0.0).all(axis=0)
        rising = rising[kept]
        if not len(rising):
            break
        gap = np.abs(inside[:, kept] - np.diff(promised[edges])[:, None])
        error[rising] = gap.sum(axis=0) / rows
    found: NDArray[np.float64] = error[0] if single else error
    return found
