"""Scans for ranges of a probability where a model is off beyond chance: globally, and locally (a bump).

The statistic is the maximum over classes and intervals of |sum(y - q)| / sqrt(sum q (1 - q)), y being 1 for
rows of the class and q their probability of it; intervals run between 60 cut points of equal information,
the sum of q (1 - q), and hold at least 5 of it. The **global** scan takes q = p, the model's own
probability, and draws y* ~ Categorical(p): its P is exact and the maximum pays for the search. The
**local** scan takes q = g(p), g a smooth map fitted on other rows (calibrate): what it finds no
recalibration would mend. Its null draws labels of both sets of rows from g and fits g again each time
(parametric bootstrap). Where the bump lies is found on one half of the rows and confirmed on the other; as
both halves are held against one g, whose error they share, the null of the confirmation is that of locating
and confirming together.

Rows must be independent: hand in one row of each cluster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from crossover.measure.calibration_map import BetaMap, fit_map, mapped_blocks, refit
from crossover.measure.calibration_null import check_probabilities, simulate_labels

Array = NDArray[np.float64]
Labels = NDArray[np.integer]
Mask = NDArray[np.bool_]

CUT_POINTS = 60
LEAST_INFORMATION = 5.0
SIMULATIONS = 999
LEVEL = 0.05
FEWEST_ROWS = 20
"""Fewer rows to scan, or to fit the map on, give no test."""
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Range:
    """A range of one class's probability: ``low`` and ``high`` of the rows inside, and what became of them.

    ``observed`` is the share of rows of the class, ``expected`` the mean probability that is tested (the
    model's own in the global scan, the mapped one in the local scan), ``promised`` the model's own mean;
    ``z`` is sum(y - q) / sqrt(sum q (1 - q)). Without rows inside the shares are None and z is 0.
    """

    class_index: int
    low: float
    high: float
    rows: int
    observed: float | None
    expected: float | None
    promised: float | None
    z: float

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


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
    cells = _Cells.of(p, p)
    if not cells.enough:
        return GlobalScan(rows, reason=_TOO_SURE)
    generator = np.random.default_rng(seed)
    expected, spread = (cells.sums([values[:, None] for values in part.T]) for part in (p, p * (1.0 - p)))
    best: list[Array] = []
    where: list[NDArray[np.int64]] = []
    for size in _sizes(simulations, rows):
        labels = simulate_labels(p, size, generator)
        if not best:
            labels = np.concatenate([y[:, None].astype(labels.dtype), labels], axis=1)
        maximum, place = _largest(_running(cells.hits(labels) - expected), _running(spread))
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
) -> LocalScan:
    """The scan against g(p) of (n, K) probabilities, g fitted on those of calibrate, (m, K).

    ``first_half`` (n,) marks the rows on which the bump is located; it must not depend on the labels.

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
    cells = _Cells.of(p, q, first_half[order])
    if not cells.enough:
        return LocalScan(rows, fitted_on, reason=_TOO_SURE, beta=beta)
    generator = np.random.default_rng(seed)
    aside = np.lexsort((calibrate_gold, *calibrate_probabilities.T))
    other = calibrate_probabilities[aside]
    tested = _Local(cells, gold[order], p)
    for size in _sizes(simulations, max(rows, fitted_on)):
        slopes, offsets = refit(other, simulate_labels(beta(other), size, generator), beta)
        labels = simulate_labels(q, size, generator)
        tested.add(labels, slopes, offsets, beta)
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
    "too near "
    "0 and 1 for so few rows"
)


@dataclass
class _Local:
    """The local scan of the observed labels and of simulated ones, block by block."""

    cells: _Cells
    gold: Labels
    p: Array

    def __post_init__(self) -> None:
        self.whole: list[Array] = []
        self.confirmation: list[Array] = []
        self.place: tuple[int, int, int] = (0, 0, 1)

    def add(self, labels: Labels, slopes: Array, offsets: Array, beta: BetaMap) -> None:
        """Scan a block; the first one is led by the observed labels under the observed map."""
        first = not self.whole
        if first:
            labels = np.concatenate([self.gold[:, None].astype(labels.dtype), labels], axis=1)
            slopes, offsets = np.vstack([beta.slopes, slopes]), np.vstack([beta.offsets, offsets])
        for some, shares in mapped_blocks(self.p, slopes, offsets):
            gap = self.cells.hits(labels[:, some]) - self.cells.sums(shares)
            spread = self.cells.sums([q * (1.0 - q) for q in shares])
            gaps, spreads = ([_running(one) for one in both] for both in (gap, spread))
            self.whole.append(_largest(gaps[0] + gaps[1], spreads[0] + spreads[1])[0])
            _, where = _largest(gaps[0], spreads[0])
            if first and not self.confirmation:
                self.place = tuple(where[0].tolist())
            k, i, j = where.T
            column = np.arange(len(where))
            sides = [one[k, j, column] - one[k, i, column] for one in (*gaps, *spreads)]
            z = np.divide(sides[1], np.sqrt(sides[3]), out=np.zeros(len(k)), where=sides[3] > 0)
            self.confirmation.append(np.sign(sides[0]) * z)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Every row's cell between cut points of each class's probability.

    Where there are two classes only the second is scanned: the first mirrors it. ``index`` (classes, n)
    numbers the cells; rows of the second half, where halves are told apart, lie ``CUT_POINTS - 1`` further.
    """

    classes: Sequence[int]
    edges: Sequence[Array]
    index: NDArray[np.int64]
    halves: int
    enough: bool

    @classmethod
    def of(cls, p: Array, q: Array, first_half: Mask | None = None) -> _Cells:
        """Cut (n, K) probabilities p at equal information of q; rows of one probability stay together."""
        classes = range(1 if p.shape[1] == 2 else 0, p.shape[1])
        edges, index, enough = [], [], False
        for k in classes:
            order = np.argsort(p[:, k], kind="stable")
            information = np.cumsum((q[:, k] * (1.0 - q[:, k]))[order])
            enough |= bool(information[-1] >= LEAST_INFORMATION)
            wanted = information[-1] * np.arange(1, CUT_POINTS - 1) / (CUT_POINTS - 1)
            at = np.minimum(np.searchsorted(information, wanted), len(order) - 1)
            edges.append(np.unique(p[order[at], k]))
            index.append(np.searchsorted(edges[-1], p[:, k], side="right"))
        cells = np.array(index, dtype=np.int64)
        if first_half is not None:
            cells = cells + np.where(first_half, 0, CUT_POINTS - 1)
        return cls(classes, edges, cells, 1 if first_half is None else 2, enough)

    @property
    def _count(self) -> int:
        return self.halves * (CUT_POINTS - 1)

    def hits(self, labels: Labels) -> Array:
        """([halves,] classes, cells, S) rows of the class in each cell, of (n, S) labels."""
        rows, sets = labels.shape
        lanes = np.full((int(labels.max(initial=0)) + 1 + len(self.classes), rows), -1, dtype=np.int64)
        for lane, k in enumerate(self.classes):
            lanes[k] = self.index[lane] + lane * self._count
        size = len(self.classes) * self._count
        at = lanes[labels, np.arange(rows)[:, None]]
        flat = np.where(at < 0, size, at) * sets + np.arange(sets)
        found = np.bincount(flat.ravel(), minlength=(size + 1) * sets)[: size * sets]
        return self._shaped(found.astype(np.float64).reshape(len(self.classes), self._count, sets))

    def sums(self, values: Sequence[Array]) -> Array:
        """As :meth:`hits`: sums over each cell of K arrays (n, S), one a class."""
        found = []
        for lane, k in enumerate(self.classes):
            rows = self.index.shape[1]
            members = sparse.csr_array(
                (np.ones(rows), (self.index[lane], np.arange(rows))), shape=(self._count, rows)
            )
            found.append(np.asarray(members @ values[k]))
        return self._shaped(np.array(found))

    def _shaped(self, found: Array) -> Array:
        if self.halves == 1:
            return found
        apart = found.reshape(len(self.classes), 2, CUT_POINTS - 1, -1)
        return np.moveaxis(apart, 1, 0)

    def inside(self, place: Sequence[int], p: Array) -> Mask:
        """(n,) rows of these probabilities that lie between two cut points of a class."""
        lane, i, j = (int(number) for number in place)
        cell = np.searchsorted(self.edges[lane], p[:, self.classes[lane]], side="right")
        return np.asarray((cell >= i) & (cell < j), dtype=np.bool_)

    def range_of(
        self, place: Sequence[int], p: Array, q: Array, gold: Labels, among: Mask | None = None
    ) -> Range:
        """What is inside, of the rows ``among`` which it is told; its ends are those of all rows."""
        k, inside = self.classes[int(place[0])], self.inside(place, p)
        ends = p[inside, k]
        low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 0.0)
        told = inside if among is None else inside & among
        if not told.any():
            return Range(k, low, high, 0, None, None, None, 0.0)
        y, own = gold[told] == k, q[told, k]
        spread = float((own * (1.0 - own)).sum())
        z = float((y - own).sum()) / math.sqrt(spread) if spread > 0 else 0.0
        means = (float(y.mean()), float(own.mean()), float(p[told, k].mean()))
        return Range(k, low, high, int(told.sum()), *means, z)


def _running(cells: Array) -> Array:
    """Sums up to each cut point: (classes, cells, S) to (classes, cells + 1, S), the first 0."""
    shape = (cells.shape[0], 1, cells.shape[2])
    return np.concatenate([np.zeros(shape), np.cumsum(cells, axis=1)], axis=1)


def _largest(gap: Array, spread: Array) -> tuple[Array, NDArray[np.int64]]:
    """Largest |z| (S,) over classes and intervals, and where: (S, 3) of class position and two cut points.

    ``gap`` (classes, cuts, S) and ``spread`` (classes, cuts, S or 1) are running sums.
    """
    _, cuts, sets = gap.shape
    best, place = np.full(sets, -1.0), np.zeros((sets, 3), dtype=np.int64)
    place[:, 2] = 1
    for i in range(cuts - 1):
        room = spread[:, i + 1 :] - spread[:, i : i + 1]
        sound = room >= LEAST_INFORMATION - 1e-9
        if not sound.any():
            break
        square = gap[:, i + 1 :] - gap[:, i : i + 1]
        square *= square
        square *= np.divide(1.0, room, out=np.zeros_like(room), where=sound)
        flat = square.reshape(-1, sets)
        at = flat.argmax(axis=0)
        found = flat[at, np.arange(sets)]
        better = found > best
        best[better] = found[better]
        lane, j = np.divmod(at[better], cuts - 1 - i)
        place[better] = np.stack([lane, np.full(len(lane), i), i + 1 + j], axis=1)
    return np.sqrt(np.maximum(best, 0.0)), place


def _p(statistic: Array) -> float:
    """(1 + b)/(B + 1), the observed value first; equal but for rounding counts as equal."""
    simulated = statistic[1:]
    return float((1 + int((simulated >= statistic[0] - 1e-9).sum())) / (len(simulated) + 1))


def _sizes(simulations: int, rows: int) -> list[int]:
    size = max(1, min(simulations, _BLOCK // rows))
    return [min(size, simulations - start) for start in range(0, simulations, size)]
