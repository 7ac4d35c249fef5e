"""Every calibration statistic of one set of probabilities, for many sets of labels in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crossover.measure.calibration_bins import BinnedOutcomes, EqualMassBins
from crossover.measure.calibration_error import sweep_error
from crossover.measure.calibration_null import Statistic
from crossover.measure.calibration_risk_coverage import rank_weights
from crossover.measure.calibration_smooth import smooth_error
from crossover.measure.metric.log_loss import LEAST

TOP = "top_label"
DECOMPOSITION = ("reliability", "resolution", "uncertainty", "remainder")

Values = dict[str, NDArray[np.float64]]


def class_view(column: int) -> str:
    """Name of the view of one class, by its column."""
    return f"class/{column}"


class Part(Protocol):
    """What is added up over the views: "top_label" (was the predicted class right?) and every class."""

    def add(self, view: str, outcomes: NDArray[np.float64], values: Values) -> None:
        """Take in the (rows, s) outcomes of a view."""
        ...


def statistic_of(probabilities: NDArray[np.float64], parts: Sequence[Part]) -> Statistic:
    """All parts' values as one function of (rows, s) labels; each view's outcomes are made once."""
    predicted = probabilities.argmax(axis=1)[:, None]

    def values_of(labels: NDArray[np.int16]) -> Values:
        values: Values = {}
        for view in (TOP, *range(probabilities.shape[1])):
            named, came = (TOP, predicted) if view == TOP else (class_view(int(view)), int(view))
            outcomes = (labels == came).astype(np.float64)
            for part in parts:
                part.add(named, outcomes, values)
        return values

    return values_of


@dataclass(frozen=True, eq=False)
class Errors:
    """Calibration errors and the parts of the Brier score; needs independent rows.

    Adds ``top_label_ece``, ``top_label_l2`` (the debiased square), ``ece_sweep``, ``smooth_ece``,
    ``class_wise_ece``, ``class_wise_l2`` (a debiased square too), the four of :data:`DECOMPOSITION`
    and ``frequency/<view>`` (bins, s).
    """

    views: dict[str, EqualMassBins]

    @classmethod
    def of(cls, probabilities: NDArray[np.float64], bins: int) -> Errors:
        """Bins of the largest probability and of each class's."""
        views = {TOP: EqualMassBins.of(probabilities.max(axis=1), bins)}
        for k in range(probabilities.shape[1]):
            views[class_view(k)] = EqualMassBins.of(probabilities[:, k], bins)
        return cls(views)

    def add(self, view: str, outcomes: NDArray[np.float64], values: Values) -> None:
        """Take in the (rows, s) outcomes of a view."""
        bins = self.views[view]
        sums = BinnedOutcomes.of(bins, outcomes)
        values[f"frequency/{view}"] = sums.frequency
        if view == TOP:
            values["top_label_ece"], values["top_label_l2"] = sums.absolute_error, sums.debiased_square
            values["ece_sweep"] = sweep_error(bins.probability, outcomes)
            values["smooth_ece"] = smooth_error(bins.probability, outcomes)
            return
        error = sums.debiased_square
        classes = len(self.views) - 1
        added = dict(zip(DECOMPOSITION, brier_parts(sums.mean_square, error, sums), strict=True))
        added |= {"class_wise_ece": sums.absolute_error / classes, "class_wise_l2": error / classes}
        _add(values, added)

    def without_each_row(self, probabilities: NDArray[np.float64], gold: NDArray[np.int64]) -> Values:
        """(rows,) values of the debiased squares and the decomposition, each with one row left out."""
        values: Values = {}
        classes, predicted = probabilities.shape[1], probabilities.argmax(axis=1)
        for view, bins in self.views.items():
            came = predicted if view == TOP else int(view.removeprefix("class/"))
            outcomes = (gold == came).astype(np.float64)
            error, resolution, uncertainty = BinnedOutcomes.of(bins, outcomes).without_each_row()
            if view == TOP:
                values["top_label_l2"] = error
                continue
            squared = (outcomes - bins.probability) ** 2
            brier = (squared.sum() - squared) / (len(gold) - 1)
            parts = (error, resolution, uncertainty, brier - error + resolution - uncertainty)
            _add(values, {**dict(zip(DECOMPOSITION, parts, strict=True)), "class_wise_l2": error / classes})
        return values


def brier_parts(
    brier: NDArray[np.float64], error: NDArray[np.float64], sums: BinnedOutcomes
) -> tuple[NDArray[np.float64], ...]:
    """Reliability, resolution, uncertainty and what is left of one class's Brier score.

    Murphy's parts (1973) over bins, bias-corrected (Ferro and Fricker 2012); the remainder is what
    the spread of the probabilities within bins leaves over (Stephenson, Coelho and Jolliffe 2008).
    """
    resolution, uncertainty = sums.resolution, sums.uncertainty
    return error, resolution, uncertainty, brier - error + resolution - uncertainty


@dataclass(frozen=True, eq=False)
class Losses:
    """Brier score, log loss and area under the risk-coverage curve; adds ``brier``, ``log_loss``, ``aurc``.

    ``table`` (classes, 2, rows) is what a row would cost in each of the first two had it that class.
    """

    table: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, probabilities: NDArray[np.float64]) -> Losses:
        """Costs of every label that each of the (rows, classes) probabilities may meet."""
        p = probabilities
        brier = (p * p).sum(axis=1, keepdims=True) - 2.0 * p + 1.0
        table = np.stack([brier.T, -np.log(np.clip(p.T, LEAST, 1.0))], axis=1) / len(p)
        return cls(table, rank_weights(p.max(axis=1)))

    def add(self, view: str, outcomes: NDArray[np.float64], values: Values) -> None:
        """Take in the (rows, s) outcomes of a view."""
        if view == TOP:
            values["aurc"] = self.weights.sum() - self.weights @ outcomes
            return
        brier, log_loss = self.table[int(view.removeprefix("class/"))] @ outcomes
        _add(values, {"brier": brier, "log_loss": log_loss})


def _add(values: Values, added: Values) -> None:
    for name, value in added.items():
        values[name] = values[name] + value if name in values else value
