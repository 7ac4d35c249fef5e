"""How often is the best of k looks a false claim: at 95%, with declared looks, and for an analyst who adapts?

    python benchmarks/test_budget.py --studies 2000

Noise: k models, each of true accuracy .7, scored on one test part; the interval of the best is reported and
misses .7. Alike: their errors agree on half of the rows, as those of similar models do. Adaptive: k models
of pure chance (.5), each turned towards its own score, then voted (Blum and Hardt 2015); the interval of the
vote misses .5. The adaptive reach is sqrt(k/n); the transcript bound is Hoeffding's over all that k - 1
scores of n rows can say, sqrt(((k - 1) ln(n + 1) + ln(2/.05))/(2n)): valid for any analyst who sees one
accuracy a look, and as wide as that costs. Writes test_budget.json and test_budget.md to results/published/.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossover.measure.interval import wilson
from crossover.measure.looks import adaptive_reach, level_of

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
TRUTH = 0.7
LOOKS = (1, 5, 20, 100)
ROWS = (500, 2_000)


def best_of_noise(
    rng: np.random.Generator, looks: int, rows: int, shared: float, studies: int
) -> NDArray[np.int64]:
    """(studies,) rows the best of ``looks`` models gets right; a ``shared`` part comes out alike for all."""
    same = int(shared * rows)
    common = rng.binomial(same, TRUTH, size=(studies, 1))
    return np.asarray((common + rng.binomial(rows - same, TRUTH, size=(studies, looks))).max(axis=1))


def adapted(rng: np.random.Generator, looks: int, rows: int, studies: int) -> NDArray[np.float64]:
    """(studies,) accuracy, where it was made, of the vote over models turned to their scores."""
    found = []
    for _ in range(studies):
        right = rng.random((looks, rows)) < 0.5
        turned = np.where(right.mean(axis=1, keepdims=True) >= 0.5, right, ~right)
        votes = turned.sum(axis=0) - looks / 2 + 0.25 * rng.choice([-1, 1], rows)  # ties by chance
        found.append((votes > 0).mean())
    return np.array(found)


def misses(right: NDArray[np.int64], rows: int, truth: float, level: float) -> float:
    """Share of studies whose Wilson interval leaves out the truth."""
    low, high = wilson(right, rows, level)
    return float(((low > truth) | (high < truth)).mean())


def transcript_bound(looks: int, rows: int) -> float:
    """Half-width that holds for any analyst who sees one accuracy a look."""
    return math.sqrt(((looks - 1) * math.log(rows + 1) + math.log(2 / 0.05)) / (2 * rows))


def table(studies: int) -> list[dict[str, object]]:
    """One row for each number of looks and rows."""
    made: list[dict[str, object]] = []
    for rows in ROWS:
        for looks in LOOKS:
            rng = np.random.default_rng([rows, looks])
            entry: dict[str, object] = {"rows": rows, "looks": looks, "level": level_of(looks)}
            for name, shared in (("noise", 0.0), ("alike", 0.5)):
                best = best_of_noise(rng, looks, rows, shared, studies)
                entry[f"{name}_95"] = misses(best, rows, TRUTH, 0.95)
                entry[f"{name}_declared"] = misses(best, rows, TRUTH, level_of(looks))
            gained = adapted(rng, looks, rows, max(studies // 20, 20))
            entry["adaptive_declared"] = misses(
                np.rint(gained * rows).astype(int), rows, 0.5, level_of(looks)
            )
            entry["adaptive_gain"] = float(gained.mean() - 0.5)
            entry["reach"] = adaptive_reach(looks, rows)
            entry["reach_missed"] = float((gained - 0.5 > adaptive_reach(looks, rows)).mean())
            entry["transcript"] = transcript_bound(looks, rows)
            made.append(entry)
    return made


def markdown(rows: list[dict[str, object]], studies: int) -> str:
    """The page."""
    lines = [
        "# Looks at one test part: false claims",
        "",
        f"`python benchmarks/test_budget.py --studies {studies}`",
        "",
        "Share of studies whose interval of the best of k looks misses the truth; gain and bounds in points.",
        "",
        "| rows | looks | noise, 95% | noise, declared | alike, 95% | alike, declared | adaptive, declared "
        "| adaptive gain | sqrt(k/n) | missed | transcript bound |",
        "|" + "---|" * 11,
    ]
    for row in rows:
        shares = ("noise_95", "noise_declared", "alike_95", "alike_declared", "adaptive_declared")
        points = [f"{100 * float(str(row[name])):.1f}" for name in ("adaptive_gain", "reach")]
        cells = [f"{row['rows']:,}", str(row["looks"]), *(f"{row[name]:.3f}" for name in shares), *points]
        cells += [f"{row['reach_missed']:.3f}", f"{100 * float(str(row['transcript'])):.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Declared looks keep what was fixed beforehand. They keep nothing of a model that was made from the "
        "scores: there the gain grows as sqrt(k/n)/pi, within the printed sqrt(k/n), and only the transcript "
        "bound would be safe for any analyst.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Simulate and publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=2_000)
    parser.add_argument("--to", type=Path, default=PUBLISHED)
    given = parser.parse_args()
    rows = table(given.studies)
    text = json.dumps({"studies": given.studies, "rows": rows}, indent=1)
    (given.to / "test_budget.json").write_text(text + "\n", encoding="utf-8")
    (given.to / "test_budget.md").write_text(markdown(rows, given.studies), encoding="utf-8")
    print(markdown(rows, given.studies))


if __name__ == "__main__":
    main()
