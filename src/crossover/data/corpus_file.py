"""A corpus written to a folder, piece by piece: the table, its card, and what was planted in it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pyarrow.parquet as pq

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus, Source
from crossover.data.truth import SCHEMA

OnStep = Callable[[int, int, str], None]


def write_corpus(source: Source, folder: Path, on_step: OnStep | None = None) -> Path:
    """Write ``corpus.parquet``, ``corpus.json`` and, where flaws were planted, ``truth.parquet``.

    A source that offers ``batches()`` is never held in memory as a whole. The folder is made aside
    and renamed: either all of it is there or none.

    Args:
        folder: a new folder; one that exists is refused.
        on_step: told (rows done, rows of all or 0 where unknown, "rows") after each piece.

    Raises:
        BadInput: the folder exists or cannot be made, or the source refuses.
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
        _write(source, aside, on_step)
        if folder.exists():  # made while this was written
            raise BadInput(taken)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _write(source: Source, folder: Path, on_step: OnStep | None) -> None:
    done, total = 0, int(getattr(source, "rows", 0))
    rows = truth = None
    planted: dict[str, int] = {}
    try:
        for piece in _pieces(source):
            rows = rows or pq.ParquetWriter(folder / "corpus.parquet", piece.table.schema, compression="zstd")
            rows.write_table(piece.table)
            if piece.truth is not None and piece.truth.flaws:
                truth = truth or pq.ParquetWriter(folder / "truth.parquet", SCHEMA, compression="zstd")
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
    (folder / "corpus.json").write_text(json.dumps(plain, ensure_ascii=False, indent=1), encoding="utf-8")
    for file in folder.iterdir():
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def _pieces(source: Source) -> Iterator[Corpus]:
    batches = getattr(source, "batches", None)
    return cast(Iterator[Corpus], batches()) if batches else iter([source.load()])
