"""Linear maps over tokens laid end to end: the products that training and prediction are made of.

One product a map, whatever the texts: :func:`linear` to train, :class:`FixedMap` to encode and predict,
where a row must have the same bits in any company. In float32 on a processor it is oneDNN's where torch
has it: on AMD processors MKL, which torch takes by itself, uses half of the vector width there is. Torch
all through: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossover.model.lora import LowRank

HEIGHT, TALLEST = 64, 512
"""Rows of a product in evaluation: multiples of the first up to the second, where this machine was seen
to give a row the same bits at each of them, else the first. So they never depend on the other rows."""


def linear(module: nn.Module, x: Tensor) -> Tensor:
    """A linear map of a transformer, or one with an adapter beside it, of (tokens, inputs) rows, to train.

    Computed in the dtype of ``x`` from float32 weights, whose gradients are float32. A module of another
    kind is called.
    """
    if isinstance(module, LowRank):
        return linear(module.frozen, x) + module.scale * linear(module.up, linear(module.down, x))
    if type(module) is not nn.Linear:
        return module(x)  # type: ignore[no-any-return]
    return _Linear.apply(x, module.weight, module.bias)  # type: ignore[no-any-return, no-untyped-call]


class FixedMap:
    """A linear map that is done trained: rows (tokens, inputs) to (tokens, outputs), without a gradient.

    In bfloat16 on a processor its weight is laid out for oneDNN once, where torch offers that, and a gelu
    that follows is computed within the product, from its float32 sums.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight.detach(), None if bias is None else bias.detach()
        self._packed = _packed(self.weight)

    def __call__(self, x: Tensor, height: int, gelu: bool = False) -> Tensor:
        """In products of ``height`` rows: a row's bits depend on nothing else but the row."""
        pieces = [self._product(piece, gelu) for piece in torch.split(x, height)]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _product(self, x: Tensor, gelu: bool) -> Tensor:
        if self._packed is None:
            plain = product(x, self.weight, self.bias)
            return functional.gelu(plain) if gelu else plain
        after, variant = ("gelu", "none") if gelu else ("none", "")
        return _ONEDNN(x, self._packed, self.bias, after, [], variant)  # type: ignore[no-any-return]


def evaluated(module: nn.Module, dtype: torch.dtype) -> Callable[..., Tensor]:
    """The map of :func:`linear` for evaluation in ``dtype``, a function of rows and ``gelu`` (False).

    The number of rows is a multiple of ``HEIGHT``; a row's bits do not depend on the others.
    """
    if isinstance(module, LowRank):
        frozen, down, up = (evaluated(part, dtype) for part in (module.frozen, module.down, module.up))
        scale = module.scale

        def beside(x: Tensor, gelu: bool = False) -> Tensor:
            found = frozen(x) + scale * up(down(x))
            return functional.gelu(found) if gelu else found

        return beside
    if type(module) is not nn.Linear:
        return lambda x, gelu=False: functional.gelu(module(x)) if gelu else module(x)
    weight, bias = module.weight.to(dtype), None if module.bias is None else module.bias.to(dtype)
    tall = heights_alike(module.in_features, module.out_features, dtype)
    return partial(FixedMap(weight, bias), height=TALLEST if tall else HEIGHT)


@lru_cache(maxsize=64)
def heights_alike(inputs: int, outputs: int, dtype: torch.dtype) -> bool:
    """Whether products of these widths were seen to give a row the same bits at every height in use."""
    draw = torch.Generator().manual_seed(0)
    shapes = ((TALLEST, inputs), (outputs, inputs), (outputs,))
    x, weight, bias = (torch.randn(shape, generator=draw).to(dtype) for shape in shapes)
    fixed = FixedMap(weight, bias)
    return all(
        torch.equal(fixed(x[:height], height, gelu), fixed(x, HEIGHT, gelu)[:height])
        for height in range(HEIGHT, TALLEST + 1, HEIGHT)
        for gelu in (False, True)
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


def _packed(weight: Tensor) -> Tensor | None:
    """A bfloat16 weight as oneDNN likes it best; None where that is not to be had."""
    packs = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
    if _ONEDNN is None or packs is None or weight.dtype != torch.bfloat16 or weight.device.type != "cpu":
        return None
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return None
    return packs(weight.contiguous())  # type: ignore[no-any-return]


_ONEDNN = _onednn()
