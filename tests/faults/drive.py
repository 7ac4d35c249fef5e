"""A driver as a process of its own: one launcher, wayward runs, one store. What the fault tests kill.

python drive.py STORE NOTES SETTINGS: settings as JSON: ``launcher``, its ``arguments``, and ``runs``, a
list of [seed, how, seconds, once]. One JSON line an outcome on stdout.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.planned import planned
from toy import toy_store

from crossover.launch.in_process import InProcess
from crossover.launch.interruption import stoppable
from crossover.launch.local_workers import LocalWorkers
from crossover.protocol.component import allow_package


def main() -> None:
    settings = json.loads(sys.argv[3])
    allow_package("wayward")
    store, corpus, split = toy_store(Path(sys.argv[1]), 200)
    if jump := settings.get("clock"):
        real = time.time
        time.time = lambda: real() + jump
    specs = planned(corpus, split, sys.argv[2], settings["runs"])
    kind = {"in_process": InProcess, "local_workers": LocalWorkers}[settings["launcher"]]
    with stoppable():
        for outcome in kind(**settings["arguments"]).launch(specs, store):
            told = {"seed": outcome.spec.seeds.initialisation, "error": outcome.error}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
