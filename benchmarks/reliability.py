"""The reliability table: what the fault tests counted, put into docs/reliability.md.

    make test-faults                     runs the fault tests, then this
    python benchmarks/reliability.py     from results/published/reliability.json as it is

The words of a row are written by hand in the page, between the marks. This fills in the last three cells of
each row: the tests, how often the fault was tried, and how often it was survived. A row whose injection reads
"not applicable: why" keeps them empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marks import between, replaced

ROOT = Path(__file__).resolve().parents[1]
COUNTS = ROOT / "results" / "published" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- reliability.py fills in from here -->", "<!-- to here -->"
FILLED = ("tests", "tried", "survived")
ROW = re.compile(r"\| (F\d\d) \|")
NOT_APPLICABLE = "not applicable:"


def filled(page: str, found: Mapping[str, Any]) -> str:
    """The page with the figures of ``found`` in its table and above it.

    Raises:
        SystemExit: a fault was counted that has no row, or one that is said to be not applicable.
    """
    lines = between(page, BEGIN, END, PAGE.name).split("\n")
    faults: Mapping[str, Mapping[str, Any]] = found["faults"]
    rows = {match[1]: line for line in lines if (match := ROW.match(line))}
    for fault in faults:
        if NOT_APPLICABLE in rows.get(fault, NOT_APPLICABLE):
            raise SystemExit(f"{PAGE.name}: {fault} was counted; write its row, and how it is injected")
    told = [caption(found), ""]
    table = [line for line in lines if line.startswith("|")]
    told += [_row(line, faults.get(match[1])) if (match := ROW.match(line)) else line for line in table]
    return replaced(page, "\n".join(told), BEGIN, END, PAGE.name)


def caption(found: Mapping[str, Any]) -> str:
    """Command, how thorough it was, and the sums."""
    tried = sum(one["tried"] for one in found["faults"].values())
    survived = sum(one["survived"] for one in found["faults"].values())
    told = f"`{found['command']}`, CROSSOVER_KILLS={found['kills']}"
    return f"{told}: {tried} faults injected, {survived} survived."


def _row(line: str, counted: Mapping[str, Any] | None) -> str:
    words = [cell.strip() for cell in line.strip().strip("|").split("|")][: -len(FILLED)]
    figures = ["", "", ""]
    if counted is not None:
        tests = ", ".join(f"`{name.removeprefix('test_').removesuffix('.py')}`" for name in counted["tests"])
        figures = [tests, str(counted["tried"]), str(counted["survived"])]
    return f"| {' | '.join([*words, *figures])} |"


def main() -> None:
    """Fill in the page."""
    found = json.loads(COUNTS.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(caption(found))


if __name__ == "__main__":
    main()
