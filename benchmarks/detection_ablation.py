"""How often does the ablation study find a component, and how often does it find one that is not there?

Simulated studies, judged by the very function the study uses (study/ablation_answer.py). A run is right on
a test row or not; whether, depends on the row (some are hard for every model), on the draw, on what the
coalition makes of the row on every draw, and on luck of the run: a draw SD of 1 point for each run, in
"t3" with 3 degrees of freedom, in "failing" each run loses 20 points with probability 5%.

    python benchmarks/detection_ablation.py --nulls 1000

Null: no component does anything. Additive: the first component adds the strength, to any coalition. Twin:
the first two components know the same thing, either brings the strength, both no more. One more is useful
in the last two (3 points), so that the model is not of one component. Writes detection_ablation.json and
detection_ablation.md to results/published/. Seconds of CPU a null study: .02 for 4 components over 5 draws,
.04 over 14, .07 for 6 components over 5.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from crossover.measure.factorial import CoalitionScores, Factorial, Fraction
from crossover.measure.interval import clopper_pearson
from crossover.study.ablation_answer import answer

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
ROWS, BASE, OTHER = 600, 0.75, 0.03
DRAW_SD, RUN_SD, FAILING, LOST = 0.01, 0.01, 0.05, 0.20
STRENGTHS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06)
#: name: (components, draws, whole factorial)
DESIGNS = {"4, 5 draws": (4, 5, True), "4, 14 draws": (4, 14, True), "5, fraction, 5 draws": (5, 5, False)}
WIDE = {"6, 5 draws": (6, 5, True)}


ALONE = ("first shapley", "first main", "first leave_one_out")
POWER_TABLES = {
    "additive": ("one component adds the strength", (*ALONE, "first add_one", "first stable", "warned")),
    "twin": ("two components know the same thing", (*ALONE, "pair", "twins told")),
}


def luck(rng: np.random.Generator, shape: str, size: tuple[int, ...]) -> NDArray[np.float64]:
    """What a run gains or loses by chance, of mean 0."""
    if shape == "t3":
        return np.asarray(RUN_SD * rng.standard_t(3, size) / np.sqrt(3))
    if shape == "failing":
        lost = LOST * ((rng.random(size) < FAILING) - FAILING)
        return np.asarray(RUN_SD * rng.standard_normal(size) - lost)
    return np.asarray(RUN_SD * rng.standard_normal(size))


def simulated(
    rng: np.random.Generator, coalitions: Sequence[int], draws: int, shape: str, kind: str, strength: float
) -> CoalitionScores:
    """Right or wrong of every run on every row."""
    count = len(coalitions)
    masks = np.array(coalitions)
    first, second, third = ((masks >> k & 1) > 0 for k in range(3))
    worth = strength * first if kind == "additive" else strength * (first | second)
    if kind != "null":
        worth = worth + OTHER * third
    rate = (
        BASE + worth[None, :] + DRAW_SD * rng.standard_normal((draws, 1)) + luck(rng, shape, (draws, count))
    )
    hard = 0.8 * rng.standard_normal((1, 1, ROWS)) + 0.35 * rng.standard_normal((1, count, ROWS))
    own = 0.35 * rng.standard_normal((draws, 1, ROWS)) + 0.337 * rng.standard_normal((draws, count, ROWS))
    # The four parts have a variance of 1 together: a run is right where their sum is below its quantile.
    right = hard + own < ndtri(np.clip(rate, 0.02, 0.98))[:, :, None]
    return CoalitionScores(tuple(coalitions), right.astype(np.float64))


def judged(found: dict[str, object], primary: str) -> Counter[str]:
    """What one study says, as counts of 0 or 1."""
    rows: dict[str, dict] = found["components"]  # type: ignore[assignment, type-arg]
    pairs: list[dict] = found["interactions"]  # type: ignore[assignment, type-arg]
    said: Counter[str] = Counter()
    said["any"] = any(row["matters"] in ("yes", "hurts") for row in rows.values()) or any(
        pair["found"] != "not shown" for pair in pairs
    )
    said["stable"] = any(row["stable"]["word"] == "stable" for row in rows.values())
    for kind in ("leave_one_out", "add_one", primary):
        effects = [row.get(kind) for row in rows.values()]
        if all(effects):
            said[f"any {kind}"] = any(effect["holm_p"] <= 0.05 for effect in effects)
            said[f"first {kind}"] = effects[0]["holm_p"] <= 0.05 and effects[0]["mean"] > 0
    said["first stable"] = rows["c0"]["stable"]["word"] == "stable"
    said["pair"] = pairs[0]["found"] == "overlap"
    if "covered" in found:  # a fraction has no leave-one-out to warn of
        covered: dict = found["covered"] or {}  # type: ignore[assignment, type-arg]
        said["warned"] = bool(covered)
        said["twins told"] = {"c0", "c1"} <= set(covered.get("group", ()))
    return said


def cell(
    design_of: tuple[int, int, bool], shape: str, kind: str, strength: float, repeats: int, seed: int
) -> dict:  # type: ignore[type-arg]
    """Counts over ``repeats`` studies of one design."""
    components, draws, whole = design_of
    design = Factorial(components) if whole else Fraction(components)
    names = [f"c{k}" for k in range(components)]
    titles = {mask: str(mask) for mask in design.coalitions}
    total: Counter[str] = Counter()
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        scores = simulated(rng, design.coalitions, draws, shape, kind, strength)
        found = answer(design, names, titles, scores, None)
        total.update(judged(found, str(found["primary"])))
    return {"studies": repeats, **{name: int(value) for name, value in sorted(total.items())}}


def at_ninety(strengths: Sequence[float], rates: Sequence[float]) -> float | None:
    """The strength found in 90% of studies, between the strengths tried; None where none reaches it."""
    for k, rate in enumerate(rates):
        if rate >= 0.9:
            if k == 0:
                return strengths[0]
            share = (0.9 - rates[k - 1]) / (rate - rates[k - 1])
            return float(strengths[k - 1] + share * (strengths[k] - strengths[k - 1]))
    return None


def limits(count: int, of: int) -> str:
    """``37 of 1,000 [.026, .051]``."""
    low, high = clopper_pearson(float(count), float(of))
    return f"{count} of {of:,} [{float(low):.3f}, {float(high):.3f}]"


def nulls_of(repeats: int) -> list[dict]:  # type: ignore[type-arg]
    """False alarms of each design and shape."""
    made = []
    for shape in ("normal", "t3", "failing"):
        for name, design in {**DESIGNS, **(WIDE if shape == "normal" else {})}.items():
            began = time.process_time()
            counts = cell(design, shape, "null", 0.0, repeats, len(made) + 1)
            made.append({"design": name, "luck": shape, **counts, "cpu_seconds": time.process_time() - began})
    return made


def powers_of(repeats: int) -> list[dict]:  # type: ignore[type-arg]
    """Detection at each strength."""
    return [
        {
            "design": name,
            "kind": kind,
            "strength": strength,
            **cell(design, "normal", kind, strength, repeats, 90 + n),
        }
        for name, design in DESIGNS.items()
        for kind in ("additive", "twin")
        for n, strength in enumerate(STRENGTHS)
    ]


def report(nulls: list[dict], powers: list[dict], command: str, seconds: float) -> str:  # type: ignore[type-arg]
    """The tables as text."""
    lines = ["# Ablation: false alarms and detection", "", f"`{command}`, {seconds:.0f} s of CPU.", ""]
    lines += ["## No component does anything", ""]
    lines += ["Studies that find any effect (Holm over components and pairs):", ""]
    heads = ("components", "luck of a run", "any", "left out alone", "added alone", "stable", "warned")
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in nulls:
        told = [
            limits(row[name], row["studies"]) if name in row else "–"
            for name in ("any", "any leave_one_out", "any add_one", "stable", "warned")
        ]
        lines.append(f"| {row['design']} | {row['luck']} | {' | '.join(told)} |")
    for kind, (what, names) in POWER_TABLES.items():
        points = " | ".join(f"{100 * strength:g} points" for strength in STRENGTHS)
        lines += [
            "",
            f"## {kind.capitalize()}: {what}",
            "",
            f"| components | found by | {points} | 90% from |",
        ]
        lines.append("|---" * (len(STRENGTHS) + 3) + "|")
        for design in DESIGNS:
            rows = [row for row in powers if row["design"] == design and row["kind"] == kind]
            for name in names:
                if not all(name in row for row in rows):
                    continue
                rates = [row[name] / row["studies"] for row in rows]
                ninety = at_ninety(STRENGTHS, rates)
                shown = "not reached" if ninety is None else f"{100 * ninety:.1f} points"
                lines.append(
                    f"| {design} | {name} | {' | '.join(f'{rate:.2f}' for rate in rates)} | {shown} |"
                )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nulls", type=int, default=1000)
    parser.add_argument("--studies", type=int, default=200, help="at each strength")
    parser.add_argument("--out", type=Path, default=PUBLISHED)
    asked = parser.parse_args()
    began = time.process_time()
    nulls, powers = nulls_of(asked.nulls), powers_of(asked.studies)
    seconds = time.process_time() - began
    command = f"python benchmarks/detection_ablation.py --nulls {asked.nulls} --studies {asked.studies}"
    asked.out.mkdir(parents=True, exist_ok=True)
    plain = {"command": command, "cpu_seconds": round(seconds, 1), "nulls": nulls, "powers": powers}
    (asked.out / "detection_ablation.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    text = report(nulls, powers, command, seconds)
    (asked.out / "detection_ablation.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
