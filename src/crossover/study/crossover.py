"""The crossover study: from how many labels on does the expensive arm pay, and does it stop?

Two stages (methods.md 1): a few draws on the full grid locate the change of sign, fresh draws
at the sizes around it decide; the verdict reads the second stage only. Arms under ``limits``
run on a grid of their own and are pilots or illustrations beside the primary pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.crossing_verdict import MAX_OVERLAP
from crossover.measure.looks import level_of, setting_of
from crossover.measure.metric.metric import metric_named
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import overlap_fraction
from crossover.split.split import Split
from crossover.study import crossover_answer
from crossover.study.grid import Design, Grid, collect
from crossover.study.study import Verdict

DECIDING_SIZES = 4
LARGEST_SHARE = 0.85
"""Share of the pool up to which the grid goes by itself: beyond it draws hardly differ."""
PRICES = ("label", "hour", "prediction", "volume", "points")
PLAIN = (
    *("cheap", "expensive", "locate_draws", "draws", "seeds", "pools", "scheme", "metric", "margin"),
    *("second_margin", "equivalence", "selection", "test_rows", "named_ends"),
)
"""Settings that are plain values as they stand."""


@dataclass(frozen=True)
class Limit:
    """A grid of its own for an arm too dear for the full one; one draw is an illustration."""

    sizes: tuple[int, ...]
    draws: int = 1
    test_rows: int | None = None


@dataclass
class CrossoverStudy:
    """Which of two arms is better at which number of labels, and where that changes.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split, shared by every arm.
        arms: name -> model; the names are used in sentences.
        cheap: the arm that must be beaten.
        expensive: the arm that may pay; with ``cheap`` the primary pair, named before the run.
        sizes: grid of training rows (or rows a class, for scheme=per_class), ascending; None
            doubles from 50 (4 a class) up to 3,200 (256), as far as the pool goes.
        locate_draws: draws on the full grid, used only to locate.
        draws: fresh draws at the bracketing sizes, which decide; four or fewer are a pilot.
        seeds: runs a draw, averaged before draws are compared; 1 is best at a fixed total.
        pools: number of disjoint pools the train part is cut into; bounds the total draws.
        scheme: natural (prevalence as it is, the primary answer) or per_class.
        metric: metric of record.
        margin: least difference worth paying for, set before the run; ``second_margin`` is
            reported beside it.
        equivalence: half-width within which the gain counts as vanished.
        budgets: tuning trials an arm; the first is the headline, further ones ask whether the
            verdict depends on the tuning budget.
        selection: inside or shared, the rule that picks among trials.
        limits: arm -> grid of its own.
        prices: ``label``, ``hour`` and ``prediction`` in one currency, ``volume`` predictions
            over the model's life; with ``points``, the hundredths of the score that one unit of
            it must buy, the crossing is also asked with costs counted.
        test_rows: cap on scored test rows, None for all.
        named_ends: the two ends of the grid were named beforehand as the places of the claim.
        looks: looks declared at the test part, which share 5%: intervals are at 1 - .05/looks.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    cheap: str
    expensive: str
    sizes: Sequence[int] | None = None
    locate_draws: int = 2
    draws: int = 8
    seeds: int = 1
    pools: int = 16
    scheme: str = "natural"
    metric: str = "macro_f1"
    margin: float = 0.0
    second_margin: float = 0.01
    equivalence: float = 0.01
    budgets: Sequence[int] = (1,)
    selection: str = "inside"
    limits: Mapping[str, Limit] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    test_rows: int | None = None
    named_ends: bool = False
    looks: int = 1
    name: str = "crossover"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        for role, arm in (("cheap", self.cheap), ("expensive", self.expensive)):
            if arm not in self.arms:
                raise BadInput(f"study.{role}={arm!r} is no arm; the arms are {sorted(self.arms)}")
            if arm in self.limits:
                raise BadInput(
                    f"study.limits names {arm!r}, which is of the primary pair; set sizes and draws"
                )
        if self.cheap == self.expensive:
            raise BadInput(f"study.cheap and study.expensive are both {self.cheap!r}; name two arms")
        unknown = set(self.limits) - set(self.arms)
        if unknown:
            raise BadInput(
                f"study.limits names {sorted(unknown)[0]!r}, which is no arm; arms: {sorted(self.arms)}"
            )
        _check_prices(self.prices)
        total = self.locate_draws + self.draws
        if self.pools and total > self.pools:
            raise BadInput(
                f"{total} draws from {self.pools} disjoint pools: raise study.pools to at least {total}"
            )
        if self.locate_draws < 1 or self.draws < 2 or self.seeds < 1:
            raise BadInput("study.locate_draws and study.seeds must be at least 1, study.draws at least 2")
        for arm, sizes in {
            "the study": self.grid_sizes,
            **{a: v.sizes for a, v in self.limits.items()},
        }.items():
            _check_sizes(arm, list(sizes), self._pool_rows, self.scheme)

    @cached_property
    def grid_sizes(self) -> list[int]:
        """The grid of the full arms."""
        if self.sizes is not None:
            return list(self.sizes)
        first, last = (50, 3200) if self.scheme == "natural" else (4, 256)
        return [first << k for k in range(20) if first << k <= min(last, LARGEST_SHARE * self._pool_rows)]

    @property
    def _pool_rows(self) -> int:
        """Training rows, or rows of the smallest class for scheme=per_class."""
        if self.scheme == "natural":
            return len(self.split.train)
        labels = self.corpus.rows(self.split.train).labels
        return int(np.min(np.unique(labels, return_counts=True)[1]))

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan; their digest names the study's folder."""
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            "sizes": self.grid_sizes,
            "budgets": list(self.budgets),
            "prices": dict(self.prices),
            "limits": {
                arm: {"sizes": list(limit.sizes), "draws": limit.draws, "test_rows": limit.test_rows}
                for arm, limit in self.limits.items()
            },
            **{name: getattr(self, name) for name in PLAIN},
            **setting_of(self.looks),
        }

    @property
    def level(self) -> float:
        """Coverage of the primary pair's intervals."""
        return level_of(self.looks)

    @property
    def full_arms(self) -> list[str]:
        """Arms that run on the full grid."""
        return [arm for arm in self.arms if arm not in self.limits]

    @property
    def locating(self) -> range:
        """Draws of the first stage."""
        return range(self.locate_draws)

    @property
    def deciding(self) -> range:
        """Draws of the second stage, none of them in the first."""
        return range(self.locate_draws, self.locate_draws + self.draws)

    def specs(self, arm: str, size: int, draw: int, budget: int) -> list[RunSpec]:
        """The runs of one cell, one a seed."""
        limit = self.limits.get(arm)
        rows = limit.test_rows if limit is not None else self.test_rows
        return self.design.specs(self.arms[arm], size, draw, budget, rows)

    @property
    def design(self) -> Design:
        """What every run of this study shares."""
        return Design(
            self.corpus.fingerprint,
            self.split.fingerprint,
            self.metric,
            self.selection,
            self.seeds,
            self.scheme,
            self.pools,
        )

    def cells(
        self, records: Mapping[str, RunRecord], budget: int
    ) -> dict[tuple[str, int, int], list[RunSpec]]:
        """Every (arm, size, draw) wanted at one budget, given what is finished.

        Large sizes come first: subsets are nested, so the vectors of the others are then cached,
        and the time left is judged by the dear runs.
        """
        stages = [(self.grid_sizes, self.locating), (self.deciding_sizes(records), self.deciding)]
        wanted = {
            (arm, size, draw): self.specs(arm, size, draw, budget)
            for sizes, draws in stages
            for draw in draws
            for size in reversed(sizes)
            for arm in self.full_arms
        }
        for arm, limit in self.limits.items() if budget == self.budgets[0] else ():
            for draw in range(limit.draws):
                for size in reversed(limit.sizes):
                    for name in (arm, self.cheap):
                        wanted[name, size, draw] = self.specs(name, size, draw, budget)
        return wanted

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """First the full grid, then fresh draws at the sizes that bracket a change of sign."""
        specs: dict[str, RunSpec] = {}
        for budget in self.budgets:
            for cell in self.cells(records, budget).values():
                specs.update({spec.digest: spec for spec in cell})
        return list(specs.values())

    def grid(self, records: Mapping[str, RunRecord], budget: int, located: bool = True) -> Grid:
        """The finished cells at one budget; ``located`` False leaves the second stage out."""
        cells = self.cells(records if located else {}, budget)
        digests = {key: [spec.digest for spec in specs] for key, specs in cells.items()}
        sizes = {size for _, size, _ in cells}
        overlap = {size: overlap_fraction(size, self._pool_rows, self.pools) for size in sizes}
        return collect(records, digests, self.split.groups, overlap)

    def deciding_sizes(self, records: Mapping[str, RunRecord]) -> list[int]:
        """The sizes of the second stage, from the first stage of the headline budget alone.

        A size at which draws share over half of the pool is shown and never decides. Empty until
        two sizes have a finished pair.
        """
        first = self.grid(records, self.budgets[0], located=False) if records else None
        if first is None:
            return []
        means: dict[int, float] = {}
        for size in self.grid_sizes:
            found = first.evidence(self.metric, self.cheap, self.expensive, size, self.locating)
            if found is not None and first.overlap_of[size] <= MAX_OVERLAP:
                means[size] = float(found[0].differences.mean())
        if len(means) < 2:
            return []
        return bracketing_sizes(means, self.margin, self.named_ends)

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """The whole second stage, until the first has located it."""
        if self.deciding_sizes(records):
            return 0
        sizes = min(DECIDING_SIZES, len(self.grid_sizes))
        return len(self.budgets) * sizes * self.draws * len(self.full_arms) * self.seeds

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """The verdict, from second-stage draws only; pure in the records given."""
        return crossover_answer.conclude(self, records)


def bracketing_sizes(means: Mapping[int, float], margin: float, named_ends: bool = False) -> list[int]:
    """Up to four sizes around the best single change of sign of mean - margin, or the extremes.

    The change is put where the differences on the wrong side of it sum to least. With no change
    of sign, or where the ends were named beforehand as the places of the claim: both ends and
    the two sizes nearest the margin.
    """
    sizes = sorted(means)
    if len(sizes) <= DECIDING_SIZES:
        return sizes
    gains = np.array([means[size] - margin for size in sizes])
    if named_ends or (gains > 0).all() or (gains <= 0).all():
        inner = sorted(range(1, len(sizes) - 1), key=lambda k: abs(gains[k]))[: DECIDING_SIZES - 2]
        return [sizes[k] for k in sorted({0, len(sizes) - 1, *inner})]
    best, where = np.inf, 1
    for cut in range(1, len(sizes)):
        for sign in (1.0, -1.0):
            wrong = np.maximum(-sign * gains[:cut], 0).sum() + np.maximum(sign * gains[cut:], 0).sum()
            if wrong < best:
                best, where = float(wrong), cut
    start = min(max(where - DECIDING_SIZES // 2, 0), len(sizes) - DECIDING_SIZES)
    return sizes[start : start + DECIDING_SIZES]


def _check_prices(prices: Mapping[str, float]) -> None:
    for name, value in prices.items():
        if name not in PRICES:
            raise BadInput(f"study.prices has no entry {name!r}; expected some of {list(PRICES)}")
        if not 0 <= value < float("inf"):
            raise BadInput(f"study.prices.{name}={value}: expected a number of at least 0")


def _check_sizes(whose: str, sizes: list[int], pool: int, scheme: str) -> None:
    unit = "rows" if scheme == "natural" else "rows of the smallest class"
    if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 2:
        raise BadInput(f"sizes of {whose}: {sizes}; expected ascending numbers of at least 2")
    if sizes[-1] >= pool:
        fitting = [size for size in sizes if size <= pool // 2]
        raise BadInput(
            f"sizes of {whose} go to {sizes[-1]}, the train part has {pool} {unit}: at the whole pool "
            f"there is no draw variance. Ask for at most {pool // 2} "
            f"(study.sizes={fitting or [pool // 4, pool // 2]})"
        )
