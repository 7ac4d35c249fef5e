"""Recommended: the split that serves a goal, as a yaml to keep and as words on a command line."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.split.goal import Goal, time_columns
from crossover.split.grouped import Grouped
from crossover.split.split import Split
from crossover.split.stratified import Stratified
from crossover.split.temporal import Temporal

FILE = "recommended_split.yaml"
KEPT = ("test", "validation", "seed", "threshold", "tolerance", "timezone")
"""Settings taken over from the split that was asked about."""


WIDER: tuple[Mapping[str, float], ...] = (
    {},
    {"tolerance": 0.25},
    {"validation": 0.0, "tolerance": 0.25},
    {"tolerance": 0.5},
    {"validation": 0.0, "tolerance": 0.5},
    {"tolerance": 1.0},
)
"""Tried in turn where groups are too large for the sizes asked: six mailboxes fill no part of a twentieth."""


@dataclass(frozen=True)
class Recommended:
    """``overrides`` for a command line, and the ``yaml`` that says the same."""

    overrides: str
    yaml: str

    def to_json(self) -> dict[str, str]:
        """Plain values."""
        return {"overrides": self.overrides, "yaml": self.yaml}


def recommended(goal: Goal, corpus: Corpus, split: Split) -> Recommended:
    """A grouped split for what is new, a temporal one for what is later, else a stratified one.

    Sizes, seed and threshold are those of ``split``; where groups are too large for them the tolerance is
    raised or validation left out, for a split that is refused serves nobody. For ``later`` without a
    declared time the column is left for the reader to fill in (``COLUMN``).
    """
    kind: type[Temporal] | type[Grouped] | type[Stratified] = Stratified
    own: dict[str, object] = {}
    if goal.kind == "later":
        kind, own = Temporal, {"time": (time_columns(corpus) or ["COLUMN"])[0]}
    elif goal.kind == "new":
        kind, own = Grouped, {"by": [goal.column] if goal.column else [], "group_duplicates": "near"}
    takes = inspect.signature(kind).parameters
    given = cast(Mapping[str, object], split.recipe.get("settings", {}))
    own |= {name: given[name] for name in KEPT if name in takes and name in given}
    own |= _wide_enough(kind, own, corpus)
    changed = {name: value for name, value in own.items() if value != takes[name].default or name == "time"}
    name = kind.__module__.rpartition(".")[2]
    words = [f"split={name}", *(_word(key, value) for key, value in changed.items())]
    settings = {key: own.get(key, parameter.default) for key, parameter in takes.items()}
    lines = [
        f"# {corpus.name}: a split to {goal.words}.",
        "#   copy it to conf/split/recommended.yaml, then: python scripts/split.py split=recommended",
        f"_target_: {kind.__module__}.{kind.__name__}",
        *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()),
    ]
    return Recommended(" ".join(words), "\n".join(lines) + "\n")


def _wide_enough(
    kind: type[Temporal] | type[Grouped] | type[Stratified], own: Mapping[str, object], corpus: Corpus
) -> Mapping[str, object]:
    """The first of :data:`WIDER` with which the split can be cut; none if no such."""
    if kind is not Grouped:
        return {}
    for wider in WIDER:
        with suppress(BadInput):
            Grouped(**{**own, **wider}).split(corpus)  # type: ignore[arg-type]
            return wider
    return {}


def _word(key: str, value: object) -> str:
    shown = "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
    word = f"split.{key}={'null' if value is None else shown}"
    return f"'{word}'" if isinstance(value, list) or " " in word else word
