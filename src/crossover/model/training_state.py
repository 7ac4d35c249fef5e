"""The state of a training between two steps: all that the steps to come depend on.

It is what a checkpoint holds. The learning rate and the order of the rows are no part of it: both
follow from the step's number. Torch all through: import it inside functions only.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from crossover.model.checkpoint import Checkpoint, Checkpoints

if TYPE_CHECKING:
    from crossover.model.dropout import Dropout
    from crossover.model.frozen_layers import FrozenLayers
    from crossover.model.training_loop import Course, Recipe


def moving(network: nn.Module) -> dict[str, Tensor]:
    """What training changes, by name: the trained parameters and the buffers themselves, no copies."""
    trained = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    return trained | dict(network.named_buffers())


@dataclass
class Best:
    """The lowest validation loss so far, with its step and the weights of then."""

    loss: float = math.inf
    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def is_over(self, network: nn.Module, step: int, loss: float, recipe: Recipe) -> bool:
        """Note a loss; whether ``patience`` evaluations have passed without a better one."""
        if loss < self.loss:
            self.loss, self.step = loss, step
            self.weights = {name: value.clone() for name, value in moving(network).items()}
            return False
        return bool(self.weights) and step - self.step >= recipe.patience * recipe.evaluate_every

    def restored(self, network: nn.Module) -> int:
        """Give the network these weights; their step, 0 where there are none."""
        if self.weights:
            _copy(self.weights, moving(network))
        return self.step


@dataclass(frozen=True)
class Draws:
    """Where training draws at random: the dropout of packed batches, and torch's generators."""

    dropout: Dropout
    device: torch.device

    def state(self) -> dict[str, Tensor]:
        """Where each of them is."""
        found = {"dropout": torch.from_numpy(self.dropout.state().view(np.int64))}
        found["cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            found["cuda"] = torch.cuda.get_rng_state(self.device)
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Have each of them go on from there."""
        self.dropout.restore(state["dropout"].numpy().view(np.uint64))
        torch.set_rng_state(state["cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.device)


@dataclass
class TrainingState:
    """A training under way, which can be taken down and put back bit for bit.

    Attributes:
        frozen: what its frozen layers cost is part of the course.
        trained: the parameters that are trained.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    draws: Draws
    course: Course
    best: Best
    frozen: FrozenLayers | None = None
    began: tuple[float, float] = field(default_factory=lambda: (time.perf_counter(), time.process_time()))

    def __post_init__(self) -> None:
        self.trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]

    def resume(self, checkpoints: Checkpoints | None) -> int:
        """Put the last checkpoint back; the steps that are done with, 0 where there is none."""
        found = None if checkpoints is None else checkpoints.load()
        if found is None:
            return 0
        _copy(_under("network", found.tensors), moving(self.network))
        for name, parameter in self.network.named_parameters():
            if moments := _under(f"moments/{name}", found.tensors):
                self.optimiser.state[parameter] = {
                    kind: value.to(parameter.device) for kind, value in moments.items()
                }
        if draws := _under("draws", found.tensors):
            self.draws.restore(draws)
        device = self.draws.device
        self.best.weights = {k: v.to(device) for k, v in _under("best", found.tensors).items()}
        best = found.plain["best"]
        self.best.loss, self.best.step = (math.inf if best["loss"] is None else best["loss"]), best["step"]
        for name, value in found.plain["course"].items():
            setattr(self.course, name, value)
        return found.step

    def keep(self, checkpoints: Checkpoints | None, step: int, steps: int) -> None:
        """Save a checkpoint where it is time, between two steps: after the last, see :meth:`keep_end`."""
        if checkpoints is None or step == steps or not checkpoints.due():
            return
        moments = {
            f"moments/{name}/{kind}": value
            for name, parameter in self.network.named_parameters()
            for kind, value in self.optimiser.state.get(parameter, {}).items()
        }
        best, draws = _named("best", self.best.weights), _named("draws", self.draws.state())
        tensors = {**_named("network", moving(self.network)), **moments, **best, **draws}
        checkpoints.save(Checkpoint(step, tensors, self._plain(self.best)))

    def keep_end(self, checkpoints: Checkpoints | None, steps: int) -> None:
        """Save what a training of ``steps`` came to, so that a run that goes on need not do it again."""
        if checkpoints is not None and checkpoints.worth_keeping():
            tensors = _named("network", moving(self.network))
            checkpoints.save(Checkpoint(steps, tensors, self._plain(Best())), keep=1)

    def close(self) -> None:
        """Enter into the course what its frozen layers cost."""
        for name, value in self._encoding().items():
            setattr(self.course, name, value)

    def _plain(self, best: Best) -> dict[str, Any]:
        course = vars(self.course) | self._encoding()
        course["earlier_seconds"] += time.perf_counter() - self.began[0]
        course["earlier_cpu_seconds"] += time.process_time() - self.began[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
        course["earlier_peak_bytes"] = max(course["earlier_peak_bytes"], peak)
        loss = best.loss if math.isfinite(best.loss) else None
        return {"course": course, "best": {"loss": loss, "step": best.step}}

    def _encoding(self) -> dict[str, float]:
        """Seconds for the states above frozen layers, those of earlier attempts included.

        A text that was met before the interruption costs time again, but no second time where nothing
        is taken to have been kept.
        """
        if self.frozen is None:
            return {}
        return {
            "encode_seconds": self.course.encode_seconds + self.frozen.seconds,
            "encode_seconds_cold": max(self.course.encode_seconds_cold, self.frozen.seconds_cold),
        }


def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in target.items():
            value.copy_(source[name])


def _named(place: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{place}/{name}": value for name, value in tensors.items()}


def _under(place: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(f"{place}/"): v for k, v in tensors.items() if k.startswith(f"{place}/")}
