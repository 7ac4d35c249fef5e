"""Runtime: what surrounds a run and never enters its identity: cache, threads, device, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Runtime:
    """``cache`` None keeps embeddings in memory only; ``threads`` None leaves the libraries' default.

    ``device`` is auto, cpu or cuda. ``on_step`` is handed to models: (done, total, message).
    """

    cache: Path | None = None
    threads: int | None = None
    device: str = "auto"
    on_step: Callable[[int, int, str], None] | None = None


_current: ContextVar[Runtime] = ContextVar("runtime")
_PLAIN = Runtime()


def current() -> Runtime:
    """The runtime of the run under way; outside of one, nothing cached and every default."""
    return _current.get(_PLAIN)


@contextmanager
def use(runtime: Runtime) -> Iterator[Runtime]:
    """Make ``runtime`` current inside the block."""
    token = _current.set(runtime)
    try:
        yield runtime
    finally:
        _current.reset(token)
