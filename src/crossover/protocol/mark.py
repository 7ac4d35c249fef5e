"""Mark: something that may stand in a text and should not decide its label; how it is found and removed.

A mark is a literal, or a regular expression written ``pattern:...``. A pattern is held to a form whose
time is bounded on any text: texts come from strangers, and a backtracking expression can be made to run
for years.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from crossover.data.bad_input import BadInput

PATTERN = "pattern:"
"""How a mark begins that is a regular expression; all else is a literal."""
MOST_CHARACTERS = 500
"""Of a pattern; a literal may be as long as a text."""
MOST_REPEATS = 3
"""Repeated items (``*``, ``+``, ``?``, ``{}``) of one pattern: each multiplies the worst time."""
MOST_GROUPS = 3
"""Groups of one pattern: alternatives within them multiply too."""
LONGEST_REPEAT = 100
"""``*`` and ``+`` take so many characters at most."""
PIECE = 1_000
"""A pattern is looked for in pieces of lines, of so many characters."""

_GONE = "\uffff"
"""Stands where a mark stood until its line is looked at; no character of any text."""

Matcher = tuple[re.Pattern[str], bool]
"""A compiled mark, and whether it is looked for in pieces of lines."""


def check_marks(marks: Sequence[str], where: str) -> None:
    """Refuse an empty mark, and a pattern whose time is not bounded.

    Raises:
        BadInput: naming the mark and how to write it.
    """
    for mark in marks:
        if not isinstance(mark, str) or not mark.removeprefix(PATTERN).strip():
            raise BadInput(f"{where}: {mark!r} is no mark; write the literal, or {PATTERN} and an expression")
        if mark.startswith(PATTERN) and len(mark) > MOST_CHARACTERS:
            raise BadInput(f"{where}: a pattern of {len(mark)} characters; at most {MOST_CHARACTERS}")
        matcher(mark)


def matcher(mark: str) -> Matcher:
    """The mark compiled: a literal whatever its case and as whole words, a pattern with bounded repeats.

    Raises:
        BadInput: a pattern that does not compile or is not of the bounded form.
    """
    if mark.startswith(PATTERN):
        bounded = _bounded(mark.removeprefix(PATTERN))
        try:
            return re.compile(bounded, re.IGNORECASE), True
        except re.error as error:
            raise BadInput(
                f"mark {mark!r} is no regular expression ({error}); escape literal signs"
            ) from None
    before = r"(?<!\w)" if re.match(r"\w", mark[0]) else ""
    after = r"(?!\w)" if re.match(r"\w", mark[-1]) else ""
    return re.compile(before + re.escape(mark) + after, re.IGNORECASE), False


def matchers(marks: Sequence[str]) -> list[Matcher]:
    """All of them compiled, the longest first, so that a line goes before a word of it."""
    return [matcher(mark) for mark in sorted(marks, key=lambda mark: (-len(mark), mark))]


def carries(text: str, compiled: Sequence[Matcher]) -> bool:
    """Whether any of the marks stands in the text."""
    return any(found.search(piece) for found, cut in compiled for piece in _pieces(text, cut))


def first_match(texts: Sequence[str], marks: Sequence[str]) -> str:
    """A mark as it is written: the first literal, else what the patterns match first; empty for nothing."""
    for mark in marks:
        if not mark.startswith(PATTERN):
            return mark
    compiled = matchers(marks)
    for text in texts:
        for found, cut in compiled:
            for piece in _pieces(text, cut):
                match = found.search(piece)
                if match and match.group():
                    return match.group()
    return ""


def without(text: str, compiled: Sequence[Matcher]) -> str:
    """The text with every mark removed, and with it the lines that held nothing else."""
    changed = text
    for found, cut in compiled:
        changed = "".join(found.sub(_GONE, piece) for piece in _pieces(changed, cut))
    if changed == text:
        return text
    lines = [line for line in changed.split("\n") if _GONE not in line or line.replace(_GONE, "").strip()]
    return "\n".join(lines).replace(_GONE, "")


def _pieces(text: str, cut: bool) -> Iterator[str]:
    if not cut:
        yield text
        return
    for line in text.splitlines(keepends=True):
        for start in range(0, len(line), PIECE):
            yield line[start : start + PIECE]


_TOKEN = re.compile(
    r"""(?P<escape>\\.)                       # an escaped sign
      | (?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])  # a class; the first ] is a member of it
      | (?P<open>\((?:\?(?:P<\w+>|[:=!]|<[=!])|(?!\?)))
      | (?P<repeat>(?:[*+?]|\{(?P<least>\d{1,3})(?P<open_end>,?)(?P<most>\d{0,3})\})(?P<lazy>\??))
      | (?P<plain>[^\[({*+?\\])""",
    re.VERBOSE | re.DOTALL,
)


def _bounded(pattern: str) -> str:
    """The pattern with ``*`` and ``+`` bounded.

    Raises:
        BadInput: it is not of the bounded form.
    """
    made: list[str] = []
    repeats = groups = place = 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None or re.match(r"\\\d|\\g", token.group()):
            raise _unbounded(pattern, f"something else at {pattern[place : place + 10]!r}")
        place = token.end()
        groups += token["open"] is not None
        if token["repeat"] is None:
            made.append(token.group())
            continue
        repeats += 1
        if made and made[-1] == ")":
            raise _unbounded(pattern, "a repeated group")
        made.append(_repeat(pattern, token))
    if repeats > MOST_REPEATS or groups > MOST_GROUPS:
        raise _unbounded(pattern, f"{repeats} repeats and {groups} groups")
    return "".join(made)


def _repeat(pattern: str, token: re.Match[str]) -> str:
    """The repeat with an upper end of at most LONGEST_REPEAT."""
    sign = token["repeat"][0]
    if sign == "{":
        most = int(token["most"] or (LONGEST_REPEAT if token["open_end"] else token["least"]))
        if max(most, int(token["least"])) > LONGEST_REPEAT:
            raise _unbounded(pattern, f"a count above {LONGEST_REPEAT}")
        bounds = f"{{{token['least']},{most}}}"
    else:
        bounds = {"*": f"{{0,{LONGEST_REPEAT}}}", "+": f"{{1,{LONGEST_REPEAT}}}", "?": "?"}[sign]
    return bounds + token["lazy"]


def _unbounded(pattern: str, what: str) -> BadInput:
    return BadInput(
        f"mark {PATTERN}{pattern}: it has {what}; a pattern takes at most {MOST_REPEATS} repeats "
        f"(* + ? {{}}) of single signs or classes, {MOST_GROUPS} groups, none repeated, and no reference to "
        "a group: so its time is bounded on any text. Write a literal brace or bracket with a backslash"
    )
