"""Launcher: runs RunSpecs somewhere; the same study, any launcher, the same records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.record.store import Store


@dataclass(frozen=True)
class Outcome:
    """One run's end: its record, or the error that ended it (already kept under failed/)."""

    spec: RunSpec
    record: RunRecord | None = None
    error: str = ""


class Launcher(Protocol):
    """Somewhere to run; yields outcomes as they come, in any order, one a spec."""

    def launch(self, specs: Sequence[RunSpec], store: Store) -> Iterator[Outcome]:
        """Run each spec that the store does not hold yet; a failed run costs that run only.

        Raises:
            LaunchStopped: more runs failed than are allowed, or there is nowhere to run.
            OSError: the store cannot be written (a full disk), so that further runs are vain.
        """
        ...
