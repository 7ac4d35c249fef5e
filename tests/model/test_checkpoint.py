"""R2, F02: a training that is cut short goes on from its last whole checkpoint, to the same bits."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import make_tiny

from crossover.data.corpus import Rows
from crossover.model import checkpoint, runtime
from crossover.model.checkpoint import Checkpoint, Checkpoints
from crossover.model.encoder.encoder import Encoder
from crossover.model.finetune import Finetune
from crossover.model.runtime import Runtime

TEXTS = [
    "free prize call now",
    "lunch tomorrow",
    "win cash",
    "meeting about the report please",
    "a",
    "love you",
]
TRAIN = Rows(TEXTS * 4, ["spam", "ham", "spam", "ham", "ham", "ham"] * 4)
WATCHED = Rows(["free cash", "lunch", "report please", "win the prize"], ["spam", "ham", "ham", "spam"])
STEPS = 9
SETTINGS = {
    "learning_rate": 3e-3,
    "head_learning_rate": 1e-2,
    "min_steps": STEPS,
    "epochs": 1,
    "batch_size": 5,
}
KINDS: dict[str, dict[str, object]] = {
    "plain": {},
    "early stopping": {"early_stopping": True, "evaluate_every": 2, "patience": 2},
    "class weights": {"class_weights": True},
    "frozen layers": {"freeze_layers": 1},
    "frozen embeddings": {"freeze_embeddings": True},
    "bfloat16": {"dtype": "bfloat16", "layer_decay": 0.8},
    "adapters": {"lora_rank": 2, "dropout": 0.2},
    "padded": {"encoder": "roberta"},
}


class Killed(BaseException):
    """As a signal: not an Exception."""


def fitted(folder: Path, cut: int | None = None, **changes: object) -> Finetune:
    """A model trained under the runtime around; with ``cut`` it is killed within that step."""
    settings = {**SETTINGS, **changes}
    name = str(settings.pop("encoder", "bert"))
    settings.setdefault("seed", 3)
    model = Finetune(Encoder(str(folder / name), max_length=32), **settings)  # type: ignore[arg-type]
    steps = 0

    def on_step(step: int, total: int, message: str) -> None:
        nonlocal steps
        steps += 1
        if step == cut:
            raise Killed

    model.on_step = on_step
    if cut is None:
        model.fit(TRAIN.texts, TRAIN.labels, ["ham", "spam"], WATCHED)
    else:
        with pytest.raises(Killed):
            model.fit(TRAIN.texts, TRAIN.labels, ["ham", "spam"], WATCHED)
    model.steps_ = steps
    return model


def bits(model: Finetune) -> tuple[object, ...]:
    tokens = model.cost_["tokens"]  # predicting adds to it
    arrays = {name: array.tobytes() for name, array in model.state()[0].items()}
    logits = model.predict_logits(["cash for the report", "see you later", "free"]).tobytes()
    return arrays, model.history_, model.selected_, tokens, logits


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for architecture in ("bert", "roberta"):
        make_tiny(folder / architecture, architecture)
    return folder


def saving(folder: Path, seconds: float | None = 0.0) -> Runtime:
    return Runtime(checkpoints=folder, checkpoint_seconds=seconds, device="cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_killed_again_and_again_ends_with_the_bits_of_one_that_was_not(
    kind: str, tiny: Path, tmp_path: Path
) -> None:
    whole = fitted(tiny, **KINDS[kind])
    expected, steps = bits(whole), len(whole.history_)
    assert steps > 5
    with runtime.use(saving(tmp_path)):
        for cut in range(1, steps + 1):
            assert fitted(tiny, cut, **KINDS[kind]).steps_ == min(cut, 2), "no step is done a third time"
        resumed = fitted(tiny, **KINDS[kind])
        assert resumed.steps_ == 1 and bits(resumed) == expected
        again = fitted(tiny, **KINDS[kind])
    assert again.steps_ == 0 and bits(again) == expected, "a finished one is taken as it is"


def test_early_stopping_ends_where_it_would_have_ended(tiny: Path, tmp_path: Path) -> None:
    settings = {"early_stopping": True, "evaluate_every": 1, "patience": 2, "learning_rate": 0.05}
    whole = fitted(tiny, **settings)
    last = len(whole.history_)
    assert 3 <= last < STEPS and whole.selected_ == {"steps": last - 2}
    with runtime.use(saving(tmp_path)):
        for cut in (2, last):
            fitted(tiny, cut, **settings)
        assert bits(fitted(tiny, **settings)) == bits(whole)


def test_that_checkpoints_are_made_changes_no_bit_and_costs_no_global_randomness(
    tiny: Path, tmp_path: Path
) -> None:
    plain = bits(fitted(tiny))
    before = torch.get_rng_state()
    for k, seconds in enumerate((0.0, 60.0, None)):
        with runtime.use(saving(tmp_path / str(k), seconds)):
            assert bits(fitted(tiny)) == plain
    torch.testing.assert_close(torch.get_rng_state(), before)
    assert not (tmp_path / "1").exists() and not (tmp_path / "2").exists(), "too short to be worth a file"


@pytest.mark.parametrize(
    "changes",
    [{"seed": 4}, {"order_seed": 1}, {"dropout": 0.3}, {"learning_rate": 1e-3}, {"dtype": "bfloat16"}],
    ids=str,
)
def test_a_training_finds_its_own_checkpoints_only(
    changes: dict[str, object], tiny: Path, tmp_path: Path
) -> None:
    with runtime.use(saving(tmp_path)):
        fitted(tiny, 6)
        other = fitted(tiny, **changes)
        assert other.steps_ == STEPS and bits(other) == bits(fitted(tiny, **changes))
        assert fitted(tiny).steps_ == STEPS - 5


def test_another_number_of_threads_begins_anew(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runtime.use(saving(tmp_path)):
        fitted(tiny, 6)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
        assert fitted(tiny, 3).steps_ == 3


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "foreign", "not safetensors"])
def test_a_broken_checkpoint_is_told_once_and_the_one_before_is_taken(
    harm: str, tiny: Path, tmp_path: Path
) -> None:
    whole = bits(fitted(tiny))
    with runtime.use(saving(tmp_path)):
        fitted(tiny, 6)
        newest = spoil(tmp_path, harm)
        with pytest.warns(RuntimeWarning, match=f"{newest.name}.*is damaged or of another training") as told:
            resumed = fitted(tiny)
    assert len(told) == 1 and not newest.exists()
    assert resumed.steps_ == STEPS - 4, "it went on from step 4, the one before"
    assert bits(resumed) == whole


def spoil(folder: Path, harm: str) -> Path:
    """Harm the newest checkpoint and give its new path."""
    newest = max(folder.rglob("*.safetensors"))
    data = bytearray(newest.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
    elif harm == "truncate":
        del data[-100:]
    elif harm == "empty":
        data.clear()
    elif harm == "foreign":
        save_file({"a": torch.zeros(3)}, newest, {"plain": json.dumps({"format": 1, "key": "another"})})
        data = bytearray(newest.read_bytes())
    else:
        data = bytearray(b"no tensors")
    newest.unlink()
    if harm in ("foreign", "not safetensors"):  # its own SHA-256 is right
        newest = newest.with_name(f"00000005-{hashlib.sha256(data).hexdigest()}.safetensors")
    newest.write_bytes(data)
    return newest


def test_where_every_checkpoint_is_broken_it_begins_anew(tiny: Path, tmp_path: Path) -> None:
    with runtime.use(saving(tmp_path)):
        fitted(tiny, 6)
        for file in tmp_path.rglob("*.safetensors"):
            file.write_bytes(file.read_bytes()[:-1])
        with pytest.warns(RuntimeWarning, match="damaged") as told:
            assert fitted(tiny).steps_ == STEPS
    assert len(told) == 2


def test_two_are_kept_one_of_a_finished_training_and_what_was_half_written_is_swept(
    tiny: Path, tmp_path: Path
) -> None:
    with runtime.use(saving(tmp_path)):
        fitted(tiny, 7)
        (folder,) = tmp_path.iterdir()
        assert [file.name[:8] for file in sorted(folder.iterdir())] == ["00000005", "00000006"]
        (folder / ".7.1.abc.part").write_bytes(b"half")
        fitted(tiny)
        (ended,) = folder.iterdir()
    assert ended.name.startswith(f"{STEPS:08d}-")
    assert {name.partition("/")[0] for name in load_file(ended)} == {"network"}, "no optimiser any more"


def test_a_round_trip_gives_back_every_bit(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "a" * 64, 0.0)
    assert kept.load() is None
    odd = torch.tensor([1e-45, -0.0, 3.0000002, float("inf")])
    tensors = {"x": odd, "y": torch.arange(7, dtype=torch.uint8), "z": torch.ones(3, 4).t(), "n": odd[0]}
    plain = {"loss": 0.1 + 0.2, "history": [{"step": 1.0, "loss": 1e-300}], "words": [2**64 - 1]}
    kept.save(Checkpoint(12, tensors, plain))
    found = Checkpoints(tmp_path, "a" * 64, 0.0).load()
    assert found is not None and found.step == 12
    assert {name: found.plain[name] for name in plain} == plain
    assert {k: v.contiguous().numpy().tobytes() for k, v in tensors.items()} == {
        k: v.numpy().tobytes() for k, v in found.tensors.items()
    }
    assert Checkpoints(tmp_path, "b" * 64, 0.0).load() is None


def test_slow_ones_are_further_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now)
    kept = Checkpoints(tmp_path, "a" * 64, 60.0)
    assert not kept.due()
    now = 60.0
    assert kept.due()

    def slow(*_: object) -> None:
        nonlocal now
        now += 3.0
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", slow)
    with pytest.warns(RuntimeWarning, match="No space left.*MB are needed. Training goes on"):
        kept.save(Checkpoint(1, {"x": torch.zeros(3)}, {}))
    now += 299.0
    assert not kept.due(), "3 s of saving are 1 % of 300"
    now += 2.0
    assert kept.due()
    assert list(kept.folder.iterdir()) == []


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bits(fitted(tiny))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "replace", full)
    with runtime.use(saving(tmp_path)), pytest.warns(RuntimeWarning, match="No space left"):
        assert bits(fitted(tiny)) == whole
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_run_that_went_on_does_not_look_cheaper(tiny: Path, tmp_path: Path) -> None:
    from crossover.model.cost_meter import fit_cost

    with runtime.use(saving(tmp_path)):
        first = fitted(tiny)
        again = fitted(tiny)
    assert "earlier_seconds" not in first.cost_
    assert again.cost_["earlier_seconds"] > 0.01 and again.cost_["earlier_cpu_seconds"] > 0
    cost = fit_cost({"wall": 1.0, "cpu": 2.0}, [again])
    assert cost["fit_seconds"] == 1.0 + again.cost_["earlier_seconds"] == cost["fit_seconds_cold"]
    assert cost["fit_cpu_seconds"] == 2.0 + again.cost_["earlier_cpu_seconds"]
    assert cost["tokens"] == first.cost_["tokens"] and cost["peak_memory_bytes"] > 2**20


def test_seconds_of_frozen_layers_add_up_and_the_cold_ones_count_a_text_once(
    tiny: Path, tmp_path: Path
) -> None:
    from crossover.model.frozen_layers import STATES

    with runtime.use(saving(tmp_path)):
        STATES.forget()
        fitted(tiny, 6, freeze_layers=1)
        STATES.forget()  # as a new process
        model = fitted(tiny, freeze_layers=1)
    cold, spent = model.cost_["encode_seconds_cold"], model.cost_["encode_seconds"]
    assert 0 < cold < spent


def test_nothing_is_warned_of_in_a_course_without_harm(tiny: Path, tmp_path: Path) -> None:
    with runtime.use(saving(tmp_path)), warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(tiny, 4)
        model = fitted(tiny)
    assert np.isfinite([entry["loss"] for entry in model.history_]).all()
