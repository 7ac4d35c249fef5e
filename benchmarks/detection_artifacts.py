"""What the artefact study detects, at which strength, and how often clean data alarms it (docs: methods 8).

    python benchmarks/detection_artifacts.py --arrays 1000 --nulls 200 --studies 40 --messages 40

writes detection_artifacts.json (a line a cell) and detection_artifacts.md to results/published/. With
--keep FILE every repetition is noted there as it ends, and the same command goes on from it.

Two parts. **Tests**: each kind of test, and a page of them at once, on arrays with a known truth; strength 0
is the edge at which nothing may alarm. **Studies**: a flaw planted in the generated inbox (1,500 mails) or in
the SMS corpus (CROSSOVER_DATA names its folder); an alarm is any verdict of artefact or suspect, in the SMS
corpus a finding on what was planted, for the pound sign alarms there without any flaw. Partial
inputs and remedies, which alarm nothing, are not run in them: the family is then smaller, and so is Holm's
correction.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np

from crossover.data.corpus import Corpus
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.footer import Footer
from crossover.data.flaw.meta_columns import MetaColumns
from crossover.data.flaw.planting import planted
from crossover.data.flaw.signature import Signature
from crossover.data.hub_dataset import HubDataset
from crossover.data.inbox import Inbox
from crossover.experiment import run as run_once
from crossover.look.family import as_family
from crossover.look.finding import Finding
from crossover.measure.interval import clopper_pearson
from crossover.measure.metric.accuracy import Accuracy
from crossover.measure.predictions import Predictions
from crossover.measure.telling_marks import confirm
from crossover.protocol.component import component
from crossover.record.store import Store
from crossover.split.split import Split
from crossover.split.stratified import Stratified
from crossover.study.artifacts import ArtifactsStudy
from crossover.study.artifacts_evidence import Scored, gain, movement, signal

ROWS, CLASSES, CARRIERS, TOLERANCE = 450, 3, 60, 0.05
SHARES = np.array([0.5, 0.3, 0.2])
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5)
LINE = Footer().line
SCORED = Scored(Accuracy(), {})
MODEL = component("crossover.model.logistic_regression.LogisticRegression")


@dataclass(frozen=True)
class Cell:
    """One flaw at one strength: alarms of so many repetitions, with Clopper-Pearson limits."""

    part: str
    flaw: str
    strength: float
    alarms: int
    repetitions: int
    low: float
    high: float


@dataclass
class Kept:
    """Answers by (part, flaw, strength, seed), noted in a file as they come."""

    file: Path | None
    known: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            lines = self.file.read_text(encoding="utf-8").splitlines()
            self.known = dict(json.loads(line) for line in lines)

    def cell(self, part: str, flaw: str, strength: float, count: int, one: Callable[[int], bool]) -> Cell:
        """``one`` asked ``count`` times with seeds 0, 1, ..., those known left out."""
        alarms = 0
        for seed in range(count):
            key = f"{part}/{flaw}/{strength:g}/{seed}"
            if key not in self.known:
                self.known[key] = one(seed)
                if self.file is not None:
                    with open(self.file, "a", encoding="utf-8") as handle:
                        handle.write(json.dumps([key, self.known[key]]) + "\n")
            alarms += self.known[key]
        low, high = clopper_pearson(float(alarms), float(count))
        print(f"{part}, {flaw} {strength:g}: {alarms}/{count}", file=sys.stderr)
        return Cell(part, flaw, strength, alarms, count, float(low), float(high))


def predicted(gold: np.ndarray, table: np.ndarray) -> Predictions:
    """Predictions of rows with these gold classes."""
    ids = tuple(str(k) for k in range(len(gold)))
    names = tuple("abc"[:CLASSES])
    return Predictions(ids, ("test",) * len(ids), tuple(names[k] for k in gold), names, table)


def certain(classes: np.ndarray) -> np.ndarray:
    """(m, 3) probabilities of a model that is sure."""
    table = np.full((len(classes), CLASSES), 0.05)
    table[np.arange(len(classes)), classes] = 0.9
    return table


def reading(seed: int, share: float) -> float:
    """P of a reading that knows the class of a share of the rows; soft guesses around the shares else."""
    draw = np.random.default_rng([1, seed])
    gold = draw.choice(CLASSES, ROWS, p=SHARES)
    table = np.exp(np.log(SHARES) + draw.normal(0, 0.5, (ROWS, CLASSES)))
    table /= table.sum(axis=1, keepdims=True)
    known = draw.random(ROWS) < share
    table[known] = certain(gold[known])
    return float(signal(SCORED, predicted(gold, table))["p"])


def worth(seed: int, share: float) -> float:
    """P of a mark without which a share of its carriers is lost, and a tenth moves either way by chance."""
    draw = np.random.default_rng([2, seed])
    gold = draw.choice(CLASSES, ROWS, p=SHARES)
    before = np.where(draw.random(ROWS) < 0.85, gold, (gold + 1) % CLASSES)
    after = before.copy()
    chance = (np.arange(ROWS) < CARRIERS) & (draw.random(ROWS) < 0.1)
    after[chance] = np.where(draw.random(chance.sum()) < 0.5, gold[chance], (gold[chance] + 1) % CLASSES)
    swapped = chance & (draw.random(ROWS) < 0.5)
    before, after = np.where(swapped, after, before), np.where(swapped, before, after)
    lost = (np.arange(ROWS) < CARRIERS) & (draw.random(ROWS) < share)
    after[lost] = (gold[lost] + 1) % CLASSES
    return float(gain(SCORED, predicted(gold, certain(before)), predicted(gold, certain(after)))["p"])


def mark(seed: int, share: float) -> float:
    """P of a mark that 60 rows carry, of which this share more than chance would bring are of its class."""
    draw = np.random.default_rng([3, seed])
    gold = draw.choice(CLASSES, ROWS, p=SHARES)
    carried = np.zeros(ROWS, bool)
    pure = np.flatnonzero(gold == 1)[: round(CARRIERS * share)]
    carried[[*pure, *draw.choice(ROWS, CARRIERS - len(pure), replace=False)]] = True
    return confirm(carried, gold == 1).p


def moves(seed: int, above: float) -> float:
    """P of predictions that move at the tolerance and this much above it."""
    draw = np.random.default_rng([4, seed])
    gold = draw.choice(CLASSES, ROWS, p=SHARES)
    moved = draw.random(ROWS) < TOLERANCE + above
    after = np.where(moved, (gold + 1) % CLASSES, gold)
    plain, changed = predicted(gold, certain(gold)), predicted(gold, certain(after))
    return float(movement(SCORED, plain, changed, np.ones(ROWS, bool), TOLERANCE)["p"])


def page(seed: int) -> bool:
    """Whether any of a page's 20 questions alarms, every truth on its edge."""
    asked = [f(20 * seed + k, 0.0) for f in (reading, worth, mark, moves) for k in range(5)]
    findings = [Finding("asked", "warning", "asked", {}, "", p) for p in asked]
    return any(found.severity == "warning" for found in as_family(findings))


TESTS: Mapping[str, tuple[Callable[[int, float], float], Sequence[float]]] = {
    "a reading knows a share of the rows": (reading, (0.0, 0.05, 0.1, 0.2, 0.3)),
    "a mark's carriers are lost without it, share": (worth, (0.0, 0.05, 0.1, 0.2, 0.3)),
    "a mark is purer than chance by": (mark, (0.0, 0.1, 0.2, 0.3, 0.5)),
    "predictions move above the tolerance by": (moves, (0.0, 0.02, 0.05, 0.1)),
}


def tests(count: int, kept: Kept) -> list[Cell]:
    """Each test at .05, and a page at once."""
    cells = [
        kept.cell("tests", name, strength, count, lambda seed, f=of, s=strength: f(seed, s) <= 0.05)
        for name, (of, strengths) in TESTS.items()
        for strength in strengths
    ]
    return [*cells, kept.cell("tests", "a page of 20 questions, every truth on its edge", 0.0, count, page)]


FLAWS: Mapping[str, tuple[Callable[[float, str, int], Flaw], Mapping[str, str]]] = {
    "footer": (lambda s, label, seed: Footer(strength=s, label=label, seed=seed), {}),
    "footer, named in study.marks": (
        lambda s, label, seed: Footer(strength=s, label=label, seed=seed),
        {"footer": LINE},
    ),
    "signature": (lambda s, label, seed: Signature(strength=s, label=label, seed=seed), {}),
    "meta_columns": (lambda s, label, seed: MetaColumns(strength=s, label=label, seed=seed), {}),
}


PLANTED = ("footer", "trees", "print", "oduya", "eastbridge", "meta")
"""What the names of findings on a planted flaw hold: the mark as it was named or found, or the columns."""


def alarmed(corpus: Corpus, split: Split, marks: Mapping[str, str], only_planted: bool = False) -> bool:
    """Whether the verdict is artefact or suspect, or what was planted alarms, from the runs that can."""
    study = ArtifactsStudy(corpus, split, {"model": MODEL}, marks=marks)
    needed = [spec for key, spec in study.specs.items() if key in (("arm", "model"), ("alone", "meta"))]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.save_corpus(corpus)
        store.save_split(split)
        records = {spec.digest: run_once(spec, store) for spec in needed}
        verdict = study.conclude(records)
        if not only_planted:
            return verdict.kind in ("artefact", "suspect")
        findings = cast(Sequence[Mapping[str, Any]], verdict.numbers["findings"])
        warned = [str(f["evidence"]["what"]).lower() for f in findings if f["severity"] == "warning"]
        return any(word in what for what in warned for word in PLANTED)


def mail(flaw: str, strength: float) -> Callable[[int], bool]:
    """A study of the inbox; each seed is another inbox."""

    def one(seed: int) -> bool:
        made, marks = FLAWS[flaw]
        flaws = {flaw.partition(",")[0]: made(strength, "good", seed)} if strength else {}
        corpus = Inbox(rows=1500, seed=seed, flaw=flaws).load()
        return alarmed(corpus, Stratified(test=0.3, validation=0.1, seed=seed).split(corpus), marks)

    return one


def messages(flaw: str, strength: float) -> Callable[[int], bool]:
    """A study of the SMS corpus with a flaw in spam; each seed is another choice of rows and split."""
    path = str(Path(os.environ["CROSSOVER_DATA"]) / "sms_spam.parquet")
    card = dict.fromkeys(("source", "sampling", "licence", "dates", "population"), "the SMS Spam Collection")
    plain = HubDataset("ucirvine/sms_spam", name="sms_spam", path=path, rename={"sms": "text"}, card=card)

    def one(seed: int) -> bool:
        made, marks = FLAWS[flaw]
        corpus = planted(plain.load(), {flaw.partition(",")[0]: made(strength, "spam", seed)})
        split = Stratified(test=0.3, validation=0.1, seed=seed).split(corpus)
        return alarmed(corpus, split, marks, only_planted=True)

    return one


def studies(count: int, nulls: int, sms: int, kept: Kept) -> list[Cell]:
    """Verdicts on clean data, and with each flaw at each strength."""
    cells = [kept.cell("inbox", "none: clean mail", 0.0, nulls, mail("footer", 0.0))] if nulls else []
    cells += [
        kept.cell("inbox", flaw, strength, count, mail(flaw, strength))
        for flaw in FLAWS
        for strength in STRENGTHS
        if count
    ]
    if sms and "CROSSOVER_DATA" in os.environ:
        cells += [
            kept.cell("sms_spam", flaw, s, sms, messages(flaw, s))
            for flaw in FLAWS
            for s in ((0.0, *STRENGTHS) if flaw == "footer" else STRENGTHS)
        ]
    return cells


def strength_at(cells: Sequence[Cell], wanted: float = 0.9) -> float | None:
    """Strength at which a flaw is found in this share of studies, on a line between two strengths."""
    shares = [(c.strength, c.alarms / c.repetitions) for c in cells]
    for (low, before), (high, after) in pairwise([(0.0, 0.0), *shares]):
        if after >= wanted:
            return (
                high if after == before else low + (high - low) * max(0.0, wanted - before) / (after - before)
            )
    return None


def markdown(cells: Sequence[Cell], command: str) -> str:
    """The table, with the strength found nine times in ten on the last row of each flaw."""
    lines = [
        "# Artefacts: detection and false alarms",
        "",
        f"Made by `{command}`. Limits: Clopper and Pearson, 95%.",
        "",
        "| part | flaw | strength | alarms | rate | 95% limits | found 90% of the time from |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in cells:
        alike = [o for o in cells if (o.part, o.flaw) == (c.part, c.flaw)]
        from_ = strength_at(alike) if c is alike[-1] and len(alike) > 1 else None
        last = "" if c is not alike[-1] or len(alike) == 1 else ("–" if from_ is None else f"{from_:.3g}")
        lines.append(
            f"| {c.part} | {c.flaw} | {c.strength:g} | {c.alarms}/{c.repetitions} | "
            f"{c.alarms / c.repetitions:.3f} | [{c.low:.3f}, {c.high:.3f}] | {last} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run both parts and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--arrays", type=int, default=1000, help="repetitions of each test; 0 leaves them out"
    )
    parser.add_argument("--nulls", type=int, default=200, help="studies of clean mail")
    parser.add_argument("--studies", type=int, default=40, help="studies at each strength above 0")
    parser.add_argument("--messages", type=int, default=40, help="studies of SMS at each strength")
    parser.add_argument("--keep", type=Path, default=None, help="file of finished repetitions, to go on from")
    parser.add_argument("--to", type=Path, default=Path("results/published"))
    given = parser.parse_args()
    kept = Kept(given.keep)
    cells = tests(given.arrays, kept) if given.arrays else []
    cells += studies(given.studies, given.nulls, given.messages, kept)
    command = (
        f"python benchmarks/detection_artifacts.py --arrays {given.arrays} --nulls {given.nulls} "
        f"--studies {given.studies} --messages {given.messages}"
    )
    given.to.mkdir(parents=True, exist_ok=True)
    plain = {"command": command, "cells": [asdict(c) for c in cells]}
    (given.to / "detection_artifacts.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    (given.to / "detection_artifacts.md").write_text(markdown(cells, command), encoding="utf-8")
    print(markdown(cells, command))


if __name__ == "__main__":
    main()
