from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from crossover.model import token_products
from crossover.model.lora import LowRank
from crossover.model.token_products import HEIGHT, TALLEST, FixedMap, evaluated, heights_alike, linear

MAPS = {
    "linear": lambda: nn.Linear(48, 80),
    "without bias": lambda: nn.Linear(48, 80, bias=False),
    "adapter": lambda: LowRank(nn.Linear(48, 80).requires_grad_(False), 4, 8.0),
}


def gradients(module: nn.Module, x: Tensor, answer: Tensor) -> list[Tensor]:
    trained = [p for p in module.parameters() if p.requires_grad]
    weights = torch.linspace(-1, 1, answer.numel()).view(answer.shape).to(answer.dtype)
    return list(torch.autograd.grad((answer * weights).sum(), [x, *trained]))


@pytest.fixture(params=["oneDNN", "plain"], autouse=True)
def product(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both where this torch has both."""
    if request.param == "plain":
        monkeypatch.setattr(token_products, "_ONEDNN", None)


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("rows", [1, 33, 96])
def test_values_and_gradients_are_those_of_the_module(kind: str, rows: int) -> None:
    torch.manual_seed(0)
    module, x = MAPS[kind](), torch.randn(rows, 48, requires_grad=True)
    own, plain = linear(module, x), module(x)
    torch.testing.assert_close(own, plain, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients(module, x, own), gradients(module, x, plain), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_bfloat16_rows_are_multiplied_in_bfloat16_and_weights_get_float32_gradients() -> None:
    torch.manual_seed(0)
    module, x = nn.Linear(48, 80), torch.randn(64, 48).bfloat16().requires_grad_()
    own = linear(module, x)
    assert own.dtype == torch.bfloat16
    torch.testing.assert_close(own.float(), module(x.float()), rtol=0.02, atol=0.02)
    of_x, of_weight, of_bias = gradients(module, x, own)
    assert (of_x.dtype, of_weight.dtype, of_bias.dtype) == (torch.bfloat16, torch.float32, torch.float32)


@pytest.mark.parametrize("gelu", [False, True], ids=["map", "map, gelu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", MAPS)
def test_evaluated_a_rows_bits_depend_on_nothing_but_the_row(
    kind: str, dtype: torch.dtype, gelu: bool
) -> None:
    torch.manual_seed(0)
    module, x = MAPS[kind](), torch.randn(4 * HEIGHT, 48).to(dtype)
    with torch.no_grad():
        own = evaluated(module, dtype)
        whole = own(x, gelu=gelu)
        order = torch.randperm(len(x))
        assert torch.equal(own(x[order], gelu=gelu), whole[order])
        assert torch.equal(own(x[HEIGHT : 2 * HEIGHT], gelu=gelu), whole[HEIGHT : 2 * HEIGHT])
        plain = module(x.float())
        loose = 0.05 if dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(
            whole.float(), functional.gelu(plain) if gelu else plain, rtol=loose, atol=loose
        )


def test_a_fixed_map_in_bfloat16_rounds_once_after_gelu_where_one_dnn_is_there() -> None:
    torch.manual_seed(0)
    weight, bias, x = (
        torch.randn(80, 48).bfloat16(),
        torch.randn(80).bfloat16(),
        torch.randn(64, 48).bfloat16(),
    )
    exact = functional.gelu(functional.linear(x.double(), weight.double(), bias.double()))
    found = FixedMap(weight, bias)(x, 64, gelu=True)
    assert found.dtype == torch.bfloat16
    if FixedMap(weight, bias)._packed is not None:
        assert (found.double() - exact).abs().max() <= exact.abs().max() * 2**-8


def test_where_heights_differ_in_bits_products_are_cut_to_the_lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x, seen = nn.Linear(48, 80), torch.randn(3 * HEIGHT, 48), []
    plain = FixedMap._product

    def noted(self: FixedMap, x: Tensor, gelu: bool) -> Tensor:
        seen.append(len(x))
        return plain(self, x, gelu)

    with torch.no_grad():
        whole = evaluated(module, torch.float32)(x)
        monkeypatch.setattr(FixedMap, "_product", noted)
        monkeypatch.setattr(token_products, "heights_alike", lambda *_: False)
        assert torch.equal(evaluated(module, torch.float32)(x), whole) and seen == [HEIGHT] * 3
        monkeypatch.undo()
    found = heights_alike(48, 80, torch.float32)
    heights_alike.cache_clear()
    monkeypatch.setattr(FixedMap, "_product", lambda self, x, g: plain(self, x, g) + (len(x) == TALLEST))
    assert found and not heights_alike(48, 80, torch.float32)
    heights_alike.cache_clear()


def test_a_frozen_map_passes_the_gradient_on_and_gets_none() -> None:
    module, x = nn.Linear(48, 80).requires_grad_(False), torch.randn(32, 48, requires_grad=True)
    linear(module, x).sum().backward()
    assert module.weight.grad is None and module.bias.grad is None
    torch.testing.assert_close(x.grad, module.weight.sum(0).expand(32, -1), rtol=1e-4, atol=1e-4)
