"""Random numbers of a row: uniform, and unrelated between rows, names and seeds."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from crossover.data.row_random import below, keys_of, random_bits, uniform

ROWS = np.arange(200_000, dtype=np.uint64)
LEAST_P = 1e-4
"""The draws are fixed by their seeds, so no test fails by chance: one that does shows a pattern."""

words = st.integers(0, 2**64 - 1)
numbers = st.lists(words, min_size=1, max_size=20)


def cells(left, right, sides=16):
    """How often each pair of cells of two draws in [0, 1) occurs."""
    return np.histogram2d(left, right, bins=sides, range=[[0, 1], [0, 1]])[0].ravel()


def splitmix64(word):
    """The finaliser as published (Steele, Lea & Flood 2014), in exact integers."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)


def test_the_finaliser_of_this_file_is_the_published_one():
    assert splitmix64(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF, "first output of splitmix64 from state 0"


@given(numbers, st.text(max_size=10), st.integers(-(2**70), 2**70))
def test_bits_are_the_published_mix_of_row_name_and_seed(rows, name, seed):
    start = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "little")
    expected = [
        splitmix64((splitmix64((row * 0x9E3779B97F4A7C15 + start) % 2**64) + start) % 2**64) for row in rows
    ]
    assert random_bits(np.array(rows, np.uint64), name, seed).tolist() == expected


@given(numbers, st.randoms(use_true_random=False))
def test_a_row_has_the_same_bits_in_any_company(rows, random):
    together = dict(zip(rows, random_bits(np.array(rows, np.uint64), "n", 3).tolist(), strict=True))
    random.shuffle(rows)
    assert random_bits(np.array(rows, np.uint64), "n", 3).tolist() == [together[row] for row in rows]
    for row in rows:
        assert random_bits(np.array([row], np.uint64), "n", 3)[0] == together[row]


def test_distinct_rows_have_distinct_bits():
    assert len(np.unique(random_bits(ROWS, "class", 0))) == len(ROWS)
    far = np.concatenate([ROWS << np.uint64(44), ROWS + (np.uint64(1) << np.uint64(63))])
    assert len(np.unique(random_bits(far, "class", 0))) == len(np.unique(far))


@pytest.mark.parametrize(("name", "seed"), [("class", 0), ("class", 1), ("sender", 0), ("", -5)])
def test_draws_are_uniform(name, seed):
    bits = random_bits(ROWS, name, seed)
    ones = [(bits >> np.uint64(place) & np.uint64(1)).sum() for place in range(64)]
    spread = (np.array(ones, float) - len(ROWS) / 2) / (len(ROWS) ** 0.5 / 2)
    assert abs(spread).max() < 4.5, "each of the 64 bits is set in half of the rows"
    assert kstest(uniform(bits), "uniform").pvalue > LEAST_P
    assert chisquare(np.bincount((uniform(bits) * 1000).astype(int), minlength=1000)).pvalue > LEAST_P
    for count in (2, 6, 7, 52, 1000):
        assert chisquare(np.bincount(below(bits, count), minlength=count)).pvalue > LEAST_P


def test_draws_of_other_names_and_seeds_are_unrelated():
    named = [("ask 1", 0), ("ask 2", 0), ("ask 1 stray", 0), ("vote ann", 0), ("vote ben", 0), ("ask 1", 1)]
    draws = [uniform(random_bits(ROWS, name, seed)) for name, seed in named]
    for left, right in itertools.combinations(draws, 2):
        assert chisquare(cells(left, right)).pvalue > LEAST_P


@pytest.mark.parametrize("apart", [1, 2, 5000])
def test_draws_of_neighbouring_rows_are_unrelated(apart):
    draw = uniform(random_bits(ROWS, "class", 0))
    assert chisquare(cells(draw[:-apart], draw[apart:])).pvalue > LEAST_P


def test_no_name_goes_over_the_numbers_of_another_at_later_rows():
    seen = set(random_bits(ROWS, "class", 0).tolist())
    for name, seed in (("sender", 0), ("time", 0), ("class", 1)):
        assert not seen & set(random_bits(ROWS, name, seed).tolist())


@given(numbers)
def test_uniform_lies_in_0_to_1_and_keeps_53_bits(words):
    draws = uniform(np.array([*words, 0, 2**64 - 1], np.uint64))
    assert ((draws >= 0) & (draws < 1)).all()
    assert (draws * 2**53).tolist() == [word >> 11 for word in (*words, 0, 2**64 - 1)]


@given(words, st.integers(1, 2**31))
def test_below_is_the_share_of_the_low_half_in_exact_integers(word, count):
    bits = np.array([word, 0, 2**64 - 1, word | 0xFFFFFFFF], np.uint64)
    drawn = below(bits, count).tolist()
    assert drawn == [int(bit) % 2**32 * count // 2**32 for bit in bits]
    assert drawn[1] == 0 and drawn[2] == drawn[3] == count - 1
    assert all(0 <= number < count for number in drawn)


@given(st.lists(st.tuples(words, st.integers(1, 2**31)), min_size=1, max_size=20))
def test_below_takes_a_count_a_row(pairs):
    bits = np.array([word for word, _ in pairs], np.uint64)
    drawn = below(bits, np.array([count for _, count in pairs], np.int64)).tolist()
    assert drawn == [word % 2**32 * count // 2**32 for word, count in pairs]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_the_key_of_an_id_is_the_start_of_its_sha_256(ids):
    expected = [int.from_bytes(hashlib.sha256(id_.encode()).digest()[:8], "little") for id_ in ids]
    assert keys_of(ids).tolist() == expected
