"""The runs a diagnosis needs: learning curves, null runs, small overfits, interventions, one transplant."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from crossover.data.corpus import Corpus
from crossover.protocol.component import Component, component, resolve
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.protocol.transform import Transform
from crossover.split.nested_subsets import Subset, subset_ids
from crossover.split.split import Split
from crossover.study.grid import Design
from crossover.study.transplantable import comparable

OVERFIT_ROWS, OVERFIT_SEEDS = 32, 3
SMALLEST, LARGEST_SHARE = 50, 0.25
"""Default sizes double from SMALLEST, as the crossover study's do, so that runs are shared; the largest
is at most this share of train: draws that overlap further share their luck, and the slope is lost in it."""
CHEAP_PERMUTATIONS, DEAR_PERMUTATIONS = 99, 9
SLOWER, MORE_STEPS = "a third of the rate", "three times the steps"
SOLVER = "a better solver"
CLOSER, LONGER = 1e-3, 10
"""Share of the tolerance, and times the iterations, that a better solver is given."""


@dataclass(frozen=True)
class Cell:
    """One place on a learning curve."""

    arm: str
    size: int
    draw: int


def default_sizes(train: int) -> tuple[int, int, int]:
    """(n/4, n/2, n) with n the largest of 50, 100, 200, ... that is at most a quarter of the train part.

    Below 800 train rows n is half of them: smaller subsets would say nothing of the whole.
    """
    most = int(LARGEST_SHARE * train)
    n = SMALLEST
    while 2 * n <= most:
        n *= 2
    n = n if n >= 4 * SMALLEST else train // 2
    return max(1, n // 4), max(2, n // 2), max(3, n)


def is_dear(model: Component) -> bool:
    """Whether a model is trained step by step, so that a hundred null runs are too many."""
    return "learning_rate" in inspect.signature(resolve(model.target)).parameters


def reads_meta(model: Component) -> bool:
    """Whether a model reads declared meta columns: a constant text is then no constant input."""
    return "declared_meta" in str(model.to_json())


def interventions_of(
    model: Component, given: Mapping[str, Mapping[str, object]] | None
) -> dict[str, Component]:
    """What should lower the training objective if optimising is at fault: name -> model.

    ``given`` (name -> settings) stands instead of what is known: a third of the learning rate and three
    times the steps of a model trained in steps; a thousandth of the tolerance and ten times the iterations
    of one that a solver fits. Empty where neither applies (closed forms). Where the weights can be put
    into one another's objective the run is a Transplant, which compares the objective itself.
    """
    if given is not None:
        made = {name: model.with_settings(**settings) for name, settings in given.items()}
    else:
        made = _known_interventions(model)
    return {name: _in_its_objective(model, changed) for name, changed in made.items()}


def _known_interventions(model: Component) -> dict[str, Component]:
    parameters = inspect.signature(resolve(model.target)).parameters

    def times(factor: float, *names: str) -> Component:
        values = {name: model.settings.get(name, parameters[name].default) for name in names}
        given = {name: value for name, value in values.items() if isinstance(value, int | float)}
        return model.with_settings(**{name: type(value)(value * factor) for name, value in given.items()})

    if {"learning_rate", "epochs"} <= set(parameters):
        rates = [name for name in ("learning_rate", "head_learning_rate") if name in parameters]
        steps = [name for name in ("epochs", "min_steps", "max_steps", "steps") if name in parameters]
        return {SLOWER: times(1 / 3, *rates), MORE_STEPS: times(3, *steps)}
    if {"tol", "max_iter"} <= set(parameters):
        closer, longer = times(CLOSER, "tol"), times(LONGER, "max_iter")
        return {SOLVER: closer.with_settings(max_iter=longer.settings["max_iter"])}
    return {}


def _in_its_objective(model: Component, changed: Component) -> Component:
    return changed if comparable(model, changed) else transplant_of(model, changed)


def transplant_of(old: Component, new: Component) -> Component:
    """The model that fits both and weighs ``new`` by the objective of ``old``."""
    return component("crossover.model.transplant.Transplant", {"old": old, "new": new})


def conflict_free(corpus: Corpus, split: Split, pools: int, most: int = 50) -> list[int]:
    """Up to three draws whose first 32 training rows a classifier can get all right.

    They hold at least two classes, and no text stands twice with different labels.
    """
    found: list[int] = []
    if len(split.train) < OVERFIT_ROWS:
        return found
    for draw in range(pools or most):
        rows = corpus.rows(subset_ids(corpus, split, Subset("natural", OVERFIT_ROWS, draw, pools)))
        label_of = dict(zip(rows.texts, rows.labels, strict=True))
        agree = all(label_of[text] == label for text, label in zip(rows.texts, rows.labels, strict=True))
        if agree and len(set(rows.labels)) > 1:
            found.append(draw)
        if len(found) == OVERFIT_SEEDS:
            break
    return found


@dataclass(frozen=True)
class Planner:
    """RunSpecs of one diagnosis; the same model, size, draw and seed gives the run another study made."""

    design: Design
    test_rows: int | None
    null_rows: int | None

    def curve(self, model: Component, size: int, draw: int) -> RunSpec:
        """One run of a learning curve."""
        return self.design.specs(model, size, draw, 1, self.test_rows)[0]

    def permuted(self, model: Component, size: int, draws: int, count: int) -> list[RunSpec]:
        """``count`` runs whose training labels are permuted, over the draws in turn."""
        specs = []
        for k in range(count):
            (base,) = self.design.specs(model, size, k % draws, 1, self.null_rows)
            order = zlib.crc32(f"{base.digest}/permuted/{k}".encode()) & 0x7FFFFFFF
            seeds = Seeds(base.seeds.initialisation, order)
            specs.append(replace(base, label_transform=Transform("shuffle"), seeds=seeds))
        return specs

    def constant(self, model: Component, size: int, draws: int) -> list[RunSpec]:
        """One run a draw in which every text is the same."""
        bases = [self.design.specs(model, size, draw, 1, self.null_rows)[0] for draw in range(draws)]
        return [replace(base, text_transform=Transform("constant")) for base in bases]

    def overfit(self, model: Component, among: Sequence[int]) -> list[RunSpec]:
        """Three runs on 32 rows, a seed each, and a draw each where there are three."""
        if not among:
            return []
        seeded = replace(self.design, seeds=OVERFIT_SEEDS)
        return [
            seeded.specs(model, OVERFIT_ROWS, among[k % len(among)], 1, self.null_rows)[k]
            for k in range(OVERFIT_SEEDS)
        ]

    def changed(self, base: Component, model: Component, size: int, draw: int) -> RunSpec:
        """A run of ``model`` with the seeds that ``base`` has there: paired by draw and by seed."""
        return replace(self.design.specs(base, size, draw, 1, self.null_rows)[0], model=model)
