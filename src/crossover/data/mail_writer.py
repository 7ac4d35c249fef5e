"""Writes the generated mail: row k's text, sender and time depend on the seed and on k alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crossover.data.mail_stock import CLASSES, PARTS, REGIONS, SPECIAL, fragments, slot_values
from crossover.data.row_random import Bits, below, random_bits, uniform

STRAY = {"subject": 0.3, "opening": 0.4, "ask": 0.25, "detail": 0.25, "pressure": 0.4, "signature": 0.6}
"""Share of fragments of each part that are of another class: mail talks of more than one matter, and
so no word of one class's stock can give it away."""

PLACES = ("subject", "opening", "detail 1", "ask 1", "detail 2", "pressure", "ask 2", "signature")
LAYOUTS = (
    "Subject: %s\n\n%s %s\n\n%s\n\n%s",
    "Subject: %s\n\n%s\n\n%s %s\n\n%s",
    "Subject: %s\n\n%s %s %s\n\n%s\n%s",
    "Subject: %s\n\n%s\n%s\n%s %s\n\n%s",
    "Subject: %s\n\n%s\n\n%s %s %s\n\n%s",
    "Subject: %s\n\n%s %s\n\n%s %s %s\n\n%s",
)
ORDERS = (
    (0, 1, 2, 3, 7),
    (0, 1, 3, 2, 7),
    (0, 1, 2, 3, 5, 7),
    (0, 1, 5, 2, 3, 7),
    (0, 1, 2, 4, 3, 7),
    (0, 1, 4, 3, 2, 6, 7),
)
"""Which of PLACES fill each layout."""

SENDERS, COMMON_SENDERS = 1_000_000, 50
"""Senders write with a frequency that falls as 1/rank beyond the first COMMON_SENDERS."""

FIRST_DAY, DAYS = np.datetime64("2023-01-01", "D"), 730
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Index = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Senders:
    """Who sends each row: region (index into REGIONS), names and address."""

    region: Index
    first: list[str]
    full: list[str]
    address: list[str]
    ending: list[str]


@dataclass(frozen=True)
class MailWriter:
    """The writer of one seed."""

    seed: int = 0

    def times(self, rows: Bits) -> Times:
        """When each row is sent: uniform over two years, by the second."""
        offset = uniform(random_bits(rows, "time", self.seed)) * DAYS * 86_400
        return np.asarray(FIRST_DAY.astype("datetime64[s]") + offset.astype(np.int64), "datetime64[s]")

    def senders(self, rows: Bits) -> Senders:
        """Who sends each row; region and address belong to the sender and say nothing of the class."""
        lot = uniform(random_bits(rows, "sender", self.seed))
        rank = (COMMON_SENDERS * ((SENDERS / COMMON_SENDERS + 1) ** lot - 1)).astype(np.uint64)
        region = below(self._bits(rank, "region"), len(REGIONS))
        first = self._regional("first_name", region, self._bits(rank, "first name"))
        last = self._regional("last_name", region, self._bits(rank, "last name"))
        host = self._any("mail_host", self._bits(rank, "host"))
        ending = self._any("mail_ending", self._bits(rank, "ending"))
        full = [f"{a} {b}" for a, b in zip(first, last, strict=True)]
        address = [
            f"{_mailbox(name)}@{where}{end}.example"
            for name, where, end in zip(full, host, ending, strict=True)
        ]
        return Senders(region, first, full, address, ending)

    def texts(self, rows: Bits, kinds: Sequence[str], senders: Senders, times: Times) -> list[str]:
        """A mail a row, of the kind asked: one of CLASSES or SPECIAL."""
        own = np.array([_STOCKS.index(kind) for kind in kinds], np.int64)
        chosen = {place: self._fragments(rows, own, place) for place in PLACES}
        _make_different(chosen["ask 1"], chosen["ask 2"])
        _make_different(chosen["detail 1"], chosen["detail 2"])
        parts = [self._lines(chosen[place]) for place in PLACES]
        layout = below(self._bits(rows, "layout"), len(LAYOUTS)).tolist()
        slots = self._slots(rows, senders, times)
        names = tuple(slots)
        mails = []
        for k, values in enumerate(zip(*slots.values(), strict=True)):
            order = ORDERS[layout[k]]
            template = LAYOUTS[layout[k]] % tuple(parts[place][k] for place in order)
            mails.append(template % dict(zip(names, values, strict=True)))
        return mails

    def mails(self, kinds: Sequence[str], numbers: Bits) -> list[str]:
        """Mail of these kinds that is no row of any inbox; numbers below 2**62."""
        rows = numbers + np.uint64(1 << 62)
        return self.texts(rows, kinds, self.senders(rows), self.times(rows))

    def _bits(self, rows: Bits, name: str) -> Bits:
        return random_bits(rows, name, self.seed)

    def _fragments(self, rows: Bits, own: Index, place: str) -> _Chosen:
        part = place.split(" ")[0]
        stray = uniform(self._bits(rows, f"{place} stray")) < STRAY[part]
        other = below(self._bits(rows, f"{place} other"), len(CLASSES) - 1)
        others = np.where(other >= own, other + 1, other)
        special = own >= len(CLASSES)
        at_home = np.array([_NEIGHBOURS.get(kind, (0, 0)) for kind in _STOCKS], np.int64)
        others = np.where(special, at_home[own, other % 2], others)
        if part in ("subject", "ask", "detail"):
            stray &= ~special
        stock = np.where(stray, others, own)
        counts = np.array([len(fragments(kind)[part]) for kind in _STOCKS], np.int64)
        return _Chosen(part, stock, below(self._bits(rows, place), counts[stock]), counts)

    def _lines(self, chosen: _Chosen) -> list[str]:
        lines, starts = self._flat[chosen.part]
        return lines[starts[chosen.stock] + chosen.number].tolist()  # type: ignore[no-any-return]

    @cached_property
    def _flat(self) -> Mapping[str, tuple[npt.NDArray[np.object_], Index]]:
        flat = {}
        for part in PARTS:
            stocks = [fragments(kind)[part] for kind in _STOCKS]
            starts = np.cumsum([0, *map(len, stocks)])[:-1]
            flat[part] = (np.array([line for stock in stocks for line in stock], object), starts)
        return flat

    def _any(self, slot: str, bits: Bits) -> list[str]:
        values = _pool(slot)
        return values[below(bits, len(values))].tolist()  # type: ignore[no-any-return]

    def _regional(self, slot: str, region: Index, bits: Bits) -> list[str]:
        pools = [_pool(f"{slot} {name}") for name in REGIONS]
        counts = np.array([len(pool) for pool in pools], np.int64)
        starts = np.cumsum([0, *counts])[:-1]
        values = np.concatenate(pools)
        return values[starts[region] + below(bits, counts[region])].tolist()  # type: ignore[no-any-return]

    def _slots(self, rows: Bits, senders: Senders, times: Times) -> dict[str, list[str]]:
        region = senders.region
        name = self._regional("first_name", region, self._bits(rows, "reader"))
        last = self._regional("last_name", region, self._bits(rows, "reader's last name"))
        link = [self._any("link_word", self._bits(rows, f"link {k}")) for k in range(3)]
        endings = self._any("link_ending", self._bits(rows, "link ending"))
        number = below(self._bits(rows, "number"), 900_000) + 100_000
        slots = {
            "name": name,
            "full": [f"{a} {b}" for a, b in zip(name, last, strict=True)],
            "sender": senders.full,
            "first": senders.first,
            "number": [f"{chr(65 + n % 23)}{chr(65 + n % 19)}-{n}" for n in number.tolist()],
            "percent": [f"{n}%" for n in (below(self._bits(rows, "percent"), 60) + 5).tolist()],
            "count": [str(n) for n in (below(self._bits(rows, "count"), 29) + 2).tolist()],
            "link": [
                f"https://{a}-{b}{end}/{c}" for a, b, end, c in zip(*link[:2], endings, link[2], strict=True)
            ],
            **{slot: self._any(slot, self._bits(rows, slot)) for slot in _ANYWHERE},
            **{slot: self._regional(slot, region, self._bits(rows, slot)) for slot in ("place", "street")},
        }
        return slots | self._sums(rows, region) | self._moments(rows, times)

    def _sums(self, rows: Bits, region: Index) -> dict[str, list[str]]:
        currency = self._regional("currency", region, self._bits(rows, "currency"))
        phone = self._regional("phone", region, self._bits(rows, "phone"))
        digits = below(self._bits(rows, "phone digits"), 2**31 - 1).tolist()
        large = np.exp(np.log(600) + uniform(self._bits(rows, "sum")) * np.log(150))
        small = np.exp(np.log(4) + uniform(self._bits(rows, "small")) * np.log(80))
        return {
            "sum": _money(currency, (large / 50).astype(np.int64) * 50),
            "small": _money(currency, small.astype(np.int64)),
            "phone": [_dialled(pattern, number) for pattern, number in zip(phone, digits, strict=True)],
        }

    def _moments(self, rows: Bits, times: Times) -> dict[str, list[str]]:
        date = times.astype("datetime64[D]") + below(self._bits(rows, "date"), 40)
        months = date.astype("datetime64[M]")
        day = ((date - months).astype(np.int64) + 1).tolist()
        month = [MONTHS[k] for k in (months.astype(np.int64) % 12).tolist()]
        weekday = [WEEKDAYS[k] for k in ((date.astype(np.int64) + 3) % 7).tolist()]
        way = below(self._bits(rows, "date format"), 3).tolist()
        clock = below(self._bits(rows, "clock"), 56).tolist()
        return {
            "date": [_DATES[w].format(d=d, m=m) for w, d, m in zip(way, day, month, strict=True)],
            "day": weekday,
            "month": month,
            "time": [f"{7 + k // 4}:{15 * (k % 4):02d}" for k in clock],
        }


@dataclass(frozen=True)
class _Chosen:
    """A fragment a row: which stock and which of its lines; ``counts`` are the lines of each stock."""

    part: str
    stock: Index
    number: Index
    counts: Index


def _make_different(first: _Chosen, later: _Chosen) -> None:
    same = (first.stock == later.stock) & (first.number == later.number)
    later.number[same] = (later.number[same] + 1) % later.counts[later.stock[same]]


def _mailbox(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return plain.replace(" ", ".").replace("'", "")


def _money(currency: list[str], amounts: Index) -> list[str]:
    return [c.replace("#", f"{amount:,}") for c, amount in zip(currency, amounts.tolist(), strict=True)]


def _dialled(pattern: str, number: int) -> str:
    digits = f"{number:010d}"
    pieces = pattern.split("#")
    return "".join(piece + digits[k % 10] for k, piece in enumerate(pieces[:-1])) + pieces[-1]


def _pool(slot: str) -> npt.NDArray[np.object_]:
    return np.array(slot_values()[slot], object)


_STOCKS = CLASSES + SPECIAL
_NEIGHBOURS = {
    "spear_phishing": (CLASSES.index("phishing"), CLASSES.index("good")),
    "vitamin": (CLASSES.index("ad_spam"), CLASSES.index("drug_spam")),
}
"""Where the special kinds borrow openings, pressure and signatures."""

_ANYWHERE = ("org", "team", "product", "medicine", "course", "event")
_DATES = ("{d} {m}", "{m} {d}", "the {d} of {m}")
