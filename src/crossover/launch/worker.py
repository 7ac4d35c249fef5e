"""A warm worker process: ``python -m crossover.launch.worker``, JSON lines in and out.

In: a line a run, ``{"spec", "store", "threads", "device", "checkpoint_seconds"}``. Out: ``{"ready"}``,
then a run ``{"begun"}``, ``{"step": [done, total, message]}`` and at the end ``{"ended": error or null,
"leaving": whether the worker goes}``, or ``{"disk": [errno, message]}`` where the store cannot be written.
What models and libraries print goes to stderr, which the driver keeps as the run's log. The worker ends
with its driver.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TextIO, cast

from crossover.launch.interruption import TERMINATED

STEP_SECONDS = 0.2
"""Progress is told at most this often."""

_PR_SET_PDEATHSIG = 1


class Stop(BaseException):
    """SIGTERM: the run under way is given up, what it left half-written is removed on the way out."""


def main() -> None:
    """Serve until the driver goes: ``argv`` holds its process id and the settings as JSON."""
    driver, settings = int(sys.argv[1]), json.loads(sys.argv[2])
    channel = _private_stdout()
    _end_with(driver)
    _set_limits(settings["limit_memory"])
    faulthandler.enable()  # SIGABRT and SIGSEGV leave the stack in the log
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which decides
    signal.signal(signal.SIGTERM, _stop)
    lines = _lines()
    code = 0
    try:
        _serve(lines, channel, settings["packages"])
    except Stop:
        code = TERMINATED
    except BaseException:
        traceback.print_exc()
        code = 1
    # Threads that a library left behind must not keep a worker alive that has been told to go.
    os._exit(code)


def _serve(lines: queue.SimpleQueue[str], channel: TextIO, packages: list[str]) -> None:
    # Imported here: the memory limit and the bond to the driver come first.
    from crossover.launch.attempt import execute
    from crossover.launch.worker_process import log_tail
    from crossover.model.runtime import Runtime
    from crossover.protocol.component import allow_package
    from crossover.protocol.run_spec import RunSpec
    from crossover.record.store import Store

    for package in packages:
        allow_package(package)
    told, opened = _Steps(channel), cache(Store)  # opening one tries every folder of it
    _send(channel, {"ready": True})
    while True:
        task = cast(Mapping[str, object], json.loads(lines.get()))
        _send(channel, {"begun": True})
        store = opened(Path(str(task["store"])))
        around = Runtime(
            store.cache,
            cast(int, task["threads"]),
            str(task["device"]),
            told.on_step,
            checkpoint_seconds=cast(float | None, task["checkpoint_seconds"]),
        )
        spec = RunSpec.from_json(cast(Mapping[str, object], task["spec"]))
        try:
            outcome = execute(spec, store, around, also=(SystemExit,), log=lambda: log_tail(2))
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise  # not even the failure could be kept: it is the run's, and the driver keeps it
            _send(channel, {"disk": [error.errno, error.strerror or str(error)]})
            return
        # What still holds the memory is unknown: a fresh process takes over.
        leaving = outcome.error.startswith("MemoryError")
        _send(channel, {"ended": outcome.error or None, "leaving": leaving})
        if leaving:
            return


class _Steps:
    """Progress, told now and then."""

    def __init__(self, channel: TextIO) -> None:
        self.channel, self.last = channel, 0.0

    def on_step(self, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if now - self.last >= STEP_SECONDS or done == total:
            self.last = now
            _send(self.channel, {"step": [done, total, message]})


def _send(channel: TextIO, plain: Mapping[str, object]) -> None:
    channel.write(json.dumps(plain) + "\n")
    channel.flush()


def _private_stdout() -> TextIO:
    """The pipe to the driver; whatever else writes to stdout from now on lands in the log."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _lines() -> queue.SimpleQueue[str]:
    """Lines from the driver; when it closes the pipe, or has died, this process ends."""
    found: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            found.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True, name="driver").start()
    return found


def _end_with(driver: int) -> None:
    """Have the kernel kill this process when its driver dies; elsewhere than on Linux the pipe tells."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != driver:
        os._exit(0)


def _set_limits(memory: float | None) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if memory is not None:
        # Not RLIMIT_AS: allocators reserve a GiB of addresses and more that they never touch.
        most = int(memory * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with suppress(OSError):  # where memory runs out, a worker goes and never the driver
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _stop(*_: object) -> None:
    raise Stop


if __name__ == "__main__":
    main()
