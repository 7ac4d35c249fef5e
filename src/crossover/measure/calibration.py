"""Calibration of class probabilities: every measure of it with its value under perfect calibration.

Give test rows only, none that a model or a recalibration was fitted or selected on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.measure.calibration_diagram import ReliabilityDiagram, diagram_of
from crossover.measure.calibration_error import BINS
from crossover.measure.calibration_null import (
    SIMULATIONS,
    CalibrationScore,
    check_probabilities,
    null_p,
    null_score,
    observed_and_simulated,
    one_row_a_cluster,
)
from crossover.measure.calibration_risk_coverage import RiskPoint, aurc, risk_coverage_curve
from crossover.measure.calibration_sums import DECOMPOSITION, Errors, Losses, Values, statistic_of
from crossover.measure.interval import Statistic, Units, bootstrap, normal, t_quantile
from crossover.measure.metric.brier import Brier
from crossover.measure.metric.log_loss import LogLoss
from crossover.measure.score import Score
from crossover.measure.scoring import mean_error

FEWEST_ROWS = 20
"""With fewer independent rows nothing is said of calibration."""
PLAIN_ERRORS = ("top_label_ece", "class_wise_ece", "ece_sweep", "smooth_ece")
ROOT_ERRORS = ("top_label_l2", "class_wise_l2")
SCORES = (
    "top_label_ece",
    "class_wise_ece",
    *ROOT_ERRORS,
    "ece_sweep",
    "smooth_ece",
    "brier",
    "log_loss",
    "aurc",
)
_NO_INTERVAL = "no interval: a plain error is biased upwards near 0; read it against the null band"


@dataclass(frozen=True)
class Calibration:
    """How well the probabilities of ``rows`` rows keep their word.

    ``scores`` has :data:`SCORES`: expected calibration errors (``top_label``: of the largest
    probability; ``class_wise``: mean over classes), L1 and debiased L2, with swept bins and smooth,
    then Brier score, log loss and area under the risk-coverage curve. ``decomposition`` has
    :data:`DECOMPOSITION`. ``diagrams``: "top_label" and "class/0", "class/1", ... by column.
    Errors, decomposition and diagrams rest on ``independent_rows``, one of each cluster.
    """

    rows: int
    independent_rows: int
    scores: dict[str, CalibrationScore]
    decomposition: dict[str, CalibrationScore]
    diagrams: dict[str, ReliabilityDiagram]
    risk_coverage: list[RiskPoint]

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "rows": self.rows,
            "independent_rows": self.independent_rows,
            "scores": {name: score.to_json() for name, score in self.scores.items()},
            "decomposition": {name: score.to_json() for name, score in self.decomposition.items()},
            "diagrams": {name: diagram.to_json() for name, diagram in self.diagrams.items()},
            "risk_coverage": [point.to_json() for point in self.risk_coverage],
        }


def measure_calibration(
    probabilities: NDArray[np.float64],
    gold: NDArray[np.int64],
    clusters: NDArray[np.int64] | None = None,
    *,
    bins: int = BINS,
    simulations: int = SIMULATIONS,
    seed: int = 0,
    level: float = 0.95,
) -> Calibration:
    """Every measure of the calibration of (rows, classes) probabilities against (rows,) gold columns.

    Each stands beside its value under perfect calibration: labels drawn from these very
    probabilities, ``simulations`` times. Brier, log loss and the risk-coverage curve use all rows,
    with intervals over clusters where given (a BCa bootstrap, as in
    :func:`~crossover.measure.scoring.score_all`); the rest needs independent rows and takes one of
    each cluster. Deterministic, whatever the order of rows.

    Raises:
        BadInput: no probabilities, or a gold column that is none of theirs.
    """
    check_probabilities(probabilities, gold)
    if bins < 1 or simulations < 1:
        raise BadInput(f"bins={bins}, simulations={simulations}; expected at least 1 of each")
    keys = [gold, *probabilities.T] if clusters is None else [clusters, gold, *probabilities.T]
    order = np.lexsort(keys)
    p, y = probabilities[order], gold[order]
    groups = None if clusters is None else clusters[order]
    alone = np.arange(len(y)) if groups is None else one_row_a_cluster(groups, seed)
    if len(alone) < FEWEST_ROWS:
        return _too_few(len(y), len(alone), level)
    errors, losses = Errors.of(p[alone], bins), Losses.of(p)
    if groups is None:  # one set of simulated labels serves both
        found = observed_and_simulated(p, y, statistic_of(p, [errors, losses]), simulations, seed)
    else:
        found = observed_and_simulated(
            p[alone], y[alone], statistic_of(p[alone], [errors]), simulations, seed
        )
        found |= observed_and_simulated(p, y, statistic_of(p, [losses]), simulations, seed, groups)
    without = errors.without_each_row(p[alone], y[alone])
    scores = _error_scores(found, without, level) | _loss_scores(found, p, y, groups, level)
    diagrams = {
        name: diagram_of(view, found[f"frequency/{name}"], bins, level) for name, view in errors.views.items()
    }
    return Calibration(
        len(y),
        len(alone),
        {name: scores[name] for name in SCORES},
        _decomposition(found, without, np.bincount(y[alone], minlength=p.shape[1]), level),
        diagrams,
        risk_coverage_curve(p.max(axis=1), p.argmax(axis=1) != y, groups, level=level),
    )


def recalibration_gains(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    gold: NDArray[np.int64],
    clusters: NDArray[np.int64] | None = None,
    level: float = 0.95,
) -> dict[str, Score]:
    """After less before, in "brier", "log_loss" and "accuracy": means of paired differences a row.

    t intervals over rows or clusters; for the first two below 0 is better. The recalibration is
    taken as it is: what another calibrate half would have given is not in the interval.
    """
    check_probabilities(before, gold)
    check_probabilities(after, gold)
    right = [(p.argmax(axis=1) == gold).astype(np.float64) for p in (before, after)]
    differences = {
        "brier": Brier().row_values(gold, after) - Brier().row_values(gold, before),
        "log_loss": LogLoss().row_values(gold, after) - LogLoss().row_values(gold, before),
        "accuracy": right[1] - right[0],
    }
    gains = {}
    for name, difference in differences.items():
        if not len(gold):
            gains[name] = Score(name, None, None, None, 0, "undefined: no such rows", level)
            continue
        error, units = mean_error(difference, clusters)
        kind = "paired by row" if clusters is None else "paired by row, over clusters"
        gains[name] = normal(name, float(difference.mean()), error, units, kind, level=level)
    return gains


def _error_scores(found: Values, without: Values, level: float) -> dict[str, CalibrationScore]:
    scores, n = {}, len(without["reliability"])
    for name in PLAIN_ERRORS:
        value, simulated = float(found[name][0]), found[name][1:]
        plain = Score(name, value, None, None, n, _NO_INTERVAL, level)
        scores[name] = null_score(plain, simulated, p_value=null_p(value, simulated))
    for name in ROOT_ERRORS:
        square, simulated = float(found[name][0]), found[name][1:]
        p_value = null_p(square, simulated)
        low, high, method = _root_interval(square, without[name], p_value, level)
        scores[name] = null_score(
            Score(name, _root(square), low, high, n, method, level),
            np.sqrt(np.maximum(simulated, 0.0)),
            p_value=p_value,
            debiased_square=square,
        )
    return scores


def _root_interval(
    square: float, without: NDArray[np.float64], p_value: float, level: float
) -> tuple[float | None, float | None, str]:
    """Limits of the root of a debiased square that is told apart from 0, else none and why.

    Near 0 the square is no normal variable and any such interval covers too little; its root,
    by the delta method, is one once the square exceeds its own reach.
    """
    reach = t_quantile(level, len(without) - 1) * _jackknife_error(without)
    if p_value > 1.0 - level or square <= reach:
        return None, None, "no interval: not told apart from 0; read it against the null band"
    half = reach / (2.0 * math.sqrt(square))
    return _root(square) - half, _root(square) + half, "t interval of the root, jackknife over rows"


def _loss_scores(
    found: Values,
    p: NDArray[np.float64],
    gold: NDArray[np.int64],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> dict[str, CalibrationScore]:
    rows = np.column_stack([Brier().row_values(gold, p), LogLoss().row_values(gold, p), np.ones(len(gold))])
    units = Units.of_rows(rows, clusters)
    observed = {
        "brier": bootstrap("brier", units, _mean_of(0), Brier.bounds, level),
        "log_loss": bootstrap("log_loss", units, _mean_of(1), LogLoss.bounds, level),
        "aurc": aurc(p.max(axis=1), p.argmax(axis=1) != gold, clusters, level),
    }
    return {
        name: null_score(
            score,
            found[name][1:],
            two_sided=True,
            p_value=null_p(float(found[name][0]), found[name][1:], two_sided=True),
        )
        for name, score in observed.items()
    }


def _mean_of(column: int) -> Statistic:
    def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = sums[..., column] / sums[..., -1]
        return means

    return mean


def _decomposition(
    found: Values, without: Values, counts: NDArray[np.int64], level: float
) -> dict[str, CalibrationScore]:
    """Brier score = reliability - resolution + uncertainty + remainder, each summed over classes."""
    parts, n = {}, len(without["reliability"])
    for name in DECOMPOSITION:
        value, simulated = float(found[name][0]), found[name][1:]
        if name == "reliability":
            p_value = null_p(value, simulated)
            low, high, method = _root_interval(value, without[name], p_value, level)
            limits = (None if low is None else low * low, None if high is None else high * high)
            score = Score(name, value, *limits, n, method, level)
            parts[name] = null_score(score, simulated, p_value=p_value, debiased_square=value)
            continue
        if name == "uncertainty":
            score = _uncertainty(value, counts, level)
        else:
            error = _jackknife_error(without[name])
            score = normal(name, value, error, n, "jackknife over rows", level=level)
        parts[name] = null_score(score, simulated, two_sided=True)
    return parts


def _uncertainty(value: float, counts: NDArray[np.int64], level: float) -> Score:
    """Interval over the (classes,) counts by the percentile bootstrap.

    Balanced classes have the greatest uncertainty there is; the jackknife and BCa know no spread there.
    """

    def spread(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        n = sums.sum(axis=-1)
        variance: NDArray[np.float64] = (sums * (n[..., None] - sums)).sum(axis=-1) / (n * (n - 1.0))
        return variance

    units = Units(np.eye(len(counts))[counts > 0], counts[counts > 0])
    score = bootstrap("uncertainty", units, spread, level=level, kind="percentile")
    if score.low is None or score.high is None:
        return replace(score, value=value)
    return replace(score, value=value, low=min(score.low, value), high=max(score.high, value))


def _jackknife_error(without: NDArray[np.float64]) -> float:
    n = len(without)
    return math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))


def _root(square: float) -> float:
    return math.sqrt(max(0.0, square))


def _too_few(rows: int, independent: int, level: float) -> Calibration:
    reason = f"{independent} independent rows; calibration needs at least {FEWEST_ROWS}"
    said = {
        name: CalibrationScore(Score(name, None, None, None, independent, reason, level))
        for name in (*SCORES, *DECOMPOSITION)
    }
    scores = {name: said[name] for name in SCORES}
    return Calibration(rows, independent, scores, {name: said[name] for name in DECOMPOSITION}, {}, [])
