from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossover.model.name_index import NameIndex


def names(*numbers: int, tail: int = 0) -> np.ndarray:
    """The number decides the first 8 bytes, ``tail`` the last one."""
    made = np.zeros((len(numbers), 32), np.uint8)
    made[:, 0] = numbers
    made[:, 31] = tail
    return made


def test_names_are_found_by_shard_and_row_and_in_the_first_shard_that_holds_them() -> None:
    index = NameIndex()
    assert index.find(names(1))[0].tolist() == [-1]
    assert index.add(names(5, 3, 9)) == 0
    assert index.find(names(3, 4))[0].tolist() == [0, -1]
    assert index.add(names(3, 4)) == 1 and index.add(names(9, 1)) == 2
    shards, rows = index.find(names(9, 4, 3, 1, 7, 5))
    assert shards.tolist() == [0, 1, 0, 2, -1, 0] and rows[shards >= 0].tolist() == [2, 1, 1, 1, 0]


def test_equal_first_bytes_are_not_equal_names() -> None:
    index = NameIndex()
    index.add(np.concatenate([names(7, tail=1), names(7, tail=2)]))
    index.add(names(7, tail=3))
    for tail, place in ((1, (0, 0)), (2, (0, 1)), (3, (1, 0)), (4, (-1, 0))):
        shards, rows = index.find(names(7, tail=tail))
        assert (shards[0], rows[0]) == place


def test_names_of_a_dropped_shard_are_found_elsewhere_or_not_at_all() -> None:
    index = NameIndex()
    index.add(names(1, 2))
    index.add(names(2, 3))
    index.drop(0)
    assert index.find(names(1, 2, 3))[0].tolist() == [-1, 1, 1]
    assert index.add(names(1)) == 2 and index.find(names(1))[0].tolist() == [2]


@given(shards=st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=8))
def test_it_answers_as_a_dictionary_would(shards: list[list[int]]) -> None:
    index, plain = NameIndex(), {}
    for k, numbers in enumerate(shards):
        assert index.add(names(*numbers)) == k
        for row, number in enumerate(numbers):
            plain.setdefault(number, (k, row))
        found = index.find(names(*range(41)))
        told = [(s, r) if s >= 0 else None for s, r in zip(*(part.tolist() for part in found), strict=True)]
        assert told == [plain.get(number) for number in range(41)]
