"""A network's logits over texts laid end to end: what training and prediction compute by.

Embeddings, linear maps, norms and activations know no texts, only tokens; they run over the real tokens
of a batch at once (Krell et al. 2021, packing without padding), attention in packed_attention.py. The
module's own submodules are called, so that frozen parts, adapters and rates by layer stay what they
are, and dropout falls wherever the transformers module has it. That module, padded, is the reference
(tests compare logits and gradients) and computes the architectures not known here. Torch all through:
import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossover.model import runtime
from crossover.model.dropout import Dropout
from crossover.model.encoder.batch_plan import one_thread, pack
from crossover.model.encoder.packed_forward import knows
from crossover.model.packed_attention import Layout, attend, lay_out
from crossover.model.token_products import HEIGHT, TALLEST, evaluated, linear

if TYPE_CHECKING:
    from crossover.model.training_loop import Network, Tokens

FILL = 32
"""Places of a training batch are a multiple of this: fewer shapes for oneDNN to write kernels for, and
its product for the gradient of a weight is nearly twice as fast as between them."""

BATCH_TOKENS = TALLEST
"""Places of a batch in evaluation; a longer text has a multiple of this to itself."""


@dataclass(frozen=True)
class _Layer:
    query: nn.Module
    key: nn.Module
    value: nn.Module
    out: nn.Module
    out_norm: nn.Module
    wide: nn.Module
    narrow: nn.Module
    norm: nn.Module
    attention_dropout: float
    out_dropout: float
    dropout: float


class PackedNetwork:
    """The logits of a ``network`` that :func:`packs` accepts, and the states inside it.

    Args:
        network: its submodules are read when this is made, adapters included. Its lowest
            ``frozen_layers`` and the embeddings below them have no dropout.
        dtype: of the products and of attention; sums, norms and the head are float32.
        dropout: where training's masks come from; None is evaluation.
    """

    def __init__(self, network: Network, dtype: str = "float32", dropout: Dropout | None = None) -> None:
        module: Any = network.module
        self.network = network
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.dropout = dropout
        self.device = network.backbone.device
        self.heads = int(module.config.num_attention_heads)
        self.frozen = network.frozen_layers
        self.table: Any = module.embeddings
        distil = module.config.model_type == "distilbert"
        layers = [(_of_distilbert if distil else _of_bert)(layer) for layer in network.layers()]
        self.layers = [
            replace(layer, attention_dropout=0.0, out_dropout=0.0, dropout=0.0) if k < self.frozen else layer
            for k, layer in enumerate(layers)
        ]
        maps = [m for one in layers for m in (one.query, one.key, one.value, one.out, one.wide, one.narrow)]
        self._fixed = {} if dropout is not None else {m: evaluated(m, self.dtype) for m in maps}
        self._head = evaluated(network.head, torch.float32)

    def logits(self, rows: Tokens, states: Sequence[Tensor] | None = None) -> Tensor:
        """(rows, outputs) logits of token sequences, in their order, with a gradient.

        ``states`` are the rows' own of :meth:`states`, where they are there already.
        """
        layout = lay_out(rows, FILL, self.device, whole=self.device.type != "cpu")
        given = None if states is None else [states[k] for k in layout.order]
        pooled = self._pooled(self._through(layout, given), layout)
        logits = linear(self.network.head, self._dropped(pooled, self.network.dropout.p))
        turn = torch.empty(len(rows), dtype=torch.long)
        turn[list(layout.order)] = torch.arange(len(rows))
        return logits[turn.to(self.device)]

    @torch.no_grad()
    def evaluate(self, rows: Tokens, states: Sequence[Tensor] | None = None) -> Tensor:
        """(rows, outputs) logits; a row's bits do not depend on the other rows. On a processor only."""
        found = torch.zeros(len(rows), self.network.head.out_features)

        def work(layout: Layout, members: list[int]) -> None:
            given = None if states is None else [states[k] for k in members]
            pooled = self._pooled(self._through(layout, given), layout)
            pooled = functional.pad(pooled, (0, 0, 0, -len(pooled) % HEIGHT))
            found[members] = self._head(pooled)[: len(members)]

        self._in_batches(rows, work)
        return found

    @torch.no_grad()
    def states(self, rows: Tokens) -> list[Tensor]:
        """What enters the lowest trained layer: (tokens, width) a row, bits as in :meth:`evaluate`."""
        found: list[Tensor] = [torch.empty(0)] * len(rows)

        def work(layout: Layout, members: list[int]) -> None:
            hidden = self._embedded(layout)
            for layer in self.layers[: self.frozen]:
                hidden = self._layer(layer, hidden, layout)
            parts = torch.split(hidden[: layout.tokens], list(layout.lengths))
            for k, state in zip(members, parts, strict=True):
                found[k] = state.clone()

        self._in_batches(rows, work)
        return found

    def _in_batches(self, rows: Tokens, work: Callable[[Layout, list[int]], None]) -> None:
        """Call ``work`` with batches of rows in the order they lie, a thread each, several side by side."""

        def batch(members: Sequence[int]) -> None:
            with torch.no_grad():  # each thread has a switch of its own
                layout = lay_out([rows[k] for k in members], HEIGHT, self.device, alike=True)
                work(layout, [members[k] for k in layout.order])

        batches = pack([len(row) for row in rows], BATCH_TOKENS)
        with one_thread() as threads, ThreadPoolExecutor(runtime.current().threads or threads) as pool:
            for ended in [pool.submit(batch, members) for members in batches]:
                ended.result()

    def _through(self, layout: Layout, states: Sequence[Tensor] | None) -> Tensor:
        """(places, width) states after the last layer; ``states`` in the order the texts lie."""
        if states is None:
            hidden, layers = self._embedded(layout), self.layers
        else:
            known = torch.cat(list(states))
            hidden = functional.pad(known, (0, 0, 0, len(layout.ids) - len(known)))
            layers = self.layers[self.frozen :]
        for layer in layers:
            hidden = self._layer(layer, hidden, layout)
        return hidden

    def _embedded(self, layout: Layout) -> Tensor:
        table = self.table
        hidden = table.word_embeddings(layout.ids) + table.position_embeddings(layout.positions)
        if hasattr(table, "token_type_embeddings"):
            hidden = hidden + table.token_type_embeddings.weight[0]
        return self._dropped(table.LayerNorm(hidden), 0.0 if self.frozen else table.dropout.p)

    def _layer(self, layer: _Layer, hidden: Tensor, layout: Layout) -> Tensor:
        low = hidden.to(self.dtype)
        query, key, value = (self._product(part, low) for part in (layer.query, layer.key, layer.value))
        rate = layer.attention_dropout if self.dropout else 0.0
        seen = attend(query, key, value, layout, self.heads, rate, self.dropout)
        hidden = layer.out_norm(self._joined(hidden, self._product(layer.out, seen), layer.out_dropout))
        wide = self._product(layer.wide, hidden.to(self.dtype), gelu=True)
        return layer.norm(self._joined(hidden, self._product(layer.narrow, wide), layer.dropout))  # type: ignore[no-any-return]

    def _product(self, module: nn.Module, x: Tensor, gelu: bool = False) -> Tensor:
        if self.dropout is None:
            return self._fixed[module](x, gelu=gelu)
        found = linear(module, x)
        return functional.gelu(found) if gelu else found

    def _joined(self, residual: Tensor, x: Tensor, rate: float) -> Tensor:
        """The residual plus a layer's answer after dropout, in float32."""
        return residual + self._dropped(x.float(), rate)

    def _dropped(self, x: Tensor, rate: float) -> Tensor:
        return x if self.dropout is None else self.dropout(x, rate)

    def _pooled(self, hidden: Tensor, layout: Layout) -> Tensor:
        """(texts, width), in the order they lie."""
        where = self.network.backbone.pooled_at()
        lengths = torch.tensor(layout.lengths, device=hidden.device)
        if where == "mean":
            tokens = hidden[: layout.tokens]
            return torch.segment_reduce(tokens, "mean", lengths=lengths, axis=0, unsafe=True)
        ends = lengths.cumsum(0)
        return hidden[ends - lengths if where == "first" else ends - 1]


def packs(network: Network) -> bool:
    """Whether :class:`PackedNetwork` computes this network: BERT, ELECTRA or DistilBERT as published."""
    return knows(network.module)


def _of_bert(layer: Any) -> _Layer:
    attention, own = layer.attention, layer.attention.self
    return _Layer(
        own.query,
        own.key,
        own.value,
        attention.output.dense,
        attention.output.LayerNorm,
        layer.intermediate.dense,
        layer.output.dense,
        layer.output.LayerNorm,
        own.dropout.p,
        attention.output.dropout.p,
        layer.output.dropout.p,
    )


def _of_distilbert(layer: Any) -> _Layer:
    attention = layer.attention
    return _Layer(
        attention.q_lin,
        attention.k_lin,
        attention.v_lin,
        attention.out_lin,
        layer.sa_layer_norm,
        layer.ffn.lin1,
        layer.ffn.lin2,
        layer.output_layer_norm,
        attention.dropout.p,
        0.0,
        layer.ffn.dropout.p,
    )
