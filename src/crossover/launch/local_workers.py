"""Run specs in warm worker processes of this machine; a run that kills its worker costs itself only."""

from __future__ import annotations

import os
import selectors
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossover.data.bad_input import BadInput
from crossover.launch.attempt import POLL_SECONDS, FailureLimit, Task, ended, keep_failure, tasks
from crossover.launch.interruption import LaunchStopped
from crossover.launch.launcher import Outcome
from crossover.launch.worker_process import WorkerProcess, stop
from crossover.protocol.run_spec import RunSpec
from crossover.record.claim import Claims
from crossover.record.store import Store

START_SECONDS = 300.0
"""A worker that has not imported its packages by then is taken to hang."""

STOP_SECONDS = 5.0
"""What runs get to end by themselves when the launch is stopped; then they are killed."""

SIGNAL_SECONDS = 0.5
"""A scheduler that ends a job sends SIGTERM to each of its processes, to the workers perhaps first."""


@dataclass
class Bench:
    """The workers of one launcher, kept warm from batch to batch, and the run each is at."""

    workers: list[WorkerProcess] = field(default_factory=list)
    busy: dict[WorkerProcess, Task] = field(default_factory=dict)
    last: dict[WorkerProcess, str] = field(default_factory=dict)

    def stop(self, grace: float = 0.0) -> None:
        """End every worker."""
        self.busy.clear()
        self.last.clear()
        stop(self.workers, grace)


class LocalWorkers:
    """Worker processes, one run at a time each, started once and used for every batch of a study.

    A worker that dies (killed, out of memory, ``os.abort``) or hangs is replaced; its run is kept
    under failed/ with the end of its log. One that was sent SIGTERM has its run done once more. The
    workers end with this process, however it ends. Several launches on one store share its work.
    Largest training sets first; seeds that are trained together go to one worker.

    Args:
        workers: how many; null is one a core (by ``threads``).
        threads: of each worker's thread pools, set before anything is imported; environment, not identity.
        device: auto, cpu or cuda.
        limit_seconds: wall seconds after which a run counts as hanging; null is no limit.
        limit_memory: GiB a worker may allocate (RLIMIT_DATA: heap and private writable mappings; files
            that are mapped to be read do not count); null is no limit.
        max_failures: more failed runs than this stop the launch; null lets any number fail.
        retry_failed: try runs again that failed in an earlier launch; else they are reported as they were.
        checkpoint_seconds: between two checkpoints of a fine-tune; null for none.
        on_step: told how far the fitting of the oldest run under way is.

    Raises:
        BadInput: a number that makes no sense.
    """

    def __init__(
        self,
        workers: int | None = None,
        threads: int = 1,
        device: str = "auto",
        limit_seconds: float | None = None,
        limit_memory: float | None = None,
        max_failures: int | None = None,
        retry_failed: bool = False,
        checkpoint_seconds: float | None = 60.0,
        on_step: Callable[[int, int, str], None] | None = None,
    ) -> None:
        positive(workers=workers, threads=threads, limit_seconds=limit_seconds, limit_memory=limit_memory)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = workers or max(1, cores // threads)
        self.threads, self.device = threads, device
        self.limit_seconds, self.limit_memory = limit_seconds, limit_memory
        self.limit, self.retry_failed, self.on_step = FailureLimit(max_failures), retry_failed, on_step
        self.checkpoint_seconds = checkpoint_seconds
        self.bench = Bench()
        weakref.finalize(self, self.bench.stop)

    def launch(self, specs: Sequence[RunSpec], store: Store) -> Iterator[Outcome]:
        """Run each spec; outcomes come in the order in which runs end.

        Raises:
            LaunchStopped: more than ``max_failures`` runs failed, or no worker could be started.
            OSError: the store cannot be written (a full disk), so that further runs are vain.
        """
        claims = Claims(store.root)
        claims.clear()
        shift = _Shift(self, store, claims, tasks(specs, store, self.retry_failed))
        try:
            yield from self.limit.watch(shift.outcomes())
            store.sweep_checkpoints()
            claims.clear()  # what a killed process left of runs that it had just finished
        except BaseException:  # an interruption too, and a caller that wants no further outcome
            under_way = [task.spec.digest for task in self.bench.busy.values()]
            self.bench.stop(STOP_SECONDS)
            for digest in under_way:
                claims.sweep(digest)
            raise
        finally:
            claims.release_all()


class _Shift:
    """One launch: what waits, and the workers at it."""

    def __init__(self, launcher: LocalWorkers, store: Store, claims: Claims, todo: list[Task]) -> None:
        self.launcher, self.store, self.claims, self.bench = launcher, store, claims, launcher.bench
        self.waiting = sorted(todo, key=lambda task: -rows(task.spec))
        self.looked = 0.0
        self.spared: set[str] = set()

    def outcomes(self) -> Iterator[Outcome]:
        """Until every run has ended."""
        yield from self._ended_already()
        while self.waiting or self.bench.busy:
            yield from self._hand_out()
            yield from self._listen()

    def _ended_already(self) -> Iterator[Outcome]:
        for task in list(self.waiting):
            outcome = ended(task, self.store)
            if outcome is not None:
                self.waiting.remove(task)
                yield outcome

    def _hand_out(self) -> Iterator[Outcome]:
        """Give every idle worker a run; outcomes of runs that another process has ended meanwhile."""
        workers = self.bench.workers
        wanted = min(self.launcher.workers, len(self.waiting) + len(self.bench.busy))
        while len(workers) < wanted:
            workers.append(WorkerProcess(self.launcher.threads, self.launcher.limit_memory))
        now = time.monotonic()
        idle = [worker for worker in workers if worker.ready and worker not in self.bench.busy]
        if not idle or (self.looked and now - self.looked < POLL_SECONDS):
            return
        self.looked = 0.0
        for worker in idle:
            yield from self._occupy(worker)
        if self.waiting and len(self.bench.busy) < len(idle):
            self.looked = now  # what waits is at another process: ask again, but not at once

    def _occupy(self, worker: WorkerProcess) -> Iterator[Outcome]:
        last, others = self.bench.last.get(worker), set(self.bench.last.values())
        mine = [task for task in self.waiting if company(task.spec) == last]
        free = [task for task in self.waiting if company(task.spec) not in others]
        for task in mine or free:
            digest = task.spec.digest
            taken = self.claims.take(digest)
            outcome = ended(task, self.store)
            if outcome is not None or taken:
                self.waiting.remove(task)
            if outcome is not None:
                self.claims.release(digest)
                yield outcome
            elif taken:
                self.bench.busy[worker], self.bench.last[worker] = task, company(task.spec)
                around = ("threads", "device", "checkpoint_seconds")
                told = {name: getattr(self.launcher, name) for name in around}
                worker.give({"spec": task.spec.to_json(), "store": str(self.store.root.absolute()), **told})
                return

    def _listen(self) -> Iterator[Outcome]:
        """Wait a moment for the workers to say something, die or hang."""
        with selectors.DefaultSelector() as heard:
            for worker in self.bench.workers:
                heard.register(worker, selectors.EVENT_READ)
            heard.select(POLL_SECONDS)
        for worker in list(self.bench.workers):
            died = worker.died()  # asked before reading: nothing said before its death is missed
            for message in worker.messages():
                yield from self._heard(worker, message)
            if worker not in self.bench.workers:
                continue
            if died:
                yield from self._bury(worker)
            else:
                yield from self._check_time(worker)

    def _heard(self, worker: WorkerProcess, message: dict[str, Any]) -> Iterator[Outcome]:
        if "ready" in message:
            worker.ready = True
        elif "begun" in message:
            worker.begun = True
        elif "step" in message and self.launcher.on_step is not None:
            if worker is min(self.bench.busy, key=lambda other: other.began, default=None):
                self.launcher.on_step(*message["step"])
        elif "disk" in message:
            code, text = message["disk"]
            raise OSError(code, text)
        elif "ended" in message:
            yield self._end(worker, str(message["ended"] or ""))
            if message["leaving"]:
                self._dismiss(worker)

    def _end(self, worker: WorkerProcess, error: str) -> Outcome:
        spec = self.bench.busy.pop(worker).spec
        self.claims.release(spec.digest)
        return Outcome(spec, error=error) if error else Outcome(spec, self.store.run(spec.digest))

    def _bury(self, worker: WorkerProcess) -> Iterator[Outcome]:
        """Take leave of a worker that has ended; the next hand-out replaces it."""
        task = self.bench.busy.get(worker)
        if not worker.ready:
            raise LaunchStopped(f"a worker process could not start: {worker.cause()}\n{worker.tail()}")
        blameless = worker.terminated() or not worker.begun
        if task is not None and blameless and task.spec.digest not in self.spared:
            if worker.terminated():
                time.sleep(SIGNAL_SECONDS)  # where the job is being ended, this process is next
            self.spared.add(task.spec.digest)
            self.waiting.insert(0, self.bench.busy.pop(worker))
            self.claims.release(task.spec.digest)
        elif task is not None:
            yield self._lost(worker, task, "WorkerDied", worker.cause())
        self._dismiss(worker)

    def _check_time(self, worker: WorkerProcess) -> Iterator[Outcome]:
        task, limit = self.bench.busy.get(worker), self.launcher.limit_seconds
        took = time.monotonic() - worker.began
        if not worker.ready and took > START_SECONDS:
            worker.abort()
            raise LaunchStopped(f"a worker process did not start in {START_SECONDS:.0f} s\n{worker.tail()}")
        if task is not None and limit is not None and took > limit:
            worker.abort()
            message = f"still running after launch.limit_seconds={limit:g}; its stack is in the log"
            yield self._lost(worker, task, "TimeLimit", message)
            self._dismiss(worker)

    def _lost(self, worker: WorkerProcess, task: Task, kind: str, message: str) -> Outcome:
        self.claims.sweep(task.spec.digest)
        if not self.store.has_run(task.spec.digest):
            keep_failure(task.spec, self.store, kind, message, log=worker.tail())
            return self._end(worker, f"{kind}: {message}")
        return self._end(worker, "")  # it died between its record and its last word

    def _dismiss(self, worker: WorkerProcess) -> None:
        self.bench.last.pop(worker, None)
        self.bench.workers.remove(worker)
        worker.kill()


def positive(**settings: float | None) -> None:
    """Check settings of a launcher.

    Raises:
        BadInput: one is 0 or less.
    """
    for name, value in settings.items():
        if value is not None and value <= 0:
            raise BadInput(f"launch.{name}={value}: expected more than 0, or null for the default")


def rows(spec: RunSpec) -> float:
    """Size of the training set, infinite for the whole train part."""
    return spec.subset.size if spec.subset else float("inf")


def company(spec: RunSpec) -> str:
    """Runs of equal company are served from one trained stack (many_seeds.py): one worker has them all.

    A run that is trained alone is its own company.
    """
    together = spec.model.settings.get("together")
    if not isinstance(together, int) or together < 1:
        return spec.digest
    drawn = spec.subset.draw if spec.subset else 0
    blocks = (spec.seeds.initialisation // together, spec.seeds.order // together)
    return f"{spec.family} {drawn} {blocks}"
