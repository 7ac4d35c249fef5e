"""The training loop, whole: a transformer with a linear head, trained by bias-corrected AdamW.

The recipe is that of Devlin et al. 2019 with what makes small sets trainable (Mosbach et al.
2021, Zhang et al. 2021): bias correction, warm-up, and a number of steps that does not shrink
with the rows. What is computed fast is computed elsewhere: logits without padding (packed_network.py),
a small embedding table (compact_vocabulary.py), frozen layers once (frozen_layers.py); the plain loop
over the transformers module is the same up to rounding. Torch all through: import it inside functions
only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from crossover.data.bad_input import BadInput
from crossover.model.batch_gradient import add_gradient, named_memory
from crossover.model.batching import (
    length_groups,
    padded_length,
    prediction_batches,
    seed_of,
    training_order,
)
from crossover.model.checkpoint import Checkpoints
from crossover.model.compact_vocabulary import compact_vocabulary
from crossover.model.dropout import Dropout
from crossover.model.encoder.backbone import Backbone
from crossover.model.frozen_layers import FrozenLayers
from crossover.model.optimiser import adamw, set_rates
from crossover.model.packed_network import PackedNetwork, packs
from crossover.model.training_state import Best, Draws, TrainingState

DROPOUT_STREAM, HEAD_STREAM = 1, 2
PREDICTION_BATCH, GPU_PREDICTION_BATCH, PREDICTED_AT_ONCE = 32, 256, 1024

Tokens = Sequence[Sequence[int]]
"""Token ids, one sequence a row."""


@dataclass(frozen=True)
class Recipe:
    """What a training does, all counts known.

    ``planned_steps`` is the length of the learning-rate schedule, ``steps`` where training
    stops; ``warmup`` is a share of the plan. Every ``evaluate_every`` steps the validation loss
    is taken, and after ``patience`` evaluations without a better one training ends. The rate of a
    layer is ``layer_decay`` times that of the layer above it.
    """

    planned_steps: int
    steps: int
    learning_rate: float = 5e-5
    head_learning_rate: float = 1e-3
    batch_size: int = 8
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    dtype: str = "float32"
    layer_decay: float = 1.0
    evaluate_every: int = 20
    patience: int = 5


@dataclass
class Course:
    """How a training went: one entry a step, the step whose weights were kept, tokens read.

    ``encode_seconds`` went into the states above frozen layers; ``encode_seconds_cold`` would have, had
    none been kept. ``earlier_`` is what attempts at this training took that were interrupted: wall and CPU
    seconds up to the checkpoint that was gone on from, and their peak memory.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    kept_step: int = 0
    tokens: int = 0
    encode_seconds: float = 0.0
    encode_seconds_cold: float = 0.0
    earlier_seconds: float = 0.0
    earlier_cpu_seconds: float = 0.0
    earlier_peak_bytes: float = 0.0


class Network(nn.Module):
    """Backbone, pooling, dropout and a linear head with ``outputs`` logits.

    Attributes:
        frozen_layers: how many of the lowest layers, and the embeddings below them, are not trained
            and have no dropout; see :meth:`freeze`.
    """

    frozen_layers = 0

    def __init__(self, backbone: Backbone, outputs: int, dropout: float, seed: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.module = backbone.module
        self._evaluated: dict[str, PackedNetwork] = {}
        self.dropout = nn.Dropout(dropout)
        self.head = nn.utils.skip_init(nn.Linear, backbone.dim, outputs)  # type: ignore[no-untyped-call]
        generator = torch.Generator().manual_seed(seed_of(seed, HEAD_STREAM))
        nn.init.normal_(self.head.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.head.bias)
        self.to(backbone.device)

    def forward(self, tokens: Tokens) -> Tensor:
        """(rows, outputs) logits of token sequences, padded to the longest of them: the reference."""
        width = max(padded_length(row) for row in tokens)
        pooled = self.backbone.forward_pooled(*self.backbone.collate(tokens, width))
        logits: Tensor = self.head(self.dropout(pooled))
        return logits.float()

    def train(self, mode: bool = True) -> Self:
        """Training mode, but for what is frozen. Weights change between two calls only."""
        super().train(mode)
        self._evaluated.clear()
        if mode and self.frozen_layers:
            self.module.eval()
            for layer in self.layers()[self.frozen_layers :]:
                layer.train()
        return self

    def evaluated(self, dtype: str) -> PackedNetwork:
        """The network as it is now, laid out for prediction; kept until its mode is set again."""
        if dtype not in self._evaluated:
            self._evaluated[dtype] = PackedNetwork(self, dtype)
        return self._evaluated[dtype]

    def freeze(self, layers: int) -> None:
        """Train neither the embeddings nor so many of the lowest layers, and drop nothing in these layers.

        Raises:
            BadInput: there are fewer layers.
        """
        if layers > len(self.layers()):
            raise BadInput(f"Finetune: freeze_layers={layers}, the model has {len(self.layers())} layers")
        self.frozen_layers = layers
        for parameter in self.frozen_parameters():
            parameter.requires_grad_(False)

    def frozen_parameters(self) -> list[nn.Parameter]:
        """Those of the embeddings and of the lowest ``frozen_layers`` layers."""
        layers = self.layers()[: self.frozen_layers]
        return [*self.embeddings(), *(p for layer in layers for p in layer.parameters())]

    def layers(self) -> list[nn.Module]:
        """The transformer's layers, lowest first.

        Raises:
            BadInput: the architecture keeps them in no list.
        """
        count = int(self.backbone.config.num_hidden_layers)
        lists = [m for m in self.module.modules() if isinstance(m, nn.ModuleList) and len(m) == count]
        if not lists:
            raise BadInput(
                f"{type(self.module).__name__} keeps its {count} layers in no list: "
                "freeze_layers, freeze_embeddings and layer_decay do not apply to it"
            )
        return list(lists[0])

    def embeddings(self) -> list[nn.Parameter]:
        """The parameters below the lowest layer."""
        inside = {id(parameter) for layer in self.layers() for parameter in layer.parameters()}
        return [
            parameter
            for name, parameter in self.module.named_parameters()
            if id(parameter) not in inside and any(part in name for part in ("emb", "wte", "wpe"))
        ]


def train(
    network: Network,
    tokens: Tokens,
    targets: Sequence[int],
    recipe: Recipe,
    seed: int = 0,
    order_seed: int = 0,
    class_weights: Sequence[float] | None = None,
    validation: tuple[Tokens, Sequence[int]] | None = None,
    on_step: Callable[[int, int, str], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Course:
    """Train ``network`` in place on ``targets``, the column of each row's class.

    The loss is cross-entropy, weighted by class where weights are given and divided by the batch's
    weight. With ``validation`` the weights of the lowest validation loss are kept (the first of equals),
    else the last. ``order_seed`` decides the rows' order, ``seed`` dropout; global randomness is left alone.
    With ``checkpoints`` a training that was interrupted goes on from the last one, to the same bits. A
    batch that does not fit memory is computed in pieces, and its entry says in how many.

    Raises:
        FloatingPointError: loss or gradient is not finite; step and learning rate are named.
        MemoryError: a single row does not fit; the batch's longest row is named.
    """
    device, stream = network.backbone.device, seed_of(seed, DROPOUT_STREAM)
    goal = torch.tensor(targets, device=device)
    weights = None if class_weights is None else torch.tensor(class_weights, device=device)
    batches = training_order(len(tokens), recipe.batch_size, order_seed)
    course, best = Course(kept_step=recipe.steps), Best()
    frozen = frozen_layers_of(network, recipe.dtype)
    small_table = compact_vocabulary(network.module, tokens, network.backbone.pad_id)
    with _own_randomness(stream, device), small_table as vocabulary:
        optimiser = adamw(network, recipe)
        draws = Draws(Dropout(stream), device)
        forward = _forward(network, recipe.dtype, draws.dropout, frozen)
        state = TrainingState(network, optimiser, draws, course, best, frozen)
        done = state.resume(checkpoints)
        network.train()
        for step, rows in enumerate(islice(batches, done, recipe.steps), done + 1):
            with named_memory(step, rows, tokens):
                entry = _step(state, forward, step, [tokens[k] for k in rows], goal[rows], weights, recipe)
            if vocabulary is not None:
                vocabulary.decayed(optimiser)
            course.history.append(entry)
            course.tokens += sum(len(tokens[k]) for k in rows)
            if on_step is not None:
                on_step(step, recipe.steps, f"loss {entry['loss']:.3f}")
            if validation is not None and (step % recipe.evaluate_every == 0 or step == recipe.steps):
                found = mean_loss(network, *validation, recipe.dtype, frozen)
                _check_finite(step, recipe, found, entry["gradient_norm"], entry["learning_rate"])
                entry["validation_loss"] = found
                if best.is_over(network, step, found, recipe):
                    break
                network.train()
            state.keep(checkpoints, step, recipe.steps)
        course.kept_step = best.restored(network) or course.kept_step
        state.keep_end(checkpoints, recipe.steps)
    state.close()
    network.eval()
    return course


def _step(
    state: TrainingState,
    forward: Callable[[Tokens], Tensor],
    step: int,
    batch: Tokens,
    goal: Tensor,
    weights: Tensor | None,
    recipe: Recipe,
) -> dict[str, float]:
    """Move the weights once, by the gradient of a batch; the step's entry in the history."""
    optimiser, before = state.optimiser, state.draws.state()

    def rewind() -> None:
        optimiser.zero_grad(set_to_none=True)
        state.draws.restore(before)

    rate = recipe.learning_rate * set_rates(optimiser, step, recipe)
    loss, pieces = add_gradient(forward, batch, goal, weights, rewind)
    norm = _clip(state.trained, recipe.clip)
    _check_finite(step, recipe, loss, norm, rate)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    entry = {"step": float(step), "loss": loss, "gradient_norm": norm, "learning_rate": rate}
    return entry if pieces == 1 else {**entry, "micro_batches": float(pieces)}


def frozen_layers_of(network: Network, dtype: str) -> FrozenLayers | None:
    """The states above the network's frozen layers; None where it has none, or is not computed packed."""
    if not network.frozen_layers or not packs(network) or network.backbone.device.type != "cpu":
        return None
    return FrozenLayers(PackedNetwork(network, dtype))


def predict_logits(
    network: Network, tokens: Tokens, dtype: str = "float32", frozen: FrozenLayers | None = None
) -> NDArray[np.float64]:
    """(rows, outputs) logits; a row's figures do not depend on the order of the rows."""
    if network.training:
        network.eval()
    logits = np.zeros((len(tokens), network.head.out_features))
    if packs(network) and network.backbone.device.type == "cpu":
        packed = network.evaluated(dtype)
        for start in range(0, len(tokens), PREDICTED_AT_ONCE):
            part = tokens[start : start + PREDICTED_AT_ONCE]
            states = None if frozen is None else frozen.states(part)
            logits[start : start + len(part)] = packed.evaluate(part, states).double().numpy()
        return logits
    size = PREDICTION_BATCH if network.backbone.device.type == "cpu" else GPU_PREDICTION_BATCH
    with torch.inference_mode(), _autocast(network, dtype):
        for rows in prediction_batches(tokens, size):
            logits[rows] = network([tokens[k] for k in rows]).double().cpu().numpy()
    return logits


def mean_loss(
    network: Network,
    tokens: Tokens,
    targets: Sequence[int],
    dtype: str = "float32",
    frozen: FrozenLayers | None = None,
) -> float:
    """Mean cross-entropy in nats, every row alike."""
    logits = torch.from_numpy(predict_logits(network, tokens, dtype, frozen))
    return float(cross_entropy(logits, torch.tensor(targets)))


def _clip(trained: list[nn.Parameter], most: float) -> float:
    """Scale the gradient down to the norm ``most`` where it is above it; its norm before."""
    norm = nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None])
    if norm > most:
        nn.utils.clip_grads_with_norm_(trained, most, norm)
    return float(norm)


def _forward(
    network: Network, dtype: str, dropout: Dropout, frozen: FrozenLayers | None
) -> Callable[[Tokens], Tensor]:
    """The function from a batch's tokens to its logits: packed where that is known, else padded."""
    if not packs(network):
        return partial(_grouped, network, dtype)
    packed = PackedNetwork(network, dtype, dropout)
    return lambda tokens: packed.logits(tokens, None if frozen is None else frozen.states(tokens))


def _grouped(network: Network, dtype: str, tokens: Tokens) -> Tensor:
    """(rows, outputs) logits; rows run in groups of similar length, each padded to its longest."""
    groups = length_groups([padded_length(row) for row in tokens])
    with _autocast(network, dtype):
        logits = torch.cat([network([tokens[k] for k in group]) for group in groups])
    place = {row: turn for turn, row in enumerate(row for group in groups for row in group)}
    return logits[[place[row] for row in range(len(tokens))]]


def _check_finite(step: int, recipe: Recipe, loss: float, norm: float, rate: float) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise FloatingPointError(
            f"training diverged at step {step} of {recipe.steps}: loss {loss}, gradient norm {norm}, "
            f"learning rate {rate:g} (head {recipe.head_learning_rate * rate / recipe.learning_rate:g}); "
            "lower model.learning_rate or raise model.warmup"
        )


def _autocast(network: Network, dtype: str) -> torch.autocast:
    """bfloat16 arithmetic where asked for; weights and optimiser stay float32."""
    return torch.autocast(network.backbone.device.type, dtype=torch.bfloat16, enabled=dtype == "bfloat16")


@contextmanager
def _own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout draws from ``seed`` inside the block; the global generators are put back after."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
