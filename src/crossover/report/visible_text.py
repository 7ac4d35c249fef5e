"""Untrusted text made safe to look at: in a page, in a terminal, in a spreadsheet.

Text of a corpus is written by strangers (spam!). Here nothing hides: characters that change
direction, take no width or control a device are shown by name, and every text has an end.
"""

from __future__ import annotations

import re
import unicodedata

LIMIT = 600
"""Characters shown of one text unless the caller says otherwise."""

_MARKS = 4
"""Combining marks shown in a row; human scripts stack fewer."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing and are not of category Cf."""

_NAMED = frozenset({"Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\]|\x9d).*?(?:\x07|\x1b\\|\x9c)"  # operating system command: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f]).*?(?:\x1b\\|\x9c)"  # device control, privacy message
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[ -/]*[0-~]",
    re.DOTALL,
)

_OPEN = re.compile("[ -~\n\t\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027\u20a0-\u20bf]*")
"""Texts of these characters hide nothing: they are taken as they are, without a look at each."""

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20]")


def visible(text: str, limit: int = LIMIT) -> str:
    """The text with nothing hidden, cut at about ``limit`` characters with the rest counted.

    Control characters become their pictures, direction marks, zero-width and unassigned
    characters ``‹U+202E›``, long runs of combining marks ``‹+996 marks›``. New lines and tabs stay.
    """
    if _OPEN.fullmatch(text, 0, limit):
        return text[:limit] + _rest(len(text) - limit)
    shown: list[str] = []
    length = marks = 0
    for position, character in enumerate(text):
        if length >= limit:
            shown.append(_marks(marks) + _rest(len(text) - position))
            return "".join(shown)
        if unicodedata.category(character) in ("Mn", "Me") and character not in _BLANK:
            marks += 1
            if marks > _MARKS:
                continue
            piece = character
        else:
            piece = _marks(marks) + _named(character)
            marks = 0
        shown.append(piece)
        length += len(piece)
    return "".join(shown) + _marks(marks)


def terminal_text(text: str, limit: int = LIMIT) -> str:
    """One line for a terminal: escape sequences removed, what else is hidden made visible."""
    plain = _ESCAPE_SEQUENCE.sub("", text[: 50 * limit])
    return visible(re.sub(r"[\n\t]+", " ", plain), limit)


def csv_text(text: str) -> str:
    """A text no spreadsheet takes for a formula: a ``'`` goes before one that starts like it.

    OWASP ASVS 1.2.10, with the full-width signs; :func:`from_csv_text` gives the text back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_csv_text(text: str) -> str:
    """The text that :func:`csv_text` was given."""
    return text[1:] if _ESCAPED.match(text) else text


def _rest(count: int) -> str:
    return f"… (+{count:,} characters)" if count > 0 else ""


def _marks(count: int) -> str:
    return f"‹+{count - _MARKS:,} marks›" if count > _MARKS else ""


def _named(character: str) -> str:
    if character in "\n\t":
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    category = unicodedata.category(character)
    if category == "Cc" or category in _NAMED or character in _BLANK:
        return f"‹U+{code:04X}›"
    return character
