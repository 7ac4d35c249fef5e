"""F22: a batch that memory does not hold is halved; the step stays that of the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from crossover.model import training_loop
from crossover.model.batch_gradient import add_gradient
from crossover.model.dropout import Dropout
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.packed_network import PackedNetwork
from crossover.model.training_loop import Network, Recipe, train

TEXTS = ["free prize call now", "lunch tomorrow", "win cash", "a", "meeting about the report please " * 4]
TARGETS = [1, 0, 1, 0, 0]
FULL = RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


def network(folder: Path, dropout: float = 0.0) -> Network:
    backbone = load_backbone(Encoder(str(folder), max_length=64), seed=0, dropout=dropout)
    return Network(backbone, 2, dropout, 0)


def holding(most: int, error: BaseException, tried: list[int]) -> object:
    """The packed logits of a machine that has memory for ``most`` rows."""
    real = PackedNetwork.logits

    def logits(self: PackedNetwork, rows: Sequence[Sequence[int]], states: object = None) -> Tensor:
        tried.append(len(rows))
        found = real(self, rows, states)  # what it drew must not count
        if len(rows) > most:
            raise error
        return found

    return logits


@pytest.mark.parametrize("weights", [None, [0.5, 2.0]], ids=["rows alike", "class weights"])
@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_the_pieces_add_up_to_the_gradient_of_the_whole_batch(
    most: int, weights: list[float] | None, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = network(tiny_model)
    tokens, goal = net.backbone.tokenize(TEXTS), torch.tensor(TARGETS)
    by_class = None if weights is None else torch.tensor(weights)
    packed = PackedNetwork(net, dropout=Dropout(0))
    rewind = partial(net.zero_grad, set_to_none=True)
    whole, pieces = add_gradient(packed.logits, tokens, goal, by_class, rewind)
    assert pieces == 1
    expected = {name: p.grad.clone() for name, p in net.named_parameters()}
    rewind()
    tried: list[int] = []
    monkeypatch.setattr(PackedNetwork, "logits", holding(most, FULL, tried))
    loss, pieces = add_gradient(packed.logits, tokens, goal, by_class, rewind)
    assert pieces == {1: 5, 2: 3, 3: 2, 4: 2}[most] and max(tried[-pieces:]) <= most
    assert loss == pytest.approx(whole, rel=1e-6)
    for name, p in net.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "error",
    [FULL, MemoryError(), torch.OutOfMemoryError("CUDA out of memory")],
    ids=["torch", "numpy", "CUDA"],
)
def test_a_halved_step_is_in_the_history_and_draws_as_if_the_whole_had_not_been_tried(
    error: BaseException, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(planned_steps=3, steps=3, learning_rate=1e-3, batch_size=4)

    def course(most: int) -> list[dict[str, float]]:
        net = network(tiny_model, dropout=0.1)
        with monkeypatch.context() as patched:
            patched.setattr(PackedNetwork, "logits", holding(most, error, []))
            return train(net, net.backbone.tokenize(TEXTS), TARGETS, recipe).history

    whole, halved = course(4), course(2)
    assert all("micro_batches" not in entry for entry in whole)
    assert [entry["micro_batches"] for entry in halved] == [2.0, 2.0, 2.0]
    assert course(3) == halved == course(2), "where the whole batch fails decides nothing"
    assert [entry["loss"] for entry in halved] == pytest.approx([e["loss"] for e in whole], rel=0.5)


def test_another_error_is_no_reason_to_try_again(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(PackedNetwork, "logits", holding(0, RuntimeError("mat1 and mat2"), tried))
    net = network(tiny_model)
    with pytest.raises(RuntimeError, match="mat1"):
        train(net, net.backbone.tokenize(TEXTS), TARGETS, Recipe(planned_steps=1, steps=1))
    assert len(tried) == 1


def test_a_row_that_alone_does_not_fit_is_named(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(training_loop.PackedNetwork, "logits", holding(0, FULL, tried))
    net = network(tiny_model)
    tokens = net.backbone.tokenize(TEXTS)
    with pytest.raises(MemoryError, match=rf"longest: training row 5, {len(tokens[4])} tokens\); lower"):
        train(net, tokens, TARGETS, Recipe(planned_steps=1, steps=1, batch_size=5))
    assert tried == [5, 3, 2, 1]
