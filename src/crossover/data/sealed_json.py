"""Sealed JSON: plain values with the SHA-256 of their own bytes, so that one flipped bit is noticed.

The second line of a file is the seal of all lines after it: ``tail -n +3 FILE | sha256sum`` gives it.
See docs/decisions/0018.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from crossover.data.bad_input import BadInput

SCHEMA = 2
"""Version of the JSON files of a store. 1: without a seal, and perhaps without a number; 2: sealed."""

_OURS = ("sha256", "schema")
_HEAD = '{{\n "sha256": "{}",\n'
_LENGTH = len(_HEAD.format("0" * 64))


def sealed(plain: Mapping[str, object]) -> bytes:
    """The values as UTF-8 JSON with seal and schema; a seal and schema among them are made anew."""
    rest = {"schema": SCHEMA, **{key: value for key, value in plain.items() if key not in _OURS}}
    body = json.dumps(rest, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")
    body = body.removeprefix(b"{\n")
    return _HEAD.format(hashlib.sha256(body).hexdigest()).encode("ascii") + body


def unsealed(file: Path, mend: str) -> dict[str, object]:
    """The values of a file of :func:`sealed`, or of one of schema 1, which has no seal to check.

    ``mend`` says what to do where the file is damaged.

    Raises:
        BadInput: unreadable, not the bytes that were written, or of a newer schema.
    """
    try:
        data = file.read_bytes()
        plain = json.loads(data)
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read ({error}); {mend}") from None
    if not isinstance(plain, dict):
        raise BadInput(f"{file} holds {plain!r:.40}, expected a JSON object; {mend}")
    seal, schema = plain.pop("sha256", None), plain.pop("schema", 1)
    if type(schema) is int and schema > SCHEMA:
        raise BadInput(
            f"{file} is written with schema {schema}, this version of crossover reads up to {SCHEMA}: update "
            "crossover, or name another folder with store=...; the file was left as it is"
        )
    if seal is None and schema == 1 and type(schema) is int:
        return cast(dict[str, object], plain)
    found = hashlib.sha256(data[_LENGTH:]).hexdigest()
    if found != seal or schema != SCHEMA:
        raise BadInput(
            f"{file}: its lines have SHA-256 {found[:16]}..., the second says {str(seal)[:16]}...; it was "
            f"edited or damaged: {mend}"
        )
    return cast(dict[str, object], plain)
