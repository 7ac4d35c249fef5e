"""What the runs of a grid of (arm, size, draw) say: learning curves and paired evidence.

Arms are paired by draw alone: a seed of one arm and a seed of another share nothing. Seeds
nested in a draw are averaged before draws are compared (methods.md 1).
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.measure.crossing import SizeEvidence
from crossover.measure.interval import cluster_index
from crossover.measure.metric.metric import Metric, metric_named
from crossover.measure.predictions import Predictions
from crossover.measure.two_way import paired_mean
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec, Seeds, digest_of
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import Subset
from crossover.split.split import Split


def check_size(size: int, split: Split) -> None:
    """Refuse a draw that is empty, or holds the whole train part: then draws could not differ.

    Raises:
        BadInput: ``size`` is not from 1 to one less than the train part has.
    """
    rows = len(split.train)
    if not 0 < size < rows:
        raise BadInput(
            f"study.size={size}, the train part has {rows} rows: a draw takes at least one and leaves some "
            "out; ask for fewer, or leave study.size out"
        )


@dataclass(frozen=True)
class Design:
    """What every run of a grid shares; the runs of a cell differ in their seeds alone."""

    corpus: str
    split: str
    metric: str
    selection: str
    seeds: int
    scheme: str
    pools: int

    def specs(
        self, model: Component, size: int | None, draw: int, budget: int, test_rows: int | None
    ) -> list[RunSpec]:
        """The runs of one cell; seeds are fresh for every (model, size, draw, repeat).

        ``size`` None trains on the whole train part. A model trained many seeds ``together`` gets
        its seeds in blocks of so many in a row, from a multiple of it on: one training a block.
        """
        specs = []
        together = cast(int, model.settings.get("together") or 1)
        for repeat in range(self.seeds):
            key = f"{digest_of(model.to_json())}/{size}/{draw}/{repeat - repeat % together}"
            seed = zlib.crc32(key.encode("utf-8")) & 0x7FFFFFFF
            seed += repeat % together - seed % together
            specs.append(
                RunSpec(
                    corpus=self.corpus,
                    split=self.split,
                    model=model,
                    subset=None if size is None else Subset(self.scheme, size, draw, self.pools),
                    metric=self.metric,
                    budget=budget,
                    selection=self.selection,
                    seeds=Seeds(seed, seed),
                    test_rows=test_rows,
                )
            )
        return specs


@dataclass(frozen=True)
class Cell:
    """The runs of one arm at one size and draw, one a seed."""

    arm: str
    size: int
    draw: int
    records: tuple[RunRecord, ...]

    @cached_property
    def tests(self) -> tuple[Predictions, ...]:
        """Test predictions, one a seed; every seed scores the same rows."""
        return tuple(record.predictions.part("test") for record in self.records)

    @property
    def test(self) -> Predictions:
        """Test predictions of the first seed."""
        return self.tests[0]

    @property
    def cost(self) -> dict[str, float]:
        """Median cost of its runs, labels included."""
        labels = float(np.median([record.cost["labels"] for record in self.records]))
        return {"labels": labels, **median_cost(self.records)}


@dataclass
class Grid:
    """Cells by (arm, size, draw), with per-row values of the metrics asked for.

    ``groups`` is the split's cluster of a row; ``pool`` the number of training rows draws are
    taken from, ``overlap_of`` gives f of methods.md 1 for a size.
    """

    groups: Mapping[str, str]
    overlap_of: Mapping[int, float]
    cells: dict[tuple[str, int, int], Cell] = field(default_factory=dict)
    _values: dict[tuple[str, str, int, int], dict[str, float]] = field(default_factory=dict)

    def draws(self, arm: str, size: int) -> list[int]:
        """Draws of an arm at a size, ascending."""
        return sorted(draw for a, s, draw in self.cells if a == arm and s == size)

    def paired_draws(self, left: str, right: str, size: int, among: Sequence[int]) -> list[int]:
        """Draws that both arms finished; one run for only one arm does not enter the pair."""
        both = set(self.draws(left, size)) & set(self.draws(right, size))
        return sorted(both & set(among))

    def row_values(self, metric: Metric, cell: Cell) -> dict[str, float]:
        """Per test row: the metric's contribution (jackknife pseudo-value), mean over seeds."""
        key = (metric.name, cell.arm, cell.size, cell.draw)
        if key not in self._values:
            self._values[key] = _row_values(metric, cell.tests)
        return self._values[key]

    def _values_on(self, metric: Metric, cell: Cell, ids: Sequence[str]) -> list[float]:
        """Row values on these test rows alone: a pseudo-value depends on the rows it stands among."""
        if len(ids) == len(cell.test):
            known = self.row_values(metric, cell)
        else:
            known = _row_values(metric, [test.rows(ids) for test in cell.tests])
        return [known[id_] for id_ in ids]

    def evidence(
        self, metric_name: str, cheap: str, expensive: str, size: int, draws: Sequence[int]
    ) -> tuple[SizeEvidence, NDArray[np.int64] | None] | None:
        """Paired differences (draws, rows), expensive minus cheap, larger meaning expensive wins.

        None where no draw was finished by both. The second value is each row's cluster, or
        None where no two test rows share one.
        """
        metric = metric_named(metric_name)
        sign = 1.0 if metric.larger_is_better else -1.0
        shared = self.paired_draws(cheap, expensive, size, draws)
        if not shared:
            return None
        cells = [(self.cells[cheap, size, draw], self.cells[expensive, size, draw]) for draw in shared]
        ids = common_ids([cell for pair in cells for cell in pair])
        low, high = (
            np.array([self._values_on(metric, pair[side], ids) for pair in cells]) for side in (0, 1)
        )
        return SizeEvidence(size, sign * (high - low), self.overlap_of[size]), cluster_index(ids, self.groups)

    def curve(
        self, metric_name: str, arm: str, size: int, draws: Sequence[int], level: float = 0.95
    ) -> dict[str, object]:
        """One point of an arm's learning curve: mean, interval, every draw, failures, cost."""
        metric = metric_named(metric_name)
        cells = [self.cells[arm, size, draw] for draw in draws if (arm, size, draw) in self.cells]
        values = np.array([list(self.row_values(metric, cell).values()) for cell in cells])
        clusters = cluster_index(cells[0].test.ids, self.groups)
        mean = paired_mean(values, self.overlap_of[size], clusters)
        low, high = mean.interval(level)
        floor, ceiling = metric.bounds
        runs = [record for cell in cells for record in cell.records]
        losses = [record.scores["log_loss"].value for record in runs]
        return {
            "size": size,
            "mean": mean.mean,
            "low": max(low, floor),
            "high": min(high, ceiling),
            "draws": [float(v) for v in values.mean(axis=1)],
            "log_loss": float(np.mean([value for value in losses if value is not None])),
            "failed": sum(failed(record, metric_name) for record in runs),
            "absent_classes": float(np.mean([absent_classes(record) for record in runs])),
            "labels": float(np.median([record.cost["labels"] for record in runs])),
            "runs": len(runs),
            **median_cost(runs),
        }


def _row_values(metric: Metric, tests: Sequence[Predictions]) -> dict[str, float]:
    """Row values of one cell by id, mean over its seeds."""
    values = [metric.row_values(test.gold_index, test.probabilities) for test in tests]
    return dict(zip(tests[0].ids, (float(v) for v in np.mean(values, axis=0)), strict=True))


def common_ids(cells: Sequence[Cell]) -> list[str]:
    """Test rows that every cell scored, in the order of the first."""
    shared = set.intersection(*(set(cell.test.ids) for cell in cells))
    return [id_ for id_ in cells[0].test.ids if id_ in shared]


def unfinished(
    arms: Mapping[str, Component], wanted: Sequence[RunSpec], records: Mapping[str, RunRecord]
) -> list[str]:
    """One sentence an arm that lacks runs; a cell that lacks a seed is left out whole."""
    said = []
    for arm, model in arms.items():
        specs = [spec for spec in wanted if spec.model == model]
        lost = sum(spec.digest not in records for spec in specs)
        if lost:
            said.append(f"{arm}: {lost} of {len(specs)} runs did not finish; their draws are left out")
    return said


def collect(
    records: Mapping[str, RunRecord],
    wanted: Mapping[tuple[str, int, int], Sequence[str]],
    groups: Mapping[str, str],
    overlap_of: Mapping[int, float],
) -> Grid:
    """The grid of the finished cells; ``wanted`` names the digests (one a seed) of each."""
    grid = Grid(groups, overlap_of)
    for (arm, size, draw), digests in wanted.items():
        found = tuple(records[digest] for digest in digests if digest in records)
        if len(found) == len(digests):
            grid.cells[arm, size, draw] = Cell(arm, size, draw, found)
    return grid


def failed(record: RunRecord, metric_name: str) -> bool:
    """Whether a run is a failure as defined beforehand: on select, not above the majority rule."""
    select, train = record.predictions.part("select"), record.predictions.part("train")
    if not len(select):
        return False
    metric = metric_named(metric_name)
    counts = np.bincount(train.gold_index, minlength=len(train.classes))
    constant = np.zeros_like(select.probabilities)
    constant[:, int(np.argmax(counts))] = 1.0
    if not metric.larger_is_better:
        constant = np.tile(counts / counts.sum(), (len(select), 1))
    sign = 1.0 if metric.larger_is_better else -1.0
    own = metric(select.gold_index, select.probabilities)
    rule = metric(select.gold_index, constant)
    return own is not None and rule is not None and sign * own <= sign * rule


def absent_classes(record: RunRecord) -> int:
    """Classes that the training rows of a run do not hold."""
    train = record.predictions.part("train")
    return len(train.classes) - len(set(train.gold))


def median_cost(runs: Sequence[RunRecord]) -> dict[str, float]:
    """Median cost of some runs: seconds as they were and cold, milliseconds a predicted row."""
    pooled: defaultdict[str, list[float]] = defaultdict(list)
    for record in runs:
        cost = record.cost
        pooled["fit_seconds"].append(cost["fit_seconds"])
        pooled["fit_seconds_cold"].append(cost["fit_seconds_cold"])
        pooled["predict_ms"].append(1000 * cost["predict_seconds"] / cost["predict_rows"])
        pooled["predict_ms_cold"].append(1000 * cost["predict_seconds_cold"] / cost["predict_rows"])
        pooled["latency_p50_ms"].append(cost["latency_p50_ms"])
        pooled["latency_p95_ms"].append(cost["latency_p95_ms"])
        pooled["peak_memory_mb"].append(cost["peak_memory_bytes"] / 2**20)
        pooled["tokens"].append(cost["tokens"])
        pooled["parameters"].append(cost["parameters"])
    return {name: float(np.median(values)) for name, values in pooled.items()}
