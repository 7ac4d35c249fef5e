"""What thousands of runs cost beside fitting: throughput, memory, the store's growth, resuming, listing.

    python benchmarks/scale.py                              2,000 runs on each launcher, 100,000 records
    python benchmarks/scale.py --runs 400 --records 20000   smaller

- runs: small TF-IDF logistic regressions on the generated inbox (sizes 50 to 100, one test draw each), into a
  fresh store, through `launch=local_workers` (two workers) and through a Ray started here (two cores).
- resume: the same launch again, with nothing left to do.
- list: `scripts/runs.py` on that store.
- records: a store of that many synthetic runs: listing their names, reading each record, telling which of
  them are done, as a resume does; inodes and bytes.
- corpus: reading a corpus of 10,000 and 100,000 rows out of the store, fingerprint checked.

Memory is the peak of a process (VmHWM: Linux) with all that it has imported.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench_rounds import write
from marks import replaced

from crossover.data.inbox import Inbox
from crossover.launch.in_process import InProcess
from crossover.launch.launcher import Launcher
from crossover.launch.local_workers import LocalWorkers
from crossover.launch.ray_cluster import RayCluster
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset
from crossover.split.stratified import Stratified

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED, PAGE = ROOT / "results" / "published", ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- scale.py writes from here -->", "<!-- to here -->"
MODEL = "crossover.model.logistic_regression.LogisticRegression"
CORPORA = (10_000, 100_000)
ROWS, SIZES, TEST_ROWS, CORES = 2_000, (50, 100), 200, 2
LAUNCHERS: Mapping[str, Callable[[], Launcher]] = {
    "in_process": lambda: InProcess(threads=1),
    "local_workers": lambda: LocalWorkers(workers=CORES),
    "ray_cluster": lambda: RayCluster(cpus=CORES),
}
DEFAULT = "local_workers,ray_cluster"


def plan(store: Store, runs: int) -> list[RunSpec]:
    """That many specs on one corpus and split, both kept in the store."""
    corpus = Inbox(ROWS).load()
    split = Stratified(group_duplicates="none").split(corpus)
    store.save_corpus(corpus)
    store.save_split(split)
    return [
        RunSpec(
            corpus.fingerprint,
            split.fingerprint,
            component(MODEL),
            Subset("natural", SIZES[k % len(SIZES)], k // len(SIZES)),
            test_rows=TEST_ROWS,
        )
        for k in range(runs)
    ]


def launched(name: str, runs: int, folder: Path) -> dict[str, float]:
    """One launcher's throughput, this process being its driver, and what it left in the store."""
    store = Store(folder)
    specs = plan(store, runs)
    before, launcher = usage(folder), LAUNCHERS[name]()
    first, began = (
        list(launcher.launch(specs[:CORES], store)),
        time.perf_counter(),
    )  # workers start and import
    first += launcher.launch(specs, store)
    seconds = time.perf_counter() - began
    if failed := [outcome.error for outcome in first if outcome.record is None]:
        raise SystemExit(f"{name}: {len(failed)} runs failed, the first: {failed[0]}")
    workers = max(map(peak, workers_below(os.getpid())), default=peak())
    again, cpu = time.perf_counter(), time.process_time()
    records = [outcome.record for outcome in LAUNCHERS[name]().launch(specs, store) if outcome.record]
    resume = time.perf_counter() - again
    after = usage(folder)
    return {
        "runs": len(records),
        "runs_a_second": (runs - CORES) / seconds,
        "driver_peak_bytes": peak(),
        "workers_peak_bytes": workers,
        "bytes_a_run": (after["bytes"] - before["bytes"]) / runs,
        "inodes_a_run": (after["inodes"] - before["inodes"]) / runs,
        "resume_seconds": resume,
        "resume_cpu_seconds": time.process_time() - cpu,
    }


def listed(folder: Path) -> dict[str, float]:
    """What `scripts/runs.py` takes, without the start of Python; this process is the command."""
    sys.argv = ["runs.py", f"store={folder}", "--csv", os.devnull]
    began = time.perf_counter()
    try:
        runpy.run_path(str(ROOT / "scripts" / "runs.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    return {"seconds": time.perf_counter() - began}


def scanned(folder: Path) -> dict[str, float]:
    """The three ways in which a store is read: names, every record, which digests are done."""
    store = Store(folder)
    began = time.perf_counter()
    digests = store.digests()
    names = time.perf_counter() - began
    done = sum(map(store.has_run, digests))
    asked = time.perf_counter() - began - names
    base = peak()
    kept = list(store.runs())  # a study's conclusion holds all its records
    return {
        "records": len(kept),
        "done": done,
        "names_seconds": names,
        "asked_seconds": asked,
        "read_seconds": time.perf_counter() - began - names - asked,
        "bytes_of_memory_a_record": (peak() - base) / len(kept),
        **usage(folder / "runs"),
    }


def usage(folder: Path) -> dict[str, float]:
    """Inodes below a folder, and the bytes that the disk gives them."""
    found = [path.lstat() for path in folder.rglob("*")]
    return {"inodes": len(found), "bytes": sum(stat.st_blocks * 512 for stat in found)}


def read_corpus(rows: int, folder: Path) -> dict[str, float]:
    """A corpus out of the store; it was kept there by another process."""
    from growth import _elsewhere

    _elsewhere(f"Store(folder).save_corpus(Inbox({rows}).load())", folder)
    (kept,) = (folder / "corpora").iterdir()
    store, base, began = Store(folder), peak(), time.perf_counter()
    store.corpus(kept.name)
    return {
        "rows": rows,
        "seconds": time.perf_counter() - began,
        "bytes_of_memory_a_row": (peak() - base) / rows,
    }


def peak(pid: int | str = "self") -> float:
    """Peak memory of a process, bytes. (What wait4 says of a child counts the parent's memory too.)"""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def workers_below(pid: int) -> list[int]:
    """Process ids of the worker processes that this one, or Ray for it, has started."""
    found: list[int] = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        found += [int(child)] if b"crossover.launch.worker" in command else workers_below(int(child))
    return found


def apart(what: str, *given: object) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--part", what, *map(str, given)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"{what}: ended with {said.returncode}")
    found: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    print(what, *given, found, file=sys.stderr, flush=True)
    return found


def part(what: str, given: Sequence[str]) -> dict[str, float]:
    """What :func:`apart` asks for."""
    if what == "launch":
        return launched(given[0], int(given[1]), Path(given[2]))
    if what == "make":
        from growth import make_records

        began = time.perf_counter()
        make_records(int(given[0]), Path(given[1]))
        return {"seconds": time.perf_counter() - began}
    if what == "corpus":
        return read_corpus(int(given[0]), Path(given[1]))
    return listed(Path(given[0])) if what == "list" else scanned(Path(given[0]))


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """As Markdown."""
    lines = [_row(("launcher", "runs", "runs a second", "driver, peak MB", "a worker, peak MB", "KB a run",
                   "inodes a run", "resume, s", "`runs.py`, s")), "|---" * 9 + "|"]  # fmt: skip
    for name in LAUNCHERS:
        if name in found:
            one, told = found[name], found[f"list {name}"]
            lines.append(_row((
                name, f"{one['runs']:,.0f}", f"{one['runs_a_second']:.1f}", _mb(one["driver_peak_bytes"]),
                _mb(one["workers_peak_bytes"]), f"{one['bytes_a_run'] / 1e3:.1f}",
                f"{one['inodes_a_run']:.1f}", f"{one['resume_seconds']:.2f}", f"{told['seconds']:.2f}",
            )))  # fmt: skip
    one, told = found["records"], found["list records"]
    lines += ["", _row(("records", "names, s", "are they done, s", "read each, s", "KB of memory each",
                        "inodes", "MB on disk", "`runs.py`, s"))]  # fmt: skip
    lines.append("|---" * 8 + "|")
    lines.append(_row((
        f"{one['records']:,.0f}", f"{one['names_seconds']:.2f}", f"{one['asked_seconds']:.2f}",
        f"{one['read_seconds']:.1f}", f"{one['bytes_of_memory_a_record'] / 1e3:.1f}",
        f"{one['inodes']:,.0f}", _mb(one["bytes"]), f"{told['seconds']:.1f}",
    )))  # fmt: skip
    lines += ["", _row(("rows of a corpus", "reading it, s", "KB of memory a row")), "|---" * 3 + "|"]
    for rows in CORPORA:
        one = found[f"corpus {rows}"]
        lines.append(
            _row((f"{rows:,}", f"{one['seconds']:.2f}", f"{one['bytes_of_memory_a_row'] / 1e3:.1f}"))
        )
    return "\n".join(lines)


def page(text: str, command: str, found: Mapping[str, Mapping[str, float]]) -> str:
    """docs/scale.md with these tables between its marks."""
    told = f"`{command} --to results/published`\n\n{table(found)}"
    return replaced(text, told, BEGIN, END, PAGE.name)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _mb(value: float) -> str:
    return f"{value / 1e6:,.0f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--launchers", default=DEFAULT, help=f"of {', '.join(LAUNCHERS)}")
    parser.add_argument(
        "--to", type=Path, help="folder for scale.json; results/published fills in docs/scale.md too"
    )
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.part:
        print(json.dumps(part(asked.part[0], asked.part[1:])))
        return
    found: dict[str, dict[str, float]] = {}
    for name in asked.launchers.split(","):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = apart("launch", name, asked.runs, folder)
            found[f"list {name}"] = apart("list", folder)
    with tempfile.TemporaryDirectory() as folder:
        found["make"] = apart("make", asked.records, folder)
        found["records"] = apart("scan", folder)
        found["list records"] = apart("list", folder)
    for rows in CORPORA:
        with tempfile.TemporaryDirectory() as folder:
            found[f"corpus {rows}"] = apart("corpus", rows, folder)
    command = f"python benchmarks/scale.py --runs {asked.runs} --records {asked.records}"
    command += f" --launchers {asked.launchers}" if asked.launchers != DEFAULT else ""
    write({"command": command, "cores": os.cpu_count(), "found": found}, "scale", asked.to)
    if asked.to is not None and asked.to.resolve() == PUBLISHED:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), command, found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
