"""Masking takes out what has the form of an address or a number, and is quick on any text."""

import time

import pytest

from crossover.report.masked_text import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to ann.lee+x@mail.example.com now", "write to ‹address› now"),
        ("ann @ enron . com , bob", "‹address› , bob"),
        ("call 08715203652 or +44 (0)20 7946-0018!", "call ‹number› or ‹number›!"),
        ("see https://a.example/x?y=1 and www.b.example", "see ‹link› and ‹link›"),
        ("in 2003 it cost 150 pounds, 4 u @ 8", "in 2003 it cost 150 pounds, 4 u @ 8"),
        ("card 4111111111111111, row 01bb410602d22da5-2", "card ‹number›, row 01bb410602d22da5-2"),
        ("", ""),
    ],
)
def test_addresses_links_and_long_numbers_are_masked_and_the_rest_stays(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize("piece", ["a", "a@", "1 ", "a.b-", "@ . ", "a @ b . "])
def test_no_text_makes_it_slow(piece: str) -> None:
    begun = time.process_time()
    masked(piece * 50_000)
    assert time.process_time() - begun < 2
