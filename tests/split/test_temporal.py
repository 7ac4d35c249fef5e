"""Temporal: the past before the future, ties to the later side, no time guessed."""

from datetime import UTC, datetime, timedelta

import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.split.temporal import Temporal

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def dated(times: list[str | None], labels: list[str] | None = None, texts: list[str] | None = None) -> Corpus:
    rows = len(times)
    own = [
        f"{'abcdefghijklmnopqrstuvwxyz'[k % 26] * 3} {'abcdefghijklmnopqrstuvwxyz'[k // 26] * 7}"
        for k in range(rows)
    ]
    return Corpus.from_columns("mail", texts or own, labels or ["ab"[k % 2] for k in range(rows)], CARD,
                               [f"{k:03d}" for k in range(rows)], {"date": ("time", times)})  # fmt: skip


def daily(days: int) -> list[str | None]:
    return [(datetime(2020, 1, 1, 12, tzinfo=UTC) + timedelta(days=k)).isoformat() for k in range(days)]


def test_parts_follow_each_other_in_time() -> None:
    split = Temporal().split(dated(daily(100)))
    assert split.train == tuple(f"{k:03d}" for k in range(70))
    assert sorted(split.parts["select"] + split.parts["calibrate"]) == [f"{k:03d}" for k in range(70, 80)]
    assert split.test == tuple(f"{k:03d}" for k in range(80, 100))
    assert len(split.parts["select"]) == 5


def test_a_gap_puts_the_rows_next_to_each_cut_in_reserve() -> None:
    split = Temporal(gap=3).split(dated(daily(84)))
    assert split.test[0] == "067"
    assert max(split.parts["select"] + split.parts["calibrate"]) == "064", "65 and 66 lie within 3 days"
    first = int(min(split.parts["select"] + split.parts["calibrate"]))
    assert int(split.train[-1]) == first - 3
    assert split.recipe["reserve"] == {"in a gap": 4}


def test_ties_at_the_cut_all_go_to_the_later_side() -> None:
    times = daily(100)
    times[76:84] = [times[80]] * 8
    split = Temporal(validation=0.1, tolerance=0.3).split(dated(times))
    assert {f"{k:03d}" for k in range(76, 84)} <= set(split.test)
    assert len(split.test) == 24


def test_ties_that_leave_no_cut_are_refused() -> None:
    with pytest.raises(BadInput, match="no time to cut at"):
        Temporal().split(dated([daily(1)[0]] * 50))
    with pytest.raises(BadInput, match=r"test would get 50 rows for 20"):
        Temporal().split(dated([daily(2)[k // 50] for k in range(100)]))


def test_zones_are_compared_in_utc() -> None:
    times = daily(100)
    # Read as local clock times, row 79 (noon of its day) would come before this one.
    times[99] = str(times[79]).replace("T12:00:00+00:00", "T20:00:00+14:00")
    split = Temporal().split(dated(times))
    assert split.test == tuple(f"{k:03d}" for k in range(79, 99)), "20:00 at +14:00 is 06:00 in UTC"


def test_a_time_without_zone_is_refused_unless_the_zone_is_said() -> None:
    times = [str(t).removesuffix("+00:00") for t in daily(100)]
    with pytest.raises(BadInput, match=r"row 1 \(id '000'\), date='2020-01-01T12:00:00': names no time zone"):
        Temporal().split(dated(list(times)))
    assert Temporal(timezone="Europe/Paris").split(dated(list(times))).test[0] == "080"
    with pytest.raises(BadInput, match="no such zone"):
        Temporal(timezone="Mars/Base").split(dated(list(times)))


def test_an_unreadable_time_is_refused_with_its_row() -> None:
    times = daily(100)
    times[41] = "13/02/2020"
    with pytest.raises(BadInput, match=r"row 42 \(id '041'\), date='13/02/2020': not an ISO 8601 time"):
        Temporal().split(dated(times))


def test_missing_times_go_where_they_are_told() -> None:
    times = daily(100)
    times[90] = None
    with pytest.raises(BadInput, match=r"1 labelled rows have no 'date', first '090' \(row 91\)"):
        Temporal().split(dated(times))
    assert "090" in Temporal(missing_time="train").split(dated(times)).train
    reserved = Temporal(missing_time="reserve").split(dated(times))
    assert reserved.recipe["reserve"] == {"without a time": 1}


def test_a_label_only_in_the_future_is_refused_with_its_rows_or_reserved() -> None:
    labels = ["ab"[k % 2] for k in range(100)]
    labels[95] = labels[97] = "new"
    with pytest.raises(BadInput, match=r"'new' is in the test part \(2 rows, first \['095', '097'\]\)"):
        Temporal().split(dated(daily(100), labels))
    split = Temporal(unseen_labels="reserve").split(dated(daily(100), labels))
    assert split.recipe["reserve"] == {"label unseen in train": 2}
    assert not {"095", "097"} & set(split.test)


def test_copies_of_the_future_leave_the_past() -> None:
    corpus = dated(daily(100))
    texts = corpus.texts[:]
    texts[10] = texts[90].upper()
    split = Temporal().split(dated(daily(100), texts=texts))
    assert "090" in split.test and "010" not in split.train
    assert split.recipe["reserve"] == {"copies of rows in a later part": 1}


def test_a_gap_longer_than_the_past_is_refused() -> None:
    with pytest.raises(BadInput, match="smaller gap"):
        Temporal(gap=70, tolerance=0.9).split(dated(daily(100)))
