"""Shift in time: a share grows after the date, while texts and labels stay what they are."""

import pytest
from planted_rows import GROUNDS, eligible, flaw_of, plain, planted, rows_of, single, span, steps

from crossover.data.bad_input import BadInput

SHIFTS = {"label_shift": ("label", "phishing"), "growing_slice": ("region", "africa")}


def share(corpus, column, value, since, until="9"):
    """Of the rows in a span of time, the share with a value."""
    cells = [row[column] for row in rows_of(corpus).values() if since <= str(row["time"]) < until]
    return sum(cell == value for cell in cells) / len(cells)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", SHIFTS)
def test_the_share_grows_after_the_date_and_shrinks_before_it(name, ground):
    middle, _ = span(plain(ground))
    shares = [
        [share(corpus, *SHIFTS[name], "1", middle), share(corpus, *SHIFTS[name], middle)]
        for corpus in (plain(ground), single(ground, name, 0.5), single(ground, name, 1.0))
    ]
    assert shares[0][0] > shares[1][0] > shares[2][0] == 0
    assert shares[0][1] + 0.03 < shares[1][1] < shares[2][1]


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", SHIFTS)
def test_it_grows_towards_the_end_and_nothing_but_the_time_changes(name, ground):
    corpus = single(ground, name, 1.0)
    middle, _ = span(plain(ground))
    moved = sorted(step.after for step in steps(corpus))
    column = "time" if ground == "inbox" else "written"
    assert {step.column for step in steps(corpus)} == {column}
    assert corpus.table.drop_columns(column).equals(plain(ground).table.drop_columns(column))
    last = max(str(row["time"]) for row in rows_of(plain(ground)).values())
    assert middle <= moved[0] and moved[-1] <= (last if ground == "letters" else "2024-12-31")
    quarters = [time for time in moved if time >= ("2024-07-01" if ground == "inbox" else "2024-09-08")]
    assert len(quarters) > 0.6 * len(moved), "three quarters of them fall into the later half"
    assert all(time.endswith("+00:00") and len(time) == 25 for time in moved)


def test_later_flaws_see_the_shifted_times():
    shift = flaw_of("label_shift", strength=1)
    digits = flaw_of("dropped_digits", strength=1)
    alone, after = planted("inbox", {"digits": digits}), planted("inbox", {"digits": digits, "shift": shift})
    moved = set(after.truth.ids("shift")) & set(after.truth.ids("digits"))
    assert len(moved) > 0.5 * len(eligible("inbox", "label_shift"))
    assert not moved & set(alone.truth.ids("digits"))


@pytest.mark.parametrize(
    ("ground", "column", "value", "part"),
    [
        ("letters", "pages", "1.0", "'pages'; expected one of ['label', 'region']"),
        ("letters", "written", "2024", "'written'; expected one of"),
        ("letters", "text", "x", "'text'; expected one of"),
        ("letters", "region", "asia", "'asia' does not occur in column 'region'"),
        ("letters", "region", None, "None does not occur"),
        ("letters", "label", "loan_spam", "'loan_spam' does not occur in column 'label'"),
        ("inbox", "domain", "edu", "'edu' does not occur in column 'domain'"),
        ("inbox", "votes", "good", "'votes'; expected one of ['label', 'sender', 'domain', 'region']"),
    ],
)  # fmt: skip
def test_a_slice_that_is_none_is_refused_by_name(ground, column, value, part):
    with pytest.raises(BadInput) as refusal:
        planted(ground, {"slice": flaw_of("growing_slice", strength=0.5, column=column, value=value)})
    assert part in str(refusal.value) and "flaw slice" in str(refusal.value)


def test_any_domain_of_the_stock_is_a_slice_though_a_small_inbox_may_lack_it():
    slice_ = flaw_of("growing_slice", strength=1, column="domain", value=".ac.za")
    corpus = planted("inbox", {"slice": slice_}, 20)
    rows = rows_of(corpus)
    assert all(rows[id_]["domain"] == ".ac.za" for id_ in corpus.truth.ids("slice"))


def test_a_date_outside_the_times_or_none_at_all_is_refused():
    for since, part in (
        ("2022-12-31", "outside the corpus' times, 2023-01-01T00:00:00 to 2024-12-31"),
        ("2030-01-01", "outside"),
        ("NaT", "outside"),
        ("next spring", "is no date such as 2024-03-01"),
    ):
        with pytest.raises(BadInput, match=part):
            planted("inbox", {"late": flaw_of("label_shift", strength=0.5, since=since)})
