"""What the diagnosis detects, at which strength, and how often it is alarmed by nothing (docs: methods 8).

    python benchmarks/detection_diagnosis.py --arrays 1000 --studies 40 --nulls 200

writes detection_diagnosis.json (a line a cell) and detection_diagnosis.md to results/published/.

Two parts. **Rules**: each row of the decision table, and the whole table at once, on arrays with a known
truth, drawn at the sizes of a study (8 draws, 550 validation rows, 99 permutations, draws sharing a fifth of
their pool); strength 0 is the edge at which the row must not yet hold, the hardest null there is.
**Studies**: whole diagnoses of TF-IDF with logistic regression on the generated inbox (2,000 mails), the flaw
planted in the data or the model; at strength 0 the same study on clean data.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Corpus
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.label_noise import LabelNoise
from crossover.data.flaw.split_class import SplitClass
from crossover.data.inbox import Inbox
from crossover.launch.in_process import InProcess
from crossover.measure.interval import clopper_pearson
from crossover.measure.learning_slope import slope
from crossover.measure.null_score import SCORES, lift
from crossover.measure.simultaneous import Bounded, bounds_of, over_draws, share_bounds, shared_level
from crossover.measure.two_way import paired_mean
from crossover.protocol.component import Component, component
from crossover.record.store import Store
from crossover.split.grouped import Grouped
from crossover.study.diagnosis import DiagnosisStudy
from crossover.study.diagnosis_findings import Evidence, decide, leads, verdict_of
from crossover.study.study import run

DRAWS, ROWS, NULL_ROWS, PERMUTATIONS, OVERLAP, TARGET = 8, 550, 200, 99, 0.2, 0.05
LEVEL = shared_level(12)
AUDITED = 300
SHARES = np.array([0.36, 0.16, 0.16, 0.16, 0.16])
Floats = NDArray[np.float64]
CLEAN = tempfile.TemporaryDirectory()
KNOWN: dict[tuple[int, bool, int], list[str]] = {}


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
    seconds: float


def cell(part: str, flaw: str, strength: float, count: int, one: Callable[[int], bool]) -> Cell:
    """``one`` asked ``count`` times with seeds 0, 1, ..."""
    began = time.perf_counter()
    alarms = sum(one(seed) for seed in range(count))
    low, high = clopper_pearson(float(alarms), float(count))
    took = (time.perf_counter() - began) / count
    return Cell(part, flaw, strength, alarms, count, float(low), float(high), took)


def shared_draws(draw: np.random.Generator, sd: float) -> Floats:
    """(DRAWS, 1) draw effects of which OVERLAP of the variance is common to all draws."""
    own, common = draw.normal(0, sd, (DRAWS, 1)), draw.normal(0, sd)
    return np.asarray(np.sqrt(1 - OVERLAP) * own + np.sqrt(OVERLAP) * common)


def error_rows(
    draw: np.random.Generator, errors: Sequence[float], sd: float = 0.01, rows: int = ROWS
) -> list[Floats]:
    """(DRAWS, rows) of 0 and 1 at each mean error: hard rows are hard in every draw and at every size."""
    hard = draw.normal(0, 1, rows)
    found = []
    for error in errors:
        rate = np.clip(error + shared_draws(draw, sd), 1e-6, 1 - 1e-6)
        effort = np.sqrt(0.5) * hard + np.sqrt(0.5) * draw.normal(0, 1, (DRAWS, rows))
        found.append((effort > _normal(1 - rate)).astype(float))
    return found


def _normal(p: Floats) -> Floats:
    from scipy import special

    return np.asarray(special.ndtri(p))


def nulls_that_know(seed: int, share: float) -> dict[str, Bounded]:
    """Leads of null runs that know the label of a share of the rows; soft guesses around the prior else."""
    draw = np.random.default_rng([1, seed])
    gold = draw.choice(5, NULL_ROWS, p=SHARES)
    tables = []
    for _ in range(PERMUTATIONS):
        noisy = np.log(SHARES) + draw.normal(0, 0.8, (NULL_ROWS, 5))
        table = np.exp(noisy) / np.exp(noisy).sum(axis=1, keepdims=True)
        known = draw.random(NULL_ROWS) < share
        table[known] = 0.9 * np.eye(5)[gold[known]] + 0.1 * table[known]
        tables.append(table)
    return {score: lift(score, gold, tables, LEVEL) for score in SCORES}


def training(seed: int, error: float) -> Bounded:
    """Bounds of a training error over draws of 800 rows."""
    draw = np.random.default_rng([2, seed])
    rates = np.clip(error + shared_draws(draw, 0.01)[:, 0], 0, 1)
    return over_draws(draw.binomial(800, rates) / 800, LEVEL, OVERLAP, 6400)


def rules(count: int) -> list[Cell]:
    """Each row of the table on arrays, and the whole table on its edge."""

    def falls(fall: float) -> Callable[[int], bool]:
        def one(seed: int) -> bool:
            half, whole = error_rows(np.random.default_rng([3, seed]), (0.15 + fall, 0.15))
            return slope(half, whole, LEVEL, 0.01, OVERLAP).falls

        return one

    def flat(margin_left: float, rows: int) -> Callable[[int], bool]:
        def one(seed: int) -> bool:
            errors = 0.16 - margin_left, 0.15
            half, whole = error_rows(np.random.default_rng([4, seed]), errors, 0.001, rows)
            return slope(half, whole, LEVEL, 0.01, OVERLAP).flat

        return one

    def good(below: float) -> Callable[[int], bool]:
        def one(seed: int) -> bool:
            (rows,) = error_rows(np.random.default_rng([5, seed]), (TARGET - below,))
            return bounds_of(paired_mean(rows, OVERLAP), LEVEL).high <= TARGET

        return one

    def audit(above: float) -> Callable[[int], bool]:
        def one(seed: int) -> bool:
            wrong = int(np.random.default_rng([6, seed]).binomial(AUDITED, TARGET + above))
            return share_bounds(wrong, AUDITED, LEVEL).low > TARGET

        return one

    def lowers(share: float) -> Callable[[int], bool]:
        def one(seed: int) -> bool:
            changes = np.random.default_rng([7, seed]).normal(-share, 0.02, DRAWS)
            return over_draws(changes, LEVEL, OVERLAP).high < 0

        return one

    made: dict[str, tuple[Sequence[float], Callable[[float], Callable[[int], bool]]]] = {
        "null runs know a share of the labels": (
            (0.0, 0.05, 0.1, 0.12, 0.15, 0.2),
            lambda s: lambda seed: bool(leads(nulls_that_know(seed, s))),
        ),
        "validation error below the target by": ((0.0, 0.01, 0.02, 0.03, 0.04), good),
        "audited label error above the target by": ((0.0, 0.03, 0.05, 0.07, 0.1), audit),
        "training error above the target by": (
            (0.0, 0.01, 0.02, 0.03, 0.05),
            lambda s: lambda seed: training(seed, TARGET + s).low > TARGET,
        ),
        "an intervention lowers the objective by": ((0.0, 0.01, 0.03, 0.05, 0.1), lowers),
        "error falls from n/2 to n by": ((0.0, 0.01, 0.03, 0.05, 0.08), falls),
        **{
            f"slope inside the margin of .01 by, {rows} validation rows": (
                (0.0, 0.005, 0.01),
                partial(flat, rows=rows),
            )
            for rows in (ROWS, 5_000, 20_000)
        },
        "the whole table, every truth on its edge": ((0.0,), lambda _: any_row),
    }
    few = max(20, count // 5)  # 99 permutations a repetition: dear for arrays
    return [
        cell("rules", name, strength, few if name.startswith(("null", "the whole")) else count, of(strength))
        for name, (strengths, of) in made.items()
        for strength in strengths
    ]


def any_row(seed: int) -> bool:
    """Whether any row but the last holds: errors on the target, nulls at chance, a flat slope."""
    draw = np.random.default_rng([8, seed])
    half, whole = error_rows(draw, (TARGET, TARGET))
    e = Evidence(
        target=TARGET,
        level=LEVEL,
        size=800,
        permutations=PERMUTATIONS,
        permuted=nulls_that_know(seed, 0.0),
        overfit=(1.0, 1.0, 1.0),
        validation=bounds_of(paired_mean(whole, OVERLAP), LEVEL),
        train=training(seed, TARGET),
        floor=share_bounds(int(draw.binomial(AUDITED, TARGET)), AUDITED, LEVEL),
        lowered={"a better solver": over_draws(draw.normal(0, 0.02, DRAWS), LEVEL, OVERLAP)},
        slope=slope(half, whole, LEVEL, 0.01, OVERLAP),
    )
    return verdict_of(decide(e)).code != "insufficient"


@dataclass(frozen=True)
class Planted:
    """A flaw for whole studies: how it is planted, and the findings that count as detecting it."""

    strengths: tuple[float, ...]
    flaw: Callable[[float], Mapping[str, Flaw]]
    model: Callable[[float], Component]
    detected: tuple[str, ...]
    audited: bool = False
    size: Callable[[float], int] = lambda strength: 400


def regression(**settings: object) -> Component:
    """TF-IDF with logistic regression."""
    return component("crossover.model.logistic_regression.LogisticRegression", settings)


def frequent_words(least: float) -> Component:
    """The same on words of at least so many training rows."""
    block = {
        "_target_": "crossover.model.features.word_tfidf.WordTfidf",
        "min_df": max(1, int(least)),
        "ngram_max": 1,
    }
    return regression(features={"word": block})


PLANTED: Mapping[str, Planted] = {
    "label noise, 300 labels audited": Planted(
        (0.0, 0.05, 0.1, 0.15, 0.2),
        lambda s: {"label_noise": LabelNoise(strength=s)},
        lambda s: regression(),
        ("specification",),
        audited=True,
    ),
    "labels that say nothing (noise up to .8)": Planted(
        (0.0, 0.4, 0.6, 0.7, 0.8),
        lambda s: {"label_noise": LabelNoise(strength=s)},
        lambda s: regression(),
        ("no_signal",),
    ),
    "a class cut in two at random, audited": Planted(
        (0.0, 0.1, 0.25, 0.5),
        lambda s: {"split_class": SplitClass(strength=s, label="good")} if s else {},
        lambda s: regression(),
        ("specification",),
        audited=True,
    ),
    "features removed (words of fewer rows)": Planted(
        (0.0, 20, 30, 40, 60, 100), lambda s: {}, frequent_words, ("capacity",)
    ),
    "solver that stops at once (tolerance)": Planted(
        (0.0, 0.1, 0.5),
        lambda s: {},
        lambda s: regression(tol=s) if s else regression(),
        ("optimisation", "cannot_overfit"),
    ),
    "too few rows (n = 400 / strength)": Planted(
        (1.0, 2.0, 4.0), lambda s: {}, lambda s: regression(), ("more_data",), size=lambda s: int(400 / s)
    ),
}


def diagnosed(planted: Planted, strength: float, seed: int) -> list[str]:
    """Codes of what a whole diagnosis finds and does not call fine, the verdict first."""
    flaw, model, n = dict(planted.flaw(strength)), planted.model(strength), planted.size(strength)
    # Clean studies of one seed share their runs, whatever flaw they are the null of.
    clean = model == regression() and not any(f.strength for f in flaw.values())
    if clean and (seed, planted.audited, n) in KNOWN:
        return KNOWN[seed, planted.audited, n]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(CLEAN.name) / str(seed) if clean else Path(folder))
        corpus = Inbox(rows=2000, seed=seed, flaw=flaw).load()
        split = Grouped(by=[], test=0.1, validation=0.25).split(corpus)
        store.save_corpus(corpus)
        store.save_split(split)
        study = DiagnosisStudy(
            *(corpus, split, {"tfidf": model}),
            simpler=None, reference=None, target=TARGET, sizes=(n // 4, n // 2, n), draws=6, permutations=19,
            null_rows=400, pools=6, metric="accuracy", audited=AUDITED if planted.audited else 0,
            disagreed=disagreed(corpus, seed) if planted.audited else 0,
        )  # fmt: skip
        verdict = run(study, InProcess(threads=1), store).verdict
    findings = cast(Sequence[Mapping[str, object]], verdict.numbers["findings"])
    codes = [verdict.kind, *(str(f["code"]) for f in findings if f["severity"] != "fine")]
    if clean:
        KNOWN[seed, planted.audited, n] = codes
    return codes


def disagreed(corpus: Corpus, seed: int) -> int:
    """Labels among 300 that an auditor disagrees with: wrong ones, and a share of a class cut in two."""
    truth = corpus.truth
    if truth is None:
        return 0
    wrong = len(truth.ids("label_noise")) / len(corpus)
    cut = len(truth.ids("split_class")) / len(corpus)
    if cut:
        halves = sum(str(label).startswith("good") for label in corpus.labels) / len(corpus)
        wrong += 2 * cut * (halves - cut) / halves
    return int(np.random.default_rng([9, seed]).binomial(AUDITED, wrong))


def studies(count: int, nulls: int) -> list[Cell]:
    """Whole studies; strength 0 stands for clean data, so its repetitions are the nulls."""
    found = []
    for name, planted in PLANTED.items():
        for strength in planted.strengths:

            def one(seed: int, p: Planted = planted, s: float = strength) -> bool:
                return bool(set(p.detected) & set(diagnosed(p, s, seed)))

            found.append(cell("studies", name, strength, nulls if strength == 0 else count, one))
            print(f"{name} {strength:g}: {found[-1].alarms}/{found[-1].repetitions}", file=sys.stderr)
    clean = Planted((0.0,), lambda s: {}, lambda s: regression(), ())
    for code in ("data_bug", "cannot_overfit"):

        def called(seed: int, code: str = code) -> bool:
            return diagnosed(clean, 0.0, seed)[0] == code

        found.append(cell("studies", f"clean inbox called {code}", 0.0, nulls, called))
    return found


def strength_at(cells: Sequence[Cell], rate: float = 0.9) -> float | None:
    """Least strength detected so often, linear between strengths; None where none is."""
    ordered = sorted(cells, key=lambda c: c.strength)
    for before, after in pairwise(ordered):
        low, high = before.alarms / before.repetitions, after.alarms / after.repetitions
        if low < rate <= high:
            return before.strength + (rate - low) / (high - low) * (after.strength - before.strength)
    return None


def markdown(cells: Sequence[Cell], command: str) -> str:
    """The table, and the command that made it."""
    lines = [
        "# What the diagnosis detects",
        "",
        f"Made by `{command}`. Limits: Clopper-Pearson, 95%. Strength 0 is the null.",
        "",
        "| part | flaw | strength | detected | rate | limits | 90% from |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in cells:
        alike = [o for o in cells if o.flaw == c.flaw]
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
        "--arrays", type=int, default=1000, help="repetitions of each rule; 0 leaves them out"
    )
    parser.add_argument("--studies", type=int, default=40, help="studies at each strength above 0")
    parser.add_argument("--nulls", type=int, default=200, help="studies at strength 0; 0 leaves studies out")
    parser.add_argument("--to", type=Path, default=Path("results/published"))
    given = parser.parse_args()
    cells = rules(given.arrays) if given.arrays else []
    cells += studies(given.studies, given.nulls) if given.nulls else []
    given.to.mkdir(parents=True, exist_ok=True)
    command = (
        f"python benchmarks/detection_diagnosis.py --arrays {given.arrays} --studies {given.studies} "
        f"--nulls {given.nulls}"
    )
    plain = {"command": command, "cells": [{**asdict(c), "seconds": round(c.seconds, 4)} for c in cells]}
    (given.to / "detection_diagnosis.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    (given.to / "detection_diagnosis.md").write_text(markdown(cells, command), encoding="utf-8")
    print(markdown(cells, command))


if __name__ == "__main__":
    main()
