"""The stock of the generated inbox: hand-written fragments of mail and the values of their slots.

A stock file has ``[part]`` headers and one fragment a line; a slot is written ``{name}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

PARTS = ("subject", "opening", "ask", "detail", "pressure", "signature")
CLASSES = ("ad_spam", "drug_spam", "good", "loan_spam", "phishing")
SPECIAL = ("spear_phishing", "vitamin")
"""Sub-populations that only a planted flaw writes."""

REGIONS = ("africa", "asia", "europe", "north_america", "oceania", "south_america")
SLOTS = (
    "name", "full", "sender", "first", "org", "team", "place", "street", "sum", "small", "date", "day",
    "month", "time", "number", "percent", "count", "product", "medicine", "course", "event", "link", "phone",
)  # fmt: skip

_HEADER = re.compile(r"\[([a-z_ ]+)\]")
_SLOT = re.compile(r"\{([^{}]*)\}")


@cache
def fragments(kind: str) -> Mapping[str, tuple[str, ...]]:
    """The fragments of a kind of mail by part, as templates for ``%`` with a mapping of slots."""
    return {
        part: tuple(_template(line, kind) for line in lines)
        for part, lines in sections(f"{kind}.txt").items()
    }


@cache
def slot_values() -> Mapping[str, tuple[str, ...]]:
    """The values that slots are filled with; those of a region are named ``place europe``."""
    return sections("slots.txt")


def sections(name: str) -> dict[str, tuple[str, ...]]:
    """The lines of a stock file below each of its headers."""
    found: dict[str, list[str]] = {}
    text = (files("crossover.data") / "stock" / name).read_text(encoding="utf-8")
    for line in filter(None, text.splitlines()):
        header = _HEADER.fullmatch(line)
        if header:
            lines = found.setdefault(header[1], [])
        else:
            lines.append(line)
    return {header: tuple(lines) for header, lines in found.items()}


def _template(line: str, kind: str) -> str:
    unknown = [slot for slot in _SLOT.findall(line) if slot not in SLOTS]
    if unknown:
        raise ValueError(f"stock/{kind}.txt: slot {{{unknown[0]}}} in {line!r}; there are {SLOTS}")
    return _SLOT.sub(r"%(\1)s", line.replace("%", "%%"))
