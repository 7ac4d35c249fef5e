"""The calibration of one fitted model, from its stored predictions of the calibrate and test parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.calibration import Calibration, measure_calibration, recalibration_gains
from crossover.measure.calibration_bump import (
    LEVEL,
    GlobalScan,
    LocalScan,
    detectable_rows,
    global_scan,
    local_scan,
)
from crossover.measure.calibration_null import one_row_a_cluster
from crossover.measure.calibration_scan import Range
from crossover.measure.calibration_traits import Trait, traits_apart
from crossover.measure.interval import cluster_index
from crossover.measure.metric.log_loss import LogLoss
from crossover.measure.paired import holm
from crossover.measure.predictions import Predictions
from crossover.model.calibrator import CALIBRATORS, Calibrator
from crossover.record.run_record import RunRecord

Json = dict[str, object]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

AFTER_SIMULATIONS = 99
"""Simulations of perfect calibration for a recalibrated model, and for runs after an arm's first."""
MANY_CLASSES = 20
MANY_SIMULATIONS = 199
"""Simulations of the local scan with more classes than that: each fits its map again."""
SHOWN = 40
"""Rows of a bump that the verdict holds in full; all are counted."""
TEXT_SHOWN = 300
"""Characters of a row's text in the verdict."""
BEFORE_AND_AFTER = ("top_label_ece", "class_wise_l2", "smooth_ece", "brier", "log_loss")
DEVIATIONS = (0.05, 0.1, 0.2)


@dataclass(frozen=True, eq=False)
class ArmCalibration:
    """One arm: the measures of its first run, before and after recalibration, and the two scans.

    ``records`` are its finished runs, by seed; ``groups`` the split's cluster of a row. Measures that need
    independent rows take one row a cluster. Only calibrate rows are fitted on, only test rows measured.
    """

    arm: str
    records: Sequence[RunRecord]
    corpus: Corpus
    groups: Mapping[str, str]
    simulations: int

    @cached_property
    def test(self) -> Predictions:
        """Test predictions of the first run."""
        return self.records[0].predictions.part("test")

    @cached_property
    def calibrate(self) -> Predictions:
        """Calibrate predictions of the first run; without rows where the split or the run has none."""
        return self.records[0].predictions.part("calibrate")

    @cached_property
    def clusters(self) -> NDArray[np.int64] | None:
        """(m,) cluster of each test row, or None."""
        return cluster_index(self.test.ids, self.groups)

    @cached_property
    def independent(self) -> Predictions:
        """One test row of each cluster, in the order of their ids."""
        return one_of_each(self.test, self.groups)

    @cached_property
    def aside(self) -> Predictions:
        """One calibrate row of each cluster."""
        return one_of_each(self.calibrate, self.groups)

    @cached_property
    def measured(self) -> Calibration:
        """Every measure of the first run's test rows."""
        return measure_calibration(
            self.test.probabilities, self.test.gold_index, self.clusters, simulations=self.simulations
        )

    @cached_property
    def whole(self) -> GlobalScan:
        """Is the model off at all?"""
        rows = self.independent
        return global_scan(rows.probabilities, rows.gold_index, self.simulations)

    @cached_property
    def first_half(self) -> Mask:
        """(n,) independent test rows on which a bump is located; by the id alone."""
        return np.array([in_first_half(id_) for id_ in self.independent.ids], dtype=np.bool_)

    @cached_property
    def local(self) -> LocalScan:
        """Is it off in a range that no recalibration mends?"""
        rows, aside = self.independent, self.aside
        if not len(aside):
            return LocalScan(
                len(rows), 0, reason="no calibrate rows were predicted: no map to hold it against"
            )
        many = len(rows.classes) > MANY_CLASSES
        return local_scan(
            rows.probabilities,
            rows.gold_index,
            self.first_half,
            aside.probabilities,
            aside.gold_index,
            min(self.simulations, MANY_SIMULATIONS) if many else self.simulations,
        )

    @cached_property
    def recalibrated(self) -> dict[str, Array | str]:
        """Test probabilities after each recalibration fitted on calibrate, or why there are none."""
        found: dict[str, Array | str] = {}
        for name, kind in CALIBRATORS.items():
            try:
                fitted = kind().fit(self.calibrate.probabilities, self.calibrate.gold_index)
                found[name] = fitted.apply(self.test.probabilities)
            except BadInput as refused:
                found[name] = str(refused)
        return found

    @cached_property
    def recommended(self) -> str | None:
        """The recalibration of least log loss within calibrate, its halves crossed; None if none gains."""
        rows = self.calibrate
        first = np.array([in_first_half(id_) for id_ in rows.ids], dtype=np.bool_)
        loss: dict[str, float] = {}
        for name, kind in CALIBRATORS.items():
            if isinstance(self.recalibrated[name], str):
                continue
            found = _crossed(kind, rows, first)
            if found is not None:
                loss[name] = found
        if not loss or min(loss.values()) >= float(
            LogLoss().row_values(rows.gold_index, rows.probabilities).mean()
        ):
            return None
        return min(loss, key=lambda name: (loss[name], name))

    def recalibration(self) -> list[Json]:
        """A row before, then one a recalibration: measures on test, and the paired changes with intervals."""
        before = self.measured
        made: list[Json] = [{"recalibration": "none", "title": "as it is", **_measures(before)}]
        gains = {
            name: recalibration_gains(self.test.probabilities, after, self.test.gold_index, self.clusters)
            for name, after in self.recalibrated.items()
            if not isinstance(after, str)
        }
        for name, after in self.recalibrated.items():
            row: Json = {"recalibration": name, "title": CALIBRATORS[name].title}
            if isinstance(after, str):
                made.append({**row, "reason": after})
                continue
            measured = measure_calibration(
                after, self.test.gold_index, self.clusters, simulations=AFTER_SIMULATIONS
            )
            row |= _measures(measured)
            for metric, score in gains[name].items():
                row |= {
                    f"{metric}_change": score.value,
                    f"{metric}_change_low": score.low,
                    f"{metric}_change_high": score.high,
                }
            made.append({**row, "recommended": name == self.recommended})
        return made

    @cached_property
    def unexpected(self) -> Mask:
        """(n,) independent rows whose outcome is the one that the bump has too many of."""
        found, rows = self.local.located, self.independent
        if found is None:
            return np.zeros(len(rows), dtype=np.bool_)
        of_class = rows.gold_index == found.class_index
        return np.asarray(of_class if found.z > 0 else ~of_class)

    @cached_property
    def traits(self) -> list[Trait]:
        """Words and meta values that set the rows of the bump apart."""
        if self.local.inside is None:
            return []
        part = self.corpus.select(self.independent.ids)
        meta = {name: (kind, part.meta_values(name)) for name, kind in self.corpus.meta.items()}
        return traits_apart(self.local.inside, self.unexpected, self.first_half, part.texts, meta)

    def bump_rows(self) -> list[Json]:
        """Rows inside, those it has too many of first, then by probability; at most :data:`SHOWN`."""
        found, rows = self.local.located, self.independent
        if found is None or self.local.inside is None or self.local.around is None:
            return []
        own = rows.probabilities[:, found.class_index]
        mapped = self.local.around(rows.probabilities)[:, found.class_index]
        inside = np.flatnonzero(self.local.inside)
        order = sorted(inside.tolist(), key=lambda k: (not self.unexpected[k], -own[k], rows.ids[k]))[:SHOWN]
        return [
            {
                "id": rows.ids[k],
                "gold": rows.gold[k],
                "predicted": rows.classes[int(rows.predicted_index[k])],
                "probability": float(own[k]),
                "mapped": float(mapped[k]),
                "unexpected": bool(self.unexpected[k]),
                "half": "located" if self.first_half[k] else "confirmed",
                "text": self.corpus.texts[self.corpus.row_of[rows.ids[k]]][:TEXT_SHOWN],
            }
            for k in order
        ]

    def detectable(self) -> list[Json]:
        """Rows a range must hold for a deviation to be found 80% of the time, and those there near .5."""
        critical = self.local.critical if self.local.critical is not None else self.whole.critical
        if critical is None:
            return []
        near = int(((np.abs(self.independent.probabilities - 0.5) <= 0.25).sum(axis=0)).max())
        return [
            {
                "deviation": deviation,
                "rows_needed": detectable_rows(critical, deviation),
                "rows_there": near,
                "enough": near >= detectable_rows(critical, deviation),
            }
            for deviation in DEVIATIONS
        ]

    def over_runs(self) -> dict[str, list[float | None]]:
        """A few measures of every run of the arm, first run first."""
        found: dict[str, list[float | None]] = {name: [] for name in BEFORE_AND_AFTER}
        for k, record in enumerate(self.records):
            same = k and np.array_equal(
                record.predictions.probabilities, self.records[0].predictions.probabilities
            )
            rows = record.predictions.part("test")
            measured = (
                self.measured
                if not k or same
                else measure_calibration(
                    rows.probabilities, rows.gold_index, self.clusters, simulations=AFTER_SIMULATIONS
                )
            )
            for name in found:
                found[name].append(measured.scores[name].score.value)
        return found


def finding(whole: GlobalScan, local: LocalScan, whole_p: float | None, local_p: float | None) -> str:
    """One arm's finding from its scans, P corrected for the number of arms.

    ``insufficient``, ``not_shown``, ``untold`` (off, and nothing to tell where), ``recalibrate``,
    ``unplaced`` (more than recalibration mends, no range confirmed) or ``local``.
    """
    if whole.p_value is None or whole_p is None:
        return "insufficient"
    if whole_p > LEVEL:
        return "not_shown"
    if local.p_value is None or local_p is None:
        return "untold"
    if local_p > LEVEL:
        return "recalibrate"
    return "local" if local.is_bump else "unplaced"


def corrected(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's P over the arms that have one."""
    found = holm({arm: p for arm, p in values.items() if p is not None})
    return {arm: found.get(arm) for arm in values}


def in_first_half(id_: str) -> bool:
    """Which half a row belongs to: by its id alone, whatever corpus or order it stands in."""
    return hashlib.sha256(id_.encode("utf-8")).digest()[0] % 2 == 0


def one_of_each(rows: Predictions, groups: Mapping[str, str]) -> Predictions:
    """One row of each cluster, in the order of ids, so that the order of a table changes nothing."""
    order = sorted(range(len(rows)), key=lambda k: rows.ids[k])
    found = rows.take(order)
    clusters = cluster_index(found.ids, groups)
    return found if clusters is None else found.take(one_row_a_cluster(clusters).tolist())


def range_json(found: Range | None, classes: Sequence[str]) -> Json | None:
    """A range with its class by name."""
    return None if found is None else {"class": classes[found.class_index], **found.to_json()}


def _crossed(kind: type[Calibrator], rows: Predictions, first: Mask) -> float | None:
    """Mean log loss on calibrate, each half mapped by what the other taught; None where one cannot be had."""
    mapped = np.empty_like(rows.probabilities)
    for half in (first, ~first):
        try:
            fitted = kind().fit(rows.probabilities[~half], rows.gold_index[~half])
        except BadInput:
            return None
        mapped[half] = fitted.apply(rows.probabilities[half])
    return float(LogLoss().row_values(rows.gold_index, mapped).mean())


def _measures(measured: Calibration) -> Json:
    """The measures of the before-and-after table, flat."""
    row: Json = {}
    for name in BEFORE_AND_AFTER:
        score = measured.scores[name]
        row |= {name: score.score.value, f"{name}_null_high": score.null_high, f"{name}_p": score.p_value}
    return row
