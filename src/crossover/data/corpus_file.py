"""A corpus written to a folder, piece by piece: the table, its card, and what was planted in it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus, Source
from crossover.data.sealed_json import sealed
from crossover.data.truth import SCHEMA
from crossover.data.whole_file import FULL, sync, unwritten

OnStep = Callable[[int, int, str], None]


def write_corpus(source: Source, folder: Path, on_step: OnStep | None = None) -> Path:
    """Write ``corpus.parquet``, ``corpus.json`` and, where flaws were planted, ``truth.parquet``.

    A source that offers ``batches()`` is never held in memory as a whole. The folder is made aside
    and renamed: either all of it is there or none. The tables carry a checksum a page, the
    description the SHA-256 of its lines.

    Args:
        folder: a new folder; one that exists is refused.
        on_step: told (rows done, rows of all or 0 where unknown, "rows") after each piece.

    Raises:
        BadInput: the folder exists or cannot be made, or the source refuses.
        OSError: the disk is full; says after how many rows and how much room all of them take.
    """
    taken = f"to={folder}: there is one already; name another, or remove it first"
    aside = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        if folder.exists():
            raise BadInput(taken)
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
    except OSError as error:
        raise BadInput(f"to={folder}: {error.strerror or error}; name a folder you can write") from None
    try:
        _write(source, aside, on_step, folder)
        if folder.exists():  # made while this was written
            raise BadInput(taken)
        aside.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _write(source: Source, folder: Path, on_step: OnStep | None, target: Path) -> None:
    """All of it into ``folder``; ``target`` is its name to be, for messages."""
    done, total = 0, int(getattr(source, "rows", 0))
    rows = truth = piece = None
    planted: dict[str, int] = {}
    try:
        try:
            for piece in _pieces(source):
                rows = rows or _writer(folder / "corpus.parquet", piece.table.schema)
                rows.write_table(piece.table)
                if piece.truth is not None and piece.truth.flaws:
                    truth = truth or _writer(folder / "truth.parquet", SCHEMA)
                    truth.write_table(piece.truth.of_rows() if done else piece.truth.table)
                    for name in piece.truth.flaws:
                        planted[name] = planted.get(name, 0) + len(piece.truth.ids(name))
                done += len(piece)
                if on_step is not None:
                    on_step(done, total or done, "rows")
        finally:
            for writer in (rows, truth):
                if writer is not None:
                    writer.close()
        if piece is None:
            raise BadInput(f"to={target}: the source gave no rows")
        _describe(folder, piece, done, planted)
    except OSError as error:
        if error.errno not in FULL or piece is None:
            raise
        room = sum(file.stat().st_size for file in folder.iterdir()) * max(total / done, 1) if done else 0
        what = f"to={target}, {done:,} of {total or len(piece):,} rows written"
        raise unwritten(error, what, room or piece.table.nbytes, "name another folder with to=...") from error


def _describe(folder: Path, piece: Corpus, done: int, planted: Mapping[str, int]) -> None:
    """``corpus.json``: what the tables hold, and the card; then all is synced."""
    plain = {
        "name": piece.name,
        "rows": done,
        "meta": dict(piece.meta),
        "card": piece.card.to_json(),
        "flaws": {
            name: {"settings": dict(settings), "rows": planted[name]}
            for name, settings in (piece.truth.flaws if piece.truth else {}).items()
        },
    }
    (folder / "corpus.json").write_bytes(sealed(plain))
    for file in folder.iterdir():
        sync(file)


def _writer(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)


def _pieces(source: Source) -> Iterator[Corpus]:
    batches = getattr(source, "batches", None)
    return cast(Iterator[Corpus], batches()) if batches else iter([source.load()])
