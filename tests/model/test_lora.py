from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import make_tiny
from torch import nn

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model.classifier import load, save
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.finetune import Finetune
from crossover.model.lora import LowRank, add_adapters, draw_adapters
from crossover.model.training_loop import Network, Recipe, train
from crossover.protocol.component import component

TEXTS = ["free prize call now", "lunch tomorrow", "win cash claim money", "meeting about the report please"]
TARGETS = [1, 0, 1, 0]
RECIPE = Recipe(planned_steps=5, steps=5, learning_rate=1e-2, head_learning_rate=1e-2, batch_size=4)
SETTINGS = {"learning_rate": 1e-2, "head_learning_rate": 1e-2, "min_steps": 6, "epochs": 1, "batch_size": 4}


def network(folder: Path, seed: int = 0) -> Network:
    return Network(load_backbone(Encoder(str(folder), max_length=32), dropout=0.0), 2, 0.0, seed)


def adapted(folder: Path, rank: int = 4, targets: list[str] | None = None, seed: int = 0) -> Network:
    net = network(folder, seed)
    add_adapters(net, rank, 8.0, targets, seed)
    return net


def merged(net: Network, plain: Network) -> Network:
    """The plain network with W + (alpha / rank) B A in place of each adapted W."""
    parts = dict(net.module.named_modules())
    with torch.no_grad():
        for name, module in plain.module.named_modules():
            beside = parts.get(name)
            if isinstance(beside, LowRank):
                extra = beside.scale * beside.up.weight @ beside.down.weight
                module.weight += extra if isinstance(module, nn.Linear) else extra.T
        plain.head.load_state_dict(net.head.state_dict())
    return plain


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "deberta-v2", "modernbert", "gpt2", "xlnet"])
def test_trained_adapters_are_the_dense_network_with_their_products_added(
    tmp_path: Path, architecture: str
) -> None:
    folder = make_tiny(tmp_path / architecture, architecture)
    net = adapted(folder)
    tokens = net.backbone.tokenize(TEXTS)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    course = train(net, tokens, TARGETS, RECIPE)
    assert course.history[-1]["loss"] < course.history[0]["loss"]
    for name, p in net.named_parameters():
        is_trained = name.startswith("head.") or ".up." in name or ".down." in name
        assert torch.equal(p, before[name]) != is_trained, name
    dense = merged(net, network(folder))
    with torch.no_grad():
        assert not torch.allclose(net(tokens), network(folder)(tokens), atol=1e-2), "it learned something"
        torch.testing.assert_close(net(tokens), dense.eval()(tokens), rtol=1e-5, atol=1e-5)


def test_before_the_first_step_it_is_the_frozen_network_and_a_is_drawn_by_seed(tiny_model: Path) -> None:
    plain, first = network(tiny_model), adapted(tiny_model)
    tokens = plain.backbone.tokenize(TEXTS)
    with torch.no_grad():
        assert torch.equal(plain(tokens), first(tokens))
    torch.manual_seed(99)
    state, again, other = torch.get_rng_state(), adapted(tiny_model), adapted(tiny_model, seed=1)
    assert torch.equal(torch.get_rng_state(), state), "the global generator is left alone"
    name = "module.encoder.layer.0.attention.self.query.down.weight"
    drawn = first.state_dict()[name]
    assert torch.equal(drawn, again.state_dict()[name])
    assert not torch.equal(drawn, other.state_dict()[name])
    draw_adapters(other, 0)
    assert torch.equal(drawn, other.state_dict()[name])
    assert drawn.abs().max() <= 32**-0.5 and drawn.std() == pytest.approx((32 * 3) ** -0.5, rel=0.2)


def test_targets_choose_maps_by_name_and_an_unknown_name_lists_them(tiny_model: Path) -> None:
    net = adapted(tiny_model, targets=["query", "value"])
    inside = [name.rpartition(".")[2] for name, m in net.module.named_modules() if isinstance(m, LowRank)]
    assert sorted(inside) == ["query", "query", "value", "value"]
    with pytest.raises(BadInput, match=r"no linear map 'q_lin'.*among dense, key, query, value, or null"):
        adapted(tiny_model, targets=["query", "q_lin"])


ROWS = Rows([f"{text} {k}" for k in range(4) for text in TEXTS], ["ham", "spam"] * 8)


def fitted(folder: Path, **changes: object) -> Finetune:
    model = Finetune(Encoder(str(folder), max_length=32), **{**SETTINGS, "lora_rank": 2, **changes})  # type: ignore[arg-type]
    return model.fit(ROWS.texts, ROWS.labels, ["ham", "spam"])


def test_only_adapters_and_head_are_counted_as_parameters(tiny_model: Path) -> None:
    model = fitted(tiny_model, lora_targets=["query"])
    assert model.parameters_ == 2 * 2 * (32 + 32) + (32 * 2 + 2)
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS), fitted(tiny_model, lora_targets=["query"]).predict_proba(TEXTS)
    )


def test_scale_and_rank_are_settings(tiny_model: Path) -> None:
    plain = fitted(tiny_model).predict_proba(TEXTS)
    assert not np.array_equal(fitted(tiny_model, lora_alpha=64.0).predict_proba(TEXTS), plain)
    assert fitted(tiny_model, lora_rank=4).parameters_ > fitted(tiny_model).parameters_


def test_layers_with_adapters_keep_their_own_rates(tiny_model: Path) -> None:
    whole, decayed = fitted(tiny_model).state()[0], fitted(tiny_model, layer_decay=0.1).state()[0]
    name = "module.encoder.layer.{}.output.dense.up.weight"
    ratio = [np.abs(decayed[name.format(k)]).mean() / np.abs(whole[name.format(k)]).mean() for k in (0, 1)]
    assert ratio[0] < 0.3 < 0.8 < ratio[1]


@pytest.mark.parametrize("settings", [{"freeze_layers": 1}, {"freeze_embeddings": True}])
def test_freezing_beside_adapters_is_refused(tiny_model: Path, settings: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="lora_rank=2 freezes the whole transformer"):
        fitted(tiny_model, **settings)


@pytest.mark.parametrize(("setting", "value"), [("lora_rank", 0), ("lora_alpha", 0.0)])
def test_a_setting_outside_its_range_is_refused(tiny_model: Path, setting: str, value: object) -> None:
    with pytest.raises(BadInput, match=f"Finetune: {setting}={value}; expected"):
        fitted(tiny_model, **{setting: value})


def test_a_saved_one_predicts_the_same_bits(tiny_model: Path, tmp_path: Path) -> None:
    plain = {"_target_": "crossover.model.encoder.encoder.Encoder", "name": str(tiny_model), "max_length": 32}
    made_from = component(
        "crossover.model.finetune.Finetune", {**SETTINGS, "encoder": plain, "lora_rank": 2, "lora_alpha": 16}
    )
    assert "lora_alpha" not in made_from.settings, "the default is no part of the name"
    model = fitted(tiny_model)
    save(model, made_from, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert again.parameters_ == model.parameters_
