"""Bins: the width of time follows the span, every bin is there, and numbers fall into even parts."""

import numpy as np
import pytest

from crossover.look.bins import moments_of, number_bins, time_bins


@pytest.mark.parametrize(
    ("last", "width", "names"),
    [
        ("2024-01-09", "day", ["2024-01-01", "2024-01-09"]),
        ("2024-04-01", "week", ["2024-01-01", "2024-04-01"]),
        ("2025-06-30", "month", ["2024-01", "2025-06"]),
        ("2030-11-30", "quarter", ["2024 Q1", "2030 Q4"]),
        ("2060-11-30", "year", ["2024", "2060"]),
    ],
)
def test_the_width_follows_the_span(last: str, width: str, names: list[str]) -> None:
    found, every, codes = time_bins(moments_of(["2024-01-01T10:00:00+00:00", None, last]))
    assert (found, [every[0], every[-1]]) == (width, names)
    assert codes.tolist() == [0, -1, len(every) - 1]


def test_times_before_1970_and_unreadable_ones_are_told_apart() -> None:
    width, names, codes = time_bins(moments_of(["1969-12-31", "soon", "1970-01-01"]))
    assert (width, names, codes.tolist()) == ("day", ["1969-12-31", "1970-01-01"], [0, -1, 1])
    assert time_bins(moments_of([None]))[1] == []


def test_numbers_fall_into_parts_of_about_equal_size_and_few_values_stay() -> None:
    names, codes = number_bins(np.append(np.arange(100.0), np.nan))
    assert len(names) == 5 and np.bincount(codes[:-1]).min() >= 19 and codes[-1] == -1
    assert number_bins(np.array([3.0, 1.0, 3.0]))[0] == ["1", "3"]
    assert number_bins(np.array([np.nan]))[0] == []
