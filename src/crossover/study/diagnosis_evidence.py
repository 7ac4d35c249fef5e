"""From a diagnosis' records to the numbers its table reads: errors, slope, null runs, interventions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.measure.all_just_weights import TOLERANCE
from crossover.measure.draws_needed import MOST_DRAWS, draws_for
from crossover.measure.interval import cluster_index
from crossover.measure.learning_slope import Slope, slope
from crossover.measure.metric.log_loss import LogLoss
from crossover.measure.metric.metric import Metric, RowMean
from crossover.measure.null_score import SCORES, lift, permutation_p
from crossover.measure.predictions import Predictions
from crossover.measure.simultaneous import Bounded, bounds_of, over_draws
from crossover.measure.two_way import PairedMean, paired_mean
from crossover.record.run_record import RunRecord

Floats = NDArray[np.float64]
PARTS: Mapping[str, tuple[str, ...]] = {
    "validation": ("select", "calibrate"),
    "select": ("select",),
    "calibrate": ("calibrate",),
    "test": ("test",),
}
"""Rows that validation errors may come from. With selection=inside no fit reads any of them."""


@dataclass
class Reader:
    """Errors of records in the metric of record: 1 - score, or the loss itself."""

    metric: Metric
    part: str
    groups: Mapping[str, str]
    level: float
    _scored: dict[str, Predictions] = field(default_factory=dict)

    def scored(self, record: RunRecord) -> Predictions:
        """The rows that validation errors come from."""
        if record.digest not in self._scored:
            whole = record.predictions
            kept = [row for row, part in enumerate(whole.parts) if part in PARTS[self.part]]
            self._scored[record.digest] = whole.take(kept)
        return self._scored[record.digest]

    def error(self, score: float) -> float:
        """An error from a score."""
        return 1.0 - score if self.metric.larger_is_better else score

    def training_error(self, record: RunRecord) -> float:
        """Error on the rows the run was fitted on.

        Raises:
            BadInput: the metric is undefined there.
        """
        train = record.predictions.part("train")
        value = self.metric(train.gold_index, train.probabilities)
        if value is None:
            raise BadInput(f"{self.metric.name} is undefined on the training rows of run {record.digest}")
        return self.error(value)

    def errors(self, records: Sequence[RunRecord]) -> Floats:
        """(runs, rows) contributions to the validation error; every run scored the same rows.

        Raises:
            BadInput: no rows, or the metric is undefined on them.
        """
        tables = [self.scored(record) for record in records]
        if not len(tables[0]):
            raise BadInput(f"the split has no {' or '.join(PARTS[self.part])} rows to take errors from")
        ids = tables[0].ids
        tables = [table if table.ids == ids else table.rows(ids) for table in tables]
        rows = np.array([self.metric.row_values(t.gold_index, t.probabilities) for t in tables])
        return 1.0 - rows if self.metric.larger_is_better else rows

    def clusters(self, record: RunRecord) -> NDArray[np.int64] | None:
        """Cluster of each scored row, None where each is its own."""
        return cluster_index(self.scored(record).ids, self.groups)

    def validation(self, records: Sequence[RunRecord], overlap: float) -> PairedMean:
        """Two-way mean of the validation error over draws and rows."""
        return paired_mean(self.errors(records), overlap, self.clusters(records[0]))

    def training(self, records: Sequence[RunRecord], overlap: float, level: float | None = None) -> Bounded:
        """Mean training error over draws, each on rows of its own."""
        values = [self.training_error(record) for record in records]
        return self.within(over_draws(values, level or self.level, overlap, self._share_rows(records)))

    def within(self, error: Bounded) -> Bounded:
        """Bounds no wider than an error can be."""
        ends = sorted(self.error(end) if self.metric.larger_is_better else end for end in self.metric.bounds)
        return replace(error, low=max(error.low, ends[0]), high=min(error.high, ends[1]))

    def _share_rows(self, records: Sequence[RunRecord]) -> int:
        """Rows behind a training error of 0: all where it is a share, of the rarest class otherwise."""
        gold = np.concatenate([record.predictions.part("train").gold_index for record in records])
        if self.metric.bounds != (0.0, 1.0):
            return 0
        whole = isinstance(self.metric, RowMean) and self.metric.is_proportion
        return len(gold) if whole else int(min(n for n in np.bincount(gold) if n))

    def slope(
        self, half: Sequence[RunRecord], whole: Sequence[RunRecord], margin: float, overlap: float
    ) -> Slope:
        """E(n) - E(n/2) from the runs of the same draws at both sizes."""
        rows = self.errors([*half, *whole])
        count = len(half)
        return slope(rows[:count], rows[count:], self.level, margin, overlap, self.clusters(half[0]))


def null_lifts(reader: Reader, records: Sequence[RunRecord]) -> dict[str, Bounded]:
    """Lead of runs over the prior predictor, by score; empty with fewer than two runs."""
    if len(records) < 2:
        return {}
    first = reader.scored(records[0])
    tables = [reader.scored(record).rows(first.ids) for record in records]
    found = {}
    for score in SCORES:
        found[score] = lift(
            score,
            first.gold_index,
            [table.probabilities for table in tables],
            reader.level,
            reader.clusters(records[0]),
        )
    return found


def signal_p(reader: Reader, real: Sequence[RunRecord], nulls: Sequence[RunRecord]) -> float | None:
    """Permutation P of the real runs' mean score against the null runs, on the rows the nulls scored."""
    if not real or not nulls:
        return None
    ids = reader.scored(nulls[0]).ids
    known = set(reader.scored(real[0]).ids)
    shared = [id_ for id_ in ids if id_ in known]

    def score(record: RunRecord) -> float:
        rows = reader.scored(record).rows(shared)
        value = reader.metric(rows.gold_index, rows.probabilities)
        return math.nan if value is None else 1.0 - reader.error(value)

    values = [score(record) for record in nulls]
    mean = float(np.mean([score(record) for record in real]))
    return None if not np.isfinite([mean, *values]).all() else permutation_p(mean, values)


def lowered(
    reader: Reader,
    pairs: Sequence[tuple[RunRecord | None, RunRecord]],
    level: float,
    overlap: float,
) -> tuple[Bounded, float] | None:
    """Change of the training objective by an intervention, paired by draw, and what counts as none.

    A Transplant's record holds both objectives; for any other model the objective is the mean log loss on
    the training rows, from the predictions of both runs. None with fewer than two pairs.
    """
    changes, sizes = [], []
    for base, changed in pairs:
        numbers = changed.history[0] if changed.history else {}
        if "objective_scaled" in numbers:
            before, after = numbers["objective_old"], numbers["objective_scaled"]
        elif base is not None:
            before, after = training_loss(base), training_loss(changed)
        else:
            continue
        changes.append(after - before)
        sizes.append(abs(before))
    if len(changes) < 2:
        return None
    return over_draws(changes, level, overlap), TOLERANCE * float(np.mean(sizes))


def training_loss(record: RunRecord) -> float:
    """Mean log loss on the rows the run was fitted on, dropout off."""
    train = record.predictions.part("train")
    return float(LogLoss().row_values(train.gold_index, train.probabilities).mean())


def share_fitted(record: RunRecord) -> float:
    """Share of its training rows that a run gets right."""
    train = record.predictions.part("train")
    return float((train.predicted_index == train.gold_index).mean())


def needs(
    size: int,
    target: float,
    validation: PairedMean | None,
    training: tuple[Bounded, float, float] | None,
    steep: Slope | None,
    level: float,
) -> list[str]:
    """What would take a bound off the target, where one straddles it.

    ``training`` is the training error, the standard deviation of its draws and f.
    """
    found = []
    if validation is not None:
        bounds = bounds_of(validation, level)
        if bounds.low <= target < bounds.high:
            text = draws_for(validation, size, target, level).text
            found.append(f"validation error against the target: {_of_validation(text)}")
    if training is not None and training[0].low <= target < training[0].high:
        found.append(f"training error against the target: {_training_draws(*training, target, level)}")
    if steep is not None and not (steep.falls or steep.flat):
        text = _of_validation(draws_for(steep.mean, size, 0.0, level).text)
        found.append(f"slope from n/2 to n: {text} to show it, or more to show that it is flat")
    return found


def _of_validation(text: str) -> str:
    return text.replace("test rows", "validation rows")


def _training_draws(error: Bounded, sd: float, overlap: float, target: float, level: float) -> str:
    distance = abs(error.mean - target)
    shared = overlap / (1 - overlap)
    for count in range(error.draws + 1, MOST_DRAWS):
        if float(stats.t.ppf(level, count - 1)) * sd * math.sqrt(1 / count + shared) <= distance:
            return f"about {count - error.draws} more draws"
        if distance == 0.0 or sd * math.sqrt(shared) * float(stats.norm.ppf(level)) > distance:
            break
    return "no number of draws resolves it; needs a larger pool, or a target further away"
