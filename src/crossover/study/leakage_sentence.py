"""A leakage study in words: the sentence, flags, what would change it, and the split it recommends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from crossover.record.run_record import RunRecord
from crossover.split.goal import Goal, goal_named
from crossover.split.recommended import Recommended, recommended
from crossover.study.crossover_sentence import metric_title
from crossover.study.grid import unfinished
from crossover.study.study import Verdict, surroundings

if TYPE_CHECKING:
    from crossover.study.leakage import LeakageStudy

Json = dict[str, object]
PILOT = 10
"""Repartitions below which the study is called a pilot."""
SIBLING = {
    "near": "a near-duplicate",
    "normalised": "a copy but for case, digits and spaces",
    "exact": "an exact copy",
}
KINDS = {"costs": "leak_costs", "hurts": "copies_mislead", "no_matter": "leak_does_not_matter"}
ORDER = ("costs", "hurts", "not_resolved", "no_matter")
"""Which arm the sentence begins with: the answer that asks most of the reader."""
SAID = {
    "costs": "which flatters {arm} by {cost} {metric}",
    "hurts": "which misleads {arm}: it scores {cost} {metric} higher with them",
    "no_matter": "which is of no matter to {arm}: {cost} {metric}, within {margin:g} either way",
    "not_resolved": "and what that is worth to {arm} is not resolved: {cost} {metric}",
}


def verdict(
    study: LeakageStudy,
    arms: Mapping[str, Json],
    apart: Mapping[str, Json],
    records: Mapping[str, RunRecord],
) -> Verdict:
    """The verdict of these answers."""
    sentence, kind = sentence_of(study, arms, apart)
    best = recommended(_goal(study), study.corpus, study.split)
    return Verdict(
        study=study.name,
        kind=kind,
        sentence=sentence,
        numbers={
            "metric": study.metric,
            "level": study.level,
            **surroundings(study.corpus, study.split),
            "goal": study.goal,
            "served": study.served.to_json(),
            "stratum": study.stratum,
            "sibling": sibling(study),
            "margin": study.margin,
            "repartitions": study.repartitions,
            "test_part_moves": study.moves,
            "arms": dict(arms),
            "apart": dict(apart),
            "recommended_split": best.to_json(),
            "tables": {
                "strata": _rows(arms, "strata"),
                "repartitions": _rows(arms, "draws"),
                "apart": [{"arm": arm, **found} for arm, found in apart.items()],
            },
        },
        population=f"Over fresh clusters of rows and fresh cuts of corpus {study.corpus.name} "
        f"({study.corpus.fingerprint}) by this recipe; not other corpora, encoders or recipes.",
        would_change=(
            "another goal: the same copy is a leak for one and fair for another",
            "another split, stratum, threshold of near-duplicates, metric or tuning budget",
        ),
        next_step=_next(study, kind, best),
        flags=tuple(_flags(study, arms, apart, records)),
        runs=tuple(sorted(records)),
    )


def sibling(study: LeakageStudy) -> str:
    """What a test row has in train, in words."""
    return SIBLING.get(study.stratum) or f"a row of the same {study.column}"


def sentence_of(study: LeakageStudy, arms: Mapping[str, Json], apart: Mapping[str, Json]) -> tuple[str, str]:
    """The sentence and its kind."""
    where, sign = f"On {study.corpus.name}, ", f"{sibling(study)} in train"
    known = [arm for arm in arms if "cost" in arms[arm]]
    if not known:
        failed = any(arms[arm]["answer"] == "insufficient" for arm in arms)
        if not apart and (failed or study.halves):
            return f"On {study.corpus.name} nothing can be said of a leak: no arm finished.", "insufficient"
        if failed:
            said, kind = f"what {sign} is worth cannot be said: no arm finished", "insufficient"
        elif study.shared:
            said = f"no test row whose cluster can be exchanged has {sign}, so no cost can be measured"
            kind = "not_resolved"
        else:
            said, kind = f"no test row has {sign}, so no cost can be measured", "no_leak"
        return where + "; ".join([said, *_of_goal(study), *_apart(study, apart)]) + ".", _final(study, kind)
    first = min(
        known, key=lambda arm: (ORDER.index(str(arms[arm]["answer"])), -abs(_mean(arms[arm], "cost")), arm)
    )
    words = {"arm": first, "metric": metric_title(study.metric), "margin": study.margin}
    answer = str(arms[first]["answer"])
    share = cast(Mapping[str, float], arms[first]["share"])["in_train"]
    said = f"{share:.1%} of the test rows have {sign}, "
    said += SAID[answer].format(cost=_figure(arms[first], "cost", answer == "hurts"), **words)
    more = [f"{arm}: {_figure(arms[arm], 'cost')}" for arm in known if arm != first]
    loss = cast(Mapping[str, float | None], arms[first]["cost_log_loss"])
    parts = [said, *([", ".join(more)] if more else [])]
    if _side(loss) and _side(loss) != _side(cast(Mapping[str, float | None], arms[first]["cost"])):
        parts.append(f"by log loss {_figure(arms[first], 'cost_log_loss')}")
    return where + "; ".join([*parts, *_of_goal(study), *_apart(study, apart)]) + ".", _final(
        study, KINDS.get(answer, "not_resolved")
    )


def _final(study: LeakageStudy, kind: str) -> str:
    """A goal that the split contradicts, or that allows copies, comes before the size of the cost."""
    if kind == "insufficient":
        return kind
    if study.served.severity == "error":
        return "goal_contradicted"
    return "goal_allows" if study.goal == "same" and kind == "leak_costs" else kind


def _of_goal(study: LeakageStudy) -> list[str]:
    goal = goal_named(study.goal)
    if goal is None:
        return ["no goal is stated, so whether this is a leak is not decided"]
    if study.served.code == "goal-contradicted":
        return [study.served.title]
    allowed = ", which allows copies" if goal.kind == "same" else ", and the split serves it"
    return [f"the goal is to {goal.words}{allowed}"]


def _apart(study: LeakageStudy, apart: Mapping[str, Json]) -> list[str]:
    if not apart:
        return []
    sure = [arm for arm in apart if cast(float, apart[arm]["holm_p"]) <= 1 - study.level]
    if not sure:
        return ["no arm tells train from test"]
    best = max(sure, key=lambda arm: (cast(float, apart[arm]["area"]), arm))
    area, p = (cast(float, apart[best][name]) for name in ("area", "holm_p"))
    return [f"{best} tells train from test (area under the curve {area:.2f}, P = {p:.2g})"]


def _mean(arm: Json, name: str) -> float:
    return cast(Mapping[str, float], arm[name])["mean"]


def _figure(arm: Json, name: str, negated: bool = False) -> str:
    found = cast(Mapping[str, float | None], arm[name])
    mean, low, high = found["mean"], found["low"], found["high"]
    sign = -1.0 if negated else 1.0
    if low is None or high is None:
        return f"{sign * cast(float, mean):.4f} (no row differs)"
    ends = sorted((sign * low, sign * high))
    return f"{sign * cast(float, mean):.4f} [{ends[0]:.4f}, {ends[1]:.4f}]"


def _side(found: Mapping[str, float | None]) -> int:
    low, high = found["low"], found["high"]
    return 0 if low is None or high is None else int(low > 0) - int(high < 0)


def _goal(study: LeakageStudy) -> Goal:
    """The goal; without one, rows whose siblings were not met: what published scores should speak of."""
    return goal_named(study.goal) or Goal("new", study.column)


def _next(study: LeakageStudy, kind: str, best: Recommended) -> str:
    if kind == "insufficient":
        return "Look at the failed runs (failed/ in the store), mend their cause and run again."
    stated = "" if study.goal else "State a goal (goal=later, goal=new, goal=new:COLUMN or goal=same). "
    if study.goal and study.served.code == "goal" and kind in ("no_leak", "goal_allows"):
        return "Keep this split, and read every score as one of that goal."
    goal = _goal(study)
    return f"{stated}To {goal.words}: {best.overrides} (recommended_split.yaml beside this verdict)."


def _rows(arms: Mapping[str, Json], name: str) -> list[Json]:
    return [{"arm": arm, **row} for arm in arms for row in cast(list[Json], arms[arm].get(name, []))]


def _flags(
    study: LeakageStudy,
    arms: Mapping[str, Json],
    apart: Mapping[str, Json],
    records: Mapping[str, RunRecord],
) -> list[str]:
    seen = study.corpus.card.seen_in_pretraining
    flags = [seen] if seen else []
    flags += unfinished(study.arms, study.plan(records), records)
    if study.repartitions < PILOT:
        flags.append(f"pilot: {study.repartitions} repartitions, {PILOT} are the least for a verdict")
    if not study.moves:
        flags.append(
            "every repartition has the same test part: over the dealing of clusters, not over fresh cuts"
        )
    always = {id_ for pair in study.pairs for id_ in pair.always}
    if always:
        flags.append(
            f"{len(always):,} test rows lie in clusters too large to be exchanged; they stay in train on "
            "both sides and count as no cost"
        )
    if study.tied:
        flags.append(
            "copies tie most rows to each other: errors are taken over the clusters of the stratum alone, as "
            "if copies in two of them told nothing of each other"
        )
    if not study.halves:
        flags.append(
            "train and test cannot be told apart by half of the clusters: one holds too many of the rows"
        )
    for arm, said in arms.items():
        control = cast(Mapping[str, float] | None, said.get("control"))
        if control is not None and control["p"] < 0.01:
            flags.append(
                f"{arm}: rows without a copy differ between the two sides (P = {control['p']:.2g}), which "
                "only chance should make"
            )
    if "copies of rows in a later part" in cast(Json, study.split.recipe.get("reserve", {})):
        flags.append(
            "copies put in reserve thin train of copied texts: that alone may tell it from test a little"
        )
    return flags
