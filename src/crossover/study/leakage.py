"""The leakage study: what are copies of test rows in train worth, and does the split serve the goal?

Each repartition cuts the corpus anew by the candidate's own recipe and keeps its test part. Two training
sets of the same rows a class are made for it (split/swapped_pair.py), so that every test row with a copy in
train is predicted with its cluster and without it (methods.md 7). Beside it every arm is asked to tell the
split's train from its test, by runs on a corpus whose label is the part: after a random cut it should not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.look.duplicates import KINDS, duplicate_clusters
from crossover.look.finding import Finding
from crossover.measure.looks import level_of, setting_of
from crossover.measure.metric.metric import metric_named
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.allotment import halve
from crossover.split.audit import audit
from crossover.split.clusters import clusters_of_parts, declared_groups, join
from crossover.split.goal import check_column, goal_named
from crossover.split.split import Split
from crossover.split.swapped_pair import SwappedPair, swapped_pair
from crossover.study import leakage_sentence as words
from crossover.study.grid import Design
from crossover.study.leakage_answer import Json, arm_answer, told_apart
from crossover.study.study import Verdict

FEWEST_REPARTITIONS = 2
FIXED = ("temporal", "predefined")
"""Ways to split whose test part no seed moves: the repartitions then deal other clusters only."""
GROUP = "group:"
MOST_IN_ONE = 0.5
"""Share of the rows beyond which one unit leaves no errors to take."""


@dataclass
class LeakageStudy:
    """The same rows seen and unseen, and train told from test.

    Args:
        corpus: the corpus, as kept in the store.
        split: the candidate: the split whose leak is asked about.
        arms: name -> model.
        stratum: what makes two rows siblings: ``near``, ``normalised`` or ``exact`` duplicates, or
            ``group:COLUMN``, a declared meta column.
        threshold: Jaccard similarity of near-duplicates.
        repartitions: cuts of the corpus by the candidate's recipe, from 2 up; below 10 a pilot.
        seeds: runs of each training set.
        goal: what the score shall predict (split/goal.py); a cost is defined only against one.
        margin: a cost within plus or minus so much is of no matter, in units of the metric.
        resplit: seed -> the split under that seed; without it, and for splits that no seed moves, every
            repartition has the candidate's own test part.
        metric: metric of record.
        budget: tuning trials an arm, inside its training rows.
        looks: looks declared at the test part, which share 5%: intervals are at 1 - .05/looks.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    stratum: str = "near"
    threshold: float = 0.5
    repartitions: int = 10
    seeds: int = 1
    goal: str | None = None
    margin: float = 0.005
    resplit: Callable[[int], Split] | None = None
    metric: str = "macro_f1"
    budget: int = 1
    looks: int = 1
    name: str = "leakage"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        check_column(goal_named(self.goal), self.corpus)
        if not self.arms:
            raise BadInput("study.arms is empty; give at least one: +model@study.arms.tfidf=naive_bayes")
        if self.repartitions < FEWEST_REPARTITIONS or self.seeds < 1 or self.budget < 1:
            raise BadInput(
                f"study.repartitions={self.repartitions}, study.seeds={self.seeds}, study.budget="
                f"{self.budget}: repartitions from {FEWEST_REPARTITIONS} up, the others at least 1"
            )
        if not 0 < self.margin < 1:
            raise BadInput(f"study.margin={self.margin}: expected a difference of the metric above 0")
        if self.stratum not in KINDS and self.column not in self.corpus.meta:
            raise BadInput(
                f"study.stratum={self.stratum!r}: expected one of {KINDS}, or group: and a declared column "
                f"of {sorted(self.corpus.meta)}"
            )

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan and the verdict."""
        names = ("stratum", "threshold", "repartitions", "seeds", "goal", "margin", "metric", "budget")
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            "candidates": [split.fingerprint for split in self.candidates],
            **{name: getattr(self, name) for name in names},
            **setting_of(self.looks),
        }

    @property
    def level(self) -> float:
        """Coverage of the intervals of one arm; several share what is left."""
        return level_of(self.looks)

    @property
    def column(self) -> str:
        """The declared column whose values make siblings; empty where duplicates are."""
        return self.stratum.removeprefix(GROUP) if self.stratum.startswith(GROUP) else ""

    @cached_property
    def cluster_of(self) -> dict[str, str]:
        """Cluster of each labelled row that has a sibling, by the stratum asked."""
        rows = [(i, t) for i, t, lab in self._rows() if lab is not None]
        ids = [i for i, _ in rows]
        if self.column:
            return declared_groups(self.corpus, ids, [self.column])[0]
        return duplicate_clusters(ids, [t for _, t in rows], self.threshold, self.stratum)

    @cached_property
    def group_values(self) -> dict[str, str]:
        """The value of each row in the stratum's column; nothing where the stratum is duplicates."""
        if not self.column:
            return {}
        values = self.corpus.meta_values(self.column)
        return {id_: str(value) for id_, value in zip(self.corpus.ids, values, strict=True) if value}

    def _rows(self) -> zip[tuple[str, str, str | None]]:
        return zip(self.corpus.ids, self.corpus.texts, self.corpus.labels, strict=True)

    @cached_property
    def unit_of(self) -> dict[str, str]:
        """What errors are taken over: rows that share a cluster of the stratum or of the split."""
        return self._units[0]

    @property
    def tied(self) -> bool:
        """Whether copies tie most rows into one unit that the stratum alone does not make.

        Templates sent to several mailboxes join the mailboxes, and of a single unit nothing can be said.
        The stratum's own clusters are the units then.
        """
        return self._units[1]

    @cached_property
    def _units(self) -> tuple[dict[str, str], bool]:
        alone, both = (
            join(self.corpus.ids, groups)
            for groups in ([self.cluster_of], [self.cluster_of, self.split.groups])
        )
        least, most = (max(Counter(units.values()).values(), default=0) for units in (alone, both))
        tied = most > MOST_IN_ONE * len(self.corpus) >= least
        return (alone if tied else both), tied

    @cached_property
    def served(self) -> Finding:
        """Whether the split serves the goal, as its audit says."""
        kinds = ("near",) if self.goal == "new" else ()
        findings = audit(self.corpus, self.split, self.threshold, kinds, self.goal)
        return next(finding for finding in findings if finding.code in ("goal", "goal-contradicted"))

    @property
    def shared(self) -> bool:
        """Whether any test row of any repartition has a sibling in train."""
        return any(pair.share > 0 for pair in self.pairs)

    @property
    def moves(self) -> bool:
        """Whether another seed of the recipe gives another test part."""
        return self.resplit is not None and self.split.recipe.get("method") not in FIXED

    @cached_property
    def candidates(self) -> tuple[Split, ...]:
        """The repartitions, the candidate first.

        Raises:
            BadInput: the split's seed changes too little.
        """
        if not self.moves or self.resplit is None:
            return (self.split,) * self.repartitions
        found = {self.split.fingerprint: self.split}
        for seed in range(1, 2 * self.repartitions + 9):
            if len(found) == self.repartitions:
                break
            other = self.resplit(seed)
            other.verify(self.corpus)
            found.setdefault(other.fingerprint, other)
        if len(found) < self.repartitions:
            raise BadInput(
                f"the split's seed gave {len(found)} different cuts of {self.repartitions}: "
                "ask for fewer (study.repartitions)"
            )
        return tuple(found.values())

    @cached_property
    def pairs(self) -> tuple[SwappedPair, ...]:
        """The two training sets of each repartition."""
        return tuple(
            swapped_pair(self.corpus, split, self.cluster_of, seed)
            for seed, split in enumerate(self.candidates)
        )

    def swaps(self, repartition: int) -> bool:
        """Whether any cluster of a repartition could be exchanged, so that there is something to run."""
        pair = self.pairs[repartition]
        return bool(pair.seen_left or pair.seen_right)

    @cached_property
    def parts_corpus(self) -> Corpus:
        """The rows of train and test, labelled by their part."""
        ids = [*self.split.train, *self.split.test]
        rows = self.corpus.select(ids)
        label = pa.array(["train"] * len(self.split.train) + ["test"] * len(self.split.test), pa.string())
        place = rows.table.column_names.index("label")
        table = rows.table.set_column(place, "label", label)
        return Corpus(f"{self.corpus.name[:58]}_parts", table, self.corpus.card, self.corpus.meta)

    @cached_property
    def halves(self) -> tuple[Split, ...]:
        """Two splits of :attr:`parts_corpus`: each half of the clusters is the test part once.

        Empty where clusters are too large for two halves with rows of both parts.
        """
        corpus = self.parts_corpus
        labels = {id_: str(label) for id_, label in zip(corpus.ids, corpus.labels, strict=True)}
        cut = list(halve(corpus.ids, labels, self.unit_of, 0).values())
        if any(len({labels[id_] for id_ in half}) < len(corpus.classes) for half in cut):
            return ()
        made = []
        for held in (0, 1):
            parts = {
                "train": tuple(sorted(cut[1 - held])), "select": (), "calibrate": (),
                "test": tuple(sorted(cut[held])),
            }  # fmt: skip
            recipe = {"method": "halves", "of": self.split.fingerprint, "settings": {"held": held}}
            groups = clusters_of_parts(parts, [self.unit_of])
            made.append(Split(corpus.fingerprint, parts, groups, recipe))
        return tuple(made)

    @cached_property
    def more_splits(self) -> tuple[Split, ...]:
        """The two sides of each repartition, and the halves."""
        sides = [side for r, p in enumerate(self.pairs) if self.swaps(r) for side in (p.left, p.right)]
        return (*sides, *self.halves)

    @property
    def more_corpora(self) -> tuple[Corpus, ...]:
        """The corpus whose label is the part."""
        return (self.parts_corpus,)

    def specs(self, arm: str, repartition: int, side: int) -> list[RunSpec]:
        """The runs of one arm on the left (0) or right (1) training set of a repartition, one a seed."""
        pair = self.pairs[repartition]
        split = (pair.left, pair.right)[side]
        design = Design(
            self.corpus.fingerprint, split.fingerprint, self.metric, "inside", self.seeds, "natural", 0
        )
        return design.specs(self.arms[arm], None, 2 * repartition + side, self.budget, None)

    def part_spec(self, arm: str, half: int) -> RunSpec:
        """The run in which an arm, fitted on one half, tells train from test on the other."""
        design = Design(
            self.parts_corpus.fingerprint,
            self.halves[half].fingerprint,
            self.metric,
            "inside",
            1,
            "natural",
            0,
        )
        return design.specs(self.arms[arm], None, 2 * self.repartitions + half, self.budget, None)[0]

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """Every arm, repartition, side and seed, and the two halves, at once."""
        specs = [
            spec
            for arm in self.arms
            for r in range(self.repartitions)
            if self.swaps(r)
            for side in (0, 1)
            for spec in self.specs(arm, r, side)
        ]
        return specs + [self.part_spec(arm, half) for arm in self.arms for half in range(len(self.halves))]

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """None: the plan depends on no result."""
        return 0

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """What seeing a cluster is worth to each arm, whether parts are told apart, and the sentence."""
        arms: dict[str, Json] = {arm: arm_answer(self, arm, records) for arm in sorted(self.arms)}
        apart = told_apart(self, records)
        return words.verdict(self, arms, apart, records)
