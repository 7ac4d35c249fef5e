"""Perfect calibration, simulated: what a score would be were every label drawn from its probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.measure.score import Score

SIMULATIONS = 999
LARGEST_SUM_ERROR = 1e-4
"""Rows of probabilities may sum to 1 within this (they are stored by float32 models too)."""
_BLOCK = 2_000_000
_MANY_CLASSES = 16

Statistic = Callable[[NDArray[np.int16]], dict[str, NDArray[np.float64]]]
"""(rows, s) labels to arrays whose last axis is s."""


@dataclass(frozen=True)
class CalibrationScore:
    """A score beside what it would be were the model perfectly calibrated on these rows.

    ``null_mean`` and [``null_low``, ``null_high``] are the mean and the ``score.level`` band over
    simulated labels y* ~ Categorical(p) (see :func:`null_score`); ``p_value`` is (1 + b)/(B + 1),
    b of B simulations being at least as extreme: exact for independent rows. A plain calibration
    error cannot be 0 on finitely many rows and has no honest bootstrap interval near 0: read it
    against the band. ``debiased_square`` is the unbiased squared error where there is one, and may
    be below 0.
    """

    score: Score
    null_mean: float | None = None
    null_low: float | None = None
    null_high: float | None = None
    p_value: float | None = None
    debiased_square: float | None = None

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, the score's beside the others."""
        plain = asdict(self)
        return {**plain.pop("score"), **plain}


def check_probabilities(probabilities: NDArray[np.float64], gold: NDArray[np.int64] | None = None) -> None:
    """Refuse what is not (rows, classes) probabilities with a gold column number a row.

    Raises:
        BadInput: naming the row (counted from 0) and what is wrong with it.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise BadInput(
            f"probabilities of shape {probabilities.shape}; expected (rows, classes), at least 2 classes"
        )
    wrong = ~np.isfinite(probabilities).all(axis=1) | (probabilities < 0.0).any(axis=1)
    wrong |= ~(np.abs(probabilities.sum(axis=1) - 1.0) <= LARGEST_SUM_ERROR)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadInput(
            f"row {row}: {probabilities[row].tolist()} are no probabilities; expected finite values of at "
            f"least 0 that sum to 1 within {LARGEST_SUM_ERROR:g}"
        )
    if gold is None:
        return
    if gold.shape != probabilities.shape[:1]:
        raise BadInput(
            f"{len(gold)} gold labels for {len(probabilities)} rows of probabilities; expected one each"
        )
    outside = (gold < 0) | (gold >= probabilities.shape[1])
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise BadInput(
            f"row {row}: gold column {int(gold[row])}; expected 0 to {probabilities.shape[1] - 1}, "
            "the columns of the probabilities"
        )


def one_row_a_cluster(clusters: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """Ascending positions of one row of each cluster, drawn at random by ``seed``."""
    order = np.random.default_rng(seed).permutation(len(clusters))
    _, first = np.unique(clusters[order], return_index=True)
    return np.sort(order[first]).astype(np.int64)


def simulate_labels(
    probabilities: NDArray[np.float64],
    simulations: int,
    generator: np.random.Generator,
    clusters: NDArray[np.int64] | None = None,
) -> NDArray[np.int16]:
    """(rows, simulations) labels y* ~ Categorical(p), each row from its own (rows, classes) probabilities.

    The rows of a cluster share one uniform number a simulation, so that copies of a text get the
    same label: the strongest dependence that leaves each row its probabilities. A class of
    probability 0 is never drawn.
    """
    cumulative = np.cumsum(probabilities, axis=1)
    if clusters is None:
        uniform = generator.random((len(probabilities), simulations))
    else:
        _, number = np.unique(clusters, return_inverse=True)
        uniform = generator.random((int(number.max(initial=-1)) + 1, simulations))[number]
    uniform *= cumulative[:, -1:]
    labels = np.zeros(uniform.shape, dtype=np.int16)
    if probabilities.shape[1] > _MANY_CLASSES:
        for row, (edges, drawn) in enumerate(zip(cumulative[:, :-1], uniform, strict=True)):
            labels[row] = np.searchsorted(edges, drawn, side="right")
    else:
        for k in range(probabilities.shape[1] - 1):
            labels += uniform >= cumulative[:, k, None]
    return labels


def observed_and_simulated(
    probabilities: NDArray[np.float64],
    gold: NDArray[np.int64],
    statistic: Statistic,
    simulations: int = SIMULATIONS,
    seed: int = 0,
    clusters: NDArray[np.int64] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """The statistic of the gold labels (position 0 of the last axis), then of each set of simulated ones.

    Both go through the same arithmetic, so that a simulated value equal to the observed one
    compares as equal. Works in blocks of simulations: memory does not grow with their number.
    """
    generator = np.random.default_rng(seed)
    size = max(1, min(simulations, _BLOCK // max(1, len(gold))))
    blocks = []
    for start in range(0, simulations, size):
        labels = simulate_labels(probabilities, min(size, simulations - start), generator, clusters)
        if not start:
            labels = np.concatenate([gold[:, None].astype(np.int16), labels], axis=1)
        blocks.append(statistic(labels))
    return {name: np.concatenate([block[name] for block in blocks], axis=-1) for name in blocks[0]}


def null_score(
    observed: Score,
    simulated: NDArray[np.float64],
    *,
    two_sided: bool = False,
    p_value: float | None = None,
    debiased_square: float | None = None,
) -> CalibrationScore:
    """A score beside the (S,) values of its kind simulated under perfect calibration.

    One-sided (errors, which are only ever too large) the band runs from the least simulated value
    to the quantile at the level, two-sided it is the central one. ``p_value`` is that of
    :func:`null_p`, where there is one to state.
    """
    if observed.value is None:
        return CalibrationScore(observed)
    tail = (1.0 - observed.level) / 2.0
    low, high = np.quantile(simulated, (tail, 1.0 - tail) if two_sided else (0.0, observed.level))
    return CalibrationScore(
        observed, float(simulated.mean()), float(low), float(high), p_value, debiased_square
    )


def null_p(value: float, simulated: NDArray[np.float64], two_sided: bool = False) -> float:
    """(1 + b)/(B + 1) for b of B simulated values at or above ``value``.

    Two-sided: twice the smaller tail, at most 1.
    """
    above = (1 + int((simulated >= value).sum())) / (len(simulated) + 1)
    if not two_sided:
        return above
    below = (1 + int((simulated <= value).sum())) / (len(simulated) + 1)
    return min(1.0, 2.0 * min(above, below))
