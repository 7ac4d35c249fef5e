"""Linear maps over tokens laid end to end: the products that training and prediction are made of.

One product a map, whatever the texts. In float32 on a processor it is oneDNN's where torch has it: on
AMD processors MKL, which torch takes by itself, uses half of the vector width there is. Torch all
through: import it inside functions only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossover.model.lora import LowRank

HEIGHT, TALLEST = 64, 512
"""Rows of a product in evaluation: multiples of the first up to the second, where this machine was seen
to give a row the same bits at each of them, else the first. So they never depend on the other rows."""


def linear(module: nn.Module, x: Tensor, fixed_height: bool = False) -> Tensor:
    """A linear map of a transformer, or one with an adapter beside it, of (tokens, inputs) rows.

    Computed in the dtype of ``x`` from float32 weights, whose gradients are float32. With
    ``fixed_height`` (rows of ``x`` a multiple of ``HEIGHT``) a row's bits do not depend on the others, and
    there is no gradient. A module of another kind is called.
    """
    if isinstance(module, LowRank):
        beside = linear(module.up, linear(module.down, x, fixed_height), fixed_height)
        return linear(module.frozen, x, fixed_height) + module.scale * beside
    if type(module) is not nn.Linear:
        return module(x)  # type: ignore[no-any-return]
    if not fixed_height:
        return _Linear.apply(x, module.weight, module.bias)  # type: ignore[no-any-return, no-untyped-call]
    weight, bias = module.weight.to(x.dtype), None if module.bias is None else module.bias.to(x.dtype)
    tall = heights_alike(module.in_features, module.out_features, x.dtype, x.device)
    pieces = [product(piece, weight, bias) for piece in torch.split(x, TALLEST if tall else HEIGHT)]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


@lru_cache(maxsize=64)
def heights_alike(inputs: int, outputs: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether products of these widths were seen to give a row the same bits at every height in use."""
    draw = torch.Generator().manual_seed(0)
    shapes = ((TALLEST, inputs), (outputs, inputs), (outputs,))
    x, weight, bias = (torch.randn(shape, generator=draw).to(device, dtype) for shape in shapes)
    pieces = torch.cat([product(piece, weight, bias) for piece in torch.split(x, HEIGHT)])
    return all(
        torch.equal(product(x[:height], weight, bias), pieces[:height])
        for height in range(HEIGHT, TALLEST + 1, HEIGHT)
    )


class _Linear(torch.autograd.Function):
    """x W' + b in the dtype of x: weights are cast once a call, their gradient comes back float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        cast = weight.to(x.dtype)
        ctx.save_for_backward(x, cast)
        return product(x, cast, None if bias is None else bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            product(gradient, weight.t()) if of_x else None,
            product(gradient.t(), x.t()).float() if of_weight else None,
            gradient.sum(0).float() if of_bias else None,
        )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x @ weight.T + bias``."""
    if _ONEDNN is not None and x.dtype == torch.float32 and x.device.type == "cpu":
        return _ONEDNN(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]
    return functional.linear(x, weight, bias)


def _onednn() -> Any:
    """The product torch.compile writes on processors; None where this build of torch has none."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_ONEDNN = _onednn()
