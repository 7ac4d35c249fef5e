"""The diagnosis study, the doctor: why does this model still err, and what is the one next step?

The decision table of methods.md 5 is asked in its order, from learning curves, null runs, small
overfits and interventions; the first condition that holds is the verdict. What stands beside it (rivals,
words, weights, a reference) is ranked below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.metric.metric import metric_named
from crossover.measure.simultaneous import Bounded, shared_level
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import overlap_fraction
from crossover.split.split import Split
from crossover.study.diagnosis_answer import answer
from crossover.study.diagnosis_evidence import PARTS, Reader, share_fitted
from crossover.study.diagnosis_runs import (
    CHEAP_PERMUTATIONS,
    DEAR_PERMUTATIONS,
    Cell,
    Planner,
    conflict_free,
    default_sizes,
    interventions_of,
    is_dear,
    transplant_of,
)
from crossover.study.grid import Design
from crossover.study.study import Verdict
from crossover.study.transplantable import comparable

Records = Mapping[str, RunRecord]


@dataclass
class DiagnosisStudy:
    """One arm, the subject, examined against a target error.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split.
        arms: name -> model; those beside subject, simpler and reference are compared at the largest size.
        subject: the arm that is examined.
        simpler: a simpler arm to set it against, or null.
        reference: a 1-nearest-neighbour arm, or null.
        target: tau, the error aimed at: 1 - score in the metric of record, or the loss itself.
        sizes: ascending (n/4, n/2, n) training rows; null takes the largest n of 50, 100, 200, ... that is
            at most a quarter of the train part.
        draws: training subsets at each size, at least 2.
        permutations: null runs with permuted labels; null makes 99, or 9 of a model trained step by step.
        null_rows: cap on scored test rows of null, overfit and intervention runs (a quarter of it holds
            for each half of validation); null is all.
        pools: disjoint pools the train part is cut into for draws.
        metric: metric of record.
        part: rows that errors come from: validation (both halves, which no fit reads), select, calibrate
            or test.
        equivalence: half-width within which a difference of errors counts as none.
        audited: rows of an audit of labels, 0 without one.
        disagreed: rows among them whose label was disagreed with.
        interventions: name -> settings that should lower the training objective; null takes those known.
        test_rows: cap on scored test rows of all other runs.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    subject: str = "tfidf"
    simpler: str | None = "bayes"
    reference: str | None = "neighbour"
    target: float = 0.05
    sizes: Sequence[int] | None = None
    draws: int = 8
    permutations: int | None = None
    null_rows: int | None = 400
    pools: int = 16
    metric: str = "macro_f1"
    part: str = "validation"
    equivalence: float = 0.01
    audited: int = 0
    disagreed: int = 0
    interventions: Mapping[str, Mapping[str, object]] | None = None
    test_rows: int | None = None
    name: str = "diagnosis"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        found = metric_named(self.metric)
        for role in ("subject", "simpler", "reference"):
            arm = getattr(self, role)
            if arm is not None and arm not in self.arms:
                raise BadInput(
                    f"study.{role}={arm!r} is none of the arms {sorted(self.arms)}; name one"
                    + ("" if role == "subject" else f", or leave it out with study.{role}=null")
                )
        if self.subject in (self.simpler, self.reference):
            raise BadInput(f"study.subject={self.subject!r} cannot be its own rival; name another arm")
        largest = 1.0 - found.bounds[0] if found.larger_is_better else found.bounds[1]
        if not 0 < self.target < largest:
            raise BadInput(
                f"study.target={self.target}: expected an error above 0 in {self.metric}, such as 0.05"
            )
        if self.draws < 2 or (self.pools and self.draws > self.pools):
            raise BadInput(
                f"study.draws={self.draws}: expected 2 to study.pools={self.pools}; with one draw nothing is "
                "known of another"
            )
        if self.part not in PARTS:
            raise BadInput(f"study.part={self.part!r}: expected one of {sorted(PARTS)}")
        if self.part != "test" and not any(self.split.parts[p] for p in PARTS[self.part]):
            raise BadInput(
                f"study.part={self.part} has no rows in this split; split with validation > 0, or ask for "
                "study.part=test, which counts as a look at the test rows"
            )
        if not 0 <= self.disagreed <= self.audited:
            raise BadInput(
                f"study.disagreed={self.disagreed} of study.audited={self.audited} rows: impossible"
            )
        if self.permutations is not None and self.permutations < 2:
            raise BadInput(f"study.permutations={self.permutations}: expected at least 2, 99 for a P of .01")
        if not self.equivalence > 0:
            raise BadInput(f"study.equivalence={self.equivalence}: expected a width above 0, such as 0.01")
        self._check_sizes()

    def _check_sizes(self) -> None:
        sizes, train = self.grid, len(self.split.train)
        if len(sizes) != 3 or not 1 <= sizes[0] < sizes[1] < sizes[2] < train:
            raise BadInput(
                f"study.sizes={list(sizes)}: expected three ascending sizes (n/4, n/2, n) below the {train} "
                "rows of the train part; a draw of the whole part leaves nothing to redraw"
            )

    @cached_property
    def grid(self) -> tuple[int, int, int]:
        """(n/4, n/2, n) as asked or by default."""
        if self.sizes is None:
            return default_sizes(len(self.split.train))
        return tuple(self.sizes)  # type: ignore[return-value]

    @property
    def size(self) -> int:
        """n, the size the table speaks of."""
        return self.grid[-1]

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan and the table."""
        names = (
            *("subject", "simpler", "reference", "target", "draws", "permutations", "null_rows", "pools"),
            *("metric", "part", "equivalence", "audited", "disagreed", "test_rows"),
        )
        given = None if self.interventions is None else {k: dict(v) for k, v in self.interventions.items()}
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            "sizes": None if self.sizes is None else list(self.sizes),
            "interventions": given,
            **{name: getattr(self, name) for name in names},
        }

    @property
    def model(self) -> Component:
        """The subject's model."""
        return self.arms[self.subject]

    @property
    def null_runs(self) -> int:
        """Permutations that are made."""
        if self.permutations is not None:
            return self.permutations
        return DEAR_PERMUTATIONS if is_dear(self.model) else CHEAP_PERMUTATIONS

    @property
    def others(self) -> list[str]:
        """Arms the subject is set against."""
        return [arm for arm in sorted(self.arms) if arm not in (self.subject, self.reference)]

    @cached_property
    def planner(self) -> Planner:
        """Makes the specs."""
        design = Design(
            self.corpus.fingerprint, self.split.fingerprint, self.metric, "inside", 1, "natural", self.pools
        )
        caps = [cap for cap in (self.null_rows, self.test_rows) if cap is not None]
        return Planner(design, self.test_rows, min(caps) if caps else None)

    @cached_property
    def _small(self) -> list[int]:
        return conflict_free(self.corpus, self.split, self.pools)

    @cached_property
    def changes(self) -> dict[str, Component]:
        """Interventions on the subject, by name."""
        return interventions_of(self.model, self.interventions)

    def overlap(self, size: int) -> float:
        """f of a size."""
        return overlap_fraction(size, len(self.split.train), self.pools)

    @cached_property
    def curves(self) -> dict[Cell, RunSpec]:
        """The learning curves: subject and simpler at three sizes, the other arms at n."""
        return {
            Cell(arm, size, draw): self.planner.curve(model, size, draw)
            for arm, model in self.arms.items()
            for size in (self.grid if arm in (self.subject, self.simpler) else self.grid[-1:])
            for draw in range(self.draws)
        }

    @cached_property
    def first(self) -> dict[str, list[RunSpec]]:
        """Runs that no result decides, by purpose."""
        small, draws = self.grid[0], self.draws
        return {
            "labels permuted": self.planner.permuted(self.model, small, draws, self.null_runs),
            "constant text": self.planner.constant(self.model, small, draws),
            "32 rows": self.planner.overfit(self.model, self._small),
        }

    def cells(self, records: Records, arm: str, size: int) -> dict[int, RunRecord]:
        """Finished runs of a curve's place, by draw."""
        wanted = {draw: self.curves[Cell(arm, size, draw)] for draw in range(self.draws)}
        return {draw: records[s.digest] for draw, s in wanted.items() if s.digest in records}

    def intervened(self, records: Records) -> dict[str, list[RunSpec]]:
        """Intervention runs a draw, wanted where the training error's lower bound exceeds the target."""
        train = self.training(records)
        if train is None or train.low <= self.target:
            return {}
        return {
            name: [self.planner.changed(self.model, model, self.size, draw) for draw in range(self.draws)]
            for name, model in self.changes.items()
        }

    def rechecked(self, records: Records) -> list[RunSpec]:
        """A better solver on the 32 rows, where none of those runs fits and weights can be exchanged."""
        specs = self.first["32 rows"]
        small = [records[spec.digest] for spec in specs if spec.digest in records]
        better = [part for part in self.changes.values() if part.name == "transplant"]
        if not small or not better or any(share_fitted(record) == 1.0 for record in small):
            return []
        return [replace(spec, model=better[0]) for spec in specs]

    def transplanted(self, records: Records) -> tuple[str, str, int, RunSpec] | None:
        """(worse arm, better arm, draw, run): the better on select rows of the first draw both finished."""
        if self.simpler is None or comparable(self.model, self.arms[self.simpler]):
            return None
        sides = [self.cells(records, arm, self.size) for arm in (self.subject, self.simpler)]
        shared = sorted(set(sides[0]) & set(sides[1]))
        if not shared or not self.split.parts["select"]:
            return None
        metric, scores = metric_named(self.metric), []
        for side in sides:
            select = side[shared[0]].predictions.part("select")
            value = metric(select.gold_index, select.probabilities)
            scores.append(-np.inf if value is None else value * (1 if metric.larger_is_better else -1))
        better = self.subject if scores[0] >= scores[1] else self.simpler
        worse = self.simpler if better == self.subject else self.subject
        model = transplant_of(self.arms[worse], self.arms[better])
        spec = self.planner.changed(self.arms[worse], model, self.size, shared[0])
        return worse, better, shared[0], spec

    def plan(self, records: Records) -> list[RunSpec]:
        """Curves, null runs and overfits; then interventions and the transplant where these call for them."""
        specs = [*self.curves.values(), *(s for group in self.first.values() for s in group)]
        specs += [spec for group in self.intervened(records).values() for spec in group]
        specs += self.rechecked(records)
        moved = self.transplanted(records)
        return specs if moved is None else [*specs, moved[3]]

    def undecided_runs(self, records: Records) -> int:
        """At most so many runs follow from the training error and from which arm is better."""
        if any(spec.digest in records for spec in self.curves.values()):
            return 0
        linear = self.simpler is not None and not comparable(self.model, self.arms[self.simpler])
        solver = any(part.name == "transplant" for part in self.changes.values())
        checks = len(self.first["32 rows"]) if solver else 0
        return len(self.changes) * self.draws + checks + int(linear and bool(self.split.parts["select"]))

    @property
    def level(self) -> float:
        """One-sided level of each bound: 95% shared out over all that are read."""
        nulls, errors, slopes = 4, 4, 2
        read = nulls + errors + slopes + bool(self.audited) + len(self.changes) + len(self.others)
        return shared_level(read)

    @property
    def reader(self) -> Reader:
        """Reads errors from records."""
        return Reader(metric_named(self.metric), self.part, self.split.groups, self.level)

    def training(self, records: Records) -> Bounded | None:
        """The subject's training error at n, None with fewer than two draws."""
        found = list(self.cells(records, self.subject, self.size).values())
        if len(found) < 2:
            return None
        try:
            return self.reader.training(found, self.overlap(self.size))
        except BadInput:  # the metric is undefined on some draw's rows: said where it is reported
            return None

    def conclude(self, records: Records) -> Verdict:
        """The table's first condition that holds, and every finding, ranked."""
        return answer(self, records)
