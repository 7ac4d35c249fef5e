"""Time and peak memory against the number of rows: does anything grow faster than the data?

    python benchmarks/growth.py --rows 1000,10000,100000,1000000

Each point is a fresh process over rows of the generated inbox (for `records` over synthetic run records):
seconds (wall and CPU) of the part alone, peak memory of the whole process, the inbox in it included. The
slope is that of a line through the points on log-log axes: 1 is linear. A point is left out, and said, where
the one before it took longer than --limit seconds a tenth of the rows.

Targets: peak memory of `audit` at 1,000,000 rows under 4 GB; 10,000 run records read within 3 s.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench_rounds import headline, write

from crossover.data.corpus_file import write_corpus
from crossover.data.inbox import Inbox
from crossover.data.sealed_json import sealed
from crossover.data.table_file import TableFile
from crossover.look.duplicates import duplicates
from crossover.measure.metric.metric import all_metrics
from crossover.measure.score import Score
from crossover.model.logistic_regression import LogisticRegression
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec
from crossover.record.environment import capture
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.split.clusters import duplicate_groups
from crossover.split.nested_subsets import Subset

Work = Callable[[], object]
AUDIT_BYTES, RECORDS_SECONDS = 4e9, 3.0


def generate(rows: int, _: Path) -> Work:
    """The inbox in memory."""
    return Inbox(rows).load


def acquire(rows: int, folder: Path) -> Work:
    """The inbox to a folder, batch by batch."""
    return partial(write_corpus, Inbox(rows), folder / "mail")


def fingerprint(rows: int, _: Path) -> Work:
    """The fingerprint of a corpus in memory."""
    corpus = Inbox(rows).load()
    return lambda: corpus.fingerprint


def save(rows: int, folder: Path) -> Work:
    """Into the store, fingerprint included."""
    corpus, store = Inbox(rows).load(), Store(folder)
    return lambda: store.save_corpus(corpus)


def read_store(rows: int, folder: Path) -> Work:
    """Out of the store, checked against its fingerprint; written by another process."""
    _elsewhere(f"Store(folder).save_corpus(Inbox({rows}).load())", folder)
    store = Store(folder)
    (kept,) = (folder / "corpora").iterdir()
    return lambda: store.corpus(kept.name)


def read_table(rows: int, folder: Path) -> Work:
    """A parquet file of the user's own: every value checked; written by another process."""
    _elsewhere(f"write_corpus(Inbox({rows}), folder / 'mail')", folder)
    return TableFile(str(folder / "mail" / "corpus.parquet"), id="id").load


def audit(rows: int, _: Path) -> Work:
    """Exact, normalised and near-duplicates as `scripts/look.py` reports them."""
    corpus = Inbox(rows).load()
    return lambda: duplicates(corpus)


def clusters(rows: int, _: Path) -> Work:
    """The near-duplicate clusters that the default split keeps together."""
    corpus = Inbox(rows).load()
    return lambda: duplicate_groups(corpus, corpus.ids, "near", 0.5)


def tfidf(rows: int, _: Path) -> Work:
    """TF-IDF logistic regression fitted on all rows."""
    corpus = Inbox(rows).load()
    model = LogisticRegression()
    return lambda: model.fit(corpus.texts, [str(label) for label in corpus.labels], corpus.classes)


def records(rows: int, folder: Path) -> Work:
    """Every record.json of a store with so many runs; predictions are not opened."""
    _elsewhere(f"make_records({rows}, folder)", folder)
    store = Store(folder)
    return lambda: sum(1 for _ in store.runs())


PARTS: Mapping[str, Callable[[int, Path], Work]] = {
    part.__name__: part
    for part in (
        generate, acquire, fingerprint, save, read_store, read_table, audit, clusters, tfidf, records,
    )
}  # fmt: skip


def make_records(count: int, folder: Path) -> None:
    """Synthetic runs: the record of a text model over five classes, 5 KB each."""
    store = Store(folder)
    measures = [metric.name for metric in all_metrics()]
    measures += [f"{one}/{label}" for one in ("precision", "recall", "f1") for label in "abcde"]
    method = "BCa bootstrap, 2000 resamples of clusters"
    scores = {name: Score(name, 0.5, 0.4, 0.6, 1115, method) for name in measures}
    cost = dict.fromkeys(("fit_seconds", "fit_seconds_cold", "latency_p50_ms", "labels"), 0.1)
    spec = RunSpec("0" * 16, "1" * 16, component("crossover.model.logistic_regression.LogisticRegression"))
    made = RunRecord(
        spec, scores, cost, "0" * 64, [{"iterations": 5.0, "converged": 1.0}], [], capture(),
        {"corpus": "inbox", "split": {"seed": 0}, "train_ids_sha256": "0" * 64, "selected": {}},
    )  # fmt: skip
    for draw in range(count):
        one = replace(made, spec=replace(spec, subset=Subset("natural", 100, draw)))
        (store.root / "runs" / one.digest).mkdir()
        (store.root / "runs" / one.digest / "record.json").write_bytes(sealed(one.to_json()))


def _elsewhere(code: str, folder: Path) -> None:
    """Prepare in a process of its own, so that its memory is not counted."""
    start = f"from pathlib import Path; from growth import *; folder = Path({str(folder)!r}); "
    subprocess.run([sys.executable, "-c", start + code], check=True, cwd=Path(__file__).parent)


def point(part: str, rows: int) -> dict[str, float]:
    """One part at one size, measured in this process."""
    with tempfile.TemporaryDirectory() as folder:
        work = PARTS[part](rows, Path(folder))
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return {"rows": rows, "seconds": wall, "cpu_seconds": cpu, "peak_bytes": peak}


def slope(points: Sequence[Mapping[str, float]], what: str) -> float | None:
    """Least-squares slope of log(what) on log(rows); None for fewer than two points."""
    if len(points) < 2:
        return None
    x, y = ([math.log(one[name]) for one in points] for name in ("rows", what))
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - x_mean) ** 2 for a in x)
    return sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True)) / spread


def measured(part: str, sizes: Sequence[int], limit: float) -> dict[str, object]:
    """The points of a part, and their slopes (over the points from 10,000 rows on where there are two)."""
    points: list[dict[str, float]] = []
    for rows in sizes:
        if points and points[-1]["cpu_seconds"] * rows / points[-1]["rows"] > limit:
            return {**_slopes(points), "points": points, "left_out": [n for n in sizes if n >= rows]}
        command = [sys.executable, str(Path(__file__)), "--point", part, str(rows)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode:
            raise SystemExit(f"{part} at {rows} rows: {said.stderr[-2000:]}")
        points.append(json.loads(said.stdout.splitlines()[-1]))
        print(f"{part} {rows:,}: {points[-1]}", file=sys.stderr, flush=True)
    return {**_slopes(points), "points": points, "left_out": []}


def _slopes(points: Sequence[Mapping[str, float]]) -> dict[str, float | None]:
    # Small sizes measure the start of the process.
    large = [one for one in points if one["rows"] >= 10_000]
    used = large if len(large) > 1 else points
    return {"slope_of_seconds": slope(used, "cpu_seconds"), "slope_of_memory": slope(used, "peak_bytes")}


def table(found: Mapping[str, Mapping[str, object]], sizes: Sequence[int]) -> str:
    """CPU seconds and peak memory a size, and the slopes, as Markdown."""
    heads = ["part", *(f"{rows:,}" for rows in sizes), "slope of seconds", "slope of memory"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for part, one in found.items():
        by_rows = {p["rows"]: p for p in one["points"]}  # type: ignore[attr-defined]
        cells = [
            f"{by_rows[n]['cpu_seconds']:.2f} s, {by_rows[n]['peak_bytes'] / 1e6:,.0f} MB"
            if n in by_rows
            else "not measured"
            for n in sizes
        ]
        slopes = [one[name] for name in ("slope_of_seconds", "slope_of_memory")]
        cells += ["" if value is None else f"{value:.2f}" for value in slopes]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(lines)


def headlines(found: Mapping[str, Any]) -> list[dict[str, object]]:
    """The two targets, where their point was measured."""
    told = []
    for part, rows, key, most, scale, unit in (
        ("audit", 1_000_000, "peak_bytes", AUDIT_BYTES, 1e9, "GB of memory at most"),
        ("records", 10_000, "seconds", RECORDS_SECONDS, 1.0, "s"),
    ):
        for one in found.get(part, {"points": []})["points"]:
            if one["rows"] == rows:
                what = f"growth: {part} of {rows:,}"
                measured_, target = f"{one[key] / scale:.2f} {unit}", f"{most / scale:g} {unit}"
                told.append(headline(what, measured_, target, one[key] <= most))
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts and sizes asked for, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", default="1000,10000,100000")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--records", default="100,1000,10000", help="sizes of `records`")
    parser.add_argument(
        "--limit", type=float, default=1e9, help="CPU seconds a point may be expected to take"
    )
    parser.add_argument("--to", type=Path, help="folder for growth.json")
    parser.add_argument("--point", nargs=2, metavar=("PART", "ROWS"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.point:
        print(json.dumps(point(asked.point[0], int(asked.point[1]))))
        return
    sizes = {part: asked.records if part == "records" else asked.rows for part in asked.parts.split(",")}
    found = {
        part: measured(part, [int(n) for n in text.split(",")], asked.limit) for part, text in sizes.items()
    }
    result = {
        "command": f"python benchmarks/growth.py --rows {asked.rows} --records {asked.records}",
        "parts": found,
        "headlines": headlines(found),
    }
    write(result, "growth", asked.to)
    every = sorted({int(n) for text in sizes.values() for n in text.split(",")})
    print(table(found, every))


if __name__ == "__main__":
    main()
