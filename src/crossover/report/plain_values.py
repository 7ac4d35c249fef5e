"""Reading plain JSON that may lack keys: what is absent or of another kind reads as empty."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Plain: TypeAlias = Mapping[str, object]


def mapping(plain: Plain, key: str) -> Plain:
    """The mapping at ``key``, or an empty one."""
    value = plain.get(key)
    return value if isinstance(value, Mapping) else {}


def rows(plain: Plain, key: str) -> list[Plain]:
    """The mappings in the list at ``key``."""
    return [row for row in _list(plain.get(key)) if isinstance(row, Mapping)]


def keyed_rows(plain: Plain, key: str) -> dict[str, Plain]:
    """Rows by name, from a mapping of rows or from a list of rows (named by ``arm`` or position)."""
    value = plain.get(key)
    if isinstance(value, Mapping):
        return {str(name): row for name, row in value.items() if isinstance(row, Mapping)}
    return {str(row.get("arm", k)): row for k, row in enumerate(rows(plain, key))}


def number(plain: Plain, key: str) -> float | None:
    """The finite number at ``key``, else None."""
    return _number(plain.get(key))


def numbers(plain: Plain, key: str) -> list[float]:
    """The finite numbers in the list at ``key``."""
    return [found for value in _list(plain.get(key)) if (found := _number(value)) is not None]


def text(plain: Plain, key: str, default: str = "") -> str:
    """What stands at ``key`` as text."""
    value = plain.get(key)
    return default if value is None or value == "" else str(value)


def texts(plain: Plain, key: str) -> list[str]:
    """The entries of the list at ``key`` as texts; a lone text is a list of one."""
    value = plain.get(key)
    if isinstance(value, str):
        return [value] if value else []
    return [str(entry) for entry in _list(value)]


def flat(plain: Plain, limit: int = 80) -> list[tuple[str, str]]:
    """(dotted key, value) of every leaf, at most ``limit`` of them."""
    pairs: list[tuple[str, str]] = []
    for pair in _leaves(plain, ""):
        if len(pairs) == limit:
            pairs.append(("…", "the rest is in verdict.json"))
            break
        pairs.append(pair)
    return pairs


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        if any(isinstance(entry, (Mapping, list, tuple)) for entry in value):
            for k, entry in enumerate(value):
                yield from _leaves(entry, f"{path}[{k}]")
        elif value:
            yield path, ", ".join(str(entry) for entry in value)
    elif value is not None and value != "":
        yield path, str(value)


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
