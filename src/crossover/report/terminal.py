"""What a person at a terminal sees: progress with time left, quiet when nobody is watching."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from crossover.measure.looks import percent
from crossover.report.visible_text import terminal_text

if TYPE_CHECKING:
    from crossover.launch.launcher import Outcome
    from crossover.look.finding import Finding
    from crossover.record.reproduction import Reproduction
    from crossover.report.tables import Table
    from crossover.study.expected import Expected


@dataclass
class Bars:
    """Two bars on stderr: runs of a batch, and steps of the run under way; both may be off."""

    bars: Any | None
    runs: Any = None
    steps: Any = None

    def batch(self, new: int, kept: int) -> None:
        """A batch begins: ``new`` runs to do, ``kept`` found in the store."""
        if self.bars is not None and new:
            self.bars.update(
                self.runs, total=new, completed=0, visible=True, description=f"runs (+{kept} kept)"
            )

    def run_done(self) -> None:
        """One run of the batch ended, well or not."""
        if self.bars is not None:
            self.bars.advance(self.runs)
            self.bars.update(self.steps, visible=False)

    def on_step(self, done: int, total: int, message: str) -> None:
        """A model tells how far its fitting is."""
        if self.bars is not None:
            self.bars.update(
                self.steps, total=total, completed=done, visible=True, description=message or "steps"
            )


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say what is being done while the block runs, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress(watch: bool | None = None) -> Iterator[Bars]:
    """Bars while the block runs, where stderr is a terminal (or ``watch`` says so)."""
    if not (sys.stderr.isatty() if watch is None else watch):
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        runs = bars.add_task("runs", total=1, visible=False)
        steps = bars.add_task("steps", total=1, visible=False)
        yield Bars(bars, runs, steps)


def print_run(record: Mapping[str, object]) -> None:
    """A run's scores and cost on stdout."""
    scores = cast(Mapping[str, Mapping[str, object]], record["scores"])
    widened = {score["level"] for score in scores.values()} - {0.95}
    for level in cast("set[float]", widened):
        print(f"{'intervals':>18}  at {percent(level)}, for the looks declared at this test part")
    for name, score in scores.items():
        if "/" in name:
            continue
        if score["value"] is None:
            print(f"{name:>18}  undefined ({score['method']})")
            continue
        low, high = score["low"], score["high"]
        interval = f"[{low:.4f}, {high:.4f}]" if low is not None and high is not None else ""
        print(f"{name:>18}  {score['value']:.4f}  {interval}  n = {score['n']}")
    cost = cast(Mapping[str, float], record["cost"])
    print(
        f"{'cost':>18}  fit {cost['fit_seconds']:.2f} s (cold {cost['fit_seconds_cold']:.2f} s), "
        f"{cost['latency_p50_ms']:.2f} ms a text, {cost['labels']:.0f} labels"
    )


def print_plan(plan: Expected) -> None:
    """What a dry run found."""
    print(f"study: {plan.name}")
    print(f"new: {plan.new} runs, kept: {plan.kept}, decided later: {plan.later}")
    if plan.seconds is None:
        print("time: unknown, the store has met none of these models")
    else:
        besides = f" for all but {plan.unmet} runs of models not met yet" if plan.unmet else ""
        print(f"time: about {plan.seconds:,.0f} s{besides}")
    print(f"disk: about {plan.bytes / 1e6:,.0f} MB")
    if plan.power:
        print(f"power: {plan.power}")


def print_verdict(verdict: Mapping[str, object], report: Path) -> None:
    """What could be shown at all, the hypothesis and its outcome, then two lines that scripts read.

    The last two lines are the verdict's sentence and the report's path.
    """
    numbers = cast(Mapping[str, object], verdict["numbers"])
    for name, key in (("power", "sentence"), ("hypothesis", "sentence"), ("hypothesis", "answer")):
        stated = numbers.get(name)
        if isinstance(stated, Mapping):
            print(f"{name}: {terminal_text(str(stated[key]), 1000)}")
    looks = numbers.get("test_budget")
    if isinstance(looks, Mapping) and (looks["caution"] or looks["declared"]):
        print(f"looks: {terminal_text(str(looks['sentence']), 1500)}")
    print(f"verdict: {terminal_text(str(verdict['sentence']), 4000)}")
    print(f"report: {report}", flush=True)


def print_failures(failures: Sequence[Outcome], root: Path) -> None:
    """Which runs failed, why, and where that is kept, on stderr; nothing where none did."""
    for outcome in failures:
        model, subset = outcome.spec.model.name, outcome.spec.subset
        which = f"{model}, {subset.size} rows, draw {subset.draw}" if subset else model
        print(f"failed: {which}: {terminal_text(outcome.error)}", file=sys.stderr)
        print(f"        kept in {root}/failed/{outcome.spec.digest}-*/failure.json", file=sys.stderr)


def print_reproduction(found: Reproduction, titles: tuple[str, str]) -> str:
    """A reproduction on stdout, its verdict in the last line; returns the kind of verdict."""
    from crossover.report.reproduction_table import reproduction_lines, reproduction_table

    if found.scores:
        print_tables([reproduction_table(found, titles)])
    for line in reproduction_lines(found, titles):
        print(terminal_text(line, 1000), flush=True)
    return found.kind


def print_tables(tables: Sequence[Table]) -> None:
    """Tables on stdout, as wide as they need where nobody watches."""
    from rich.console import Console

    from crossover.report.tables import to_rich

    console = Console(width=None if sys.stdout.isatty() else 200)
    for table in tables:
        console.print(to_rich(table))


def print_card(name: str, rows: int, card: Mapping[str, object]) -> None:
    """A corpus and its card on stdout."""
    print(f"{terminal_text(name)}: {rows:,} rows")
    for key in ("source", "sampling", "licence", "dates", "population", "seen_in_pretraining"):
        if card.get(key):
            print(f"  {key.replace('_', ' ')}: {terminal_text(str(card[key]))}")
    for note in cast(Sequence[str], card.get("notes", ())):
        print(f"  note: {terminal_text(note)}")


def print_findings(findings: Sequence[Finding]) -> None:
    """Findings on stdout, the gravest first, each with its code, evidence and remedy."""
    _findings([finding.to_json() for finding in findings])


def print_look(
    found: Mapping[str, object], tables: Sequence[Table], examples: Sequence[tuple[str, str]]
) -> None:
    """A look on stdout: findings, tables, and a few rows (class, text), each on one line."""
    _findings(cast(Sequence[Mapping[str, object]], found["findings"]))
    print_tables(tables)
    for label, text in examples:
        print(f"{terminal_text(label, 20):>12}  {terminal_text(text, 160)}")


def _findings(findings: Sequence[Mapping[str, object]]) -> None:
    from crossover.report.finding_table import evidence_line, sorted_findings

    for finding in sorted_findings(findings):
        severity, title = str(finding["severity"]), terminal_text(str(finding["title"]))
        print(f"{severity:>8}  {title} [{terminal_text(str(finding['code']))}]")
        if severity != "info":
            print(f"{'':>8}  evidence: {terminal_text(evidence_line(finding), 300)}")
        if finding["remedy"]:
            print(f"{'':>8}  remedy: {terminal_text(str(finding['remedy']))}")


def print_split(name: str, split: Mapping[str, object]) -> None:
    """A split's sizes and how it was made, on stdout."""
    parts = cast(Mapping[str, Sequence[str]], split["parts"])
    sizes = ", ".join(f"{part} {len(ids):,}" for part, ids in parts.items())
    groups = len(set(cast(Mapping[str, str], split["groups"]).values()))
    print(f"{terminal_text(name)}: {sizes}; {groups:,} groups")
