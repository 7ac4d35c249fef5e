"""Many seeds at once: networks that differ in their seeds alone, trained side by side.

A small network leaves a large GPU idle: a step of one run is mostly waiting for kernels to be
launched. Here the weights of S runs are stacked, each linear map is one batched product, and a
step of all S costs little more launching than a step of one. Every run has its own head, order of
rows, dropout, gradient norm and AdamW state: its course is that of the plain loop (training_loop.py)
but for float rounding. Torch all through: import it inside functions only.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding, layer_norm

from crossover.data.bad_input import BadInput
from crossover.model.batch_gradient import named_memory
from crossover.model.batching import PAD_MULTIPLE, seed_of, training_order
from crossover.model.optimiser import adamw, schedule, set_rates
from crossover.model.training_loop import (
    DROPOUT_STREAM,
    Course,
    Network,
    Recipe,
    Tokens,
    _autocast,
    _check_finite,
    _own_randomness,
)

STACKABLE = ("bert", "distilbert", "roberta", "electra", "modernbert")
"""Architectures whose trained weights all lie in linear maps, embeddings and layer norms."""


def seeds_together(seed: int, order_seed: int, together: int) -> list[tuple[int, int]]:
    """(seed, order_seed) of the ``together`` runs that are trained with this one, itself included.

    A run's company follows from its own seeds, never from what else is run, so that its bits do
    too: seeds that share ``seed // together`` are one stack, the order seeds of one block are dealt
    to them in turn. Every member finds the same stack.
    """
    block, orders = seed - seed % together, order_seed - order_seed % together
    ahead = order_seed - seed
    return [(block + k, orders + (block + k + ahead) % together) for k in range(together)]


class Stack(nn.Module):
    """Networks of one architecture side by side; weights that are trained or differ are stacked.

    Args:
        networks: equal but for their weights; the first is kept as the pattern of what comes out.

    Raises:
        BadInput: an architecture that keeps weights where they cannot be stacked.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        super().__init__()
        members = iter(networks)
        self.pattern = _copied(next(members))
        kind = self.pattern.backbone.config.model_type
        if kind not in STACKABLE:
            raise BadInput(
                f"Finetune: together is not known to work with {kind!r} models, only with "
                f"{', '.join(STACKABLE)}; use together=null"
            )
        states: list[dict[str, Tensor]] = [dict(self.pattern.named_parameters())]
        states += [{name: p.detach().clone() for name, p in net.named_parameters()} for net in members]
        self.size = len(states)
        self.network = _copied(self.pattern)
        self.stacked: dict[str, nn.Parameter] = {}
        for name, parameter in list(self.pattern.named_parameters()):
            own = [state.pop(name) for state in states]  # so that no weight is held twice for long
            if parameter.requires_grad or any(not torch.equal(own[0], other) for other in own[1:]):
                together = torch.stack([other.detach() for other in own])
                self.stacked[name] = nn.Parameter(together, requires_grad=parameter.requires_grad)
        owners = {name.rpartition(".")[0] for name in self.stacked}
        for owner in sorted(owners, key=lambda name: name.count(".")):
            parent, _, child = owner.rpartition(".")
            holder, plain = self.network.get_submodule(parent), self.network.get_submodule(owner)
            weights = [self._weight(f"{owner}.{part}", plain, part) for part in ("weight", "bias")]
            setattr(holder, child, _side_by_side(plain, self.size, *weights))
        self.tables = [module for module in self.network.modules() if isinstance(module, _Embedding)]

    def _weight(self, name: str, plain: nn.Module, part: str) -> nn.Parameter | None:
        """The stacked weight of this name; one that is shared beside a stacked one is repeated."""
        alone = getattr(plain, part, None)
        if alone is not None and name not in self.stacked:
            self.stacked[name] = nn.Parameter(
                torch.stack([alone.detach()] * self.size), requires_grad=alone.requires_grad
            )
        return self.stacked.get(name)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(members, rows, length) tokens and mask to (members, rows, outputs) logits."""
        for table in self.tables:
            table.rows = ids.shape[1]
        pooled = self.network.backbone.forward_pooled(ids.flatten(0, 1), mask.flatten(0, 1))
        logits: Tensor = self.network.head(self.network.dropout(pooled))
        return logits.float().view(*ids.shape[:2], -1)

    def member(self, place: int) -> Network:
        """A network of its own with the weights of one member."""
        network = _copied(self.pattern)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name in self.stacked:
                    parameter.copy_(self.stacked[name][place])
        return network.eval()


def train_together(
    stack: Stack,
    tokens: Tokens,
    targets: Sequence[int],
    recipe: Recipe,
    seeds: Sequence[tuple[int, int]],
    class_weights: Sequence[float] | None = None,
    on_step: Callable[[int, int, str], None] | None = None,
    compiled: bool = False,
) -> list[Course | FloatingPointError]:
    """Train every member of ``stack`` in place, each by its own (seed, order_seed).

    The loop of :func:`crossover.model.training_loop.train` without validation. A member that
    diverges is an error in its place and leaves the others as they are. ``compiled`` hands the
    forward pass to torch.compile.

    Raises:
        MemoryError: a step does not fit; its rows and the longest are named.
    """
    device = stack.pattern.backbone.device
    ids, mask = stack.pattern.backbone.collate(tokens, _padded(tokens, range(len(tokens))))
    goal = torch.tensor(targets, device=device)
    weights = None if class_weights is None else torch.tensor(class_weights, device=device)
    optimiser = _stacked_optimiser(stack, recipe)
    trained = [parameter for parameter in stack.stacked.values() if parameter.requires_grad]
    orders = [training_order(len(tokens), recipe.batch_size, order) for _, order in seeds]
    told = torch.zeros(recipe.steps, 2, stack.size, device=device)
    read = torch.zeros(stack.size, dtype=torch.long)
    lengths = torch.tensor([len(row) for row in tokens])
    forward = torch.compile(stack, dynamic=True) if compiled else stack
    with _own_randomness(seed_of(seeds[0][0], DROPOUT_STREAM), device):
        stack.train()
        for step in range(1, recipe.steps + 1):
            set_rates(optimiser, step, recipe)
            rows = [next(order) for order in orders]
            every = [k for batch in rows for k in batch]
            width, at = _padded(tokens, every), torch.tensor(rows, device=device)
            with named_memory(step, every, tokens):
                with _autocast(stack.pattern, recipe.dtype):
                    logits = forward(ids[at, :width], mask[at, :width])
                losses = _losses(logits, goal[at], weights)
                losses.sum().backward()  # type: ignore[no-untyped-call]
                norms = _clip(trained, recipe.clip)
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            # Kept on the device: reading them here would make every step wait for its own end.
            told[step - 1, 0], told[step - 1, 1] = losses.detach(), norms
            read += lengths[torch.tensor(rows)].sum(1)
            if on_step is not None:
                on_step(step, recipe.steps, f"{stack.size} seeds together")
    stack.eval()
    figures = told.cpu().tolist()
    return [
        _course([(step[0][k], step[1][k]) for step in figures], recipe, tokens=int(read[k]))
        for k in range(stack.size)
    ]


def _course(figures: list[tuple[float, float]], recipe: Recipe, tokens: int) -> Course | FloatingPointError:
    """One member's history from its (loss, gradient norm) a step, or where it diverged."""
    course = Course(kept_step=recipe.steps, tokens=tokens)
    for step, (loss, norm) in enumerate(figures, 1):
        rate = recipe.learning_rate * schedule(step, recipe.planned_steps, recipe.warmup)
        try:
            _check_finite(step, recipe, loss, norm, rate)
        except FloatingPointError as error:
            return error
        entry = {"step": float(step), "loss": loss, "gradient_norm": norm, "learning_rate": rate}
        course.history.append(entry)
    return course


def _losses(logits: Tensor, goal: Tensor, weights: Tensor | None) -> Tensor:
    """(members,) cross-entropy of each member's batch, divided by its batch's weight."""
    each = cross_entropy(logits.flatten(0, 1), goal.flatten(), weights, reduction="none")
    total = each.view(goal.shape).sum(1)
    return total / goal.shape[1] if weights is None else total / weights[goal].sum(1)


def _clip(parameters: Sequence[nn.Parameter], limit: float) -> Tensor:
    """Scale each member's gradient to at most ``limit``; the (members,) norms before that."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    parts = [torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients]
    norms: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
    shares = (limit / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(shares.view(-1, *[1] * (gradient.ndim - 1)))
    return norms


def _stacked_optimiser(stack: Stack, recipe: Recipe) -> torch.optim.AdamW:
    """The plain loop's optimiser over stacked weights: AdamW is elementwise, each run has its state."""
    optimiser = adamw(stack.pattern, recipe)
    names = {id(parameter): name for name, parameter in stack.pattern.named_parameters()}
    for group in optimiser.param_groups:
        group["params"] = [stack.stacked[names[id(parameter)]] for parameter in group["params"]]
    return optimiser


def _padded(tokens: Tokens, rows: Iterable[int]) -> int:
    """Width of a batch of these rows."""
    return math.ceil(max(len(tokens[k]) for k in rows) / PAD_MULTIPLE) * PAD_MULTIPLE


def _copied(network: Network) -> Network:
    """A network of its own; the tokenizer is shared."""
    tokenizer = network.backbone.tokenizer
    return copy.deepcopy(network, {id(tokenizer): tokenizer})


class _Linear(nn.Module):
    """(members x rows, ..., inputs) to (members x rows, ..., outputs), a map a member."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor) -> Tensor:
        """One batched product for all members."""
        flat = x.reshape(len(self.weight), -1, x.shape[-1])
        turned = self.weight.transpose(1, 2)
        result = flat @ turned if self.bias is None else torch.baddbmm(self.bias[:, None], flat, turned)
        return result.view(*x.shape[:-1], -1)


class _Embedding(nn.Module):
    """Look-up in a table a member; ids without a row for each member (positions) hold for all rows."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight
        self.rows = 1

    def forward(self, ids: Tensor) -> Tensor:
        """(members x rows, length) ids, or (1, length), to (members x rows, length, dim) vectors."""
        members, entries, dim = self.weight.shape
        first = torch.arange(0, members * entries, entries, device=ids.device)
        alike = len(ids) == 1
        own = ids.expand(members, -1) if alike else ids.reshape(members, -1)
        found = embedding(own + first[:, None], self.weight.flatten(0, 1)).view(-1, ids.shape[-1], dim)
        return found.repeat_interleave(self.rows, dim=0) if alike else found


class _LayerNorm(nn.Module):
    """Layer norm with a scale and an offset a member."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None, eps: float) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = weight, bias, eps

    def forward(self, x: Tensor) -> Tensor:
        """(members x rows, ..., dim), normalised over the last."""
        plain = layer_norm(x, x.shape[-1:], eps=self.eps)
        flat = plain.reshape(len(self.weight), -1, x.shape[-1])
        scale = self.weight[:, None]
        result = flat * scale if self.bias is None else torch.addcmul(self.bias[:, None], flat, scale)
        return result.view(x.shape)


def _side_by_side(
    plain: nn.Module, size: int, weight: nn.Parameter | None, bias: nn.Parameter | None
) -> nn.Module:
    if isinstance(plain, nn.Linear) and weight is not None:
        return _Linear(weight, bias)
    if isinstance(plain, nn.Embedding) and weight is not None:
        return _Embedding(weight)
    if isinstance(plain, nn.LayerNorm) and weight is not None:
        return _LayerNorm(weight, bias, plain.eps)
    raise BadInput(
        f"Finetune: {type(plain).__name__} has weights that cannot be stacked over {size} seeds; "
        "use together=null"
    )
