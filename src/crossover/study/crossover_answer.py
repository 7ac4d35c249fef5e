"""Crossover: from the grid of runs to pairs, curves, costs, sentences and the Verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crossover.measure.crossing import Crossing, SizeEvidence, charge, find_crossing
from crossover.measure.looks import level_of
from crossover.measure.two_way import paired_mean
from crossover.protocol.power import detectable
from crossover.record.run_record import RunRecord
from crossover.study import crossover_sentence as say
from crossover.study.extrapolation import extrapolated_curves
from crossover.study.grid import Grid, unfinished
from crossover.study.study import Verdict, surroundings

if TYPE_CHECKING:
    from crossover.study.crossover import CrossoverStudy

Json = dict[str, object]
COSTS = (
    *("fit_seconds", "fit_seconds_cold", "predict_ms", "predict_ms_cold", "latency_p50_ms", "latency_p95_ms"),
    *("peak_memory_mb", "tokens", "parameters", "labels", "mean"),
)


def conclude(study: CrossoverStudy, records: Mapping[str, RunRecord]) -> Verdict:
    """The verdict of a crossover study; see CrossoverStudy."""
    grid = study.grid(records, study.budgets[0])
    pairs = [pair for pair in all_pairs(study, grid) if pair is not None]
    primary = next((pair for pair in pairs if pair["primary"]), None)
    tuned = [entry for budget in study.budgets[1:] if (entry := _at_budget(study, records, budget))]
    kind = str(primary["kind"]) if primary else "not_resolved"
    arms = {arm: _arm(study, grid, arm) for arm in study.arms}
    numbers: Json = {
        "metric": study.metric,
        "level": study.level,
        "axis": say.axis(study),
        **surroundings(study.corpus, study.split),
        "sizes": study.grid_sizes,
        "deciding_sizes": study.deciding_sizes(records),
        "arms": arms,
        "pairs": pairs,
        "budgets": [{"trials": study.budgets[0], "kind": kind}, *tuned],
        "prices": dict(study.prices),
        "cost": _costs(study, grid),
        "extrapolation": extrapolated_curves(study, arms),
    }
    return Verdict(
        study=study.name,
        kind=kind,
        sentence=say.headline(study, primary, tuned),
        numbers=numbers,
        population=say.population(study),
        would_change=say.would_change(study, primary),
        next_step=say.next_step(study, primary),
        flags=say.flags(study, numbers, unfinished(study.arms, study.plan(records), records)),
        runs=tuple(sorted(records)),
    )


def all_pairs(study: CrossoverStudy, grid: Grid) -> list[Json | None]:
    """The primary pair at the study's 1 - alpha, every other arm against the cheap one at 1 - alpha/q."""
    others = [arm for arm in study.arms if arm not in (study.cheap, study.expensive)]
    level = level_of(max(1, len(others)) * study.looks)
    pairs = [pair_entry(study, grid, study.expensive, study.level)]
    return [*pairs, *(pair_entry(study, grid, arm, level) for arm in others)]


def pair_entry(study: CrossoverStudy, grid: Grid, expensive: str, level: float) -> Json | None:
    """One pair: differences at each size, the crossing, its second margin and its log loss."""
    limit = study.limits.get(expensive)
    sizes = list(limit.sizes) if limit is not None else study.grid_sizes
    draws = range(limit.draws) if limit is not None else study.deciding
    found, clusters = gather(study, grid, study.metric, expensive, sizes, draws)
    shown = [] if limit is not None else sizes
    first, _ = gather(study, grid, study.metric, expensive, shown, study.locating)
    entry: Json = {
        "cheap": study.cheap,
        "expensive": expensive,
        "primary": expensive == study.expensive,
        "level": level,
        "margin": study.margin,
        "differences": [_difference(e, clusters, level, 2) for e in found]
        + [_difference(e, clusters, level, 1) for e in first],
    }
    if not found:
        return None if not first else {**entry, **_undecided("no deciding draw has finished")}
    if min(len(e.differences) for e in found) < 2 or len(found) < 2:
        return {**entry, **_undecided("illustration: too few draws or sizes to decide anything")}
    answer = _crossing(study, found, clusters, study.margin, level)
    losses, loss_clusters = gather(study, grid, "log_loss", expensive, [e.size for e in found], draws)
    entry |= crossing_json(answer)
    entry["second_margin"] = crossing_json(_crossing(study, found, clusters, study.second_margin, level))
    entry["log_loss"] = {
        **crossing_json(find_crossing(losses, 0.0, clusters=loss_clusters, level=level)),
        "differences": [_difference(e, loss_clusters, level, 2) for e in losses],
    }
    costs = cost_crossing(study, grid, expensive, found, clusters, level, draws)
    if costs is not None:
        entry["cost_crossing"] = costs
    entry["sentence"] = say.pair(study, entry)
    return entry


def cost_crossing(
    study: CrossoverStudy,
    grid: Grid,
    expensive: str,
    found: Sequence[SizeEvidence],
    clusters: NDArray[np.int64] | None,
    level: float,
    draws: Sequence[int],
) -> Json | None:
    """The same inversion on score - lambda C, C the envelope of each draw; None without prices.points.

    Costs are those measured within the study, indicative until timed on a quiet machine.
    """
    if expensive != study.expensive or not study.prices.get("points"):
        return None
    price = study.prices["points"] / 100
    whole = shared_draws(study, grid, expensive, [e.size for e in found], draws)
    charged, differences = [], []
    for at in found:
        cost = np.array(
            [
                _envelope_of(study, grid, expensive, at.size, draw)
                - _envelope_of(study, grid, study.cheap, at.size, draw)
                for draw in whole
            ]
        )
        charged.append(charge(at, cost, price))
        differences.append({"size": at.size, "mean": float(cost.mean()), "draws": [float(c) for c in cost]})
    answer = _crossing(study, charged, clusters, study.margin, level)
    return {**crossing_json(answer), "points": study.prices["points"], "cost_differences": differences}


def _envelope_of(study: CrossoverStudy, grid: Grid, arm: str, size: int, draw: int) -> float:
    return envelope(study.prices, grid.cells[arm, size, draw].cost) or 0.0


def gather(
    study: CrossoverStudy, grid: Grid, metric: str, expensive: str, sizes: Sequence[int], draws: Sequence[int]
) -> tuple[list[SizeEvidence], NDArray[np.int64] | None]:
    """Evidence at each size, and the clusters of its rows.

    Only draws that both arms finished at every such size enter: one draw is one chain of subsets.
    """
    found: list[SizeEvidence] = []
    clusters = None
    whole = shared_draws(study, grid, expensive, sizes, draws)
    for size in sizes:
        pair = grid.evidence(metric, study.cheap, expensive, size, whole)
        if pair is not None:
            found.append(pair[0])
            clusters = pair[1]
    return found, clusters


def shared_draws(
    study: CrossoverStudy, grid: Grid, expensive: str, sizes: Sequence[int], draws: Sequence[int]
) -> list[int]:
    """Draws that both arms finished at every size that has any."""
    present = [grid.paired_draws(study.cheap, expensive, size, draws) for size in sizes]
    return [draw for draw in draws if all(draw in finished for finished in present if finished)]


def crossing_json(answer: Crossing) -> Json:
    """A Crossing as plain values, without the evidence it was made from."""
    more = answer.draws_needed
    return {
        "kind": answer.kind,
        "margin": answer.margin,
        "estimate": answer.estimate,
        "pieces": [piece._asdict() for piece in answer.pieces],
        "draws_needed": f"at {more.size:,} rows, {more.text}" if more is not None else "",
        "pilot": answer.pilot,
        "exploratory": answer.exploratory,
        "reasons": list(answer.reasons),
    }


def _crossing(
    study: CrossoverStudy,
    found: Sequence[SizeEvidence],
    clusters: NDArray[np.int64] | None,
    margin: float,
    level: float,
) -> Crossing:
    return find_crossing(
        found,
        margin,
        equivalence=study.equivalence,
        named_ends=study.named_ends,
        clusters=clusters,
        level=level,
    )


def _undecided(reason: str) -> Json:
    return {
        "kind": "not_resolved",
        "estimate": None,
        "pieces": [],
        "draws_needed": "",
        "pilot": True,
        "exploratory": False,
        "reasons": [reason],
        "sentence": reason,
    }


def _difference(evidence: SizeEvidence, clusters: NDArray[np.int64] | None, level: float, stage: int) -> Json:
    mean = paired_mean(evidence.differences, evidence.overlap, clusters)
    low, high = mean.interval(level)
    return {
        "size": evidence.size,
        "mean": mean.mean,
        "low": low,
        "high": high,
        "draws": [float(v) for v in evidence.differences.mean(axis=1)],
        "detectable": detectable(mean.se, mean.df, level),
        "n_draws": mean.draws,
        "rows": mean.rows,
        "overlap": evidence.overlap,
        "stage": stage,
    }


def _arm(study: CrossoverStudy, grid: Grid, arm: str) -> Json:
    limit = study.limits.get(arm)
    sizes = sorted({size for a, size, _ in grid.cells if a == arm})
    curve = []
    for size in sizes:
        deciding = [d for d in grid.draws(arm, size) if d in study.deciding] if limit is None else []
        draws = deciding if len(deciding) > 1 else grid.draws(arm, size)
        stage = 2 if draws == deciding else 1
        curve.append({**grid.curve(study.metric, arm, size, draws, study.level), "stage": stage})
    return {
        "title": say.title(study.arms[arm]),
        "component": study.arms[arm].to_json(),
        "illustration": limit is not None and limit.draws < 2,
        "pilot": limit is not None and limit.draws <= 4,
        "curve": curve,
    }


def _at_budget(study: CrossoverStudy, records: Mapping[str, RunRecord], budget: int) -> Json | None:
    """The primary pair at a larger budget, and at equal tuning seconds."""
    grid = study.grid(records, budget)
    pair = pair_entry(study, grid, study.expensive, study.level)
    if pair is None:
        return None
    entry: Json = {
        "trials": budget,
        "kind": pair["kind"],
        "estimate": pair["estimate"],
        "pieces": pair["pieces"],
    }
    entry["sentence"] = pair["sentence"]
    headline = study.grid(records, study.budgets[0])
    cheap_tuned = _seconds(grid, study.cheap)
    dear_once = _seconds(headline, study.expensive)
    if cheap_tuned <= dear_once:
        # The cheap arm's whole search costs no more than one fit of the expensive one.
        mixed = Grid(headline.groups, headline.overlap_of)
        mixed.cells = {k: c for k, c in headline.cells.items() if k[0] != study.cheap}
        mixed.cells |= {k: c for k, c in grid.cells.items() if k[0] == study.cheap}
        equal = pair_entry(study, mixed, study.expensive, study.level)
        if equal is not None:
            entry["equal_seconds"] = {
                "kind": equal["kind"],
                "estimate": equal["estimate"],
                "pieces": equal["pieces"],
                "sentence": equal["sentence"],
                "trials": {study.cheap: budget, study.expensive: study.budgets[0]},
            }
    return entry


def _seconds(grid: Grid, arm: str) -> float:
    """Cold fitting seconds, summed over the cells of an arm."""
    cells = [cell for (name, _, _), cell in grid.cells.items() if name == arm]
    return sum(record.cost["fit_seconds_cold"] for cell in cells for record in cell.records)


def _costs(study: CrossoverStudy, grid: Grid) -> list[Json]:
    """Cost of each arm and size, with the envelope C where prices are given."""
    rows: list[Json] = []
    for arm in study.arms:
        for size in sorted({s for a, s, _ in grid.cells if a == arm}):
            point = grid.curve(study.metric, arm, size, grid.draws(arm, size))
            row: Json = {"arm": arm, "size": size, **{name: point[name] for name in COSTS}}
            row["envelope"] = envelope(study.prices, {k: float(row[k]) for k in COSTS})  # type: ignore[arg-type]
            rows.append(row)
    return rows


def envelope(prices: Mapping[str, float], cost: Mapping[str, float]) -> float | None:
    """C = label price x labels + training hours + predictions over the model's life (methods.md 1).

    Training is counted cold. None where no price was given.
    """
    if not prices:
        return None
    volume = prices.get("volume", 0.0)
    hours = (cost["fit_seconds_cold"] + volume * cost["predict_ms_cold"] / 1000) / 3600
    return (
        prices.get("label", 0.0) * cost["labels"]
        + prices.get("hour", 0.0) * hours
        + prices.get("prediction", 0.0) * volume
    )
