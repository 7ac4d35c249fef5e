"""Run every command of docs/tutorial/README.md in a store of its own and keep what each printed.

python benchmarks/tutorial.py
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial" / "README.md"
PUBLISHED = ROOT / "results" / "published" / "tutorial.md"
LARGE = "data.rows=1000000"


def commands(page: str) -> list[str]:
    """The commands of the page's code blocks, in order."""
    blocks = re.findall(r"^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("python scripts/")]


def printed(command: str, folder: Path) -> str:
    """What a command prints, without the machine's folders; it must succeed."""
    words = [sys.executable, str(ROOT / shlex.split(command)[1]), *shlex.split(command)[2:]]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}\nended with {done.returncode}:\n{done.stderr}")
    return done.stdout.replace(f"{folder}/", "").strip("\n")


def main() -> None:
    """Write results/published/tutorial.md."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    lines = ["# What the tutorial's commands print", "", "Made by `python benchmarks/tutorial.py`.", ""]
    with tempfile.TemporaryDirectory() as folder:
        for command in commands(PAGE.read_text(encoding="utf-8")):
            if LARGE in command:
                continue  # half a gigabyte, and nothing to see
            lines += ["```", f"$ {command}", printed(command, Path(folder)), "```", ""]
            print(command, flush=True)
    PUBLISHED.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
