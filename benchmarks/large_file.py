"""A sample of a large file: seconds and memory of reading 200,000 rows out of ten million.

    python benchmarks/large_file.py --rows 10000000

writes large_file.json to results/published/. The jsonl file is made beside (200 characters a row, 2 GB) and
removed; the memory is the peak of a process of its own, libraries included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
BLOCK = 50_000
READ = """
import json, resource, sys, time
from crossover.data.table_file import TableFile
began = time.perf_counter()
corpus = TableFile(sys.argv[1], take=int(sys.argv[2])).load()
print(json.dumps({
    "taken": len(corpus), "seconds": round(time.perf_counter() - began, 1), "notes": corpus.card.notes,
    "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
}))
"""


def lines(block: int) -> str:
    """BLOCK rows of random words."""
    draw = np.random.default_rng(block)
    words = draw.integers(10**5, 10**7, (BLOCK, 28)).astype(str)
    labels = draw.choice(["spam", "ham"], BLOCK)
    return "".join(
        json.dumps({"text": " ".join(row), "label": label}) + "\n"
        for row, label in zip(words.tolist(), labels.tolist(), strict=True)
    )


def main() -> None:
    """Make the file, read a sample of it in a fresh process, write what it took."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--take", type=int, default=200_000)
    options.add_argument("--to", type=Path, default=PUBLISHED)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.jsonl"
        with open(file, "w", encoding="utf-8") as handle:
            for start in range(0, given.rows, BLOCK):
                handle.writelines(lines(start // BLOCK % 20).splitlines(keepends=True)[: given.rows - start])
        run = [sys.executable, "-c", READ, str(file), str(given.take)]
        told = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
        size = file.stat().st_size
    found = {
        "command": f"python benchmarks/large_file.py --rows {given.rows}",
        "rows": given.rows, "file_gb": round(size / 1e9, 2), **told,
    }  # fmt: skip
    given.to.mkdir(parents=True, exist_ok=True)
    (given.to / "large_file.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
