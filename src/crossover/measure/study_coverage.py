"""Coverage of the crossing's interval on real differences: studies resampled from many draws and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.measure.crossing import Crossing, SizeEvidence, find_crossing


def coverage_of_studies(
    differences: NDArray[np.float64],
    sizes: Sequence[int],
    truth_root: float,
    R: int,
    rows: int,
    studies: int,
    rng: np.random.Generator,
    overlap: float | Sequence[float] = 0.0,
    margin: float = 0.0,
    level: float = 0.95,
) -> dict[str, object]:
    """How often studies of R draws x ``rows`` test rows hold the root found on all draws and rows.

    Each study takes R of the D draws and ``rows`` of the m rows without replacement. The truth is then that
    of the D draws at hand: where they come from one pool, a study of it is judged with ``overlap`` 0, since
    what the draws share is shared by the truth too. Keep R and ``rows`` small against D and m, or
    the studies resemble the truth and coverage is flattered.

    Args:
        differences: (D draws, J sizes, m rows) paired differences, sizes ascending.
        sizes: J training sizes.
        truth_root: the size at which the mean over all draws and rows crosses the margin.
        overlap: f, one for all sizes or one a size.

    Returns:
        Plain values: coverage with its 95% Clopper-Pearson interval, the share of studies whose C is
        bounded and empty, the median width of C in octaves, and the share of each kind.

    Raises:
        BadInput: shapes that do not fit, more draws or rows asked than there are.
    """
    D, J, m = _shape(differences, sizes)
    if not (2 <= R <= D and 2 <= rows <= m and studies >= 1):
        raise BadInput(f"{studies} studies of {R} draws x {rows} rows out of {D} x {m}: ask for no more")
    fractions = np.broadcast_to(np.asarray(overlap, dtype=np.float64), (J,))
    found = [_study(differences, sizes, fractions, (R, rows), rng, margin, level) for _ in range(studies)]
    held = sum(crossing.covers(truth_root) for crossing in found)
    kinds = Counter(crossing.kind for crossing in found)
    octaves = [sum(np.log2(p.high / p.low) for p in crossing.pieces) for crossing in found]
    interval = stats.binomtest(held, studies).proportion_ci(0.95, method="exact")
    return {
        "draws": R,
        "rows": rows,
        "studies": studies,
        "coverage": held / studies,
        "coverage_low": float(interval.low),
        "coverage_high": float(interval.high),
        "bounded": sum(crossing.bounded for crossing in found) / studies,
        "empty": sum(not crossing.pieces for crossing in found) / studies,
        "median_octaves": float(np.median(octaves)),
        "kinds": {kind: kinds[kind] / studies for kind in sorted(kinds)},
    }


def _study(
    differences: NDArray[np.float64],
    sizes: Sequence[int],
    overlap: NDArray[np.float64],
    taken: tuple[int, int],
    rng: np.random.Generator,
    margin: float,
    level: float,
) -> Crossing:
    """The answer of one study of ``taken`` (draws, rows), drawn without replacement."""
    draws = rng.choice(differences.shape[0], taken[0], replace=False)
    rows = rng.choice(differences.shape[2], taken[1], replace=False)
    study = differences[np.ix_(draws, np.arange(len(sizes)), rows)]
    evidence = [SizeEvidence(int(n), study[:, j], float(overlap[j])) for j, n in enumerate(sizes)]
    return find_crossing(evidence, margin, level=level)


def _shape(differences: NDArray[np.float64], sizes: Sequence[int]) -> tuple[int, int, int]:
    if differences.ndim != 3 or differences.shape[1] != len(sizes):
        raise BadInput(
            f"differences of shape {differences.shape} for {len(sizes)} sizes: expected (draws, sizes, rows)"
        )
    D, J, m = differences.shape
    return D, J, m
