"""Reading: how a file becomes text and rows, and the file opened: unpacked, decoded, line by line."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from crossover.data.bad_input import BadInput
from crossover.data.free_memory import check_room
from crossover.data.reservoir import chosen_rows

LEAST_ROOM = 3
"""Bytes of memory that a byte of a file takes at least, as text, rows and corpus (5 where rows are short)."""


@dataclass(frozen=True)
class Reading:
    """How files are read.

    ``max_bytes`` caps what a gzipped file may unpack to. With ``take`` a uniform sample of so many rows
    is kept (reservoir.py, seeded by ``take_seed``): of a jsonl or parquet file no more is ever held.
    """

    format: str | None = None
    encoding: str = "utf-8"
    errors: str = "strict"
    delimiter: str | None = None
    quoted: bool = True
    max_bytes: int = 1 << 30
    take: int | None = None
    take_seed: int = 0

    def __post_init__(self) -> None:
        if self.errors not in ("strict", "replace", "ignore"):
            raise BadInput(f"errors={self.errors!r}: expected strict, replace or ignore")
        if self.take is not None and self.take < 1:
            raise BadInput(f"data.take={self.take}: expected a number of rows from 1 up, or null for all")

    def chosen(self, count: int) -> list[int] | None:
        """The rows to keep of so many, ascending; None is every one."""
        if self.take is None or count <= self.take:
            return None
        return chosen_rows(count, self.take, self.take_seed)


def check_file_room(size: int, path: str) -> None:
    """Refuse to hold so many bytes of a file where they do not fit.

    Raises:
        BadInput: there is not that much memory.
    """
    check_room(
        LEAST_ROOM * size,
        f"{path}: reading all of it",
        "data.take=200000 draws a uniform sample while reading (of jsonl or parquet: a csv file is held as a "
        "whole)",
    )


class _Unpacked(io.RawIOBase):
    """A gzipped file's contents, as long as they are a whole gzip file and no more than ``max_bytes``."""

    def __init__(self, file: Path, max_bytes: int) -> None:
        super().__init__()
        self.file, self.max_bytes, self.size = file, max_bytes, 0
        self.inside = gzip.open(file, "rb")  # noqa: SIM115 - closed by close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpack the next piece, as the reader over it asks."""
        try:
            piece = self.inside.read(len(memoryview(buffer)))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadInput(
                f"{self.file.name} is no whole gzip file ({error}); fetch it again or take off .gz"
            ) from None
        self.size += len(piece)
        if self.size > self.max_bytes:
            raise BadInput(
                f"{self.file.name} unpacks to more than {self.max_bytes:,} bytes from "
                f"{self.file.stat().st_size:,}; if you trust it, raise data.max_bytes"
            )
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self.inside.close()
        super().close()


def opened(file: Path, how: Reading) -> BinaryIO:
    """The file's bytes, unpacked."""
    try:
        if file.name.lower().endswith(".gz"):
            return cast(BinaryIO, io.BufferedReader(_Unpacked(file, how.max_bytes), 1 << 20))
        return open(file, "rb")
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); mend its permissions") from None


def text_of(file: Path, path: str, how: Reading) -> str:
    """All of a file, decoded."""
    with opened(file, how) as handle:
        data = handle.read()
    try:
        return data.decode(how.encoding, how.errors).removeprefix("\ufeff")
    except LookupError:
        raise BadInput(
            f"{path}: unknown text encoding {how.encoding!r}; utf-8, latin-1, cp1252 and utf-16 are common"
        ) from None
    except UnicodeDecodeError as error:
        start = error.start
        line = data.count(b"\n", 0, start) + 1
        offset = start - (data.rfind(b"\n", 0, start) + 1)
        guess = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252 or latin-1"
        raise BadInput(
            f"{path}, line {line}: byte 0x{data[start]:02x} at byte {offset} of the line ({start} of the "
            f"file) is not valid {how.encoding}; if the file has another encoding say so "
            f"(data.encoding=..., {guess} is likely), or data.errors=replace to mark such bytes"
        ) from None


def lines_of(file: Path, path: str, how: Reading) -> Iterator[str]:
    """The lines of a file, one at a time, cut at LF only: a text may hold U+2028."""
    try:
        with io.TextIOWrapper(opened(file, how), how.encoding, how.errors, newline="\n") as text:
            for number, line in enumerate(text):
                yield line.removeprefix("\ufeff") if number == 0 else line
    except (LookupError, UnicodeDecodeError):
        text_of(file, path, how)  # says which byte of which line
        raise
