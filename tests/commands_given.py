"""Commands as a user gives them: real processes in a folder of their own, on a small made csv."""

from __future__ import annotations

import csv
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
WORDS = ["".join(letters) for letters in itertools.product("bdfgklmn", "aeiou", "prstvz", "aeiou")]

Command = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """The environment of a plain shell: no W&B setting, one thread."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
    return path


def mail_rows(count: int = 600) -> list[list[str]]:
    """Header and rows; two words of twelve and more tell the class, one points the other way."""
    rng = np.random.default_rng(0)
    words = rng.permutation(WORDS)
    marks = {"spam": words[:40], "ham": words[40:80]}
    rows = [["message", "kind"]]
    for _ in range(count):
        kind, other = ("spam", "ham") if rng.random() < 0.4 else ("ham", "spam")
        parts = (rng.choice(words[80:], 12), rng.choice(marks[kind], 2), rng.choice(marks[other], 1))
        rows.append([" ".join(np.concatenate(parts)), kind])
    return rows


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder commands are given in; it holds mail.csv and takes the stores."""
    folder = tmp_path_factory.mktemp("home")
    write_csv(folder / "mail.csv", mail_rows())
    return folder


@pytest.fixture(scope="session")
def mail() -> list[str]:
    """Overrides that name mail.csv."""
    return ["data=table_file", "data.path=mail.csv", "data.text=message", "data.label=kind"]


@pytest.fixture(scope="session")
def command(home: Path) -> Command:
    """``command("run", "store=x", ...)``: the process's end, W&B off unless the overrides say."""

    def give(script: str, *words: str) -> subprocess.CompletedProcess[str]:
        composes = script not in ("estimate", "reproduce", "runs", "unseal")
        told = any(word.startswith(("wandb.", "--")) for word in words)
        off = ["wandb.mode=disabled"] if composes and not told else []
        return subprocess.run(
            [sys.executable, str(SCRIPTS / f"{script}.py"), *words, *off],
            cwd=home,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=240,
        )

    return give


def left_in(store: Path) -> set[str]:
    """Files of a store without Hydra's own, and folders that begin with a dot."""
    found = [path for path in store.rglob("*") if "hydra" not in path.relative_to(store).parts]
    return {
        path.relative_to(store).as_posix() for path in found if path.is_file() or path.name.startswith(".")
    }
