"""Batch plan: frozen vectors in batches whose shape depends on a text's own length alone.

A matrix product of another shape, or a batch without padding where others have some, may round
otherwise. So a text of n tokens is always computed in a batch of one shape, (rows, length), where
length is fixed by n and rows by length; a batch that is not full is filled up with copies. Texts
that fill their length to the last place go apart, since for them no attention mask is built. And
each batch is computed by one thread, several side by side. Then a text's vector has the same bits
in any company, in any order, by any number of threads (Horace He, Defeating Nondeterminism in
LLM Inference, 2025, names the cause).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.model import runtime
from crossover.model.encoder.backbone import Backbone, device, load_backbone
from crossover.model.encoder.encoder import Encoder
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


def embed(
    encoder: Encoder, texts: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """Vectors (texts, dim), tokens a text, and seconds a text (the wall's, shared by padded length).

    Raises:
        FloatingPointError: a vector is not finite.
        BadInput: a batch does not fit into memory.
    """
    backbone = _frozen(encoder)
    started = time.perf_counter()
    rows = backbone.tokenize(texts)
    tokens = np.array([len(row) for row in rows], np.int64)
    batches = plan(tokens.tolist(), encoder.token_budget, encoder.pad_multiple, encoder.max_length)
    vectors = np.zeros((len(texts), backbone.dim), np.float32)
    lengths = np.zeros(len(texts))
    try:
        for batch, found in zip(batches, _side_by_side(backbone, rows, batches, encoder), strict=True):
            vectors[list(batch.members)] = found
            lengths[list(batch.members)] = batch.length
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
    seconds = (time.perf_counter() - started) * lengths / max(lengths.sum(), 1.0)
    return vectors, tokens, seconds


def _side_by_side(
    backbone: Backbone, rows: Sequence[Sequence[int]], batches: Sequence[Batch], encoder: Encoder
) -> list[NDArray[np.float32]]:
    """The vectors of each batch, one thread to a batch and as many at once as threads are given."""

    def one(batch: Batch) -> NDArray[np.float32]:
        with torch.inference_mode():
            members = [rows[k] for k in batch.members]
            members += [members[0]] * (batch.rows - len(members))
            pooled = backbone.forward_pooled(*backbone.collate(members, batch.length))
            if encoder.normalise:
                pooled = torch.nn.functional.normalize(pooled, dim=1)
            found: NDArray[np.float32] = pooled[: len(batch.members)].cpu().numpy()
            return found

    if backbone.device.type != "cpu":
        return [one(batch) for batch in batches]
    with _computing:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(runtime.current().threads or threads) as pool:
                return list(pool.map(one, batches))
        finally:
            torch.set_num_threads(threads)


_computing = threading.Lock()
_ready: dict[tuple[str, str], Backbone] = {}


def _frozen(encoder: Encoder) -> Backbone:
    """The process's backbone for encoding with these settings; not to be trained."""
    key = (digest_of(encoder.key()), str(device()))
    if key not in _ready:
        backbone = load_backbone(encoder)
        backbone.module.requires_grad_(False)
        backbone.module.to(getattr(torch, encoder.dtype))
        while len(_ready) >= KEPT_LOADED:
            _ready.pop(next(iter(_ready)))
        _ready[key] = backbone
    return _ready[key]
