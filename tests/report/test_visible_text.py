"""No character hides, no text runs on for ever, and honest text is left alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.report.visible_text import terminal_text, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, naïve, Ελληνικά, 中文, עברית, 🙂", "plain, naïve, Ελληνικά, 中文, עברית, 🙂"),
        ("line\n\ttab", "line\n\ttab"),
        ("a\x00\x1b\r\x7f", "a␀␛␍␡"),
        ("a\u202eb\u2066c\u200d\ufeff\u00ad", "a‹U+202E›b‹U+2066›c‹U+200D›‹U+FEFF›‹U+00AD›"),
        ("a\u2028b\u3164\u2800", "a‹U+2028›b‹U+3164›‹U+2800›"),
        ("\udc80\uffff\U000e0041", "‹U+DC80›‹U+FFFF›‹U+E0041›"),
        ("e\u0301", "e\u0301"),
        ("Z" + "\u0301" * 1_000 + "x", "Z" + "\u0301" * 4 + "‹+996 marks›x"),
        ("Z" + "\u0301" * 1_000, "Z" + "\u0301" * 4 + "‹+996 marks›"),
    ],
)
def test_what_hides_is_named_and_what_does_not_is_kept(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(max_size=300))
def test_nothing_invisible_remains(text: str) -> None:
    for character in visible(text):
        assert character in "\n\t" or unicodedata.category(character) not in (
            "Cc",
            "Cf",
            "Cs",
            "Cn",
            "Co",
            "Zl",
            "Zp",
        )


@given(st.text(max_size=300))
def test_making_visible_twice_changes_nothing(text: str) -> None:
    once = visible(text)
    assert visible(once) == once or len(once) > 600


@given(st.text(max_size=2_000), st.integers(1, 200))
def test_a_text_has_an_end_and_the_rest_is_counted(text: str, limit: int) -> None:
    shown = visible(text, limit)
    assert len(shown) <= limit + 60
    if "… (+" in shown and "… (+" not in text:
        cut = int(shown.rpartition("(+")[2].split(" ")[0].replace(",", ""))
        assert 0 < cut < len(text) + 1


def test_ten_thousand_marks_do_not_make_a_text_long() -> None:
    assert len(visible("Z" + "\u0301" * 10_000)) < 40


def test_a_megabyte_is_cut_at_once() -> None:
    assert visible("x" * 1_000_000, 100) == "x" * 100 + "… (+999,900 characters)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07after", "after"),
        ("\x9b31mred", "red"),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1b(Bx", "x"),
        ("two\nlines\tand tab", "two lines and tab"),
        ("\x1b]unfinished", "unfinished"),
        ("a\x1b", "a␛"),
    ],
)
def test_the_terminal_gets_no_escape_sequence(text: str, shown: str) -> None:
    assert terminal_text(text) == shown


@given(st.text(st.sampled_from("\x1b[]m0;1\x07\\\x9b\x9c\x90PBab\n"), max_size=60))
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    assert not any(unicodedata.category(character) == "Cc" for character in terminal_text(text))
