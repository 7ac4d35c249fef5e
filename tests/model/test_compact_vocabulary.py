from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, make_tiny
from torch import Tensor, nn

from crossover.model import training_loop
from crossover.model.compact_vocabulary import CompactEmbedding, compact_vocabulary
from crossover.model.encoder.backbone import load_backbone
from crossover.model.encoder.encoder import Encoder
from crossover.model.training_loop import Course, Network, Recipe, predict_logits, train

TEXTS = ["free prize call now", "lunch tomorrow", "win cash", "meeting about the report please thanks"]
TARGETS = [1, 0, 1, 0]
UNSEEN = ["project offer", "home later cash you"]
RECIPE = Recipe(
    planned_steps=8, steps=8, learning_rate=1e-3, head_learning_rate=1e-2, batch_size=3, weight_decay=0.4
)


def network(folder: Path) -> Network:
    return Network(load_backbone(Encoder(str(folder), max_length=32), dropout=0.0), 2, 0.0, 0)


def trained(
    folder: Path, compact: bool, recipe: Recipe = RECIPE, watched: bool = False, **changes: object
) -> tuple[Network, Course]:
    net = network(folder)
    for name, value in changes.items():
        getattr(net, name)(value)
    tokens = net.backbone.tokenize(TEXTS)
    validation = (net.backbone.tokenize(UNSEEN), [0, 1]) if watched else None
    with pytest.MonkeyPatch.context() as patch:
        if not compact:
            patch.setattr(training_loop, "compact_vocabulary", dense)
        return net, train(net, tokens, TARGETS, recipe, validation=validation)


@contextmanager
def dense(*_: object):
    yield None


def compare(one: Network, other: Network, atol: float) -> None:
    for (name, own), (_, expected) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        if not name.endswith("key.bias"):  # softmax ignores it: Adam takes the sign of noise
            torch.testing.assert_close(own, expected, rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_is_dense_adamw_for_every_row_of_the_table(tmp_path: Path, architecture: str) -> None:
    folder = make_tiny(tmp_path / architecture, architecture)
    (own, course), (expected, dense_course) = trained(folder, True), trained(folder, False)
    losses, norms = (
        [[e[k] for e in c.history] for c in (course, dense_course)] for k in ("loss", "gradient_norm")
    )
    np.testing.assert_allclose(losses[0], losses[1], atol=2e-5)
    np.testing.assert_allclose(norms[0], norms[1], rtol=2e-3)
    compare(own, expected, 1e-4)
    start, table = network(folder), own.module.get_input_embeddings()
    assert type(table) is nn.Embedding
    tokens = {token for row in own.backbone.tokenize(TEXTS) for token in row}
    others = [k for k in range(table.num_embeddings) if k not in tokens and k != own.backbone.pad_id]
    moved = table.weight[others] / start.module.get_input_embeddings().weight[others]
    left = np.prod([1 - e["learning_rate"] * 0.4 for e in course.history])
    torch.testing.assert_close(moved, torch.full_like(moved, left), rtol=1e-5, atol=0)
    assert left < 0.999, "decay is not nothing here"


def test_rates_by_layer_reach_the_rows_that_only_decay(tiny_model: Path) -> None:
    recipe = Recipe(8, 8, 1e-2, 1e-2, batch_size=3, weight_decay=0.9, layer_decay=0.5)
    compare(trained(tiny_model, True, recipe)[0], trained(tiny_model, False, recipe)[0], 2e-3)
    whole, start = trained(tiny_model, True, recipe)[0], network(tiny_model)
    (word,) = start.backbone.tokenizer.convert_tokens_to_ids(["offer"])
    name = "module.embeddings.word_embeddings.weight"
    left = whole.state_dict()[name][word] / start.state_dict()[name][word]
    rates = [0.25 * e["learning_rate"] for e in trained(tiny_model, True, recipe)[1].history]
    assert left.tolist() == pytest.approx([np.prod([1 - 0.9 * rate for rate in rates])] * 32, rel=1e-5)


def test_validation_reads_the_whole_table_as_dense_training_would_have_it(tiny_model: Path) -> None:
    recipe = Recipe(12, 12, 1e-3, 1e-2, batch_size=3, weight_decay=0.9, evaluate_every=2, patience=2)
    (own, course), (expected, dense_course) = (
        trained(tiny_model, c, recipe, watched=True) for c in (True, False)
    )
    watched = [[e.get("validation_loss", 0.0) for e in c.history] for c in (course, dense_course)]
    np.testing.assert_allclose(watched[0], watched[1], atol=2e-5)
    assert course.kept_step == dense_course.kept_step
    compare(own, expected, 1e-4)
    rows = own.backbone.tokenize(UNSEEN)
    kept = training_loop.mean_loss(own, rows, [0, 1])
    assert kept == course.history[course.kept_step - 1]["validation_loss"], "bit for bit, unseen words too"


def test_inside_evaluation_gives_what_the_table_will_be_after(tiny_model: Path) -> None:
    net = network(tiny_model)
    table: nn.Embedding = net.module.embeddings.word_embeddings  # type: ignore[union-attr, assignment]
    ids = torch.arange(table.num_embeddings).view(1, -1)
    with compact_vocabulary(net.module, [[5, 9], [9, 7]], 0) as compact:
        assert isinstance(compact, CompactEmbedding) and compact.weight.shape == (4, 32)
        optimiser = torch.optim.AdamW([{"params": [compact.weight], "lr": 0.1, "weight_decay": 0.5}])
        net.train()
        net.module.embeddings.word_embeddings(torch.tensor([[9, 9, 5]])).sum().backward()  # type: ignore[union-attr, operator]
        optimiser.step()
        compact.decayed(optimiser)
        net.eval()
        inside: Tensor = net.module.embeddings.word_embeddings(ids)  # type: ignore[union-attr, operator]
    assert net.module.embeddings.word_embeddings is table  # type: ignore[union-attr]
    assert torch.equal(table(ids), inside)


def test_a_frozen_or_shared_table_is_left_alone_and_an_error_puts_it_back(tiny_model: Path) -> None:
    net = network(tiny_model)
    table = net.module.get_input_embeddings()  # type: ignore[operator]
    table.weight.requires_grad_(False)
    with compact_vocabulary(net.module, [[5]], 0) as found:
        assert found is None and net.module.get_input_embeddings() is table  # type: ignore[operator]
    table.weight.requires_grad_(True)
    with pytest.raises(RuntimeError, match="stop"), compact_vocabulary(net.module, [[5]], 0):
        assert net.module.get_input_embeddings() is not table  # type: ignore[operator]
        raise RuntimeError("stop")
    assert net.module.get_input_embeddings() is table  # type: ignore[operator]
    net.module.twice = table
    net.module.linear = nn.Linear(32, 8)
    net.module.linear.weight = table.weight
    with compact_vocabulary(net.module, [[5]], 0) as found:
        assert found is None


def test_freezing_the_embeddings_composes_with_it(tiny_model: Path) -> None:
    own, expected = (trained(tiny_model, compact, freeze=0)[0] for compact in (True, False))
    compare(own, expected, 0.0)
    start = network(tiny_model)
    name = "module.embeddings.word_embeddings.weight"
    assert torch.equal(own.state_dict()[name], start.state_dict()[name])
    rows = own.backbone.tokenize(UNSEEN)
    np.testing.assert_array_equal(predict_logits(own, rows), predict_logits(expected, rows))
