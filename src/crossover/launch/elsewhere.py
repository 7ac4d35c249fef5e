"""A run on another machine, the same for Ray and Slurm: JSON in, JSON out, a worker process of its own.

The process that the cluster starts only watches a :class:`LocalWorkers` of one worker: a run that dies
there is told from a machine that is lost, and leaves its log as on this machine.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import cast

from crossover.launch.local_workers import LocalWorkers
from crossover.protocol.component import allow_package, allowed_packages
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store


def order(spec: RunSpec, store: Store, settings: Mapping[str, object]) -> str:
    """What :func:`carry_out` needs, as JSON; ``settings`` are those of LocalWorkers."""
    return json.dumps(
        {
            "spec": spec.to_json(),
            "store": str(store.root.absolute()),
            "settings": settings,
            "packages": allowed_packages()[1:],
            "path": [entry for entry in sys.path if entry],
        }
    )


def carry_out(text: str) -> str:
    """Run what :func:`order` says, in a warm worker of this process; "" or the run's error.

    Raises:
        LaunchStopped: no worker could be started here.
        OSError: the store cannot be written.
    """
    plain = cast(Mapping[str, object], json.loads(text))
    # The user's own package is looked for where it lay at the other end, after everything that is here.
    sys.path.extend(entry for entry in cast(list[str], plain["path"]) if entry not in sys.path)
    for package in cast(list[str], plain["packages"]):
        if package not in allowed_packages():
            allow_package(package)
    root = Path(str(plain["store"]))
    if not (root / "runs").is_dir():
        where = socket.gethostname()
        return f"BadInput: {where} has no folder {root}; name one that every machine sees: store=..."
    spec = RunSpec.from_json(cast(Mapping[str, object], plain["spec"]))
    (outcome,) = _workers(json.dumps(plain["settings"]), os.getpid()).launch([spec], Store(root))
    return outcome.error


@lru_cache(maxsize=1)
def _workers(settings: str, _process: int) -> LocalWorkers:
    return LocalWorkers(workers=1, **json.loads(settings))
