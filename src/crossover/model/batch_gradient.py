"""The gradient of one batch: at once, or in pieces where memory does not hold it.

The gradient of a batch's loss is the sum over its rows, so pieces add up to the very step that was asked
for: batch size, class weights and learning rate keep their meaning. Only rounding and the dropout masks
are others, so the number of pieces enters the history. Torch all through: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Tokens = Sequence[Sequence[int]]


def add_gradient(
    forward: Callable[[Tokens], Tensor],
    tokens: Tokens,
    goal: Tensor,
    weights: Tensor | None,
    rewind: Callable[[], None],
) -> tuple[float, int]:
    """Add the gradient of a batch's loss; the loss, and the number of pieces that it took.

    The loss is cross-entropy, weighted by class where ``weights`` are given and divided by the batch's
    weight. A batch that does not fit memory is halved, and halved again, down to single rows.

    Args:
        forward: tokens to (rows, outputs) logits.
        tokens: of the batch's rows.
        goal: (rows,) the column of each row's class.
        weights: of the classes, or None.
        rewind: puts gradients and random draws back to before the batch; called before each new try, so
            that what the failed one had drawn decides nothing.

    Raises:
        MemoryError, RuntimeError: the allocator's, where a single row does not fit.
    """
    rows = size = len(tokens)
    while True:
        try:
            return _in_pieces(forward, tokens, goal, weights, size), -(-rows // size)
        except (MemoryError, RuntimeError) as error:
            if size == 1 or not is_no_memory(error):
                raise
        # Out here the error is gone, and with it the frames that hold what filled the memory.
        size = -(-size // 2)
        rewind()


def _in_pieces(
    forward: Callable[[Tokens], Tensor], tokens: Tokens, goal: Tensor, weights: Tensor | None, size: int
) -> float:
    if size == len(tokens):
        whole = cross_entropy(forward(tokens), goal, weights)
        whole.backward()  # type: ignore[no-untyped-call]
        return float(whole.detach())
    weight = len(tokens) if weights is None else weights[goal].sum()
    total = 0.0
    for start in range(0, len(tokens), size):
        part = slice(start, start + size)
        loss = cross_entropy(forward(tokens[part]), goal[part], weights, reduction="sum") / weight
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total


def is_no_memory(error: BaseException) -> bool:
    """Whether memory has run out: torch's CUDA error has a class, that of its CPU allocator has none."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


@contextmanager
def named_memory(step: int, rows: Sequence[int], tokens: Tokens) -> Iterator[None]:
    """Name the step and its longest row where memory runs out in the block.

    Raises:
        MemoryError: it ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_no_memory(error):
            raise
        longest = max(rows, key=lambda k: len(tokens[k]))
        raise MemoryError(
            f"step {step}: no memory for a batch of {len(rows)} rows (longest: training row {longest + 1}, "
            f"{len(tokens[longest])} tokens); lower model.batch_size or model.max_length"
        ) from error
