"""Scans for ranges of a probability where a model is off beyond chance: globally, and locally (a bump).

The statistic is the maximum over classes and intervals of |sum(y - q)| / sqrt(sum q (1 - q)), y being 1 for
rows of the class and q their probability of it; intervals run between 60 cut points of equal information,
the sum of q (1 - q), and hold at least 5 of it. The **global** scan takes q = p, the model's own
probability, and draws y* ~ Categorical(p): its P is exact and the maximum pays for the search. The
**local** scan takes q = g(p), g a smooth map fitted on other rows (calibrate): what it finds no
recalibration would mend. There the variance of sum(y - g) is that of the labels and of the fitted map,
sum g (1 - g) + c' C c, c being the derivative of sum g by the map's parameters and C their covariance:
without the second term the maximum goes to wide ranges, where the error of g is large, and narrow bumps are
missed. Its null draws labels of both sets of rows from g and fits g again each time
(parametric bootstrap). Where the bump lies is found on one half of the rows and confirmed on the other; as
both halves are held against one g, whose error they share, the null of the confirmation is that of locating
and confirming together.

Rows must be independent: hand in one row of each cluster.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from crossover.measure.calibration_map import BetaMap, fit_map, mapped_blocks, refit
from crossover.measure.calibration_null import check_probabilities, simulate_labels
from crossover.measure.calibration_scan import LEAST_INFORMATION, Cells, Range, largest, running, weights_of

Array = NDArray[np.float64]
Labels = NDArray[np.integer]
Mask = NDArray[np.bool_]

SIMULATIONS = 999
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
    range on the other half. ``inside`` (n,) marks its rows, in the order handed in, and ``beta`` is the map.
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
    weights = weights_of(running(spread))
    best: list[Array] = []
    where: list[NDArray[np.int64]] = []
    for size in _sizes(simulations, rows):
        labels = simulate_labels(p, size, generator)
        if not best:
            labels = np.concatenate([y[:, None].astype(labels.dtype), labels], axis=1)
        maximum, place = largest(running(cells.hits(labels) - expected), weights)
        best.append(maximum)
        where.append(place)
    statistic = np.concatenate(best)
    found = cells.range_of(where[0][0], probabilities, probabilities, gold)
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
    beta = fit_map(calibrate_probabilities, calibrate_gold)
    order = np.lexsort((gold, first_half, *probabilities.T))
    p, q = probabilities[order], beta(probabilities[order])
    cells = Cells.of(p, q, first_half[order])
    if not cells.enough:
        return LocalScan(rows, fitted_on, reason=_TOO_SURE, beta=beta)
    generator = np.random.default_rng(seed)
    aside = np.lexsort((calibrate_gold, *calibrate_probabilities.T))
    other = calibrate_probabilities[aside]
    error = beta.error(other) if studentised else None
    tested = _Local(cells, gold[order], p, beta, error)
    for size in _sizes(simulations, max(rows, fitted_on)):
        slopes, offsets = refit(other, simulate_labels(beta(other), size, generator), beta)
        labels = simulate_labels(q, size, generator)
        tested.add(labels, slopes, offsets)
    statistic, confirmation = np.concatenate(tested.whole), np.concatenate(tested.confirmation)
    place = tested.place
    shown = beta(probabilities)
    located, confirmed = (
        cells.range_of(place, probabilities, shown, gold, half) for half in (first_half, ~first_half)
    )
    return LocalScan(
        rows, fitted_on, _p(statistic), float(np.quantile(statistic[1:], 1.0 - LEVEL)), located, confirmed,
        _p(confirmation), simulations, "", cells.inside(place, probabilities), beta,
    )  # fmt: skip


_TOO_SURE = (
    f"no range holds an information (sum of p (1 - p)) of {LEAST_INFORMATION:g}: the probabilities are "
    "too near 0 and 1 for so few rows"
)


class _Local:
    """The local scan of the observed labels and of simulated ones, block by block.

    ``error`` (2K, r) is a root of the covariance of the map's slopes and offsets, or None. Denominators are
    those of the observed map throughout.
    """

    def __init__(self, cells: Cells, gold: Labels, p: Array, beta: BetaMap, error: Array | None) -> None:
        self.cells, self.gold, self.p, self.beta = cells, gold, p, beta
        q = beta(p)
        spreads = cells.sums([own[:, None] * (1.0 - own[:, None]) for own in q.T])
        errors = None if error is None else cells.sums([one @ error for one in beta.gradients(p)])
        parts = [
            (running(spreads[half]), None if errors is None else running(errors[half])) for half in (0, 1)
        ]
        both = spreads[0] + spreads[1], None if errors is None else errors[0] + errors[1]
        self.weights = [
            weights_of(running(both[0]), None if both[1] is None else running(both[1])),
            weights_of(*parts[0]),
            weights_of(*parts[1], least=0.0),
        ]
        self.whole: list[Array] = []
        self.confirmation: list[Array] = []
        self.place: tuple[int, int, int] = (0, 0, 1)

    def add(self, labels: Labels, slopes: Array, offsets: Array) -> None:
        """Scan a block; the first one is led by the observed labels under the observed map."""
        first = not self.whole
        if first:
            labels = np.concatenate([self.gold[:, None].astype(labels.dtype), labels], axis=1)
            slopes = np.vstack([self.beta.slopes, slopes])
            offsets = np.vstack([self.beta.offsets, offsets])
        for some, shares in mapped_blocks(self.p, slopes, offsets):
            gap = self.cells.hits(labels[:, some]) - self.cells.sums(shares)
            halves = [running(one) for one in gap]
            self.whole.append(largest(halves[0] + halves[1], self.weights[0])[0])
            _, where = largest(halves[0], self.weights[1])
            if not self.confirmation:
                self.place = tuple(where[0].tolist())
            k, i, j = where.T
            column = np.arange(len(where))
            located, confirmed = (one[k, j, column] - one[k, i, column] for one in halves)
            self.confirmation.append(np.sign(located) * confirmed * np.sqrt(self.weights[2][k, i, j]))


def _p(statistic: Array) -> float:
    """(1 + b)/(B + 1), the observed value first; equal but for rounding counts as equal."""
    simulated = statistic[1:]
    return float((1 + int((simulated >= statistic[0] - 1e-9).sum())) / (len(simulated) + 1))


def _sizes(simulations: int, rows: int) -> list[int]:
    size = max(1, min(simulations, _BLOCK // rows))
    return [min(size, simulations - start) for start in range(0, simulations, size)]
