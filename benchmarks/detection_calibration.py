"""How often the bump test alarms where there is no bump, and how strong a bump it finds.

    python benchmarks/detection_calibration.py --nulls 1000 --draws 200 --inbox-nulls 200 --inbox-draws 50

writes detection_calibration.json and detection_calibration.md to results/published/.

**Arrays.** Probabilities of three classes (softmax of normals) and labels drawn from them. Nulls: stated as
they are ("calibrated"), and stated with logits 1.8 times too large ("too sure", what a recalibration mends).
Bumps: rows whose stated probability of the second class lies in a range belong to it more often by the
strength. "few to calibrate" is held against the scan whose denominator leaves the error of the map out
(methods.md as first written). Counted are the global scan (P <= .05), the local scan (P <= .05), and the
verdict "local": both, and confirmed on the other half.

**Inbox.** Generated mail of five classes: 300 mails to train on, 700 to calibrate, 2,000 to test. The models
are naive Bayes and logistic regression at their defaults; the flaw is planted in all rows alike, or, where
"new" is said, in calibrate and test only: a kind of mail that the model never saw. "No flaw" is no null of
the local scan: the map need not fit a simple model's errors. So the same models are scanned on 20,000 rows,
where a misfit shows, and on labels drawn from a map of all rows, which nothing but chance can be wrong with.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Corpus
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.label_noise import LabelNoise
from crossover.data.flaw.merged_classes import MergedClasses
from crossover.data.flaw.spear_phishing import SpearPhishing
from crossover.data.flaw.split_class import SplitClass
from crossover.data.inbox import Inbox
from crossover.measure.calibration_bump import global_scan, local_scan
from crossover.measure.calibration_map import fit_map, softmax
from crossover.measure.calibration_null import simulate_labels
from crossover.measure.interval import clopper_pearson
from crossover.model.classifier import Classifier
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.naive_bayes import NaiveBayes
from crossover.study.calibration_arm import finding, in_first_half

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
CLASSES, SURE = 3, 1.8
STRENGTHS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
INBOX = {"train": 300, "calibrate": 700, "test": 2_000}
MANY = {"calibrate": 5_000, "test": 20_000}
Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Outcome = dict[str, bool]
Line = dict[str, object]


@dataclass(frozen=True)
class World:
    """What the arrays are drawn from: rows, the range of a bump, and how the scan divides."""

    sure: bool
    test: int = 1_500
    calibrate: int = 1_000
    low: float = 0.3
    high: float = 0.7
    studentised: bool = True


WORLDS = {
    "calibrated": World(False),
    "too sure": World(True),
    "too sure, few to calibrate, narrow": World(True, 3_000, 300, 0.4, 0.6),
    "the same, error of the map left out": World(True, 3_000, 300, 0.4, 0.6, False),
}

MODELS: dict[str, Callable[[], Classifier]] = {
    "naive Bayes": NaiveBayes,
    "logistic regression": LogisticRegression,
}
FLAWS: dict[str, tuple[Callable[[float], Flaw], tuple[float, ...]]] = {
    "spear_phishing (a lurking class)": (
        lambda strength: SpearPhishing(strength=strength, label="phishing"),
        (0.1, 0.3, 0.5),
    ),
    "spear_phishing, new": (
        lambda strength: SpearPhishing(strength=strength, label="phishing"),
        (0.3, 0.6, 1.0),
    ),
    "merged_classes": (
        lambda strength: MergedClasses(strength=strength, label="loan_spam", into="good"),
        (0.1, 0.3, 0.5),
    ),
    "split_class": (lambda strength: SplitClass(strength=strength, label="good"), (0.1, 0.3, 0.5)),
    "label_noise": (
        lambda strength: LabelNoise(strength=strength, between=["good", "phishing"]),
        (0.05, 0.1, 0.2),
    ),
}


def scanned(
    p: Array, gold: NDArray[np.int64], first: NDArray[np.bool_], other: Array, other_gold: NDArray[np.int64],
    simulations: int, seed: int, studentised: bool = True,
) -> Outcome:  # fmt: skip
    """What the two scans say of one model."""
    whole = global_scan(p, gold, simulations, seed)
    local = local_scan(p, gold, first, other, other_gold, simulations, seed, studentised)
    kind = finding(whole, local, whole.p_value, local.p_value)
    return {
        "global": whole.rejects,
        "local": local.rejects,
        "confirmed": local.is_bump,
        "verdict": kind == "local",
    }


def array_draw(world: World, strength: float, seed: int, simulations: int) -> Outcome:
    """One draw at the level of arrays."""
    draw = np.random.default_rng([20, seed])
    rows = world.test + world.calibrate
    truth = softmax(1.6 * draw.standard_normal((rows, CLASSES)))
    stated = softmax(SURE * np.log(truth)) if world.sure else truth.copy()
    inside = (stated[:, 1] >= world.low) & (stated[:, 1] <= world.high)
    raised = np.minimum(truth[inside, 1] + strength, 1.0)
    rest = (1.0 - raised) / (1.0 - truth[inside, 1])
    truth[inside] *= rest[:, None]
    truth[inside, 1] = raised
    gold = (draw.random(rows)[:, None] > np.cumsum(truth, axis=1)).sum(axis=1).clip(0, CLASSES - 1)
    first = draw.random(world.test) < 0.5
    cut = slice(world.test), slice(world.test, None)
    return scanned(
        stated[cut[0]], gold[cut[0]], first, stated[cut[1]], gold[cut[1]], simulations, seed,
        world.studentised,
    )  # fmt: skip


def stated(corpus: Corpus, taught: Corpus, make: Callable[[], Classifier]) -> tuple[Array, Labels]:
    """Probabilities and gold columns of all rows but the first, which train."""
    first = INBOX["train"]
    model = make().fit(taught.texts[:first], [str(own) for own in taught.labels[:first]], corpus.classes)
    p = np.asarray(model.predict_proba(corpus.texts[first:]), dtype=np.float64)
    return p, np.array([corpus.classes.index(str(own)) for own in corpus.labels[first:]], dtype=np.int64)


def cut_and_scanned(
    p: Array, gold: Labels, ids: Sequence[str], rows: dict[str, int], simulations: int, seed: int
) -> Outcome:
    """The first rows to calibrate, the last to test."""
    calibrate, test = slice(rows["calibrate"]), slice(len(gold) - rows["test"], None)
    half = np.array([in_first_half(id_) for id_ in ids[test]], dtype=np.bool_)
    return scanned(p[test], gold[test], half, p[calibrate], gold[calibrate], simulations, seed)


def inbox_draw(
    flaw: Flaw | None, make: Callable[[], Classifier], seed: int, simulations: int, new: bool = False
) -> Outcome:
    """One fresh inbox, one model; a ``new`` flaw is in no row trained on."""
    first = INBOX["train"]
    corpus = Inbox(rows=sum(INBOX.values()), seed=seed, flaw={"planted": flaw} if flaw else None).load()
    taught = Inbox(rows=first, seed=seed).load() if new else corpus
    return cut_and_scanned(*stated(corpus, taught, make), corpus.ids[first:], INBOX, simulations, seed)


def wide_draws(make: Callable[[], Classifier], seed: int, simulations: int) -> tuple[Outcome, Outcome]:
    """A clean inbox of many rows as it is, and few of its rows with labels drawn from a map of them all."""
    corpus = Inbox(rows=INBOX["train"] + sum(MANY.values()), seed=500 + seed).load()
    ids = corpus.ids[INBOX["train"] :]
    p, gold = stated(corpus, corpus, make)
    drawn = simulate_labels(fit_map(p, gold)(p), 1, np.random.default_rng([21, seed]))[:, 0].astype(np.int64)
    return (
        cut_and_scanned(p, gold, ids, MANY, simulations, seed),
        cut_and_scanned(p, drawn, ids, INBOX, simulations, seed),
    )


def line(case: str, strength: float, outcomes: Iterable[Outcome]) -> Line:
    """Counts of one case and strength with 95% Clopper-Pearson limits, and the seconds a draw."""
    began = time.process_time()
    found = list(outcomes)
    told: Line = {"case": case, "strength": strength, "draws": len(found)}
    for name in ("global", "local", "confirmed", "verdict"):
        count = sum(one[name] for one in found)
        low, high = map(float, clopper_pearson(count, len(found)))
        told |= {name: count, f"{name}_low": low, f"{name}_high": high}
    return {**told, "seconds_a_draw": (time.process_time() - began) / max(1, len(found))}


def measure(
    nulls: int, draws: int, inbox_nulls: int, inbox_draws: int, wide: int, simulations: int
) -> list[Line]:
    """All lines; draw k has seed k."""
    lines: list[Line] = []
    for name, world in WORLDS.items():
        lines.append(line(name, 0.0, (array_draw(world, 0.0, k, simulations) for k in range(nulls))))
        for strength in STRENGTHS if draws else ():
            made = (array_draw(world, strength, k, simulations) for k in range(draws))
            lines.append(line(f"{name}, bump", strength, made))
    for model, make in MODELS.items() if inbox_nulls else ():
        made = (inbox_draw(None, make, k, simulations) for k in range(inbox_nulls))
        lines.append(line(f"inbox, {model}, no flaw", 0.0, made))
    for model, make in MODELS.items() if wide else ():
        whole, few = zip(*(wide_draws(make, k, simulations) for k in range(wide)), strict=True)
        lines.append(line(f"inbox, {model}, no flaw, 20,000 test rows", 0.0, whole))
        lines.append(line(f"inbox, {model}, labels drawn from the map", 0.0, few))
    for model, make in MODELS.items() if inbox_draws else ():
        for name, (flaw, strengths) in FLAWS.items():
            for strength in strengths:
                made = (
                    inbox_draw(flaw(strength), make, k, simulations, "new" in name)
                    for k in range(inbox_draws)
                )
                lines.append(line(f"inbox, {model}, {name}", strength, made))
    return lines


def found_in_90(lines: Sequence[Line], case: str, test: str) -> float | None:
    """Strength found in 90% of draws, by a straight line between those tried; None if none was."""
    told = [one for one in lines if one["case"] == case]
    told.sort(key=lambda one: float(str(one["strength"])))
    before = (0.0, 0.0)
    for one in told:
        at = (float(str(one["strength"])), int(str(one[test])) / int(str(one["draws"])))
        if at[1] >= 0.9:
            return before[0] + (0.9 - before[1]) / (at[1] - before[1]) * (at[0] - before[0])
        before = at
    return None


def table(result: dict[str, object], command: str) -> str:
    """The lines as Markdown, with the command that makes them."""
    head = ("case", "strength", "global scan", "local scan", 'verdict "local"', "CPU s a draw")
    text = [
        "# Bump test: detection and false alarms",
        "",
        f"`{command}`: shares of draws that alarm, with 95% Clopper-Pearson limits. Strength 0 "
        "and \"no flaw\" "
        "are nulls of the verdict; \"too sure\" is none of the global scan; among inboxes only \"labels "
        "drawn from the map\" is one of the local scan.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]  # fmt: skip
    for one in result["lines"]:  # type: ignore[attr-defined]
        rates = [
            f"{one[name] / one['draws']:.3f} ({one[f'{name}_low']:.3f} to {one[f'{name}_high']:.3f})"
            for name in ("global", "local", "verdict")
        ]
        cells = (one["case"], f"{one['strength']:g}", *rates, f"{one['seconds_a_draw']:.2f}")
        text.append(f"| {' | '.join(cells)} |")
    text += ["", "Strength found in 90% of the draws (between the strengths tried, by a straight line):", ""]
    for case, found in result["found_in_90"].items():  # type: ignore[attr-defined]
        said = ", ".join(
            f"{test} {'not reached' if at is None else f'{at:.2f}'}" for test, at in found.items()
        )
        text.append(f"- {case}: {said}")
    return "\n".join([*text, ""])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nulls", type=int, default=1000, help="draws of each null of arrays")
    parser.add_argument("--draws", type=int, default=200, help="draws of each bump of arrays")
    parser.add_argument("--inbox-nulls", type=int, default=200, help="inboxes without a flaw, each model")
    parser.add_argument("--inbox-draws", type=int, default=50, help="inboxes of each flaw and strength")
    parser.add_argument("--inbox-wide", type=int, default=60, help="clean inboxes of 25,000 rows, each model")
    parser.add_argument("--simulations", type=int, default=199, help="of the null, in each scan")
    parser.add_argument("--to", type=Path, default=PUBLISHED)
    given = parser.parse_args(arguments)
    lines = measure(
        given.nulls, given.draws, given.inbox_nulls, given.inbox_draws, given.inbox_wide, given.simulations
    )
    cases = dict.fromkeys(str(one["case"]) for one in lines if one["strength"])
    weakest = {
        case: {test: found_in_90(lines, case, test) for test in ("global", "verdict")} for case in cases
    }
    command = (
        f"python benchmarks/detection_calibration.py --nulls {given.nulls} --draws {given.draws} "
        f"--inbox-nulls {given.inbox_nulls} --inbox-draws {given.inbox_draws} "
        f"--inbox-wide {given.inbox_wide} --simulations {given.simulations}"
    )
    result: dict[str, object] = {"command": command, "found_in_90": weakest, "lines": lines}
    given.to.mkdir(parents=True, exist_ok=True)
    stored = json.dumps(result, indent=1, allow_nan=False)
    (given.to / "detection_calibration.json").write_text(stored + "\n", encoding="utf-8")
    (given.to / "detection_calibration.md").write_text(table(result, command), encoding="utf-8")


if __name__ == "__main__":
    main()
