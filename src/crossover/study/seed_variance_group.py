"""One group of a seed-variance study: all runs of one arm at one size, as one result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from crossover.measure.run_summary import failure_rate, interquartile_mean, median, normality
from crossover.measure.score import Score
from crossover.measure.seeds_needed import MOST, runs_needed
from crossover.measure.variance_components import (
    FEWEST_DEGREES,
    Crossed,
    MeanSquare,
    Nested,
    Ranking,
    VarianceComponent,
    component,
    ratio,
    upper_limit,
)
from crossover.record.run_record import RunRecord
from crossover.study.grid import failed

Json = dict[str, object]
Floats = NDArray[np.float64]
DRAW, SEED, TOTAL = "training draw", "seed", "one run, draw and seed"
RESPLIT, SPLIT = "whole re-split", "split beyond draw and seed"
DOUBTFUL = 0.01
"""P of the normality test below which intervals of components are doubtful and sources are not ranked."""


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of one arm that differ by chance alone, and what they say.

    Args:
        arm: its name.
        metric: metric of record.
        planned: runs of the nested design that were asked for.
        runs: draw -> its finished runs, in the order of their seeds.
        crossed: draw -> (initialisations, orders) runs, None where one did not finish.
        resplits: finished runs of whole re-splits, one each.
        one_set: the study has a single training set, so that only seeds vary.
        mean: score over draws, seeds and test rows, with the two-way interval.
    """

    arm: str
    metric: str
    planned: int
    runs: Mapping[int, Sequence[RunRecord]]
    crossed: Mapping[int, Sequence[Sequence[RunRecord | None]]]
    resplits: Sequence[RunRecord]
    one_set: bool
    mean: Score
    row_share: float | None = None
    level: float = field(default=0.95)

    @cached_property
    def failures(self) -> frozenset[str]:
        """Digests of finished runs that failed: on select not above the majority rule, or without a score."""
        every = [record for records in self.runs.values() for record in records] + list(self.resplits)
        every += [r for block in self.crossed.values() for row in block for r in row if r is not None]
        return frozenset(r.digest for r in every if self.value(r) is None or failed(r, self.metric))

    def value(self, record: RunRecord) -> float | None:
        """A run's score on the test part."""
        value = record.scores[self.metric].value
        return None if value is None or not math.isfinite(value) else float(value)

    @cached_property
    def finished(self) -> list[RunRecord]:
        """The finished runs of the nested design."""
        return [record for records in self.runs.values() for record in records]

    @cached_property
    def failure(self) -> Score:
        """Share of the planned runs that failed or did not finish."""
        lost = self.planned - len(self.finished)
        bad = sum(record.digest in self.failures for record in self.finished)
        return failure_rate(bad + lost, self.planned, self.level)

    @cached_property
    def scores(self) -> dict[int, Floats]:
        """Draw -> scores of all its finished runs that have one, failures included."""
        found = {
            draw: np.array([v for record in records if (v := self.value(record)) is not None])
            for draw, records in self.runs.items()
        }
        return {draw: values for draw, values in sorted(found.items()) if len(values)}

    @cached_property
    def sound(self) -> dict[int, Floats]:
        """Draw -> scores of the runs that did not fail: what the components are of."""
        found = {
            draw: np.array([cast(float, self.value(r)) for r in records if r.digest not in self.failures])
            for draw, records in self.runs.items()
        }
        return {draw: values for draw, values in sorted(found.items()) if len(values)}

    @cached_property
    def identical(self) -> bool:
        """Whether on every draw all seeds gave the same test predictions, bit for bit."""
        several = [records for records in self.runs.values() if len(records) > 1]
        return bool(several) and all(
            np.array_equal(_probabilities(records[0]), _probabilities(other))
            for records in several
            for other in records[1:]
        )

    @cached_property
    def nested(self) -> Nested | None:
        """The nested design of the runs that did not fail; identical seeds count as one."""
        if not self.sound:
            return None
        if self.identical:
            return Nested(tuple(values[:1] for values in self.sound.values()))
        return Nested(tuple(self.sound.values()))

    @cached_property
    def components(self) -> list[VarianceComponent]:
        """Every source that the design tells apart, and those it does not, with the reason."""
        nested = self.nested
        if nested is None:
            return []
        if self.one_set:
            found = [self._seed(nested)]
        elif self.identical:
            found = [component(DRAW, nested.total_terms, self.level), self._seed(nested)]
        elif not nested.seed.degrees:
            found = [component(TOTAL, nested.total_terms, self.level)]
        else:
            found = [
                component(DRAW, nested.draw_terms, self.level),
                self._seed(nested),
                component(TOTAL, nested.total_terms, self.level),
            ]
        return found + self._crossed_components() + self._split_components(nested)

    def _seed(self, nested: Nested) -> VarianceComponent:
        if self.identical:
            said = "bit-identical over seeds: every seed gave the same test predictions on every draw"
            return VarianceComponent(SEED, None, None, None, 0, said, self.level)
        found = component(SEED, [(1.0, nested.seed)], self.level)
        if found.variance is None and not nested.seed.value and nested.seed.degrees >= FEWEST_DEGREES:
            said = f"refused: predictions differ between seeds, but {self.metric} is too coarse to show it"
            return replace(found, method=said)
        return found

    @cached_property
    def blocks(self) -> Crossed | None:
        """Initialisation x order on the draws where every crossed run finished and did not fail."""
        whole = [
            [[cast(float, self.value(r)) for r in row if r is not None] for row in block]
            for _, block in sorted(self.crossed.items())
            if all(r is not None and r.digest not in self.failures for row in block for r in row)
        ]
        return Crossed(np.array(whole)) if whole else None

    def _crossed_components(self) -> list[VarianceComponent]:
        if not self.crossed:
            return []
        if self.blocks is None:
            said = "refused: no draw has all of its crossed runs"
            names = ("initialisation", "order", "initialisation x order")
            return [VarianceComponent(name, None, None, None, 0, said, self.level) for name in names]
        return self.blocks.components(self.level)

    def _split_components(self, nested: Nested) -> list[VarianceComponent]:
        values = np.array([self.value(r) for r in self.resplits if r.digest not in self.failures])
        if len(values) < 2:
            return []
        square = MeanSquare(float(values.astype(np.float64).var(ddof=1)), len(values) - 1)
        found = [component(RESPLIT, [(1.0, square)], self.level)]
        if not self.one_set:
            taken = [(-c, s) for c, s in nested.total_terms]
            found.append(component(SPLIT, [(1.0, square), *taken], self.level))
        return found

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Pairs of sources whose ratio has an exact F interval."""
        found: list[Ranking] = []
        nested = self.nested
        if nested is not None and not self.one_set and nested.seed.degrees:
            one = ratio(DRAW, SEED, nested.draw, nested.seed, nested.repeats, self.level)
            found += [one] if one is not None else []
        found += self.blocks.rankings(self.level) if self.blocks is not None else []
        doubtful = self.normal is not None and self.normal < DOUBTFUL
        return [replace(one, doubtful=doubtful) for one in found]

    @property
    def draw_against_seed(self) -> Ranking | None:
        """The ranking of training draw and seed, where the design has it."""
        return next((r for r in self.rankings if (r.first, r.second) == (DRAW, SEED)), None)

    def named(self, source: str) -> VarianceComponent | None:
        """The component of a source."""
        return next((part for part in self.components if part.source == source), None)

    @cached_property
    def change(self) -> tuple[float, int] | None:
        """Largest difference seen between two seeds of one draw, and the draw; failures included."""
        ranges = {draw: float(np.ptp(v)) for draw, v in self.scores.items() if len(v) > 1}
        if not ranges:
            return None
        draw = max(ranges, key=lambda key: (ranges[key], -key))
        return ranges[draw], draw

    @cached_property
    def normal(self) -> float | None:
        """P that the seeds' residuals are normal."""
        return normality(self.nested.residuals) if self.nested is not None else None

    def upper_sds(self) -> dict[str, float | None]:
        """80% upper limits of the SD of a seed on one training set, and of a run on a fresh draw."""
        nested = self.nested
        if nested is None:
            return {"one training set": None, "fresh draws": None}
        seed = nested.seed
        given = upper_limit([(1.0, seed)]) if seed.degrees >= FEWEST_DEGREES else None
        fresh = None
        if nested.draw.degrees >= FEWEST_DEGREES:
            fresh = upper_limit(nested.total_terms)
        return {
            "one training set": None if given is None else math.sqrt(given),
            "fresh draws": None if fresh is None else math.sqrt(fresh),
        }

    def needed(self, differences: Sequence[float]) -> list[Json]:
        """Runs an arm that show each difference, both arms varying as this one does."""
        rows = []
        for given, sd in self.upper_sds().items():
            for difference in differences:
                runs, said = None, "refused: too few degrees of freedom, or no variation seen"
                if self.identical and given == "one training set":
                    runs, said = 1, "bit-identical over seeds: more of them change nothing"
                elif sd:
                    runs = runs_needed(difference, sd)
                    said = f"more than {MOST:,}" if runs is None else f"{runs:,}"
                rows.append({"difference": difference, "given": given, "sd": sd, "runs": runs, "said": said})
        return rows

    def to_json(self, differences: Sequence[float]) -> Json:
        """The whole result as plain JSON values."""
        every = list(self.scores.values())
        change = self.change
        return {
            "runs": {
                "planned": self.planned,
                "finished": len(self.finished),
                "failed": sum(record.digest in self.failures for record in self.finished),
            },
            "mean": self.mean.to_json(),
            "row_share": self.row_share,
            "median": median(every).to_json() if every else None,
            "interquartile_mean": interquartile_mean(every).to_json() if every else None,
            "failure_rate": self.failure.to_json(),
            "identical": self.identical,
            "change": None if change is None else {"largest": change[0], "draw": change[1]},
            "components": [part.to_json() for part in self.components],
            "rankings": [one.to_json() for one in self.rankings],
            "normality": self.normal,
            "needed": self.needed(differences),
            "by_draw": [{"draw": d, "scores": [float(v) for v in vs]} for d, vs in self.scores.items()],
            "resplits": [self.value(record) for record in self.resplits],
        }


def group_rows(results: Mapping[str, tuple[str, Json]]) -> list[Json]:
    """One flat row a group (arm -> its runs' family and result), all with the same columns."""
    rows = [_group_row(arm, family, result) for arm, (family, result) in results.items()]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return [{column: row.get(column) for column in columns} for row in rows]


def _group_row(arm: str, family: str, result: Json) -> Json:
    runs = cast(Mapping[str, int], result["runs"])
    row: Json = {"arm": arm, "group": family, **{f"runs_{key}": value for key, value in runs.items()}}
    for name in ("mean", "median", "interquartile_mean", "failure_rate"):
        score = cast(Mapping[str, object] | None, result[name]) or {}
        row |= {name: score.get("value"), f"{name}_low": score.get("low"), f"{name}_high": score.get("high")}
    change = cast(Mapping[str, object] | None, result["change"]) or {}
    row |= {"identical_over_seeds": result["identical"], "largest_seed_change": change.get("largest")}
    for part in cast(Sequence[Mapping[str, object]], result["components"]):
        name = str(part["source"]).replace(",", "").replace(" ", "_")
        row |= {
            f"sd/{name}": part["sd"],
            f"sd/{name}/low": part["sd_low"],
            f"sd/{name}/high": part["sd_high"],
        }
    return row


def _probabilities(record: RunRecord) -> Floats:
    return record.predictions.part("test").probabilities
