"""Stacks of seeds trained in this process, kept until memory is wanted for others.

What is handed out is bit for bit what training the stack anew would give: which runs are trained
together follows from their own seeds (many_seeds.py), so an earlier run saves time and decides
nothing.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from crossover.model.finetune import Finetune
    from crossover.model.many_seeds import Stack
    from crossover.model.training_loop import Course, Network

KEEP_BYTES = 8 << 30
"""Five stacks of 16 MiniLM: what a study that crosses seeds with orders goes back and forth between."""


@dataclass(frozen=True)
class Trained:
    """A trained stack, each member's course (or how it diverged), and the seconds it took."""

    stack: Stack
    courses: list[Course | FloatingPointError]
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of its weights."""
        return sum(p.numel() * p.element_size() for p in self.stack.parameters())


_kept: OrderedDict[str, Trained] = OrderedDict()
_lock = threading.Lock()


def trained_in_stack(
    model: Finetune, texts: Sequence[str], targets: Sequence[int], class_weights: Sequence[float] | None
) -> tuple[Network, Course, dict[str, float]]:
    """A model's trained network, its course and its cost, from the stack its seeds belong to.

    The whole stack is what the run costs with nothing kept beforehand: that enters the cold seconds.

    Raises:
        BadInput: the architecture cannot be stacked.
        FloatingPointError: this member diverged.
    """
    from crossover.model import many_seeds
    from crossover.model.encoder.backbone import device

    seeds = many_seeds.seeds_together(model.seed, model.order_seed, cast(int, model.together))

    def train() -> tuple[Stack, list[Course | FloatingPointError]]:
        stack = fresh_stack(model, seeds)
        tokens, recipe = model._tokenize(texts, stack.pattern), model._recipe(len(texts))
        return stack, many_seeds.train_together(
            stack, tokens, targets, recipe, seeds, class_weights, model.on_step
        )

    given = [model.decisive_settings(), seeds, list(texts), list(targets), model.present_]
    key = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
    found, new = trained_once(key, train)
    place = seeds.index((model.seed, model.order_seed))
    course = found.courses[place]
    if isinstance(course, FloatingPointError):
        raise FloatingPointError(*course.args)
    cost = {"encode_seconds": found.seconds * new, "encode_seconds_cold": found.seconds}
    return found.stack.member(place).to(device()), course, cost


def fresh_stack(model: Finetune, seeds: Sequence[tuple[int, int]]) -> Stack:
    """The networks of these (seed, order_seed) before their first step; pretrained weights are read once."""
    from crossover.model.encoder.backbone import load_backbone
    from crossover.model.many_seeds import Stack

    if not model.pretrained:
        return Stack(model._trainable(seed) for seed, _ in seeds)
    loaded = load_backbone(model.encoder, True, 0, model.dropout)
    return Stack(model._trainable(seed, loaded.copy()) for seed, _ in seeds)


def trained_once(
    key: str, train: Callable[[], tuple[Stack, list[Course | FloatingPointError]]]
) -> tuple[Trained, bool]:
    """The stack of this key, and whether it was trained now; ``key`` names all that decides its bits.

    The least recently asked go first where all are over ``KEEP_BYTES``; the last one always stays.
    """
    with _lock:  # a second run of the same stack waits for it
        new = key not in _kept
        if new:
            began = time.perf_counter()
            stack, courses = train()
            _kept[key] = Trained(stack.cpu(), courses, time.perf_counter() - began)
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(kept.size for kept in _kept.values()) > KEEP_BYTES:
            _kept.popitem(last=False)
        return _kept[key], new


def forget() -> None:
    """Drop every stack kept."""
    with _lock:
        _kept.clear()
