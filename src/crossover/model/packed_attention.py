"""Attention over texts laid end to end: where each text lies, and who looks at whom.

On a processor texts of like length attend together, padded to the longest of their group; everything
else of a transformer runs over the real tokens alone. On a GPU all of a batch attend at once, without
padding where torch has a kernel for it (:func:`torch.nn.attention.varlen.varlen_attn`). Torch all
through: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from crossover.model.batching import length_groups
from crossover.model.dropout import Dropout

GROUP_COST = 3000
"""Fixed cost of one more group in a layer's attention, in pairs of tokens of arithmetic."""


@dataclass(frozen=True)
class Group:
    """Texts that attend together: ``texts`` of at most ``length`` tokens, from place ``start`` to ``stop``.

    Where their lengths differ, ``padded`` holds the place (counted from ``start``) of each of texts x
    length tokens, ``real`` where each place went, and ``mask`` (texts, 1, 1, length) is minus infinity
    at padding.
    """

    start: int
    stop: int
    texts: int
    length: int
    padded: Tensor | None = None
    real: Tensor | None = None
    mask: Tensor | None = None

    def heads(self, x: Tensor, heads: int) -> Tensor:
        """(texts x heads, length, width / heads) of this group's tokens in ``x`` (tokens, width)."""
        part = x[self.start : self.stop]
        if self.padded is not None:
            part = part.index_select(0, self.padded)
        split = part.view(self.texts, self.length, heads, -1).transpose(1, 2)
        return split.reshape(self.texts * heads, self.length, -1)

    def put(self, out: Tensor, x: Tensor, heads: int) -> None:
        """Write what :meth:`heads` took apart back into the places of ``out``."""
        joined = x.view(self.texts, heads, self.length, -1).transpose(1, 2).reshape(-1, out.shape[1])
        out[self.start : self.stop] = joined if self.real is None else joined.index_select(0, self.real)


@dataclass(frozen=True)
class Layout:
    """Texts laid end to end, shortest first, and filled up to a multiple of ``fill`` places.

    Attributes:
        order: which row lies at each turn.
        lengths: tokens of the texts, in that order.
        ids: (places,) token ids; the filling is the id 0.
        positions: (places,) place of each token in its text.
        groups: who attends together.
    """

    order: tuple[int, ...]
    lengths: tuple[int, ...]
    ids: Tensor
    positions: Tensor
    groups: tuple[Group, ...]

    @property
    def tokens(self) -> int:
        """Real tokens."""
        return sum(self.lengths)


def lay_out(
    rows: Sequence[Sequence[int]], fill: int, device: torch.device, alike: bool = False, whole: bool = False
) -> Layout:
    """Lay out ``rows`` of token ids.

    Groups are those of least arithmetic; with ``alike`` texts of equal length only, so that nothing
    is padded and a text's bits do not depend on its company; with ``whole`` all are one group.
    """
    order = sorted(range(len(rows)), key=lambda k: (len(rows[k]), k))
    lengths = [len(rows[k]) for k in order]
    filling = [0] * (-sum(lengths) % fill)
    ids = torch.tensor([token for k in order for token in rows[k]] + filling, device=device)
    positions = torch.tensor([place for n in lengths for place in range(n)] + filling, device=device)
    if whole:
        members = [list(range(len(lengths)))]
    elif alike:
        members = [[k for k, n in enumerate(lengths) if n == length] for length in dict.fromkeys(lengths)]
    else:
        members = length_groups([n * n for n in lengths], GROUP_COST)
    starts = [*accumulate(lengths, initial=0)]
    groups = tuple(_group(lengths[m[0] : m[-1] + 1], starts[m[0]], device) for m in members)
    return Layout(tuple(order), tuple(lengths), ids, positions, groups)


def _group(lengths: Sequence[int], start: int, device: torch.device) -> Group:
    texts, longest, stop = len(lengths), max(lengths), start + sum(lengths)
    if longest * texts == stop - start:
        return Group(start, stop, texts, longest)
    ends = torch.tensor(lengths)
    there = torch.arange(longest) < ends[:, None]
    firsts = ends.cumsum(0) - ends
    padded = (firsts[:, None] + torch.arange(longest)).where(there, torch.tensor(0)).flatten()
    mask = torch.zeros(texts, 1, 1, longest).masked_fill(~there[:, None, None], -torch.inf)
    real = there.flatten().nonzero()[:, 0]
    return Group(start, stop, texts, longest, padded.to(device), real.to(device), mask.to(device))


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    heads: int,
    rate: float = 0.0,
    dropout: Dropout | None = None,
) -> Tensor:
    """What each token sees of its own text, of and to (places, width); 0 at the filling.

    The attention's probabilities are dropped at ``rate`` by masks of ``dropout``.
    """
    if query.device.type == "cpu":
        shapes = [(group.texts * heads, group.length, group.length) for group in layout.groups]
        kept = [dropout.mask(shape, rate) if dropout and rate else None for shape in shapes]
        return _Attention.apply(query, key, value, layout.groups, heads, kept)  # type: ignore[no-any-return, no-untyped-call]
    return attend_natively(query, key, value, layout, heads, rate)


def attend_natively(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, heads: int, rate: float = 0.0
) -> Tensor:
    """As :func:`attend`, by torch's own attention kernels and its own dropout; one group, as on a GPU."""
    varlen = _varlen() if query.is_cuda and query.dtype == torch.bfloat16 and not rate else None
    if varlen is not None:
        bounds = torch.tensor(list(accumulate(layout.lengths, initial=0)), dtype=torch.int32)
        split = [x[: layout.tokens].view(layout.tokens, heads, -1) for x in (query, key, value)]
        at, longest = bounds.to(query.device), max(layout.lengths)
        found = varlen(*split, at, at, longest, longest).flatten(1)
    else:
        (group,) = layout.groups
        shape = (group.texts, heads, group.length, -1)
        q, k, v = (group.heads(x, heads).view(shape) for x in (query, key, value))
        mask = None if group.mask is None else group.mask.to(query.dtype)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
        found = seen.transpose(1, 2).reshape(group.texts * group.length, -1)
        found = found if group.real is None else found.index_select(0, group.real)
    return functional.pad(found, (0, 0, 0, len(query) - len(found)))


def _varlen() -> Any:
    """Attention without padding; None where this torch has none."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


class _Attention(torch.autograd.Function):
    """softmax(Q K' / sqrt(d)) V a group, written out so that dropout masks are ours.

    Products are in the dtype given, probabilities and their masks in float32: torch's softmax of
    bfloat16 on a processor is three times slower, and less exact.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        groups: Sequence[Group],
        heads: int,
        kept: Sequence[Tensor | None],
    ) -> Tensor:
        out = torch.zeros_like(query)
        scale = (query.shape[1] // heads) ** -0.5
        saved: list[Tensor | None] = []
        for group, keep in zip(groups, kept, strict=True):
            q, k, v = (group.heads(x, heads) for x in (query, key, value))
            scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(scale)
            if group.mask is not None:
                scores.view(group.texts, heads, group.length, group.length).add_(group.mask)
            seen = torch.softmax(scores, dim=-1)
            dropped = (seen if keep is None else seen * keep).to(query.dtype)
            group.put(out, torch.bmm(dropped, v), heads)
            saved += [q, k, v, seen, keep, dropped]
        ctx.save_for_backward(*saved)
        ctx.groups, ctx.heads, ctx.scale = groups, heads, scale
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved, heads = ctx.saved_tensors, ctx.heads
        of_query, of_key, of_value = (torch.zeros_like(gradient) for _ in range(3))
        for place, group in enumerate(ctx.groups):
            q, k, v, seen, keep, dropped = saved[6 * place : 6 * place + 6]
            own = group.heads(gradient, heads)
            if group.mask is not None:
                # Places of padding repeat another token's gradient here; they gave no output.
                apart = own.view(group.texts, heads, group.length, -1)
                own = apart.masked_fill(group.mask.transpose(2, 3) < 0, 0.0).flatten(0, 1)
            through = torch.bmm(own, v.transpose(1, 2)).float()
            if keep is not None:
                through.mul_(keep)
            of_scores = torch.ops.aten._softmax_backward_data(through, seen, -1, seen.dtype)
            of_scores = of_scores.mul_(ctx.scale).to(q.dtype)
            group.put(of_query, torch.bmm(of_scores, k), heads)
            group.put(of_key, torch.bmm(of_scores.transpose(1, 2), q), heads)
            group.put(of_value, torch.bmm(dropped.transpose(1, 2), own), heads)
        return of_query, of_key, of_value, None, None, None
