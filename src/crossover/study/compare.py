"""The compare study: several arms, several seeds, one split; which is better, and is it real?

With ``size`` left out every arm is trained on the whole train part: the intervals then speak of
fresh test rows and seeds, conditional on this training set. With a size and draws they speak of
fresh training sets as well, paired by draw (methods.md 1).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.looks import ALPHA, level_of, percent, setting_of
from crossover.measure.metric.metric import Metric, metric_named
from crossover.measure.paired import equivalence, holm, mcnemar
from crossover.measure.two_way import (
    PairedMean,
    effects_of,
    mean_squares,
    paired_mean,
    unit_values,
    upper_draw_square,
)
from crossover.protocol.component import Component
from crossover.protocol.power import detectable
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import overlap_fraction
from crossover.split.split import Split
from crossover.study.crossover_sentence import metric_title, title
from crossover.study.grid import (
    Design,
    Grid,
    check_size,
    collect,
    common_ids,
    failed,
    median_cost,
    unfinished,
)
from crossover.study.study import Verdict, surroundings

Json = dict[str, object]
WHOLE = 0


@dataclass(frozen=True)
class Gap:
    """Difference of two arms: mean, standard error, degrees of freedom."""

    mean: float
    error: float
    degrees: float

    @property
    def p(self) -> float:
        """Two-sided P of no difference."""
        if self.error == 0:
            return 0.0 if self.mean else 1.0
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.degrees))

    def interval(self, level: float) -> tuple[float, float]:
        """t interval of the difference."""
        half = float(stats.t.ppf(0.5 + level / 2, self.degrees)) * self.error
        return self.mean - half, self.mean + half


def over_seeds(
    rows: PairedMean, seeds: Sequence[NDArray[np.float64]], clusters: NDArray[np.int64] | None
) -> Gap:
    """Difference of two arms over fresh rows and fresh seeds of each, given one training set.

    V = MSB/m + sum over arms of (MSA - MSE)/(S m), floored at either kind of term alone: what a seed does
    to single rows is in both and counted once. Degrees of freedom as in methods.md 1 (Satterthwaite,
    each MSA at its 80% upper limit: at S = 2 the observed one covers only .89).

    Args:
        rows: paired mean over the rows of the arms' difference, seeds averaged.
        seeds: (S, m) row values of each arm; an arm with one seed adds no term.
        clusters: (m,) integer cluster of each row, or None.
    """
    spread_of_seeds, twice, wide = 0.0, 0.0, rows.variance
    spread = rows.variance**2 / rows.df
    for values in seeds:
        count = len(values)
        if count < 2:
            continue
        units = unit_values(values, clusters)
        effects = effects_of(units)
        msa, _, mse = mean_squares(effects, effects)
        spread_of_seeds += msa / units.size
        twice += mse / units.size
        upper = float(upper_draw_square(np.asarray(msa), count)) / units.size
        wide += upper
        spread += upper**2 / (count - 1)
    variance = max(rows.variance + spread_of_seeds - twice, rows.variance, spread_of_seeds)
    return Gap(rows.mean, variance**0.5, wide**2 / spread if spread else rows.df)


@dataclass
class CompareStudy:
    """Arms against one another on one split.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split, shared by every arm.
        arms: name -> model.
        seeds: runs of each arm a draw.
        size: training rows of each draw; None trains on the whole train part (one "draw").
        draws: fresh training subsets, where ``size`` is given.
        pools: disjoint pools the train part is cut into for draws.
        metric: metric of record.
        equivalence: half-width within which two arms count as equal.
        budget: tuning trials an arm, the same for every arm.
        selection: inside or shared.
        test_rows: cap on scored test rows.
        looks: looks declared at the test part, which share 5%: intervals are at 1 - .05/looks.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    seeds: int = 3
    size: int | None = None
    draws: int = 1
    pools: int = 16
    metric: str = "macro_f1"
    equivalence: float = 0.01
    budget: int = 1
    selection: str = "inside"
    test_rows: int | None = None
    looks: int = 1
    name: str = "compare"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        if len(self.arms) < 2:
            raise BadInput(f"study.arms names {sorted(self.arms)}; a comparison needs at least two arms")
        if self.seeds < 1 or self.draws < 1:
            raise BadInput(f"study.seeds={self.seeds}, study.draws={self.draws}: both must be at least 1")
        if self.size is None and self.draws > 1:
            raise BadInput("study.draws > 1 needs study.size: the whole train part can be drawn only once")
        if self.size is not None:
            check_size(self.size, self.split)

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan."""
        names = (
            "seeds",
            "size",
            "draws",
            "pools",
            "metric",
            "equivalence",
            "budget",
            "selection",
            "test_rows",
        )
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            **{name: getattr(self, name) for name in names},
            **setting_of(self.looks),
        }

    @property
    def level(self) -> float:
        """Coverage of every interval."""
        return level_of(self.looks)

    def specs(self, arm: str, draw: int) -> list[RunSpec]:
        """The runs of one arm on one draw, one a seed."""
        design = Design(
            self.corpus.fingerprint,
            self.split.fingerprint,
            self.metric,
            self.selection,
            self.seeds,
            "natural",
            self.pools,
        )
        return design.specs(self.arms[arm], self.size, draw, self.budget, self.test_rows)

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """Every arm, draw and seed, at once."""
        return [spec for arm in self.arms for draw in range(self.draws) for spec in self.specs(arm, draw)]

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """None: the plan depends on no result."""
        return 0

    def grid(self, records: Mapping[str, RunRecord]) -> Grid:
        """The finished cells; the whole train part stands as size 0."""
        size = self.size or WHOLE
        wanted = {
            (arm, size, draw): [spec.digest for spec in self.specs(arm, draw)]
            for arm in self.arms
            for draw in range(self.draws)
        }
        overlap = overlap_fraction(size, len(self.split.train), self.pools) if size else 0.0
        return collect(records, wanted, self.split.groups, {size: overlap})

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """Scores of each arm, every difference with Holm's correction, and the sentence."""
        grid, metric = self.grid(records), metric_named(self.metric)
        done = [arm for arm in self.arms if grid.draws(arm, self.size or WHOLE)]
        arms = {arm: self._arm(grid, arm) for arm in done}
        pairs_of = itertools.combinations(done, 2)
        gaps = {pair: gap for pair in pairs_of if (gap := self._gap(grid, *pair)) is not None}
        adjusted = holm({" - ".join(pair): gap.p for pair, gap in gaps.items()})
        pairs = [self._pair(grid, pair, gap, adjusted) for pair, gap in gaps.items()]
        sentence, kind = self._sentence(arms, pairs, metric)
        return Verdict(
            study=self.name,
            kind=kind,
            sentence=sentence,
            numbers={
                "metric": self.metric,
                "level": self.level,
                **surroundings(self.corpus, self.split),
                "arms": arms,
                "pairs": pairs,
            },
            population=self._population(),
            would_change=("another split, training set, metric or tuning budget",),
            next_step="Ask for the size at which the order changes: study=crossover."
            if kind not in ("too_few_arms", "no_pair")
            else "Look at the failed runs (failed/ in the store), mend their cause and run again.",
            flags=tuple(self._flags(records, done, gaps)),
            runs=tuple(sorted(records)),
        )

    def _cells(self, grid: Grid, arm: str) -> list[RunRecord]:
        size = self.size or WHOLE
        return [r for draw in grid.draws(arm, size) for r in grid.cells[arm, size, draw].records]

    def _arm(self, grid: Grid, arm: str) -> Json:
        """One arm's row: mean of every run-level score; its interval is that of the first run."""
        runs = self._cells(grid, arm)
        of_first = f"interval of the first of {len(runs)} runs, value the mean of all"
        scores = {}
        widened = runs[0].scores_at(self.level, self.split.groups)
        for name in runs[0].scores:
            score = widened[name]
            values = [r.scores[name].value for r in runs]
            found = [value for value in values if value is not None]
            scores[name] = {
                **score.to_json(),
                "value": float(np.mean(found)) if found else None,
                "runs": found,
                "method": score.method if len(runs) == 1 else f"{score.method}; {of_first}",
            }
        return {
            "title": title(self.arms[arm]),
            "component": self.arms[arm].to_json(),
            "scores": scores,
            "seeds": len(runs),
            "failed": sum(failed(r, self.metric) for r in runs),
            "cost": median_cost(runs),
        }

    def _shared(self, grid: Grid, pair: tuple[str, str]) -> list[int]:
        return grid.paired_draws(*pair, self.size or WHOLE, range(self.draws))

    def _gap(self, grid: Grid, left: str, right: str) -> Gap | None:
        """Larger means ``left`` is better; None with too few draws finished by both.

        With draws the two-way variance over draws and rows; on one training set that over seeds and rows.
        """
        size = self.size or WHOLE
        found = grid.evidence(self.metric, right, left, size, range(self.draws))
        if found is None or len(found[0].differences) < min(2, self.draws):
            return None
        mean = paired_mean(found[0].differences, found[0].overlap, found[1])
        if self._over_draws:
            return Gap(mean.mean, mean.se, mean.df)
        cells = [grid.cells[arm, size, 0] for arm in (left, right)]
        ids, metric = common_ids(cells), metric_named(self.metric)
        seeds = []
        for cell in cells:
            tests = [test.rows(ids) for test in cell.tests]
            seeds.append(np.array([metric.row_values(test.gold_index, test.probabilities) for test in tests]))
        return over_seeds(mean, seeds, found[1])

    def _pair(self, grid: Grid, pair: tuple[str, str], gap: Gap, adjusted: Mapping[str, float]) -> Json:
        low, high = gap.interval(self.level)
        first = self._shared(grid, pair)[0]
        cells = [grid.cells[arm, self.size or WHOLE, first] for arm in pair]
        tests = [cell.test.rows(common_ids(cells)) for cell in cells]
        fitted = mcnemar(tests[0].gold_index, tests[0].predicted_index, tests[1].predicted_index)
        same = equivalence(gap.mean, gap.error, gap.degrees, self.equivalence, 1 - self.level)
        return {
            "left": pair[0],
            "right": pair[1],
            "difference": {"mean": gap.mean, "low": low, "high": high, "p": gap.p},
            "detectable": detectable(gap.error, gap.degrees, self.level),
            "holm_p": adjusted[" - ".join(pair)],
            "equivalent": same.equivalent,
            "equivalence": same.sentence,
            "mcnemar": fitted.sentence,
        }

    def _sentence(self, arms: Mapping[str, Json], pairs: Sequence[Json], metric: Metric) -> tuple[str, str]:
        if len(arms) < 2:
            finished = f"only {next(iter(arms))}" if arms else "no arm"
            return f"On {self.corpus.name} nothing can be compared: {finished} finished.", "too_few_arms"
        if not pairs:
            return f"On {self.corpus.name} nothing can be compared: no two arms share two draws.", "no_pair"

        def value(arm: str) -> float:
            scores = cast(Mapping[str, Mapping[str, float]], arms[arm]["scores"])
            return scores[self.metric]["value"] * (1 if metric.larger_is_better else -1)

        best = max(arms, key=value)
        ahead: list[str] = []
        for pair in pairs:
            if best in (pair["left"], pair["right"]):
                other = str(pair["right"] if pair["left"] == best else pair["left"])
                lead = cast(Mapping[str, float], pair["difference"])["mean"]
                wins = (lead if pair["left"] == best else -lead) > 0
                if wins and cast(float, pair["holm_p"]) <= ALPHA / self.looks:
                    ahead.append(other)
        level = [arm for arm in arms if arm != best and arm not in ahead]
        said = f"On {self.corpus.name}, {best} has the best {metric_title(self.metric)}, "
        said += f"{abs(value(best)):.3f}"
        if ahead:
            said += f"; it is ahead of {_listed(ahead)} beyond chance (Holm, {percent(ALPHA / self.looks)})"
        if level:
            said += f"; its lead over {_listed(level)} is not resolved"
        kind = "resolved" if not level else "best_not_resolved"
        return said + ("." if self._over_draws else ", on this one training set."), kind

    @property
    def _over_draws(self) -> bool:
        return self.size is not None and self.draws > 1

    def _population(self) -> str:
        if self._over_draws:
            return (
                f"Over fresh draws of {self.size} rows from, seeds, and fresh test rows like, corpus "
                f"{self.corpus.name} ({self.corpus.fingerprint}); not other corpora, encoders or recipes."
            )
        over, given = ("seeds and ", "") if self.seeds > 1 else ("", " and one seed an arm")
        return (
            f"Over {over}fresh test rows like corpus {self.corpus.name} ({self.corpus.fingerprint}), given "
            f"this one training set{given}; not over other training sets, corpora, encoders or recipes."
        )

    def _flags(
        self, records: Mapping[str, RunRecord], done: Sequence[str], gaps: Mapping[tuple[str, str], Gap]
    ) -> list[str]:
        seen = self.corpus.card.seen_in_pretraining
        flags = [seen] if seen else []
        flags += unfinished(self.arms, self.plan(records), records)
        apart = [pair for pair in itertools.combinations(done, 2) if pair not in gaps]
        return flags + [f"{a} and {b} share too few draws to be compared" for a, b in apart]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
