"""Frozen layers run once: what they make of a text is kept within the process.

Where the lowest layers are not trained, what enters the first trained one is the same in every epoch,
and in every run over the same weights: other seeds, other sizes, other heads. It is computed without
dropout, a text's bits independent of the other texts' (:meth:`PackedNetwork.states`), so what is kept
saves time and decides nothing. Torch all through: import it inside functions only.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from crossover.model.packed_network import PackedNetwork

BYTES = 512 << 20
"""Memory that may be held: 14,000 texts of 25 tokens of MiniLM."""

FEWEST_ROWS = 32
"""Fewer rows to predict are not asked for here: a latency must be that of a text not met before."""


class StateCache:
    """Least recently used states, each with the seconds it took, within ``most`` bytes."""

    def __init__(self, most: int = BYTES) -> None:
        self.most = most
        self.held = 0
        self._kept: OrderedDict[tuple[str, bytes], tuple[Tensor, float]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: tuple[str, bytes]) -> tuple[Tensor, float] | None:
        """What is kept of this key, a text's tokens and all else that decides the bits."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: tuple[str, bytes], state: Tensor, seconds: float) -> None:
        """Keep a state, and let those go that were not used for longest."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = state, seconds
                self.held += state.nbytes
            while self.held > self.most:
                self.held -= self._kept.popitem(last=False)[1][0].nbytes

    def forget(self) -> None:
        """Let all go."""
        with self._lock:
            self._kept.clear()
            self.held = 0


STATES = StateCache()


class FrozenLayers:
    """The states above a network's frozen layers, kept ones first.

    Args:
        packed: of a network with frozen layers, whose weights are read (for the key) when this is made.
        cache: where states are kept; None is the process's own.

    Attributes:
        seconds: spent here computing states.
        seconds_cold: what it would have been with nothing kept beforehand.
    """

    def __init__(self, packed: PackedNetwork, cache: StateCache | None = None) -> None:
        self.packed, self.cache = packed, cache or STATES
        self.seconds = self.seconds_cold = 0.0
        self._asked: set[tuple[str, bytes]] = set()
        network = packed.network
        digest = hashlib.sha256(network.backbone.config.to_json_string().encode())
        for parameter in network.frozen_parameters():
            digest.update(parameter.detach().cpu().numpy().tobytes())
        self._key = f"{digest.hexdigest()} {packed.frozen} {packed.dtype} {packed.device}"

    def states(self, rows: Sequence[Sequence[int]]) -> list[Tensor]:
        """(tokens, width) a row of token ids."""
        keys = [(self._key, np.asarray(row, np.int32).tobytes()) for row in rows]
        found = {key: kept for key in dict.fromkeys(keys) if (kept := self.cache.find(key))}
        missing = {key: row for key, row in zip(keys, rows, strict=True) if key not in found}
        if missing:
            began = time.perf_counter()
            computed = self.packed.states(list(missing.values()))
            took, tokens = time.perf_counter() - began, sum(map(len, missing.values()))
            self.seconds += took
            for (key, row), state in zip(missing.items(), computed, strict=True):
                found[key] = state, took * len(row) / tokens
                self.cache.keep(key, *found[key])
        self.seconds_cold += sum(seconds for key, (_, seconds) in found.items() if key not in self._asked)
        self._asked.update(found)
        return [found[key][0] for key in keys]
