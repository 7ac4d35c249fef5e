"""Batches of token sequences for training: which rows, in which order, padded with whom.

The plan depends on seeds and lengths alone, so equal runs see equal batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

PAD_MULTIPLE = 8
"""Padded lengths are multiples of this: tensor cores want it, and equal lengths become likelier."""

CALL_TOKENS = 64
"""Fixed cost of one forward and backward call, in padded tokens of arithmetic."""


def seed_of(seed: int, *stream: int) -> int:
    """A 63-bit seed for one stream of random numbers, independent of the other streams."""
    words = np.random.SeedSequence(seed, spawn_key=stream).generate_state(1, np.uint64)
    return int(words[0]) >> 1


def training_order(rows: int, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Batches without end: each epoch a permutation drawn by (seed, epoch), cut without gaps.

    A batch may reach into the next epoch, so that all have ``batch_size`` rows: a short last
    batch of one or two rows would move the weights as far on far noisier gradients.
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
    """Length of one sequence once padded."""
    return -(-len(tokens) // PAD_MULTIPLE) * PAD_MULTIPLE


def length_groups(lengths: Sequence[int], call_tokens: int = CALL_TOKENS) -> list[list[int]]:
    """Positions in ``lengths``, in groups of similar length with the least padded tokens plus calls.

    The gradient of a batch is the sum over its groups: only padding is saved, the step stays
    that of the whole batch. Exact, by dynamic programming over the sorted lengths.
    """
    order = sorted(range(len(lengths)), key=lambda k: (lengths[k], k))
    cheapest, start_of = [0], [0]
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        costs = [cheapest[start] + longest * (end - start) + call_tokens for start in range(end)]
        start_of.append(int(np.argmin(costs)))
        cheapest.append(min(costs))
    groups: list[list[int]] = []
    end = len(order)
    while end:
        groups.append(order[start_of[end] : end])
        end = start_of[end]
    return groups[::-1]


def prediction_batches(tokens: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Rows in batches of one padded length each, in an order of their content, not of their place.

    A row's padding is its own, never its neighbours', and shuffled rows make the same batches.
    """
    order = sorted(range(len(tokens)), key=lambda k: (padded_length(tokens[k]), tuple(tokens[k])))
    batch: list[int] = []
    for row in order:
        full = len(batch) == batch_size
        if batch and (full or padded_length(tokens[row]) != padded_length(tokens[batch[0]])):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
