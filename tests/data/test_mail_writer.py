"""The writer of generated mail: each row by itself, slots filled from the row, no mail of one cloth."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from crossover.data.mail_stock import CLASSES, PARTS, REGIONS, SPECIAL, fragments, slot_values
from crossover.data.mail_writer import (
    DAYS,
    FIRST_DAY,
    MONTHS,
    PLACES,
    STRAY,
    MailWriter,
    _mailbox,
    _make_different,
)

ROWS = np.arange(3000, dtype=np.uint64)


def written(rows, kind, seed=0):
    rows = np.array(rows, np.uint64)
    writer = MailWriter(seed)
    return writer.texts(rows, [kind] * len(rows), writer.senders(rows), writer.times(rows))


@pytest.fixture(scope="module")
def good():
    return written(ROWS, "good")


def pattern(template):
    """A regular expression for a fragment with its slots filled somehow."""
    return ".+?".join(re.escape(piece) for piece in re.split(r"%\(\w+\)s", template)).replace("%%", "%")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6), st.sampled_from(CLASSES + SPECIAL))
def test_a_mail_depends_on_its_row_alone(rows, kind):
    together = written(rows, kind)
    assert together == [written([row], kind)[0] for row in rows]
    assert together[::-1] == written(rows[::-1], kind)


def test_the_kinds_of_other_rows_do_not_matter(good):
    writer, rows = MailWriter(0), ROWS[:200]
    kinds = [(CLASSES + SPECIAL)[k % 7] for k in range(200)]
    mixed = writer.texts(rows, kinds, writer.senders(rows), writer.times(rows))
    assert [mixed[k] for k in range(200) if kinds[k] == "good"] == good[2:200:7]


def test_no_slot_is_left_open_and_every_mail_has_a_subject(good):
    for kind in (*CLASSES, *SPECIAL):
        for mail in good if kind == "good" else written(ROWS[:300], kind):
            assert mail.startswith("Subject: ") and "\n\n" in mail
            assert not re.search(r"[{}#]|%\(|%%|%s|\bNone\b|\bnan\b", mail)


def test_no_mail_says_one_thing_twice(good):
    for mail in good:
        sentences = [line for line in re.split(r"(?<=[.?!])\s+|\n+", mail) if len(line.split()) > 4]
        assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("place", PLACES)
def test_fragments_are_of_the_own_class_but_for_the_share_of_strays(place):
    rows, part = np.arange(40_000, dtype=np.uint64), place.split(" ")[0]
    for kind in (0, 3):
        chosen = MailWriter(0)._fragments(rows, np.full(len(rows), kind), place)
        stocks = np.bincount(chosen.stock, minlength=7)
        expected = [len(rows) * (1 - STRAY[part] if k == kind else STRAY[part] / 4) for k in range(5)]
        assert chisquare(stocks[:5], expected).pvalue > 1e-4 and not stocks[5:].any()
        own = chosen.number[chosen.stock == kind]
        count = len(fragments(CLASSES[kind])[part])
        assert chisquare(np.bincount(own, minlength=count)).pvalue > 1e-4, "each fragment as often"


@pytest.mark.parametrize(("kind", "lenders"), [("spear_phishing", (4, 2)), ("vitamin", (0, 1))])
def test_special_kinds_say_their_own_and_borrow_the_rest_from_neighbours(kind, lenders):
    rows, own = np.arange(4000, dtype=np.uint64), (*CLASSES, *SPECIAL).index(kind)
    for place in PLACES:
        stocks = set(MailWriter(0)._fragments(rows, np.full(len(rows), own), place).stock.tolist())
        borrows = place in ("opening", "pressure", "signature")
        assert stocks == ({own, *lenders} if borrows else {own})


def test_every_fragment_is_used(good):
    text = "\n".join(good)
    for part in PARTS:
        unused = [line for line in fragments("good")[part] if not re.search(pattern(line), text)]
        assert unused == [], part


def test_senders_are_people_of_their_region():
    senders = MailWriter(0).senders(ROWS)
    for k in range(300):
        region = REGIONS[senders.region[k]]
        first, last = senders.full[k][: len(senders.first[k])], senders.full[k][len(senders.first[k]) + 1 :]
        assert first in slot_values()[f"first_name {region}"]
        assert last in slot_values()[f"last_name {region}"]
        mailbox, host = senders.address[k].split("@")
        assert mailbox == _mailbox(senders.full[k]) and re.fullmatch(r"[a-z.-]+", mailbox)
        assert host.endswith(f"{senders.ending[k]}.example")


def test_some_senders_write_often_and_most_write_once():
    senders = MailWriter(0).senders(np.arange(20_000, dtype=np.uint64))
    address, counts = np.unique(senders.address, return_counts=True)
    assert counts.max() > 20
    assert 0.3 < len(address) / 20_000 < 0.9
    assert np.median(counts) == 1


def test_mail_is_signed_by_who_sends_it(good):
    senders = MailWriter(0).senders(ROWS)
    signed = [first in mail.rsplit("\n", 1)[1] for first, mail in zip(senders.first, good, strict=True)]
    assert np.mean(signed) > 0.8


def test_times_fill_two_years_by_the_second():
    times = MailWriter(0).times(np.arange(20_000, dtype=np.uint64))
    days = (times.astype("datetime64[D]") - FIRST_DAY).astype(int)
    assert days.min() == 0 and days.max() == DAYS - 1
    share = np.bincount(days // 73, minlength=10) / 20_000
    assert abs(share - 0.1).max() < 4 * (0.09 / 20_000) ** 0.5


def test_months_named_follow_the_time_sent():
    mails, times = written(ROWS, "good"), MailWriter(0).times(ROWS)
    named = 0
    for mail, time in zip(mails, times, strict=True):
        sent = time.astype("datetime64[M]").astype(int) % 12
        dated = re.search(rf"\b\d{{1,2}} (?:of )?({'|'.join(MONTHS)})\b", mail)
        if dated:
            named += 1
            assert (MONTHS.index(dated[1]) - sent) % 12 in (0, 1, 2), "at most forty days ahead"
    assert named > 300


def test_streets_are_of_the_senders_region():
    senders = MailWriter(0).senders(ROWS)
    streets = {street: region for region in REGIONS for street in slot_values()[f"street {region}"]}
    seen = 0
    for mail, region in zip(written(ROWS, "good"), senders.region, strict=True):
        for street in re.findall("|".join(map(re.escape, sorted(streets, key=len, reverse=True))), mail):
            seen += 1
            assert streets[street] == REGIONS[region]
    assert seen > 300


@pytest.mark.parametrize("part", ["ask", "detail"])
def test_the_two_asks_and_the_two_details_of_a_mail_are_made_to_differ(part):
    writer, rows = MailWriter(0), np.arange(60_000, dtype=np.uint64)
    own = np.zeros(len(rows), np.int64)
    first, later = writer._fragments(rows, own, f"{part} 1"), writer._fragments(rows, own, f"{part} 2")
    same = (first.stock == later.stock) & (first.number == later.number)
    assert same.sum() > 100
    before = later.number.copy()
    _make_different(first, later)
    assert not ((first.stock == later.stock) & (first.number == later.number)).any()
    assert (later.number < later.counts[later.stock]).all()
    assert (later.number[~same] == before[~same]).all()


def test_another_seed_writes_other_mail(good):
    other = written(ROWS, "good", seed=1)
    assert not set(other) & set(good)


def test_mails_of_no_inbox_are_asked_for_by_kind_and_number():
    writer, numbers = MailWriter(0), np.arange(4, dtype=np.uint64)
    mails = writer.mails(["vitamin", "good", "good", "spear_phishing"], numbers)
    assert mails == [writer.mails([kind], numbers[k : k + 1])[0]
                     for k, kind in enumerate(["vitamin", "good", "good", "spear_phishing"])]  # fmt: skip
    assert len(set(mails)) == 4 and not set(mails) & set(written(ROWS, "good"))
