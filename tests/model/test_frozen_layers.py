from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import make_tiny

from crossover.model import frozen_layers
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.finetune import Finetune
from crossover.model.frozen_layers import FEWEST_ROWS, FrozenLayers, StateCache
from crossover.model.packed_network import PackedNetwork
from crossover.model.training_loop import Network, frozen_layers_of

TEXTS = [
    f"{a} {b} call now" for a in ("free", "lunch", "win", "meeting") for b in ("prize", "cash report", "love")
]
LABELS = ["ham", "spam"] * 6
SETTINGS = {"learning_rate": 3e-3, "head_learning_rate": 1e-2, "min_steps": 8, "epochs": 1, "batch_size": 5}


def network(folder: Path, layers: int = 1, seed: int = 0) -> Network:
    net = Network(load_backbone(Encoder(str(folder), max_length=32), dropout=0.0), 2, 0.0, seed)
    net.freeze(layers)
    return net.eval()


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> StateCache:
    cache = StateCache()
    monkeypatch.setattr(frozen_layers, "STATES", cache)
    return cache


def fitted(folder: Path, **changes: object) -> Finetune:
    given = {**SETTINGS, "freeze_layers": 1, "dropout": 0.2, **changes}
    model = Finetune(Encoder(str(folder), max_length=32), **given)  # type: ignore[arg-type]
    return model.fit(TEXTS, LABELS, ["ham", "spam"])


@pytest.mark.parametrize("architecture", ["bert", "electra", "distilbert"])
@pytest.mark.parametrize("layers", [1, 2])
def test_states_are_the_modules_own_above_that_layer(tmp_path: Path, architecture: str, layers: int) -> None:
    net = network(make_tiny(tmp_path / architecture, architecture), layers)
    rows = net.backbone.tokenize(TEXTS)
    with torch.no_grad():
        for row, state in zip(rows, FrozenLayers(PackedNetwork(net)).states(rows), strict=True):
            found = net.module(input_ids=torch.tensor([row]), output_hidden_states=True).hidden_states[layers]
            torch.testing.assert_close(state, found[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_texts_states_do_not_depend_on_company_or_order(tiny_model: Path, dtype: str) -> None:
    net = network(tiny_model)
    rows = net.backbone.tokenize(TEXTS * 9)
    packed = PackedNetwork(net, dtype)
    found = packed.states(rows)
    for k in np.random.default_rng(0).permutation(len(rows))[:20]:
        assert torch.equal(packed.states([rows[k]])[0], found[k])
    assert all(torch.equal(a, b) for a, b in zip(packed.states(rows[::-1]), found[::-1], strict=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_has_the_same_bits_with_states_kept_partly_kept_and_never_kept(
    tiny_model: Path, nothing_kept: StateCache, dtype: str
) -> None:
    test = TEXTS * 3
    first = fitted(tiny_model, dtype=dtype)
    found, one = first.predict_logits(test), nothing_kept.held // len(TEXTS)
    assert nothing_kept.held > 0
    for most in (nothing_kept.most, 5 * one, 0):
        if most < nothing_kept.most:
            nothing_kept.forget()
        nothing_kept.most = most
        again = fitted(tiny_model, dtype=dtype)
        assert [e["loss"] for e in again.history_] == [e["loss"] for e in first.history_]
        np.testing.assert_array_equal(again.predict_logits(test), found)
        assert nothing_kept.held <= most
    nothing_kept.forget()
    assert nothing_kept.held == 0
    np.testing.assert_array_equal(again.predict_logits(test), found)


def test_with_and_without_states_the_logits_have_the_same_bits(tiny_model: Path) -> None:
    net = network(tiny_model)
    rows, packed = net.backbone.tokenize(TEXTS), PackedNetwork(net)
    assert torch.equal(packed.evaluate(rows, packed.states(rows)), packed.evaluate(rows))


def test_other_seeds_and_sizes_take_what_is_kept_and_tell_what_it_cost(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fitted(tiny_model)
    assert first.cost_["encode_seconds"] == pytest.approx(first.cost_["encode_seconds_cold"])
    asked: list[int] = []
    states = PackedNetwork.states
    monkeypatch.setattr(
        PackedNetwork, "states", lambda self, rows: (asked.append(len(rows)), states(self, rows))[1]
    )
    second = fitted(tiny_model, seed=1, order_seed=1, learning_rate=1e-3)
    assert sum(asked) == 0
    assert second.cost_["encode_seconds"] < second.cost_["encode_seconds_cold"]
    assert second.cost_["encode_seconds_cold"] == pytest.approx(first.cost_["encode_seconds_cold"], rel=0.5)


@pytest.mark.parametrize(
    "changes", [{"pretrained": False, "seed": 1}, {"dtype": "bfloat16"}, {"freeze_layers": 2}]
)
def test_other_weights_layers_or_arithmetic_are_other_states(
    tiny_model: Path, nothing_kept: StateCache, changes: dict[str, object]
) -> None:
    fitted(tiny_model)
    held = nothing_kept.held
    fitted(tiny_model, **changes)
    assert nothing_kept.held == 2 * held


def test_the_least_recently_used_goes_first_and_a_few_texts_are_never_asked_for(tiny_model: Path) -> None:
    cache = StateCache(most=2 * 4 * 8)
    for name in (b"a", b"b"):
        cache.keep(("key", name), torch.ones(8), 1.0)
    assert cache.find(("key", b"a")) is not None
    cache.keep(("key", b"c"), torch.ones(8), 1.0)
    assert [cache.find(("key", name)) is not None for name in (b"a", b"b", b"c")] == [True, False, True]
    model = fitted(tiny_model)
    model.cost_ = {}
    model.predict_logits(TEXTS[: FEWEST_ROWS - 1])
    assert "encode_seconds_cold" not in model.cost_
    model.predict_logits(TEXTS * 3)
    assert model.cost_["encode_seconds_cold"] > 0


def test_nothing_is_dropped_below_the_first_trained_layer_whatever_computes_it(tmp_path: Path) -> None:
    for architecture in ("bert", "roberta"):
        folder = make_tiny(tmp_path / architecture, architecture)
        net = Network(load_backbone(Encoder(str(folder), max_length=32), dropout=0.5), 2, 0.5, 0)
        net.freeze(1)
        net.train()
        assert not net.module.embeddings.training and not net.layers()[0].training  # type: ignore[union-attr]
        assert net.layers()[1].training and net.dropout.training
        assert (frozen_layers_of(net, "float32") is None) == (architecture == "roberta")
        assert all(p.requires_grad for p in net.layers()[1].parameters())


def test_early_stopping_over_frozen_layers_keeps_the_lowest_loss(tiny_model: Path) -> None:
    from crossover.data.corpus import Rows

    model = Finetune(
        Encoder(str(tiny_model), max_length=32),
        **{**SETTINGS, "freeze_layers": 1, "early_stopping": True, "evaluate_every": 2},  # type: ignore[arg-type]
    )
    watched = Rows(TEXTS[:7], LABELS[:7])
    model.fit(TEXTS, LABELS, ["ham", "spam"], watched)
    losses = {int(e["step"]): e["validation_loss"] for e in model.history_ if "validation_loss" in e}
    gold = [["ham", "spam"].index(label) for label in watched.labels]
    kept = -np.log(model.predict_proba(watched.texts)[range(7), gold]).mean()
    assert kept == pytest.approx(min(losses.values()), rel=1e-6)
