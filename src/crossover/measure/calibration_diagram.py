"""Reliability diagram: observed frequency against stated probability, with consistency bands."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from crossover.measure.calibration_bins import BinnedOutcomes, EqualMassBins, check_event
from crossover.measure.calibration_error import BINS
from crossover.measure.calibration_null import SIMULATIONS


@dataclass(frozen=True)
class ReliabilityPoint:
    """One bin: its rows' probabilities, how often they came true, and how often they could by chance.

    [``band_low``, ``band_high``] holds the frequency of a perfectly calibrated model with these very
    probabilities at the level, bin by bin; [``joint_low``, ``joint_high``] is wider: all bins of
    such a model lie inside at once at the level. One point of fifteen outside the first is expected.
    """

    low: float
    high: float
    n: int
    probability: float
    frequency: float
    band_low: float
    band_high: float
    joint_low: float
    joint_high: float


@dataclass(frozen=True)
class ReliabilityDiagram:
    """Points in ascending probability, one a bin; ``bins_asked`` of them unless ties left fewer."""

    points: tuple[ReliabilityPoint, ...]
    bins_asked: int
    level: float = 0.95

    @property
    def outside(self) -> int:
        """Points outside their own band; ``(1 - level)`` of them are expected under calibration."""
        return sum(not p.band_low <= p.frequency <= p.band_high for p in self.points)

    @property
    def jointly_outside(self) -> int:
        """Points outside the joint band; any at all happens to ``1 - level`` of calibrated models."""
        return sum(not p.joint_low <= p.frequency <= p.joint_high for p in self.points)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, points as flat rows."""
        return {
            "points": [asdict(point) for point in self.points],
            "bins_asked": self.bins_asked,
            "outside": self.outside,
            "jointly_outside": self.jointly_outside,
            "level": self.level,
        }


def reliability_diagram(
    probability: NDArray[np.float64],
    outcomes: NDArray[np.bool_],
    bins: int = BINS,
    simulations: int = SIMULATIONS,
    seed: int = 0,
    level: float = 0.95,
) -> ReliabilityDiagram:
    """Diagram of (n,) probabilities of an event and whether it happened; rows are taken as independent.

    Bins hold about equal numbers of rows. The bands come from outcomes drawn from the probabilities
    themselves (consistency resampling, Broecker and Smith 2007; the probabilities stay as they are).

    Raises:
        BadInput: shapes that do not fit, fewer than 3 rows, no probabilities.
    """
    check_event(probability, outcomes)
    order = np.lexsort((outcomes, probability))
    p, happened = probability[order], outcomes[order]
    binned = EqualMassBins.of(p, bins)
    drawn = np.random.default_rng(seed).random((len(p), simulations)) < p[:, None]
    both = np.concatenate([happened[:, None], drawn], axis=1).astype(np.float64)
    return diagram_of(binned, BinnedOutcomes.of(binned, both).frequency, bins, level)


def diagram_of(
    bins: EqualMassBins, frequency: NDArray[np.float64], bins_asked: int, level: float = 0.95
) -> ReliabilityDiagram:
    """Diagram from the (bins, 1 + S) frequencies of the observed outcomes and of S simulated ones."""
    observed, simulated = frequency[:, 0], frequency[:, 1:]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(simulated, (tail, 1.0 - tail), axis=1)
    p = bins.probability
    error = np.sqrt(bins.sums(p * (1.0 - p))) / bins.n
    # a bin of probabilities 0 or 1 cannot miss in a simulation
    score = np.abs(simulated - bins.mean[:, None]) / np.where(error > 0.0, error, 1.0)[:, None]
    reach = np.quantile(score.max(axis=0), level) * error
    # within rounding: a bin of probabilities 1, all of which came true, is not outside
    joint_low, joint_high = np.minimum(bins.mean - reach, low), np.maximum(bins.mean + reach, high)
    joint_low, joint_high = np.clip(joint_low, 0.0, 1.0), np.clip(joint_high, 0.0, 1.0)
    points = []
    for b in range(len(bins.n)):
        inside = p[bins.index == b]
        numbers = (bins.mean[b], observed[b], low[b], high[b], joint_low[b], joint_high[b])
        points.append(
            ReliabilityPoint(
                float(inside.min()), float(inside.max()), int(bins.n[b]), *(float(x) for x in numbers)
            )
        )
    return ReliabilityDiagram(tuple(points), bins_asked, level)
