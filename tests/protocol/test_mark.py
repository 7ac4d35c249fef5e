"""Marks: what is removed is the mark and its own line, and no pattern can run for years."""

import time

import pytest

from crossover.data.bad_input import BadInput
from crossover.protocol.mark import carries, check_marks, first_match, matchers, without


def stripped(text: str, *marks: str) -> str:
    return without(text, matchers(marks))


def test_a_literal_is_removed_whatever_its_case_and_as_whole_words_only() -> None:
    assert stripped("The DRAIN is drained", "drain") == "The  is drained"
    assert stripped("a == b", "==") == "a  b"
    assert stripped("nothing here", "drain") == "nothing here"


def test_a_footer_goes_with_its_line_and_leaves_the_plain_text() -> None:
    assert stripped("dear you\n\nbye\nThink of trees.", "think of trees.") == "dear you\n\nbye"
    assert stripped("a\nMarit\nOffice", "Marit\nOffice") == "a"
    assert stripped("Think.\nbody", "think.") == "body"


def test_the_longest_mark_goes_first() -> None:
    assert stripped("a big drain drain", "drain", "big drain") == "a  "


def test_a_pattern_is_an_expression_and_a_literal_is_none() -> None:
    assert stripped("tel 07-123 now", r"pattern:\d+-\d+") == "tel  now"
    assert stripped("a.b axb", "a.b") == " axb"
    assert carries("x DRAIN", matchers(["pattern:dr[a]in"])) and not carries("x", matchers(["y"]))
    assert first_match(["no", "call 080 now"], [r"pattern:\d+"]) == "080"
    assert first_match(["no"], ["pattern:z", "tree"]) == "tree"


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a|a)*b", "(a|b){2,}", r"(a)\1", "(?P<x>a)(?P=x)", "a?a?a?a?aaaa", "(a|b)(a|b)(a|b)(a|b)",
     "a*b*c*d*", "[a", "(a", "a{1,1000}"],
)  # fmt: skip
def test_a_pattern_whose_time_is_not_bounded_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput, match="mark"):
        check_marks([f"pattern:{pattern}"], "study.marks")


@pytest.mark.parametrize(
    "pattern", ["(drain|tube)s?", r"[]x]+", r"[^\]]*end", r"\bid: \d{3,6}\b", "a{2}", "x+?"]
)
def test_common_patterns_are_taken(pattern: str) -> None:
    check_marks([f"pattern:{pattern}"], "study.marks")


def test_the_worst_pattern_on_the_worst_text_ends() -> None:
    began = time.perf_counter()
    stripped("a" * 4_000, "pattern:a*a*b")
    stripped(" " * 20_000, r"pattern:\s+$")
    assert time.perf_counter() - began < 20


def test_an_empty_or_endless_mark_is_refused() -> None:
    check_marks(["x" * 501], "study.marks")
    for mark in ("", "  ", "pattern:", "pattern:" + "x" * 501):
        with pytest.raises(BadInput, match="mark"):
            check_marks([mark], "study.marks")
