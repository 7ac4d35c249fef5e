"""Masking: addresses and numbers of a text taken out before it is shown.

It goes by form alone: a name, a street or what the text tells of a person stays. A page with masked texts
is still a page of raw text.
"""

from __future__ import annotations

import re

ADDRESS, NUMBER, LINK = "‹address›", "‹number›", "‹link›"

_LINK = re.compile(r"(?<!\w)(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
# A blank is allowed around @ and dots: some corpora were tokenised before they were published.
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]+ ?@ ?[\w-]+(?: ?\. ?[\w-]+)*")
_NUMBER = re.compile(r"(?<!\d)\+?\d(?:[ ()/.-]{0,2}\d){4,}")


def masked(text: str) -> str:
    """The text with links, e-mail addresses and numbers of five digits or more replaced by what they are."""
    return _NUMBER.sub(NUMBER, _ADDRESS.sub(ADDRESS, _LINK.sub(LINK, text)))
