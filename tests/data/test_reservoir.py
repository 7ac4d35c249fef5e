"""A reservoir holds a uniform sample after any number of rows, the same one whenever it is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from crossover.data.reservoir import Reservoir, chosen_rows


@given(count=st.integers(0, 300), size=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_so_many_different_rows_are_held_all_of_them_where_there_are_no_more(count, size, seed):
    rows = chosen_rows(count, size, seed)
    assert len(rows) == min(count, size) == len(set(rows))
    assert rows == sorted(rows) and all(0 <= row < count for row in rows)
    assert rows == chosen_rows(count, size, seed)


def test_every_row_and_every_pair_of_rows_is_held_as_often_as_any_other():
    count, size, draws = 12, 4, 6_000
    held = np.zeros((draws, count), int)
    for seed in range(draws):
        held[seed, chosen_rows(count, size, seed)] = 1
    # The rows of a draw exclude each other, so a sum over rows varies by the share left out.
    assert chisquare(held.sum(axis=0)).statistic / (1 - size / count) < 32, "11 degrees, P < .001"
    pairs = (held.T @ held)[np.triu_indices(count, 1)]
    expected = draws * size * (size - 1) / (count * (count - 1))
    assert abs(pairs - expected).max() < 4.5 * np.sqrt(expected)


@pytest.mark.parametrize("size", [1, 7, 500])
def test_a_long_stream_gives_the_places_to_rows_of_all_its_parts(size):
    rows = [row for seed in range(3_500 // size) for row in chosen_rows(8_000, size, seed)]
    quarters = np.bincount(np.array(rows) // 2_000, minlength=4)
    assert chisquare(quarters).pvalue > 1e-3


def test_rows_are_passed_over_without_a_draw_each():
    reservoir = Reservoir(10, seed=1)
    taken = [row for row in range(100_000) if reservoir.place(row) is not None]
    assert taken[:10] == list(range(10))
    assert len(taken) < 10 + 10 * 25, "about size * (1 + log(n / size)) rows are taken in all"
