"""The stock of the inbox: enough fragments, none twice, natural, with slots that can be filled."""

import itertools
import re
import unicodedata
from collections import Counter, defaultdict

import pytest

from crossover.data import mail_stock
from crossover.data.mail_stock import (
    CLASSES,
    PARTS,
    REGIONS,
    SLOTS,
    SPECIAL,
    fragments,
    sections,
    slot_values,
)
from crossover.data.mail_writer import _mailbox

KINDS = CLASSES + SPECIAL
MADE = {"name", "full", "sender", "first", "sum", "small", "date", "day", "month", "time", "number",
        "percent", "count", "link"}  # fmt: skip
"""Slots whose values are put together by the writer."""
WORD = re.compile(r"\{\w+\}|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")


@pytest.fixture(params=KINDS)
def stock(request):
    return sections(f"{request.param}.txt")


def test_every_part_of_every_kind_has_at_least_forty_fragments(stock):
    assert tuple(stock) == PARTS
    assert min(len(lines) for lines in stock.values()) >= 40


def test_no_line_stands_twice(stock):
    lines = Counter(line.casefold() for part in stock.values() for line in part)
    assert [line for line, count in lines.items() if count > 1] == []


def test_kinds_share_no_line_but_a_few_ways_to_sign():
    own = {kind: sections(f"{kind}.txt") for kind in KINDS}
    signed = 0
    for one, other in itertools.combinations(KINDS, 2):
        for part in PARTS:
            shared = set(own[one][part]) & set(own[other][part])
            assert part == "signature" or not shared, f"{one} and {other}: {shared}"
            signed += len(shared)
    assert signed <= 10


def test_no_two_fragments_of_a_part_share_a_phrase_of_four_words(stock):
    for part, lines in stock.items():
        where = defaultdict(set)
        for number, line in enumerate(lines):
            words = [word.lower() for word in WORD.findall(line)]
            for start in range(len(words) - 3):
                where[" ".join(words[start : start + 4])].add(number)
        shared = [phrase for phrase, numbers in where.items() if len(numbers) > 1]
        assert shared == [], f"{part}: a phrase used twice makes mail look stamped"


def test_fragments_differ_in_length(stock):
    for part in ("opening", "ask", "detail", "pressure"):
        lengths = sorted(len(WORD.findall(line)) for line in stock[part])
        assert lengths[-1] >= 1.4 * lengths[0], part


def test_lines_are_clean_text(stock):
    values = [value for pool in slot_values().values() for value in pool]
    for line in [line for lines in stock.values() for line in lines] + values:
        assert line == line.strip() and "  " not in line and line.isprintable()
        assert line == unicodedata.normalize("NFC", line)


@pytest.mark.parametrize("kind", KINDS)
def test_slots_are_known_and_braces_closed(kind):
    for line in (line for lines in sections(f"{kind}.txt").values() for line in lines):
        assert set(re.findall(r"\{([^{}]*)\}", line)) <= set(SLOTS)
        assert not set(re.sub(r"\{[^{}]*\}", "", line)) & set("{}")


def test_every_slot_is_used_and_can_be_filled():
    text = "\n".join(line for kind in KINDS for lines in sections(f"{kind}.txt").values() for line in lines)
    assert set(re.findall(r"\{(\w+)\}", text)) == set(SLOTS)
    pools = set(slot_values())
    for slot in set(SLOTS) - MADE:
        assert slot in pools or {f"{slot} {region}" for region in REGIONS} <= pools, slot
    for slot in ("first_name", "last_name", "currency"):
        assert {f"{slot} {region}" for region in REGIONS} <= pools


def test_no_slot_has_a_value_twice():
    for slot, values in slot_values().items():
        assert len(set(values)) == len(values), slot


def test_sums_and_telephone_numbers_have_room_for_digits():
    for region in REGIONS:
        assert all(value.count("#") == 1 for value in slot_values()[f"currency {region}"])
        assert all(2 <= value.count("#") <= 10 for value in slot_values()[f"phone {region}"])


def test_no_link_or_address_can_lead_anywhere():
    reserved = {"example", "test", "invalid", "localhost"}  # RFC 2606
    for ending in slot_values()["link_ending"]:
        assert ending.rsplit(".", 1)[1] in reserved or ending in (".example.org", ".example.net")
    assert {".edu", ".com"} <= set(slot_values()["mail_ending"])
    assert not [host for host in slot_values()["mail_host"] if not re.fullmatch("[a-z0-9-]+", host)]


def test_a_full_name_tells_its_region():
    """Two of the 32,000 names are of two regions: of a million senders, no ten may have an address alike."""
    people = defaultdict(set)
    for region in REGIONS:
        first, last = (slot_values()[f"{slot} {region}"] for slot in ("first_name", "last_name"))
        for name in itertools.product(first, last):
            people[_mailbox(" ".join(name))].add(region)
    assert len([name for name, regions in people.items() if len(regions) > 1]) <= 2


def test_a_template_fills_its_slots_and_keeps_percent_signs(monkeypatch):
    monkeypatch.setattr(mail_stock, "sections", lambda _: {"ask": ("Pay {sum}, 5% off, by {day}",)})
    (line,) = fragments.__wrapped__("good")["ask"]
    assert line % {"sum": "€9", "day": "Monday"} == "Pay €9, 5% off, by Monday"


def test_an_unknown_slot_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(mail_stock, "sections", lambda _: {"ask": ("Dear {nmae}",)})
    with pytest.raises(ValueError, match=r"stock/good\.txt: slot \{nmae\} in 'Dear \{nmae\}'"):
        fragments.__wrapped__("good")
