"""Run specs as tasks of a Ray cluster, or of a Ray started here (``pip install crossover[ray]``)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
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


class RayCluster:
    """Ray Core tasks, one a run; the store is a folder that every node sees.

    A run that a lost node took with it is tried again elsewhere, ``retries`` times; one that dies by
    itself is not. Seeds that are trained together may go to different nodes, each training the whole
    stack: use LocalWorkers for those.

    Args:
        address: of a running cluster (``auto``, ``ray://...``); null starts Ray on this machine.
        cpus: cores of a Ray started here; null takes all.
        threads: of each run's thread pools, and the cores it reserves; environment, not identity.
        gpus: GPUs each run reserves; a fraction lets several share one.
        device: auto, cpu or cuda.
        retries: further tries of a run whose node was lost.
        limit_seconds: wall seconds after which a run counts as hanging; null is no limit.
        limit_memory: GiB a run may allocate; null is no limit.
        max_failures: more failed runs than this stop the launch; null lets any number fail.
        retry_failed: try runs again that failed in an earlier launch.
        checkpoint_seconds: between two checkpoints of a fine-tune; null for none.

    Raises:
        BadInput: Ray is not installed, or a number makes no sense.
    """

    def __init__(
        self,
        address: str | None = None,
        cpus: int | None = None,
        threads: int = 1,
        gpus: float = 0.0,
        device: str = "auto",
        retries: int = 3,
        limit_seconds: float | None = None,
        limit_memory: float | None = None,
        max_failures: int | None = None,
        retry_failed: bool = False,
        checkpoint_seconds: float | None = 60.0,
    ) -> None:
        positive(cpus=cpus, threads=threads, limit_seconds=limit_seconds, limit_memory=limit_memory)
        self.address, self.cpus, self.gpus, self.retries = address, cpus, gpus, retries
        self.limit, self.retry_failed = FailureLimit(max_failures), retry_failed
        self.settings = {
            "threads": threads,
            "device": device,
            "limit_seconds": limit_seconds,
            "limit_memory": limit_memory,
            "retry_failed": retry_failed,
            "checkpoint_seconds": checkpoint_seconds,
        }
        self.threads = threads
        self.ray = _ray()

    def launch(self, specs: Sequence[RunSpec], store: Store) -> Iterator[Outcome]:
        """Run each spec; outcomes come in the order in which runs end.

        Raises:
            LaunchStopped: more than ``max_failures`` runs failed, the cluster cannot be reached, or no
                worker could be started there.
            OSError: a node cannot write the store.
        """
        return self.limit.watch(self._launch(tasks(specs, store, self.retry_failed), store))

    def _launch(self, todo: Sequence[Task], store: Store) -> Iterator[Outcome]:
        known = [(task, ended(task, store)) for task in todo]
        yield from (outcome for _, outcome in known if outcome is not None)
        missing = [task for task, outcome in known if outcome is None]
        if not missing:
            return
        self._connect()
        remote = self.ray.remote(num_cpus=self.threads, num_gpus=self.gpus, max_retries=self.retries)(
            carry_out
        )
        under_way = {remote.remote(order(task.spec, store, self.settings)): task for task in missing}
        try:
            while under_way:
                done, _ = self.ray.wait(list(under_way), num_returns=1, timeout=WAIT_SECONDS)
                for reference in done:
                    yield arrived(under_way.pop(reference), store, self._error(reference))
        finally:
            for reference in under_way:
                self.ray.cancel(reference, force=True)

    def _connect(self) -> None:
        if self.ray.is_initialized():
            return
        given: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if self.address is None:
            # A Ray of our own is for this process only: no token in the home folder, no report home.
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            given |= {"num_cpus": self.cpus, "include_dashboard": False}
        before = signal.getsignal(signal.SIGTERM)
        try:
            self.ray.init(address=self.address, **given)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise LaunchStopped(f"Ray at launch.address={self.address} cannot be reached: {error}") from None
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray sets its own, which ends with another exit code

    def _error(self, reference: Any) -> str:
        try:
            return str(self.ray.get(reference))
        except self.ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, OSError | LaunchStopped):
                raise cause from None  # no run's fault: the next one would end so too
            last = str(error).strip().splitlines()[-1:]
            return f"{type(error).__name__}: {''.join(last)}"


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise BadInput(
            "launch=ray_cluster needs Ray, which is not installed: pip install 'crossover[ray]', or use "
            "launch=local_workers"
        ) from None
    return ray
