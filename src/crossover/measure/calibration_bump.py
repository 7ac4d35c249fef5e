"""Scans for ranges of a probability where a model is off beyond chance: globally, and locally (a bump).

The statistic is the maximum over classes and intervals of |sum(y - q)| / sqrt(sum q (1 - q)), y being 1 for
rows of the class and q their probability of it; intervals run between 60 cut points of equal information,
the sum of q (1 - q), and hold at least 5 of it. The **global** scan takes q = p, the model's own
probability, and draws y* ~ Categorical(p): its P is exact and the maximum pays for the search. The
**local** scan takes q = g(p), g a smooth map fitted on other rows (calibrate): what it finds no
recalibration would mend. There the variance of sum(y - g) is that of the labels and of the fitted map,
sum g (1 - g) + c' C c, c being the derivative of sum g by the map's parameters and C their covariance:
without the second term the maximum goes to wide ranges, where the error of g is large, and narrow bumps are
missed. Its null draws labels of both sets of rows from one map of them all, and fits g again each time on
those of calibrate (parametric bootstrap).

A map fitted where a bump is bends towards it, and is then off beside it. So the bump is **located** on one
half of the rows by the score test of an offset inside a range, the map being fitted on that same half; and it
is **confirmed** on the other half against a map fitted to what calibrate and this other half hold outside the
range, rows that had no part in locating it (parametric bootstrap again, one-sided in the direction found).

Rows must be independent: hand in one row of each cluster.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.measure.calibration_map import BetaMap, fit_map, mapped_blocks, refit
from crossover.measure.calibration_null import check_probabilities, simulate_labels
from crossover.measure.calibration_scan import (
    LEAST_INFORMATION,
    Cells,
    Range,
    Span,
    by_error,
    largest,
    running,
)

Array = NDArray[np.float64]
Labels = NDArray[np.integer]
Mask = NDArray[np.bool_]

SIMULATIONS = 999
CONFIRMATIONS = 199
"""At most so many simulations confirm a range: a test at 5% needs no finer P."""
LEVEL = 0.05
FEWEST_ROWS = 20
"""Fewer rows to scan, or to fit the map on, give no test."""
_BLOCK = 4_000_000


@dataclass(frozen=True)
class GlobalScan:
    """Where the model is most off, and P of a maximum as large under perfect calibration.

    ``critical`` is the null's 95% quantile. Where the test cannot be had, ``p_value`` is None and
    ``reason`` says why.
    """

    rows: int
    where: Range | None = None
    p_value: float | None = None
    critical: float | None = None
    simulations: int = 0
    reason: str = ""

    @property
    def rejects(self) -> bool:
        """Whether the model is off beyond chance, at 5%."""
        return self.p_value is not None and self.p_value <= LEVEL

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class LocalScan:
    """A bump: P of the scan on all rows, where it was located, and whether the other half confirms it.

    ``located`` is told on the half it was found on and flattered by the search; ``confirmed`` is the same
    range on the other half; both expect what the map ``around``, fitted outside the range, says. ``inside``
    (n,) marks its rows, in the order handed in. ``beta`` is the map of the scan, fitted on all of calibrate.
    """

    rows: int
    fitted_on: int
    p_value: float | None = None
    critical: float | None = None
    located: Range | None = None
    confirmed: Range | None = None
    confirm_p: float | None = None
    simulations: int = 0
    reason: str = ""
    inside: Mask | None = None
    beta: BetaMap | None = None
    around: BetaMap | None = None

    @property
    def rejects(self) -> bool:
        """Whether some range is off beyond chance after recalibration, at 5%."""
        return self.p_value is not None and self.p_value <= LEVEL

    @property
    def is_bump(self) -> bool:
        """Whether the scan rejects and the located range is confirmed, each at 5%."""
        return self.rejects and self.confirm_p is not None and self.confirm_p <= LEVEL

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; of the map its slopes and offsets."""
        names = ("rows", "fitted_on", "p_value", "critical", "confirm_p", "simulations", "reason")
        ranges = {name: getattr(self, name) for name in ("located", "confirmed")}
        beta = self.beta
        return {
            **{name: getattr(self, name) for name in names},
            **{name: None if found is None else found.to_json() for name, found in ranges.items()},
            "map": None
            if beta is None
            else {"slopes": beta.slopes.tolist(), "offsets": beta.offsets.tolist()},
        }


def detectable_rows(critical: float, deviation: float, probability: float = 0.5, power: float = 0.8) -> int:
    """Rows a range must hold for a deviation of its class's share to be found with this power.

    ``critical`` is the scan's; the range is taken to be one of those scanned and g to be known.
    """
    reach = critical + float(special.ndtri(power))
    return math.ceil((reach / deviation) ** 2 * probability * (1.0 - probability))


def global_scan(
    probabilities: Array, gold: Labels, simulations: int = SIMULATIONS, seed: int = 0
) -> GlobalScan:
    """The scan against the model's own (n, K) probabilities, for (n,) gold columns.

    Raises:
        BadInput: not probabilities, or gold columns they do not have.
    """
    check_probabilities(probabilities, np.asarray(gold, np.int64))
    rows = len(gold)
    if rows < FEWEST_ROWS:
        return GlobalScan(rows, reason=f"{rows} independent rows, at least {FEWEST_ROWS} are needed")
    order = np.lexsort((gold, *probabilities.T))
    p, y = probabilities[order], gold[order]
    cells = Cells.of(p, p)
    if not cells.enough:
        return GlobalScan(rows, reason=_TOO_SURE)
    generator = np.random.default_rng(seed)
    expected, spread = (cells.sums([values[:, None] for values in part.T]) for part in (p, p * (1.0 - p)))
    spread = running(spread)
    best: list[Array] = []
    place: list[int] = []
    for size in _sizes(simulations, rows):
        labels = simulate_labels(p, size, generator)
        if not best:
            labels = np.concatenate([y[:, None].astype(labels.dtype), labels], axis=1)
        maximum, where = largest(running(cells.hits(labels) - expected), spread)
        best.append(maximum)
        place = place or where[0].tolist()
    statistic = np.concatenate(best)
    found = cells.span(place).told(probabilities, probabilities, gold)
    return GlobalScan(rows, found, _p(statistic), float(np.quantile(statistic[1:], 1.0 - LEVEL)), simulations)


def local_scan(
    probabilities: Array,
    gold: Labels,
    first_half: Mask,
    calibrate_probabilities: Array,
    calibrate_gold: Labels,
    simulations: int = SIMULATIONS,
    seed: int = 0,
    studentised: bool = True,
) -> LocalScan:
    """The scan against g(p) of (n, K) probabilities, g fitted on those of calibrate, (m, K).

    ``first_half`` (n,) marks the rows on which the bump is located; it must not depend on the labels.
    ``studentised=False`` leaves the error of g out of the denominator.

    Raises:
        BadInput: not probabilities, or gold columns they do not have.
    """
    check_probabilities(probabilities, np.asarray(gold, np.int64))
    rows, fitted_on = len(gold), len(calibrate_gold)
    if min(rows, fitted_on) < FEWEST_ROWS:
        what = f"{rows} independent rows to scan and {fitted_on} calibrate rows"
        return LocalScan(rows, fitted_on, reason=f"{what}, at least {FEWEST_ROWS} of each are needed")
    check_probabilities(calibrate_probabilities, np.asarray(calibrate_gold, np.int64))
    order = np.lexsort((gold, first_half, *probabilities.T))
    aside = np.lexsort((calibrate_gold, *calibrate_probabilities.T))
    p, y, first = probabilities[order], gold[order], first_half[order]
    other, other_y = calibrate_probabilities[aside], calibrate_gold[aside]
    beta = fit_map(other, other_y)
    generator = np.random.default_rng(seed)
    null = fit_map(np.concatenate([other, p]), np.concatenate([other_y, y]))
    statistic = _scan(p, y, other, beta, null, simulations, generator, studentised)
    if statistic is None:
        return LocalScan(rows, fitted_on, reason=_TOO_SURE, beta=beta)
    told = LocalScan(
        rows, fitted_on, _p(statistic), float(np.quantile(statistic[1:], 1.0 - LEVEL)),
        simulations=simulations, beta=beta,
    )  # fmt: skip
    found = _locate(p[first], y[first]) if first.any() else None
    if found is None:
        return replace(told, reason="no range of the first half can be told from the map: too few rows")
    span, sign = found
    known, known_y = np.concatenate([other, p[~first]]), np.concatenate([other_y, y[~first]])
    outside = ~span.inside(known)
    if outside.sum() < FEWEST_ROWS:
        return replace(told, reason="the range leaves too few rows outside it to say what to expect inside")
    known = known[outside]
    around = fit_map(known, known_y[outside])
    repeats = min(simulations, CONFIRMATIONS)
    confirm_p = _confirm(span, sign, p[~first], y[~first], known, around, repeats, generator)
    expected = around(probabilities)
    located, confirmed = (
        span.told(probabilities, expected, gold, half) for half in (first_half, ~first_half)
    )
    return replace(
        told, located=located, confirmed=confirmed, confirm_p=confirm_p, around=around,
        inside=span.inside(probabilities),
    )  # fmt: skip


_TOO_SURE = (
    f"no range holds an information (sum of p (1 - p)) of {LEAST_INFORMATION:g}: the probabilities are "
    "too near 0 and 1 for so few rows"
)


def _scan(
    p: Array, y: Labels, other: Array, beta: BetaMap, null: BetaMap, simulations: int,
    generator: np.random.Generator, studentised: bool,
) -> Array | None:  # fmt: skip
    """(1 + S,) maxima against the map, the observed one first; None where no range has the information.

    Labels are simulated from ``null``, the map of all rows together: where there is no bump it is the better
    estimate, and it keeps the level where calibrate is small.
    """
    q = null(p)
    cells = Cells.of(p, q)
    if not cells.enough:
        return None
    extra = None
    if studentised:
        root = null.error(other)
        extra = by_error(running(cells.sums([one @ root for one in null.gradients(p)])))
    best: list[Array] = []
    for size in _sizes(simulations, max(len(p), len(other))):
        slopes, offsets = refit(other, simulate_labels(null(other), size, generator), null)
        labels = simulate_labels(q, size, generator)
        if not best:
            labels = np.concatenate([y[:, None].astype(labels.dtype), labels], axis=1)
            slopes, offsets = np.vstack([beta.slopes, slopes]), np.vstack([beta.offsets, offsets])
        for some, shares in mapped_blocks(p, slopes, offsets):
            gap = running(cells.hits(labels[:, some]) - cells.sums(shares))
            spread = running(cells.sums([one * (1.0 - one) for one in shares]))
            best.append(largest(gap, spread, extra)[0])
    return np.concatenate(best)


def _locate(p: Array, y: Labels) -> tuple[Span, float] | None:
    """Where an offset would most raise the likelihood of a map fitted on these rows; its sign."""
    beta = fit_map(p, y)
    q = beta(p)
    cells = Cells.of(p, q)
    root = beta.error(p)
    spread = cells.sums([own[:, None] * (1.0 - own[:, None]) for own in q.T])
    errors = cells.sums([one @ root for one in beta.gradients(p)])
    gap = running(cells.hits(y[:, None]) - cells.sums([own[:, None] for own in q.T]))
    maximum, place = largest(gap, running(spread), -by_error(running(errors)))
    if maximum[0] <= 0.0:
        return None
    k, i, j = place[0].tolist()
    return cells.span((k, i, j)), float(np.sign(gap[k, j, 0] - gap[k, i, 0]))


def _confirm(
    span: Span, sign: float, p: Array, y: Labels, known: Array, around: BetaMap, simulations: int,
    generator: np.random.Generator,
) -> float:  # fmt: skip
    """P that a range of these rows is off as far in this direction, the map being fitted again each time."""
    p, y = p[inside := span.inside(p)], y[inside]
    k = span.class_index
    if not len(p):
        return 1.0
    best = [np.array([(y == k).sum() - around(p)[:, k].sum()])]
    for size in _sizes(simulations, len(known)):
        slopes, offsets = refit(known, simulate_labels(around(known), size, generator), around)
        hits = (simulate_labels(around(p), size, generator) == k).sum(axis=0)
        expected = [shares[k].sum(axis=0) for _, shares in mapped_blocks(p, slopes, offsets)]
        best.append(hits - np.concatenate(expected))
    return _p(sign * np.concatenate(best))


def _p(statistic: Array) -> float:
    """(1 + b)/(B + 1), the observed value first; equal but for rounding counts as equal."""
    simulated = statistic[1:]
    return float((1 + int((simulated >= statistic[0] - 1e-9).sum())) / (len(simulated) + 1))


def _sizes(simulations: int, rows: int) -> list[int]:
    size = max(1, min(simulations, _BLOCK // rows))
    return [min(size, simulations - start) for start in range(0, simulations, size)]
