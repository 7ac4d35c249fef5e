"""Comma- or tab-separated text to fields, every error with its line number.

The csv module is not used: its field limit is a global setting, it gives no line for an
unclosed quote, and it refuses or splits a lone CR inside an unquoted field.
"""

from __future__ import annotations

import re

from crossover.data.bad_input import BadInput

_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')


def parse_delimited(
    text: str, delimiter: str, quoted: bool, where: str
) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows of fields, and the line each row starts on.

    A row ends at LF or CRLF; a lone CR inside a row is kept as text, except in a file without
    any LF, where CR ends a row. A field that starts with a double quote runs to its closing
    quote, over line ends too, and holds a quote as two; with ``quoted`` False quotes are text.
    Empty lines are skipped.

    Raises:
        BadInput: unclosed quote, text after a closing quote, a row with more or fewer fields
            than the header, a column named twice, no header.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise BadInput(f"{where}: delimiter {delimiter!r}; give one character other than a quote or line end")
    end = "\n" if "\n" in text or "\r" not in text else "\r"
    rows, lines = _split_rows(text, delimiter, quoted, end, where)
    if not rows:
        raise BadInput(f"{where} is empty; expected a header line with the column names")
    header = rows[0]
    for position, name in enumerate(header):
        if name in header[:position]:
            raise BadInput(
                f"{where}, line {lines[0]}: columns {header.index(name) + 1} and {position + 1} are both "
                f"named {name!r}; rename one"
            )
    for fields, line in zip(rows, lines, strict=True):
        if len(fields) != len(header):
            raise BadInput(
                f"{where}, line {line}: {len(fields)} fields, the header names {len(header)} "
                f"({_shown(header)}); put text that holds {delimiter!r} or a line end in double quotes"
            )
    return header, rows[1:], lines[1:]


def _split_rows(
    text: str, delimiter: str, quoted: bool, end: str, where: str
) -> tuple[list[list[str]], list[int]]:
    plain = re.compile(rf"[^{re.escape(delimiter)}{end}]*")
    rows: list[list[str]] = []
    lines: list[int] = []
    row: list[str] = []
    at, line, size = 0, 1, len(text)
    start_line = 1
    while at < size:
        opens = quoted and text.startswith('"', at)
        if opens:
            raw, after = _quoted(text, at, delimiter, end, f"{where}, line {line}")
            line += raw.count(end)
            value = raw.replace('""', '"')
        else:
            match = plain.match(text, at)
            assert match is not None  # the pattern matches the empty string
            value, after = match[0], match.end()
            if end == "\n" and value.endswith("\r") and text.startswith("\n", after):
                value = value[:-1]
        row.append(value)
        at = after + 1
        if text.startswith(delimiter, after):
            if at < size:
                continue
            row.append("")  # the file ends right after a delimiter
        if opens or row != [""]:
            rows.append(row)
            lines.append(start_line)
        row = []
        line += 1
        start_line = line
    return rows, lines


def _quoted(text: str, at: int, delimiter: str, end: str, where: str) -> tuple[str, int]:
    """The inside of a quoted field, its quotes still doubled, and where the field ends."""
    match = _QUOTED.match(text, at)
    if match is None:
        raise BadInput(
            f"{where}: a double quote opens a field and is never closed; close it, or give "
            "data.quoted=false if the file never quotes"
        )
    after = match.end()
    if end == "\n" and text.startswith("\r\n", after):
        after += 1
    if after < len(text) and text[after] not in (delimiter, end):
        raise BadInput(
            f"{where}: a quoted field opens here, and its closing quote, {match[1].count(end)} lines on, "
            f"is followed by {text[after : after + 12]!r}; write a quote inside a field twice, or give "
            "data.quoted=false if the file never quotes"
        )
    return match[1], after


def _shown(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:12]) + (", ..." if len(names) > 12 else "")
