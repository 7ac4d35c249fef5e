"""The seed-variance study: how much of a score is luck, of which source, and how many seeds that asks for.

T training draws x S seeds nested in them (methods.md 2). On a few draws initialisation and order are
crossed, for arms that take both apart; the split's share comes from whole re-splits alone. A run here
is the run that a crossover or compare study of the same size, draw and seed makes.
"""

from __future__ import annotations

import inspect
import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.interval import cluster_index
from crossover.measure.metric.metric import metric_named
from crossover.measure.run_summary import improvement
from crossover.measure.score import Score
from crossover.measure.seeds_needed import runs_needed
from crossover.measure.two_way import paired_mean
from crossover.measure.variance_components import FEWEST_DEGREES, MeanSquare, upper_limit
from crossover.protocol.component import Component, resolve
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import overlap_fraction
from crossover.split.split import Split
from crossover.study import seed_variance_sentence as words
from crossover.study.compare import Gap, over_seeds
from crossover.study.crossover_sentence import title
from crossover.study.grid import Design, Grid, check_size, collect, common_ids
from crossover.study.seed_variance_group import Group, Json, group_rows
from crossover.study.study import Verdict, surroundings

SMALLEST = 50
"""Rows of the smallest size a crossover's grid has; sizes double from it."""


@dataclass
class SeedVarianceStudy:
    """Variance components of a score over training draws, seeds, their parts, and splits.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split, shared by every arm.
        arms: name -> model.
        draws: training draws; below 6 a pilot, 1 is conditional on that one training set.
        seeds: runs on each draw, which differ in their seeds alone; below 5 a pilot.
        size: training rows of a draw; None is the largest of 50, 100, 200, ... at which the draws
            share no row, and with one draw the whole train part.
        pools: disjoint pools the train part is cut into for draws.
        crossed_draws: draws on which initialisation and order are crossed, for arms that take both.
        crossed_seeds: how many of each are crossed.
        designs: arm -> [draws, seeds] of its own, for one too dear for the study's.
        differences: differences of the metric for which the seeds needed are told.
        resplits: whole re-splits, a run of every arm on each.
        resplit: seed -> the split under that seed; needed where ``resplits`` is above 0.
        metric: metric of record.
        budget: tuning trials; above 1 the seed also draws trials and hold-out.
        selection: inside or shared.
        test_rows: cap on scored test rows.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    draws: int = 10
    seeds: int = 5
    size: int | None = None
    pools: int = 16
    crossed_draws: int = 2
    crossed_seeds: int = 3
    designs: Mapping[str, Sequence[int]] = field(default_factory=dict)
    differences: Sequence[float] = (0.005, 0.01, 0.02)
    resplits: int = 0
    resplit: Callable[[int], Split] | None = None
    metric: str = "macro_f1"
    budget: int = 1
    selection: str = "inside"
    test_rows: int | None = None
    name: str = "seed_variance"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        if not self.arms:
            raise BadInput("study.arms names no arm; name at least one")
        unknown = sorted(set(self.designs) - set(self.arms))
        if unknown:
            raise BadInput(f"study.designs names {unknown[0]!r}, which is no arm; arms: {sorted(self.arms)}")
        for arm in self.arms:
            self._check_design(arm)
        if not self.differences or any(not 0 < d < float("inf") for d in self.differences):
            raise BadInput(f"study.differences={list(self.differences)}: expected numbers above 0")
        if self.crossed_draws < 0 or self.crossed_seeds < 2:
            raise BadInput("study.crossed_draws must be at least 0 and study.crossed_seeds at least 2")
        if self.resplits < 0 or (self.resplits and self.resplit is None):
            raise BadInput(f"study.resplits={self.resplits}: at least 0, and the split must have a seed")
        if self.rows is not None:
            check_size(self.rows, self.split)

    def _check_design(self, arm: str) -> None:
        asked = list(self.designs.get(arm, (self.draws, self.seeds)))
        if len(asked) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in asked):
            raise BadInput(f"{arm}: draws and seeds are {asked}; expected two whole numbers of at least 1")
        if asked == [1, 1]:
            raise BadInput(
                f"{arm}: one draw and one seed is a single run, nothing varies; ask for more of one"
            )
        if asked[0] > self.draws:
            raise BadInput(f"study.designs.{arm} asks for {asked[0]} draws, the study has {self.draws}")
        if self.pools and asked[0] > self.pools:
            raise BadInput(f"study.draws={asked[0]} needs study.pools of at least as many, not {self.pools}")

    @cached_property
    def rows(self) -> int | None:
        """Training rows of a draw; None is the whole train part."""
        if self.size is not None or self.draws == 1:
            return self.size
        block = len(self.split.train) // (self.pools or self.draws)
        size = SMALLEST
        while 2 * size <= block:
            size *= 2
        return min(size, block)

    @cached_property
    def more_splits(self) -> tuple[Split, ...]:
        """The re-splits, each unlike the study's split and one another.

        Raises:
            BadInput: the split's seed changes nothing, or a train part is smaller than a draw.
        """
        found: dict[str, Split] = {}
        for seed in range(1, 2 * self.resplits + 9):
            if len(found) == self.resplits or self.resplit is None:
                break
            other = self.resplit(seed)
            if other.fingerprint == self.split.fingerprint or other.fingerprint in found:
                continue
            other.verify(self.corpus)
            if self.rows is not None and self.rows > len(other.train):
                raise BadInput(f"re-split {seed} has {len(other.train)} training rows, a draw {self.rows}")
            found[other.fingerprint] = other
        if len(found) < self.resplits:
            raise BadInput(f"the split's seed gave {len(found)} different re-splits of {self.resplits}")
        return tuple(found.values())

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan."""
        names = (
            *("draws", "seeds", "size", "pools", "crossed_draws", "crossed_seeds", "resplits"),
            *("metric", "budget", "selection", "test_rows"),
        )
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            "designs": {name: list(design) for name, design in self.designs.items()},
            "differences": [float(d) for d in self.differences],
            "more_splits": [split.fingerprint for split in self.more_splits],
            **{name: getattr(self, name) for name in names},
        }

    def design(self, arm: str) -> tuple[int, int]:
        """(draws, seeds) of an arm."""
        draws, seeds = self.designs.get(arm, (self.draws, self.seeds))
        return draws, seeds

    def specs(self, arm: str, draw: int) -> list[RunSpec]:
        """The runs of one arm on one draw, one a seed."""
        return self._of(self.split, self.design(arm)[1]).specs(
            self.arms[arm], self.rows, draw, self.budget, self.test_rows
        )

    def _of(self, split: Split, seeds: int) -> Design:
        scheme = "natural"
        return Design(
            self.corpus.fingerprint, split.fingerprint, self.metric, self.selection, seeds, scheme, self.pools
        )

    def crossed(self, arm: str) -> dict[int, list[list[RunSpec]]]:
        """Draw -> initialisations x orders; the diagonal are runs of the nested design."""
        if "order_seed" not in inspect.signature(resolve(self.arms[arm].target)).parameters:
            return {}
        draws, seeds = self.design(arm)
        if min(self.crossed_seeds, seeds) < 2:
            return {}
        blocks = {}
        for draw in range(min(self.crossed_draws, draws)):
            first = self.specs(arm, draw)[: self.crossed_seeds]
            blocks[draw] = [
                [replace(a, seeds=Seeds(a.seeds.initialisation, b.seeds.order)) for b in first] for a in first
            ]
        return blocks

    def resplit_specs(self, arm: str) -> list[RunSpec]:
        """A run on each re-split: a training draw and a seed of its own."""
        found = []
        for split in self.more_splits:
            spec = self._of(split, 1).specs(self.arms[arm], self.rows, 0, self.budget, self.test_rows)[0]
            key = f"{split.fingerprint}/{spec.seeds.initialisation}"
            seed = zlib.crc32(key.encode("utf-8")) & 0x7FFFFFFF
            found.append(replace(spec, seeds=Seeds(seed, seed)))
        return found

    def wanted(self, arm: str) -> list[RunSpec]:
        """Every run of one arm, each once."""
        specs = [spec for draw in range(self.design(arm)[0]) for spec in self.specs(arm, draw)]
        specs += [spec for block in self.crossed(arm).values() for row in block for spec in row]
        return list({spec.digest: spec for spec in [*specs, *self.resplit_specs(arm)]}.values())

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """Every arm's runs, at once."""
        return [spec for arm in self.arms for spec in self.wanted(arm)]

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """None: the plan depends on no result."""
        return 0

    @cached_property
    def overlap(self) -> float:
        """f of methods.md 1: share of the train part a draw uses, 0 where draws are disjoint."""
        return overlap_fraction(self.rows, len(self.split.train), self.pools) if self.rows else 0.0

    def grid(self, records: Mapping[str, RunRecord]) -> Grid:
        """The cells with every seed finished; the whole train part stands as size 0."""
        wanted = {
            (arm, self.rows or 0, draw): [spec.digest for spec in self.specs(arm, draw)]
            for arm in self.arms
            for draw in range(self.design(arm)[0])
        }
        return collect(records, wanted, self.split.groups, {self.rows or 0: self.overlap})

    def group(self, arm: str, records: Mapping[str, RunRecord], grid: Grid) -> Group:
        """One arm's runs as one result."""
        draws, seeds = self.design(arm)
        runs = {
            draw: [records[s.digest] for s in self.specs(arm, draw) if s.digest in records]
            for draw in range(draws)
        }
        mean, share = self._mean(arm, grid)
        return Group(
            arm=arm,
            metric=self.metric,
            planned=draws * seeds,
            runs={draw: found for draw, found in runs.items() if found},
            crossed={
                draw: [[records.get(spec.digest) for spec in row] for row in block]
                for draw, block in self.crossed(arm).items()
            },
            resplits=[records[s.digest] for s in self.resplit_specs(arm) if s.digest in records],
            one_set=draws == 1,
            mean=mean,
            row_share=share,
        )

    def _mean(self, arm: str, grid: Grid) -> tuple[Score, float | None]:
        """Mean with its two-way interval, and the share of its variance that only test rows reduce."""
        size, metric = self.rows or 0, metric_named(self.metric)
        cells = [grid.cells[arm, size, draw] for draw in grid.draws(arm, size)]
        if not cells:
            return Score(self.metric, None, None, None, 0, "no draw has all of its runs"), None
        ids = common_ids(cells)
        values = np.array([[grid.row_values(metric, cell)[id_] for id_ in ids] for cell in cells])
        clusters = cluster_index(ids, self.split.groups)
        mean = paired_mean(values, self.overlap, clusters)
        gap, method = Gap(mean.mean, mean.se, mean.df), f"two-way over {len(cells)} draws and test rows"
        if len(cells) == 1:
            seeds = np.array([metric.row_values(t.gold_index, t.probabilities) for t in cells[0].tests])
            gap, method = over_seeds(mean, [seeds], clusters), "two-way over seeds and test rows"
        low, high = gap.interval(0.95)
        low, high = max(low, metric.bounds[0]), min(high, metric.bounds[1])
        share = mean.components["row"] / mean.variance if mean.variance > 0 and len(cells) > 1 else None
        return Score(self.metric, gap.mean, low, high, mean.rows, method), share

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """Components, seeds needed and summaries of every arm, the pairs, and the sentence."""
        grid = self.grid(records)
        groups = {arm: self.group(arm, records, grid) for arm in sorted(self.arms)}
        results = {arm: group.to_json(self.differences) for arm, group in groups.items()}
        arms: Json = {
            arm: {
                "title": title(self.arms[arm]),
                "component": self.arms[arm].to_json(),
                "family": self.specs(arm, 0)[0].family,
                "design": list(self.design(arm)),
                "result": results[arm],
            }
            for arm in groups
        }
        pairs = [self._pair(grid, groups, a, b) for a, b in itertools.combinations(sorted(groups), 2)]
        parts = [{"arm": arm, **part.to_json()} for arm, group in groups.items() for part in group.components]
        rows = group_rows({arm: (self.specs(arm, 0)[0].family, results[arm]) for arm in groups})
        told = words.Told(self, groups)
        return Verdict(
            study=self.name,
            kind=told.kind,
            sentence=told.sentence,
            numbers={
                "metric": self.metric,
                **surroundings(self.corpus, self.split),
                "size": self.rows,
                "overlap": self.overlap,
                "resplits": [split.fingerprint for split in self.more_splits],
                "arms": arms,
                "pairs": pairs,
                "tables": {"groups": rows, "components": parts, "group_pairs": pairs},
            },
            population=told.population,
            would_change=told.would_change,
            next_step=told.next_step,
            flags=told.flags(self.wanted, records),
            runs=tuple(sorted(records)),
        )

    def _lead(self, grid: Grid, left: str, right: str) -> Json:
        """Lead of ``left`` with the two-way interval over draws and rows; of one set, over seeds and rows."""
        size, metric = self.rows or 0, metric_named(self.metric)
        found = grid.evidence(self.metric, right, left, size, range(self.draws))
        if found is None or (len(found[0].differences) < 2 and self.draws > 1):
            return {"lead": None, "low": None, "high": None}
        mean = paired_mean(found[0].differences, self.overlap, found[1])
        gap = Gap(mean.mean, mean.se, mean.df)
        if self.draws == 1:
            cells = [grid.cells[arm, size, 0] for arm in (left, right)]
            ids = common_ids(cells)
            tests = [[test.rows(ids) for test in cell.tests] for cell in cells]
            values = [
                np.array([metric.row_values(t.gold_index, t.probabilities) for t in ts]) for ts in tests
            ]
            gap = over_seeds(mean, values, found[1])
        low, high = gap.interval(0.95)
        return {"lead": gap.mean, "low": low, "high": high}

    def _pair(self, grid: Grid, groups: Mapping[str, Group], left: str, right: str) -> Json:
        """Two arms: difference with the two-way interval, probability of improvement, draws needed."""
        metric = metric_named(self.metric)
        sign = 1.0 if metric.larger_is_better else -1.0
        one, other = groups[left].scores, groups[right].scores
        shared = sorted(set(one) & set(other))
        won = improvement([sign * one[d] for d in shared], [sign * other[d] for d in shared])
        gaps = np.array([one[d].mean() - other[d].mean() for d in shared])
        row: Json = {"left": left, "right": right, "draws": len(shared), **self._lead(grid, left, right)}
        row |= {f"improvement{end}": getattr(won, key) for end, key in
                (("", "value"), ("_low", "low"), ("_high", "high"), ("_method", "method"))}  # fmt: skip
        sd = None
        if len(gaps) > FEWEST_DEGREES and np.ptp(gaps) > 0:
            sd = upper_limit([(1.0, MeanSquare(float(gaps.var(ddof=1)), len(gaps) - 1))]) ** 0.5
        for difference in self.differences:
            row[f"draws_for_{difference:g}"] = (
                None if sd is None else runs_needed(difference, sd, paired=True)
            )
        return row
