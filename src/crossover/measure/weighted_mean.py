"""Means over rows that were drawn with known, unequal probabilities: Horvitz-Thompson, Hajek, bootstrap.

A row drawn with probability pi stands for 1/pi rows of its population. The plain mean of such rows
estimates nothing in particular, and unequal_rows.py refuses it. One variance serves every design here
(uniform, stratified, unequal with a fixed size): within each stratum

    V(sum y/pi) = n/(n - 1) sum (1 - pi) (y/pi - B)^2,   B = sum (1 - pi) y/pi / sum (1 - pi)

(Hajek, Ann. Math. Stat. 1964; Deville 1999). With equal pi it is the textbook variance of a simple or
stratified sample, finite population correction included; with unequal pi it needs no joint
probabilities and holds for designs of high entropy (sample/importance.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.measure.interval import Statistic, normal, t_quantile, wilson
from crossover.measure.score import Score
from crossover.measure.unequal_rows import refuse_plain_mean

METHODS = ("horvitz_thompson", "hajek", "bootstrap")
REPETITIONS = 2_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawn:
    """How n rows came out of a population: ``inclusion`` (n,), each in (0, 1].

    ``population`` is the number of rows they were drawn from, ``strata`` (n,) integer stratum of each
    row, None for one stratum.

    Raises:
        BadInput: no row, a probability outside (0, 1], or a population smaller than the sample.
    """

    inclusion: Floats
    population: int
    strata: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        n = len(self.inclusion)
        bad = np.flatnonzero(~((self.inclusion > 0) & (self.inclusion <= 1)))
        if len(bad):
            raise BadInput(
                f"row {int(bad[0]) + 1} has the inclusion probability {self.inclusion[bad[0]]}: expected a "
                "number above 0 and at most 1, as the design gave it"
            )
        if not n or self.population < n:
            raise BadInput(f"{n} rows drawn from a population of {self.population}: expected 1 to all of it")
        if self.strata is not None and len(self.strata) != n:
            raise BadInput(f"{len(self.strata)} strata for {n} rows: expected one a row")

    def __len__(self) -> int:
        return len(self.inclusion)

    @property
    def weights(self) -> Floats:
        """(n,) how many rows of the population each stands for."""
        return np.asarray(1.0 / self.inclusion)

    @property
    def groups(self) -> list[NDArray[np.int64]]:
        """Positions of the rows of each stratum that were left to chance (inclusion below 1)."""
        strata = np.zeros(len(self), np.int64) if self.strata is None else self.strata
        chance = self.inclusion < 1
        found = [np.flatnonzero(chance & (strata == stratum)) for stratum in np.unique(strata)]
        return [rows for rows in found if len(rows)]

    @property
    def degrees(self) -> int:
        """Degrees of freedom: rows left to chance, less one a stratum."""
        return sum(len(rows) - 1 for rows in self.groups)


def estimate(
    name: str,
    values: Floats,
    drawn: Drawn,
    method: str = "hajek",
    bounds: tuple[float, float] = (-math.inf, math.inf),
    level: float = 0.95,
) -> Score:
    """The mean of (n,) values over the population that the rows were drawn from.

    ``hajek`` sum(y/pi) / sum(1/pi): biased by O(1/n), the stable choice, exact for a constant.
    ``horvitz_thompson`` sum(y/pi) / N: unbiased, and noisy where small pi meet values far from 0.
    ``bootstrap`` the Hajek mean with a percentile interval (Rao, Wu and Yue 1992). ``plain`` is the
    mean of the rows, and refuses a sample that is not uniform.

    Raises:
        BadInput: an unknown method, values that do not fit the sample, or a plain mean of unequal rows.
    """
    values = np.asarray(values, np.float64)
    if values.shape != (len(drawn),) or not np.isfinite(values).all():
        raise BadInput(
            f"{name}: {values.shape} values for {len(drawn)} drawn rows; expected one finite a row"
        )
    if method == "plain":
        refuse_plain_mean([float(value) for value in drawn.inclusion], name)
        return replace(hajek(name, values, drawn, bounds, level), method="plain mean of a uniform sample")
    if method == "horvitz_thompson":
        found = total(name, values, drawn, level)
        scaled = [None if v is None else v / drawn.population for v in (found.value, found.low, found.high)]
        low, high = (None if v is None else min(max(v, bounds[0]), bounds[1]) for v in scaled[1:])
        return replace(found, value=scaled[0], low=low, high=high)
    if method == "hajek":
        return hajek(name, values, drawn, bounds, level)
    if method == "bootstrap":
        columns = np.column_stack([values, np.ones(len(values))])
        return Resamples.of(columns, drawn).score(name, lambda sums: sums[..., 0] / sums[..., 1], level)
    raise BadInput(f"method={method!r}: expected one of {METHODS}")


def total(name: str, values: Floats, drawn: Drawn, level: float = 0.95) -> Score:
    """The sum of the values over the population: Horvitz and Thompson (1952), t interval."""
    value = float((values * drawn.weights).sum())
    variance = design_variance(values, drawn)
    if variance is None:
        return _silent(name, value, drawn, level)
    return _normal(name, value, variance, drawn, "Horvitz-Thompson", (-math.inf, math.inf), level)


def hajek(
    name: str,
    values: Floats,
    drawn: Drawn,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    level: float = 0.95,
    domain: NDArray[np.bool_] | None = None,
) -> Score:
    """The weighted mean of the values, over the population or over the part of it that ``domain`` marks.

    The variance is that of the residuals (y - mean)/N-hat, 0 outside the domain. Where every value is
    0 or 1 the interval is Wilson's on so many effective rows as would give this variance (Korn and
    Graubard 1998); where all agree, on (sum w)^2/sum w^2 rows. The variance is then taken a little larger
    (:func:`_unseen`): a rare case among rows that stand for many is often not drawn at all.
    """
    inside = np.ones(len(drawn), bool) if domain is None else domain
    weights = drawn.weights * inside
    rows = int(inside.sum())
    if not rows:
        return Score(name, None, None, None, 0, "undefined: no such rows", level)
    size = float(weights.sum())
    value = float(weights @ values) / size
    variance = design_variance(np.where(inside, values - value, 0.0) / size, drawn)
    if variance is None:
        return _silent(name, value, drawn, level)
    if not np.isin(values[inside], (0.0, 1.0)).all() or not drawn.groups:
        return replace(_normal(name, value, variance, drawn, "Hajek", bounds, level), n=rows)
    spread = value * (1.0 - value)
    alike = size**2 / float((weights**2).sum())
    variance += _unseen(drawn, inside) / size**2
    effective = spread / variance if 0.0 < value < 1.0 and variance > 0.0 else alike
    effective *= (NormalDist().inv_cdf((1.0 + level) / 2.0) / t_quantile(level, drawn.degrees)) ** 2
    low, high = wilson(value * effective, effective, level)
    said = f"Hajek, Wilson on {effective:.1f} effective rows of {rows}"
    return Score(name, value, float(low), float(high), rows, said, level)


def _unseen(drawn: Drawn, inside: NDArray[np.bool_]) -> float:
    """2/n of the spread of the squared weights: what two cases would add that weights alone kept from view.

    0 where weights are equal: Wilson's interval needs no help there. In simulation a rate of .04 under
    weights of 1 to 4 was covered .895 without it and .957 with it (docs/decisions/0020-sampling.md).
    """
    rows = np.flatnonzero(inside & (drawn.inclusion < 1))
    chance, weights = 1.0 - drawn.inclusion[rows], drawn.weights[rows]
    if not len(rows):
        return 0.0
    excess = float(chance @ weights**2) - float(chance @ weights) ** 2 / float(chance.sum())
    return 2.0 / len(rows) * max(excess, 0.0)


def design_variance(values: Floats, drawn: Drawn) -> float | None:
    """Variance of sum(values/pi); None where a stratum has a single row left to chance."""
    if any(len(rows) < 2 for rows in drawn.groups):
        return None
    found = 0.0
    for rows in drawn.groups:
        chance, expanded = 1.0 - drawn.inclusion[rows], values[rows] / drawn.inclusion[rows]
        centre = float(chance @ expanded) / float(chance.sum())
        found += len(rows) / (len(rows) - 1) * float(chance @ (expanded - centre) ** 2)
    return found


@dataclass(frozen=True, eq=False)
class Resamples:
    """Weighted sums of (n, C) columns over a sample, and over resamples of it, (repetitions, C).

    In each stratum n - 1 of its rows are drawn with replacement and weighted by n/(n - 1) (Rao, Wu and
    Yue 1992); rows that were certain to be drawn stay. Drawing with replacement ignores the finite
    population, so that an interval errs to the wide side where much of it was drawn.
    """

    drawn: Drawn
    sums: Floats
    replicates: Floats

    @classmethod
    def of(cls, columns: Floats, drawn: Drawn, seed: int = 0) -> Resamples:
        """Draw them, seeded by ``seed`` alone; none where a stratum has a single row left to chance."""
        weighted = columns * drawn.weights[:, None]
        if any(len(rows) < 2 for rows in drawn.groups):
            return cls(drawn, weighted.sum(axis=0), np.zeros((0, columns.shape[1])))
        rng = np.random.default_rng(seed)
        found = np.tile(weighted[drawn.inclusion >= 1].sum(axis=0), (REPETITIONS, 1))
        for rows in drawn.groups:
            n = len(rows)
            counts = rng.multinomial(n - 1, np.full(n, 1.0 / n), size=REPETITIONS)
            found += (n / (n - 1)) * (counts @ weighted[rows])
        return cls(drawn, weighted.sum(axis=0), found)

    def score(self, name: str, statistic: Statistic, level: float = 0.95) -> Score:
        """A statistic of the sums with a percentile interval."""
        value, n = float(statistic(self.sums)), len(self.drawn)
        if math.isnan(value):
            return Score(name, None, None, None, n, "undefined on these rows", level)
        if not len(self.replicates):
            return _silent(name, value, self.drawn, level)
        if not self.drawn.groups:
            return Score(name, value, value, value, n, "Hajek, the whole population", level)
        found = statistic(self.replicates)
        found = found[~np.isnan(found)]
        if len(found) < 0.8 * REPETITIONS or np.ptp(found) <= 1e-12 * max(1.0, abs(value)):
            return Score(name, value, None, None, n, "no interval: the resamples do not vary", level)
        low, high = np.quantile(found, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        said = f"Hajek, percentile bootstrap, {REPETITIONS} resamples within strata"
        return Score(name, value, float(low), float(high), n, said, level)


def _normal(
    name: str,
    value: float,
    variance: float,
    drawn: Drawn,
    said: str,
    bounds: tuple[float, float],
    level: float,
) -> Score:
    if not drawn.groups:  # every row of the population was drawn: nothing is left to chance
        return Score(name, value, value, value, len(drawn), f"{said}, the whole population", level)
    # t(n - 1): ``normal`` takes one degree off the units it is told
    score = normal(name, value, math.sqrt(variance), drawn.degrees + 1, said, bounds, level)
    return replace(score, n=len(drawn))


def _silent(name: str, value: float, drawn: Drawn, level: float) -> Score:
    return Score(name, value, None, None, len(drawn), "no interval: a stratum with a single drawn row", level)
