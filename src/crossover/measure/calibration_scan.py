"""Ranges of a class's probability between cut points of equal information, and where it deviates most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Labels = NDArray[np.integer]
Mask = NDArray[np.bool_]

CUT_POINTS = 60
LEAST_INFORMATION = 5.0


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


@dataclass(frozen=True, eq=False)
class Cells:
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
    def of(cls, p: Array, q: Array, first_half: Mask | None = None) -> Cells:
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


def running(cells: Array) -> Array:
    """Sums up to each cut point: (classes, cells, S) to (classes, cells + 1, S), the first 0."""
    shape = (cells.shape[0], 1, cells.shape[2])
    return np.concatenate([np.zeros(shape), np.cumsum(cells, axis=1)], axis=1)


def weights_of(spread: Array, errors: Array | None = None, least: float = LEAST_INFORMATION) -> Array:
    """(classes, cuts, cuts) one over the variance between cut points i < j; 0 where too little is between them.

    ``spread`` (classes, cuts, 1) holds running sums of q (1 - q); ``errors`` (classes, cuts, r) those of the
    derivatives of q times a root of the covariance of what they are derived by.
    """
    found = []
    for k, own in enumerate(spread[:, :, 0]):
        room = own[None, :] - own[:, None]
        variance = room.copy()
        if errors is not None:
            variance += ((errors[k][None, :] - errors[k][:, None]) ** 2).sum(axis=2)
        sound = (room >= least - 1e-9) & (room > 0.0)
        found.append(np.divide(1.0, variance, out=np.zeros_like(room), where=sound))
    return np.array(found)


def largest(gap: Array, weights: Array) -> tuple[Array, NDArray[np.int64]]:
    """Largest |z| (S,) over classes and intervals, and where: (S, 3) of class position and two cut points.

    ``gap`` (classes, cuts, S) holds running sums, ``weights`` those of :func:`weights_of`.
    """
    _, cuts, sets = gap.shape
    best, place = np.full(sets, -1.0), np.zeros((sets, 3), dtype=np.int64)
    place[:, 2] = 1
    for i in range(cuts - 1):
        weight = weights[:, i, i + 1 :, None]
        if not weight.any():
            continue
        square = gap[:, i + 1 :] - gap[:, i : i + 1]
        square *= square
        square *= weight
        flat = square.reshape(-1, sets)
        at = flat.argmax(axis=0)
        found = flat[at, np.arange(sets)]
        better = found > best
        best[better] = found[better]
        lane, j = np.divmod(at[better], cuts - 1 - i)
        place[better] = np.stack([lane, np.full(len(lane), i), i + 1 + j], axis=1)
    return np.sqrt(np.maximum(best, 0.0)), place
