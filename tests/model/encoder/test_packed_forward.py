from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, make_tiny
from transformers import AutoModel, BertConfig, BertModel

from crossover.model.encoder import batch_plan
from crossover.model.encoder.backbone import pool
from crossover.model.encoder.batch_plan import Ready
from crossover.model.encoder.encoder import Encoder
from crossover.model.encoder.packed_forward import PackedForward, knows
from crossover.model.token_products import FixedMap

PACKED = ("bert", "electra", "distilbert")
WORDS = [
    "free",
    "win",
    "cash",
    "prize",
    "call",
    "now",
    "text",
    "claim",
    "money",
    "offer",
    "meeting",
    "lunch",
    "xyz",
    "12",
    "?",
]


def texts_of_all_lengths(count: int, longest: int) -> list[str]:
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, longest))) for _ in range(count)]


@pytest.mark.parametrize("where", ["mean", "first", "last"])
@pytest.mark.parametrize("architecture", PACKED)
def test_the_packed_forward_equals_the_transformers_module(
    tmp_path: Path, architecture: str, where: str
) -> None:
    module = AutoModel.from_pretrained(make_tiny(tmp_path, architecture)).eval()
    draw = np.random.default_rng(0)
    for parameter in module.parameters():  # norms and biases of their own, not 1 and 0
        parameter.data += torch.from_numpy(draw.normal(0, 0.05, parameter.shape).astype(np.float32))
    rows = [draw.integers(5, 60, n).tolist() for n in (7, 7, 1, 40, 3, 3, 3, 64)]
    with torch.inference_mode():
        found = PackedForward(module, where, normalise=False)(rows, 32)
        for row, vector in zip(rows, found, strict=True):
            hidden = module(torch.tensor([row])).last_hidden_state
            expected = pool(hidden, torch.ones(1, len(row), dtype=torch.long), where)[0]
            torch.testing.assert_close(vector, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_it_does_not_know_is_left_to_the_transformers_module(tmp_path: Path, architecture: str) -> None:
    encoder = Encoder(str(make_tiny(tmp_path, architecture)), max_length=32, token_budget=64)
    ready, padded = Ready(encoder), Ready(encoder, packed=False)
    assert (ready.packed is not None) == (architecture in PACKED) and padded.packed is None
    rows = ready.backbone.tokenize(texts_of_all_lengths(30, 40))
    np.testing.assert_allclose(ready.vectors(rows), padded.vectors(rows), atol=1e-6)


def test_a_bert_with_other_parts_than_the_published_ones_is_not_known() -> None:
    size = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    for change, known in (({}, True), ({"hidden_act": "relu"}, False), ({"is_decoder": True}, False)):
        assert knows(BertModel(BertConfig(**size, intermediate_size=64, **change))) == known


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_heights_at_which_a_row_has_other_bits_are_not_used(
    tiny_model: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = Ready(Encoder(str(tiny_model), dtype=dtype, max_length=32))
    packed = ready.packed
    assert packed is not None and packed.heights(256)[-1] == 256 and packed.heights(32) == (32,)
    product = FixedMap._product

    def another(self: FixedMap, rows: torch.Tensor, gelu: bool) -> torch.Tensor:
        found = product(self, rows, gelu)
        return found * 1.01 if len(rows) in (32, 128) else found

    monkeypatch.setattr(FixedMap, "_product", another)
    with torch.inference_mode():
        found = packed.heights(256)
    assert 32 not in found and 128 not in found and found[-1] == 256


def test_without_a_smaller_height_a_text_alone_still_has_its_bits(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PackedForward, "heights", lambda self, most: (most,))
    ready = Ready(Encoder(str(tiny_model), max_length=64, token_budget=128))
    rows = ready.backbone.tokenize(texts_of_all_lengths(40, 60))
    whole = ready.vectors(rows)
    for k in range(0, 40, 7):
        np.testing.assert_array_equal(ready.vectors([rows[k]])[0], whole[k])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_text_longer_than_a_product_has_the_same_bits_in_any_company(tiny_model: Path, dtype: str) -> None:
    ready = Ready(Encoder(str(tiny_model), max_length=128, token_budget=32, dtype=dtype))
    rows = ready.backbone.tokenize(texts_of_all_lengths(30, 120))
    assert max(map(len, rows)) > 96
    whole = ready.vectors(rows)
    for k in range(30):
        np.testing.assert_array_equal(ready.vectors([rows[k]])[0], whole[k])


@pytest.mark.encoder
def test_minilm_packed_equals_padded_and_bfloat16_is_near(minilm: Path) -> None:
    texts = texts_of_all_lengths(24, 60)
    vectors = {}
    for dtype in ("float32", "bfloat16"):
        encoder = Encoder(max_length=64, token_budget=128, dtype=dtype)
        ready = batch_plan._frozen(encoder)
        assert ready.packed is not None
        vectors[dtype] = ready.vectors(ready.backbone.tokenize(texts))
    padded = Ready(Encoder(max_length=64), packed=False)
    expected = padded.vectors(padded.backbone.tokenize(texts))
    assert np.abs(vectors["float32"] - expected).max() < 1e-6
    assert (vectors["bfloat16"] * expected).sum(1).min() > 0.999
