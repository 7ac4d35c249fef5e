"""Paired differences over a grid of training sizes, and what lies between the sizes.

Between two grid sizes the differences d_ri themselves are interpolated, linearly in log2 n, so that
the standard error in between knows how the sizes vary together. All that is needed of them is a few
mean products a pair of neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.measure.two_way import (
    Floats,
    Layout,
    PairedMean,
    check_overlap,
    effects_of,
    mean_of,
    mean_squares,
    unit_values,
    variance_and_df,
)


@dataclass(frozen=True, eq=False)
class SizeEvidence:
    """What was measured at one training size.

    ``size`` counts every label an arm consumes there. ``differences`` is (R draws, m test rows):
    expensive arm minus cheap arm, draw r the same nested chain and row i the same test row at every
    size. ``overlap`` is f of the draws at this size, 0 where they are disjoint.
    """

    size: int
    differences: Floats
    overlap: float = 0.0


def charge(evidence: SizeEvidence, cost_difference: Floats, price: float) -> SizeEvidence:
    """The evidence for the cost crossing: score - price · cost in place of the score.

    Args:
        evidence: differences in score.
        cost_difference: (R,) cost of the expensive arm minus that of the cheap one, a draw.
        price: lambda, score points a unit of cost.

    Raises:
        BadInput: not one finite cost difference a draw.
    """
    cost = np.asarray(cost_difference, dtype=np.float64)
    draws = len(evidence.differences)
    if cost.shape != (draws,) or not np.isfinite(cost).all() or not np.isfinite(price):
        raise BadInput(
            f"cost differences of shape {cost.shape} at price {price} for {draws} draws at size "
            f"{evidence.size}: expected one finite cost difference a draw"
        )
    return replace(evidence, differences=evidence.differences - price * cost[:, None])


@dataclass(frozen=True, eq=False)
class SizeGrid:
    """The moments of J sizes that fix mean, variance and degrees of freedom at any size between them.

    ``squares`` is (3, J): MSA, MSB, MSE at each size; ``products`` (3, J - 1): the mean products of each
    size with the next.
    """

    sizes: NDArray[np.int64]
    overlaps: Floats
    layout: Layout
    means: Floats
    squares: Floats
    products: Floats

    @property
    def logs(self) -> Floats:
        """log2 of the sizes."""
        return np.log2(self.sizes.astype(np.float64))

    def paired_means(self) -> list[PairedMean]:
        """The paired mean at each grid size."""
        return [
            mean_of(float(self.means[j]), tuple(self.squares[:, j]), float(self.overlaps[j]), self.layout)
            for j in range(len(self.sizes))
        ]

    def at(self, log_n: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean, variance and degrees of freedom at sizes given by log2 n, (P,) each.

        Between grid sizes f is taken from the larger neighbour.
        """
        logs = self.logs
        left = np.clip(np.searchsorted(logs, log_n, side="right") - 1, 0, len(logs) - 2)
        w = np.clip((log_n - logs[left]) / (logs[left + 1] - logs[left]), 0.0, 1.0)
        mean = (1 - w) * self.means[left] + w * self.means[left + 1]
        squares = (
            (1 - w) ** 2 * self.squares[:, left]
            + 2 * w * (1 - w) * self.products[:, left]
            + w**2 * self.squares[:, left + 1]
        )
        overlap = np.where(w == 0, self.overlaps[left], self.overlaps[left + 1])
        msa, msb, mse = np.maximum(squares, 0.0)
        variance, df = variance_and_df(msa, msb, mse, overlap, self.layout)
        return mean, variance, df

    def sign_changes(self, margin: float) -> list[tuple[float, int]]:
        """(log2 n, direction) of each root of the interpolated mean minus the margin; +1 is upward."""
        gaps, logs = self.means - margin, self.logs
        signed = [j for j in range(len(gaps)) if gaps[j] != 0]
        changes = []
        for j, k in pairwise(signed):
            if gaps[j] * gaps[k] > 0:
                continue
            # Neighbours share one root; sizes in between lie exactly on the margin: take their middle.
            root = (
                logs[j] + (logs[k] - logs[j]) * gaps[j] / (gaps[j] - gaps[k])
                if k == j + 1
                else (logs[j + 1] + logs[k - 1]) / 2
            )
            changes.append((float(root), 1 if gaps[k] > 0 else -1))
        return changes


def size_grid(evidence: Sequence[SizeEvidence], clusters: NDArray[np.int64] | None = None) -> SizeGrid:
    """The moments of the evidence, sizes ascending.

    Raises:
        BadInput: fewer than 2 sizes, a size twice, sizes that differ in draws or rows, f = 1.
    """
    ordered = sorted(evidence, key=lambda at: at.size)
    sizes = [at.size for at in ordered]
    if len(sizes) < 2 or sizes[0] < 1 or len(set(sizes)) < len(sizes):
        raise BadInput(f"training sizes {sizes}: a crossing needs at least 2 different sizes, each above 0")
    shapes = {at.size: np.shape(at.differences) for at in ordered}
    if len(set(shapes.values())) > 1:
        raise BadInput(
            f"(draws, rows) by size: {shapes}; a draw is one nested chain over all sizes and the test rows "
            "are the same: leave out draws that lack a size"
        )
    for at in ordered:
        check_overlap(at.overlap)
    units = [unit_values(at.differences, clusters) for at in ordered]
    effects = [effects_of(values) for values in units]
    return SizeGrid(
        np.array(sizes, dtype=np.int64),
        np.array([at.overlap for at in ordered], dtype=np.float64),
        Layout(*units[0].shape),
        np.array([values.mean() for values in units]),
        np.array([mean_squares(each, each) for each in effects]).T,
        np.array([mean_squares(a, b) for a, b in pairwise(effects)]).T,
    )
