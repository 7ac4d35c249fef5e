"""Selective prediction: the error among the rows a model is surest of, and the area under that curve."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from crossover.measure.interval import normal, proportion, t_quantile
from crossover.measure.score import Score


@dataclass(frozen=True)
class RiskPoint:
    """Answering only where the confidence is at least ``threshold``: the share answered and the error there.

    [``low``, ``high``] is Wilson's interval for this threshold (None where there is none).
    """

    coverage: float
    threshold: float
    rows: int
    risk: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


def risk_coverage_curve(
    confidence: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None = None,
    points: int = 20,
    level: float = 0.95,
) -> list[RiskPoint]:
    """Risk at about ``points`` even coverages, ascending, the last being all rows (El-Yaniv and Wiener 2010).

    Rows of equal confidence are answered together, so that coverages may differ from those asked.
    """
    rows = len(confidence)
    if not rows:
        return []
    order = np.argsort(-confidence, kind="stable")
    descending = confidence[order]
    reached: list[int] = []
    for k in range(1, points + 1):
        at = descending[max(0, math.ceil(rows * k / points) - 1)]
        upto = int(np.searchsorted(-descending, -at, side="right"))
        if not reached or upto > reached[-1]:
            reached.append(upto)
    curve = []
    for upto in reached:
        chosen = order[:upto]
        score = proportion("risk", wrong[chosen], None if clusters is None else clusters[chosen], level)
        assert score.value is not None
        threshold = float(descending[upto - 1])
        curve.append(RiskPoint(upto / rows, threshold, upto, score.value, score.low, score.high))
    return curve


def rank_weights(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) weights c with AURC = sum_i c_i wrong_i; equal confidences share the mean of their places."""
    rows = len(confidence)
    place = np.cumsum(1.0 / np.arange(rows, 0, -1))[::-1] / rows  # (1/n) sum over i >= place of 1/i
    order = np.argsort(-confidence, kind="stable")
    _, group = np.unique(-confidence[order], return_inverse=True)
    shared = np.bincount(group, weights=place) / np.bincount(group)
    weights = np.empty(rows)
    weights[order] = shared[group]
    return weights


def aurc(
    confidence: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None = None,
    level: float = 0.95,
) -> Score:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017): mean risk over the coverages 1/n to 1.

    The interval is a t interval of the logarithm, by the infinitesimal jackknife over rows or clusters:
    the areas of few errors are skewed. Without an error there is none.
    """
    rows = len(confidence)
    if not rows:
        return Score("aurc", None, None, None, 0, "undefined: no such rows", level)
    value = float(rank_weights(confidence) @ wrong)
    influence: NDArray[np.float64] = _influence(confidence, wrong.astype(np.float64))
    units = rows
    if clusters is not None:
        _, number = np.unique(clusters, return_inverse=True)
        influence = np.bincount(number, weights=influence).astype(np.float64)
        units = len(influence)
    if value == 0.0:
        return Score("aurc", 0.0, None, None, units, f"no interval: no error in {rows} rows", level)
    error = math.sqrt(units / max(1, units - 1) * float((influence**2).sum()))
    plain = normal("aurc", value, error, units, "infinitesimal jackknife", (0.0, 1.0), level)
    if plain.low is None:
        return plain
    stretch = math.exp(t_quantile(level, units - 1) * error / value)
    kind = "rows" if clusters is None else "clusters"
    method = f"t interval of the logarithm, infinitesimal jackknife over {kind}"
    return Score("aurc", value, value / stretch, min(1.0, value * stretch), units, method, level)


def _influence(confidence: NDArray[np.float64], wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) derivatives of AURC with respect to each row's weight; they sum to 0.

    With weights w, AURC = sum_i w_i risk_i / sum w, risk_i = sum_{j <= i} w_j wrong_j / sum_{j <= i} w_j
    in descending confidence; rows of equal confidence stand in for their mean.
    """
    rows = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    _, group = np.unique(-confidence[order], return_inverse=True)
    size = np.bincount(group)
    errors = wrong[order]
    shared = (np.bincount(group, weights=errors) / size)[group]
    place = np.arange(1, rows + 1)
    risk = np.cumsum(shared) / place
    ahead = np.cumsum((1.0 / place)[::-1])[::-1]
    above = np.cumsum((risk / place)[::-1])[::-1]
    own = risk + shared * ahead - above
    # within a tie every order is as likely: the places' mean, and the row's own error in it
    mean_own = (np.bincount(group, weights=own) / size)[group]
    mean_ahead = (np.bincount(group, weights=ahead) / size)[group]
    derivative = mean_own + (errors - shared) * mean_ahead
    influence = np.empty(rows)
    influence[order] = (derivative - risk.mean()) / rows
    return influence
