"""Corpus encoding: the vectors of a whole corpus into the cache, piece by piece; torch-free.

What is known before it starts: about how long, and how much disk; it is refused where the disk is too
small. Memory grows by the names alone (48 bytes a text). Killed, it goes on where it was.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus, Source
from crossover.model.encoder.encoder import Encoder

SAMPLE = 64
"""Texts that are encoded, and not kept, to say how long the rest will take."""
BESIDES = 48
"""Bytes of a text in a shard besides its vector: name, tokens and seconds."""
SPARE_BYTES = 64 * 2**20
"""Room that is left on the disk."""


@dataclass(frozen=True)
class Estimate:
    """What encoding ``rows`` texts takes at most: those that are cached already take nothing."""

    rows: int
    seconds: float
    bytes: int

    def __str__(self) -> str:
        hours, rest = divmod(round(self.seconds), 3600)
        time_ = f"{hours} h {rest // 60} min" if hours else f"{self.seconds:,.0f} s"
        return f"{self.rows:,} texts: at most about {time_} and {self.bytes / 1e6:,.0f} MB of disk"


def encode_corpus(
    encoder: Encoder,
    source: Source,
    cache: Path,
    on_step: Callable[[int, int, str], None] | None = None,
    before: Callable[[Estimate], object] | None = None,
) -> tuple[int, int]:
    """Fill the runtime's cache for every text of ``source``; texts read, and vectors computed.

    A source that offers ``batches()`` is never held in memory as a whole.

    Args:
        cache: a folder on the disk that the vectors go to.
        on_step: told (texts dealt with, all texts, "texts encoded") after each shard.
        before: told the estimate before anything is kept.

    Raises:
        BadInput: the disk has not enough room for it, or the source or encoder refuses.
        OSError: a shard could not be written; those before it are kept, nothing of it is.
    """
    pieces = _pieces(source)
    first = next(pieces)
    rows = int(getattr(source, "rows", 0)) or len(first)
    expected = estimate(encoder, first.texts, rows)
    if before is not None:
        before(expected)
    _require_room(expected, cache)
    read = 0

    def tell(done: int) -> None:
        nonlocal read
        read = done
        if on_step is not None:
            on_step(done, max(rows, done), "texts encoded")

    texts = (text for piece in chain([first], pieces) for text in piece.texts)
    computed = encoder.fill(texts, tell)
    return read, computed


def estimate(encoder: Encoder, texts: list[str], rows: int) -> Estimate:
    """Time and disk for ``rows`` texts such as these, from an even sample of them, encoded now."""
    from crossover.model.encoder.batch_plan import embed

    sample = texts[:: max(1, len(texts) // SAMPLE)][:SAMPLE]
    embed(encoder, sample[:1])  # loads the model
    began = time.perf_counter()
    vectors, _, _ = embed(encoder, sample)
    seconds = (time.perf_counter() - began) / len(sample)
    return Estimate(rows, rows * seconds, rows * (vectors[0].nbytes + BESIDES))


def _require_room(expected: Estimate, cache: Path) -> None:
    there = next(folder for folder in (cache, *cache.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < expected.bytes + SPARE_BYTES:
        raise BadInput(
            f"{expected}, but {cache} has {free / 1e6:,.0f} MB left; free space, name another folder "
            "with store=..., or encode fewer rows"
        )


def _pieces(source: Source) -> Iterator[Corpus]:
    batches = getattr(source, "batches", None)
    return cast(Iterator[Corpus], batches()) if batches else iter([source.load()])
