"""Batches of token sequences: which rows, in which order, padded how.

The plan depends on the seeds and the lengths alone, so equal runs see equal batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

PAD_MULTIPLE = 8
"""Lengths are rounded up to this (tensor cores want it, and it makes equal shapes likelier)."""

CALL_TOKENS = 64
"""Fixed cost of one forward and backward call, in tokens of arithmetic (measured on two CPU cores)."""


def seed_of(seed: int, *stream: int) -> int:
    """A 63-bit seed for one named stream of random numbers, independent of the others."""
    words = np.random.SeedSequence(seed, spawn_key=stream).generate_state(1, np.uint64)
    return int(words[0]) >> 1


def training_order(rows: int, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Batches without end: each epoch a fresh permutation of (seed, epoch), cut without gaps.

    A batch may reach into the next epoch, so that all have ``batch_size`` rows: a short last
    batch of one or two rows would take a whole step on its own noise.
    """
    waiting: list[int] = []
    epoch = 0
    while True:
        while len(waiting) < batch_size:
            generator = torch.Generator().manual_seed(seed_of(seed, epoch))
            waiting.extend(torch.randperm(rows, generator=generator).tolist())
            epoch += 1
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def padded_length(tokens: Sequence[int]) -> int:
    """Length of a sequence once padded, at least one multiple."""
    return max(1, -(-len(tokens) // PAD_MULTIPLE)) * PAD_MULTIPLE


def length_groups(lengths: Sequence[int], call_tokens: int = CALL_TOKENS) -> list[list[int]]:
    """Positions of ``lengths`` in groups of similar length, cheapest in padded tokens plus calls.

    The gradient of a batch is the sum of its groups' gradients: only padding is saved, the step
    stays the step of the whole batch. Exact by dynamic programming over the sorted lengths.
    """
    order = sorted(range(len(lengths)), key=lambda k: (lengths[k], k))
    cheapest, cut = [0], [0]
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        costs = [cheapest[start] + longest * (end - start) + call_tokens for start in range(end)]
        start = int(np.argmin(costs))
        cheapest.append(costs[start])
        cut.append(start)
    groups: list[list[int]] = []
    end = len(order)
    while end:
        groups.append(order[cut[end] : end])
        end = cut[end]
    return groups[::-1]


def prediction_batches(tokens: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Rows in batches of one padded length each, in an order that the rows' order does not change.

    A row's padding is then its own, never its neighbours', and shuffled rows give equal bits.
    """
    order = sorted(range(len(tokens)), key=lambda k: (padded_length(tokens[k]), tuple(tokens[k])))
    batch: list[int] = []
    for row in order:
        if batch and (
            len(batch) == batch_size or padded_length(tokens[row]) != padded_length(tokens[batch[0]])
        ):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def pad(tokens: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(rows, length) token ids padded on the right, and the attention mask of the same shape."""
    width = max(padded_length(sequence) for sequence in tokens)
    ids = np.full((len(tokens), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(tokens), width), dtype=np.int64)
    for row, sequence in enumerate(tokens):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
