"""Mirror: send to W&B what the store holds and the mirror lacks; give it as often as you like.

python scripts/mirror.py store=outputs wandb.mode=offline
"""

from crossover.compose import DONE, SOME_FAILED, Composed, command
from crossover.report.terminal import progress


def task(composed: Composed) -> int:
    """Every run and verdict that is not marked as sent."""
    from crossover.report.store_mirror import mirror_store

    with progress() as bars:
        found = mirror_store(composed.store, composed.mirror, bars.on_step)
    print(f"mirrored: {found.runs} runs, {found.studies} studies, {found.behind} behind", flush=True)
    return SOME_FAILED if found.behind else DONE


if __name__ == "__main__":
    command(task)()
