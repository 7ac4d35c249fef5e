from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model.classifier import load, save
from crossover.model.encoder.encoder import Encoder
from crossover.model.finetune import Finetune
from crossover.protocol.component import component
from crossover.protocol.selection.inside import Inside

WORDS = {
    "ham": ["lunch", "meeting", "thanks", "love", "project"],
    "spam": ["free", "win", "cash", "prize", "claim"],
}
SETTINGS = {"learning_rate": 3e-3, "head_learning_rate": 1e-2, "min_steps": 12, "epochs": 1, "batch_size": 8}


def rows(count: int, seed: int = 0, spam: int = 2) -> Rows:
    """Every ``spam``-th row is spam."""
    draw = random.Random(seed)
    labels = ["ham" if k % spam else "spam" for k in range(count)]
    return Rows([" ".join(draw.choices(WORDS[label] + ["a", "to"], k=6)) for label in labels], labels)


TRAIN, TEST = rows(32), rows(20, 1)
CLASSES = ["ham", "news", "spam"]


@pytest.fixture
def encoder(tiny_model: Path) -> Encoder:
    return Encoder(str(tiny_model), max_length=32)


def fitted(
    encoder: Encoder, train: Rows = TRAIN, validation: Rows | None = None, **changes: object
) -> Finetune:
    model = Finetune(encoder, **{**SETTINGS, **changes})  # type: ignore[arg-type]
    return model.fit(train.texts, train.labels, CLASSES, validation)


def test_it_learns_a_class_from_its_words(encoder: Encoder) -> None:
    model = fitted(encoder, min_steps=40)
    found = model.predict_proba(TEST.texts)
    assert [CLASSES[k] for k in found.argmax(1)] == TEST.labels
    losses = [entry["loss"] for entry in model.history_]
    assert np.mean(losses[-5:]) < 0.2 * np.mean(losses[:5])
    assert model.parameters_ == sum(p.numel() for p in model.network_.parameters())


def test_small_sets_get_the_floor_large_ones_their_epochs_and_none_more_than_the_cap(
    encoder: Encoder,
) -> None:
    def steps(**changes: object) -> int:
        return len(fitted(encoder, **changes).history_)

    assert steps(min_steps=7, epochs=1) == 7  # 32 rows / 8 are 4 steps
    assert steps(min_steps=0, epochs=3) == 12
    assert steps(min_steps=0, epochs=3, batch_size=10) == 10  # 96 / 10, rounded up
    assert steps(min_steps=7, max_steps=5) == 5


PROGRAM = """
import hashlib, json, sys
from crossover.model.encoder.encoder import Encoder
from crossover.model.finetune import Finetune

folder, train, labels, test = json.load(sys.stdin)
for dtype in ("float32", "bfloat16"):
    settings = dict(learning_rate=3e-3, min_steps=10, dtype=dtype, seed=3, order_seed=4)
    model = Finetune(Encoder(folder, max_length=32), **settings).fit(train, labels, ["ham", "spam"])
    print(model.predict_proba(test).tobytes().hex(), model.history_)
    print({name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in model.state()[0].items()})
"""


@pytest.mark.slow
def test_two_fresh_processes_give_the_same_bits(tiny_model: Path) -> None:
    given = json.dumps([str(tiny_model), TRAIN.texts, TRAIN.labels, TEST.texts])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        )
        for seed in ("0", "123")
    ]
    answers = [process.communicate(given)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert answers[0] == answers[1] and len(answers[0]) > 4 * 640


def test_a_run_alone_equals_the_same_run_after_another(encoder: Encoder) -> None:
    alone = fitted(encoder, seed=1).predict_proba(TEST.texts)
    fitted(encoder, seed=2, early_stopping=True, validation=TEST)
    np.testing.assert_array_equal(fitted(encoder, seed=1).predict_proba(TEST.texts), alone)


@pytest.mark.parametrize("pretrained", [True, False])
def test_seed_moves_initial_weights_and_dropout_and_order_seed_the_order(
    encoder: Encoder, pretrained: bool
) -> None:
    def losses(seed: int, order_seed: int, dropout: float) -> list[float]:
        model = fitted(
            encoder, pretrained=pretrained, seed=seed, order_seed=order_seed, dropout=dropout, max_steps=4
        )
        return [entry["loss"] for entry in model.history_]

    first = losses(0, 0, 0.0)
    assert losses(0, 0, 0.0) == first
    assert losses(1, 0, 0.0)[0] != first[0]  # another head (and from scratch another backbone)
    assert losses(0, 1, 0.0)[0] != first[0]  # another first batch
    whole = fitted(encoder, pretrained=pretrained, order_seed=0, dropout=0.0, batch_size=32, max_steps=1)
    other = fitted(encoder, pretrained=pretrained, order_seed=1, dropout=0.0, batch_size=32, max_steps=1)
    assert whole.history_[0]["loss"] == pytest.approx(other.history_[0]["loss"], rel=1e-5)  # same start
    assert losses(0, 0, 0.3) != first


def test_from_scratch_it_is_the_same_architecture_from_other_weights(encoder: Encoder) -> None:
    pretrained, scratch = (
        fitted(encoder, max_steps=1),
        fitted(encoder, max_steps=1, pretrained=False, seed=1),
    )
    name = "module.encoder.layer.0.attention.self.query.weight"
    assert not np.allclose(pretrained.state()[0][name], scratch.state()[0][name], atol=0.01)
    assert pretrained.parameters_ == scratch.parameters_


@pytest.mark.parametrize("settings", [{}, {"dtype": "bfloat16"}, {"pretrained": False}])
def test_a_saved_model_predicts_the_same_bits_without_the_pretrained_weights(
    tiny_model: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    plain = {"_target_": "crossover.model.encoder.encoder.Encoder", "name": str(tiny_model), "max_length": 32}
    made_from = component(
        "crossover.model.finetune.Finetune", {**SETTINGS, "min_steps": 4, "encoder": plain, **settings}
    )
    model = fitted(Encoder(str(tiny_model), max_length=32), min_steps=4, **settings)
    expected = model.predict_proba(TEST.texts)
    save(model, made_from, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(TEST.texts), expected)
    assert again.parameters_ == model.parameters_
    np.testing.assert_array_equal(again.logits_, model.logits_)  # type: ignore[attr-defined]


def test_early_stopping_reports_the_step_it_kept_and_a_refit_stops_there(encoder: Encoder) -> None:
    wrong = Rows(TEST.texts, ["ham" if label == "spam" else "spam" for label in TEST.labels])
    model = fitted(encoder, early_stopping=True, validation=wrong, min_steps=40, evaluate_every=3, patience=2)
    watched = {int(e["step"]): e["validation_loss"] for e in model.history_ if "validation_loss" in e}
    best = min(watched, key=watched.__getitem__)
    assert model.wants_validation and model.selected_ == {"steps": best}
    assert len(model.history_) == best + 6 < 40
    gold = [CLASSES.index(label) for label in wrong.labels]
    kept = -np.log(model.predict_proba(wrong.texts)[range(20), gold]).mean()
    assert kept == pytest.approx(watched[best], rel=1e-6)
    refit = fitted(encoder, early_stopping=True, min_steps=40, evaluate_every=3, steps=best)
    assert not refit.wants_validation and refit.selected_ == {}
    assert [e["loss"] for e in refit.history_] == [e["loss"] for e in model.history_[:best]]


def test_validation_rows_of_a_class_not_in_training_are_left_out(encoder: Encoder) -> None:
    news = Rows([*TEST.texts, "offer report"], [*TEST.labels, "news"])
    first = fitted(encoder, early_stopping=True, validation=news, evaluate_every=4)
    second = fitted(encoder, early_stopping=True, validation=TEST, evaluate_every=4)
    assert first.history_ == second.history_
    with pytest.raises(BadInput, match=r"none of the 1 validation rows.*ham, spam.*early_stopping=false"):
        fitted(encoder, early_stopping=True, validation=Rows(["offer report"], ["news"]))


def test_selection_inside_tunes_stops_and_refits_on_all_rows(encoder: Encoder) -> None:
    made: list[Finetune] = []

    def make(settings: object) -> Finetune:
        changes = {**SETTINGS, "early_stopping": True, "evaluate_every": 4, "min_steps": 8, **dict(settings)}  # type: ignore[call-overload]
        made.append(Finetune(encoder, **changes))
        return made[-1]

    def accuracy(gold: list[str], found: np.ndarray) -> tuple[float, ...]:
        return (float(np.mean([CLASSES[k] == g for k, g in zip(found.argmax(1), gold, strict=True)])),)

    selected = Inside().select(make, TRAIN, CLASSES, Rows([], []), 2, accuracy, 0)  # type: ignore[arg-type]
    assert selected.settings["steps"] in (4, 8)
    assert len(made[-1].history_) == selected.settings["steps"] and not made[-1].wants_validation
    assert len(selected.trials) == 2


def test_class_weights_move_probability_to_the_rare_class_and_nothing_where_classes_are_equal(
    encoder: Encoder,
) -> None:
    rare = rows(40, spam=10)
    plain = fitted(encoder, rare, max_steps=4).predict_proba(TEST.texts)
    weighted = fitted(encoder, rare, max_steps=4, class_weights=True).predict_proba(TEST.texts)
    assert weighted[:, 2].mean() > plain[:, 2].mean() + 0.1
    equal = fitted(encoder, class_weights=True, max_steps=3).predict_proba(TEST.texts)
    np.testing.assert_array_equal(equal, fitted(encoder, max_steps=3).predict_proba(TEST.texts))


def test_a_class_missing_from_train_gets_0_and_a_logit_of_minus_infinity(encoder: Encoder) -> None:
    model = fitted(encoder, max_steps=3)
    found = model.predict_proba(TEST.texts)
    assert (found[:, 1] == 0).all() and found.dtype == np.float64
    assert np.isneginf(model.logits_[:, 1]).all()
    np.testing.assert_array_equal(softmax(model.logits_, axis=1), found)
    np.testing.assert_array_equal(model.predict_logits(TEST.texts), model.logits_)


@pytest.mark.parametrize(
    ("settings", "frozen"),
    [
        ({"freeze_embeddings": True}, ["module.embeddings."]),
        ({"freeze_layers": 1}, ["module.embeddings.", "module.encoder.layer.0."]),
    ],
)
def test_frozen_parts_keep_their_weights_and_all_others_move(
    encoder: Encoder, settings: dict[str, object], frozen: list[str]
) -> None:
    model = Finetune(encoder, **SETTINGS)  # type: ignore[arg-type]
    before = {name: value.numpy().copy() for name, value in model._network(True, 2).state_dict().items()}
    trained = fitted(encoder, max_steps=3, **settings)
    for name, value in trained.state()[0].items():
        if not name.endswith("key.bias"):  # softmax ignores it: it hardly moves
            assert np.array_equal(value, before[name]) == name.startswith(tuple(frozen)), name
    free = [value.size for name, value in before.items() if not name.startswith(tuple(frozen))]
    assert trained.parameters_ == sum(free)


def test_more_frozen_layers_than_there_are_is_refused(encoder: Encoder) -> None:
    with pytest.raises(BadInput, match="freeze_layers=3, the model has 2 layers"):
        fitted(encoder, freeze_layers=3)


def test_layer_decay_changes_the_course_and_at_one_is_no_part_of_the_name(encoder: Encoder) -> None:
    slower = fitted(encoder, max_steps=3, layer_decay=0.3).predict_proba(TEST.texts)
    assert not np.array_equal(slower, fitted(encoder, max_steps=3).predict_proba(TEST.texts))
    target = "crossover.model.finetune.Finetune"
    settings = {"encoder": {"_target_": "crossover.model.encoder.encoder.Encoder"}}
    assert component(target, {**settings, "layer_decay": 1}) == component(target, settings)
    with pytest.raises(BadInput, match=r"layer_decay=1\.5; expected above 0, at most 1"):
        fitted(encoder, max_steps=3, layer_decay=1.5)


def test_texts_are_read_up_to_the_lower_of_both_limits(encoder: Encoder) -> None:
    model = fitted(encoder, max_steps=1, max_length=8)
    long = ["free win cash prize claim " + "lunch " * 40, "free win cash prize claim a"]
    found = model.predict_proba(long)
    assert len(model._tokenize(long)[0]) == 8
    assert len(fitted(encoder, max_steps=1, max_length=500)._tokenize(long)[0]) == 32
    assert model.predict_proba([long[0][:70]])[0] == pytest.approx(found[0], abs=1e-6)


def test_tokens_read_are_counted_in_fit_and_in_prediction(encoder: Encoder) -> None:
    model = fitted(encoder, max_steps=4, batch_size=32)
    read = sum(len(row) for row in model._tokenize(TRAIN.texts))
    assert model.cost_ == {"tokens": 4.0 * read, "steps": 4.0}
    model.cost_ = {}
    model.predict_proba(TEST.texts)
    assert model.cost_ == {"tokens": float(sum(len(row) for row in model._tokenize(TEST.texts)))}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("inf")),
        ("clip", -1.0),
        ("epochs", 0),
        ("batch_size", 0),
        ("steps", 0),
        ("min_steps", -1),
        ("warmup", 1.5),
        ("dropout", 1.0),
        ("max_length", 3),
        ("dtype", "float16"),
    ],
)
def test_a_setting_outside_its_range_is_refused_with_what_was_expected(
    encoder: Encoder, setting: str, value: object
) -> None:
    with pytest.raises(BadInput, match=f"Finetune: {setting}={value!r}; expected"):
        fitted(encoder, **{setting: value})


def test_a_diverged_training_is_no_model(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossover.model import training_loop

    monkeypatch.setattr(training_loop, "add_gradient", lambda *_: (float("nan"), 1))
    with pytest.raises(FloatingPointError, match="step 1 of 12: loss nan"):
        fitted(encoder)


@pytest.mark.parametrize("architecture", ["roberta", "gpt2", "xlnet", "modernbert"])
def test_other_architectures_train_and_freeze(tmp_path: Path, architecture: str) -> None:
    from tiny_models import make_tiny

    encoder = Encoder(str(make_tiny(tmp_path / architecture, architecture)), max_length=32)
    model = fitted(encoder, min_steps=2, batch_size=16, freeze_layers=1)
    trained = {name for name, p in model.network_.module.named_parameters() if p.requires_grad}
    assert trained and not any(
        name.startswith(("embed", "word_emb", "mask_emb", "wte", "wpe")) for name in trained
    )
    assert model.history_[1]["loss"] != model.history_[0]["loss"]
    assert torch.isfinite(torch.from_numpy(model.predict_proba(TEST.texts))).all()
