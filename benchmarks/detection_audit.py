"""What the audit of a split detects, at which strength, and how often a clean cut alarms it (methods 8).

    python benchmarks/detection_audit.py inbox --nulls 1000 --draws 40
    python benchmarks/detection_audit.py sms --nulls 1000 --draws 40 --path sms_spam.parquet

each replaces its part of detection_audit.json and writes detection_audit.md anew, in results/published/.

A corpus of 600 rows (**inbox**: generated mail; **sms**: messages drawn at random, with times, senders and
regions drawn too) is cut cleanly: at random with senders and near-copies kept whole, and by time. A flaw is
then planted at the strength given as a share of the test rows, and the flawed parts are read as a published
split is, from a column (split=predefined). **Found** is the share of the planted rows that the finding
counts, and one is planted at least. At strength 0 the cut is clean: any warning or error of the whole audit
is a false alarm, the goal of the cut stated.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow.parquet as pq
from detection_parts import Columns, limits, messages, renewed

from crossover.data.corpus import Corpus
from crossover.data.flaw.campaign import near_copy
from crossover.data.inbox import Inbox
from crossover.look.duplicates import duplicate_clusters
from crossover.look.finding import Finding
from crossover.split.audit import audit
from crossover.split.grouped import Grouped
from crossover.split.predefined import Predefined
from crossover.split.split import Split
from crossover.split.temporal import Temporal

PARTS = ("inbox", "sms")
ROWS, TEST = 600, 0.25
FEW, MANY = (0.01, 0.05, 0.2), (0.1, 0.2, 0.3, 0.5)
SENDERS = 300
NEW, LATER = "new:sender", "later"


@dataclass
class Planted(Columns):
    """The columns of a corpus and the part of each row. Each way to plant says in how many rows it did."""

    part: np.ndarray

    def rows(self, part: str) -> np.ndarray:
        """The rows of a part, in an order of chance."""
        return self.draw.permutation(np.flatnonzero(self.part == part))

    def count(self, strength: float) -> int:
        """Rows to plant: this share of the test part, one at least."""
        return max(1, round(strength * int((self.part == "test").sum())))

    def copied(self, count: int, change: Callable[[str], str]) -> int:
        """Give test rows a copy of as many different training texts, changed."""
        test, train = self.rows("test")[:count], self.rows("train")[:count]
        for row, source in zip(test.tolist(), train.tolist(), strict=True):
            self.texts[row] = change(self.texts[source])
        return count

    def given(self, count: int, column: str) -> int:
        """Give test rows the value that one of the training rows has in a column."""
        train, (_, values) = self.rows("train"), self.meta[column]
        for row in self.rows("test")[:count].tolist():
            values[row] = values[int(self.draw.choice(train))]
        return count

    def tilted(self, count: int, wanted: np.ndarray) -> int:
        """Swap test rows that are not wanted for as many training rows that are."""
        test = [row for row in self.rows("test").tolist() if not wanted[row]][:count]
        train = [row for row in self.rows("train").tolist() if wanted[row]][: len(test)]
        self.part[test[: len(train)]], self.part[train] = "train", "test"
        return len(train)

    def published(self) -> tuple[Corpus, Split]:
        """The flawed corpus with its parts in a column, and the split read from it."""
        self.meta["part"] = ("category", self.part.tolist())
        flawed = self.made()
        return flawed, Predefined("part", validation_share=0.0, group_duplicates="none").split(flawed)


@dataclass(frozen=True)
class Case:
    """A flaw: how it is planted (it says in how many rows), which finding alarms, what counts its rows."""

    plant: Callable[[Planted, int], int]
    code: str
    by_time: bool = False
    goal: str | None = None
    counted_by: str | None = None
    strengths: Sequence[float] = FEW


@dataclass(frozen=True)
class Cell:
    """One flaw at one strength: alarms of so many audits, with limits, the share of planted rows found."""

    part: str
    flaw: str
    strength: float
    detected: int
    audits: int
    low: float
    high: float
    found: float | None


def near(planted: Planted) -> Callable[[str], str]:
    """A change of case, digits and a word or two."""
    return lambda text: near_copy(text, planted.draw.integers(0, 2**63, 4, dtype=np.uint64))


def shouted(text: str) -> str:
    """Another case, other digits, another spacing: equal once normalised."""
    return "  ".join(text.upper().translate({ord("0") + k: str((k + 1) % 10) for k in range(10)}).split(" "))


def long(planted: Planted) -> np.ndarray:
    """Which texts are longer than the median."""
    lengths = np.array([len(text) for text in planted.texts])
    return lengths > np.median(lengths)


CASES: Mapping[str, Case] = {
    "exact copies of training rows": Case(
        lambda p, n: p.copied(n, str), "leak-exact", counted_by="leak-exact"
    ),
    "copies but for case, digits, spaces": Case(
        lambda p, n: p.copied(n, shouted), "leak-normalised", counted_by="leak-normalised"
    ),
    "near-copies": Case(lambda p, n: p.copied(n, near(p)), "leak-near", counted_by="leak-near"),
    "near-copies, against goal=new": Case(lambda p, n: p.copied(n, near(p)), "goal-contradicted", goal="new"),
    "senders on both sides": Case(
        lambda p, n: p.given(n, "sender"), "group-sender", counted_by="group-sender"
    ),
    "senders on both sides, against goal=new:sender": Case(
        lambda p, n: p.given(n, "sender"), "goal-contradicted", goal=NEW
    ),
    "test rows of training times, against goal=later": Case(
        lambda p, n: p.given(n, "time"), "goal-contradicted", True, LATER, "time-time"
    ),
    "a class more frequent in test": Case(
        lambda p, n: p.tilted(n, p.commonest()), "class-balance", strengths=MANY
    ),
    "a region more frequent in test": Case(
        lambda p, n: p.tilted(n, p.commonest("region")), "slice-balance-region", strengths=MANY
    ),
    "longer texts in test": Case(lambda p, n: p.tilted(n, long(p)), "length-balance", strengths=MANY),
}


def inbox(seed: int) -> Corpus:
    """Generated mail."""
    return Inbox(rows=ROWS, seed=seed).load()


def sms(path: Path) -> Callable[[int], Corpus]:
    """Messages drawn at random, one of each cluster of near-copies; times, senders, regions drawn too."""
    table = pq.read_table(path).to_pydict()
    names = [str(row) for row in range(len(table["text"]))]
    cluster = duplicate_clusters(names, table["text"])
    single = [int(name) for name in names if cluster.get(name, name) == name]

    def drawn(seed: int) -> Corpus:
        draw = np.random.default_rng([3, seed])
        return messages(table, draw.choice(single, ROWS, replace=False).tolist(), draw, SENDERS)

    return drawn


def clean(corpus: Corpus, seed: int, by_time: bool) -> Split:
    """A cut without a flaw."""
    if by_time:
        return Temporal("time", test=TEST, validation=0.0, tolerance=0.5).split(corpus)
    return Grouped(["sender"], test=TEST, validation=0.0, seed=seed, tolerance=0.5).split(corpus)


def alarms(findings: Sequence[Finding]) -> set[str]:
    """The codes that warn."""
    return {one.code for one in findings if one.severity != "info"}


def once(case: Case, strength: float, corpus: Corpus, seed: int) -> tuple[bool, float | None]:
    """Whether the finding alarms, and the share of the planted rows that it counts."""
    split = clean(corpus, seed, case.by_time)
    part = np.full(len(corpus), "reserve", dtype=object)
    for name in ("train", "test"):
        part[[corpus.row_of[id_] for id_ in split.parts[name]]] = name
    planted = Planted(corpus, np.random.default_rng([4, seed]), part)
    count = case.plant(planted, planted.count(strength))
    findings = audit(*planted.published(), goal=case.goal)
    if case.counted_by is None:
        return case.code in alarms(findings), None
    evidence = next(one.evidence for one in findings if one.code == case.counted_by)
    told = evidence["test_rows_not_later" if case.by_time else "test_rows"]
    return case.code in alarms(findings), min(1.0, cast(int, told) / count)


def cell(part: str, flaw: str, strength: float, seen: Sequence[bool], found: float | None = None) -> Cell:
    """The rate over audits."""
    return Cell(part, flaw, strength, *limits(seen), found)


def nulls(part: str, make: Callable[[int], Corpus], count: int) -> list[Cell]:
    """Any alarm of the whole audit on clean cuts, the goal stated that each cut serves."""
    cells = []
    for name, by_time, goal in (
        ("clean cut at random, senders whole", False, NEW),
        ("clean cut by time", True, LATER),
    ):
        told: list[set[str]] = []
        for seed in range(count):
            corpus = make(10_000 + seed)
            codes = alarms(audit(corpus, clean(corpus, seed, by_time), goal=goal))
            # Senders who write before and after a cut by time are there, and the audit says so.
            told.append(codes - ({"group-sender"} if by_time else set()))
        cells.append(cell(part, f"{name}: any alarm", 0.0, [bool(one) for one in told]))
        cells += [
            cell(part, f"{name}: {code}", 0.0, [code in one for one in told])
            for code in sorted(set().union(*told))
        ]
        print(f"{part} {name}: {sum(map(bool, told))}/{count}", file=sys.stderr)
    return cells


def power(part: str, make: Callable[[int], Corpus], draws: int) -> list[Cell]:
    """Each flaw at each strength."""
    cells = []
    for flaw, case in CASES.items():
        for strength in case.strengths:
            outcomes = [once(case, strength, make(seed), seed) for seed in range(draws)]
            shares = [share for _, share in outcomes if share is not None]
            cells.append(
                cell(part, flaw, strength, [seen for seen, _ in outcomes],
                     float(np.mean(shares)) if shares else None)
            )  # fmt: skip
            print(f"{part} {flaw} {strength:g}: {cells[-1].detected}/{draws}", file=sys.stderr)
    return cells


def markdown(parts: Mapping[str, Mapping[str, object]]) -> str:
    """The table, and the commands that made it."""
    lines = [
        "# What the audit of a split detects",
        "",
        "Limits: Clopper-Pearson, 95%. Strength: share of test rows that are planted; 0: a clean cut, any "
        "alarm is false. Found: share of the planted rows that the finding counts.",
        "",
        "Made by",
        "",
        "```",
        *(str(part["command"]) for part in parts.values()),
        "```",
        "",
        "| part | flaw | strength | alarms | rate | limits | found |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in parts.values():
        for one in (Cell(**plain) for plain in part["cells"]):  # type: ignore[attr-defined]
            found = "" if one.found is None else f"{one.found:.3f}"
            lines.append(
                f"| {one.part} | {one.flaw} | {one.strength:g} | {one.detected}/{one.audits} | "
                f"{one.detected / one.audits:.3f} | [{one.low:.3f}, {one.high:.3f}] | {found} |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a part and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--nulls", type=int, default=1_000, help="clean cuts of each kind")
    parser.add_argument("--draws", type=int, default=40, help="audits at each strength")
    parser.add_argument("--path", type=Path, help="the file of sms")
    parser.add_argument("--to", type=Path, default=Path("results/published"))
    given = parser.parse_args(arguments)
    began, make = time.process_time(), inbox if given.part == "inbox" else sms(given.path)
    cells = [*nulls(given.part, make, given.nulls), *power(given.part, make, given.draws)]
    source = " --path sms_spam.parquet" if given.part == "sms" else ""
    found = {
        "command": f"python benchmarks/detection_audit.py {given.part} --nulls {given.nulls} "
        f"--draws {given.draws}{source}",
        "seconds": round(time.process_time() - began, 1),
        "cells": [asdict(one) for one in cells],
    }
    parts = renewed(given.to / "detection_audit.json", given.part, found, PARTS)
    (given.to / "detection_audit.md").write_text(markdown(parts), encoding="utf-8")
    print(markdown(parts))


if __name__ == "__main__":
    main()
