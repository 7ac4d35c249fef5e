from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, make_tiny
from transformers import AutoModel

from crossover.data.bad_input import BadInput
from crossover.model.encoder.backbone import CHARACTERS_PER_TOKEN, load_backbone, pool
from crossover.model.encoder.encoder import Encoder

TEXTS = ["free cash now", "", "the a " * 100, "lunch?"]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(architecture: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("tiny") / architecture, architecture)


def encoder(folder: Path, **settings: object) -> Encoder:
    return Encoder(str(folder), **{"max_length": 32, **settings})  # type: ignore[arg-type]


def test_every_architecture_pools_what_the_model_itself_gives(folder: Path, architecture: str) -> None:
    backbone = load_backbone(encoder(folder))
    reference = AutoModel.from_pretrained(folder).eval()
    ids = backbone.tokenize(TEXTS)
    with torch.no_grad():
        pooled = backbone.forward_pooled(*backbone.collate(ids))
        alone = [reference(torch.tensor([row])).last_hidden_state.mean(1)[0] for row in ids]
    assert pooled.shape == (4, backbone.dim) and pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, torch.stack(alone), atol=2e-6, rtol=0)


def test_every_architecture_learns_through_forward_pooled(folder: Path) -> None:
    backbone = load_backbone(encoder(folder), dropout=0.0)
    backbone.module.train()
    backbone.forward_pooled(*backbone.collate(backbone.tokenize(TEXTS))).pow(2).sum().backward()
    reached = [name for name, p in backbone.module.named_parameters() if p.grad is not None and p.grad.any()]
    assert any("embed" in name or "wte" in name for name in reached)
    assert not any("pooler" in name for name, _ in backbone.module.named_parameters())
    assert len(reached) >= 0.8 * len(list(backbone.module.parameters()))


def test_every_architecture_can_start_at_random_weights(folder: Path) -> None:
    pretrained = load_backbone(encoder(folder)).module.state_dict()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = load_backbone(encoder(folder), pretrained=False, seed=1).module.state_dict()
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(7)
    again = load_backbone(encoder(folder), pretrained=False, seed=1).module.state_dict()
    other = load_backbone(encoder(folder), pretrained=False, seed=2).module.state_dict()
    assert {name: value.shape for name, value in first.items()} == {n: v.shape for n, v in pretrained.items()}
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    for rival in (other, pretrained):
        assert any(not torch.equal(value, rival[name]) for name, value in first.items())


def test_dropout_is_replaced_everywhere(folder: Path) -> None:
    ids = load_backbone(encoder(folder)).tokenize(["free cash now please"])
    for rate, same in ((0.0, True), (0.5, False)):
        backbone = load_backbone(encoder(folder), dropout=rate)
        backbone.module.train()
        with torch.no_grad(), torch.random.fork_rng():
            passes = [backbone.forward_pooled(*backbone.collate(ids)) for _ in range(2)]
        assert torch.equal(*passes) == same


def test_tokens_are_at_least_one_and_at_most_max_length(folder: Path) -> None:
    backbone = load_backbone(encoder(folder))
    rows = backbone.tokenize([*TEXTS, "\u200b\u200f", "\x00"])
    assert all(1 <= len(row) <= 32 for row in rows)
    assert len(rows[2]) == 32 and len(backbone.tokenize([TEXTS[2]], max_length=10)[0]) == 10
    assert backbone.tokenize([]) == []


@pytest.mark.parametrize("kind", ["letters", "words", "one letter"])
def test_a_megabyte_is_tokenised_in_under_5_seconds(folder: Path, kind: str) -> None:
    letters = "".join(random.Random(0).choices("abcdefghij0123456789", k=1 << 20))
    text = {"letters": letters, "words": "free cash " * 100_000, "one letter": "x" * (1 << 20)}[kind]
    backbone = load_backbone(encoder(folder))
    start = time.process_time()
    assert 1 <= len(backbone.tokenize([text])[0]) <= 32
    assert time.process_time() - start < 5


def test_characters_beyond_the_bound_change_nothing_and_before_it_they_count(tiny_model: Path) -> None:
    backbone = load_backbone(encoder(tiny_model))
    blank = " " * (32 * CHARACTERS_PER_TOKEN)
    assert backbone.tokenize([blank + "free"]) == backbone.tokenize([blank + "cash"])
    assert backbone.tokenize([blank[4:] + "free"]) != backbone.tokenize([blank[4:] + "cash"])
    short = " ".join(["x" * (CHARACTERS_PER_TOKEN + 1)] * 20)  # a word this long is one unknown token
    assert backbone.tokenize([short + " free"]) != backbone.tokenize([short + " cash"])


def test_pooling_reads_only_tokens_whichever_end_is_padded() -> None:
    hidden = torch.arange(24, dtype=torch.float32).reshape(2, 4, 3)
    right = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    left = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]])
    for mask, first, last in ((right, (0, 0), (1, 3)), (left, (2, 1), (3, 3))):
        for where, places in (("first", first), ("last", last)):
            expected = torch.stack([hidden[k, places[k]] for k in (0, 1)])
            assert torch.equal(pool(hidden, mask, where), expected)
        expected = torch.stack([hidden[k][mask[k] == 1].mean(0) for k in (0, 1)])
        torch.testing.assert_close(pool(hidden, mask, "mean"), expected)


@pytest.mark.parametrize(("architecture", "place"), [("bert", 0), ("xlnet", -1)])
def test_cls_pooling_finds_the_cls_token_where_the_tokenizer_puts_it(
    tmp_path: Path, architecture: str, place: int
) -> None:
    backbone = load_backbone(encoder(make_tiny(tmp_path, architecture), pooling="cls"))
    ids = backbone.tokenize(["free cash now", "lunch"])
    assert all(row[place] == backbone.tokenizer.cls_token_id for row in ids)
    input_ids, mask = backbone.collate(ids)
    with torch.no_grad():
        hidden = backbone.module(input_ids=input_ids, attention_mask=mask).last_hidden_state
        pooled = backbone.forward_pooled(input_ids, mask)
    at = [int((row == backbone.tokenizer.cls_token_id).nonzero()[0]) for row in input_ids]
    assert torch.equal(pooled, torch.stack([hidden[k, at[k]] for k in (0, 1)]))


def test_xlnet_is_padded_at_the_left(tmp_path: Path) -> None:
    backbone = load_backbone(encoder(make_tiny(tmp_path, "xlnet")))
    _, mask = backbone.collate([[5, 6], [5, 6, 7, 8]])
    assert mask.tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]


def test_gpt2_has_no_cls_token_and_says_what_to_use(tmp_path: Path) -> None:
    folder = make_tiny(tmp_path, "gpt2")
    with pytest.raises(BadInput, match=r"no CLS token; use encoder.pooling=mean or last"):
        load_backbone(encoder(folder, pooling="cls"))
    assert load_backbone(encoder(folder, pooling="last")).dim == 32


@pytest.mark.parametrize(("architecture", "limit"), [("bert", 130), ("roberta", 129), ("gpt2", 130)])
def test_a_max_length_beyond_the_positions_is_refused(tmp_path: Path, architecture: str, limit: int) -> None:
    folder = make_tiny(tmp_path, architecture)
    with pytest.raises(BadInput, match=rf"max_length={limit} or less"):
        load_backbone(encoder(folder, max_length=limit + 1))
    backbone = load_backbone(encoder(folder, max_length=limit))
    with torch.no_grad():
        longest = backbone.forward_pooled(*backbone.collate(backbone.tokenize(["the a " * 200])))
    assert torch.isfinite(longest).all()


def test_weights_that_lack_a_tensor_are_refused_not_filled_up_at_random(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(BadInput, match="lack 16 tensors"):
        load_backbone(encoder(folder))
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    with pytest.raises(BadInput, match="another shape"):
        load_backbone(encoder(folder))


@pytest.mark.slow
@pytest.mark.encoder
def test_minilm_agrees_with_sentence_transformers(minilm: Path, sms_texts: list[str]) -> None:
    rival = pytest.importorskip("sentence_transformers").SentenceTransformer(str(minilm), device="cpu")
    texts = [*sms_texts[:60], "", "word " * 400]
    expected = rival.encode(texts, show_progress_bar=False)
    found, _ = Encoder().encode(texts)
    assert np.abs(found - expected).max() < 1e-5


@pytest.fixture
def sms_texts(data_folder: Path) -> list[str]:
    import pyarrow.parquet as pq

    return pq.read_table(data_folder / "sms_spam.parquet")["text"].to_pylist()
