"""A table reads alike in page, terminal and spreadsheet, and is a formula or an escape in none."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from crossover.report.tables import Cell, Column, Kind, Table, quantity, show, to_csv, to_rich
from crossover.report.visible_text import csv_text, from_csv_text

TABLE = Table(
    "Caption",
    (Column("name"), Column("score", "score"), Column("interval", "interval"), Column("n", "count")),
    (("=1+1", 0.123456789, (0.1, None), 12_345), ("plain", None, (None, None), None)),
    note="a note",
)


def printed(table: Table) -> str:
    console = Console(file=io.StringIO(), width=200, color_system="truecolor", force_terminal=True)
    console.print(to_rich(table))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("cell", "kind", "shown"),
    [
        (0.12349, "score", "0.123"),
        (-0.5, "score", "−0.500"),
        (0.0231, "signed", "+0.023"),
        (-0.0231, "signed", "−0.023"),
        (0.0, "signed", "0"),
        (1234567.0, "count", "1,234,567"),
        (0.5, "quantity", "0.500"),
        (1234.5, "quantity", "1,234"),
        (0.00001234, "quantity", "1.2e-05"),
        ((0.1, 0.2), "interval", "[0.100, 0.200]"),
        ((-0.1, 0.2), "signed_interval", "[−0.100, +0.200]"),
        ((0.1, None), "interval", "[0.100, –]"),
        ((None, None), "interval", "–"),
        (None, "score", "–"),
        (float("nan"), "score", "–"),
        (float("inf"), "quantity", "–"),
        ("", "text", "–"),
        ("a\u200bb", "text", "a‹U+200B›b"),
    ],
)
def test_cells_are_shown_as_a_reader_expects(cell: Cell, kind: Kind, shown: str) -> None:
    assert show(cell, kind) == shown


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_a_quantity_keeps_three_digits(value: float) -> None:
    assert float(quantity(value).replace(",", "")) == pytest.approx(value, rel=6e-2, abs=0)


def test_csv_has_full_numbers_two_columns_an_interval_and_no_formula() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows == [
        ["name", "score", "interval low", "interval high", "n"],
        ["'=1+1", "0.123456789", "0.1", "", "12345"],
        ["plain", "", "", "", ""],
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_text_survives_csv_and_never_starts_like_a_formula(text: str) -> None:
    written = to_csv(Table("t", (Column("c"), Column("d")), ((text, "end"),)))
    cell = list(csv.reader(io.StringIO(written, newline="")))[1][0]
    assert from_csv_text(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\x00", "＝", "＋", "－", "＠"))


@pytest.mark.parametrize("text", ["'=1", "''=1", "'tis", "=1", "'", "-1", "@a", "\tx", "a=1", "\x00=", ""])
def test_the_quote_before_a_formula_is_taken_off_again(text: str) -> None:
    assert from_csv_text(csv_text(text)) == text


def test_a_negative_number_stays_a_number_in_csv() -> None:
    written = to_csv(Table("t", (Column("c", "signed"),), ((-0.5,),)))
    assert written.splitlines()[1] == "-0.5"


def test_the_terminal_shows_no_escape_and_reads_no_markup() -> None:
    hostile = "\x1b[31mred\x1b[0m \x1b]0;owned\x07[bold]b[/bold] \x9b2J\u202e"
    shown = printed(Table(hostile, (Column(hostile),), ((hostile,),), note=hostile))
    assert shown.count("red [bold]b[/bold] ‹U+202E›") >= 3
    assert "owned" not in shown and "\x1b]" not in shown and "\x9b" not in shown and "\u202e" not in shown


def test_the_terminal_table_has_title_header_cells_and_note() -> None:
    shown = printed(TABLE)
    for word in ("Caption", "score", "0.123", "[0.100, –]", "12,345", "a note"):
        assert word in shown


def test_a_long_table_says_what_it_leaves_out() -> None:
    table = Table("t", (Column("n", "count"),), tuple((k,) for k in range(301)))
    assert table.left_out == 1 and len(table.shown_rows()) == 300
    assert "1 more rows are not shown" in " ".join(printed(table).split())
    assert len(to_csv(table).splitlines()) == 302


def test_a_row_of_the_wrong_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="a row of 1, 2 columns"):
        Table("t", (Column("a"), Column("b")), (("x",),))
