"""Bins: times by the calendar and numbers by quantiles: the handful of lines a reader can take in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST = {"day": 31, "week": 27, "month": 36, "quarter": 40}
"""Most bins of each width; beyond them the next is taken, years at last."""

Codes = NDArray[np.int64]


def moments_of(values: Sequence[object]) -> NDArray[np.datetime64]:
    """Times of a meta column by the second, NaT where missing or unreadable; they are in UTC."""
    cells = [str(value)[:19] if value else "NaT" for value in values]
    try:
        return np.array(cells, "datetime64[s]")
    except ValueError:
        return np.array([_moment(cell) for cell in cells], "datetime64[s]")


def _moment(cell: str) -> np.datetime64:
    try:
        return np.datetime64(cell, "s")
    except ValueError:
        return np.datetime64("NaT", "s")


def time_bins(moments: NDArray[np.datetime64]) -> tuple[str, list[str], Codes]:
    """The width chosen, the bins' names in order and the bin of each row (-1 where the time is missing).

    Every bin from the first to the last is there, the empty ones too. Weeks begin on Monday.
    """
    known = ~np.isnat(moments)
    codes = np.full(len(moments), -1, np.int64)
    if not known.any():
        return "day", [], codes
    days = moments[known].astype("datetime64[D]")
    months = days.astype("datetime64[M]").astype(np.int64)
    numbers = {
        "day": days.astype(np.int64),
        "week": (days.astype(np.int64) + 3) // 7,
        "month": months,
        "quarter": months // 3,
        "year": months // 12,
    }
    width = next(name for name, values in numbers.items() if np.ptp(values) + 1 <= MOST.get(name, np.inf))
    first = int(numbers[width].min())
    codes[known] = numbers[width] - first
    return width, [_name(width, k) for k in range(first, int(numbers[width].max()) + 1)], codes


def _name(width: str, number: int) -> str:
    if width in ("day", "week"):
        return str(np.datetime64(number if width == "day" else 7 * number - 3, "D"))
    if width == "month":
        return str(np.datetime64(number, "M"))
    return f"{1970 + number // 4} Q{number % 4 + 1}" if width == "quarter" else str(1970 + number)


def number_bins(values: NDArray[np.float64], most: int = 5) -> tuple[list[str], Codes]:
    """Names and codes of up to ``most`` bins of about equal size; few values stay bins, NaN is -1."""
    known = ~np.isnan(values)
    codes = np.full(len(values), -1, np.int64)
    different = np.unique(values[known])
    if len(different) <= most:
        codes[known] = np.searchsorted(different, values[known])
        return [f"{value:g}" for value in different], codes
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, most + 1), method="lower"))
    inner = edges[1:-1]
    codes[known] = np.searchsorted(inner, values[known], side="right")
    names = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges.tolist())]
    return names, codes
