"""Does the fold-variance study answer as it should, and how often is it wrong?

At the level of arrays: row outcomes of k fold models with S seeds on m common rows, whose SD over training
sets and seeds is a known share of the distance to the target. A share of 1 is the border: either claim made
there is false. With learners: folds of real training sets of generated mail, the SD against that of
independent training sets, and the coverage of the corrected k-fold interval and of the plain one.

    python benchmarks/detection_fold_variance.py --nulls 1000 --pools 40

writes detection_fold_variance.json and .md to results/published/.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.tree import DecisionTreeClassifier

from crossover.data.inbox import Inbox
from crossover.measure.fold_variance import against_target, fold_spread, nadeau_bengio
from crossover.measure.interval import clopper_pearson
from crossover.model.features.word_counts import WordCounts

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
DESIGNS = ((5, 2), (10, 1), (10, 2), (20, 2))
SOURCES = ("training", "seed")
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)
ROWS, ERROR, DISTANCE, UNSURE = 1_000, 0.15, 0.08, 0.1
TRAIN, SCORED = 400, 600

Row = dict[str, Any]


def outcomes(rng: np.random.Generator, k: int, seeds: int, sd: float, source: str) -> np.ndarray:
    """(k, S, rows) errors: rows are right, wrong or left to chance (UNSURE of them), and the models' effects
    are added.

    ``sd`` is that of independent training sets; fold models share all but 1/(k - 1) of its square.
    """
    kind = rng.random(ROWS)
    chance = np.where(kind < UNSURE, 0.5, np.where(kind < UNSURE + ERROR - UNSURE / 2, 1.0, 0.0))
    if source == "training":
        moved, drawn = sd / math.sqrt(k - 1) * rng.standard_normal((k, 1, 1)), rng.random((k, 1, ROWS))
    else:
        moved, drawn = sd * rng.standard_normal((k, seeds, 1)), rng.random((k, seeds, ROWS))
    return np.broadcast_to((drawn < chance) + moved - moved.mean(), (k, seeds, ROWS))


def answers(k: int, seeds: int, share: float, source: str, repeats: int) -> Row:
    """How often each answer is given; the distance is ERROR less the target."""
    rng, count = np.random.default_rng([k, seeds, int(100 * share)]), {"does not": 0, "matters": 0}
    for _ in range(repeats):
        spread = fold_spread(outcomes(rng, k, seeds, share * DISTANCE, source))
        said = against_target(spread, ERROR - DISTANCE)
        count["does not"] += said == "variance_does_not_matter"
        count["matters"] += said == "variance_matters"
    return {
        "k": k, "seeds": seeds, "source": source, "share": share,
        **{name: rate(hits, repeats) for name, hits in count.items()},
    }  # fmt: skip


def rate(hits: int, repeats: int) -> dict[str, float]:
    """A share with its Clopper-Pearson limits."""
    low, high = clopper_pearson(float(hits), float(repeats))
    return {"rate": hits / repeats, "low": float(low), "high": float(high), "n": repeats}


def reached(rows: list[Row], answer: str, wanted: float = 0.9) -> float | None:
    """Share at which an answer is given 90% of the time, by linear interpolation."""
    points = [(row["share"], row[answer]["rate"]) for row in rows]
    for (a, first), (b, second) in itertools.pairwise(points):
        if min(first, second) < wanted <= max(first, second):
            return float(a + (b - a) * (wanted - first) / (second - first))
    return None


LEARNERS: dict[str, Callable[[int], Any]] = {
    "naive bayes": lambda seed: MultinomialNB(),
    "logistic regression": lambda seed: LogisticRegression(C=1.0, max_iter=300),
    "decision tree": lambda seed: DecisionTreeClassifier(random_state=seed),
}


def learner(name: str, matrix: csr_matrix, labels: np.ndarray, pools: int, k: int = 10) -> Row:
    """SD of fold models, scaled, against that of independent training sets; coverage of k-fold intervals."""
    rng, make = np.random.default_rng(0), LEARNERS[name]
    scored, bank = np.arange(5 * SCORED), np.arange(5 * SCORED, matrix.shape[0])

    def wrong(train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
        fitted = make(seed).fit(matrix[train], labels[train])
        return np.asarray(fitted.predict(matrix[rows]) != labels[rows], dtype=np.float64)

    size = TRAIN * (k - 1) // k
    fresh = [wrong(rng.choice(bank, size, replace=False), scored, b).mean() for b in range(2 * pools)]
    truth, centre = float(np.std(fresh, ddof=1)), float(np.mean(fresh))
    variances, held, corrected, plain = [], 0, 0, 0
    for b in range(pools):
        pool, rows = rng.choice(bank, TRAIN, replace=False), rng.choice(scored, SCORED, replace=False)
        fold = np.arange(TRAIN) % k
        errors, own = np.zeros((k, 2, SCORED)), []
        for j, s in itertools.product(range(k), range(2)):
            both = wrong(pool[fold != j], np.concatenate([rows, pool[fold == j]]), 1_000 * b + 2 * j + s)
            errors[j, s] = both[:SCORED]
            if s == 0:
                own.append(float(both[SCORED:].mean()))
        spread, found = fold_spread(errors), nadeau_bengio(own, TRAIN / k, size)
        assert found is not None and spread.low is not None and spread.high is not None
        variances.append((k - 1) * spread.training + (spread.seed or 0.0))
        held += spread.low <= truth <= spread.high
        corrected += found.low <= centre <= found.high
        plain += found.plain_low <= centre <= found.plain_high
    estimate = math.sqrt(max(float(np.mean(variances)), 0.0))
    return {
        "learner": name, "error": centre, "sd": truth, "estimate": estimate, "held": rate(held, pools),
        "corrected": rate(corrected, pools), "plain": rate(plain, pools),
    }  # fmt: skip


def measured(nulls: int, pools: int) -> Row:
    """Every table."""
    began = time.process_time()
    rows = [
        answers(k, seeds, share, source, nulls)
        for (k, seeds), source, share in itertools.product(DESIGNS, SOURCES, SHARES)
    ]
    arrays = time.process_time() - began
    corpus = Inbox(rows=5 * SCORED + 20 * TRAIN).load()
    matrix = WordCounts(min_df=3).fit_transform(corpus.texts)
    labels = np.array([label == "good" for label in corpus.labels])
    learners = [learner(name, matrix, labels, pools) for name in LEARNERS]
    return {
        "command": f"python benchmarks/detection_fold_variance.py --nulls {nulls} --pools {pools}",
        "answers": rows,
        "learners": learners,
        "seconds": round(time.process_time() - began, 1),
        "milliseconds a null": round(1_000 * arrays / (len(rows) * nulls), 2),
    }


def page(found: Row) -> str:
    """The tables as Markdown."""
    lines = [
        "# Fold variance: right and wrong answers", "",
        f"`{found['command']}`, {found['seconds']:g} s of CPU, {found['milliseconds a null']:g} ms a "
        "study.", "",
        f"Error {ERROR:g}, {DISTANCE:g} from the target, {ROWS:,} common rows. Share: SD of another training "
        "set or seed over the distance. At a share of 1 either claim is false; below 1 \"matters\" is false, "
        "above 1 \"does not matter\" is.", "",
    ]  # fmt: skip
    titles = {"does not": "Answered: variance does not matter", "matters": "Answered: it matters"}
    for answer, title in titles.items():
        lines += [f"## {title}", "", *_answers(found["answers"], answer), ""]
    lines += [
        "## With learners", "",
        f"Generated mail, `good` against the rest, {TRAIN} training rows in 10 folds, {SCORED} common rows. "
        "True SD: over independent training sets of the folds' size. Coverage of the k-fold intervals is "
        "that of the expected error.", "",
        "| learner | error | true SD | SD of folds | limits hold it | Nadeau-Bengio covers | plain covers |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in found["learners"]:
        shown = " | ".join(f"{row[name]['rate']:.2f}" for name in ("held", "corrected", "plain"))
        lines.append(
            f"| {row['learner']} | {row['error']:.3f} | {row['sd']:.4f} | {row['estimate']:.4f} | {shown} |"
        )
    return "\n".join(lines) + "\n"


def _answers(rows: list[Row], answer: str) -> list[str]:
    """The rates of one answer, and the worst false rate at the border."""
    shares = " | ".join(f"{share:g}" for share in SHARES)
    lines = [f"| folds x seeds | source | {shares} | 90% at |", "|---" * (len(SHARES) + 3) + "|"]
    for (k, seeds), source in itertools.product(DESIGNS, SOURCES):
        own = [row for row in rows if (row["k"], row["seeds"], row["source"]) == (k, seeds, source)]
        cells, at = " | ".join(f"{row[answer]['rate']:.3f}" for row in own), reached(own, answer)
        lines.append(f"| {k} x {seeds} | {source} | {cells} | {'-' if at is None else f'{at:.2f}'} |")
    worst = max((row[answer] for row in rows if row["share"] == 1.0), key=lambda found: found["rate"])
    return [*lines, "", f"False at the border, at worst: {worst['rate']:.3f} [{worst['low']:.3f}, "
            f"{worst['high']:.3f}]."]  # fmt: skip


def main() -> None:
    """Simulate, write both files, print the tables."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--nulls", type=int, default=1_000)
    options.add_argument("--pools", type=int, default=40)
    options.add_argument("--to", type=Path, default=PUBLISHED)
    given = options.parse_args()
    found = measured(given.nulls, given.pools)
    given.to.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, allow_nan=False)
    (given.to / "detection_fold_variance.json").write_text(text + "\n", encoding="utf-8")
    (given.to / "detection_fold_variance.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
