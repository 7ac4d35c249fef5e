"""LoRA: low-rank adapters beside the frozen maps of a transformer (Hu et al. 2021).

Torch all through: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from crossover.data.bad_input import BadInput
from crossover.model.batching import seed_of

if TYPE_CHECKING:
    from crossover.model.training_loop import Network

LORA_STREAM = 3


class LowRank(nn.Module):
    """A frozen map W with a trained one beside it: W x + (alpha / rank) B A x."""

    def __init__(self, frozen: nn.Linear | Conv1D, rank: int, alpha: float) -> None:
        super().__init__()
        self.frozen = frozen
        # GPT-2 keeps its weights the other way round.
        outputs, inputs = frozen.weight.shape if isinstance(frozen, nn.Linear) else frozen.weight.shape[::-1]
        self.down = nn.Linear(inputs, rank, bias=False, device=frozen.weight.device)
        self.up = nn.Linear(rank, outputs, bias=False, device=frozen.weight.device)
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        result: Tensor = self.frozen(x) + self.scale * self.up(self.down(x))
        return result


def add_adapters(network: Network, rank: int, alpha: float, targets: Sequence[str] | None, seed: int) -> None:
    """Freeze the transformer and put adapters beside the linear maps of its layers, in place.

    ``targets`` are last names of maps (``query``); None is every linear map of every layer. What
    is trained afterwards: the adapters and the head.

    Raises:
        BadInput: a target is the name of no linear map; those there are listed.
    """
    found = [
        (parent, name, child)
        for layer in network.layers()
        for parent in layer.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear | Conv1D)
    ]
    known = sorted({name for _, name, _ in found})
    unknown = [name for name in targets or () if name not in known]
    if unknown or not found:
        raise BadInput(
            f"lora_targets: {type(network.module).__name__} has no linear map {''.join(unknown[:1])!r} in "
            f"its layers; expected among {', '.join(known)}, or null for all of them"
        )
    network.module.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):  # the maps are drawn once here and again by seed below
        for parent, name, child in found:
            if targets is None or name in targets:
                setattr(parent, name, LowRank(child, rank, alpha))
    draw_adapters(network, seed)


def draw_adapters(network: Network, seed: int) -> None:
    """Draw every A uniformly within 1 / sqrt(inputs), set every B to 0: the network is the frozen one."""
    generator = torch.Generator().manual_seed(seed_of(seed, LORA_STREAM))
    with torch.no_grad():
        for module in network.module.modules():
            if isinstance(module, LowRank):
                rank, inputs = module.down.weight.shape
                drawn = torch.rand(rank, inputs, generator=generator)
                module.down.weight.copy_((2 * drawn - 1) / inputs**0.5)
                module.up.weight.zero_()
