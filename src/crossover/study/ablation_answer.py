"""What the coalition scores of an ablation say, as plain numbers: effects, overlap, who is under-credited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from crossover.measure.factorial import (
    CoalitionScores,
    Contrast,
    Effect,
    Factorial,
    Fraction,
    pairs,
    stability,
)
from crossover.measure.paired import holm
from crossover.protocol.power import detectable

Json = dict[str, object]
LEVEL = 0.05
KINDS = ("leave_one_out", "add_one", "shapley")
"""Of a full factorial; what matters goes by the last. A fraction has ``main`` alone."""


def answer(
    design: Factorial | Fraction,
    names: Sequence[str],
    titles: Mapping[int, str],
    scores: CoalitionScores,
    losses: CoalitionScores | None,
) -> Json:
    """Every effect with interval and Holm's P.

    Each kind of effect is one family with the k(k-1)/2 pair interactions: Holm over k + k(k-1)/2.
    ``losses`` are the log losses of the same runs, told beside the metric of record.
    """
    kinds = KINDS if isinstance(design, Factorial) else ("main",)
    primary = kinds[-1]
    single = {kind: _effects(scores, _single(design, kind)) for kind in kinds}
    both = [_pair_effects(design, scores, i, j) for i, j in pairs(len(names))]
    adjusted = {kind: _adjusted(single[kind], [pair["interaction"] for pair in both]) for kind in kinds}
    loss_effects = _effects(losses, _single(design, primary)) if losses is not None else None
    loss_pairs = (
        [_pair_effects(design, losses, i, j)["interaction"] for i, j in pairs(len(names))] if losses else []
    )
    loss_p = _adjusted(loss_effects, loss_pairs) if loss_effects is not None else {}
    hidden = _hidden(design, scores) if isinstance(design, Factorial) else []
    components: Json = {}
    for k, name in enumerate(names):
        row: Json = {kind: _told(single[kind][k], adjusted[kind].get(str(k))) for kind in kinds}
        row |= _judged(single[primary][k], adjusted[primary].get(str(k)), scores.overlap)
        if hidden:
            row["hidden"] = hidden[k]
        if loss_effects is not None:
            row["log_loss"] = _told(loss_effects[k], loss_p.get(str(k)))
            row["matters_by_log_loss"] = matters(loss_effects[k], loss_p.get(str(k)))
        components[name] = row
    interactions: list[Json] = []
    for n, (i, j) in enumerate(pairs(len(names))):
        effects = both[n]
        found: Json = {"left": names[i], "right": names[j]}
        p = adjusted[primary].get(f"pair {n}")
        found |= {
            kind: _told(effect, p if kind == "interaction" else None) for kind, effect in effects.items()
        }
        interactions.append(found | {"found": _overlap_word(effects["interaction"], p)})
    told: Json = {
        "primary": primary,
        "tests": len(names) + len(interactions),
        "components": components,
        "interactions": interactions,
        "scores": _levels(scores, titles),
    }
    if isinstance(design, Factorial):
        told |= {"overlap": _overlap(design, scores), "covered": _covered(design, names, scores, components)}
    return told | {"tables": _tables(told)}


def matters(effect: Effect | None, holm_p: float | None) -> str:
    """``yes`` (the score is better with it), ``hurts``, ``not shown``, or ``not estimated``."""
    if effect is None or holm_p is None:
        return "not estimated"
    if holm_p > LEVEL:
        return "not shown"
    return "yes" if effect.mean.mean > 0 else "hurts"


def _single(design: Factorial | Fraction, kind: str) -> list[Contrast | None]:
    make = getattr(design, kind)
    return [make(i) for i in range(design.components)]


def _effects(scores: CoalitionScores, contrasts: Sequence[Contrast | None]) -> list[Effect | None]:
    return [scores.effect(contrast) for contrast in contrasts]


def _pair_effects(
    design: Factorial | Fraction, scores: CoalitionScores, i: int, j: int
) -> dict[str, Effect | None]:
    if isinstance(design, Fraction):
        return {"interaction": scores.effect(design.pair(i, j))}
    return {
        "interaction": scores.effect(design.interaction(i, j)),
        "bare": scores.effect(design.bare_interaction(i, j)),
        "average": scores.effect(design.shapley_interaction(i, j)),
    }


def _adjusted(single: Sequence[Effect | None], both: Sequence[Effect | None]) -> dict[str, float]:
    """Holm's P of one family; a contrast that could not be estimated is no test of it."""
    named = {str(k): effect for k, effect in enumerate(single)}
    named |= {f"pair {n}": effect for n, effect in enumerate(both)}
    return holm({name: effect.p for name, effect in named.items() if effect is not None})


def _told(effect: Effect | None, holm_p: float | None = None) -> Json | None:
    if effect is None:
        return None
    low, high = effect.mean.interval()
    told: Json = {"mean": effect.mean.mean, "low": low, "high": high, "p": effect.p}
    if holm_p is not None:
        told["holm_p"] = holm_p
    return told | {"draws": list(effect.per_draw), "n_draws": len(effect.draws)}


def _judged(effect: Effect | None, holm_p: float | None, overlap: float) -> Json:
    """Whether it matters and whether it is stable: the two columns."""
    judged: Json = {"matters": matters(effect, holm_p)}
    if effect is None:
        return judged | {"stable": {"word": "not established", "positive": 0, "draws": 0}}
    counted = stability(effect.per_draw)
    # Draws that share rows are no independent trials, which the limits take them for.
    word = "not established" if overlap else counted.word
    judged["stable"] = {
        "word": word,
        "positive": counted.positive,
        "draws": counted.draws,
        "low": counted.low,
        "high": counted.high,
    }
    return judged | {"detectable": detectable(effect.mean.se, effect.mean.df)}


def _overlap_word(effect: Effect | None, holm_p: float | None) -> str:
    word = matters(effect, holm_p)
    return {"yes": "reinforce each other", "hurts": "overlap"}.get(word, word)


def _levels(scores: CoalitionScores, titles: Mapping[int, str]) -> list[Json]:
    """Mean score of each coalition, the smallest coalitions first."""
    rows: list[Json] = []
    for mask in sorted(titles, key=lambda mask: (mask.bit_count(), mask)):
        level = scores.level(mask)
        row: Json = {"coalition": titles[mask], "components": mask.bit_count()}
        if level is not None:
            low, high = level.interval()
            row |= {"mean": level.mean, "low": low, "high": high, "draws": level.draws}
        rows.append(row)
    return rows


def _overlap(design: Factorial, scores: CoalitionScores) -> Json:
    """What all bring together against the sums of what each is credited with, and their gaps."""
    every = range(design.components)
    gain = design.gain()
    removed = _sum([design.leave_one_out(i) for i in every])
    added = _sum([design.add_one(i) for i in every])
    contrasts = {
        "gain": gain,
        "sum_leave_one_out": removed,
        "sum_add_one": added,
        "unclaimed": _sum([gain, _scaled(removed, -1.0)]),
        "counted_twice": _sum([added, _scaled(gain, -1.0)]),
    }
    return {name: _told(scores.effect(contrast)) for name, contrast in contrasts.items()}


def _covered(
    design: Factorial, names: Sequence[str], scores: CoalitionScores, components: Mapping[str, object]
) -> Json | None:
    """Components that matter, are not missed alone, and deserve more than that beyond chance.

    With what is lost when all of them are taken away together. A single one is joined by the
    component it overlaps most with on average.
    """
    rows = [cast(Json, components[name]) for name in names]
    group = [k for k, row in enumerate(rows) if row["matters"] == "yes" and _under_credited(row)]
    if not group:
        return None
    shown = [names[k] for k in group]
    if len(group) == 1:
        others = [j for j in range(len(names)) if j != group[0]]
        average = {
            j: scores.effect(design.shapley_interaction(min(group[0], j), max(group[0], j))) for j in others
        }
        met = [j for j, effect in average.items() if effect is not None and effect.mean.mean < 0]
        if met:
            group = sorted([*group, min(met, key=lambda j: cast(Effect, average[j]).mean.mean)])
    return {
        "components": shown,
        "group": [names[k] for k in group],
        "together": _told(scores.effect(design.removal(group))),
        "apart": _told(scores.effect(_sum([design.leave_one_out(k) for k in group]))),
    }


def _hidden(design: Factorial, scores: CoalitionScores) -> list[Json | None]:
    """What leaving one out does not show of each component: Shapley value less leave-one-out, Holm over k."""
    contrasts = []
    for i in range(design.components):
        left_out = _scaled(design.leave_one_out(i), -1.0)
        contrasts.append(_sum([design.shapley(i), left_out]))
    effects = _effects(scores, contrasts)
    adjusted = _adjusted(effects, [])
    return [_told(effect, adjusted.get(str(k))) for k, effect in enumerate(effects)]


def _under_credited(row: Json) -> bool:
    """Left out alone it is not missed beyond chance, while its Shapley value is larger beyond chance."""
    return row["leave_one_out"] is not None and not _above(row["leave_one_out"]) and _above(row["hidden"])


def _above(effect: object) -> bool:
    found = cast(Mapping[str, float] | None, effect)
    return found is not None and found["holm_p"] <= LEVEL and found["mean"] > 0


def _sum(contrasts: Sequence[Contrast | None]) -> Contrast | None:
    total: dict[int, float] = {}
    for contrast in contrasts:
        if contrast is None:
            return None
        for mask, weight in contrast.items():
            total[mask] = total.get(mask, 0.0) + weight
    return {mask: weight for mask, weight in total.items() if weight} or None


def _scaled(contrast: Contrast | None, factor: float) -> Contrast | None:
    return None if contrast is None else {mask: factor * weight for mask, weight in contrast.items()}


def _tables(told: Mapping[str, object]) -> Json:
    """Flat rows, as they are mirrored: components, interactions, coalitions."""
    components = []
    for name, row in cast(Mapping[str, Json], told["components"]).items():
        flat: Json = {"component": name, "matters": row["matters"], **_flat("stable", row["stable"])}
        for kind in (*KINDS, "main", "hidden", "log_loss"):
            flat |= _flat(kind, row.get(kind))
        components.append(flat)
    interactions = []
    for pair in cast(Sequence[Json], told["interactions"]):
        flat = {"left": pair["left"], "right": pair["right"], "found": pair["found"]}
        for kind in ("interaction", "bare", "average"):
            flat |= _flat(kind, pair.get(kind))
        interactions.append(flat)
    return {"components": components, "interactions": interactions, "coalitions": told["scores"]}


def _flat(prefix: str, plain: object) -> Json:
    if not isinstance(plain, Mapping):
        return {}
    return {f"{prefix}_{key}": value for key, value in plain.items() if not isinstance(value, list)}
