"""AdamW as fine-tuning uses it: its groups of parameters, and the learning rate's course.

Torch all through: import it inside functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from crossover.model.training_loop import Network, Recipe


def adamw(network: Network, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; biases and normalisation weights do not decay, head and layers have rates of their own."""
    depth = _depths(network) if recipe.layer_decay != 1.0 else {}
    groups: dict[tuple[bool, bool, int], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            key = (name.startswith("head."), parameter.ndim > 1, depth.get(id(parameter), 0))
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "peak": recipe.head_learning_rate
                if head
                else recipe.learning_rate * recipe.layer_decay**below,
                "weight_decay": recipe.weight_decay if decays else 0.0,
            }
            for (head, decays, below), parameters in groups.items()
        ],
        betas=(0.9, 0.999),
        eps=1e-8,
        fused=True,
    )


def _depths(network: Network) -> dict[int, int]:
    """How far below the top layer each parameter (by id) lies; those above all layers are left out."""
    layers = network.layers()
    depths = {
        id(parameter): below
        for below, layer in enumerate(reversed(layers))
        for parameter in layer.parameters()
    }
    return {**{id(parameter): len(layers) for parameter in network.embeddings()}, **depths}


def set_rates(optimiser: torch.optim.Optimizer, step: int, recipe: Recipe) -> float:
    """Give every group its rate at ``step``; the share of the peak it is."""
    share = schedule(step, recipe.planned_steps, recipe.warmup)
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
    return share


def schedule(step: int, planned: int, warmup: float) -> float:
    """Share of the peak rate at ``step`` = 1, 2, ...: up to 1 in a line, then down towards 0."""
    rising = max(1, round(warmup * planned))
    if step <= rising:
        return step / rising
    return (planned + 1 - step) / (planned + 1 - rising)
