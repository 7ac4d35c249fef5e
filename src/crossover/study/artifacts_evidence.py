"""What predictions say of artefacts: signal against the base rate, a mark's worth, predictions that move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from crossover.measure.interval import clopper_pearson, cluster_index, proportion
from crossover.measure.metric.metric import Metric, metric_named
from crossover.measure.null_score import SCORES, lift
from crossover.measure.paired import mcnemar
from crossover.measure.predictions import Predictions
from crossover.measure.simultaneous import bounds_of
from crossover.measure.two_way import paired_mean

Json = dict[str, object]
SHOWN_DIRECTIONS = 6


@dataclass(frozen=True)
class Scored:
    """How predictions are read: metric of record, clusters of rows, coverage of intervals, orientation."""

    metric: Metric
    groups: Mapping[str, str]
    level: float = 0.95

    @property
    def one_sided(self) -> float:
        """Level of each end of an interval."""
        return (1.0 + self.level) / 2.0

    @property
    def sign(self) -> float:
        """1 where larger is better, else -1."""
        return 1.0 if self.metric.larger_is_better else -1.0

    def value(self, predictions: Predictions) -> float | None:
        """The metric of record."""
        return self.metric(predictions.gold_index, predictions.probabilities)

    def clusters(self, predictions: Predictions) -> NDArray[np.int64] | None:
        """Cluster of each row."""
        return cluster_index(predictions.ids, self.groups)


def gain(scored: Scored, first: Predictions, second: Predictions) -> Json:
    """How much better the first predicts than the second, row by row on the same rows.

    ``mean`` is the difference of the metric, turned so that above 0 the first is better; its interval is
    t over rows (clusters). ``p`` is one-sided, of the first being no better: the larger of that of the t
    test and the exact one of the rows only one of them gets right (McNemar 1947), for where hardly any row
    differs a t test is sure too soon.
    """
    values = [scored.value(one) for one in (first, second)]
    if values[0] is None or values[1] is None:
        return {"mean": None, "low": None, "high": None, "p": 1.0}
    rows = [scored.metric.row_values(one.gold_index, one.probabilities) for one in (first, second)]
    differences = scored.sign * (rows[0] - rows[1])
    mean = paired_mean(differences[None, :], 0.0, scored.clusters(first))
    found = bounds_of(mean, scored.one_sided, signed=True)
    exact = mcnemar(first.gold_index, first.predicted_index, second.predicted_index)
    only, other = exact.only_first, exact.only_second
    binomial = float(stats.binom.sf(only - 1, only + other, 0.5)) if only + other else 1.0
    shift = scored.sign * (values[0] - values[1]) - found.mean
    return {
        "mean": found.mean + shift,
        "low": found.low + shift,
        "high": found.high + shift,
        "p": max(_upper(mean.mean, mean.se, mean.df), min(1.0, binomial)),
    }


def signal(scored: Scored, found: Predictions) -> Json:
    """What predictions know beyond the class shares of the scored rows, the best constant there is.

    ``nats`` (log loss saved a row) and ``accuracy`` (lead over the majority rule) each with an interval.
    In these two nothing that knows nothing beats the constant; in macro-F1 a coin does. ``p`` is one-sided,
    Bonferroni over the two. ``score`` and ``base`` are in the metric of record.
    """
    gold, clusters = found.gold_index, scored.clusters(found)
    leads, p_values = {}, []
    for name in SCORES:
        lead = lift(name, gold, [found.probabilities], scored.one_sided, clusters)
        leads[name] = {"mean": lead.mean, "low": lead.low, "high": lead.high}
        p_values.append(lead_p(name, gold, found.probabilities, clusters))
    constant = base_rate(found)
    return {
        "score": scored.value(found),
        "base": scored.value(constant),
        "difference": gain(scored, found, constant),
        "nats": leads["log_loss"],
        "accuracy": leads["accuracy"],
        "p": min(1.0, len(p_values) * min(p_values)),
    }


def lead_p(
    name: str,
    gold: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    clusters: NDArray[np.int64] | None = None,
) -> float:
    """One-sided P of no lead over the class shares, by t over rows (clusters)."""
    metric, sign = metric_named(name), 1.0 if name == "accuracy" else -1.0
    shares = np.bincount(gold, minlength=probabilities.shape[1]) / len(gold)
    prior = metric.row_values(gold, np.tile(shares, (len(gold), 1)))
    mean = paired_mean((sign * (metric.row_values(gold, probabilities) - prior))[None, :], 0.0, clusters)
    return _upper(mean.mean, mean.se, mean.df)


def base_rate(found: Predictions) -> Predictions:
    """The same rows, each with the class shares of them all."""
    shares = np.bincount(found.gold_index, minlength=len(found.classes)) / len(found)
    table = np.tile(shares, (len(found), 1))
    return Predictions(found.ids, found.parts, found.gold, found.classes, table)


def mark_worth(scored: Scored, plain: Predictions, stripped: Predictions, carried: NDArray[np.bool_]) -> Json:
    """The score with and without a mark, paired; and what happens on the rows that carry it."""
    right, right_without = (one.predicted_index == one.gold_index for one in (plain, stripped))
    count = int(carried.sum())
    moved = int((carried & (plain.predicted_index != stripped.predicted_index)).sum())
    return {
        "with": scored.value(plain),
        "without": scored.value(stripped),
        "drop": gain(scored, plain, stripped),
        "rows": len(plain),
        "carriers": count,
        "right_with": int((right & carried).sum()),
        "right_without": int((right_without & carried).sum()),
        "moved": moved,
    }


def movement(
    scored: Scored,
    plain: Predictions,
    changed: Predictions,
    touched: NDArray[np.bool_],
    tolerance: float,
) -> Json:
    """How often the predicted class moves among the rows whose text was changed, and from which to which.

    The rate has the exact interval of Clopper and Pearson (1934); with clusters among the rows Wilson's on
    the effective number of rows. ``p`` is that of so many moves at a true rate of ``tolerance``;
    ``high_of_all`` is the upper limit of the share of all rows, touched or not, that move.
    """
    every = plain.predicted_index != changed.predicted_index
    moves = every[touched]
    count, flips = len(moves), int(moves.sum())
    if not count:
        return {"changed": 0, "moved": 0, "rate": None, "low": 0.0, "high": 0.0, "p": 1.0,
                "high_of_all": 0.0, "directions": []}  # fmt: skip
    clusters = scored.clusters(plain.take(np.flatnonzero(touched).tolist()))
    low, high, units, method = _share(moves, clusters, scored.level)
    of_all = _share(every & touched, scored.clusters(plain), scored.level)
    pairs = Counter(
        (plain.classes[a], plain.classes[b])
        for a, b in zip(plain.predicted_index[touched], changed.predicted_index[touched], strict=True)
        if a != b
    )
    return {
        "changed": count,
        "moved": flips,
        "rate": flips / count,
        "low": low,
        "high": high,
        "high_of_all": of_all[1],
        "method": method,
        # Clusters count as so many rows: fewer moves in proportion (31/450*450 is not quite 31).
        "p": float(stats.binom.sf(np.floor(flips / count * units + 1e-9) - 1, units, tolerance)),
        "drop": gain(scored, plain, changed),
        "directions": [
            {"from": a, "to": b, "count": n}
            for (a, b), n in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_DIRECTIONS]
        ],
    }


def _share(
    moves: NDArray[np.bool_], clusters: NDArray[np.int64] | None, level: float
) -> tuple[float, float, float, str]:
    """Limits of a share, the number of independent rows (clusters), and how they were made."""
    if clusters is None:
        low, high = clopper_pearson(float(moves.sum()), float(len(moves)), level)
        return float(low), float(high), float(len(moves)), "exact"
    rate = proportion("moved", moves, clusters, level)
    return rate.low or 0.0, 1.0 if rate.high is None else rate.high, float(rate.n), rate.method


def differs(before: Sequence[str], after: Sequence[str]) -> NDArray[np.bool_]:
    """Which texts were changed."""
    return np.array([a != b for a, b in zip(before, after, strict=True)], dtype=bool)


def _upper(mean: float, error: float, degrees: float) -> float:
    if error == 0.0:
        return 0.0 if mean > 0.0 else 1.0
    return float(stats.t.sf(mean / error, degrees))
