"""Selection: how the winner among tuning trials is picked, fixed before anything is fitted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows

Outcome = NDArray[np.float64] | FloatingPointError
"""What became of a trial: its probabilities of the validation rows, or what it failed of."""


class Trainable(Protocol):
    """What selection needs of a classifier."""

    selected_: dict[str, object]

    @property
    def search_space(self) -> Mapping[str, Sequence[object]]:
        """Setting -> values from which tuning trials are drawn."""
        ...

    @property
    def wants_validation(self) -> bool:
        """Whether fitting itself reads validation rows (early stopping)."""
        ...

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Mapping[str, Sequence[object]] | None = None,
    ) -> Self:
        """Fit on the rows given."""
        ...

    def predict_proba(
        self, texts: Sequence[str], meta: Mapping[str, Sequence[object]] | None = None
    ) -> NDArray[np.float64]:
        """Probabilities, one row a text."""
        ...

    def fit_each(
        self, trials: Iterable[Self], rows: Rows, classes: Sequence[str], validation: Rows
    ) -> Iterator[tuple[Self, Outcome]]:
        """Fit unfitted models that differ in searched settings alone; each with its outcome, in order."""
        ...


Trial = TypeVar("Trial", bound=Trainable)


Factory = Callable[[Mapping[str, object]], Trainable]
"""Makes an unfitted classifier from settings that override the spec's."""
Measure = Callable[[Sequence[str], NDArray[np.float64]], tuple[float, ...]]
"""Gold labels and probabilities to a sortable score, larger is better."""


@dataclass(frozen=True)
class Selected:
    """A fitted classifier, the settings that won, and every trial with its score."""

    model: Trainable
    settings: Mapping[str, object]
    trials: list[dict[str, object]] = field(default_factory=list)


class SelectionRule(Protocol):
    """One rule a file; ``labels_read`` says how many labels beyond the n training rows it uses."""

    def select(
        self,
        make: Factory,
        rows: Rows,
        classes: Sequence[str],
        shared: Rows,
        budget: int,
        measure: Measure,
        seed: int,
    ) -> Selected:
        """Fit the winner on all ``rows``."""
        ...

    def labels_read(self, shared: Rows, searched: bool) -> int:
        """Labels beyond ``rows`` that selection consumed."""
        ...


def trial_settings(space: Mapping[str, Sequence[object]], budget: int, seed: int) -> list[dict[str, object]]:
    """Settings of ``budget`` trials: the published default first, then distinct random draws."""
    trials: list[dict[str, object]] = [{}]
    draw = random.Random(seed)
    attempts = 0
    while len(trials) < budget and space and attempts < 50 * budget:
        attempts += 1
        candidate = {name: draw.choice(list(values)) for name, values in sorted(space.items())}
        if candidate not in trials:
            trials.append(candidate)
    return trials


def fit_trials(
    make: Factory,
    rows: Rows,
    classes: Sequence[str],
    validation: Rows,
    budget: int,
    measure: Measure,
    seed: int,
) -> tuple[Trainable, dict[str, object], list[dict[str, object]]]:
    """Fit each trial on ``rows``, score it on ``validation``; the first of the best wins.

    A trial that fails costs its place in the budget; all failing is an error.
    """
    best: tuple[tuple[float, ...], Trainable, dict[str, object]] | None = None
    log: list[dict[str, object]] = []
    default = make({})
    trials = trial_settings(default.search_space, budget, seed)
    fitted = default.fit_each((make(settings) for settings in trials), rows, classes, validation)
    for settings, (model, outcome) in zip(trials, fitted, strict=True):
        try:
            if isinstance(outcome, FloatingPointError):
                raise outcome
            if not np.isfinite(outcome).all():
                raise FloatingPointError("its probabilities are not finite")
            score = measure(validation.labels, outcome)
        except FloatingPointError as error:
            log.append({"settings": settings, "failed": str(error)})
            continue
        log.append({"settings": settings, "score": list(score), "selected": dict(model.selected_)})
        if best is None or score > best[0]:
            best = (score, model, {**settings, **model.selected_})
    if best is None:
        raise FloatingPointError(f"all {len(log)} tuning trials diverged: {log[0]['failed']}")
    return best[1], best[2], log


def one_by_one(
    trials: Iterable[Trial], rows: Rows, classes: Sequence[str], validation: Rows
) -> Iterator[tuple[Trial, Outcome]]:
    """Fit each trial by itself when its turn comes: what ``fit_each`` is unless work can be shared."""
    for model in trials:
        outcome: Outcome
        try:
            model.fit(rows.texts, rows.labels, classes, validation, rows.meta)
            outcome = model.predict_proba(validation.texts, validation.meta)
        except FloatingPointError as error:
            outcome = error
        yield model, outcome


def rule_named(name: str) -> SelectionRule:
    """The rule of a RunSpec's ``selection``.

    Raises:
        BadInput: no such rule.
    """
    from crossover.protocol.selection.inside import Inside
    from crossover.protocol.selection.shared import Shared

    rules: dict[str, SelectionRule] = {"inside": Inside(), "shared": Shared()}
    if name not in rules:
        raise BadInput(f"selection={name!r}: expected one of {sorted(rules)}")
    return rules[name]
