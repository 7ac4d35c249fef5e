"""All side-by-side benchmarks, one after another, into results/published/bench.json, bench.md and the README.

    make bench DATA=sms_spam.parquet                       everything; about an hour on two quiet cores
    python benchmarks/bench.py --data sms_spam.parquet --parts encode,probes

Each part is a script of its own that alternates ours and its rivals in one process (see its docstring for
options). Parts that are not asked for keep their last figures. The figures of a part that needs a GPU can be
taken elsewhere and brought in: --take bench_many_seeds.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from marks import replaced

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PUBLISHED = ROOT / "results" / "published"
BEGIN, END = "<!-- bench.py writes from here -->", "<!-- to here -->"
GROWTH = ["--rows", "1000,10000,100000,1000000", "--limit", "1500"]
SCRIPTS: dict[str, list[str]] = {
    "encode": ["bench_encode.py"],
    "probes": ["bench_probes.py"],
    "finetune": ["bench_finetune.py"],
    "few_shot": ["bench_few_shot.py"],
    "study": ["bench_study.py"],
    "overhead": ["bench_overhead.py"],
    "growth": ["growth.py", *GROWTH],
    "many_seeds": ["bench_many_seeds.py"],
}
READS_DATA = ("encode", "probes", "finetune", "few_shot", "study", "many_seeds")


def measured(part: str, data: Path) -> dict[str, Any]:
    """Run one benchmark in a process of its own; its JSON, with the table it printed."""
    script, *options = SCRIPTS[part]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / script), *options, "--to", folder]
        if part in READS_DATA:
            command += ["--data", str(data.resolve())]
        said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        (file,) = Path(folder).glob("*.json")
        return {**json.loads(file.read_text(encoding="utf-8")), "table": said.stdout.strip()}


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Every part with its command, machine and table, as Markdown."""
    lines = ["# Benchmarks", "", headlines(found), ""]
    for part, one in found.items():
        lines += [f"## {part}", "", f"`{one['command']}`", ""]
        if machine := one.get("machine"):
            lines += [", ".join(f"{name} {_short(value)}" for name, value in machine.items()), ""]
        lines += [one["table"], ""]
    return "\n".join(lines)


def headlines(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What was asked, measured and met, a line each."""
    lines = ["| what | measured | target | met |", "|---|---|---|---|"]
    for one in found.values():
        for row in one["headlines"]:
            met = {True: "yes", False: "**no**", None: ""}[row["met"]]
            lines.append(f"| {row['what']} | {row['measured']} | {row['target']} | {met} |")
    return "\n".join(lines)


def into_readme(text: str, told: str) -> str:
    """The README with the table between the marks replaced.

    Raises:
        SystemExit: the marks are not there.
    """
    return replaced(text, told, BEGIN, END, "README.md")


def _short(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for, keep the others, write all three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="parquet or csv with text, label columns")
    parser.add_argument("--parts", default="", help=f"of {', '.join(SCRIPTS)}; all by default")
    parser.add_argument("--take", type=Path, action="append", default=[], help="JSON measured elsewhere")
    given = parser.parse_args(arguments)
    file = PUBLISHED / "bench.json"
    found: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for taken in given.take:
        part = taken.stem.removeprefix("bench_")
        found[part] = json.loads(taken.read_text(encoding="utf-8"))
    parts = given.parts.split(",") if given.parts else [] if given.take else list(SCRIPTS)
    for part in parts:
        if part not in SCRIPTS:
            raise SystemExit(f"--parts {part}: expected among {', '.join(SCRIPTS)}")
        if part in READS_DATA and given.data is None:
            raise SystemExit(f"{part} reads real texts: give --data FILE with text, label columns")
    for part in parts:
        print(f"== {part}", flush=True)
        found[part] = measured(part, given.data)
        print(found[part]["table"], flush=True)
        ordered = {name: found[name] for name in SCRIPTS if name in found}
        file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    ordered = {name: found[name] for name in SCRIPTS if name in found}
    file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    (PUBLISHED / "bench.md").write_text(page(ordered), encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(into_readme(readme.read_text(encoding="utf-8"), headlines(ordered)), encoding="utf-8")


if __name__ == "__main__":
    main()
