"""The writer of generated mail: each row by itself, slots filled from the row, no mail of one cloth."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossover.data.mail_stock import CLASSES, PARTS, REGIONS, SPECIAL, fragments, slot_values
from crossover.data.mail_writer import DAYS, FIRST_DAY, MONTHS, PLACES, STRAY, MailWriter, _mailbox

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


def test_fragments_come_from_the_own_class_but_for_the_share_of_strays():
    found = dict.fromkeys(PARTS, 0)
    # A mail's fragments are looked up by their form: those without slots stand as written.
    fixed = {part: [f for f in fragments("phishing")[part] if "%" not in f] for part in PARTS}
    others = {part: {k: [f for f in fragments(k)[part] if "%" not in f] for k in CLASSES} for part in PARTS}
    mails = written(ROWS, "phishing")
    for part in ("subject", "opening", "signature"):
        own = sum(any(line in mail for line in fixed[part]) for mail in mails)
        chance = (1 - STRAY[part]) * len(fixed[part]) / len(fragments("phishing")[part])
        chance += STRAY[part] / 4 * sum(
            any(f in line for f in fixed[part])
            for kind, lines in others[part].items() if kind != "phishing" for line in lines
        ) / 50  # fmt: skip
        found[part] = own / len(mails)
        assert abs(found[part] - chance) < 4 * (chance / len(mails)) ** 0.5 + 0.01, part


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
    address, counts = np.unique(MailWriter(0).senders(np.arange(20_000, dtype=np.uint64)).address, return_counts=True)
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


def test_money_and_places_are_of_the_senders_region():
    senders = MailWriter(0).senders(ROWS)
    for place in PLACES:
        assert place.split(" ")[0] in PARTS
    streets = {street: region for region in REGIONS for street in slot_values()[f"street {region}"]}
    seen = 0
    for mail, region in zip(written(ROWS, "good"), senders.region, strict=True):
        for street in re.findall("|".join(map(re.escape, sorted(streets, key=len, reverse=True))), mail):
            seen += 1
            assert streets[street] == REGIONS[region]
    assert seen > 300


def test_the_two_asks_and_the_two_details_of_a_mail_differ_in_fragment():
    writer = MailWriter(0)
    rows = np.arange(60_000, dtype=np.uint64)
    from crossover.data.mail_writer import _make_different

    own = np.zeros(len(rows), np.int64)
    for part in ("ask", "detail"):
        first, later = writer._fragments(rows, own, f"{part} 1"), writer._fragments(rows, own, f"{part} 2")
        assert ((first.stock == later.stock) & (first.number == later.number)).sum() > 100
        _make_different(first, later)
        assert not ((first.stock == later.stock) & (first.number == later.number)).any()
        assert (later.number < later.counts[later.stock]).all()


def test_a_single_mail_is_no_row_of_an_inbox():
    writer = MailWriter(0)
    assert writer.mail("vitamin", 0) == writer.mail("vitamin", 0) != writer.mail("vitamin", 1)
    assert writer.mail("good", 0) not in set(written(ROWS, "good"))
    assert json.dumps(writer.mail("spear_phishing", 3))


def test_another_seed_writes_other_mail(good):
    other = written(ROWS, "good", seed=1)
    assert not set(other) & set(good)
