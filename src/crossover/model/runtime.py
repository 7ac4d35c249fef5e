"""Runtime: what surrounds a run and never enters its identity: cache, threads, device, checkpoints ..."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Runtime:
    """``cache`` None keeps embeddings in memory only; ``threads`` None leaves the libraries' default.

    ``device`` is auto, cpu or cuda. ``on_step`` is handed to models: (done, total, message). A training
    leaves a checkpoint in the folder ``checkpoints`` every ``checkpoint_seconds``; it leaves none where
    either is None. When that happens decides no bit.
    """

    cache: Path | None = None
    threads: int | None = None
    device: str = "auto"
    on_step: Callable[[int, int, str], None] | None = None
    checkpoints: Path | None = None
    checkpoint_seconds: float | None = 60.0

    def saving_to(self, checkpoints: Path) -> Runtime:
        """The same with this folder for checkpoints."""
        return replace(self, checkpoints=checkpoints)


_current: ContextVar[Runtime] = ContextVar("runtime")
_PLAIN = Runtime()


def current() -> Runtime:
    """The runtime of the run under way; outside of one, nothing cached and every default."""
    return _current.get(_PLAIN)


@contextmanager
def use(runtime: Runtime) -> Iterator[Runtime]:
    """Make ``runtime`` current inside the block."""
    token = _current.set(runtime)
    before = limit_torch()
    try:
        yield runtime
    finally:
        _current.reset(token)
        if before is not None:
            _torch().set_num_threads(before)


def limit_torch() -> int | None:
    """Give torch the runtime's number of threads; returns the number before, None where nothing was done.

    A limit set from outside does not reach torch's own matrix library, nor a torch that is loaded
    later: whoever loads it first calls this.
    """
    threads = current().threads
    if threads is None or _torch() is None:
        return None
    before = int(_torch().get_num_threads())
    _torch().set_num_threads(threads)
    return before


def _torch() -> Any:
    return sys.modules.get("torch")
