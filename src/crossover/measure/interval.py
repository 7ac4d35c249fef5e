"""Intervals: Wilson for proportions, BCa bootstrap and jackknife for everything else.

A measure other than a proportion is a function of sums over rows (of losses, of true positives a
class). :class:`Units` holds those sums for what is resampled together, a row or a cluster of
rows, so that one draw serves every measure and nothing is predicted or counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.measure.score import Score

FEWEST_UNITS = 20
"""Below so many units the bootstrap covers too little; the jackknife's t interval is used."""
MOST_UNITS = 20_000
"""Above so many units the jackknife is used: the two agree there, and it costs no resampling."""
MOST_UNDEFINED = 0.2
"""A bootstrap with a larger share of undefined resamples gives no interval."""
_BLOCK = 250
_KEPT = 1 << 24
"""Most counts of one kept table of draws (32 MiB), see _kept_draws."""

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(..., columns) sums to (...) values, nan where undefined."""
Limits = tuple[NDArray[np.float64], NDArray[np.float64]]


def cluster_index(ids: Sequence[str], groups: Mapping[str, str] | None) -> NDArray[np.int64] | None:
    """(m,) cluster number of each id; None where every row is its own cluster.

    An id that ``groups`` does not name is a cluster by itself. Numbers follow the sorted names,
    so they do not depend on the order of the rows.
    """
    if not groups:
        return None
    names = [(0, groups[id_]) if id_ in groups else (1, id_) for id_ in ids]
    number = {name: k for k, name in enumerate(sorted(set(names)))}
    if len(number) == len(names):
        return None
    return np.array([number[name] for name in names], dtype=np.int64)


def wilson(
    successes: float | NDArray[np.float64], n: float | NDArray[np.float64], level: float = 0.95
) -> Limits:
    """Wilson's score interval (1927) for ``successes`` of ``n`` > 0 trials, elementwise.

    ``n`` need not be whole (effective sample sizes).
    """
    k, n, z = np.asarray(successes, np.float64), np.asarray(n, np.float64), _normal_quantile(level)
    p = k / n
    centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n)
    reach = z / (1.0 + z * z / n) * np.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
    # at 0 and n the formula gives 0 and 1 but for rounding
    return np.where(k <= 0.0, 0.0, centre - reach), np.where(k >= n, 1.0, centre + reach)


def clopper_pearson(
    successes: float | NDArray[np.float64], n: float | NDArray[np.float64], level: float = 0.95
) -> Limits:
    """Clopper and Pearson's exact interval (1934), elementwise; never covers less than ``level``."""
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    tail = (1.0 - level) / 2.0
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1.0), n - k + 1.0, tail), 0.0)
    high = np.where(k < n, special.betaincinv(k + 1.0, np.maximum(n - k, 1.0), 1.0 - tail), 1.0)
    return low, high


def proportion(
    name: str,
    outcomes: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None = None,
    level: float = 0.95,
) -> Score:
    """Share of true outcomes with Wilson's interval.

    With clusters the rows count for fewer: n is divided by the design effect (the clustered over
    the binomial variance, at least 1) and by (t/z)^2 for the few clusters the variance rests on
    (Korn and Graubard 1998; Wilson's form after Franco et al. 2019). Where all outcomes agree
    there is no variance to see and rows of a cluster count as copies: n = (sum m_g)^2/sum m_g^2.
    """
    m = len(outcomes)
    if not m:
        return Score(name, None, None, None, 0, "undefined: no such rows", level)
    value = float(outcomes.mean())
    units, effective, method = m, float(m), "Wilson"
    if clusters is not None:
        _, numbered = np.unique(clusters, return_inverse=True)
        sizes = np.bincount(numbered).astype(np.float64)
        units = len(sizes)
        if units < m:
            if units < 2:
                return Score(name, value, None, None, 1, "no interval: all rows are one cluster", level)
            sums = np.bincount(numbered, weights=outcomes).astype(np.float64)
            effective = _effective_rows(sums, sizes, level)
            method = f"Wilson on {effective:.1f} effective rows of {m} in {units} clusters"
    low, high = wilson(value * effective, effective, level)
    return Score(name, value, float(low), float(high), units, method, level)


@dataclass(frozen=True, eq=False)
class Units:
    """What is resampled together: ``sums`` (U, C) of each distinct unit, ``counts`` (U,) how often it occurs.

    ``kind`` is "rows" or "clusters". Resampling is seeded by ``seed`` alone.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    kind: str = "rows"
    repetitions: int = 2000
    seed: int = 0

    @classmethod
    def of_rows(cls, columns: NDArray[np.float64], clusters: NDArray[np.int64] | None = None) -> Units:
        """Units of (m, C) row values, summed to clusters where given.

        Rows are put in the order of their values, so that the order of the table changes nothing.
        """
        if clusters is None:
            order = np.lexsort(columns.T)
            return cls(columns[order], np.ones(len(columns), np.int64))
        order = np.argsort(clusters, kind="stable")
        starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
        sums = np.add.reduceat(columns[order], starts, axis=0)
        return cls(sums, np.ones(len(sums), np.int64), "clusters")

    @property
    def n(self) -> int:
        """Number of units, repeats included."""
        return int(self.counts.sum())

    @cached_property
    def total(self) -> NDArray[np.float64]:
        """(C,) sums over all units."""
        return self.counts @ self.sums

    @cached_property
    def resampled(self) -> NDArray[np.float64]:
        """(repetitions, C) sums over n units drawn with replacement."""
        drawn: Iterable[NDArray[np.integer]]
        if not (self.counts == 1).all():
            generator, share = np.random.default_rng(self.seed), self.counts / self.n
            drawn = (generator.multinomial(self.n, share, size=size) for size in _blocks(self.repetitions))
        elif self.n * self.repetitions <= _KEPT:
            drawn = _kept_draws(self.n, self.repetitions, self.seed)
        else:
            drawn = _draws(self.n, self.repetitions, self.seed)
        return np.concatenate([weights.astype(np.float64) @ self.sums for weights in drawn])


def _blocks(repetitions: int) -> Iterator[int]:
    for start in range(0, repetitions, _BLOCK):
        yield min(_BLOCK, repetitions - start)


def _draws(units: int, repetitions: int, seed: int) -> Iterator[NDArray[np.integer]]:
    """How often each unit is drawn in each repetition: blocks of (repetitions, units) counts."""
    generator = np.random.default_rng(seed)
    for size in _blocks(repetitions):
        drawn = generator.integers(units, size=(size, units))
        drawn += units * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)


@lru_cache(maxsize=2)
def _kept_draws(units: int, repetitions: int, seed: int) -> tuple[NDArray[np.uint16], ...]:
    """The same, kept: runs of a study are scored on one test part, and drawing costs more than summing."""
    return tuple(block.astype(np.uint16) for block in _draws(units, repetitions, seed))


def bootstrap(
    name: str,
    units: Units,
    statistic: Statistic,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    level: float = 0.95,
    kind: str = "bca",
) -> Score:
    """A statistic of sums with a bootstrap interval over units.

    ``kind`` is "bca" (bias-corrected and accelerated, Efron 1987) or "percentile". Undefined
    resamples are left out and counted in ``method``. The jackknife takes over below
    :data:`FEWEST_UNITS` and above :data:`MOST_UNITS`. Where every resample gives the value
    itself there is no interval: the rows then hold nothing to judge its spread by.
    """
    value, n = _value(units, statistic), units.n
    if value is None:
        return Score(name, None, None, None, n, "undefined on these rows", level)
    if not FEWEST_UNITS <= n <= MOST_UNITS:
        return jackknife(name, units, statistic, bounds, level)
    replicates = statistic(units.resampled)
    undefined = int(np.isnan(replicates).sum())
    said = f", {undefined} of them undefined" if undefined else ""
    if undefined > MOST_UNDEFINED * len(replicates):
        return Score(name, value, None, None, n, f"no interval: {len(replicates)} resamples{said}", level)
    replicates = replicates[~np.isnan(replicates)]
    if np.ptp(replicates) <= 1e-12 * max(1.0, abs(value)):
        return Score(name, value, None, None, n, "no interval: every resample gives the same value", level)
    tails = np.array([(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    label = "percentile bootstrap"
    if kind == "bca":
        corrected = _bca_tails(value, replicates, *_leave_one_out(units, statistic), tails)
        if corrected is not None:
            tails, label = corrected, "BCa bootstrap"
    low, high = np.quantile(replicates, tails)
    method = f"{label}, {units.repetitions} resamples of {units.kind}{said}"
    return Score(name, value, float(low), float(high), n, method, level)


def jackknife(
    name: str,
    units: Units,
    statistic: Statistic,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    level: float = 0.95,
) -> Score:
    """A statistic of sums with value +- t(n - 1) jackknife standard errors, cut to ``bounds``."""
    value, n = _value(units, statistic), units.n
    if value is None:
        return Score(name, None, None, None, n, "undefined on these rows", level)
    if n < 2:
        return Score(name, value, None, None, n, f"no interval: a single one of {units.kind}", level)
    without, counts = _leave_one_out(units, statistic)
    left = int(counts.sum())
    if left < n:
        reason = f"no interval: undefined without {n - left} of {n} {units.kind}"
        return Score(name, value, None, None, n, reason, level)
    centre = counts @ without / n
    error = math.sqrt((n - 1) / n * float(counts @ (without - centre) ** 2))
    return normal(name, value, error, n, f"jackknife over {units.kind}", bounds, level)


def normal(
    name: str,
    value: float,
    error: float,
    n: int,
    method: str,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    level: float = 0.95,
) -> Score:
    """value +- t(n - 1) standard errors, cut to ``bounds``; no interval where the error is 0."""
    if n < 2 or error <= 1e-12 * max(1.0, abs(value)):
        reason = "a single unit" if n < 2 else "the units do not vary"
        return Score(name, value, None, None, n, f"no interval: {reason}", level)
    reach = error * t_quantile(level, n - 1)
    low, high = max(bounds[0], value - reach), min(bounds[1], value + reach)
    return Score(name, value, low, high, n, f"t interval, {method}", level)


def t_quantile(level: float, degrees: float) -> float:
    """Two-sided quantile of Student's t: P(\\|T\\| <= quantile) = ``level``."""
    return float(special.stdtrit(degrees, (1.0 + level) / 2.0))


def _value(units: Units, statistic: Statistic) -> float | None:
    if not units.n:
        return None
    value = float(statistic(units.total))
    return None if math.isnan(value) else value


def _leave_one_out(units: Units, statistic: Statistic) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values without one unit and how many units give each, undefined ones left out."""
    without = statistic(units.total - units.sums)
    defined = ~np.isnan(without)
    return without[defined], units.counts[defined]


def _bca_tails(
    value: float,
    replicates: NDArray[np.float64],
    without: NDArray[np.float64],
    counts: NDArray[np.int64],
    tails: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """Corrected tail probabilities, None where they do not exist (the statistic is too skewed)."""
    n = counts.sum()
    if not n:
        return None
    departure = counts @ without / n - without
    scale = float(counts @ departure**2)
    if scale == 0.0:
        return None
    acceleration = float(counts @ departure**3) / (6.0 * scale**1.5)
    # equal replicates count half: a statistic of counts takes few values
    below = (np.sum(replicates < value) + 0.5 * np.sum(replicates == value)) / len(replicates)
    if not 0.0 < below < 1.0:
        return None
    bias = special.ndtri(below)
    shifted = bias + special.ndtri(tails)
    stretch = 1.0 - acceleration * shifted
    if (stretch <= 0.0).any():
        return None
    corrected: NDArray[np.float64] = special.ndtr(bias + shifted / stretch)
    return corrected


def _normal_quantile(level: float) -> float:
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def _effective_rows(sums: NDArray[np.float64], sizes: NDArray[np.float64], level: float) -> float:
    """Rows that would tell as much were they independent."""
    m, clusters = float(sizes.sum()), len(sizes)
    share = float(sums.sum()) / m
    if 0.0 < share < 1.0:
        spread = float(((sums - share * sizes) ** 2).sum())
        variance = clusters / (clusters - 1) * spread / m**2
        effective = min(m, share * (1.0 - share) / variance) if variance > 0.0 else m
    else:
        effective = m**2 / float((sizes**2).sum())
    return effective * (_normal_quantile(level) / t_quantile(level, clusters - 1)) ** 2
