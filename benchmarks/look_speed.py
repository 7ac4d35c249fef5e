"""How long a look takes from its command to the last line: loading, statistics, near-duplicates, page.

python benchmarks/look_speed.py --data FOLDER

FOLDER holds sms_spam.parquet and enron_spam.parquet. Seconds of the whole process, the median of several, and
its processor time, which says more on a machine that is not quiet. Targets: 15 s for the 5,574 messages of
SMS Spam, 60 s for the 33,715 mails of Enron-Spam on 2 cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {"sms_spam": 15.0, "enron_spam": 60.0}
"""Seconds a whole look may take."""


def look(corpus: str, file: Path, store: Path) -> dict[str, float]:
    """One look in a process of its own: wall and processor seconds, bytes of the page."""
    words = [f"data={corpus}", f"data.path={file}", f"store={store}", "wandb.mode=disabled"]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, str(ROOT / "scripts" / "look.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    page = Path(done.stdout.splitlines()[-1].removeprefix("look: "))
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": wall, "processor_seconds": spent, "page_bytes": float(page.stat().st_size)}


def measured(data: Path, passes: int) -> dict[str, object]:
    """The looks of each corpus, each into a store of its own."""
    found: dict[str, object] = {}
    for corpus, target in TARGETS.items():
        with tempfile.TemporaryDirectory() as folder:
            file = data / f"{corpus}.parquet"
            looks = [look(corpus, file, Path(folder) / f"store{k}") for k in range(passes)]
        found[corpus] = {
            "target_seconds": target,
            "seconds": round(statistics.median(one["seconds"] for one in looks), 1),
            "processor_seconds": round(statistics.median(one["processor_seconds"] for one in looks), 1),
            "passes": [round(one["seconds"], 1) for one in looks],
            "page_bytes": int(looks[0]["page_bytes"]),
        }
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write look_speed.json; 0 where both corpora meet their target, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "published")
    asked = parser.parse_args(arguments)
    corpora = measured(asked.data, asked.passes)
    plain = {
        "command": "python benchmarks/look_speed.py --data FOLDER",
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        "load_average_at_the_end": round(os.getloadavg()[0], 1),
        "corpora": corpora,
    }  # fmt: skip
    text = json.dumps(plain, indent=1) + "\n"
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "look_speed.json").write_text(text, encoding="utf-8")
    print(text, end="")
    return int(any(one["seconds"] > one["target_seconds"] for one in corpora.values()))  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main())
