"""Compact vocabulary: while training, the embedding table holds the tokens of the training rows only.

No other row of the table ever gets a gradient. Under AdamW its moments stay 0, and a step changes it by
weight decay alone, to (1 - rate x decay) of itself: the product over all steps is applied at the end.
So this is dense AdamW up to rounding, without a gradient, two moments and an update of 11.7 million
numbers a step for the 22.7 million of MiniLM. Torch all through: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class CompactEmbedding(nn.Module):
    """An embedding of the same ids that trains the rows of ``kept`` tokens; the others only decay.

    In training only kept ids may be looked up; in evaluation all, as dense training would have them.

    Attributes:
        weight: (kept, dim), the trained rows.
        share: what weight decay has left of the others, a float64 scalar.
    """

    def __init__(self, whole: nn.Embedding, kept: Iterable[int]) -> None:
        super().__init__()
        self.rows = torch.tensor(sorted(set(kept)), device=whole.weight.device)
        self.place = torch.full((whole.num_embeddings,), -1, device=whole.weight.device)
        self.place[self.rows] = torch.arange(len(self.rows), device=whole.weight.device)
        self.weight = nn.Parameter(whole.weight.detach()[self.rows])
        self.share: Tensor
        self.register_buffer("share", torch.ones((), dtype=torch.float64))
        # Not a submodule: its parameters are not trained.
        self._whole = (whole,)
        padding = -1 if whole.padding_idx is None else int(self.place[whole.padding_idx])
        self._padding = None if padding < 0 else padding

    def forward(self, ids: Tensor) -> Tensor:
        """Ids of any shape to that shape and dim."""
        places = self.place[ids]
        if self.training:
            return functional.embedding(places, self.weight, self._padding)
        others = functional.embedding(ids, self._whole[0].weight.detach()) * self.share.float()
        trained = functional.embedding(places.clamp(min=0), self.weight)
        return torch.where((places < 0)[..., None], others, trained)

    def decayed(self, optimiser: torch.optim.Optimizer) -> None:
        """Note the weight decay of the step just taken."""
        for group in optimiser.param_groups:
            if any(parameter is self.weight for parameter in group["params"]):
                self.share *= 1 - group["lr"] * group["weight_decay"]

    def expanded(self) -> nn.Embedding:
        """The whole table as it is after the steps so far."""
        (whole,) = self._whole
        with torch.no_grad():
            whole.weight.mul_(self.share.float())
            whole.weight[self.rows] = self.weight
        return whole


@contextmanager
def compact_vocabulary(
    module: Any, tokens: Sequence[Sequence[int]], pad_id: int
) -> Iterator[CompactEmbedding | None]:
    """Inside the block ``module`` trains the embeddings of ``tokens`` and ``pad_id`` only; whole again after.

    None, and nothing changed, where the table is frozen, shared with another part, or no plain embedding.
    """
    table = module.get_input_embeddings()
    names = [name for name, part in module.named_modules() if part is table]
    uses = sum(1 for _, p in module.named_parameters(remove_duplicate=False) if p is table.weight)
    plain = type(table) is nn.Embedding and table.max_norm is None and not table.scale_grad_by_freq
    if not (plain and names and uses == 1 and table.weight.requires_grad):
        yield None
        return
    owner, _, name = names[0].rpartition(".")
    holder = module.get_submodule(owner)
    compact = CompactEmbedding(table, {pad_id, *(token for row in tokens for token in row)})
    compact.train(table.training)
    setattr(holder, name, compact)
    try:
        yield compact
    finally:
        setattr(holder, name, compact.expanded())
