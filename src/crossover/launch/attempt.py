"""One attempt at one run, the same for every launcher: claimed, executed, its failure kept."""

from __future__ import annotations

import errno
import shlex
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from crossover import experiment
from crossover.launch.interruption import LaunchStopped
from crossover.launch.launcher import Outcome
from crossover.model.runtime import Runtime
from crossover.protocol.run_spec import RunSpec
from crossover.record.claim import Claims
from crossover.record.store import Store

POLL_SECONDS = 0.2
"""How often a run that another process computes is asked after."""

ARRIVAL_SECONDS = 90.0
"""How long a record written on another machine may take to be seen on this one."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@dataclass(frozen=True)
class Task:
    """A run to be done; ``forgiven`` failures of it, from before this launch, do not count."""

    spec: RunSpec
    forgiven: int = 0


@dataclass
class FailureLimit:
    """Counts failed runs; more than ``most`` of them end the launch (None: any number may fail)."""

    most: int | None
    failed: int = 0

    def watch(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """The same outcomes.

        Raises:
            LaunchStopped: after the outcome that is one failure too many.
        """
        for outcome in outcomes:
            self.failed += outcome.record is None
            yield outcome
            if self.most is not None and self.failed > self.most:
                raise LaunchStopped(
                    f"stopped: {self.failed} runs failed, launch.max_failures={self.most}. The last one: "
                    f"{outcome.error}. Finished runs are kept; mend the cause and give the same command, "
                    "with launch.retry_failed=true to try the failed ones again"
                )


def tasks(specs: Sequence[RunSpec], store: Store, retry_failed: bool) -> list[Task]:
    """What is to be done for these specs; where failed runs are tried again, their past is forgiven."""
    return [Task(spec, store.failures(spec.digest) if retry_failed else 0) for spec in specs]


def ended(task: Task, store: Store) -> Outcome | None:
    """The end of a run that is finished or has failed, here or in another process; else None."""
    digest = task.spec.digest
    if store.has_run(digest):
        return Outcome(task.spec, store.run(digest))
    if store.failures(digest) > task.forgiven:
        return Outcome(task.spec, error=str(store.failure(digest).get("error", "it failed before")))
    return None


def arrived(task: Task, store: Store, error: str) -> Outcome:
    """The end of a run that was computed elsewhere, as soon as this machine's view of the store shows it.

    A network file system may be up to a minute late. ``error`` is what the other end reported, if
    anything; where nothing comes it is kept as the run's failure.
    """
    until = time.monotonic() + (0.0 if error else ARRIVAL_SECONDS)
    while (outcome := ended(task, store)) is None and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    if outcome is not None:
        return outcome
    kind, _, message = error.partition(": ")
    lost = f"no record came within {ARRIVAL_SECONDS:.0f} s; is {store.root} a folder that every machine sees?"
    return keep_failure(task.spec, store, kind or "RecordMissing", message or lost)


def claimed(task: Task, store: Store, claims: Claims, around: Runtime) -> Outcome | None:
    """Claim a run and execute it in this process; None while another process holds it.

    Raises:
        OSError: the store cannot be written.
    """
    with claims.holding(task.spec.digest) as mine:
        # Asked after claiming: another process may have ended it a moment ago.
        return ended(task, store) or (execute(task.spec, store, around) if mine else None)


def execute(
    spec: RunSpec,
    store: Store,
    around: Runtime,
    also: tuple[type[BaseException], ...] = (),
    log: Callable[[], str] = str,
) -> Outcome:
    """Run in this process; an exception is kept under failed/ and costs this run only.

    Args:
        spec: what to run.
        store: where.
        around: cache, threads, device and progress.
        also: what else than an Exception counts as the run's failure (SystemExit in a worker).
        log: what the run has printed, where that is known.

    Raises:
        OSError: the disk is full or broken, so that further runs are vain.
    """
    try:
        return Outcome(spec, experiment.run(spec, store, around))
    except BaseException as error:
        full = isinstance(error, OSError) and error.errno in _DISK
        if full or not isinstance(error, (Exception, *also)):
            raise
        if isinstance(error, MemoryError):
            traceback.clear_frames(error.__traceback__)  # they hold what filled the memory
        kind, message, trace = type(error).__name__, str(error), traceback.format_exc()
    store.forget_checkpoints(spec.digest)  # it would fail again from there: another try begins anew
    return keep_failure(spec, store, kind, message, trace, log())


def keep_failure(
    spec: RunSpec, store: Store, kind: str, message: str, trace: str = "", log: str = ""
) -> Outcome:
    """Keep what is known of a failed run: class, message, traceback or log, and how to run it again."""
    error = f"{kind}: {message}" if message else kind
    store.save_failure(
        spec.digest,
        {
            "spec": spec.to_json(),
            "error": error,
            "class": kind,
            "message": message,
            "traceback": trace,
            "log": log,
            "command": f"python scripts/rerun.py store={shlex.quote(str(store.root))} of={spec.digest}",
        },
    )
    return Outcome(spec, error=error)
