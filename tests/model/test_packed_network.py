from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import make_tiny
from torch import Tensor, nn
from torch.nn import functional

from crossover.model import packed_attention, packed_network, runtime
from crossover.model.dropout import Dropout
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.lora import add_adapters
from crossover.model.packed_attention import GROUP_COST, attend, attend_natively, lay_out
from crossover.model.packed_network import PackedNetwork, packs
from crossover.model.training_loop import Network, Recipe, predict_logits, train

PACKED = ("bert", "electra", "distilbert")
TEXTS = [
    "free prize call now",
    "lunch tomorrow",
    "meeting about the report please thanks love " * 3,
    "win",
    "win cash call now",
    "home later the a",
    "report " * 58,
]


def network(folder: Path, dropout: float = 0.0, pooling: str = "mean", outputs: int = 3) -> Network:
    encoder = Encoder(str(folder), max_length=64, pooling=pooling)
    return Network(load_backbone(encoder, seed=1, dropout=dropout), outputs, dropout, 1)


def tiny(folder: Path, architecture: str, **others: object) -> Network:
    return network(make_tiny(folder / architecture, architecture), **others)  # type: ignore[arg-type]


def gradients(net: Network, logits: Tensor) -> dict[str, Tensor]:
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    pull = torch.linspace(-1, 2, logits.numel(), device=logits.device).view(logits.shape)
    found = torch.autograd.grad((logits * pull).sum(), list(trained.values()), allow_unused=True)
    return {
        n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(trained.items(), found, strict=True)
    }


def compare(net: Network, rows: list[list[int]]) -> None:
    own, padded = PackedNetwork(net, dropout=Dropout(0)).logits(rows), net(rows)
    torch.testing.assert_close(own, padded, rtol=1e-4, atol=1e-5)
    expected = gradients(net, padded)
    for name, found in gradients(net, own).items():
        torch.testing.assert_close(
            found, expected[name], rtol=1e-3, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("architecture", PACKED)
def test_logits_and_gradients_are_those_of_the_transformers_module(
    tmp_path: Path, architecture: str, pooling: str
) -> None:
    net = tiny(tmp_path, architecture, pooling=pooling)
    assert packs(net)
    compare(net, net.backbone.tokenize(TEXTS))
    compare(net, net.backbone.tokenize(TEXTS[3:4]))


@pytest.mark.parametrize("architecture", ["roberta", "deberta-v2", "modernbert", "gpt2", "xlnet"])
def test_an_architecture_not_known_is_left_to_its_module(tmp_path: Path, architecture: str) -> None:
    assert not packs(tiny(tmp_path, architecture))


@pytest.mark.parametrize("cost", [0, GROUP_COST, 10**9])
def test_gradients_do_not_depend_on_who_attends_together(
    tmp_path: Path, cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_attention, "GROUP_COST", cost)
    net = tiny(tmp_path, "bert")
    rows = net.backbone.tokenize(TEXTS)
    groups = lay_out(rows, 32, torch.device("cpu")).groups
    assert len(groups) == {0: len(set(map(len, rows))), 10**9: 1}.get(cost, len(groups))
    compare(net, rows)


@pytest.mark.parametrize("architecture", PACKED)
def test_adapters_and_frozen_layers_keep_their_gradients(tmp_path: Path, architecture: str) -> None:
    adapted, frozen = tiny(tmp_path, architecture), tiny(tmp_path, architecture)
    add_adapters(adapted, 2, 8.0, None, 0)
    frozen.freeze(1)
    with torch.no_grad():
        for name, p in adapted.named_parameters():
            if ".up." in name:
                p.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    for net in (adapted, frozen):
        compare(net, net.backbone.tokenize(TEXTS))
    assert not any("embeddings" in name or "layer.0" in name for name in gradients(frozen, frozen([[2, 3]])))


@pytest.mark.parametrize("architecture", PACKED)
def test_dropout_falls_where_the_module_has_it_at_its_rates(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = tiny(tmp_path, architecture, dropout=0.1)
    for k, part in enumerate(m for m in net.modules() if isinstance(m, nn.Dropout)):
        part.p = 0.01 * (k + 1)
    rows = net.backbone.tokenize(TEXTS[:1])
    net.train()
    told: list[float] = []
    plain, attention = functional.dropout, functional.scaled_dot_product_attention

    def dropped(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        told.append(p)
        return plain(x, p, training, inplace)

    def attended(*given: Tensor, dropout_p: float = 0.0, **others: object) -> Tensor:
        told.append(dropout_p)
        return attention(*given, dropout_p=dropout_p, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(functional, "dropout", dropped)
    monkeypatch.setattr(functional, "scaled_dot_product_attention", attended)
    with torch.random.fork_rng():
        net(rows)
    expected, own = list(told), []

    class Noted(Dropout):
        def mask(self, shape: tuple[int, ...], rate: float) -> Tensor:
            own.append(rate)
            return super().mask(shape, rate)

    PackedNetwork(net, dropout=Noted(0)).logits(rows)
    assert own == expected and len(set(own)) == len(own) >= 6


def test_dropout_is_drawn_from_its_seed_and_moves_logits_about_those_without(tmp_path: Path) -> None:
    net = tiny(tmp_path, "bert", dropout=0.3)
    rows = net.backbone.tokenize(TEXTS)
    draws = [PackedNetwork(net, dropout=Dropout(seed)).logits(rows).detach() for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1]) and not torch.allclose(draws[0], draws[2], atol=1e-3)


@pytest.mark.parametrize("architecture", PACKED)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_in_evaluation_a_rows_bits_depend_on_nothing_but_the_row(
    tmp_path: Path, architecture: str, dtype: str
) -> None:
    net = tiny(tmp_path, architecture)
    rows = net.backbone.tokenize(TEXTS * 20)
    packed = PackedNetwork(net, dtype)
    found = packed.evaluate(rows)
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    assert torch.equal(packed.evaluate([rows[k] for k in order]), found[order])
    for k in range(len(TEXTS)):
        assert torch.equal(packed.evaluate([rows[k]])[0], found[k]), TEXTS[k]
    with torch.no_grad():
        close = 1e-5 if dtype == "float32" else 0.03
        torch.testing.assert_close(found, net.eval()(rows), rtol=0, atol=close)


def test_a_text_longer_than_a_batch_is_a_batch_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = tiny(tmp_path, "bert")
    rows = net.backbone.tokenize(TEXTS)
    found = PackedNetwork(net).evaluate(rows)
    monkeypatch.setattr(packed_network, "BATCH_TOKENS", packed_network.HEIGHT // 2)
    assert torch.equal(PackedNetwork(net).evaluate(rows), found)


def test_no_rows_and_one_token_are_no_special_case(tmp_path: Path) -> None:
    net = tiny(tmp_path, "bert")
    assert PackedNetwork(net).evaluate([]).shape == (0, 3)
    compare(net, [[7], [7, 8], [9]])


def test_torchs_own_attention_gives_the_same_on_all_rows_at_once(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = [[1] * n for n in (3, 9, 9, 20)]
    whole = lay_out(rows, 32, torch.device("cpu"), whole=True)
    given = [torch.randn(64, 16, generator=generator, requires_grad=True) for _ in range(3)]
    own, native = attend(*given, whole, 4), attend_natively(*given, whole, 4)
    torch.testing.assert_close(native, own, rtol=1e-5, atol=1e-5)
    assert not own[41:].any() and not native[41:].any(), "the filling sees nothing"
    pull = torch.randn(64, 16, generator=generator)
    for one, other in zip(
        torch.autograd.grad((native * pull).sum(), given),
        torch.autograd.grad((own * pull).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_prediction_is_packed_and_equals_the_modules(tmp_path: Path) -> None:
    net = tiny(tmp_path, "bert")
    rows = net.backbone.tokenize(TEXTS)
    with torch.no_grad():
        np.testing.assert_allclose(predict_logits(net, rows), net.eval()(rows).numpy(), atol=1e-5)
    np.testing.assert_array_equal(predict_logits(net, rows), PackedNetwork(net).evaluate(rows).numpy())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("architecture", PACKED)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_on_a_gpu_logits_and_gradients_are_those_of_the_transformers_module(
    tmp_path: Path, architecture: str, dtype: str
) -> None:
    with runtime.use(runtime.Runtime(device="cuda")):
        net = tiny(tmp_path, architecture)
    rows = net.backbone.tokenize(TEXTS)
    own = PackedNetwork(net, dtype, Dropout(0)).logits(rows)
    with torch.autocast("cuda", torch.bfloat16, enabled=dtype == "bfloat16"):
        padded = net(rows)
    close = {"float32": 1e-3, "bfloat16": 0.05}[dtype]
    torch.testing.assert_close(own, padded, rtol=close, atol=close)
    expected = gradients(net, padded)
    for name, found in gradients(net, own).items():
        assert found.isfinite().all()
        if name.endswith("weight") and "embeddings" not in name:
            apart = (found - expected[name]).norm() / expected[name].norm()
            assert apart < {"float32": 1e-2, "bfloat16": 0.1}[dtype], name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_on_a_gpu_a_seed_fixes_a_training_with_dropout(tmp_path: Path) -> None:
    losses = []
    for seed in (0, 0, 1):
        with runtime.use(runtime.Runtime(device="cuda")):
            net = tiny(tmp_path, "bert", dropout=0.3, outputs=2)
        recipe = Recipe(4, 4, 1e-3, 1e-2, batch_size=4, dtype="bfloat16")
        course = train(net, net.backbone.tokenize(TEXTS), [0, 1, 0, 1, 1, 0, 0], recipe, seed)
        losses.append([entry["loss"] for entry in course.history])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2)
    assert not np.allclose(losses[0], losses[2], rtol=1e-2)
