"""A pre-registered hypothesis: written down before the first run, held against the verdict after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import sealed, unsealed
from crossover.protocol.hypothesis import Hypothesis, outcome
from crossover.record.store import Store
from crossover.study.study import Study, finished, study_name

FILE = "hypothesis.json"
Json = dict[str, object]


def register(hypothesis: Hypothesis | None, study: Study, store: Store) -> Json | None:
    """Keep the hypothesis in the study's folder before anything is run; returns what is kept.

    A hypothesis that comes after runs of the plan are finished is kept too, and says so: the claim
    is then exploratory. Without one, what an earlier call registered is returned.

    Raises:
        BadInput: the study has another hypothesis already, or one that was edited or damaged, or it
            names no arm of the study.
    """
    file = store.root / "studies" / study_name(study) / FILE
    mend = "bring it back from a copy, or ask on fresh test rows: the claim is no longer what was registered"
    kept = unsealed(file, mend) if file.exists() else None
    if hypothesis is None:
        return kept
    arms = sorted(cast(Mapping[str, object], study.settings()["arms"]))
    for arm in (hypothesis.better, hypothesis.than):
        if arm not in arms:
            raise BadInput(f"hypothesis names {arm!r}, which is no arm; the arms are {arms}")
    if kept is not None:
        if {name: kept[name] for name in hypothesis.to_json()} != hypothesis.to_json():
            raise BadInput(
                f"{study_name(study)} has a hypothesis already ({kept['sentence']}); one that is changed "
                "after the fact is no test: leave it as it is, or ask on fresh test rows"
            )
        return kept
    plan = study.plan({})
    before = len(finished(plan, store))
    registered: Json = {**hypothesis.to_json(), "runs_planned": len(plan), "runs_finished_before": before}
    store.save_study(study_name(study), {FILE: sealed(registered)})
    return registered


def held_against(registered: Json | None, numbers: Mapping[str, object]) -> Json | None:
    """The registered hypothesis with its outcome, from a verdict's pairs; None without one."""
    if registered is None:
        return None
    names = ("better", "than", "margin", "size", "stop")
    hypothesis = Hypothesis(**{name: registered[name] for name in names})  # type: ignore[arg-type]
    found = outcome(hypothesis, _lead(hypothesis, numbers))
    before = cast(int, registered["runs_finished_before"])
    if before:
        found["answer"] = (
            f"{found['answer']}; exploratory: {before} of {registered['runs_planned']} runs were finished "
            "when it was registered"
        )
    return {**registered, **found}


def _lead(hypothesis: Hypothesis, numbers: Mapping[str, object]) -> dict[str, float] | None:
    wanted = {hypothesis.better, hypothesis.than}
    for pair in cast(Sequence[Mapping[str, object]], numbers.get("pairs", ())):
        first = str(pair.get("left", pair.get("expensive")))
        second = str(pair.get("right", pair.get("cheap")))
        if {first, second} != wanted:
            continue
        stated = pair.get("difference") or pair.get("differences") or ()
        rows = [stated] if isinstance(stated, Mapping) else list(cast(Sequence[object], stated))
        for row in cast(Sequence[Mapping[str, float]], rows):
            size = row.get("size")
            if size is None or size == hypothesis.size or (hypothesis.size is None and len(rows) == 1):
                return _turned(row, first == hypothesis.better)
    return None


def _turned(row: Mapping[str, float], as_is: bool) -> dict[str, float]:
    mean, low, high = (float(row[name]) for name in ("mean", "low", "high"))
    return {"mean": mean, "low": low, "high": high} if as_is else {"mean": -mean, "low": -high, "high": -low}
