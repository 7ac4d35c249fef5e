"""Variance components of scores over training draws and seeds (methods.md 2).

Nested design: score of seed s on draw t is mu + draw_t + seed_ts. On a subset of the draws
initialisation and order are crossed, mu + draw_t + initialisation_ti + order_tj + both_tij. Components
come from expected mean squares (Searle, Casella and McCulloch, Variance Components, 1992). The
interval of one mean square is chi-square; sums and differences of mean squares get the modified large
sample interval (Graybill and Wang, JASA 75, 1980, for sums; Ting et al., J. Statist. Comput. Simul. 35,
1990, with differences). A component below 0 is shown as it is, and cut at 0 beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.data.bad_input import BadInput

Floats = NDArray[np.float64]

FEWEST_DEGREES = 4
"""A component on fewer degrees of freedom is refused: its SD is known to a factor of 2.9 at best."""


@dataclass(frozen=True)
class MeanSquare:
    """A mean square and its degrees of freedom."""

    value: float
    degrees: int


@dataclass(frozen=True)
class VarianceComponent:
    """One source's variance with its interval, or the reason why there is none.

    ``variance``, ``low`` and ``high`` are not cut at 0; :attr:`sd` is. ``degrees`` are those of the
    leading mean square. All None where ``method`` says why the component is refused.
    """

    source: str
    variance: float | None
    low: float | None
    high: float | None
    degrees: int
    method: str
    level: float = 0.95

    @property
    def truncated(self) -> tuple[float, float, float] | None:
        """Variance, lower and upper limit, each cut at 0."""
        if self.variance is None or self.low is None or self.high is None:
            return None
        return max(self.variance, 0.0), max(self.low, 0.0), max(self.high, 0.0)

    @property
    def sd(self) -> tuple[float, float, float] | None:
        """Standard deviation and its limits, from the truncated variance."""
        cut = self.truncated
        return None if cut is None else (math.sqrt(cut[0]), math.sqrt(cut[1]), math.sqrt(cut[2]))

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, untruncated and truncated side by side."""
        sd = self.sd or (None, None, None)
        factors = limit_factors(self.degrees, self.level) if self.degrees >= 1 else (None, None)
        return {
            "source": self.source,
            "variance": self.variance,
            "variance_low": self.low,
            "variance_high": self.high,
            "sd": sd[0],
            "sd_low": sd[1],
            "sd_high": sd[2],
            "degrees": self.degrees,
            "factor_low": factors[0],
            "factor_high": factors[1],
            "method": self.method,
            "level": self.level,
        }


@dataclass(frozen=True)
class Ranking:
    """Which of two sources varies more: an F interval of their ratio; ``ranked`` where it excludes 1.

    ``ratio`` is of the variance components where ``of`` says so, else of the mean squares whose
    expectations are equal exactly where the two components are. F intervals stand and fall with normal
    effects: where ``doubtful`` nothing is ranked.
    """

    first: str
    second: str
    ratio: float
    low: float
    high: float
    of: str
    doubtful: bool = False

    @property
    def larger(self) -> str | None:
        """The source that varies more, None where the interval holds 1 or the effects are doubtful."""
        if self.doubtful:
            return None
        return self.first if self.low > 1 else self.second if self.high < 1 else None

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; an infinite limit (the second source does not vary) is None."""
        ends = [value if math.isfinite(value) else None for value in (self.ratio, self.low, self.high)]
        return {
            "first": self.first,
            "second": self.second,
            "ratio": ends[0],
            "low": ends[1],
            "high": ends[2],
            "of": self.of,
            "doubtful": self.doubtful,
            "larger": self.larger,
        }


def limit_factors(degrees: int, level: float = 0.95) -> tuple[float, float]:
    """What an SD on so many degrees of freedom is multiplied by for its lower and upper limit."""
    low, high = chi_square_interval(MeanSquare(1.0, degrees), level)
    return math.sqrt(low), math.sqrt(high)


def chi_square_interval(square: MeanSquare, level: float = 0.95) -> tuple[float, float]:
    """Interval of the expectation of one mean square of normal effects."""
    tail, total = (1 - level) / 2, square.value * square.degrees
    low, high = special.chdtri(square.degrees, [tail, 1 - tail])
    return float(total / low), float(total / high)


def modified_large_sample(
    terms: Sequence[tuple[float, MeanSquare]], level: float = 0.95
) -> tuple[float, float, float]:
    """Sum of coefficient x expected mean square: estimate, lower and upper limit, not cut at 0.

    The mean squares are independent, the coefficients of either sign. Graybill and Wang's limits
    where all are positive, those of Ting et al. where some are negative; for one mean square the
    chi-square interval.
    """
    tail = (1 - level) / 2
    positive = [(c, s) for c, s in terms if c > 0]
    negative = [(-c, s) for c, s in terms if c < 0]
    estimate = float(sum(c * s.value for c, s in terms))
    below, above = _reach(positive, negative, tail), _reach(negative, positive, tail)
    return estimate, estimate - below, estimate + above


def upper_limit(terms: Sequence[tuple[float, MeanSquare]], confidence: float = 0.80) -> float:
    """One-sided upper limit of a sum of coefficient x expected mean square, at least 0."""
    return max(modified_large_sample(terms, 2 * confidence - 1)[2], 0.0)


def _reach(
    added: Sequence[tuple[float, MeanSquare]], taken: Sequence[tuple[float, MeanSquare]], tail: float
) -> float:
    """Distance from the estimate to its lower limit (sum of ``added`` less sum of ``taken``)."""
    square = sum((_shrink(s.degrees, tail) * c * s.value) ** 2 for c, s in added)
    square += sum((_grow(s.degrees, tail) * c * s.value) ** 2 for c, s in taken)
    for c, s in added:
        for d, r in taken:
            f = float(special.fdtri(s.degrees, r.degrees, 1 - tail))
            mixed = (f - 1) ** 2 - (_shrink(s.degrees, tail) * f) ** 2 - _grow(r.degrees, tail) ** 2
            square += mixed / f * c * d * s.value * r.value
    if taken and len(added) > 1:
        for k, (c, s) in enumerate(added):
            for d, r in added[k + 1 :]:
                n, m = s.degrees, r.degrees
                both = _shrink(n + m, tail) ** 2 * (n + m) ** 2 / (n * m)
                apart = _shrink(n, tail) ** 2 * n / m + _shrink(m, tail) ** 2 * m / n
                square += (both - apart) / (len(added) - 1) * c * d * s.value * r.value
    return math.sqrt(max(square, 0.0))


def _shrink(degrees: int, tail: float) -> float:
    """G: 1 - 1/F(tail; degrees, infinity), the share a mean square falls to its lower limit."""
    return float(1 - degrees / special.chdtri(degrees, tail))


def _grow(degrees: int, tail: float) -> float:
    """H: 1/F(1 - tail; degrees, infinity) - 1, the share a mean square rises to its upper limit."""
    return float(degrees / special.chdtri(degrees, 1 - tail) - 1)


@dataclass(frozen=True)
class Nested:
    """Seeds nested in draws: (n_t,) scores of each of T draws, each draw with at least one run.

    Draws may have unequal numbers of seeds (runs failed): the draws' mean square is then that of
    unweighted means at the harmonic mean number of seeds (Thomas and Hultquist, Ann. Statist. 6,
    1978), which is the usual one where the numbers are equal.
    """

    scores: tuple[Floats, ...]

    def __post_init__(self) -> None:
        if not self.scores or any(not len(draw) for draw in self.scores):
            raise BadInput("variance components: every draw needs the score of at least one run")
        if not all(np.isfinite(draw).all() for draw in self.scores):
            raise BadInput("variance components: a score is not finite; leave the run out as a failure")

    @property
    def draws(self) -> int:
        """T."""
        return len(self.scores)

    @cached_property
    def repeats(self) -> float:
        """Harmonic mean number of seeds a draw."""
        return self.draws / sum(1 / len(draw) for draw in self.scores)

    @cached_property
    def means(self) -> Floats:
        """(T,) mean of each draw."""
        return np.array([draw.mean() for draw in self.scores])

    @cached_property
    def seed(self) -> MeanSquare:
        """Mean square of seeds within draws; its expectation is the seed variance."""
        degrees = sum(len(draw) - 1 for draw in self.scores)
        total = sum(float(((draw - draw.mean()) ** 2).sum()) for draw in self.scores)
        return MeanSquare(total / degrees if degrees else 0.0, degrees)

    @cached_property
    def draw(self) -> MeanSquare:
        """Mean square of draws; expectation: repeats x draw variance + seed variance."""
        if self.draws < 2:
            return MeanSquare(0.0, 0)
        return MeanSquare(self.repeats * float(self.means.var(ddof=1)), self.draws - 1)

    @cached_property
    def residuals(self) -> Floats:
        """Scores less their draw's mean, scaled to the seed variance; draws of one run left out."""
        parts = [
            (draw - draw.mean()) * math.sqrt(len(draw) / (len(draw) - 1))
            for draw in self.scores
            if len(draw) > 1
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    @property
    def draw_terms(self) -> list[tuple[float, MeanSquare]]:
        """Variance of the training draw."""
        return [(1 / self.repeats, self.draw), (-1 / self.repeats, self.seed)]

    @property
    def total_terms(self) -> list[tuple[float, MeanSquare]]:
        """Variance of one run on a fresh draw with a fresh seed."""
        if not self.seed.degrees:
            return [(1.0, self.draw)]
        rest = 1 - 1 / self.repeats
        return [(1 / self.repeats, self.draw), *([(rest, self.seed)] if rest > 0 else [])]


@dataclass(frozen=True)
class Crossed:
    """Initialisations crossed with orders within draws: (T, a, b) scores, mean squares pooled over draws."""

    scores: Floats

    def __post_init__(self) -> None:
        if self.scores.ndim != 3 or min(self.scores.shape[1:]) < 2 or not len(self.scores):
            raise BadInput(
                f"crossed scores of shape {self.scores.shape}: expected (draws, initialisations, orders), "
                "at least 2 of the last two"
            )
        if not np.isfinite(self.scores).all():
            raise BadInput("crossed scores: one is not finite; leave its draw out")

    @cached_property
    def _effects(self) -> tuple[Floats, Floats, Floats]:
        centred = self.scores - self.scores.mean(axis=(1, 2), keepdims=True)
        rows, columns = centred.mean(axis=2, keepdims=True), centred.mean(axis=1, keepdims=True)
        return rows, columns, centred - rows - columns

    @cached_property
    def initialisation(self) -> MeanSquare:
        """Expectation: b x initialisation variance + that of both together."""
        draws, a, b = self.scores.shape
        return MeanSquare(b * float((self._effects[0] ** 2).sum()) / (draws * (a - 1)), draws * (a - 1))

    @cached_property
    def order(self) -> MeanSquare:
        """Expectation: a x order variance + that of both together."""
        draws, a, b = self.scores.shape
        return MeanSquare(a * float((self._effects[1] ** 2).sum()) / (draws * (b - 1)), draws * (b - 1))

    @cached_property
    def both(self) -> MeanSquare:
        """Expectation: variance of what initialisation and order do together."""
        draws, a, b = self.scores.shape
        degrees = draws * (a - 1) * (b - 1)
        return MeanSquare(float((self._effects[2] ** 2).sum()) / degrees, degrees)

    def components(self, level: float = 0.95) -> list[VarianceComponent]:
        """Initialisation, order, and both together."""
        _, a, b = self.scores.shape
        return [
            component("initialisation", [(1 / b, self.initialisation), (-1 / b, self.both)], level),
            component("order", [(1 / a, self.order), (-1 / a, self.both)], level),
            component("initialisation x order", [(1.0, self.both)], level),
        ]

    def rankings(self, level: float = 0.95) -> list[Ranking]:
        """Exact F comparisons; initialisation against order only where as many of each were run."""
        _, a, b = self.scores.shape
        found = [
            ratio("initialisation", "initialisation x order", self.initialisation, self.both, b, level),
            ratio("order", "initialisation x order", self.order, self.both, a, level),
        ]
        if a == b:
            squares = (self.initialisation, self.order)
            found.append(_mean_square_ratio("initialisation", "order", *squares, level))
        return [one for one in found if one is not None]


def component(
    source: str, terms: Sequence[tuple[float, MeanSquare]], level: float = 0.95
) -> VarianceComponent:
    """A component with its interval, refused below :data:`FEWEST_DEGREES` of its leading mean square."""
    degrees = terms[0][1].degrees
    if degrees < FEWEST_DEGREES:
        reason = f"refused: {degrees} degrees of freedom, at least {FEWEST_DEGREES} are needed"
        return VarianceComponent(source, None, None, None, degrees, reason, level)
    for _, square in terms[1:]:
        if square.degrees < FEWEST_DEGREES:
            reason = f"refused: a mean square it needs has {square.degrees} degrees of freedom"
            return VarianceComponent(source, None, None, None, degrees, reason, level)
    if not any(square.value for _, square in terms):
        reason = "refused: the scores do not vary at all, so nothing bounds their spread"
        return VarianceComponent(source, None, None, None, degrees, reason, level)
    estimate, low, high = modified_large_sample(terms, level)
    signs = {coefficient > 0 for coefficient, _ in terms}
    method = "chi-square"
    if len(terms) > 1:
        method = "modified large sample (" + ("Graybill-Wang)" if signs == {True} else "Ting et al.)")
    return VarianceComponent(source, estimate, low, high, degrees, method, level)


def ratio(
    first: str, second: str, above: MeanSquare, below: MeanSquare, repeats: float, level: float = 0.95
) -> Ranking | None:
    """Ratio of the variance of ``first`` to that of ``second``, with the exact F interval.

    ``above`` expects repeats x variance(first) + variance(second), ``below`` variance(second). None
    where either has too few degrees of freedom, or nothing varies.
    """
    found = _mean_square_ratio(first, second, above, below, level)
    if found is None:
        return None
    value, low, high = (max((end - 1) / repeats, 0.0) for end in (found.ratio, found.low, found.high))
    return Ranking(first, second, value, low, high, "variance components")


def _mean_square_ratio(
    first: str, second: str, above: MeanSquare, below: MeanSquare, level: float
) -> Ranking | None:
    if min(above.degrees, below.degrees) < FEWEST_DEGREES or not (above.value or below.value):
        return None
    tail = (1 - level) / 2
    observed = above.value / below.value if below.value else math.inf
    upper, lower = special.fdtri(above.degrees, below.degrees, [1 - tail, tail])
    return Ranking(first, second, observed, observed / float(upper), observed / float(lower), "mean squares")
