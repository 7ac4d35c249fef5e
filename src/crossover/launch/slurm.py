"""Run specs as jobs of a Slurm cluster, through submitit (``pip install crossover[slurm]``)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossover.data.bad_input import BadInput
from crossover.launch.attempt import FailureLimit, Task, arrived, ended, tasks
from crossover.launch.elsewhere import carry_out, order
from crossover.launch.interruption import LaunchStopped
from crossover.launch.launcher import Outcome
from crossover.launch.local_workers import positive
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store

WAIT_SECONDS = 1.0
"""How often jobs are looked at; submitit asks Slurm itself far less often."""

LOG_BYTES = 20_000


class Job:
    """One run as a job: called by submitit, and asked by it what to do after a preemption."""

    def __call__(self, text: str) -> str:
        """Run what the order says; the outcome lies in the store, nothing else is returned that counts."""
        return carry_out(text)

    def checkpoint(self, text: str) -> Any:
        """Preempted or out of time: the same order again; what the store holds by then is not run twice."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, text)


class Slurm:
    """Jobs of one run each, submitted as an array; the store is a folder that every node sees.

    A job that is preempted or runs out of time is requeued, ``requeues`` times. Jobs are cancelled when
    the launch is stopped; those of a killed driver go on, and the next launch waits for their records.
    Seeds that are trained together are trained once a job: use LocalWorkers for those.

    Args:
        cluster: slurm, or local for processes of this machine (to try a set-up out).
        partition: Slurm's partition; null is the cluster's default.
        minutes: wall time of a job.
        threads: cores of a job and its thread pools; environment, not identity.
        gpus: GPUs of a job.
        memory: GB of a job; null is the cluster's default.
        at_once: most jobs that run at the same time.
        requeues: how often a job may run out of time and go on.
        options: further sbatch options by name, such as ``{account: lab, qos: low}``.
        device: auto, cpu or cuda.
        limit_seconds: wall seconds after which a run counts as hanging; null leaves it to ``minutes``.
        max_failures: more failed runs than this stop the launch; null lets any number fail.
        retry_failed: try runs again that failed in an earlier launch.
        checkpoint_seconds: between two checkpoints of a fine-tune; null for none.

    Raises:
        BadInput: submitit is not installed, there is no such cluster, or a number makes no sense.
    """

    def __init__(
        self,
        cluster: str = "slurm",
        partition: str | None = None,
        minutes: int = 60,
        threads: int = 1,
        gpus: int = 0,
        memory: float | None = None,
        at_once: int = 64,
        requeues: int = 3,
        options: Mapping[str, object] | None = None,
        device: str = "auto",
        limit_seconds: float | None = None,
        max_failures: int | None = None,
        retry_failed: bool = False,
        checkpoint_seconds: float | None = 60.0,
    ) -> None:
        if cluster not in ("slurm", "local"):
            raise BadInput(f"launch.cluster={cluster!r}: expected slurm or local")
        positive(
            minutes=minutes, threads=threads, at_once=at_once, memory=memory, limit_seconds=limit_seconds
        )
        self.submitit = _submitit()
        self.cluster, self.at_once, self.requeues = cluster, at_once, requeues
        self.limit, self.retry_failed = FailureLimit(max_failures), retry_failed
        self.parameters = {
            "name": "crossover",
            "timeout_min": minutes,
            "cpus_per_task": threads,
            "gpus_per_node": gpus or None,
            "mem_gb": memory,
            "slurm_partition": partition,
            "slurm_array_parallelism": at_once,
            "slurm_additional_parameters": dict(options or {}) or None,
        }
        self.settings = {
            "threads": threads,
            "device": device,
            "limit_seconds": limit_seconds,
            "retry_failed": retry_failed,
            "checkpoint_seconds": checkpoint_seconds,
        }

    def launch(self, specs: Sequence[RunSpec], store: Store) -> Iterator[Outcome]:
        """Run each spec; outcomes come in the order in which jobs end.

        Raises:
            LaunchStopped: more than ``max_failures`` runs failed, or Slurm took no job.
        """
        return self.limit.watch(self._launch(tasks(specs, store, self.retry_failed), store))

    def _launch(self, todo: Sequence[Task], store: Store) -> Iterator[Outcome]:
        known = [(task, ended(task, store)) for task in todo]
        yield from (outcome for _, outcome in known if outcome is not None)
        missing = [task for task, outcome in known if outcome is None]
        # Slurm holds an array back to at_once by itself; processes of this machine start when submitted.
        step = self.at_once if self.cluster == "local" else max(len(missing), 1)
        for first in range(0, len(missing), step):
            yield from self._jobs(missing[first : first + step], store)

    def _jobs(self, todo: Sequence[Task], store: Store) -> Iterator[Outcome]:
        orders = [order(task.spec, store, self.settings) for task in todo]
        under_way = list(zip(self._submitted(orders, store), todo, strict=True))
        try:
            while under_way:
                for job, task in list(under_way):
                    if job.done():
                        under_way.remove((job, task))
                        yield self._end(job, task, store)
                if under_way:
                    time.sleep(WAIT_SECONDS)
        finally:
            for job, _ in under_way:
                job.cancel(check=False)

    def _submitted(self, orders: list[str], store: Store) -> list[Any]:
        try:
            folder = store.root.absolute() / "slurm" / "%j"
            executor = self.submitit.AutoExecutor(
                folder, cluster=self.cluster, slurm_max_num_timeout=self.requeues
            )
            executor.update_parameters(**self.parameters)
            return list(executor.map_array(Job(), orders))
        except (RuntimeError, OSError, self.submitit.core.utils.FailedJobError) as error:
            raise LaunchStopped(f"no job could be submitted to cluster={self.cluster}: {error}") from None

    def _end(self, job: Any, task: Task, store: Store) -> Outcome:
        """What a job that is over left in the store; submitit's own result file is not read."""
        outcome = ended(task, store)
        if outcome is None:
            log = _tail(Path(job.paths.stderr))
            lost = f"JobEnded: job {job.job_id} is over ({job.state}) and left no record\n{log}"
            outcome = arrived(task, store, lost if job.state != "COMPLETED" else "")
        if outcome.record is not None:
            shutil.rmtree(job.paths.folder, ignore_errors=True)
        return outcome


def _tail(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")[-LOG_BYTES:] if file.is_file() else ""


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise BadInput(
            "launch=slurm needs submitit, which is not installed: pip install 'crossover[slurm]', or use "
            "launch=local_workers"
        ) from None
    return submitit
