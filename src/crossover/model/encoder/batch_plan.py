"""Batch plan: frozen vectors in batches whose arithmetic depends on a text's own length alone.

A matrix product of another height, or a batch without padding where others have some, may round
otherwise. So each text is computed the same way in any company, in any order, by any number of
threads, and its vector has the same bits (Horace He, Defeating Nondeterminism in LLM Inference,
2025, names the cause). Each batch is computed by one thread, several side by side. Two ways:

- packed (:func:`pack`), on a processor and for the architectures that packed_forward.py knows: texts
  are laid end to end, products have ``token_budget`` rows, or fewer where that is seen to change no bit;
- padded (:func:`plan`), for all others: a text of n tokens is always in a batch of one shape, (rows,
  length), where length is fixed by n and rows by length; a batch that is not full is filled up with
  copies, and texts that fill their length go apart, since for them no attention mask is built.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.model import runtime
from crossover.model.encoder.backbone import Backbone, device, load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.encoder.packed_forward import LEAST_HEIGHT, PackedForward, knows
from crossover.protocol.run_spec import digest_of

KEPT_LOADED = 2
"""Backbones a process holds ready for encoding."""


@dataclass(frozen=True)
class Batch:
    """Positions of the texts in one batch of ``rows`` rows, all padded to ``length`` tokens."""

    length: int
    rows: int
    members: tuple[int, ...]


def plan(tokens: Sequence[int], token_budget: int, pad_multiple: int, max_length: int) -> list[Batch]:
    """Batches for texts of so many tokens, shortest first; each text in exactly one.

    ``length`` is the next multiple of ``pad_multiple`` above the text's tokens, at most
    ``max_length``; a batch holds as many rows as ``token_budget`` allows, at least 1.
    """
    groups: dict[tuple[int, bool], list[int]] = {}
    for k, n in enumerate(tokens):
        length = min((n // pad_multiple + 1) * pad_multiple, max_length)
        groups.setdefault((length, n == length), []).append(k)
    batches = []
    for (length, _), members in sorted(groups.items()):
        rows = max(1, token_budget // length)
        batches += [
            Batch(length, rows, tuple(members[start : start + rows]))
            for start in range(0, len(members), rows)
        ]
    return batches


def pack(tokens: Sequence[int], height: int) -> list[tuple[int, ...]]:
    """Positions of the texts of each batch; a batch fills a multiple of ``height`` tokens as well as it can.

    The longest text that is left begins a batch, and the longest that still fits goes on: texts of
    equal length stand together, and short ones fill what long ones leave.
    """
    waiting: dict[int, list[int]] = {}
    for k in reversed(range(len(tokens))):
        waiting.setdefault(tokens[k], []).append(k)
    lengths = sorted(waiting)
    batches = []
    while lengths:
        room, batch = -(-lengths[-1] // height) * height, []
        while fits := bisect_right(lengths, room):
            length = lengths[fits - 1]
            batch.append(waiting[length].pop())
            room -= length
            if not waiting[length]:
                lengths.pop(fits - 1)
        batches.append(tuple(batch))
    return batches


def embed(
    encoder: Encoder, texts: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """Vectors (texts, dim), tokens a text, and seconds a text (the wall's, shared by tokens).

    Raises:
        FloatingPointError: a vector is not finite.
        BadInput: a batch does not fit into memory.
    """
    ready = _frozen(encoder)
    started = time.perf_counter()
    rows = ready.backbone.tokenize(texts)
    tokens = np.array([len(row) for row in rows], np.int64)
    try:
        vectors = ready.vectors(rows)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        raise BadInput(
            f"out of memory in a batch of {encoder.token_budget} tokens ({error}); "
            f"lower encoder.token_budget or encoder.max_length={encoder.max_length}"
        ) from None
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise FloatingPointError(
            f"encoder {encoder.name} ({encoder.dtype}): {len(broken)} of {len(texts)} vectors are not "
            f"finite; the first is of the text {texts[broken[0]][:60]!r}"
        )
    return vectors, tokens, (time.perf_counter() - started) * tokens / max(tokens.sum(), 1)


class Ready:
    """A backbone loaded for encoding with an encoder's settings; not to be trained.

    ``packed`` False pads even where a packed forward is known: the reference it is tested against.
    ``backbone`` saves loading one that is there.

    Attributes:
        backbone: frozen, in the encoder's dtype.
        packed: its packed forward; None where it has none, and batches are padded.
        heights: of the products of a packed batch, the last being the full one.
    """

    def __init__(self, encoder: Encoder, packed: bool = True, backbone: Backbone | None = None) -> None:
        self.encoder = encoder
        self.backbone = backbone or load_backbone(encoder)
        self.backbone.module.requires_grad_(False)
        self.backbone.module.to(getattr(torch, encoder.dtype))
        self.packed: PackedForward | None = None
        self.heights: tuple[int, ...] = ()
        if packed and self.backbone.device.type == "cpu" and knows(self.backbone.module):
            most = -(-encoder.token_budget // LEAST_HEIGHT) * LEAST_HEIGHT
            with torch.inference_mode(), one_thread():
                where = self.backbone.pooled_at()
                self.packed = PackedForward(self.backbone.module, where, encoder.normalise)
                self.heights = self.packed.heights(most)

    def vectors(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """One vector a row of token ids, (rows, dim), several batches side by side on a processor."""
        found = np.zeros((len(rows), self.backbone.dim), np.float32)
        tokens = [len(row) for row in rows]
        work: list[Callable[[], None]] = []
        if self.packed is not None:
            for members in pack(tokens, self.heights[-1]):
                work.append(partial(self._packed_batch, rows, members, found))
        else:
            settings = self.encoder
            batches = plan(tokens, settings.token_budget, settings.pad_multiple, settings.max_length)
            work = [partial(self._padded_batch, rows, batch, found) for batch in batches]
        if self.backbone.device.type != "cpu":
            for batch in work:
                batch()
            return found
        with one_thread() as threads, ThreadPoolExecutor(runtime.current().threads or threads) as pool:
            for ended in [pool.submit(batch) for batch in work]:
                ended.result()
        return found

    @torch.inference_mode()
    def _packed_batch(
        self, rows: Sequence[Sequence[int]], members: Sequence[int], found: NDArray[np.float32]
    ) -> None:
        assert self.packed is not None
        tokens = sum(len(rows[k]) for k in members)
        height = next((height for height in self.heights if tokens <= height), self.heights[-1])
        found[list(members)] = self.packed([rows[k] for k in members], height).numpy()

    @torch.inference_mode()
    def _padded_batch(self, rows: Sequence[Sequence[int]], batch: Batch, found: NDArray[np.float32]) -> None:
        members = [rows[k] for k in batch.members]
        members += [members[0]] * (batch.rows - len(members))
        pooled = self.backbone.forward_pooled(*self.backbone.collate(members, batch.length))
        if self.encoder.normalise:
            pooled = torch.nn.functional.normalize(pooled, dim=1)
        found[list(batch.members)] = pooled[: len(batch.members)].cpu().numpy()


@contextmanager
def one_thread() -> Iterator[int]:
    """Every operation inside is done by one thread; gives the number of threads there were before."""
    with _computing:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield threads
        finally:
            torch.set_num_threads(threads)


_computing = threading.Lock()
_ready: dict[tuple[str, str], Ready] = {}


def _frozen(encoder: Encoder) -> Ready:
    """The process's backbone for encoding with these settings."""
    key = (digest_of(encoder.key()), str(device()))
    if key not in _ready:
        ready = Ready(encoder)
        while len(_ready) >= KEPT_LOADED:
            _ready.pop(next(iter(_ready)))
        _ready[key] = ready
    return _ready[key]
