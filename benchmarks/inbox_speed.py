"""How many rows a second the inbox is written at, plain and with every flaw planted.

python benchmarks/inbox_speed.py

CPU seconds of one thread over a stream of batches, median of several passes. A benchmark and not a
test: another machine is another number. The target is 20,000 rows a second.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import yaml

from crossover.data.flaw.flaw import Flaw
from crossover.data.inbox import Inbox
from crossover.protocol.component import build, component

ROOT = Path(__file__).resolve().parents[1]
TARGET = 20_000
STRENGTH = 0.05


def every_flaw(strength: float = STRENGTH) -> dict[str, Flaw]:
    """The flaws of conf/flaw by name, as they are shipped but of this strength."""
    flaws = {}
    for path in sorted((ROOT / "conf" / "flaw").glob("*.yaml")):
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) | {"strength": strength}
        flaws[path.stem] = cast(Flaw, build(component(settings.pop("_target_"), settings)))
    return flaws


def rows_a_second(inbox: Inbox) -> float:
    """One pass over the batches, rows by CPU seconds of this process."""
    begun = time.process_time()
    rows = sum(len(piece) for piece in inbox.batches())
    return rows / (time.process_time() - begun)


def measured(rows: int, passes: int) -> dict[str, object]:
    """Medians and single passes of both inboxes, taken in turn, after one that warms up."""
    inboxes = {"plain": Inbox(rows), "every flaw": Inbox(rows, flaw=every_flaw())}
    seen: dict[str, list[float]] = {name: [] for name in inboxes}
    for inbox in inboxes.values():
        rows_a_second(Inbox(min(rows, 5_000), flaw=inbox.flaw))
    for _ in range(passes):
        for name, inbox in inboxes.items():
            seen[name].append(rows_a_second(inbox))
    return {
        "rows": rows,
        "strength_of_each_flaw": STRENGTH,
        "target_rows_a_second": TARGET,
        "machine": {"processor": platform.machine(), "python": platform.python_version()},
        "rows_a_second": {
            name: {"median": round(statistics.median(speeds)), "passes": [round(speed) for speed in speeds]}
            for name, speeds in seen.items()
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write inbox_speed.json; 0 where the plain inbox reaches the target, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "published")
    asked = parser.parse_args(arguments)
    found = {"command": "python benchmarks/inbox_speed.py", **measured(asked.rows, asked.passes)}
    text = json.dumps(found, indent=1) + "\n"
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "inbox_speed.json").write_text(text, encoding="utf-8")
    print(text, end="")
    return int(found["rows_a_second"]["plain"]["median"] < TARGET)  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main())
