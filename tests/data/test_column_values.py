"""Values: kept as written or refused with their row, never coerced silently."""

import math
from datetime import UTC, date, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.data import column_values as cv
from crossover.data.bad_input import BadInput


def at(row):
    return f"f, row {row + 1}"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["spam", "ham", None, ""], ["spam", "ham", None, None]),
        ([0, 1, None], ["0", "1", None]),
        ([True, False], ["true", "false"]),
        (["NA", "null", "nan", "None"], ["NA", "null", "nan", "None"]),
        ([float("nan"), "a"], [None, "a"]),
        (["007", "8"], ["007", "8"]),
    ],
)
def test_labels_of_one_type_become_strings(values, expected):
    assert cv.label_values(values, at) == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 0, "1"], "f, row 1 has the label 1 and f, row 3 has '1'"),
        ([1, 1.0], "f, row 1 has the label 1 and f, row 2 has 1.0"),
        ([True, 1], "f, row 1 has the label True and f, row 2 has 1"),
        ([0.0, 1.0], "f, row 1: the label is 0.0, and the column holds numbers with a decimal point"),
        ([k / 7 for k in range(40)], "40 distinct numbers: that is regression"),
        ([f"{k / 7:.3f}" for k in range(40)], "40 distinct numbers: that is regression"),
        (["a", ["a", "b"]], "f, row 2: the label is ['a', 'b']; multi-label"),
        (["spam", " spam "], "f, row 2: label ' spam ' has spaces around it"),
        (["spam", "ham", "Spam"], "f, row 1 has the label 'spam' and f, row 3 has 'Spam'"),
        (["1", "1.0"], "f, row 1 has the label '1' and f, row 2 has '1.0'"),
        (["ok", "\ud800"], "f, row 2: 'label' holds a lone surrogate at character 0"),
        ([b"x"], "f, row 1: the label is b'x'"),
    ],
)
def test_odd_labels_are_refused_naming_the_rows(values, said):
    with pytest.raises(BadInput) as raised:
        cv.label_values(values, at)
    assert said in str(raised.value)


def test_a_declared_map_is_the_only_way_to_a_label():
    declared = {"Spam": "spam", "spam": "spam", 0: "ham", "?": None}
    assert cv.label_values(["Spam", "spam", "0", "?", ""], at, declared) == [
        "spam",
        "spam",
        "ham",
        None,
        None,
    ]
    assert cv.label_values([True, False], at, {True: "yes", False: "no"}) == ["yes", "no"]
    with pytest.raises(BadInput, match=r"row 2: label 'eggs' is not declared; data.labels maps"):
        cv.label_values(["spam", "eggs"], at, declared)


def test_class_codes_become_their_names_and_minus_one_is_missing():
    assert cv.label_values([1, 0, -1], at, None, ("ham", "spam")) == ["spam", "ham", None]
    with pytest.raises(BadInput, match="row 2: label code 2, but the file names 2 classes"):
        cv.label_values([1, 2], at, None, ("ham", "spam"))


def test_many_whole_numbers_are_labels_and_no_regression():
    assert len(set(cv.label_values([str(k) for k in range(60)], at))) == 60


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2003-02-01T14:30:00+01:00", "2003-02-01T13:30:00+00:00"),
        ("2003-02-01T14:30:00Z", "2003-02-01T14:30:00+00:00"),
        ("2003-02-01 14:30:00.250-05:00", "2003-02-01T19:30:00.250000+00:00"),
        ("Sat, 1 Feb 2003 14:30:00 +0100", "2003-02-01T13:30:00+00:00"),
        ("1 Feb 2003 14:30 EST", "2003-02-01T19:30:00+00:00"),
        ("Sat, 1 Feb 2003 14:30:00 +0100 (CET)", "2003-02-01T13:30:00+00:00"),
        ("Sat, 1 Feb 2003 14:30:00 -0000", "2003-02-01T14:30:00+00:00"),
        (datetime(2003, 2, 1, 14, 30, tzinfo=UTC), "2003-02-01T14:30:00+00:00"),
        ("", None),
        (None, None),
    ],
)
def test_times_of_all_zones_become_utc(value, utc):
    assert cv.time_values([value], "when", at, None) == [utc]


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2003-07-01T14:30:00", "2003-07-01T12:30:00+00:00"),
        ("2003-01-01", "2002-12-31T23:00:00+00:00"),
        (date(2003, 1, 1), "2002-12-31T23:00:00+00:00"),
        ("Tue, 1 Jul 2003 14:30:00", "2003-07-01T12:30:00+00:00"),
    ],
)
def test_naive_times_are_refused_unless_a_zone_is_declared(value, utc):
    with pytest.raises(BadInput, match=r"f, row 2: 'when' holds .* a time without a zone.*data\.timezone="):
        cv.time_values(["2003-01-01T00:00Z", value], "when", at, None)
    assert cv.time_values([value], "when", at, "Europe/Berlin") == [utc]


@pytest.mark.parametrize(
    "value",
    ["01/02/2003", "13/02/2003", "yesterday", "1 Feb 2003 14:30 CEST", "1 Foo 2003 14:30", 1044109800, "99"],
)
def test_times_in_no_known_form_are_refused_with_their_row(value):
    with pytest.raises(BadInput, match=r"f, row 2: 'when' holds .* no ISO 8601 time"):
        cv.time_values(["2003-02-01T00:00Z", value], "when", at, "UTC")


def test_a_time_outside_the_calendar_and_an_unknown_zone_are_refused():
    with pytest.raises(BadInput, match="outside years"):
        cv.time_values(["0001-01-01T00:00+14:00"], "when", at, None)
    with pytest.raises(BadInput, match="timezone 'Mars/Base' is unknown"):
        cv.time_values([], "when", at, "Mars/Base")


@given(
    st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.timezones()), max_size=6)
)
def test_iso_and_mail_dates_agree_and_sort_by_time(moments):
    moments = [moment.replace(microsecond=0, tzinfo=moment.tzinfo) for moment in moments]
    moments = [m for m in moments if m.utcoffset().total_seconds() % 60 == 0]
    iso = cv.time_values([m.isoformat() for m in moments], "t", at, None)
    mail = cv.time_values([format_datetime(m) for m in moments], "t", at, None)
    assert iso == mail
    assert sorted(iso) == cv.time_values(
        [m.isoformat() for m in sorted(m.astimezone(UTC) for m in moments)], "t", at, None
    )


def test_numbers_are_floats_or_missing():
    assert cv.number_values(["3", "-0.5", ".5", "1e6", " 2 ", "", None, 4, 1.5, math.nan], "n", at) == [
        3.0, -0.5, 0.5, 1e6, 2.0, None, None, 4.0, 1.5, None,
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["nan", "inf", "1_000", "1,5", "٣", "NA", True, "1e999", math.inf, [1]])
def test_what_is_no_finite_number_is_refused_with_its_row(value):
    with pytest.raises(BadInput, match="f, row 2: 'n' holds"):
        cv.number_values(["1", value], "n", at)


def test_categories_keep_strings_and_refuse_floats():
    assert cv.category_values(["NA", "", None, 7, True, date(2020, 1, 2)], "c", at) == [
        "NA", None, None, "7", "true", "2020-01-02",
    ]  # fmt: skip
    with pytest.raises(BadInput, match=r"f, row 1: 'c' holds 7\.0"):
        cv.category_values([7.0], "c", at)


def test_votes_are_canonical_json():
    assert cv.vote_values(['{"b": "x", "a": "y"}', {"a": "y", "b": "x"}, ["x", "y"], ""], "v", at) == [
        '{"a": "y", "b": "x"}', '{"a": "y", "b": "x"}', '["x", "y"]', None,
    ]  # fmt: skip
    for bad in ("spam;ham", "3", "[[1]]", 3):
        with pytest.raises(BadInput, match="f, row 1: 'v' holds"):
            cv.vote_values([bad], "v", at)


def test_texts_of_several_columns_are_joined_and_one_may_be_missing():
    assert cv.text_values([["s", None, ""], ["b", "c", ""]], ["subject", "body"], at) == ["s\nb", "\nc", "\n"]
    with pytest.raises(BadInput, match=r"f, row 1: no text \(subject, body missing\)"):
        cv.text_values([[None], [None]], ["subject", "body"], at)
    with pytest.raises(BadInput, match="f, row 2: text column 'body' holds 3"):
        cv.text_values([["a", 3]], ["body"], at)


def test_ids_keep_their_zeros_and_digits_and_are_unique():
    assert cv.id_values(["007", "1e5", 12345678901234567890], "id", at) == [
        "007",
        "1e5",
        "12345678901234567890",
    ]
    with pytest.raises(BadInput, match="f, row 1 and f, row 3 share the id '7'"):
        cv.id_values([7, 8, "7"], "id", at)
    for bad in (7.0, None, "", True):
        with pytest.raises(BadInput, match="f, row 2: id"):
            cv.id_values(["a", bad], "id", at)
