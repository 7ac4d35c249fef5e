"""Delimited text: the csv module as oracle, line ends as written, errors with their line."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossover.data.bad_input import BadInput
from crossover.data.delimited import parse_delimited

hostile = st.text(st.sampled_from('ab,;"\n\r\t\x00 \u2028é\ufeff='), max_size=12)


@given(
    st.lists(st.tuples(hostile, hostile, hostile), max_size=8),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from(["\n", "\r\n"]),
)
@example([("", "", ""), ("a\rb", '"', "\n")], ",", "\n")
def test_what_the_csv_module_writes_comes_back(rows, delimiter, end):
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("x", "y", "z"), *rows])
    header, read, _ = parse_delimited(sink.getvalue(), delimiter, True, "f")
    assert header == ["x", "y", "z"]
    assert read == [list(row) for row in rows]


@given(st.lists(st.tuples(hostile, hostile), min_size=1, max_size=8))
def test_unquoted_fields_agree_with_the_csv_module(rows):
    rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["x", "y"])
    starts = []
    for row in rows:
        starts.append(sink.getvalue().count("\n") + 1)
        writer.writerow(row)
    _, read, lines = parse_delimited(sink.getvalue(), ",", True, "f")
    assert read == rows == list(csv.reader(io.StringIO(sink.getvalue(), newline="")))[1:]
    assert lines == starts


def test_lone_cr_is_text_between_lf_and_ends_rows_in_a_file_without_lf():
    assert parse_delimited("id,t\n1,a\rb\n", ",", True, "f")[1] == [["1", "a\rb"]]
    assert parse_delimited("id,t\r1,a\r2,b", ",", True, "f")[1] == [["1", "a"], ["2", "b"]]


def test_crlf_inside_quotes_is_kept_and_at_row_ends_dropped():
    header, rows, lines = parse_delimited('id,t\r\n1,"a\r\nb"\r\n\r\n2,c\n', ",", True, "f")
    assert (header, rows, lines) == (["id", "t"], [["1", "a\r\nb"], ["2", "c"]], [2, 5])


def test_empty_last_field_and_quoted_empty_row_are_rows():
    assert parse_delimited("a,b\n1,", ",", True, "f")[1] == [["1", ""]]
    assert parse_delimited('a\n""\n\nx\n', ",", True, "f")[1] == [[""], ["x"]]
    assert parse_delimited('a\r\n""\r\n', ",", True, "f")[1] == [[""]]


def test_quotes_are_text_where_the_file_never_quotes():
    assert parse_delimited('t\n"so-called" plot\n"open\n', "\t", False, "f")[1] == [
        ['"so-called" plot'],
        ['"open'],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('id,t\n1,a\n2,"open\n3,b\n', "f, line 3: a double quote opens a field and is never closed"),
        ('id,t\n1,"a"b\n', "f, line 2: a quoted field opens here"),
        ("id,t\n1,a\n2\n", "f, line 3: 1 fields, the header names 2"),
        ('id,t\n1,"a\n\nb"\n2,a,b\n', "f, line 5: 3 fields, the header names 2"),
        ("id,t,t\n", "columns 2 and 3 are both named 't'"),
        ("", "f is empty"),
        ("\n\r\n\n", "f is empty"),
    ],
)
def test_malformed_rows_are_refused_with_their_line(text, said):
    with pytest.raises(BadInput) as raised:
        parse_delimited(text, ",", True, "f")
    assert said in str(raised.value)


def test_a_field_of_many_megabytes_is_read():
    _, rows, _ = parse_delimited('t\n"' + "x" * 3_000_000 + '"\n' + "y" * 1_000_000 + "\n", ",", True, "f")
    assert [len(row[0]) for row in rows] == [3_000_000, 1_000_000]


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_delimiters_that_cannot_work_are_refused(delimiter):
    with pytest.raises(BadInput, match="delimiter"):
        parse_delimited("a\n1\n", delimiter, True, "f")
