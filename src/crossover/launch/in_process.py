"""Run specs one after another in this process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from crossover.launch.attempt import POLL_SECONDS, FailureLimit, Task, claimed, tasks
from crossover.launch.launcher import Outcome
from crossover.model.runtime import Runtime
from crossover.protocol.run_spec import RunSpec
from crossover.record.claim import Claims
from crossover.record.store import Store


@dataclass
class InProcess:
    """One process, one run at a time; several such processes share the work of one store.

    ``threads`` and ``device`` are environment, not identity. ``on_step`` (set by scripts) is
    told how far a model's fitting is. More than ``max_failures`` failed runs stop the launch;
    without ``retry_failed`` a run that failed in an earlier launch is reported as it was then. A
    fine-tune leaves a checkpoint every ``checkpoint_seconds``, None for none.
    """

    threads: int | None = None
    device: str = "auto"
    max_failures: int | None = None
    retry_failed: bool = True
    checkpoint_seconds: float | None = 60.0
    on_step: Callable[[int, int, str], None] | None = None
    limit: FailureLimit = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.limit = FailureLimit(self.max_failures)

    def launch(self, specs: Sequence[RunSpec], store: Store) -> Iterator[Outcome]:
        """Run each spec; one that fails is kept under failed/ and costs that run only.

        Raises:
            LaunchStopped: more than ``max_failures`` runs failed.
            OSError: the store cannot be written (a full disk), so that further runs are vain.
        """
        return self.limit.watch(self._launch(tasks(specs, store, self.retry_failed), store))

    def _launch(self, todo: Sequence[Task], store: Store) -> Iterator[Outcome]:
        around = Runtime(
            store.cache, self.threads, self.device, self.on_step, checkpoint_seconds=self.checkpoint_seconds
        )
        claims, waiting, busy = Claims(store.root), deque(todo), 0
        while waiting:
            task = waiting.popleft()
            outcome = claimed(task, store, claims, around)
            if outcome is not None:
                busy = 0
                yield outcome
                continue
            waiting.append(task)  # another process computes it: the others first
            busy += 1
            if busy >= len(waiting):
                time.sleep(POLL_SECONDS)
        store.sweep_checkpoints()
        claims.clear()  # what a killed process left of runs that it had just finished
