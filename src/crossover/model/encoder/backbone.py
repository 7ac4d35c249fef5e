"""Backbone: the transformer behind an Encoder, for frozen vectors and for fine-tuning.

All torch: import it lazily, from inside functions. The batch plan that makes a vector
independent of its company is in batch_plan.py.
"""

from __future__ import annotations

import copy
import inspect
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from crossover.data.bad_input import BadInput
from crossover.model import runtime
from crossover.model.encoder.encoder import Encoder

CHARACTERS_PER_TOKEN = 100
"""A text is read up to ``max_length`` times this many characters. Words longer than 100 characters
are one unknown token to BERT; nothing but a text of such words, or of blanks, is cut short by it."""


class Backbone:
    """A transformer without a head, its tokenizer and its pooling.

    Attributes:
        module: the ``AutoModel``, fp32, on the runtime's device; in evaluation mode until ``train()``.
        tokenizer: its ``AutoTokenizer``.
        config: its configuration.
        dim: length of a pooled vector.
        max_length: tokens read of a text.
    """

    def __init__(self, module: Any, tokenizer: Any, encoder: Encoder) -> None:
        self.module: nn.Module = module
        self.tokenizer = tokenizer
        self.config: Any = module.config
        self.dim = int(self.config.hidden_size)
        self.pooling = encoder.pooling
        self.prefix = encoder.prefix
        self.max_length = encoder.max_length
        # An unmasked place never holds this id, so any id in the vocabulary will do.
        self.pad_id = _first_of(tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
        # XLNet was trained with its padding, and its CLS token, at the other end.
        self.pad_left = self.config.model_type == "xlnet"

    def copy(self) -> Backbone:
        """One with weights of its own; the tokenizer is shared."""
        return copy.deepcopy(self, {id(self.tokenizer): self.tokenizer})

    @property
    def device(self) -> torch.device:
        """Where the module's parameters lie."""
        return next(self.module.parameters()).device

    def tokenize(self, texts: Sequence[str], max_length: int | None = None) -> list[list[int]]:
        """Token ids a text, special tokens included, at most ``max_length``, at least one."""
        limit = max_length or self.max_length
        if not texts:
            return []
        cut = [(self.prefix + text)[: limit * CHARACTERS_PER_TOKEN] for text in texts]
        ids = self.tokenizer(
            cut, truncation=True, max_length=limit, return_attention_mask=False, return_token_type_ids=False
        )["input_ids"]
        empty = [_first_of(self.tokenizer.bos_token_id, self.pad_id)]
        return [list(row) or empty for row in ids]

    def collate(self, rows: Sequence[Sequence[int]], length: int | None = None) -> tuple[Tensor, Tensor]:
        """Padded ``input_ids`` and ``attention_mask``, (rows, length), on the module's device.

        ``length`` None pads to the longest row.
        """
        width = length or max(len(row) for row in rows)
        ids = torch.full((len(rows), width), self.pad_id, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for k, row in enumerate(rows):
            place = slice(width - len(row), width) if self.pad_left else slice(0, len(row))
            ids[k, place] = torch.tensor(row, dtype=torch.long)
            mask[k, place] = 1
        return ids.to(self.device), mask.to(self.device)

    def forward_pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """One vector a row, (batch, dim), fp32, not normalised; gradients flow unless switched off.

        ``attention_mask`` is 1 at tokens and 0 at padding, which may be at either end.
        """
        hidden = self.module(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return pool(hidden.float(), attention_mask, self.pooled_at())

    def pooled_at(self) -> str:
        """Which of a text's tokens make its vector: ``mean``, ``first`` or ``last``."""
        if self.pooling != "cls":
            return self.pooling
        return "last" if self.pad_left else "first"


def pool(hidden: Tensor, attention_mask: Tensor, where: str) -> Tensor:
    """(batch, length, dim) to (batch, dim): the ``mean``, ``first`` or ``last`` of the unmasked places."""
    if where == "mean":
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1)
    places = torch.arange(hidden.shape[1], device=hidden.device)
    masked = attention_mask == 0
    if where == "first":
        chosen = places.expand_as(masked).masked_fill(masked, hidden.shape[1]).amin(1)
    else:
        chosen = places.expand_as(masked).masked_fill(masked, -1).amax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), chosen]


def load_backbone(
    encoder: Encoder, pretrained: bool = True, seed: int = 0, dropout: float | None = None
) -> Backbone:
    """A fresh backbone, the caller's own to train; no global random state is touched.

    ``pretrained`` False draws the weights by ``seed``, as the model's authors initialise them.
    ``dropout`` replaces every dropout rate of the configuration.

    Raises:
        BadInput: not found or not the pinned weights, weights that lack tensors, a ``max_length``
            beyond the model's positions, or ``pooling=cls`` where the tokenizer has no such token.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    runtime.limit_torch()
    folder = encoder.folder()
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if dropout is not None:
        _set_dropout(config, dropout)
    with _quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if pretrained:
            module, info = AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # so that they are listed; they are refused below
                output_loading_info=True,
            )
            _check_loaded(info, encoder.name)
        else:
            module = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if "add_pooling_layer" in inspect.signature(type(module).__init__).parameters:
        module.pooler = None  # next-sentence layer, used by no pooling here
    _check_length(module, encoder)
    if encoder.pooling == "cls" and tokenizer.cls_token_id is None:
        raise BadInput(f"encoder {encoder.name} has no CLS token; use encoder.pooling=mean or last")
    return Backbone(module.to(device()).eval(), tokenizer, encoder)


def device() -> torch.device:
    """The runtime's device: cuda where there is one and ``auto`` or ``cuda`` is asked for.

    Raises:
        BadInput: cuda is asked for and not there.
    """
    wanted = runtime.current().device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise BadInput("device=cuda, but torch sees no CUDA device; use device=cpu or auto")
    return torch.device("cuda" if wanted in ("auto", "cuda") and torch.cuda.is_available() else "cpu")


_loading = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """No loading bars and reports; what matters in them is checked and raised."""
    from transformers.utils import logging as hf

    with _loading:
        level, bar = hf.get_verbosity(), hf.is_progress_bar_enabled()
        hf.set_verbosity(logging.ERROR)
        hf.disable_progress_bar()
        try:
            yield
        finally:
            hf.set_verbosity(level)
            if bar:
                hf.enable_progress_bar()


def _set_dropout(config: Any, rate: float) -> None:
    for name, value in config.to_dict().items():
        if "drop" in name and isinstance(value, int | float) and not isinstance(value, bool):
            setattr(config, name, float(rate))


def _check_loaded(info: dict[str, Any], name: str) -> None:
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))
    wrong = sorted(str(key) for key in info["mismatched_keys"])
    if missing or wrong:
        raise BadInput(
            f"encoder {name}: the weights lack {len(missing)} tensors and {len(wrong)} have another shape "
            f"(first: {(missing + wrong)[0]}); config.json and weights are of different models"
        )


def _check_length(module: Any, encoder: Encoder) -> None:
    """RoBERTa's positions start behind the padding index; relative positions have no limit."""
    limit = getattr(module.config, "max_position_embeddings", None)
    table = getattr(getattr(module, "embeddings", None), "position_embeddings", None)
    if isinstance(table, nn.Embedding) and table.padding_idx is not None:
        limit = table.num_embeddings - table.padding_idx - 1
    if limit is not None and 0 < limit < encoder.max_length:
        raise BadInput(
            f"encoder.max_length={encoder.max_length}, but {encoder.name} has positions for {limit} tokens; "
            f"use encoder.max_length={limit} or less"
        )


def _first_of(*ids: int | None) -> int:
    return next(k for k in ids if k is not None)
