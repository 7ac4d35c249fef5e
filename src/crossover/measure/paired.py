"""Paired comparison: McNemar's test, equivalence (TOST), Holm's correction, paired differences.

McNemar's test and :func:`paired_difference` speak of two fitted models on these rows. They know
nothing of training draws: which of two *arms* is better is a question for the two-way variance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.data.bad_input import BadInput
from crossover.measure.interval import cluster_index, normal, t_quantile
from crossover.measure.metric.metric import Metric
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.measure.scoring import mean_error


@dataclass(frozen=True)
class McNemar:
    """Two fitted models on the same rows: how often only one of them is right.

    ``exact`` is the two-sided binomial P of the discordant rows, ``mid`` the mid-p, which is
    less conservative and nearly keeps its level (Fagerland, Lydersen and Laake 2013). A large
    P does not say that the models are equal; :func:`equivalence` can.
    """

    only_first: int
    only_second: int
    n: int
    exact: float
    mid: float

    @property
    def sentence(self) -> str:
        """The result in words, of two fitted models and never of two arms."""
        return (
            f"of {self.n} rows the first fitted model alone is right on {self.only_first}, the second "
            f"alone on {self.only_second} (McNemar, mid-p = {self.mid:.3g}); this compares these two "
            "fitted models, not the arms they come from"
        )


def mcnemar(gold: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]) -> McNemar:
    """McNemar's test (1947) from (m,) gold and predicted class numbers of two fitted models.

    Rows must be independent: with duplicates or groups among them use
    :func:`paired_difference` with ``groups``.

    Raises:
        ValueError: arrays of unequal length.
    """
    if not len(gold) == len(first) == len(second):
        raise ValueError(f"{len(gold)} gold, {len(first)} and {len(second)} predicted: expected equal")
    right, other = first == gold, second == gold
    only_first, only_second = int((right & ~other).sum()), int((other & ~right).sum())
    discordant, least = only_first + only_second, min(only_first, only_second)
    twice = 2.0 * float(special.bdtr(least, discordant, 0.5)) if discordant else 1.0
    point = math.exp(
        math.lgamma(discordant + 1)
        - math.lgamma(least + 1)
        - math.lgamma(discordant - least + 1)
        - discordant * math.log(2.0)
    )
    mid = twice - point if discordant else 1.0
    return McNemar(only_first, only_second, len(gold), min(1.0, twice), min(1.0, max(0.0, mid)))


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests that a mean difference lies within +- ``margin`` (Schuirmann 1987).

    ``low`` and ``high`` are the 1 - 2 alpha interval, which lies inside the margins exactly
    where ``equivalent``; ``p`` is the larger of the two one-sided P.
    """

    mean: float
    low: float
    high: float
    margin: float
    alpha: float
    p: float
    equivalent: bool

    @property
    def sentence(self) -> str:
        """The verdict with its margin; "not established" is not "different"."""
        found = "equivalent" if self.equivalent else "equivalence not established"
        return (
            f"{found} within a margin of {self.margin:g} (difference {self.mean:.4f}, "
            f"{1 - 2 * self.alpha:.0%} interval [{self.low:.4f}, {self.high:.4f}], TOST P = {self.p:.3g})"
        )


def equivalence(mean: float, error: float, degrees: float, margin: float, alpha: float = 0.05) -> Equivalence:
    """TOST of a mean difference with standard error ``error`` on ``degrees`` degrees of freedom.

    With ``error`` 0 the mean is taken as known.

    Raises:
        BadInput: the margin is not above 0, alpha not in (0, .5), or the error or degrees no
            positive numbers.
    """
    if not 0.0 < margin < math.inf:
        raise BadInput(
            f"equivalence margin {margin!r}: expected a number above 0 in units of the metric "
            "(0.01 is one point of accuracy)"
        )
    if not 0.0 < alpha < 0.5:
        raise BadInput(f"equivalence alpha {alpha!r}: expected a number between 0 and 0.5")
    if not (0.0 <= error < math.inf and degrees > 0.0 and math.isfinite(mean)):
        raise BadInput(
            f"equivalence of mean {mean!r}, standard error {error!r}, {degrees!r} degrees of freedom: "
            "expected a finite mean, an error of at least 0 and at least two draws"
        )
    if error == 0.0:
        p = 0.0 if abs(mean) < margin else 1.0
    else:
        p = float(special.stdtr(degrees, (abs(mean) - margin) / error))
    reach = error * t_quantile(1.0 - 2.0 * alpha, degrees)
    return Equivalence(mean, mean - reach, mean + reach, margin, alpha, p, p < alpha)


def equivalence_over_draws(
    differences: Sequence[float] | NDArray[np.float64], margin: float, alpha: float = 0.05
) -> Equivalence:
    """TOST by a t test over the paired differences of R independent draws.

    The draws must share no rows: where they overlap, or share a small test set, take mean, error
    and degrees of freedom from the two-way variance and call :func:`equivalence`.

    Raises:
        BadInput: fewer than two differences, or as :func:`equivalence`.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        raise BadInput(f"equivalence over {len(values)} draw(s): at least two are needed, run more draws")
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return equivalence(float(values.mean()), error, len(values) - 1, margin, alpha)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted P (1979) of each named test, in the order given.

    Rejecting where the adjusted P is at most alpha keeps the chance of any false rejection at
    alpha, however the tests depend on one another.

    Raises:
        ValueError: a P outside [0, 1].
    """
    for name, p in p_values.items():
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"P of {name!r} is {p!r}, expected a number in [0, 1]")
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda key: (p_values[key], key))):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def paired_difference(
    first: Predictions,
    second: Predictions,
    metric: Metric,
    groups: Mapping[str, str] | None = None,
    level: float = 0.95,
) -> Score:
    """metric(first) - metric(second) of two fitted models on the same rows, joined on ids.

    The interval is t over rows of the differences of ``metric.row_values`` (the loss of a row,
    or a jackknife pseudo-value), over clusters where ``groups`` names the cluster of an id. For
    a metric of which smaller is better, a negative difference favours the first.

    Raises:
        BadInput: the two do not hold the same ids, gold labels and classes.
    """
    second = _joined(first, second)
    name = f"difference of {metric.name}"
    values = [metric(p.gold_index, p.probabilities) for p in (first, second)]
    if values[0] is None or values[1] is None:
        return Score(name, None, None, None, len(first), f"{metric.name} is undefined on these rows", level)
    rows = [metric.row_values(p.gold_index, p.probabilities) for p in (first, second)]
    error, n = mean_error(rows[0] - rows[1], cluster_index(first.ids, groups))
    units = "rows" if n == len(first) else "clusters"
    span = metric.bounds[1] - metric.bounds[0]
    return normal(name, values[0] - values[1], error, n, f"paired {units}", (-span, span), level)


def _joined(first: Predictions, second: Predictions) -> Predictions:
    """The rows of ``second`` in the order of ``first``."""
    if first.classes != second.classes:
        raise BadInput(
            f"the two models' classes differ, {list(first.classes)} and {list(second.classes)}; "
            "compare runs on one corpus"
        )
    if len(set(first.ids)) < len(first) or len(set(second.ids)) < len(second):
        raise BadInput("an id occurs twice among the predictions; pass one part of one run")
    odd = sorted(set(first.ids) ^ set(second.ids))
    if odd:
        raise BadInput(
            f"{len(odd)} ids are predicted by one of the two models only, {odd[0]!r} first; "
            "compare runs scored on the same test rows (the same split and test_rows)"
        )
    second = second.rows(first.ids)
    for id_, one, other in zip(first.ids, first.gold, second.gold, strict=True):
        if one != other:
            raise BadInput(
                f"row {id_!r} is {one!r} in one run and {other!r} in the other; "
                "the labels changed between them: run both on one corpus"
            )
    return second
