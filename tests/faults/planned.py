"""The runs of the fault tests, the drivers that are given them, and what must hold in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossover.data.corpus import Corpus
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset
from crossover.split.split import Split

KILLS = int(os.environ.get("CROSSOVER_KILLS", "5"))
"""How often each fault is injected; `make test-faults` asks for more."""

Run = tuple[int, str, float, bool]
Tally = Callable[..., None]
"""The fixture that counts a fault: ``tally("F16")`` once each was survived."""


def planned(corpus: Corpus, split: Split, notes: str, runs: Sequence[Run]) -> list[RunSpec]:
    """One spec a (seed, how, seconds, once)."""
    return [
        RunSpec(
            corpus.fingerprint,
            split.fingerprint,
            Component("wayward.models.Wayward", settings(notes, how, seconds, once)),
            Subset("natural", 20, 0),
            seeds=Seeds(seed),
            test_rows=20,
        )
        for seed, how, seconds, once in runs
    ]


def settings(notes: str, how: str, seconds: float, once: bool) -> dict[str, object]:
    """Of a wayward model, its defaults left out."""
    given = {"how": how, "seconds": seconds, "once": once}
    return {"folder": notes, **{name: value for name, value in given.items() if value}}


def plain_runs(count: int, seconds: float = 0.0) -> list[Run]:
    """Runs that do nothing wrong."""
    return [(seed, "", seconds, False) for seed in range(count)]


class Driver:
    """A driver process on a store; its folder of notes lies beside the store."""

    def __init__(
        self, root: Path, runs: Sequence[Run], launcher: str = "local_workers", **arguments: object
    ) -> None:
        clock = arguments.pop("clock", 0)
        if launcher == "local_workers":
            arguments = {"workers": 2, **arguments}
        self.notes = root.parent / "notes"
        self.notes.mkdir(exist_ok=True)
        settings = {"launcher": launcher, "arguments": arguments, "runs": list(runs), "clock": clock}
        command = [sys.executable, str(Path(__file__).with_name("drive.py")), str(root), str(self.notes)]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*command, json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def ended(self, timeout: float = 120.0) -> tuple[int, list[dict[str, object]], str]:
        """Exit code, outcomes and stderr."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, outcomes(out), err


def outcomes(out: str) -> list[dict[str, object]]:
    """Those of a driver's stdout; in one process the models print there too."""
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


@contextmanager
def driving(*args: object, **kwargs: object) -> Iterator[Driver]:
    """A driver that does not outlive the test."""
    driver = Driver(*args, **kwargs)  # type: ignore[arg-type]
    try:
        yield driver
    finally:
        if driver.process.poll() is None:
            driver.process.kill()
        driver.process.communicate()


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition; fail where it does not come."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def finished(root: Path) -> int:
    """Runs in the store."""
    folder = root / "runs"
    return sum(not path.name.startswith(".") for path in folder.iterdir()) if folder.is_dir() else 0


def count(notes: Path, what: str) -> dict[int, int]:
    """How often each seed was begun or fitted."""
    return {
        int(file.stem): len(file.read_text(encoding="utf-8").splitlines()) for file in notes.glob(f"*.{what}")
    }


def workers_of(pid: int) -> list[int]:
    """Process ids of the children of a process."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text(encoding="ascii").split()] if listed.exists() else []


def alive(pids: Sequence[int]) -> list[int]:
    """Those of them that still exist, zombies too."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def assert_whole(root: Path, runs: int) -> None:
    """Every run is there once and readable, nothing is claimed, nothing half-written lies about."""
    store = Store(root)
    records = list(store.runs())
    assert len(records) == len({record.digest for record in records}) == runs
    for record in records:
        assert len(record.predictions) > 0
    assert list((root / "claims").iterdir()) == []
    assert [path.name for path in (root / "runs").iterdir() if path.name.startswith(".")] == []
