"""Run specs one after another in this process."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from crossover import experiment
from crossover.launch.launcher import Outcome
from crossover.model.runtime import Runtime
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store


@dataclass
class InProcess:
    """One process, one run at a time.

    ``threads`` and ``device`` are environment, not identity. ``on_step`` (set by scripts) is
    told how far a model's fitting is.
    """

    threads: int | None = None
    device: str = "auto"
    on_step: Callable[[int, int, str], None] | None = None

    def launch(self, specs: Sequence[RunSpec], store: Store) -> Iterator[Outcome]:
        """Run each spec; one that fails is kept under failed/ and costs that run only.

        Raises:
            OSError: the store cannot be written (a full disk), so that further runs are vain.
        """
        around = Runtime(store.cache, self.threads, self.device, self.on_step)
        for spec in specs:
            try:
                yield Outcome(spec, experiment.run(spec, store, around))
            except OSError:
                raise
            except Exception as error:
                message = f"{type(error).__name__}: {error}"
                failure = {"spec": spec.to_json(), "error": message, "traceback": traceback.format_exc()}
                store.save_failure(spec.digest, failure)
                yield Outcome(spec, error=message)
