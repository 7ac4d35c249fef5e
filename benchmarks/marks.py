"""What a script writes into a page that people write too: the lines between two marks."""

from __future__ import annotations


def between(text: str, begin: str, end: str, where: str) -> str:
    """The lines between the marks, as they are.

    Raises:
        SystemExit: the marks are not there.
    """
    if begin not in text or end not in text:
        raise SystemExit(f"{where}: expected the marks {begin!r} and {end!r}")
    return text.split(begin)[1].split(end)[0].strip("\n")


def replaced(text: str, told: str, begin: str, end: str, where: str) -> str:
    """The page with other lines between the marks.

    Raises:
        SystemExit: the marks are not there.
    """
    between(text, begin, end, where)
    return f"{text.split(begin)[0]}{begin}\n{told}\n{end}{text.split(end)[1]}"
