"""The smooth map that the bump test takes as given: beta calibration, in its form for any number of classes.

g(p)_k is proportional to exp(a_k ln p_k + b_k). For two classes this is beta calibration (Kull, Silva Filho
and Flach 2017); for more it is Dirichlet calibration with a diagonal matrix (Kull et al. 2019), also known
as vector scaling on log-probabilities. It can bend and shift each class's reliability curve as a whole, and
cannot follow a bump. Unlike one map a class it gives a distribution over classes, from which labels can be
simulated. A weak normal prior around the identity keeps it defined where classes are separated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.integer]

CLIP = 1e-12
"""Probabilities below count as this before logarithms."""
PRIOR_SD = 1.0
"""Standard deviation of the prior of each a_k around 1 and each b_k around 0."""
STEPS = 50
BLOCK = 2_000_000
"""Numbers of one simulated block: rows x classes x simulations."""
CHORD_STEPS = 12
CLOSE = 1e-3
"""A simulated fit is done when a step would raise its log posterior by less: .04 standard errors."""


@dataclass(frozen=True, eq=False)
class BetaMap:
    """Slopes a (K,) and offsets b (K,)."""

    slopes: Array
    offsets: Array

    def __call__(self, probabilities: Array) -> Array:
        """(n, K) mapped probabilities; rows sum to 1."""
        mapped: Array = softmax(np.log(np.maximum(probabilities, CLIP)) * self.slopes + self.offsets)
        return mapped

    def gradients(self, probabilities: Array) -> Iterator[Array]:
        """For each class k the derivatives (n, 2K) of g(p)_k by the slopes, then by the offsets."""
        logs, shares = np.log(np.maximum(probabilities, CLIP)), self(probabilities)
        for k in range(shares.shape[1]):
            by_offset = -shares[:, [k]] * shares
            by_offset[:, k] += shares[:, k]
            yield np.concatenate([by_offset * logs, by_offset], axis=1)

    def error(self, probabilities: Array) -> Array:
        """(2K, 2K) root of the covariance of slopes and offsets fitted on rows of these probabilities."""
        logs = np.log(np.maximum(probabilities, CLIP))
        root: Array = np.linalg.cholesky(np.linalg.inv(_information(logs, self(probabilities))))
        return root


def softmax(logits: Array) -> Array:
    """Rows of probabilities of (n, K) log-odds."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = raised / raised.sum(axis=1, keepdims=True)
    return shares


def fit_map(probabilities: Array, gold: Labels, start: BetaMap | None = None) -> BetaMap:
    """The map of highest posterior density for (n, K) probabilities and (n,) gold columns."""
    logs, classes = np.log(np.maximum(probabilities, CLIP)), probabilities.shape[1]
    weights = np.concatenate([np.ones(classes), np.zeros(classes)])
    if start is not None:
        weights = np.concatenate([start.slopes, start.offsets])
    value = _log_posterior(logs, gold, weights)
    for _ in range(STEPS):
        shares = softmax(logs * weights[:classes] + weights[classes:])
        gradient = _gradient(logs, gold, shares, weights)
        step = np.linalg.solve(_information(logs, shares), gradient)
        gain, length = float(gradient @ step), 1.0
        if gain < 1e-8:
            break
        while (new := _log_posterior(logs, gold, weights + length * step)) < value and length > 1e-6:
            length /= 2.0
        weights, value = weights + length * step, new
    return BetaMap(weights[:classes], weights[classes:])


def _log_posterior(logs: Array, gold: Labels, weights: Array) -> float:
    classes = logs.shape[1]
    logits = logs * weights[:classes] + weights[classes:]
    top = logits.max(axis=1)
    norm = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    prior = np.concatenate([weights[:classes] - 1.0, weights[classes:]]) / PRIOR_SD
    return float((logits[np.arange(len(gold)), gold] - norm).sum() - 0.5 * prior @ prior)


def _gradient(logs: Array, gold: Labels, shares: Array, weights: Array) -> Array:
    classes = logs.shape[1]
    residual = -shares
    residual[np.arange(len(gold)), gold] += 1.0
    prior = np.concatenate([weights[:classes] - 1.0, weights[classes:]]) / PRIOR_SD**2
    slope: Array = np.concatenate([(logs * residual).sum(axis=0), residual.sum(axis=0)]) - prior
    return slope


def _information(logs: Array, shares: Array) -> Array:
    """(2K, 2K) negative second derivative of the log posterior."""
    weighted = logs * shares
    blocks = [
        [np.diag((weighted * logs).sum(axis=0)) - weighted.T @ weighted,
         np.diag(weighted.sum(axis=0)) - weighted.T @ shares],
        [np.diag(weighted.sum(axis=0)) - shares.T @ weighted,
         np.diag(shares.sum(axis=0)) - shares.T @ shares],
    ]  # fmt: skip
    found: Array = np.block(blocks) + np.eye(2 * logs.shape[1]) / PRIOR_SD**2
    return found


def refit(probabilities: Array, labels: Labels, fitted: BetaMap) -> tuple[Array, Array]:
    """Slopes and offsets (S, K) of maps fitted to S columns of labels (n, S) that were drawn from ``fitted``.

    All columns at once, with the second derivative at ``fitted`` held (chord method); a column that is not
    done after a few steps is fitted by itself.
    """
    logs, classes, sets = np.log(np.maximum(probabilities, CLIP)), probabilities.shape[1], labels.shape[1]
    whole = np.linalg.inv(_information(logs, fitted(probabilities)))
    slopes, offsets = np.tile(fitted.slopes, (sets, 1)), np.tile(fitted.offsets, (sets, 1))
    for start in range(0, sets, block := _block(*probabilities.shape)):
        some = slice(start, start + block)
        members = [(labels[:, some] == k).astype(np.float64) for k in range(classes)]
        given = np.array([logs[:, k] @ members[k] for k in range(classes)]
                         + [members[k].sum(axis=0) for k in range(classes)])  # fmt: skip
        a, b = slopes[some].T.copy(), offsets[some].T.copy()
        for _ in range(CHORD_STEPS):
            shares = list(_shares(logs, a, b))
            said = np.array([logs[:, k] @ shares[k] for k in range(classes)]
                            + [shares[k].sum(axis=0) for k in range(classes)])  # fmt: skip
            gradient = given - said - np.concatenate([a - 1.0, b]) / PRIOR_SD**2
            step = whole @ gradient
            a, b = a + step[:classes], b + step[classes:]
            open_ = (gradient * step).sum(axis=0) > CLOSE
            if not open_.any():
                break
        slopes[some], offsets[some] = a.T, b.T
        for column in np.flatnonzero(open_):
            alone = fit_map(probabilities, labels[:, start + column], fitted)
            slopes[start + column], offsets[start + column] = alone.slopes, alone.offsets
    return slopes, offsets


def mapped_blocks(probabilities: Array, slopes: Array, offsets: Array) -> Iterator[tuple[slice, list[Array]]]:
    """(simulations of the block, a list of K arrays (n, block)) under each of S maps (S, K)."""
    logs = np.log(np.maximum(probabilities, CLIP))
    for start in range(0, len(slopes), block := _block(*probabilities.shape)):
        some = slice(start, start + block)
        yield some, list(_shares(logs, slopes[some].T, offsets[some].T))


def _shares(logs: Array, a: Array, b: Array) -> Iterator[Array]:
    """K arrays (n, S) of probabilities of (n, K) logs under S maps (K, S)."""
    logits = [np.multiply.outer(logs[:, k], a[k]) + b[k] for k in range(logs.shape[1])]
    top = logits[0].copy()
    for one in logits[1:]:
        np.maximum(top, one, out=top)
    raised = [np.exp(np.subtract(one, top, out=one), out=one) for one in logits]
    total = raised[0].copy()
    for one in raised[1:]:
        total += one
    for one in raised:
        yield np.divide(one, total, out=one)


def _block(rows: int, classes: int) -> int:
    return max(1, BLOCK // (rows * classes))
