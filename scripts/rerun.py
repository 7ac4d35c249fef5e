"""A failed run once more, in this process: its error at first hand, its record where it ends well.

python scripts/rerun.py store=outputs of=DIGEST
"""

from collections.abc import Mapping
from typing import cast

from crossover.compose import DONE, SOME_FAILED, Composed, command
from crossover.report.terminal import print_failures, print_run, progress


def task(composed: Composed) -> int:
    """Take the spec that failure.json keeps, run it, keep the record."""
    from crossover.protocol.run_spec import RunSpec

    store, digest = composed.store, str(composed.cfg.of)
    spec = RunSpec.from_json(cast(Mapping[str, object], store.failure(digest)["spec"]), f"failed/{digest}")
    with progress() as bars:
        outcome = next(iter(composed.launcher(bars.on_step).launch([spec], store)))
    if outcome.record is None:
        print_failures([outcome], store.root)
        return SOME_FAILED
    print_run(outcome.record.to_json())
    print(f"run: {store.root / 'runs' / spec.digest}", flush=True)
    return DONE


if __name__ == "__main__":
    command(task)()
