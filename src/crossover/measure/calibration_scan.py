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


@dataclass(frozen=True)
class Span:
    """The rows whose probability of a class is at least ``low`` and below ``high``."""

    class_index: int
    low: float
    high: float

    def inside(self, p: Array) -> Mask:
        """(n,) rows of these (n, K) probabilities that lie in it."""
        own = p[:, self.class_index]
        return np.asarray((own >= self.low) & (own < self.high), dtype=np.bool_)

    def told(self, p: Array, q: Array, gold: Labels, among: Mask | None = None) -> Range:
        """What is inside, of the rows ``among``, q being what is expected; its ends are those of all rows."""
        k, inside = self.class_index, self.inside(p)
        ends = p[inside, k]
        low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 0.0)
        rows_told = inside if among is None else inside & among
        if not rows_told.any():
            return Range(k, low, high, 0, None, None, None, 0.0)
        own, stated = q[rows_told, k], p[rows_told, k]
        hits, rows = int((gold[rows_told] == k).sum()), int(rows_told.sum())
        # exact sums: the order of the rows must not show in the last digit
        mean, spread = math.fsum(own), math.fsum(own * (1.0 - own))
        z = (hits - mean) / math.sqrt(spread) if spread > 0 else 0.0
        return Range(k, low, high, rows, hits / rows, mean / rows, math.fsum(stated) / rows, z)


@dataclass(frozen=True, eq=False)
class Cells:
    """Every row's cell between cut points of each class's probability.

    Where there are two classes only the second is scanned: the first mirrors it. ``index`` (classes, n)
    numbers the cells; ``enough`` says whether any class holds the least information.
    """

    classes: Sequence[int]
    edges: Sequence[Array]
    index: NDArray[np.int64]
    enough: bool

    @classmethod
    def of(cls, p: Array, q: Array) -> Cells:
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
        return cls(classes, edges, np.array(index, dtype=np.int64), enough)

    def hits(self, labels: Labels) -> Array:
        """(classes, cells, S) rows of the class in each cell, of (n, S) labels."""
        rows, sets = labels.shape
        lanes = np.full((int(labels.max(initial=0)) + 1 + len(self.classes), rows), -1, dtype=np.int64)
        for lane, k in enumerate(self.classes):
            lanes[k] = self.index[lane] + lane * (CUT_POINTS - 1)
        size = len(self.classes) * (CUT_POINTS - 1)
        at = lanes[labels, np.arange(rows)[:, None]]
        flat = np.where(at < 0, size, at) * sets + np.arange(sets)
        found = np.bincount(flat.ravel(), minlength=(size + 1) * sets)[: size * sets]
        return found.astype(np.float64).reshape(len(self.classes), CUT_POINTS - 1, sets)

    def sums(self, values: Sequence[Array]) -> Array:
        """(classes, cells, S) sums over each cell of K arrays (n, S), one a class."""
        found = []
        rows = self.index.shape[1]
        for lane, k in enumerate(self.classes):
            entries = (np.ones(rows), (self.index[lane], np.arange(rows)))
            found.append(sparse.csr_array(entries, shape=(CUT_POINTS - 1, rows)) @ values[k])
        return np.array(found)

    def span(self, place: Sequence[int]) -> Span:
        """What lies between two cut points of a class: ``place`` is (position of the class, cut, cut)."""
        lane, i, j = (int(number) for number in place)
        edges = self.edges[lane]
        low = float(edges[i - 1]) if i else -math.inf
        high = float(edges[j - 1]) if j <= len(edges) else math.inf
        return Span(self.classes[lane], low, high)


def running(cells: Array) -> Array:
    """Sums up to each cut point: (classes, cells, S) to (classes, cells + 1, S), the first 0."""
    shape = (cells.shape[0], 1, cells.shape[2])
    return np.concatenate([np.zeros(shape), np.cumsum(cells, axis=1)], axis=1)


def by_error(errors: Array) -> Array:
    """(classes, cuts, cuts) variance between two cut points that comes from a fitted map.

    ``errors`` (classes, cuts, r) holds running sums of the derivatives of q times a root of the covariance
    of what they are derived by.
    """
    return np.array([((own[None, :] - own[:, None]) ** 2).sum(axis=2) for own in errors])


def largest(gap: Array, spread: Array, extra: Array | None = None) -> tuple[Array, NDArray[np.int64]]:
    """Largest |z| (S,) over classes and intervals, and where: (S, 3) of class position and two cut points.

    ``gap`` (classes, cuts, S) holds running sums of y - q, ``spread`` (classes, cuts, S or 1) those of
    q (1 - q); ``extra`` (classes, cuts, cuts) is added to the variance between two cut points. Intervals
    count that hold the least information, before and after.
    """
    _, cuts, sets = gap.shape
    best, place = np.full(sets, -1.0), np.zeros((sets, 3), dtype=np.int64)
    place[:, 2] = 1
    for i in range(cuts - 1):
        room = spread[:, i + 1 :] - spread[:, i : i + 1]
        variance = room if extra is None else room + extra[:, i, i + 1 :, None]
        sound = np.minimum(room, variance) >= LEAST_INFORMATION - 1e-9
        if not sound.any():
            continue
        square = gap[:, i + 1 :] - gap[:, i : i + 1]
        square *= square
        square *= np.divide(1.0, variance, out=np.zeros_like(variance), where=sound)
        flat = square.reshape(-1, sets)
        at = flat.argmax(axis=0)
        found = flat[at, np.arange(sets)]
        better = found > best
        best[better] = found[better]
        lane, j = np.divmod(at[better], cuts - 1 - i)
        place[better] = np.stack([lane, np.full(len(lane), i), i + 1 + j], axis=1)
    return np.sqrt(np.maximum(best, 0.0)), place
