from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import make_tiny

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model import many_seeds, trained_stacks
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.finetune import Finetune
from crossover.model.lora import add_adapters
from crossover.model.many_seeds import STACKABLE, Stack, seeds_together, train_together
from crossover.model.training_loop import Course, Network, Recipe, train

TEXTS = [
    "free prize call now",
    "lunch tomorrow",
    "win cash",
    "meeting about the report please thanks love you " * 3,
    "home later the a",
    "cash cash",
]
TARGETS = [1, 0, 1, 0, 0, 1]
RECIPE = Recipe(planned_steps=8, steps=8, learning_rate=1e-3, head_learning_rate=1e-2, batch_size=3)
SEEDS = seeds_together(5, 6, 3)


def network(folder: Path, seed: int, dropout: float = 0.0, pretrained: bool = True) -> Network:
    backbone = load_backbone(Encoder(str(folder), max_length=64), pretrained, seed, dropout)
    return Network(backbone, 2, dropout, seed)


def together(
    folder: Path, recipe: Recipe = RECIPE, dropout: float = 0.0, **others: object
) -> tuple[Stack, list[Course]]:
    stack = Stack(network(folder, seed, dropout) for seed, _ in SEEDS)
    tokens = stack.pattern.backbone.tokenize(TEXTS)
    courses = train_together(stack, tokens, TARGETS, recipe, SEEDS, **others)  # type: ignore[arg-type]
    return stack, courses  # type: ignore[return-value]


def figures(course: Course) -> np.ndarray:
    names = ("step", "loss", "gradient_norm", "learning_rate")
    assert all(set(entry) == set(names) for entry in course.history)
    return np.array([[entry[name] for name in names] for entry in course.history])


def compare(stacked: Course, alone: Course, atol: float) -> None:
    np.testing.assert_allclose(figures(stacked), figures(alone), rtol=0, atol=atol)
    assert (stacked.tokens, stacked.kept_step) == (alone.tokens, alone.kept_step)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(2, 9))
def test_every_member_finds_the_same_company_and_itself_in_it(seed: int, order: int, size: int) -> None:
    company = seeds_together(seed, order, size)
    assert (seed, order) in company and len(set(company)) == size
    assert all(seeds_together(s, o, size) == company for s, o in company)
    assert all(s // size == seed // size and o // size == order // size for s, o in company)
    if seed == order:
        assert all(s == o for s, o in company), "the runs of a study have one number for both"


@pytest.mark.parametrize("architecture", STACKABLE)
@pytest.mark.parametrize("pretrained", [True, False])
def test_the_course_and_weights_of_each_seed_are_those_of_the_plain_loop(
    tmp_path: Path, architecture: str, pretrained: bool
) -> None:
    folder = make_tiny(tmp_path / architecture, architecture)
    stack = Stack(network(folder, seed, pretrained=pretrained) for seed, _ in SEEDS)
    tokens = stack.pattern.backbone.tokenize(TEXTS)
    courses = train_together(stack, tokens, TARGETS, RECIPE, SEEDS)
    for place, (seed, order) in enumerate(SEEDS):
        plain = network(folder, seed, pretrained=pretrained)
        compare(courses[place], train(plain, tokens, TARGETS, RECIPE, seed, order), atol=2e-5)
        for (name, own), (_, expected) in zip(
            stack.member(place).named_parameters(), plain.named_parameters(), strict=True
        ):
            if not name.endswith("key.bias"):  # softmax ignores it: Adam takes the sign of noise
                torch.testing.assert_close(own, expected, rtol=0, atol=5e-5, msg=name)
    losses = [course.history[-1]["loss"] for course in courses]
    assert len(set(losses)) == 3, "seeds differ"


def test_weights_by_class_clipping_and_rates_by_layer_are_the_plain_loops(tiny_model: Path) -> None:
    recipe = Recipe(8, 6, 1e-3, 1e-2, batch_size=4, clip=0.05, weight_decay=0.3, layer_decay=0.5, warmup=0.5)
    _, courses = together(tiny_model, recipe, class_weights=[0.2, 3.0])
    for course, (seed, order) in zip(courses, SEEDS, strict=True):
        plain = network(tiny_model, seed)
        tokens = plain.backbone.tokenize(TEXTS)
        compare(course, train(plain, tokens, TARGETS, recipe, seed, order, [0.2, 3.0]), atol=2e-5)
        assert min(entry["gradient_norm"] for entry in course.history) > 0.05, "it was clipped"


def test_bfloat16_follows_the_plain_loop_within_its_rounding(tiny_model: Path) -> None:
    recipe = Recipe(8, 8, 1e-3, 1e-2, batch_size=3, dtype="bfloat16")
    exact = together(tiny_model)[1]
    for place, course in enumerate(together(tiny_model, recipe)[1]):
        seed, order = SEEDS[place]
        plain = network(tiny_model, seed)
        alone = train(plain, plain.backbone.tokenize(TEXTS), TARGETS, recipe, seed, order)
        np.testing.assert_allclose(figures(course)[:, 1], figures(alone)[:, 1], atol=0.02)
        assert not np.array_equal(figures(course)[:, 1], figures(exact[place])[:, 1]), "it is bfloat16"


def test_adapters_stack_over_one_frozen_transformer(tiny_model: Path) -> None:
    def adapted(seed: int) -> Network:
        net = network(tiny_model, seed)
        add_adapters(net, 2, 8.0, None, seed)
        return net

    stack = Stack(adapted(seed) for seed, _ in SEEDS)
    assert all(name.startswith("head.") or ".up." in name or ".down." in name for name in stack.stacked)
    tokens = stack.pattern.backbone.tokenize(TEXTS)
    courses = train_together(stack, tokens, TARGETS, RECIPE, SEEDS)
    for course, (seed, order) in zip(courses, SEEDS, strict=True):
        compare(course, train(adapted(seed), tokens, TARGETS, RECIPE, seed, order), atol=2e-5)


def test_frozen_weights_that_differ_between_seeds_are_kept_apart_and_untrained(tiny_model: Path) -> None:
    def half(seed: int) -> Network:
        net = network(tiny_model, seed, pretrained=False)
        net.layers()[0].requires_grad_(False)
        return net

    stack = Stack(half(seed) for seed, _ in SEEDS)
    tokens = stack.pattern.backbone.tokenize(TEXTS)
    courses = train_together(stack, tokens, TARGETS, RECIPE, SEEDS)
    for place, (seed, order) in enumerate(SEEDS):
        plain = half(seed)
        compare(courses[place], train(plain, tokens, TARGETS, RECIPE, seed, order), atol=2e-5)
        name = "module.encoder.layer.0.output.dense.weight"
        assert torch.equal(stack.member(place).state_dict()[name], plain.state_dict()[name])


def test_every_step_is_told(tiny_model: Path) -> None:
    told: list[tuple[int, int, str]] = []
    together(tiny_model, on_step=lambda *step: told.append(step))
    assert told == [(step, 8, "3 seeds together") for step in range(1, 9)]


def test_dropout_is_each_members_own_and_the_same_at_every_call(tiny_model: Path) -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    courses = together(tiny_model, dropout=0.3)[1]
    assert torch.equal(torch.get_rng_state(), state), "the global generator is left alone"
    torch.manual_seed(8)
    assert [c.history for c in together(tiny_model, dropout=0.3)[1]] == [c.history for c in courses]
    stack = Stack(network(tiny_model, 0, 0.3) for _ in range(3))
    tokens = stack.pattern.backbone.tokenize(TEXTS)
    alike = train_together(stack, tokens, TARGETS, RECIPE, [(0, 0)] * 3)
    first = [course.history[0]["loss"] for course in alike]  # type: ignore[union-attr]
    assert len(set(first)) == 3, "equal weights and rows: only the masks differ"


def test_dropout_of_a_member_has_the_plain_loops_distribution(tiny_model: Path) -> None:
    """Loss of the first step over many masks: equal mean and spread in the stack and alone."""
    one = Recipe(1, 1, 1e-3, 1e-2, batch_size=6)
    stack = Stack(network(tiny_model, 0, 0.4) for _ in range(64))
    tokens = stack.pattern.backbone.tokenize(TEXTS)
    stacked = [
        course.history[0]["gradient_norm"]  # type: ignore[union-attr]
        for course in train_together(stack, tokens, TARGETS, one, [(0, 0)] * 64)
    ]
    alone = []
    for seed in range(64):
        net = network(tiny_model, 0, 0.4)
        alone.append(train(net, tokens, TARGETS, one, seed, 0).history[0]["gradient_norm"])
    spread = np.std(alone)
    assert abs(np.mean(stacked) - np.mean(alone)) < 4 * spread * (2 / 64) ** 0.5
    assert 0.6 < np.std(stacked) / spread < 1.6


def test_one_member_that_diverges_leaves_the_others_as_they_are(tiny_model: Path) -> None:
    healthy = together(tiny_model)[1]
    networks = [network(tiny_model, seed) for seed, _ in SEEDS]
    with torch.no_grad():
        networks[1].head.bias.fill_(torch.nan)
    stack = Stack(networks)
    courses = train_together(stack, stack.pattern.backbone.tokenize(TEXTS), TARGETS, RECIPE, SEEDS)
    assert isinstance(courses[1], FloatingPointError) and "step 1 of 8: loss nan" in str(courses[1])
    for place in (0, 2):
        assert courses[place].history == healthy[place].history  # type: ignore[union-attr]


@pytest.mark.parametrize("architecture", ["gpt2", "deberta-v2", "xlnet"])
def test_an_architecture_that_cannot_be_stacked_is_refused_by_name(tmp_path: Path, architecture: str) -> None:
    folder = make_tiny(tmp_path / architecture, architecture)
    with pytest.raises(BadInput, match=f"together.*{architecture}.*use together=null"):
        Stack(network(folder, seed) for seed in range(2))


def test_weights_of_a_kind_that_cannot_be_stacked_are_refused_and_not_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_seeds, "STACKABLE", ("gpt2",))
    folder = make_tiny(tmp_path / "gpt2", "gpt2")
    with pytest.raises(BadInput, match="Conv1D has weights that cannot be stacked over 2 seeds"):
        Stack(network(folder, seed) for seed in range(2))


def test_no_memory_names_the_rows_of_the_step(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(many_seeds, "_losses", full)
    with pytest.raises(MemoryError, match="step 1: no memory for a batch of 9 rows"):
        together(tiny_model)


ROWS = Rows(
    [f"{text} {k}" for k in range(3) for text in TEXTS], ["spam", "ham", "spam", "ham", "ham", "spam"] * 3
)
SETTINGS = {"learning_rate": 1e-3, "head_learning_rate": 1e-2, "min_steps": 6, "epochs": 1, "batch_size": 4}


def fitted(folder: Path, seed: int, order_seed: int | None = None, **changes: object) -> Finetune:
    settings = {**SETTINGS, "together": 4, **changes}
    orders = seed if order_seed is None else order_seed
    model = Finetune(Encoder(str(folder), max_length=32), **settings, seed=seed, order_seed=orders)  # type: ignore[arg-type]
    return model.fit(ROWS.texts, ROWS.labels, ["ham", "spam"])


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    trained_stacks.forget()


def test_a_run_alone_has_the_bits_of_the_same_run_taken_from_an_earlier_stack(tiny_model: Path) -> None:
    alone = {seed: fitted(tiny_model, seed) for seed in (6, 4)}
    assert [model.cost_["encode_seconds"] > 0 for model in alone.values()] == [True, False]
    trained_stacks.forget()
    for seed in (4, 5, 6):
        again = fitted(tiny_model, seed)
        if seed in alone:
            assert again.history_ == alone[seed].history_
            np.testing.assert_array_equal(again.predict_proba(TEXTS), alone[seed].predict_proba(TEXTS))
    assert alone[4].history_ != alone[6].history_


def test_it_learns_what_the_plain_loop_learns(tiny_model: Path) -> None:
    for changes in ({"dropout": 0.0}, {"dropout": 0.0, "lora_rank": 2}, {"dropout": 0.0, "freeze_layers": 1}):
        stacked = fitted(tiny_model, 5, 6, **changes)
        plain = fitted(tiny_model, 5, 6, together=None, **changes)
        np.testing.assert_allclose(stacked.predict_proba(TEXTS), plain.predict_proba(TEXTS), atol=1e-4)
        assert stacked.parameters_ == plain.parameters_
        assert stacked.cost_["tokens"] == plain.cost_["tokens"]
        assert stacked.cost_["encode_seconds_cold"] > 0


def test_other_rows_or_settings_are_another_stack(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []
    real = many_seeds.train_together

    def counted(stack: Stack, *others: object, **named: object) -> object:
        trained.append(stack.size)
        return real(stack, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(many_seeds, "train_together", counted)
    for seed in range(4):
        fitted(tiny_model, seed)
    assert trained == [4], "four runs, one training"
    fitted(tiny_model, 4)
    fitted(tiny_model, 0, clip=0.5)
    fitted(tiny_model, 0, 1)
    model = Finetune(Encoder(str(tiny_model), max_length=32), **SETTINGS, together=4)  # type: ignore[arg-type]
    model.fit(ROWS.texts, ROWS.labels[::-1], ["ham", "spam"])
    assert trained == [4] * 5
    fitted(tiny_model, 1, 2)
    assert trained == [4] * 5, "seeds crossed with orders are stacks of their own, kept as well"


def test_the_least_recently_asked_stack_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def asked(key: str) -> None:
        def train() -> tuple[torch.nn.Module, list[Course]]:
            made.append(key)
            return torch.nn.Linear(10, 10, bias=False), []  # 400 bytes

        trained_stacks.trained_once(key, train)  # type: ignore[arg-type]

    monkeypatch.setattr(trained_stacks, "KEEP_BYTES", 900)
    for key in "ababcba":
        asked(key)
    assert made == ["a", "b", "c", "a"]
    monkeypatch.setattr(trained_stacks, "KEEP_BYTES", 1)
    asked("d")
    asked("d")
    assert made == ["a", "b", "c", "a", "d"], "one too large for the limit is kept until the next"


def test_only_the_diverged_run_of_a_stack_fails(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = many_seeds.train_together

    def broken(*given: object, **named: object) -> object:
        courses = real(*given, **named)  # type: ignore[arg-type]
        return [courses[0], FloatingPointError("training diverged at step 3"), *courses[2:]]

    monkeypatch.setattr(many_seeds, "train_together", broken)
    assert fitted(tiny_model, 0).history_
    for _ in range(2):
        with pytest.raises(FloatingPointError, match="diverged at step 3"):
            fitted(tiny_model, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"together": 1}, "together=1.*at least 2 seeds"),
        ({"early_stopping": True}, "together=4, early_stopping=True.*null"),
    ],
)
def test_settings_that_cannot_go_together_are_refused(
    tiny_model: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        fitted(tiny_model, 0, **changes)
