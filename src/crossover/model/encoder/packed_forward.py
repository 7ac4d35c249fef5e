"""Packed forward: BERT-like encoders over texts laid end to end, without a place of padding.

Linear layers, norms and activations know no texts, only tokens: they run over all tokens of a batch
at once, a matrix product of fixed height at a time. Attention runs over texts of equal length, so no
mask is ever built. Query, key and value are one product. The same arithmetic as the transformers
module, which stays the reference (tests compare both) and computes every architecture not known here.

A row of a product must not depend on the product's height, else a text's vector would depend on its
company: so the height is always the same, or one of those at which this machine was seen to give the
same bits (:meth:`PackedForward.heights`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossover.model.token_products import FixedMap

LEAST_HEIGHT = 32
"""Heights are this times a power of two, or a multiple of it: whole vectors of every processor, so
that elementwise kernels have no rest to compute in another way."""

LONGEST_WRITTEN_OUT = 100
"""Tokens of a text up to which attention in bfloat16 is written out."""

_SEEN = (1, 2, 3, 5, 7, 11, 17, 31)
"""Lengths of the texts that :meth:`PackedForward.heights` compares; together they need several heights."""


@dataclass(frozen=True)
class _Layer:
    qkv: FixedMap
    out: FixedMap
    out_norm: nn.LayerNorm
    wide: FixedMap
    narrow: FixedMap
    norm: nn.LayerNorm


class PackedForward:
    """The weights of a BERT-like ``module``, in its dtype, arranged for packed texts.

    Args:
        module: one that :func:`knows` accepts; its parameters are shared but query, key and value.
        where: ``mean``, ``first`` or ``last``: which of a text's tokens its vector is made of.
        normalise: scale vectors to length 1.
    """

    def __init__(self, module: Any, where: str, normalise: bool) -> None:
        config, table = module.config, module.embeddings
        self.heads = int(config.num_attention_heads)
        self.where = where
        self.normalise = normalise
        self.words: Tensor = table.word_embeddings.weight
        self.places: Tensor = table.position_embeddings.weight
        if hasattr(table, "token_type_embeddings"):
            self.places = self.places + table.token_type_embeddings.weight[0]
        self.norm: nn.LayerNorm = table.LayerNorm
        distil = config.model_type == "distilbert"
        layers = module.transformer.layer if distil else module.encoder.layer
        self.layers = [(_of_distilbert if distil else _of_bert)(layer) for layer in layers]

    def __call__(self, rows: Sequence[Sequence[int]], height: int) -> Tensor:
        """One vector a text, (texts, dim), fp32: ``rows`` are token ids, products have ``height`` rows.

        Texts of equal length should stand together: attention takes each such run at once.
        """
        tokens = [token for row in rows for token in row]
        filling = [0] * (-len(tokens) % height)
        places = [place for row in rows for place in range(len(row))]
        runs = _runs([len(row) for row in rows])
        hidden = functional.embedding(torch.tensor(tokens + filling), self.words)
        hidden = _norm(self.norm, hidden + functional.embedding(torch.tensor(places + filling), self.places))
        for layer in self.layers:
            hidden = self._through(layer, hidden, runs, height)
        return self._pooled(hidden, runs)

    def heights(self, most: int) -> tuple[int, ...]:
        """Heights up to ``most`` at which a text alone has the bits it has among others at ``most``.

        Few texts then cost no more than their own tokens. Seen through the first layer, whose shapes
        are those of all; ``most`` itself is always among them.
        """
        first = PackedForward.__new__(PackedForward)
        vars(first).update(vars(self), layers=self.layers[:1])
        draw = torch.Generator().manual_seed(0)
        texts = [torch.randint(len(self.words), (n,), generator=draw).tolist() for n in _SEEN if n <= most]
        while sum(map(len, texts)) > most:
            texts.pop()
        together = first(texts, most)
        ladder = [LEAST_HEIGHT << k for k in range(most.bit_length()) if LEAST_HEIGHT << k < most]
        equal = [
            height
            for height in ladder
            if all(
                torch.equal(first([text], height)[0], vector)
                for text, vector in zip(texts, together, strict=True)
                if len(text) <= height
            )
        ]
        return (*equal, most)

    def _through(
        self, layer: _Layer, hidden: Tensor, runs: Sequence[tuple[int, int, int]], height: int
    ) -> Tensor:
        qkv = layer.qkv(hidden, height)
        seen = torch.zeros_like(hidden)
        width = hidden.shape[1]
        for start, texts, length in runs:
            part = slice(start, start + texts * length)
            split = qkv[part].view(texts, length, 3, self.heads, width // self.heads)
            found = _attention(*split.permute(2, 0, 3, 1, 4).unbind(0))
            seen[part] = found.transpose(1, 2).reshape(texts * length, width)
        hidden = _norm(layer.out_norm, layer.out(seen, height).add_(hidden))
        pieces = torch.split(hidden, height)  # the wide states of one at a time stay near the processor
        narrow = torch.cat([layer.narrow(layer.wide(x, height, gelu=True), height) for x in pieces])
        return _norm(layer.norm, narrow.add_(hidden))

    def _pooled(self, hidden: Tensor, runs: Sequence[tuple[int, int, int]]) -> Tensor:
        vectors = []
        for start, texts, length in runs:
            part = hidden[start : start + texts * length].float().view(texts, length, -1)
            at = {"first": 0, "last": -1}.get(self.where)
            vectors.append(part.sum(1) / length if at is None else part[:, at])
        found = torch.cat(vectors)
        return functional.normalize(found, dim=1) if self.normalise else found


def knows(module: Any) -> bool:
    """Whether :class:`PackedForward` computes this module: BERT, ELECTRA or DistilBERT as published."""
    config = module.config
    if config.model_type == "distilbert":
        return config.activation == "gelu"  # type: ignore[no-any-return]
    return (
        config.model_type in ("bert", "electra")
        and config.hidden_act == "gelu"
        and not config.is_decoder
        and not hasattr(module, "embeddings_project")
    )


def _of_bert(layer: Any) -> _Layer:
    attention = layer.attention
    return _Layer(
        _side_by_side(attention.self.query, attention.self.key, attention.self.value),
        _fixed(attention.output.dense),
        attention.output.LayerNorm,
        _fixed(layer.intermediate.dense),
        _fixed(layer.output.dense),
        layer.output.LayerNorm,
    )


def _of_distilbert(layer: Any) -> _Layer:
    attention = layer.attention
    return _Layer(
        _side_by_side(attention.q_lin, attention.k_lin, attention.v_lin),
        _fixed(attention.out_lin),
        layer.sa_layer_norm,
        _fixed(layer.ffn.lin1),
        _fixed(layer.ffn.lin2),
        layer.output_layer_norm,
    )


def _side_by_side(*linears: nn.Linear) -> FixedMap:
    return FixedMap(torch.cat([one.weight for one in linears]), torch.cat([one.bias for one in linears]))


def _fixed(linear: nn.Linear) -> FixedMap:
    return FixedMap(linear.weight, linear.bias)


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q K' / sqrt(d)) V of (texts, heads, length, d).

    On a processor torch's own kernel takes two to three times as long in bfloat16, but for long texts.
    """
    texts, heads, length, dim = query.shape
    if query.dtype != torch.bfloat16 or length > LONGEST_WRITTEN_OUT:
        return functional.scaled_dot_product_attention(query, key, value)
    q, k, v = (part.reshape(texts * heads, length, dim) for part in (query, key, value))
    none = q.new_zeros(()).expand(texts * heads, length, length)
    scores = torch.baddbmm(none, q, k.transpose(1, 2), beta=0, alpha=dim**-0.5)
    shares = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
    return torch.bmm(shares, v).view(texts, heads, length, dim)


def _runs(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first token, texts, length) of each run of texts of equal length."""
    runs: list[tuple[int, int, int]] = []
    for start, length in zip(accumulate(lengths, initial=0), lengths, strict=False):
        if runs and runs[-1][2] == length:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1, length)
        else:
            runs.append((start, 1, length))
    return runs


def _norm(norm: nn.LayerNorm, rows: Tensor) -> Tensor:
    return functional.layer_norm(rows, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
