"""A majority rule that first does something a run should not: the faults that launchers must survive."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from crossover.data.corpus import Rows
from crossover.model.classifier import Meta
from crossover.model.majority import Majority
from crossover.record.run_record import RunRecord
from crossover.record.store import Store


class Wayward(Majority):
    """Notes in ``folder`` that it was begun and that it was fitted, and misbehaves in between.

    Args:
        folder: where one line a fit goes, by initialisation seed.
        how: what it does; "" nothing.
        seconds: how long a fit takes besides.
        once: misbehave in the first fit of a seed only.
        seed: by which the notes are told apart.
    """

    def __init__(
        self, folder: str = "", how: str = "", seconds: float = 0.0, once: bool = False, seed: int = 0
    ) -> None:
        super().__init__(seed=seed)
        self.folder, self.how, self.seconds, self.once = folder, how, seconds, once

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Fit as the majority rule does, in its own time."""
        first = self._note("begun") == 1
        sys.stdout.write(f"seed {self.seed} on stdout\n")
        sys.stdout.flush()
        sys.stderr.write(f"seed {self.seed} on stderr\n")
        if self.on_step is not None:
            self.on_step(1, 2, "half way")
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            time.sleep(0.005)
        if first or not self.once:
            misbehave(self.how)
        super().fit(texts, labels, classes, validation, meta)
        self._note("fitted")
        return self

    def _note(self, what: str) -> int:
        file = Path(self.folder) / f"{self.seed}.{what}"
        with open(file, "a", encoding="utf-8") as handle:
            handle.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
        return len(file.read_text(encoding="utf-8").splitlines())


def misbehave(how: str) -> None:
    """Do it."""
    if how == "raise":
        raise RuntimeError("a model's own error")
    if how == "full":
        raise OSError(errno.ENOSPC, "No space left on device")
    if how == "lost_file":
        Path("no such file").read_text(encoding="utf-8")
    if how == "exit":
        sys.exit(3)
    if how == "os_exit":
        os._exit(4)
    if how == "abort":
        os.abort()
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "hang":
        time.sleep(600)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if how == "memory":
        _ = [bytearray(64 * 2**20) for _ in range(1000)]
    if how == "chatter":
        sys.stdout.write("x" * 300_000 + "\n")
    if how == "clock":
        real = time.time
        time.time = lambda: real() - 3600
    if how in ("before_commit", "after_commit"):
        _die_around_commit(before=how == "before_commit")


def _die_around_commit(before: bool) -> None:
    commit = Store.commit_run

    def killed(store: Store, record: RunRecord, predictions: bytes) -> RunRecord:
        if not before:
            commit(store, record, predictions)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("dead")

    Store.commit_run = killed  # type: ignore[method-assign]
