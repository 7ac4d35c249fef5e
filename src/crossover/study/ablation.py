"""The ablation study: which components of a model matter, by one factorial a draw (methods.md 3).

Every coalition of components is trained on the same draws with the same seeds. What is lost without
one, what one brings alone, how two overlap and what each deserves (Shapley) are contrasts of the same
runs, so that they can be set against one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.factorial import CoalitionScores, Factorial, Fraction
from crossover.measure.interval import cluster_index
from crossover.measure.metric.metric import metric_named
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import overlap_fraction
from crossover.split.split import Split
from crossover.study import ablation_sentence as words
from crossover.study.ablation_answer import Json, answer
from crossover.study.ablation_switch import (
    Switch,
    block_switches,
    coalition_model,
    coalition_title,
    declared_switches,
    impossible_coalitions,
    without_null_blocks,
)
from crossover.study.crossover_sentence import title
from crossover.study.grid import Design, Grid, check_size, collect, median_cost
from crossover.study.study import Verdict, surroundings

DESIGNS = ("full", "fraction")


@dataclass
class AblationStudy:
    """One model taken apart.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split, shared by every run.
        arms: name -> the model to take apart; one.
        components: name -> ``{on: {setting: value}, off: {setting: value}}``; None takes the model's
            feature blocks. A setting inside another is named by its path (``encoder.pooling``).
        impossible: rules ``{on: [names], off: [names]}``; coalitions with all of those on and all of
            these off are not run.
        design: ``full``, all 2^k coalitions, or ``fraction``, one of resolution V (5 to 8
            components; main and pair effects only).
        draws: fresh training subsets, one whole factorial each.
        seeds: runs of each coalition a draw; the same seeds in every coalition.
        size: training rows of a draw; None is the most at which draws share no row.
        pools: disjoint pools the train part is cut into for draws; None is as many as draws.
        metric: metric of record.
        budget: tuning trials of each coalition; 1 trains all with the model's own settings.
        selection: inside or shared.
        test_rows: cap on scored test rows.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    components: Mapping[str, object] | None = None
    impossible: Sequence[object] = ()
    design: str = "full"
    draws: int = 5
    seeds: int = 1
    size: int | None = None
    pools: int | None = None
    metric: str = "macro_f1"
    budget: int = 1
    selection: str = "inside"
    test_rows: int | None = None
    name: str = "ablation"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        if len(self.arms) != 1:
            raise BadInput(
                f"study.arms names {sorted(self.arms)}; an ablation takes one model apart: set the others "
                "to null, or compare models with study=compare"
            )
        if self.draws < 2 or self.seeds < 1:
            raise BadInput(
                f"study.draws={self.draws}, study.seeds={self.seeds}: expected at least 2 draws (one "
                "training set cannot tell an effect from its luck) and 1 seed"
            )
        if self.pools is not None and self.pools < self.draws:
            raise BadInput(
                f"study.pools={self.pools}, study.draws={self.draws}: expected a pool for each draw"
            )
        check_size(self.rows, self.split)
        if self.design not in DESIGNS:
            raise BadInput(f"study.design={self.design!r}: expected one of {', '.join(DESIGNS)}")
        if self.design == "fraction" and self.impossible:
            raise BadInput(
                "study.design=fraction needs every one of its runs, study.impossible excludes some: "
                "use study.design=full, or leave out a component"
            )
        self._check_switches()

    def _check_switches(self) -> None:
        if self.full not in self.models:
            raise BadInput(f"study.impossible={list(self.impossible)} excludes the whole model")
        for k, switch in enumerate(self.switches):
            if self._model(self.full) == self._model(self.full & ~(1 << k)):
                raise BadInput(f"study.components: {switch.name!r} changes nothing; on and off are one model")

    @property
    def rows(self) -> int:
        """Training rows of a draw."""
        return len(self.split.train) // self._pools if self.size is None else self.size

    @property
    def overlap(self) -> float:
        """f of methods.md 1."""
        return overlap_fraction(self.rows, len(self.split.train), self._pools)

    @property
    def _pools(self) -> int:
        return self.draws if self.pools is None else self.pools

    @property
    def arm(self) -> tuple[str, Component]:
        """Name and model of what is taken apart."""
        ((name, model),) = self.arms.items()
        return name, without_null_blocks(model)

    @cached_property
    def switches(self) -> tuple[Switch, ...]:
        """The components, by name."""
        made = block_switches(self.arm[1]) if self.components is None else declared_switches(self.components)
        return tuple(sorted(made, key=lambda switch: switch.name))

    @cached_property
    def design_of_runs(self) -> Factorial | Fraction:
        """Which coalitions are run."""
        count = len(self.switches)
        if self.design == "fraction":
            return Fraction(count)
        return Factorial(count, impossible_coalitions(self.switches, self.impossible))

    @property
    def full(self) -> int:
        """The coalition of all components."""
        return (1 << len(self.switches)) - 1

    @cached_property
    def models(self) -> dict[int, Component]:
        """The model of each coalition that is run."""
        return {mask: self._model(mask) for mask in self.design_of_runs.coalitions}

    def _model(self, coalition: int) -> Component:
        return coalition_model(self.arm[1], self.switches, coalition)

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan."""
        name, model = self.arm
        alone = [self._model(self.full & ~(1 << k)).to_json() for k in range(len(self.switches))]
        plain = ("design", "draws", "seeds", "size", "pools", "metric", "budget", "selection", "test_rows")
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: model.to_json()},
            "whole": self._model(self.full).to_json(),
            "without": {switch.name: one for switch, one in zip(self.switches, alone, strict=True)},
            "coalitions": list(self.design_of_runs.coalitions),
            **{key: getattr(self, key) for key in plain},
        }

    def specs(self, coalition: int, draw: int) -> list[RunSpec]:
        """The runs of one coalition on one draw; seeds are those of the whole model on that draw.

        So the whole model's runs are those of any other study, and every coalition is paired with it
        by draw and seed.
        """
        design = Design(
            self.corpus.fingerprint,
            self.split.fingerprint,
            self.metric,
            self.selection,
            self.seeds,
            "natural",
            self._pools,
        )
        whole = design.specs(self._whole, self.rows, draw, self.budget, self.test_rows)
        return [replace(spec, model=self.models[coalition]) for spec in whole]

    @cached_property
    def _whole(self) -> Component:
        return self.models[self.full]

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """Every coalition of every draw, draw by draw; two coalitions that are one model are one run."""
        specs = [
            spec for draw in range(self.draws) for mask in self.models for spec in self.specs(mask, draw)
        ]
        return list({spec.digest: spec for spec in specs}.values())

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """None: the plan depends on no result."""
        return 0

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """Every contrast with its interval, what matters, what is stable, and the sentence."""
        found, problem = self._answer(records)
        name, model = self.arm
        runs = [records[spec.digest] for spec in self._whole_specs() if spec.digest in records]
        arm = {"title": title(model), "component": self._whole.to_json(), "runs": len(runs)}
        design = {
            "kind": self.design,
            "coalitions": len(self.models),
            "draws": self.draws,
            "seeds": self.seeds,
            "size": self.rows,
            "overlap": self.overlap,
            "budget": self.budget,
        }
        numbers: Json = {
            "metric": self.metric,
            **surroundings(self.corpus, self.split),
            "arms": {name: {**arm, "cost": median_cost(runs)} if runs else arm},
            "design": design,
            "switches": {switch.name: switch.words() for switch in self.switches},
            **found,
        }
        told = words.Told(
            self.corpus.name, self.metric, name, design, numbers, problem, tuple(self._lost(records))
        )
        return Verdict(
            study=self.name,
            kind=told.kind,
            sentence=told.sentence(),
            numbers=numbers,
            population=self._population(),
            would_change=told.would_change(),
            next_step=told.next_step(),
            flags=tuple(self._seen() + told.flags()),
            runs=tuple(sorted(records)),
        )

    def _answer(self, records: Mapping[str, RunRecord]) -> tuple[Json, str]:
        """The numbers, and why there are none where there are none."""
        grid = self._grid(records)
        if not grid.cells:
            return {}, "no run finished"
        try:
            scores = self._scores(grid, self.metric)
            losses = None if self.metric == "log_loss" else self._scores(grid, "log_loss")
            names = [switch.name for switch in self.switches]
            titles = {mask: coalition_title(self.switches, mask) for mask in self.models}
            return answer(self.design_of_runs, names, titles, scores, losses), ""
        except BadInput as error:
            return {}, str(error)

    def _grid(self, records: Mapping[str, RunRecord]) -> Grid:
        wanted = {
            (str(mask), self.rows, draw): [spec.digest for spec in self.specs(mask, draw)]
            for mask in self.models
            for draw in range(self.draws)
        }
        return collect(records, wanted, self.split.groups, {self.rows: self.overlap})

    def _scores(self, grid: Grid, metric_name: str) -> CoalitionScores:
        """Row values of every coalition and draw, the larger the better."""
        metric = metric_named(metric_name)
        sign = 1.0 if metric.larger_is_better else -1.0
        ids = next(iter(grid.cells.values())).test.ids
        values = np.full((self.draws, len(self.models), len(ids)), np.nan)
        for column, mask in enumerate(self.models):
            for draw in grid.draws(str(mask), self.rows):
                known = grid.row_values(metric, grid.cells[str(mask), self.rows, draw])
                values[draw, column] = [sign * known[id_] for id_ in ids]
        clusters = cluster_index(ids, self.split.groups)
        return CoalitionScores(tuple(self.models), values, self.overlap, clusters)

    def _whole_specs(self) -> list[RunSpec]:
        return [spec for draw in range(self.draws) for spec in self.specs(self.full, draw)]

    def _lost(self, records: Mapping[str, RunRecord]) -> list[str]:
        """What did not finish: of the whole model by the arm's name, of the rest in one line."""
        name, whole = self.arm[0], self._whole_specs()
        others = [spec for spec in self.plan(records) if spec.model != self._whole]
        said = []
        for who, specs in ((name, whole), ("its coalitions", others)):
            lost = [spec for spec in specs if spec.digest not in records]
            if lost:
                always = self._never_finished(records) if who != name else ""
                said.append(
                    f"{who}: {len(lost)} of {len(specs)} runs did not finish; contrasts that need them leave "
                    f"those draws out{always}"
                )
        return said

    def _never_finished(self, records: Mapping[str, RunRecord]) -> str:
        never = [
            coalition_title(self.switches, mask)
            for mask in self.models
            if not any(
                spec.digest in records for draw in range(self.draws) for spec in self.specs(mask, draw)
            )
        ]
        if not never or len(never) == len(self.models):
            return ""
        shown = "; ".join(never[:3]) + (f" and {len(never) - 3} more" if len(never) > 3 else "")
        return f" (no run at all of {shown}: declare what cannot be run in study.impossible)"

    def _seen(self) -> list[str]:
        seen = self.corpus.card.seen_in_pretraining
        return [seen] if seen else []

    def _population(self) -> str:
        return (
            f"Over fresh draws of {self.rows:,} rows from, seeds, and fresh test rows like, corpus "
            f"{self.corpus.name} ({self.corpus.fingerprint}); of this model and its other components as they "
            "are set; not other corpora, encoders or recipes."
        )
