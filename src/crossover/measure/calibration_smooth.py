"""Smooth calibration error (Blasiok and Nakkiran 2023): no bins, but a kernel as wide as the error itself."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from crossover.measure.calibration_bins import check_event

CELLS = 512
"""Cells of the grid on [0, 1]; widths under one cell are not told apart."""
_STEPS = 12
_CLOSE = 1e-4


def smooth_error(probability: NDArray[np.float64], outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """smECE of (n,) probabilities and (n,) or (n, S) outcomes of 0 and 1: a value, or S of them.

    E_s is the integral over [0, 1] of \\|mean_i (outcome_i - p_i) K_s(t, p_i)\\|, K_s the Gaussian
    kernel of width s reflected at 0 and 1; smECE is the s with E_s = s, which is unique since E_s
    falls as s grows. The residuals are laid on a grid of :data:`CELLS` cells, each shared by the
    two nearest cells; there the reflected kernel is a product of cosine coefficients. Where E_s is
    below s already at s = 1/CELLS, E_s itself is given.
    """
    check_event(probability, outcomes)
    single = outcomes.ndim == 1
    sets = (outcomes[:, None] if single else outcomes).astype(np.float64)
    spread = _onto_grid(probability)
    residual = np.asarray(spread @ sets) - np.asarray(spread @ probability)[:, None]
    coefficients = fft.dct(np.ascontiguousarray(residual.T) / len(probability), type=2, axis=1)
    found = _where_error_equals_width(coefficients)
    return found[0] if single else found


def error_at_width(coefficients: NDArray[np.float64], width: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) E_s for (S, cells) cosine coefficients of the residuals and (S,) widths."""
    frequency = np.pi * np.arange(coefficients.shape[1])
    damped = coefficients * np.exp(-0.5 * (width[:, None] * frequency) ** 2)
    total: NDArray[np.float64] = np.abs(fft.idct(damped, type=2, axis=1, overwrite_x=True)).sum(axis=1)
    return total


def _onto_grid(probability: NDArray[np.float64]) -> sparse.csr_array:
    """(cells, n) weights: a row's two nearest cell centres, by nearness; beyond the outermost centres one."""
    at = np.clip(probability * CELLS - 0.5, 0.0, CELLS - 1.0)
    left = np.minimum(at.astype(np.int64), CELLS - 2)
    share = at - left
    rows = np.arange(len(probability))
    return sparse.csr_array(
        (
            np.concatenate([1.0 - share, share]),
            (np.concatenate([left, left + 1]), np.concatenate([rows, rows])),
        ),
        shape=(CELLS, len(probability)),
    )


def _where_error_equals_width(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root of ln E_s - ln s by a secant kept in a bracket; its slope in ln s is never above -1."""
    sets = len(coefficients)
    low, high = np.full(sets, -math.log(CELLS)), np.zeros(sets)
    error = error_at_width(coefficients, np.exp(low))
    result = error.copy()
    open_ = np.flatnonzero(error > np.exp(low))  # elsewhere the grid's finest width is already too wide
    at, lacking = low[open_], np.log(error[open_]) - low[open_]
    low, high, slope = low[open_], high[open_], np.full(len(open_), -1.5)
    for _ in range(_STEPS):
        if not len(open_):
            break
        to = at - lacking / slope
        to = np.where((to > low) & (to < high), to, 0.5 * (low + high))
        error = error_at_width(coefficients[open_], np.exp(to))
        result[open_] = error
        now = np.log(np.maximum(error, 1e-300)) - to
        moved = to - at
        slope = np.minimum(np.divide(now - lacking, moved, out=slope.copy(), where=moved != 0.0), -1.0)
        low, high = np.where(now > 0.0, to, low), np.where(now > 0.0, high, to)
        more = np.abs(now) > _CLOSE
        open_, at, lacking, slope, low, high = (part[more] for part in (open_, to, now, slope, low, high))
    return result
