"""A worker process as its driver sees it: started, given a run, listened to, ended."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from crossover.launch.interruption import TERMINATED
from crossover.protocol import component

LOG_BYTES = 20_000
"""Of a failed run's log the end is kept."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class WorkerProcess:
    """One worker. Its thread pools are pinned through the environment, before anything is imported.

    Args:
        threads: of each thread pool.
        limit_memory: GiB it may allocate, None for no limit.
    """

    def __init__(self, threads: int, limit_memory: float | None) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        # The worker shares the position: what it writes after a truncation must go to the new end.
        fcntl.fcntl(self.log, fcntl.F_SETFL, fcntl.fcntl(self.log, fcntl.F_GETFL) | os.O_APPEND)
        self.ready, self.begun, self.began = False, False, time.monotonic()
        self._rest = b""
        settings = {"limit_memory": limit_memory, "packages": component.allowed_packages()[1:]}
        pools = dict.fromkeys(THREAD_VARIABLES, str(threads))
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "crossover.launch.worker", str(os.getpid()), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **pools, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # a Ctrl-C is for the driver
            bufsize=0,
        )
        os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        """The pipe to listen to."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def give(self, task: Mapping[str, object]) -> None:
        """Hand it a run; its log begins anew. A worker that has died meanwhile does not begin it."""
        assert self.process.stdin is not None
        self.begun = False
        self.log.truncate(0)
        self.began = time.monotonic()
        with suppress(BrokenPipeError):
            self.process.stdin.write((json.dumps(task) + "\n").encode())

    def messages(self) -> list[dict[str, Any]]:
        """What it has said since; whole lines only."""
        while True:
            try:
                piece = os.read(self.fileno(), 65536)
            except BlockingIOError:
                break
            self._rest += piece
            if not piece:
                break
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def died(self) -> bool:
        """Whether the process has ended; what it said before can still be read."""
        return self.process.poll() is not None

    def terminated(self) -> bool:
        """Whether it ended because of a SIGTERM."""
        return self.process.wait() in (TERMINATED, -signal.SIGTERM)

    def cause(self) -> str:
        """How it ended, in words."""
        code = -signal.SIGTERM if self.terminated() else self.process.wait()
        if code >= 0:
            return f"the worker process ended with exit code {code}"
        name = signal.Signals(-code).name
        why = " (the kernel does so where memory is full)" if name == "SIGKILL" else ""
        return f"the worker process was killed by {name}{why}"

    def tail(self) -> str:
        """The end of what the run wrote to stdout and stderr."""
        return log_tail(self.log.fileno())

    def abort(self, wait: float = 2.0) -> None:
        """End a run that hangs: SIGABRT leaves its stack in the log, SIGKILL what does not heed it."""
        self.process.send_signal(signal.SIGABRT)
        self.kill(wait, keep_log=True)

    def kill(self, wait: float = 0.0, keep_log: bool = False) -> None:
        """End the process, after ``wait`` seconds for it to end by itself, and reap it."""
        try:
            self.process.wait(wait)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        if not keep_log:
            self.log.close()


def log_tail(handle: int) -> str:
    """The end of a log that is open for reading."""
    begin = max(0, os.fstat(handle).st_size - LOG_BYTES)
    text = os.pread(handle, LOG_BYTES, begin).decode("utf-8", errors="replace")
    return text.partition("\nExtension modules:")[0]  # a crash lists every compiled module after its stack


def stop(workers: list[WorkerProcess], grace: float) -> None:
    """End all of them: asked with SIGTERM, killed after ``grace`` seconds in all, reaped."""
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    until = time.monotonic() + grace
    while workers:
        workers.pop().kill(max(0.0, until - time.monotonic()))
