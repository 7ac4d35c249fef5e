from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import ARCHITECTURES, make_tiny

from crossover.data.bad_input import BadInput
from crossover.model import runtime
from crossover.model.embedding_cache import forget
from crossover.model.encoder import batch_plan
from crossover.model.encoder.batch_plan import Ready, embed, pack, plan
from crossover.model.encoder.encoder import Encoder

SENTENCE = "free win cash prize call now text claim money offer meeting lunch tomorrow please xyz 12 ?"
WORDS = SENTENCE.split()


def texts_of_all_lengths(count: int, longest: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, longest))) for _ in range(count)]


@given(
    tokens=st.lists(st.integers(1, 50), max_size=80),
    budget=st.integers(1, 300),
    multiple=st.integers(1, 16),
)
def test_every_text_is_in_one_batch_whose_shape_only_its_own_length_decides(
    tokens: list[int], budget: int, multiple: int
) -> None:
    batches = plan(tokens, budget, multiple, 50)
    members = [k for batch in batches for k in batch.members]
    assert sorted(members) == list(range(len(tokens)))
    for batch in batches:
        assert 1 <= len(batch.members) <= batch.rows
        assert batch.rows * batch.length <= budget or batch.rows == 1
        full = {tokens[k] == batch.length for k in batch.members}
        assert len(full) == 1  # an attention mask for all of them, or for none
        for k in batch.members:
            (alone,) = plan([tokens[k]], budget, multiple, 50)
            assert (alone.length, alone.rows) == (batch.length, batch.rows)
            assert tokens[k] <= batch.length <= 50 and batch.length - tokens[k] <= multiple


def test_a_plan_by_hand() -> None:
    batches = plan([3, 8, 16, 7, 2, 5, 15], 16, 8, 16)
    assert [(b.length, b.rows, b.members) for b in batches] == [
        (8, 2, (0, 3)),
        (8, 2, (4, 5)),
        (16, 1, (1,)),
        (16, 1, (6,)),
        (16, 1, (2,)),
    ]


@given(tokens=st.lists(st.integers(1, 100), max_size=120), height=st.integers(1, 64))
def test_packed_batches_hold_every_text_once_within_the_tiles_of_their_longest(
    tokens: list[int], height: int
) -> None:
    batches = pack(tokens, height)
    assert sorted(k for batch in batches for k in batch) == list(range(len(tokens)))
    for batch in batches:
        assert batch and sum(tokens[k] for k in batch) <= -(-tokens[batch[0]] // height) * height
        assert [tokens[k] for k in batch] == sorted((tokens[k] for k in batch), reverse=True)
    most = -(-max(tokens, default=0) // height) * height
    short = [batch for batch in batches if 2 * sum(tokens[k] for k in batch) <= height]
    assert len(short) <= 1 or most > height  # two half-empty batches would have been one


def test_a_packing_by_hand() -> None:
    assert pack([3, 8, 16, 7, 2, 5, 15, 20], 16) == [(7, 1, 0), (2,), (6,), (3, 5, 4)]


def embed_padded(encoder: Encoder, texts: list[str]) -> np.ndarray:
    ready = Ready(encoder, packed=False)
    return ready.vectors(ready.backbone.tokenize(texts))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_vector_has_the_same_bits_in_any_company(tmp_path: Path, architecture: str, dtype: str) -> None:
    folder = make_tiny(tmp_path, architecture)
    encoder = Encoder(str(folder), max_length=32, token_budget=128, dtype=dtype)
    texts = texts_of_all_lengths(60, 40)
    whole, tokens, seconds = embed(encoder, texts)
    assert np.isfinite(whole).all() and set(tokens) >= {32} and (seconds > 0).all()
    order = np.random.default_rng(1).permutation(60)
    for part in (order, order[:23], order[23:24], np.array([0]), np.flatnonzero(tokens == 32)):
        some, _, _ = embed(encoder, [texts[k] for k in part])
        np.testing.assert_array_equal(some, whole[part])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_padded_vector_has_the_same_bits_in_any_company(tiny_model: Path, dtype: str) -> None:
    encoder = Encoder(str(tiny_model), max_length=32, token_budget=128, dtype=dtype)
    texts = texts_of_all_lengths(60, 40)
    whole = embed_padded(encoder, texts)
    order = np.random.default_rng(1).permutation(60)
    for part in (order, order[:23], order[23:24]):
        np.testing.assert_array_equal(embed_padded(encoder, [texts[k] for k in part]), whole[part])


def test_a_batch_of_a_full_length_text_builds_no_mask_and_so_stays_apart(tiny_model: Path) -> None:
    encoder = Encoder(str(tiny_model), max_length=16, token_budget=64)
    full, nearly = "free " * 14, "free " * 13
    together = embed_padded(encoder, [full, nearly, nearly, full])
    np.testing.assert_array_equal(together[0], embed_padded(encoder, [full])[0])
    np.testing.assert_array_equal(together[1], embed_padded(encoder, [nearly])[0])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_no_bit_and_is_put_back(tiny_model: Path, threads: int) -> None:
    encoder = Encoder(str(tiny_model), max_length=32, token_budget=64)
    texts = texts_of_all_lengths(40, 30)
    before = torch.get_num_threads()
    expected, _, _ = embed(encoder, texts)
    with runtime.use(runtime.Runtime(threads=threads)):
        np.testing.assert_array_equal(embed(encoder, texts)[0], expected)
    assert torch.get_num_threads() == before


def test_every_padded_batch_is_filled_up_masked_alike_and_computed_by_one_thread(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = Ready(Encoder(str(tiny_model), max_length=16, token_budget=64), packed=False)
    forward, seen = ready.backbone.forward_pooled, []

    def watched(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        masked = (mask == 0).any(1)
        seen.append((tuple(ids.shape), masked.all().item(), masked.any().item(), torch.get_num_threads()))
        return forward(ids, mask)

    monkeypatch.setattr(ready.backbone, "forward_pooled", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        texts = ["free", "free " * 14, "free " * 13, "cash", "free " * 13]
        ready.vectors(ready.backbone.tokenize(texts))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == [((4, 16), False, False, 1), ((4, 16), True, True, 1), ((8, 8), True, True, 1)]


def test_a_packed_batch_is_no_higher_than_its_tokens_need_and_computed_by_one_thread(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = Ready(Encoder(str(tiny_model), max_length=64, token_budget=120))
    assert ready.heights[0] == 32 and ready.heights[-1] == 128
    forward, seen = ready.packed, []

    def watched(rows: list[list[int]], height: int) -> torch.Tensor:
        seen.append((sum(map(len, rows)), height, torch.get_num_threads()))
        return forward(rows, height)

    monkeypatch.setattr(ready, "packed", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ready.vectors([[5] * 60, [6] * 60, [7] * 30])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == [(30, 32, 1), (120, 128, 1)]


def test_the_plan_is_all_that_settings_of_it_change(tiny_model: Path) -> None:
    texts = texts_of_all_lengths(30, 30)
    first, _, _ = embed(Encoder(str(tiny_model), max_length=32), texts)
    other, _, _ = embed(Encoder(str(tiny_model), max_length=32, token_budget=64, pad_multiple=1), texts)
    np.testing.assert_allclose(first, other, atol=1e-6)


def test_a_vector_that_is_not_finite_stops_the_run_and_is_not_kept(tiny_model: Path, tmp_path: Path) -> None:
    encoder = Encoder(str(tiny_model), max_length=32, prefix="a ")
    ready = batch_plan._frozen(encoder)
    next(ready.backbone.module.parameters()).data.fill_(float("nan"))
    with (
        runtime.use(runtime.Runtime(cache=tmp_path)),
        pytest.raises(FloatingPointError, match=r"2 of 2.*'lunch'"),
    ):
        encoder.encode(["lunch", "free"])
    batch_plan._ready.clear()
    forget()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_out_of_memory_says_which_setting_to_lower(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(str(tiny_model), max_length=32)
    ready = batch_plan._frozen(encoder)

    def full(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(ready, "packed", full)
    with pytest.raises(BadInput, match=r"lower encoder.token_budget"):
        embed(encoder, ["free"])


@pytest.mark.encoder
def test_minilm_vectors_have_the_same_bits_in_any_company(minilm: Path) -> None:
    encoder = Encoder(max_length=64, token_budget=256)
    texts = texts_of_all_lengths(24, 60)
    whole, _, _ = embed(encoder, texts)
    order = np.random.default_rng(1).permutation(24)
    for part in (order, order[:7], order[7:8]):
        np.testing.assert_array_equal(embed(encoder, [texts[k] for k in part])[0], whole[part])
