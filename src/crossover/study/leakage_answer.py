"""What the runs of a leakage study say of each arm: the same rows seen and unseen, the parts told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from crossover.measure.crossed_mean import CrossedMean, crossed_mean
from crossover.measure.metric.metric import Metric, metric_named
from crossover.measure.paired import holm
from crossover.measure.predictions import Predictions
from crossover.measure.two_sample import Half, TwoSample, two_sample
from crossover.record.run_record import RunRecord
from crossover.study.crossover_sentence import title

if TYPE_CHECKING:
    from crossover.study.leakage import LeakageStudy

Json = dict[str, object]
Floats = NDArray[np.float64]
SEEN, ALONE, ALWAYS = 0, 1, 2
"""Where a test row stands: its cluster is exchanged, it has no copy in train, its cluster stays in both."""
MOST_GROUPS = 30
"""Declared groups that are listed one by one; more of them are authors, not sources."""


@dataclass(frozen=True)
class Repartition:
    """The test rows of one repartition as the two sides predict them, one table a seed.

    ``stands`` is (m,) of SEEN, ALONE, ALWAYS; ``on_left`` (m,) whether the left side saw the cluster.
    """

    ids: tuple[str, ...]
    gold: NDArray[np.int64]
    left: Sequence[Floats]
    right: Sequence[Floats]
    stands: NDArray[np.int64]
    on_left: NDArray[np.bool_]

    def tables(self) -> list[tuple[Floats, Floats]]:
        """(seen, unseen) probabilities of all rows; rows that are not exchanged are alike in both.

        One pair for each seed and each side that the other rows are taken from.
        """
        exchanged, seen_here = self.stands == SEEN, (self.stands == SEEN) & self.on_left
        made = []
        for left, right in zip(self.left, self.right, strict=True):
            for other in (left, right):
                seen = np.where(exchanged[:, None], np.where(seen_here[:, None], left, right), other)
                unseen = np.where(exchanged[:, None], np.where(seen_here[:, None], right, left), other)
                made.append((seen, unseen))
        return made

    def values(self, metric: Metric) -> tuple[Floats, Floats]:
        """Row values seen and unseen, signed so that more is better, mean over :meth:`tables`."""
        sign = 1.0 if metric.larger_is_better else -1.0
        both = [[metric.row_values(self.gold, table) for table in pair] for pair in self.tables()]
        seen, unseen = np.mean(both, axis=0)
        return sign * seen, sign * unseen

    def recomputed(self, metric: Metric) -> tuple[float, float] | None:
        """The metric of the whole test part, its exchanged rows seen and unseen."""
        both = [[metric(self.gold, table) for table in pair] for pair in self.tables()]
        if any(value is None for pair in both for value in pair):
            return None
        seen, unseen = np.mean(cast(list[list[float]], both), axis=0)
        return float(seen), float(unseen)

    def without_copies(self, metric: Metric) -> float | None:
        """The metric seen on all rows less that on the rows without a copy: what leaving them out shows."""
        kept = np.flatnonzero(self.stands == ALONE)
        found = [(metric(self.gold, seen), metric(self.gold[kept], seen[kept])) for seen, _ in self.tables()]
        if any(value is None for pair in found for value in pair):
            return None
        return float(np.mean([cast(float, whole) - cast(float, rest) for whole, rest in found]))


def repartitions(study: LeakageStudy, arm: str, records: Mapping[str, RunRecord]) -> dict[int, Repartition]:
    """The repartitions of which both sides finished with every seed."""
    found = {}
    for r, pair in enumerate(study.pairs):
        if not study.swaps(r):
            continue
        sides = [[records[s.digest] for s in study.specs(arm, r, side) if s.digest in records]
                 for side in (0, 1)]  # fmt: skip
        if min(map(len, sides)) < study.seeds:
            continue
        first = sides[0][0].predictions.part("test")
        tables = [[_on(record, first.ids) for record in side] for side in sides]
        place = dict.fromkeys(pair.alone, ALONE) | dict.fromkeys(pair.always, ALWAYS)
        left = set(pair.seen_left)
        found[r] = Repartition(
            first.ids,
            first.gold_index,
            tables[0],
            tables[1],
            np.array([place.get(id_, SEEN) for id_ in first.ids]),
            np.array([id_ in left for id_ in first.ids]),
        )
    return found


def _on(record: RunRecord, ids: Sequence[str]) -> Floats:
    test: Predictions = record.predictions.part("test")
    return test.probabilities if test.ids == tuple(ids) else test.rows(ids).probabilities


def arm_answer(study: LeakageStudy, arm: str, records: Mapping[str, RunRecord]) -> Json:
    """One arm: costs and paired differences with intervals, rows by class seen and unseen, the control."""
    parts = repartitions(study, arm, records)
    plain: Json = {
        "title": title(study.arms[arm]),
        "component": study.arms[arm].to_json(),
        "repartitions": len(parts),
    }
    if not parts:
        return {
            **plain,
            "answer": "insufficient" if any(map(study.swaps, range(len(study.pairs)))) else "none",
        }
    told = Told(study, parts)
    metric = metric_named(study.metric)
    cost = told.cost(metric)
    level = 1 - (1 - study.level) / len(study.arms)
    return {
        **plain,
        "answer": answer(cost, study.margin, level),
        "level": level,
        "train_rows": round(float(np.mean([len(study.pairs[r].left.train) for r in parts]))),
        "share": told.share,
        "cost": shown(cost, level),
        "cost_log_loss": shown(told.cost(metric_named("log_loss")), level),
        "delta": shown(told.delta(metric_named("accuracy")), level),
        "delta_log_loss": shown(told.delta(metric_named("log_loss")), level),
        "delta_by_cluster": shown(told.delta(metric_named("accuracy"), by_cluster=True), level),
        "control": shown(told.control(metric_named("accuracy")), level),
        "deleted": told.deleted(metric),
        "strata": told.strata(),
        "groups": told.groups(),
        "draws": told.draws(metric),
    }


def answer(cost: CrossedMean, margin: float, level: float) -> str:
    """``costs``, ``hurts``, ``no_matter`` (within plus or minus the margin) or ``not_resolved``.

    Within the margin is two one-sided tests at (1 - level) each; the others ask the interval at ``level``.
    """
    wide, narrow = cost.interval(level), cost.interval(2 * level - 1)
    if wide is None or narrow is None:
        return "not_resolved"
    if -margin < narrow[0] and narrow[1] < margin:
        return "no_matter"
    return "costs" if wide[0] > 0 else "hurts" if wide[1] < 0 else "not_resolved"


def shown(mean: CrossedMean, level: float) -> Json:
    """A mean as plain values."""
    low, high = mean.interval(level) or (None, None)
    return {
        "mean": mean.mean, "low": low, "high": high, "p": mean.p, "rows": mean.values,
        "clusters": mean.clusters, "draws": mean.draws,
    }  # fmt: skip


@dataclass(frozen=True)
class Told:
    """The repartitions of one arm, and the figures they give."""

    study: LeakageStudy
    parts: Mapping[int, Repartition]

    def _units(self, part: Repartition) -> list[str]:
        return [self.study.unit_of[id_] for id_ in part.ids]

    def _mean(self, values: Sequence[Floats], keep: int | None) -> CrossedMean:
        """Mean over rows that stand so (None: all), clusters and draws beside."""
        wanted = [
            np.ones(len(p.ids), bool) if keep is None else p.stands == keep for p in self.parts.values()
        ]
        names = [np.array(self._units(p))[w] for p, w in zip(self.parts.values(), wanted, strict=True)]
        _, clusters = np.unique(np.concatenate(names), return_inverse=True)
        draws = np.repeat(np.arange(len(wanted)), [int(w.sum()) for w in wanted])
        chosen = np.concatenate([v[w] for v, w in zip(values, wanted, strict=True)])
        return crossed_mean(chosen, draws.astype(np.int64), clusters.astype(np.int64))

    def delta(self, metric: Metric, by_cluster: bool = False) -> CrossedMean:
        """Mean of seen less unseen over the exchanged rows; or over their clusters, each counting once."""
        values = [seen - unseen for seen, unseen in (p.values(metric) for p in self.parts.values())]
        if not by_cluster:
            return self._mean(values, SEEN)
        means, draws, clusters, number = [], [], [], {}  # type: ignore[var-annotated]
        for draw, (part, value) in enumerate(zip(self.parts.values(), values, strict=True)):
            own: dict[str, list[float]] = {}
            for unit, stands, one in zip(self._units(part), part.stands, value, strict=True):
                if stands == SEEN:
                    own.setdefault(unit, []).append(float(one))
            for unit, found in own.items():
                means.append(float(np.mean(found)))
                draws.append(draw)
                clusters.append(number.setdefault(unit, len(number)))
        return crossed_mean(np.array(means), np.array(draws), np.array(clusters))

    def cost(self, metric: Metric) -> CrossedMean:
        """Metric of the whole test part, exchanged rows seen less unseen; its error from row values.

        For a mean over rows that is the share of exchanged rows times :meth:`delta`. A ratio such as F1 is
        recomputed from its confusion matrix; row values (jackknife) give its error alone.
        """
        sign = 1.0 if metric.larger_is_better else -1.0
        values = [seen - unseen for seen, unseen in (p.values(metric) for p in self.parts.values())]
        spread = self._mean(values, None)
        found = [pair for p in self.parts.values() if (pair := p.recomputed(metric)) is not None]
        mean = sign * float(np.mean([seen - unseen for seen, unseen in found])) if found else spread.mean
        return CrossedMean(mean, spread.se, spread.df, spread.values, spread.clusters, spread.draws,
                           spread.effective)  # fmt: skip

    def control(self, metric: Metric) -> CrossedMean:
        """Left less right on rows without a copy in train: nothing but chance moves it from 0."""
        sign = 1.0 if metric.larger_is_better else -1.0
        values = []
        for part in self.parts.values():
            sides = [np.mean([metric.row_values(part.gold, t) for t in tables], axis=0)
                     for tables in (part.left, part.right)]  # fmt: skip
            values.append(sign * (sides[0] - sides[1]))
        if not any((part.stands == ALONE).any() for part in self.parts.values()):
            return CrossedMean(0.0, 0.0, 1.0, 0, 0, len(self.parts), 0.0)
        return self._mean(values, ALONE)

    @property
    def share(self) -> Json:
        """Shares of the test rows that have a sibling in train, and of those whose cluster is exchanged."""
        stands = np.concatenate([part.stands for part in self.parts.values()])
        return {"in_train": float((stands != ALONE).mean()), "exchanged": float((stands == SEEN).mean())}

    def deleted(self, metric: Metric) -> float | None:
        """What leaving the copied rows out of the test would show: not the cost (pitfall of deletion)."""
        found = [part.without_copies(metric) for part in self.parts.values()]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else None

    def strata(self) -> list[Json]:
        """Share of rows right, by class: rows with a copy seen and unseen, and rows without one."""
        accuracy, made = metric_named("accuracy"), []
        values = [part.values(accuracy) for part in self.parts.values()]
        gold = np.concatenate([part.gold for part in self.parts.values()])
        stands = np.concatenate([part.stands for part in self.parts.values()])
        seen, unseen = (np.concatenate([pair[k] for pair in values]) for k in (0, 1))
        for k, name in enumerate(self.study.corpus.classes):
            copied, alone = (gold == k) & (stands == SEEN), (gold == k) & (stands == ALONE)
            made.append(
                {
                    "class": name,
                    "rows_copied": int(copied.sum()),
                    "rows_alone": int(alone.sum()),
                    "seen": _mean(seen[copied]),
                    "unseen": _mean(unseen[copied]),
                    "alone": _mean(seen[alone]),
                }
            )
        return made

    def groups(self) -> list[Json]:
        """Share of rows right by declared group, seen and unseen, where the stratum has few of them."""
        values_of = self.study.group_values
        if not 0 < len(set(values_of.values())) <= MOST_GROUPS:
            return []
        own: dict[str, list[tuple[float, float]]] = {}
        for part in self.parts.values():
            pairs = zip(*part.values(metric_named("accuracy")), strict=True)
            for id_, stands, pair in zip(part.ids, part.stands, pairs, strict=True):
                if stands == SEEN and id_ in values_of:
                    own.setdefault(values_of[id_], []).append(pair)
        means = {name: np.mean(pairs, axis=0) for name, pairs in own.items()}
        return [
            {"group": name, "rows": len(own[name]), "seen": float(seen), "unseen": float(unseen)}
            for name, (seen, unseen) in sorted(means.items(), key=lambda one: one[1][1] - one[1][0])
        ]

    def draws(self, metric: Metric) -> list[Json]:
        """Every repartition: the metric with clusters seen and unseen."""
        return [
            {"repartition": r, "seen": both[0], "unseen": both[1]}
            for r, part in self.parts.items()
            if (both := part.recomputed(metric)) is not None
        ]


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def told_apart(study: LeakageStudy, records: Mapping[str, RunRecord]) -> dict[str, Json]:
    """Arm -> how well it tells train from test on held-out clusters, with Holm's correction over arms."""
    found: dict[str, TwoSample] = {}
    for arm in sorted(study.arms) if study.halves else ():
        runs = [records.get(study.part_spec(arm, half).digest) for half in range(len(study.halves))]
        halves = [_half(study, run.predictions.part("test")) for run in runs if run is not None]
        if len(halves) == len(runs) and (test := two_sample(halves)) is not None:
            found[arm] = test
    adjusted = holm({arm: test.p for arm, test in found.items()})
    return {arm: {**vars(test), "holm_p": adjusted[arm]} for arm, test in found.items()}


def _half(study: LeakageStudy, test: Predictions) -> Half:
    column = test.classes.index("test")
    units = np.unique([study.unit_of[id_] for id_ in test.ids], return_inverse=True)[1]
    return Half(test.probabilities[:, column], test.gold_index == column, units.astype(np.int64))
