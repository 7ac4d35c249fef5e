"""Calibration of class probabilities: every measure of it with its value under perfect calibration.

Give test rows only, none that a model or a recalibration was fitted or selected on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.measure.calibration_bins import BinnedOutcomes, EqualMassBins
from crossover.measure.calibration_diagram import ReliabilityDiagram, diagram_of
from crossover.measure.calibration_error import BINS, sweep_error
from crossover.measure.calibration_null import (
    SIMULATIONS,
    CalibrationScore,
    check_probabilities,
    null_p,
    null_score,
    observed_and_simulated,
    one_row_a_cluster,
)
from crossover.measure.calibration_risk_coverage import RiskPoint, aurc, rank_weights, risk_coverage_curve
from crossover.measure.calibration_smooth import smooth_error
from crossover.measure.interval import Units, bootstrap, normal
from crossover.measure.metric.brier import Brier
from crossover.measure.metric.log_loss import LEAST, LogLoss
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
DECOMPOSITION = ("reliability", "resolution", "uncertainty", "remainder")
_NO_INTERVAL = "no interval: a plain error is biased upwards near 0; read it against the null band"

Values = dict[str, NDArray[np.float64]]


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
    errors = _Errors.of(p[alone], bins)
    losses = _Losses.of(p)
    if groups is None:  # one set of simulated labels serves both
        found = observed_and_simulated(
            p, y, lambda drawn: {**errors(drawn), **losses(drawn)}, simulations, seed
        )
    else:
        found = observed_and_simulated(p[alone], y[alone], errors, simulations, seed)
        found |= observed_and_simulated(p, y, losses, simulations, seed, groups)
    scores = _error_scores(found, errors, y[alone], level) | _loss_scores(found, p, y, groups, level)
    diagrams = {
        name: diagram_of(view, found[f"frequency/{name}"], bins, level) for name, view in errors.views.items()
    }
    return Calibration(
        len(y),
        len(alone),
        {name: scores[name] for name in SCORES},
        _decomposition(found, errors, y[alone], level),
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


@dataclass(frozen=True, eq=False)
class _Errors:
    """The errors of one set of probabilities, for any number of sets of labels at once."""

    views: Mapping[str, EqualMassBins]
    predicted: NDArray[np.int64]

    @classmethod
    def of(cls, p: NDArray[np.float64], bins: int) -> _Errors:
        views = {"top_label": EqualMassBins.of(p.max(axis=1), bins)}
        views |= {f"class/{k}": EqualMassBins.of(p[:, k], bins) for k in range(p.shape[1])}
        return cls(views, p.argmax(axis=1))

    def outcomes(self, name: str, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Of the labels, (rows,) or (rows, s): 1 where what the view speaks of came true."""
        if name == "top_label":
            said = self.predicted if labels.ndim == 1 else self.predicted[:, None]
            return (labels == said).astype(np.float64)
        return (labels == int(name.removeprefix("class/"))).astype(np.float64)

    def __call__(self, labels: NDArray[np.int16]) -> Values:
        values: Values = {}
        by_class: dict[str, list[NDArray[np.float64]]] = {}
        for name, view in self.views.items():
            outcomes = self.outcomes(name, labels)
            sums = BinnedOutcomes.of(view, outcomes)
            values[f"frequency/{name}"] = sums.frequency
            if name == "top_label":
                values["top_label_ece"], values["top_label_l2"] = sums.absolute_error, sums.debiased_square
                values["ece_sweep"] = sweep_error(view.probability, outcomes)
                values["smooth_ece"] = smooth_error(view.probability, outcomes)
                continue
            parts = (sums.absolute_error, sums.debiased_square, sums.resolution, sums.uncertainty)
            for part, value in zip(("ece", "reliability", "resolution", "uncertainty"), parts, strict=True):
                by_class.setdefault(part, []).append(value)
        values |= {part: np.sum(by_class[part], axis=0) for part in DECOMPOSITION[:3]}
        values["class_wise_ece"] = np.mean(by_class["ece"], axis=0)
        values["class_wise_l2"] = values["reliability"] / len(by_class["ece"])
        squared = np.sum([self._squared(name, labels) for name in self.views if name != "top_label"], axis=0)
        values["remainder"] = squared - values["reliability"] + values["resolution"] - values["uncertainty"]
        return values

    def _squared(self, name: str, labels: NDArray[np.int16]) -> NDArray[np.float64]:
        """(s,) mean of (outcome - p)^2 in one class."""
        p = self.views[name].probability
        happened: NDArray[np.float64] = (1.0 - 2.0 * p) @ self.outcomes(name, labels)
        return (happened + float(p @ p)) / len(p)

    def without_each_row(self, labels: NDArray[np.int64]) -> Values:
        """Debiased squares and decomposition (rows,) with one row left out, of the observed labels."""
        left = {
            name: BinnedOutcomes.of(view, self.outcomes(name, labels)).without_each_row()
            for name, view in self.views.items()
        }
        classes = [parts for name, parts in left.items() if name != "top_label"]
        values: Values = {
            part: np.sum([c[i] for c in classes], axis=0) for i, part in enumerate(DECOMPOSITION[:3])
        }
        rows = len(labels)
        squared = np.sum(
            [
                (self.outcomes(name, labels) - self.views[name].probability) ** 2
                for name in left
                if name != "top_label"
            ],
            axis=0,
        )
        brier = (squared.sum() - squared) / (rows - 1)
        values["remainder"] = brier - values["reliability"] + values["resolution"] - values["uncertainty"]
        return {
            **values,
            "top_label_l2": left["top_label"][0],
            "class_wise_l2": values["reliability"] / len(classes),
        }


@dataclass(frozen=True, eq=False)
class _Losses:
    """Brier score, log loss and AURC of one set of probabilities, for any number of sets of labels."""

    brier: NDArray[np.float64]
    log_loss: NDArray[np.float64]
    weights: NDArray[np.float64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(cls, p: NDArray[np.float64]) -> _Losses:
        brier = (p * p).sum(axis=1, keepdims=True) - 2.0 * p + 1.0
        log_loss = -np.log(np.clip(p, LEAST, 1.0))
        return cls(brier / len(p), log_loss / len(p), rank_weights(p.max(axis=1)), p.argmax(axis=1))

    def __call__(self, labels: NDArray[np.int16]) -> Values:
        columns = range(self.brier.shape[1])
        brier, log_loss = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
        for k in columns:
            drawn = np.column_stack([self.brier[:, k], self.log_loss[:, k]]).T @ (labels == k).astype(
                np.float64
            )
            brier, log_loss = brier + drawn[0], log_loss + drawn[1]
        wrong = (labels != self.predicted[:, None]).astype(np.float64)
        return {"brier": brier, "log_loss": log_loss, "aurc": self.weights @ wrong}


def _error_scores(
    found: Values, errors: _Errors, gold: NDArray[np.int64], level: float
) -> dict[str, CalibrationScore]:
    scores, n = {}, len(gold)
    for name in PLAIN_ERRORS:
        value, simulated = float(found[name][0]), found[name][1:]
        plain = Score(name, value, None, None, n, _NO_INTERVAL, level)
        scores[name] = null_score(plain, simulated, p_value=null_p(value, simulated))
    without = errors.without_each_row(gold)
    for name in ROOT_ERRORS:
        square, simulated = float(found[name][0]), found[name][1:]
        jackknifed = _jackknife(name, square, without[name], level)
        limits = [None if end is None else _root(end) for end in (jackknifed.low, jackknifed.high)]
        rooted = Score(name, _root(square), limits[0], limits[1], n, jackknifed.method, level)
        scores[name] = null_score(
            rooted,
            np.sqrt(np.maximum(simulated, 0.0)),
            p_value=null_p(square, simulated),
            debiased_square=square,
        )
    return scores


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
        "brier": bootstrap("brier", units, lambda sums: sums[..., 0] / sums[..., 2], Brier.bounds, level),
        "log_loss": bootstrap(
            "log_loss", units, lambda sums: sums[..., 1] / sums[..., 2], LogLoss.bounds, level
        ),
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


def _decomposition(
    found: Values, errors: _Errors, gold: NDArray[np.int64], level: float
) -> dict[str, CalibrationScore]:
    """Brier score = reliability - resolution + uncertainty + remainder, each summed over classes.

    Murphy's parts (1973) over equal-mass bins of each class, with the bias correction of Ferro and
    Fricker (2012); the remainder is what the spread of probabilities within bins leaves over
    (Stephenson, Coelho and Jolliffe 2008).
    """
    without, parts = errors.without_each_row(gold), {}
    for name in DECOMPOSITION:
        value, simulated = float(found[name][0]), found[name][1:]
        score = _jackknife(name, value, without[name], level)
        error = name == "reliability"
        parts[name] = null_score(
            score,
            simulated,
            two_sided=not error,
            p_value=null_p(value, simulated) if error else None,
            debiased_square=value if error else None,
        )
    return parts


def _jackknife(name: str, value: float, without: NDArray[np.float64], level: float) -> Score:
    n = len(without)
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    return normal(name, value, error, n, "jackknife over rows", level=level)


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
