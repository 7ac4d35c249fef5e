"""Association of two columns over independent rows: categories, or numbers in categories; effect and P."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, rankdata, t

PERMUTATIONS = 1_999
LEAST_EXPECTED = 5.0
"""Below this expected count in any cell the chi-square law is not trusted and rows are permuted."""

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Association:
    """``effect`` (0 none), its ``p``, the ``rows`` it rests on and how P was had (``method``)."""

    effect: float
    p: float
    rows: int
    method: str


def categories_associated(
    first: Codes, second: Codes, permutations: int = PERMUTATIONS, seed: int = 0
) -> Association | None:
    """Cramer's V, corrected for its bias (Bergsma 2013), with the P of chi-square; None with one level left.

    Levels of ``first`` with one row are left out: they can say nothing. Where a cell expects under 5 rows,
    as with many small groups, P is that of dealing ``second`` out at random, (1 + b) / (1 + B).

    Args:
        first, second: codes from 0 on, of equal length.
    """
    kept = np.bincount(first)[first] > 1
    first, second = (np.unique(codes[kept], return_inverse=True)[1] for codes in (first, second))
    if not len(first) or first.max() == 0 or second.max() == 0:
        return None
    rows, r, c = len(first), int(first.max()) + 1, int(second.max()) + 1
    expected = np.outer(np.bincount(first), np.bincount(second)) / rows
    weights = 1 / expected.ravel()

    def statistic(codes: Codes) -> float:
        observed = np.bincount(first * c + codes, minlength=r * c).astype(float)
        return float(observed**2 @ weights) - rows

    seen = statistic(second)
    if expected.min() >= LEAST_EXPECTED:
        p, method = float(chi2.sf(seen, (r - 1) * (c - 1))), "chi-square"
    else:
        # In sorted order, so that the order of the rows does not matter.
        draw, first, second = np.random.default_rng(seed), np.sort(first), np.sort(second)
        as_large = sum(statistic(draw.permutation(second)) >= seen - 1e-9 for _ in range(permutations))
        p, method = (1 + as_large) / (1 + permutations), f"{permutations} permutations"
    phi = max(0.0, seen / rows - (r - 1) * (c - 1) / (rows - 1))
    narrow = min(r - (r - 1) ** 2 / (rows - 1), c - (c - 1) ** 2 / (rows - 1)) - 1
    return Association(min(1.0, float(np.sqrt(phi / narrow))) if narrow > 1e-9 else 0.0, p, rows, method)


def numbers_differ(values: NDArray[np.float64], codes: Codes) -> Association | None:
    """Kruskal-Wallis over levels: effect is epsilon squared, the share of rank variance between levels less
    what chance gives.

    A level counts where it expects 5 rows off the commonest value; None where fewer than two do.
    """
    _, counts = np.unique(values, return_counts=True)
    moving = 1 - counts.max() / len(values) if len(values) else 0.0
    sizes = np.bincount(codes)
    kept = sizes[codes] * moving >= LEAST_EXPECTED
    values, codes = values[kept], np.unique(codes[kept], return_inverse=True)[1]
    if not len(values) or codes.max() == 0 or np.ptp(values) == 0:
        return None
    rows, levels = len(values), int(codes.max()) + 1
    ranks = rankdata(values)
    ranks -= ranks.mean()
    sums, sizes = np.bincount(codes, ranks), np.bincount(codes)
    h = float((sums**2 / sizes).sum() / ((ranks**2).sum() / (rows - 1)))
    effect = max(0.0, (h - levels + 1) / (rows - levels))
    return Association(effect, float(chi2.sf(h, levels - 1)), rows, "Kruskal-Wallis")


def numbers_associated(first: NDArray[np.float64], second: NDArray[np.float64]) -> Association | None:
    """Spearman's rank correlation with the P of Student's t; None where either hardly varies."""
    rows = len(first)
    for values in (first, second):
        _, counts = np.unique(values, return_counts=True)
        if not rows or rows - counts.max() < 2 * LEAST_EXPECTED:
            return None
    rho = float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
    if abs(rho) >= 1:
        return Association(rho, 0.0, rows, "Spearman")
    return Association(
        rho, float(2 * t.sf(abs(rho) * np.sqrt((rows - 2) / (1 - rho**2)), rows - 2)), rows, "Spearman"
    )


def one_against_rest(values: NDArray[np.float64], codes: Codes) -> NDArray[np.float64]:
    """For each level the chance that its value exceeds one of the other levels, ties by half (AUC)."""
    ranks, sizes = rankdata(values), np.bincount(codes)
    sums = np.bincount(codes, ranks)
    rest = np.maximum(len(values) - sizes, 1)
    return np.asarray((sums - sizes * (sizes + 1) / 2) / (np.maximum(sizes, 1) * rest))
