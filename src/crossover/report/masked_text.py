"""Masking: addresses and numbers of a text taken out before it is shown.

It goes by form alone: a name, a street or what the text tells of a person stays. A page with masked texts
is still a page of raw text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ADDRESS, NUMBER, LINK = "‹address›", "‹number›", "‹link›"

_LINK = re.compile(r"(?<!\w)(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
# Blanks are allowed around @ and dots, if there is a dot: some corpora are published tokenised.
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]+(?:@[\w-]+(?:\.[\w-]+)*| ?@ ?[\w-]+(?: ?\. ?[\w-]+)+)")
_NUMBER = re.compile(r"\b(?=[\da-f]*[a-f])[\da-f]{16}(?:-\d+)?\b|(?<!\d)\+?\d(?:[ ()/.-]{0,2}\d){4,}")


def masked(text: str) -> str:
    """The text with links, e-mail addresses and numbers of five digits or more replaced by what they are.

    A row's id that is a hash of its text stays: it is the number of nothing else.
    """
    return _NUMBER.sub(_number, _ADDRESS.sub(ADDRESS, _LINK.sub(LINK, text)))


def masked_values(value: object) -> object:
    """Every string in lists and mappings of plain values masked, the names in mappings too."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {masked(str(name)): masked_values(inner) for name, inner in value.items()}
    return [masked_values(entry) for entry in value] if isinstance(value, list | tuple) else value


def _number(found: re.Match[str]) -> str:
    return found[0] if any(letter in "abcdef" for letter in found[0]) else NUMBER
