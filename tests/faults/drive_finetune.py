"""A driver of one fine-tune that is tuned over two trials: what the tests of checkpoints kill.

python drive_finetune.py STORE MODEL SETTINGS: settings as JSON: ``launcher``, its ``arguments``, and
``die``, a point of a checkpoint's writing and at which checkpoint of this process: ["half", 3]. One JSON
line at the end on stdout: the run's error and how many steps were told of.
"""

import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toy import toy_store

from crossover.launch.in_process import InProcess
from crossover.launch.interruption import stoppable
from crossover.launch.local_workers import LocalWorkers
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.split.nested_subsets import Subset

STEPS = 80


def spec_of(corpus, split, model: str, **changes: object) -> RunSpec:
    """Early stopping inside, two trials and a refit: three trainings of one run."""
    encoder = {"_target_": "crossover.model.encoder.encoder.Encoder", "name": model, "max_length": 32}
    settings = {"min_steps": STEPS, "epochs": 1, "learning_rate": 1e-3, "patience": 3, "early_stopping": True}
    settings |= {"evaluate_every": 10, "class_weights": True, **changes}
    tuned = component("crossover.model.finetune.Finetune", {**settings, "encoder": encoder})
    return RunSpec(
        corpus.fingerprint,
        split.fingerprint,
        tuned,
        Subset("natural", 48, 0),
        budget=2,
        seeds=Seeds(1, 2),
        test_rows=40,
    )


def die_at(point: str, turn: int) -> None:
    """Have the ``turn``-th checkpoint written here end this process."""
    from crossover.model import checkpoint

    written, save_file, replace = 0, checkpoint.save_file, os.replace

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def half(tensors, aside, *rest) -> None:
        nonlocal written
        written += 1
        save_file(tensors, aside, *rest)
        if (point, written) == ("half", turn):
            os.truncate(aside, Path(aside).stat().st_size // 2)
            end()

    def renamed(source, target) -> None:
        ours = str(target).endswith(".safetensors") and "checkpoints" in str(target) and written == turn
        if ours and point == "before rename":
            end()
        replace(source, target)
        if ours and point == "after rename":
            end()

    checkpoint.save_file, os.replace = half, renamed


def main() -> None:
    settings = json.loads(sys.argv[3])
    store, corpus, split = toy_store(Path(sys.argv[1]), 200)
    if settings["die"]:
        die_at(*settings["die"])
    told: list[int] = []
    kind = {"in_process": InProcess, "local_workers": LocalWorkers}[settings["launcher"]]
    launcher = kind(**settings["arguments"], on_step=lambda step, total, message: told.append(step))
    with stoppable():
        (outcome,) = launcher.launch([spec_of(corpus, split, sys.argv[2])], store)
    sys.stdout.write(json.dumps({"error": outcome.error, "steps": len(told)}) + "\n")


if __name__ == "__main__":
    main()
