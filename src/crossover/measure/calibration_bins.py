"""Equal-mass bins of a probability, and the sums of outcomes in them that calibration is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from crossover.data.bad_input import BadInput

LEAST_IN_BIN = 3
"""Bins of fewer rows join a neighbour: a variance within the bin is needed, with any one row left out too."""


def check_event(probability: NDArray[np.float64], outcomes: NDArray[np.generic]) -> None:
    """Refuse what is not (n,) probabilities of an event with (n,) or (n, S) outcomes.

    Raises:
        BadInput: shapes that do not fit, fewer than :data:`LEAST_IN_BIN` rows, no probability.
    """
    rows = len(probability)
    if probability.ndim != 1 or outcomes.ndim not in (1, 2) or len(outcomes) != rows:
        raise BadInput(
            f"probabilities of shape {probability.shape} and outcomes of shape {outcomes.shape}; "
            "expected (n,) and (n,) or (n, S)"
        )
    if rows < LEAST_IN_BIN:
        raise BadInput(f"{rows} rows; calibration errors need at least {LEAST_IN_BIN}")
    # float32 models leave 1 + 1e-7
    wrong = ~((probability >= 0.0) & (probability <= 1.0 + 1e-4))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadInput(f"row {row}: {float(probability[row])} is no probability; expected 0 to 1")


@dataclass(frozen=True, eq=False)
class EqualMassBins:
    """Rows sorted into bins of about equal numbers by their probability.

    ``index`` (n,) is each row's bin, in the order of the probabilities; ``n`` (k,) the rows of each
    bin. Equal probabilities always share a bin, so the order of rows changes nothing; a value held
    by at least two bins' worth of rows is a bin of its own (a confidence of exactly 1, say, which
    lies in the last bin like any other number). There are at most ``bins`` of them.
    """

    probability: NDArray[np.float64]
    index: NDArray[np.int64]
    n: NDArray[np.int64]

    @classmethod
    def of(cls, probability: NDArray[np.float64], bins: int) -> EqualMassBins:
        """Bins of (n,) probabilities."""
        ordered = np.sort(probability)
        starts = bin_starts(ordered, bins)
        index = np.searchsorted(ordered[starts[1:]], probability, side="right").astype(np.int64)
        return cls(probability, index, np.bincount(index, minlength=len(starts)).astype(np.int64))

    @cached_property
    def _members(self) -> sparse.csr_array:
        rows = len(self.index)
        return sparse.csr_array(
            (np.ones(rows), (self.index, np.arange(rows))), shape=(len(self.n), rows), dtype=np.float64
        )

    def sums(
        self, values: NDArray[np.float64], weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(k,) or (k, S) sums over each bin's rows of (n,) or (n, S) values, weighted by row where asked."""
        members = self._members
        if weights is not None:
            members = sparse.csr_array(
                (weights[members.indices], members.indices, members.indptr), members.shape
            )
        summed: NDArray[np.float64] = np.asarray(members @ values)
        return summed

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """(k,) mean probability of each bin."""
        return self.sums(self.probability) / self.n


def bin_starts(ordered: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Positions in ascending (n,) probabilities where the at most ``bins`` bins begin; the first is 0."""
    rows = len(ordered)
    cuts = rows * np.arange(1, bins) // bins
    left = np.searchsorted(ordered, ordered[cuts], side="left")
    right = np.searchsorted(ordered, ordered[cuts], side="right")
    atoms = right[right - left >= 2 * rows / bins]
    wanted = np.unique(np.concatenate([left, atoms]))
    starts = [0]
    for start in wanted[(wanted > 0) & (wanted < rows)].tolist():
        if start - starts[-1] >= LEAST_IN_BIN and rows - start >= LEAST_IN_BIN:
            starts.append(start)
    return np.array(starts, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class BinnedOutcomes:
    """Outcomes of 0 and 1 summed in bins, for one set of outcomes or S simulated ones at once.

    ``hits`` (k,) or (k, S) counts the outcomes of 1; ``squares`` sums (outcome - probability)^2.
    Everything below is a sum over pairs of different rows of a bin, hence without the bias that
    the squared mean of few rows carries (Broecker 2012; Ferro and Fricker 2012; Kumar et al. 2019).
    """

    bins: EqualMassBins
    outcomes: NDArray[np.float64]
    hits: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, bins: EqualMassBins, outcomes: NDArray[np.float64]) -> BinnedOutcomes:
        """Sums of (n,) or (n, S) outcomes."""
        p = bins.probability
        # (o - p)^2 = o (1 - 2p) + p^2, as o is 0 or 1
        squares = bins.sums(outcomes, 1.0 - 2.0 * p) + _beside(bins.sums(p * p), outcomes)
        return cls(bins, outcomes, bins.sums(outcomes), squares)

    @property
    def frequency(self) -> NDArray[np.float64]:
        """(k,) or (k, S) share of outcomes of 1 in each bin."""
        return self.hits / _beside(self.bins.n, self.hits)

    @property
    def mean_square(self) -> NDArray[np.float64]:
        """() or (S,): mean over all rows of (outcome - probability)^2."""
        total: NDArray[np.float64] = self.squares.sum(axis=0)
        return total / float(self.bins.n.sum())

    @property
    def absolute_error(self) -> NDArray[np.float64]:
        """() or (S,): sum over bins of n_b/n \\|frequency - mean probability\\|."""
        n = self.bins.n.astype(np.float64)
        gap = np.abs(self.hits - _beside(n * self.bins.mean, self.hits))
        total: NDArray[np.float64] = gap.sum(axis=0) / n.sum()
        return total

    @property
    def debiased_square(self) -> NDArray[np.float64]:
        """() or (S,): squared calibration error of the bins, without bias where that is 0; may be below 0."""
        n = self.bins.n.astype(np.float64)
        residual = self.hits - _beside(n * self.bins.mean, self.hits)
        pairs: NDArray[np.float64] = ((residual**2 - self.squares) / _beside(n - 1.0, self.hits)).sum(axis=0)
        return pairs / float(n.sum())

    @property
    def resolution(self) -> NDArray[np.float64]:
        """() or (S,): variance of the bins' frequencies, bias-corrected."""
        n = self.bins.n.astype(np.float64)
        rows, hits = float(n.sum()), self.hits.sum(axis=0)
        pairs: NDArray[np.float64] = (self.hits * (self.hits - 1.0) / _beside(n - 1.0, self.hits)).sum(axis=0)
        spread: NDArray[np.float64] = pairs / rows - hits * (hits - 1.0) / (rows * (rows - 1.0))
        return spread

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """() or (S,): variance of the outcome, f (1 - f) n/(n - 1)."""
        rows, hits = float(self.bins.n.sum()), self.hits.sum(axis=0)
        variance: NDArray[np.float64] = hits * (rows - hits) / (rows * (rows - 1.0))
        return variance

    def without_each_row(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(n,) values each of debiased square, resolution and uncertainty, with one row left out.

        The bins stay as they are. For one set of outcomes only, not for simulated ones.
        """
        index, n = self.bins.index, self.bins.n.astype(np.float64)
        residual = self.outcomes - self.bins.probability
        rows = float(len(index))
        gap = self.bins.sums(residual)
        error_pairs = (gap**2 - self.squares) / (n - 1.0)
        hit_pairs = self.hits * (self.hits - 1.0) / (n - 1.0)
        fewer = n[index] - 2.0
        gap_left, squares_left = gap[index] - residual, self.squares[index] - residual**2
        hits_left, total_left = self.hits[index] - self.outcomes, self.hits.sum() - self.outcomes
        error = error_pairs.sum() - error_pairs[index] + (gap_left**2 - squares_left) / fewer
        spread = hit_pairs.sum() - hit_pairs[index] + hits_left * (hits_left - 1.0) / fewer
        left = rows - 1.0
        resolution = spread / left - total_left * (total_left - 1.0) / (left * (left - 1.0))
        uncertainty = total_left * (left - total_left) / (left * (left - 1.0))
        return error / left, resolution, uncertainty


def _beside(column: NDArray[np.generic], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) as it is, or as a (k, 1) column where the values are (k, S)."""
    shaped: NDArray[np.float64] = column.astype(np.float64).reshape(-1, *([1] * (values.ndim - 1)))
    return shaped
