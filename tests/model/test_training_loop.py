from __future__ import annotations

import itertools
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import make_tiny
from torch.nn.functional import cross_entropy

from crossover.model import training_loop
from crossover.model.batch_gradient import add_gradient
from crossover.model.batching import (
    length_groups,
    padded_length,
    prediction_batches,
    seed_of,
    training_order,
)
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.optimiser import adamw, schedule
from crossover.model.training_loop import Network, Recipe, _grouped, mean_loss, predict_logits, train

TEXTS = [
    "free prize call now",
    "lunch tomorrow",
    "win cash",
    "meeting about the report please thanks love " * 3,
]
TARGETS = [1, 0, 1, 0]
RECIPE = Recipe(planned_steps=6, steps=6, learning_rate=1e-3, head_learning_rate=1e-2, batch_size=4)


def network(folder: Path, dropout: float = 0.0, seed: int = 0) -> Network:
    backbone = load_backbone(Encoder(str(folder), max_length=64), seed=seed, dropout=dropout)
    return Network(backbone, 2, dropout, seed)


def weights(net: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def test_the_rate_rises_in_a_line_and_falls_in_a_line_to_its_last_step() -> None:
    found = [schedule(step, 10, 0.2) for step in range(1, 11)]
    np.testing.assert_allclose(found, [1 / 2, 1, 8 / 9, 7 / 9, 6 / 9, 5 / 9, 4 / 9, 3 / 9, 2 / 9, 1 / 9])
    assert schedule(1, 1, 0.0) == 1
    assert [schedule(step, 4, 1.0) for step in (1, 4)] == [0.25, 1]


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 3))
def test_every_row_comes_once_an_epoch_and_every_batch_is_full(rows: int, size: int, seed: int) -> None:
    stream = training_order(rows, size, seed)
    batches = list(itertools.islice(stream, 2 * rows))
    assert {len(batch) for batch in batches} == {size}
    flat = [row for batch in batches for row in batch]
    epochs = [flat[start : start + rows] for start in range(0, len(flat) - rows + 1, rows)]
    assert all(sorted(epoch) == list(range(rows)) for epoch in epochs)


def test_the_order_changes_with_the_epoch_and_with_the_seed_alone() -> None:
    first = list(itertools.islice(training_order(30, 30, 0), 3))
    torch.manual_seed(5)
    assert first == list(itertools.islice(training_order(30, 30, 0), 3))
    assert first[0] != first[1] != first[2]
    assert first[0] != next(training_order(30, 30, 1))
    assert len({seed_of(seed, k) for seed in range(20) for k in range(20)}) == 400


@given(st.lists(st.integers(1, 16).map(lambda n: 8 * n), min_size=1, max_size=7), st.integers(0, 200))
def test_length_groups_are_the_cheapest_of_all_partitions(lengths: list[int], call: int) -> None:
    def cost(groups: list[list[int]]) -> int:
        return sum(max(lengths[k] for k in group) * len(group) + call for group in groups)

    found = length_groups(lengths, call)
    assert sorted(k for group in found for k in group) == list(range(len(lengths)))
    order = sorted(range(len(lengths)), key=lambda k: lengths[k])
    best = math.inf
    for cuts in itertools.product([False, True], repeat=len(order) - 1):
        groups = [[order[0]]]
        for row, apart in zip(order[1:], cuts, strict=True):
            if apart:
                groups.append([])
            groups[-1].append(row)
        best = min(best, cost(groups))
    assert cost(found) == best


def test_prediction_batches_hold_one_padded_length_and_follow_the_content() -> None:
    draw = np.random.default_rng(0)
    tokens = [draw.integers(5, 50, draw.integers(1, 40)).tolist() for _ in range(60)]
    batches = list(prediction_batches(tokens, 4))
    assert sorted(k for batch in batches for k in batch) == list(range(60))
    assert all(len({padded_length(tokens[k]) for k in batch}) == 1 and len(batch) <= 4 for batch in batches)
    order = draw.permutation(60).tolist()
    mixed = [tokens[k] for k in order]
    assert [[mixed[k] for k in b] for b in prediction_batches(mixed, 4)] == [
        [tokens[k] for k in b] for b in batches
    ]


def test_a_step_is_torchs_reference_adamw_with_bias_correction(tiny_model: Path) -> None:
    ours, reference = network(tiny_model), network(tiny_model)
    tokens = ours.backbone.tokenize(TEXTS)
    recipe = Recipe(
        planned_steps=3, steps=3, learning_rate=1e-3, head_learning_rate=1e-2, batch_size=4, weight_decay=0.1
    )
    train(ours, tokens, TARGETS, recipe)
    # Written out from Loshchilov & Hutter 2019, algorithm 2; one padded batch, plain tensors, no groups.
    named = [(name, p) for name, p in reference.named_parameters()]
    first = {name: torch.zeros_like(p) for name, p in named}
    second = {name: torch.zeros_like(p) for name, p in named}
    batches = training_order(4, 4, 0)
    for step, share in enumerate([1.0, 2 / 3, 1 / 3], 1):
        rows = next(batches)
        logits = reference([tokens[k] for k in rows])
        gradients = torch.autograd.grad(
            cross_entropy(logits, torch.tensor([TARGETS[k] for k in rows])), [p for _, p in named]
        )
        norm = torch.sqrt(sum((g**2).sum() for g in gradients))
        with torch.no_grad():
            for (name, p), gradient in zip(named, gradients, strict=True):
                gradient = gradient * min(1.0, 1.0 / (float(norm) + 1e-6))
                rate = share * (1e-2 if name.startswith("head.") else 1e-3)
                p -= rate * (0.1 if p.ndim > 1 else 0.0) * p
                first[name] = 0.9 * first[name] + 0.1 * gradient
                second[name] = 0.999 * second[name] + 0.001 * gradient**2
                corrected = second[name] / (1 - 0.999**step)
                p -= rate * (first[name] / (1 - 0.9**step)) / (corrected.sqrt() + 1e-8)
    for (name, p), (_, q) in zip(ours.named_parameters(), named, strict=True):
        if not name.endswith("key.bias"):  # softmax ignores it: its gradient is noise, Adam takes the sign
            torch.testing.assert_close(p, q, rtol=0, atol=5e-5, msg=lambda text, name=name: f"{name}: {text}")


def test_groups_of_like_length_leave_the_gradient_of_the_whole_batch(tiny_model: Path) -> None:
    net = network(tiny_model)
    tokens = net.backbone.tokenize([*TEXTS, "report " * 60])
    assert len(length_groups([padded_length(row) for row in tokens])) > 1
    goal, weight = torch.tensor([1, 0, 1, 0, 0]), torch.tensor([0.5, 2.0])
    loss, pieces = add_gradient(partial(_grouped, net, "float32"), tokens, goal, weight, lambda: None)
    assert pieces == 1
    grouped = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    whole = cross_entropy(net(tokens), goal, weight)
    whole.backward()
    assert loss == pytest.approx(whole.item(), rel=1e-5)
    for one, p in zip(grouped, net.parameters(), strict=True):
        torch.testing.assert_close(one, p.grad, rtol=1e-4, atol=1e-6)


def test_the_gradient_is_clipped_to_the_norm_given_and_its_own_norm_is_kept(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    step = torch.optim.AdamW.step

    def spy(self: torch.optim.AdamW) -> None:
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        seen.append(math.sqrt(sum(float((g**2).sum()) for g in gradients)))
        step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    net = network(tiny_model)
    recipe = Recipe(planned_steps=2, steps=2, batch_size=4, clip=0.01)
    course = train(net, net.backbone.tokenize(TEXTS), TARGETS, recipe)
    assert seen == pytest.approx([0.01, 0.01], rel=1e-3)
    assert all(entry["gradient_norm"] > 0.1 for entry in course.history)


def test_history_has_every_step_with_its_rate_and_progress_is_told(tiny_model: Path) -> None:
    net = network(tiny_model)
    tokens = net.backbone.tokenize(TEXTS)
    told: list[tuple[int, int, str]] = []
    course = train(net, tokens, TARGETS, RECIPE, on_step=lambda *step: told.append(step))
    assert [entry["step"] for entry in course.history] == [1, 2, 3, 4, 5, 6]
    assert course.history[0]["learning_rate"] == pytest.approx(1e-3)
    assert course.history[-1]["learning_rate"] == pytest.approx(1e-3 / 6)
    assert course.history[-1]["loss"] < course.history[0]["loss"]
    assert course.tokens == 6 * sum(len(row) for row in tokens)
    assert [step[:2] for step in told] == [(k, 6) for k in range(1, 7)]
    assert told[0][2] == f"loss {course.history[0]['loss']:.3f}"


def test_a_loss_that_is_not_finite_is_named_with_step_and_rate(tiny_model: Path) -> None:
    net = network(tiny_model)
    recipe = Recipe(planned_steps=9, steps=9, batch_size=4, learning_rate=1e-3, warmup=0.0)

    def poison(step: int, total: int, message: str) -> None:
        if step == 2:
            with torch.no_grad():
                net.head.weight[0, 0] = math.nan

    with pytest.raises(
        FloatingPointError, match=r"step 3 of 9: loss nan.*learning rate 0\.000777.*lower model"
    ):
        train(net, net.backbone.tokenize(TEXTS), TARGETS, recipe, on_step=poison)


def test_a_gradient_that_is_not_finite_is_named_too(tiny_model: Path) -> None:
    net = network(tiny_model)
    net.head.bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(FloatingPointError, match=r"step 1 of 6: loss 0\.\d+, gradient norm (inf|nan)"):
        train(net, net.backbone.tokenize(TEXTS), TARGETS, RECIPE)


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_memory_that_runs_out_names_the_longest_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    net = network(make_tiny(tmp_path / architecture, architecture))

    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(training_loop.PackedNetwork, "logits", full)
    monkeypatch.setattr(net.backbone, "forward_pooled", full)
    with pytest.raises(MemoryError, match=r"step 1: .*4 rows \(longest: training row 4, \d+ tokens\); lower"):
        train(net, net.backbone.tokenize(TEXTS), TARGETS, RECIPE)


def test_early_stopping_keeps_the_weights_of_the_lowest_validation_loss(tiny_model: Path) -> None:
    net = network(tiny_model)
    tokens = net.backbone.tokenize(TEXTS)
    # Validation with the labels swapped: every step away from the start makes it worse.
    swapped = (tokens, [1 - k for k in TARGETS])
    recipe = Recipe(
        planned_steps=40,
        steps=40,
        learning_rate=1e-3,
        head_learning_rate=1e-2,
        batch_size=4,
        evaluate_every=2,
        patience=3,
    )
    course = train(net, tokens, TARGETS, recipe, validation=swapped)
    watched = {int(e["step"]): e["validation_loss"] for e in course.history if "validation_loss" in e}
    assert course.kept_step == min(watched, key=watched.__getitem__) == 2
    assert len(course.history) == 8 and list(watched) == [2, 4, 6, 8]
    assert mean_loss(net, *swapped) == watched[2] < watched[8]


def test_watching_validation_changes_no_step_of_training(tiny_model: Path) -> None:
    runs = []
    for validation in (False, True):
        net = network(tiny_model, dropout=0.3)
        tokens = net.backbone.tokenize(TEXTS)
        recipe = Recipe(planned_steps=6, steps=6, learning_rate=1e-3, batch_size=3, evaluate_every=1)
        watched = (tokens, TARGETS) if validation else None
        runs.append(train(net, tokens, TARGETS, recipe, validation=watched).history)
    assert [e["loss"] for e in runs[0]] == [e["loss"] for e in runs[1]]
    assert "validation_loss" in runs[1][0] and "validation_loss" not in runs[0][0]


def test_stopping_at_a_step_is_the_same_course_cut_short(tiny_model: Path) -> None:
    losses = []
    for steps in (6, 3):
        net = network(tiny_model)
        recipe = Recipe(planned_steps=6, steps=steps, learning_rate=1e-3, batch_size=4)
        losses.append([e["loss"] for e in train(net, net.backbone.tokenize(TEXTS), TARGETS, recipe).history])
    assert losses[1] == losses[0][:3] and len(losses[0]) == 6


def test_dropout_draws_from_the_seed_and_global_randomness_stays_as_it_was(tiny_model: Path) -> None:
    def losses(seed: int, disturbed: int) -> list[float]:
        torch.manual_seed(disturbed)
        net = network(tiny_model, dropout=0.3)
        before = torch.random.get_rng_state()
        course = train(net, net.backbone.tokenize(TEXTS), TARGETS, RECIPE, seed=seed)
        assert torch.equal(before, torch.random.get_rng_state())
        return [entry["loss"] for entry in course.history]

    assert losses(0, 1) == losses(0, 2) != losses(1, 1)


def test_bfloat16_leaves_float32_weights_and_nearly_the_same_course(tiny_model: Path) -> None:
    courses = {}
    for dtype in ("float32", "bfloat16"):
        net = network(tiny_model)
        recipe = Recipe(planned_steps=6, steps=6, learning_rate=1e-3, batch_size=4, dtype=dtype)
        courses[dtype] = [
            e["loss"] for e in train(net, net.backbone.tokenize(TEXTS), TARGETS, recipe).history
        ]
        assert {value.dtype for value in weights(net).values()} == {torch.float32}
    assert courses["bfloat16"] != courses["float32"]
    np.testing.assert_allclose(courses["bfloat16"], courses["float32"], atol=0.02)


def test_logits_of_shuffled_rows_have_the_same_bits(tiny_model: Path) -> None:
    net = network(tiny_model)
    tokens = net.backbone.tokenize(TEXTS * 12)
    order = np.random.default_rng(0).permutation(len(tokens))
    found = predict_logits(net, tokens)
    np.testing.assert_array_equal(predict_logits(net, [tokens[k] for k in order]), found[order])
    with torch.inference_mode():
        alone = net([tokens[3]]).double().numpy()
    np.testing.assert_allclose(found[3], alone[0], atol=1e-5)
    assert predict_logits(net, []).shape == (0, 2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_predictions_after_more_training_are_those_of_the_new_weights(tiny_model: Path, dtype: str) -> None:
    net = network(tiny_model)
    tokens = net.backbone.tokenize(TEXTS)
    before = predict_logits(net, tokens, dtype)
    np.testing.assert_array_equal(predict_logits(net, tokens, dtype), before)
    train(net, tokens, TARGETS, RECIPE)
    fresh = network(tiny_model)
    fresh.load_state_dict(net.state_dict())
    after = predict_logits(net, tokens, dtype)
    assert not np.allclose(after, before, atol=1e-3)
    np.testing.assert_array_equal(predict_logits(fresh, tokens, dtype), after)


def test_layer_decay_lowers_the_peak_rate_layer_by_layer_and_leaves_head_and_weight_decay_alone(
    tiny_model: Path,
) -> None:
    net = network(tiny_model)
    recipe = Recipe(
        planned_steps=2, steps=2, learning_rate=1e-3, head_learning_rate=1e-2, layer_decay=0.5, batch_size=4
    )
    optimiser = adamw(net, recipe)
    group_of = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    assert len(group_of) == len(list(net.parameters())), "every parameter is in one group"
    for name, parameter in net.named_parameters():
        group = group_of[id(parameter)]
        below = 2 if ".embeddings." in name else 1 if ".layer.0." in name else 0
        assert group["peak"] == pytest.approx(1e-2 if name.startswith("head.") else 1e-3 * 0.5**below), name
        assert group["weight_decay"] == (0.01 if parameter.ndim > 1 else 0.0)


def test_a_layer_decay_of_one_groups_and_trains_as_before(tiny_model: Path) -> None:
    assert len(adamw(network(tiny_model), RECIPE).param_groups) == 4
    moved = {}
    for decay in (1.0, 0.5):
        net = network(tiny_model)
        before = weights(net)
        recipe = Recipe(planned_steps=1, steps=1, learning_rate=1e-3, batch_size=4, layer_decay=decay)
        train(net, net.backbone.tokenize(TEXTS), TARGETS, recipe)
        after = weights(net)
        moved[decay] = {name: float((after[name] - before[name]).abs().max()) for name in after}
    # AdamW's first step is of the size of the rate, whatever the gradient.
    low, top = "module.encoder.layer.0.output.dense.weight", "module.encoder.layer.1.output.dense.weight"
    assert moved[0.5][top] == pytest.approx(moved[1.0][top], rel=1e-3)
    assert moved[0.5][low] == pytest.approx(0.5 * moved[1.0][low], rel=0.01)
