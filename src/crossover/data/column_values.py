"""Raw cells to checked values: labels, categories, numbers, times, votes. Nothing is coerced silently."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crossover.data.bad_input import BadInput

Locate = Callable[[int], str]
"""Names file, row and line of a row number."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MAIL_DATE = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?\d{1,2}\s+[A-Za-z]{3}\s+\d{4}\s+\d{1,2}:\d{2}(?::\d{2})?"
    r"(?:\s+(?:[+-]\d{4}|UTC?|GMT|Z|[ECMP][SD]T)(?:\s*\([^)]*\))?)?"
)
_REGRESSION_VALUES = 20


def label_values(
    values: Sequence[object],
    locate: Locate,
    declared: Mapping[object, object] | None = None,
    class_names: Sequence[str] | None = None,
) -> list[str | None]:
    """Labels as strings, None where missing (null or empty).

    All values must be of one type: strings, whole numbers (``1`` becomes "1"; class names where
    the file carries them, -1 missing) or booleans ("true", "false"). With ``declared`` each
    must be in that map (to null: missing).

    Raises:
        BadInput: types mixed (both rows named), a label outside the declared map, labels that
            differ by case, spaces or number format only, several labels a row, or numeric targets.
    """
    _check_one_type(values, locate)
    names = [_label_name(value, locate, row, class_names) for row, value in enumerate(values)]
    if declared is None:
        present = [None if name == "" else name for name in names]
        _check_variants(present, locate)
        _check_regression(present, locate)
        return present
    chosen = {label_name(raw): None if to is None else label_name(to) for raw, to in declared.items()}
    result: list[str | None] = []
    for row, name in enumerate(names):
        if name in chosen:
            result.append(chosen[name])
        elif name in (None, ""):
            result.append(None)
        else:
            raise BadInput(
                f"{locate(row)}: label {name!r} is not declared; data.labels maps {sorted(chosen)}; "
                f"add it (data.labels.{name}=...) or mend the row"
            )
    return result


def label_name(value: object) -> str:
    """A label of a config as the string it stands for: true -> "true", 1 -> "1"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def category_values(values: Sequence[object], column: str, locate: Locate) -> list[object]:
    """Categories and groups as strings, None where missing (null or empty)."""
    result: list[object] = []
    for row, value in enumerate(values):
        if value is None or value == "":
            result.append(None)
        elif isinstance(value, str):
            result.append(_writable(value, column, locate, row))
        elif isinstance(value, bool | int):
            result.append(label_name(value))
        elif isinstance(value, date):
            result.append(value.isoformat())
        else:
            raise BadInput(
                f"{locate(row)}: {column!r} holds {_shown(value)}; a category or group is a string, whole "
                f"number or boolean (for other numbers: data.meta.{column}=number)"
            )
    return result


def number_values(values: Sequence[object], column: str, locate: Locate) -> list[object]:
    """Finite floats, None where missing (null, empty or a NaN of a parquet file)."""
    result: list[object] = []
    for row, value in enumerate(values):
        number: float | None = None
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            number = float(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            number = None if math.isnan(value) else float(value)
        elif value is not None and value != "":
            raise BadInput(
                f"{locate(row)}: {column!r} holds {_shown(value)}, expected a number such as 3, -0.5 or "
                f"1e6, or an empty cell (data.meta.{column}=category keeps it as a string)"
            )
        if number is not None and math.isinf(number):
            raise BadInput(f"{locate(row)}: {column!r} holds {_shown(value)}, too large for a number")
        result.append(number)
    return result


def inclusion_values(values: Sequence[object], column: str, locate: Locate) -> list[object]:
    """Probabilities above 0 and at most 1, None where missing."""
    result = number_values(values, column, locate)
    for row, value in enumerate(result):
        if value is not None and not 0 < cast(float, value) <= 1:
            raise BadInput(
                f"{locate(row)}: {column!r} holds {_shown(values[row])}, expected a probability above 0 "
                f"and at most 1, as scripts/sample.py wrote it (data.meta.{column}=number for any number)"
            )
    return result


def time_values(values: Sequence[object], column: str, locate: Locate, timezone: str | None) -> list[object]:
    """ISO 8601 strings in UTC, None where missing (null or empty); they sort by time.

    ISO 8601 (a date alone is its midnight) and RFC 2822 mail dates are read; a time without a
    zone is taken in ``timezone`` (an IANA name), and refused without one.

    Raises:
        BadInput: a time in no such form (01/02/2003 could be two days), or naive.
    """
    zone = _zone(timezone)
    return [_utc(value, column, locate, row, zone) for row, value in enumerate(values)]


def vote_values(values: Sequence[object], column: str, locate: Locate) -> list[object]:
    """Votes as canonical JSON: an object annotator -> label, or a list of labels."""
    result: list[object] = []
    for row, value in enumerate(values):
        if value is None or value == "":
            result.append(None)
            continue
        votes = value
        if isinstance(value, str):
            try:
                votes = json.loads(value)
            except ValueError:
                votes = None
        labels = list(votes.values()) if isinstance(votes, dict) else votes
        if not isinstance(labels, list) or not all(isinstance(label, str | int) for label in labels):
            raise BadInput(
                f"{locate(row)}: {column!r} holds {_shown(value)}; votes are a JSON object such as "
                '{"ann": "spam", "bob": "ham"} or a list of labels'
            )
        text = json.dumps(votes, ensure_ascii=False, sort_keys=True)
        result.append(_writable(text, column, locate, row))
    return result


def text_values(columns: Sequence[Sequence[object]], names: Sequence[str], locate: Locate) -> list[str]:
    """Texts, several columns joined by a newline.

    Of several columns some may be missing in a row (they count as empty), never all.
    """
    texts: list[str] = []
    for row, cells in enumerate(zip(*columns, strict=True)):
        for name, cell in zip(names, cells, strict=True):
            if cell is not None and not isinstance(cell, str):
                raise BadInput(f"{locate(row)}: text column {name!r} holds {_shown(cell)}, expected a string")
        if all(cell is None for cell in cells):
            raise BadInput(f"{locate(row)}: no text ({', '.join(names)} missing); fill the row or drop it")
        text = "\n".join(cell or "" for cell in cells)
        texts.append(_writable(text, "text", locate, row))
    return texts


def id_values(values: Sequence[object], column: str, locate: Locate) -> list[str]:
    """Unique non-empty ids as strings, zeros kept.

    Raises:
        BadInput: a missing id, a float (7.0 may have been 007), or an id twice (both rows named).
    """
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise BadInput(
                f"{locate(row)}: id {_shown(value)} in column {column!r}; an id is a non-empty string or a "
                "whole number (data.id=null names rows by their text)"
            )
        name = _writable(str(value), column, locate, row)
        if name in first:
            raise BadInput(
                f"{locate(first[name])} and {locate(row)} share the id {name!r}; ids must be unique: mend "
                "them, name another column (data.id=...) or name rows by their text (data.id=null)"
            )
        first[name] = row
    return list(first)


def _check_one_type(values: Sequence[object], locate: Locate) -> None:
    first: tuple[int, object] | None = None
    for row, value in enumerate(values):
        if isinstance(value, list | tuple | dict):
            raise BadInput(
                f"{locate(row)}: the label is {_shown(value)}; multi-label rows are not supported: "
                "give one label a row"
            )
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if first is None:
            first = row, value
        elif type(value) is not type(first[1]):
            raise BadInput(
                f"{locate(first[0])} has the label {_shown(first[1])} and {locate(row)} has "
                f"{_shown(value)}; write all labels as one type"
            )
    if first is not None and isinstance(first[1], float):
        distinct = len({value for value in values if value is not None})
        what = (
            f"{distinct} distinct numbers: that is regression, which is not supported"
            if distinct > _REGRESSION_VALUES
            else "numbers with a decimal point"
        )
        raise BadInput(
            f"{locate(first[0])}: the label is {_shown(first[1])}, and the column holds {what}; "
            "write labels as strings or whole numbers"
        )


def _label_name(value: object, locate: Locate, row: int, class_names: Sequence[str] | None) -> str | None:
    if value is None or isinstance(value, float):
        return None
    if isinstance(value, str):
        return _writable(value, "label", locate, row)
    if not isinstance(value, int):
        raise BadInput(f"{locate(row)}: the label is {_shown(value)}, expected a string")
    if class_names and not isinstance(value, bool):
        if value == -1:
            return None
        if not 0 <= value < len(class_names):
            raise BadInput(
                f"{locate(row)}: label code {value}, but the file names {len(class_names)} classes"
            )
        return class_names[value]
    return label_name(value)


def _check_variants(names: Sequence[str | None], locate: Locate) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if name is not None and name not in first:
            first[name] = row
    seen: dict[object, str] = {}
    for name, row in first.items():
        if name != name.strip():
            raise BadInput(
                f"{locate(row)}: label {name!r} has spaces around it; mend the row or declare what is meant "
                f"(data.labels={{{name!r}: {name.strip()!r}, ...}})"
            )
        bare = name.casefold()
        number = float(bare) if _NUMBER.fullmatch(bare) else bare
        other = seen.setdefault(number, name)
        if other != name:
            raise BadInput(
                f"{locate(first[other])} has the label {other!r} and {locate(row)} has {name!r}; if they "
                f"are one class declare it (data.labels={{{other}: {other}, {name}: {other}, ...}}), "
                f"or map each to itself"
            )


def _check_regression(names: Sequence[str | None], locate: Locate) -> None:
    present = {name for name in names if name is not None}
    if len(present) <= _REGRESSION_VALUES or not all(_NUMBER.fullmatch(name) for name in present):
        return
    fractions = sorted(name for name in present if not float(name).is_integer())
    if fractions:
        raise BadInput(
            f"{locate(list(names).index(fractions[0]))}: the label is {fractions[0]!r}, one of "
            f"{len(present)} distinct numbers: that is regression, which is not supported; cut them into "
            "named classes, or declare what each means (data.labels=...)"
        )


def _zone(timezone: str | None) -> tzinfo | None:
    try:
        return None if timezone is None else ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput(
            f"timezone {timezone!r} is unknown; give a name such as UTC or Europe/Berlin"
        ) from None


def _utc(value: object, column: str, locate: Locate, row: int, zone: tzinfo | None) -> str | None:
    if value is None or value == "":
        return None
    moment = _moment(value)
    if moment is None:
        raise BadInput(
            f"{locate(row)}: {column!r} holds {_shown(value)}, which is no ISO 8601 time "
            "(2003-02-01T14:30+01:00) or mail date (1 Feb 2003 14:30:00 +0100)"
        )
    if moment.tzinfo is None:
        if zone is None:
            raise BadInput(
                f"{locate(row)}: {column!r} holds {_shown(value)}, a time without a zone; say which is meant "
                "with data.timezone=UTC or the like"
            )
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        raise BadInput(f"{locate(row)}: {column!r} holds {_shown(value)}, outside years 1 to 9999") from None


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if not _MAIL_DATE.fullmatch(text):
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # RFC 2822 writes -0000 for "UTC, zone of the sender unknown"; the parser calls it naive.
    return moment.replace(tzinfo=UTC) if "-0000" in text else moment


def _writable(text: str, column: str, locate: Locate, row: int) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise BadInput(
                f"{locate(row)}: {column!r} holds a lone surrogate at character {error.start}, which no "
                "UTF-8 file can hold; write the file again as UTF-8"
            ) from None
    return text


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
