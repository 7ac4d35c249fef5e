"""Interruption: how a command that is told to stop does so, in bounded time; imports nothing heavy."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes, as a shell gives them: 128 and the signal's number."""

GRACE_SECONDS = 15.0
"""After that a command that is still inside a library's loop is ended, whatever it does."""


class LaunchStopped(RuntimeError):
    """A launch that cannot go on; finished runs are kept, the message says what to mend."""


@contextmanager
def stoppable(grace: float = GRACE_SECONDS) -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt in the block and SIGTERM SystemExit(143); neither can be missed.

    A second Ctrl-C, or ``grace`` seconds after the first signal, ends the process at once: workers end
    with it, and what it had claimed is free to take. A thread sees to that, for Python tells the block
    of a signal only when the library it is in comes back.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGTERM] is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    if before[signal.SIGINT] is signal.default_int_handler:  # else it is ignored, as in the background
        signal.signal(signal.SIGINT, _Interrupt())
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    earlier = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(told, grace), daemon=True, name="signals").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        with suppress(OSError):
            os.close(tell)
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(*_: object) -> None:
    raise SystemExit(TERMINATED)


class _Interrupt:
    """Once: KeyboardInterrupt. Twice: the end."""

    def __init__(self) -> None:
        self.told = False

    def __call__(self, *_: object) -> None:
        if self.told:
            os._exit(INTERRUPTED)
        self.told = True
        raise KeyboardInterrupt


def _watch(told: int, grace: float) -> None:
    """Count signals; end the process at the second Ctrl-C or when time is up."""
    code = 0
    while numbers := os.read(told, 64):
        for number in numbers:
            if number not in (signal.SIGINT, signal.SIGTERM):
                continue
            if code and number == signal.SIGINT:
                os._exit(INTERRUPTED)
            if not code:
                code = TERMINATED if number == signal.SIGTERM else INTERRUPTED
                threading.Thread(target=_end_after, args=(grace, code), daemon=True).start()
    os.close(told)


def _end_after(grace: float, code: int) -> None:
    time.sleep(grace)
    sys.stderr.write(f"did not stop within {grace:.0f} s of the signal: ended; finished runs are kept\n")
    os._exit(code)
