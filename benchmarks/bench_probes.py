"""Probes: 13 strengths of the penalty x subsets x draws on shared vectors, ours against scikit-learn's loop.

    python benchmarks/bench_probes.py --data sms_spam.parquet --cache outputs/cache

The vectors are the encoder's, standardised by each subset's rows, made once and not timed. Contenders:

- ours: crossover.model.l2_path.solve_path at its default tolerance, one path a subset.
- loop: LogisticRegression(C=..., tol=1e-8).fit a strength, what it takes to reach the same optimum.
- loop, warm: the same with warm_start=True, from the strongest penalty on.
- loop, tol 1e-6 and loop, default: looser ones, quicker and further from the optimum.
- loop, 2 processes: the first loop, its subsets shared out by joblib; its CPU seconds are not seen from here.

All but the last run in one thread; compare them by CPU seconds where the machine is not quiet (and --again 0,
or disturbed rounds are done again). Quality beside speed: the largest share by which an objective lies above
the lowest that any contender found (a tighter path of ours among them), and macro-F1 on rows outside the
subset, the mean over probes and the largest difference to ours.

Then TF-IDF: the model's 11 trials on one subset, fitted together (LogisticRegression.fit_each) against one by
one. Writes bench_probes.json to the folder of --to and prints a table.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from bench_rounds import AGAIN, Timing, alternate, headline, machine, write
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.metrics import f1_score

from crossover.data.corpus import Corpus, Rows
from crossover.data.table_file import TableFile
from crossover.model import runtime
from crossover.model.encoder.encoder import Encoder
from crossover.model.l2_path import solve_path
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.probe import Probe
from crossover.protocol.selection.rule import one_by_one

STRENGTHS = [float(C) for C in Probe.search_space["C"]]  # type: ignore[arg-type]
TEXT_STRENGTHS = [float(C) for C in LogisticRegression.search_space["C"]]  # type: ignore[arg-type]
HELD_OUT = 1000
LEAST_ROWS = 8000
"""Rows that a round at one size solves, at least."""
Array = NDArray[np.float64]
Weights = list[tuple[Array, float]]


@dataclass
class Problems:
    """Subsets as (features, codes), held-out rows in each one's scale, and what each contender found."""

    subsets: list[tuple[Array, NDArray[np.int64]]]
    held: list[tuple[Array, NDArray[np.int64]]]
    found: dict[str, list[Weights]] = field(default_factory=dict)

    def solve(self, name: str, one: Callable[[Array, NDArray[np.int64]], Weights], jobs: int = 1) -> None:
        """Every subset by one contender."""
        if jobs == 1:
            self.found[name] = [one(*subset) for subset in self.subsets]
        else:
            self.found[name] = Parallel(n_jobs=jobs)(delayed(one)(*subset) for subset in self.subsets)

    def quality(self) -> dict[str, dict[str, float]]:
        """Largest gap and macro-F1 of each contender."""
        closest = [ours(*subset, tol=1e-9) for subset in self.subsets]
        made = {**self.found, "closest": closest}
        losses = {
            name: np.array([self._losses(k, w) for k, w in enumerate(all_)]) for name, all_ in made.items()
        }
        least = np.min(list(losses.values()), axis=0)
        scores = {
            name: np.array([self._scores(k, w) for k, w in enumerate(all_)]) for name, all_ in made.items()
        }
        return {
            name: {
                "largest_gap": float((losses[name] / least - 1).max()),
                "macro_f1": float(scores[name].mean()),
                "largest_macro_f1_difference": float(np.abs(scores[name] - scores["ours"]).max()),
            }
            for name in self.found
        }

    def _losses(self, k: int, found: Weights) -> list[float]:
        features, codes = self.subsets[k]
        sign = np.where(codes == 1, 1.0, -1.0)
        return [
            float(C * np.logaddexp(0.0, -sign * (features @ w + b)).sum() + 0.5 * w @ w)
            for C, (w, b) in zip(STRENGTHS, found, strict=True)
        ]

    def _scores(self, k: int, found: Weights) -> list[float]:
        features, codes = self.held[k]
        return [float(f1_score(codes, features @ w + b > 0, average="macro")) for w, b in found]


def ours(features: Array, codes: NDArray[np.int64], tol: float = 1e-6) -> Weights:
    """One path."""
    path = solve_path(features, codes, STRENGTHS, tol=tol)
    return [(solution.weights[0], float(solution.intercept[0])) for solution in path]


def loop(features: Array, codes: NDArray[np.int64], tol: float = 1e-8, warm: bool = False) -> Weights:
    """scikit-learn, a fit a strength."""
    model, found = Theirs(tol=tol, max_iter=10_000, warm_start=warm), []
    for C in STRENGTHS:
        model.set_params(C=C).fit(features, codes)
        found.append((model.coef_[0].copy(), float(model.intercept_[0])))
    return found


def problems(vectors: Array, codes: NDArray[np.int64], sizes: Sequence[int], draws: int) -> Problems:
    """Subsets drawn at random, both classes in each, standardised by their own rows."""
    made = Problems([], [])
    for size in sizes:
        for draw in range(draws):
            order = np.random.default_rng([size, draw]).permutation(len(codes))
            rows, held = order[:size], order[size : size + HELD_OUT]
            rows[:2] = [order[codes[order] == k][0] for k in (0, 1)]
            mean, scale = vectors[rows].mean(axis=0), vectors[rows].std(axis=0)
            scale[scale == 0] = 1.0
            made.subsets.append(((vectors[rows] - mean) / scale, codes[rows]))
            made.held.append(((vectors[held] - mean) / scale, codes[held]))
    return made


def tell(timings: Mapping[str, Timing], our: str, probes: int) -> dict[str, dict[str, object]]:
    """Seconds, CPU seconds a probe, and how many times faster ours is, by the clock and by CPU time."""
    told: dict[str, dict[str, object]] = {}
    for name, timing in timings.items():
        cpu, wall = (np.median(t) for t in (timing.cpu_seconds, timing.seconds))
        our_cpu, our_wall = (np.median(t) for t in (timings[our].cpu_seconds, timings[our].seconds))
        told[name] = {
            **timing.to_json(probes),
            "cpu_ms_a_probe": 1000 * float(cpu) / probes,
            "times_ours": float(wall / our_wall),
            "times_ours_cpu": float(cpu / our_cpu),
        }
    return told


def of_size(made: Problems, size: int, rounds: int, again: int) -> float:
    """CPU time of scikit-learn's loop over ours on the subsets of one size.

    Small ones are solved several times a round: CPU seconds are counted in hundredths.
    """
    some = [subset for subset in made.subsets if len(subset[1]) == size]
    some *= max(1, LEAST_ROWS // (size * len(some)))
    timings = alternate(
        {
            "ours": lambda: [ours(*subset) for subset in some],
            "loop": lambda: [loop(*subset) for subset in some],
        },
        rounds,
        again=again,
    )
    return float(tell(timings, "ours", len(some))["loop"]["times_ours_cpu"])  # type: ignore[arg-type]


def text_trials(corpus: Corpus, size: int, rounds: int, again: int) -> dict[str, object]:
    """The 11 tuning trials of TF-IDF with logistic regression, fitted together and one by one."""
    order = np.random.default_rng(size).permutation(len(corpus.texts)).tolist()
    rows, held = (
        Rows([corpus.texts[k] for k in places], [str(corpus.labels[k]) for k in places])
        for places in (order[:size], order[size : size + size // 4])
    )
    found: dict[str, list[LogisticRegression]] = {}

    def trials(name: str, together: bool) -> None:
        found[name] = [LogisticRegression(C=C) for C in TEXT_STRENGTHS]
        given = (rows, corpus.classes, held)
        fitted = found[name][0].fit_each(found[name], *given) if together else one_by_one(found[name], *given)
        for _ in fitted:
            pass

    timings = alternate(
        {"together": lambda: trials("together", True), "one by one": lambda: trials("one by one", False)},
        rounds,
        again=again,
    )
    closest = [
        LogisticRegression(C=C, tol=1e-10).fit(rows.texts, rows.labels, corpus.classes)
        for C in TEXT_STRENGTHS
    ]
    gold = [corpus.classes.index(label) for label in rows.labels]
    told = tell(timings, "together", len(TEXT_STRENGTHS))
    for name, models in found.items():
        pairs = [
            (text_loss(a, rows, gold), text_loss(b, rows, gold)) for a, b in zip(models, closest, strict=True)
        ]
        told[name]["largest_gap"] = max(value / least - 1 for value, least in pairs)
    return {"rows": size, "trials": len(TEXT_STRENGTHS), "contenders": told}


def text_loss(model: LogisticRegression, rows: Rows, gold: Sequence[int]) -> float:
    """C · sum of log losses + |weights|²/2."""
    own = model.predict_proba(rows.texts)[np.arange(len(gold)), gold]
    return float(-model.C * np.log(own).sum() + 0.5 * (model.weights_**2).sum())


def table(result: Mapping[str, object]) -> str:
    """The figures as Markdown."""
    lines = [
        "| probes | CPU ms each | times ours, CPU | times ours, clock | largest gap | macro-F1 | differs |",
        "|---|---|---|---|---|---|---|",
    ]
    quality = result["quality"]
    for name, one in result["contenders"].items():
        q = quality[name]
        cpu = f"{one['cpu_ms_a_probe']:.2f} | {one['times_ours_cpu']:.2f}"
        cpu = "not seen | " if "processes" in name else cpu
        lines.append(
            f"| {name} | {cpu} | {one['times_ours']:.2f} | {q['largest_gap']:.1e} | {q['macro_f1']:.4f} "
            f"| {q['largest_macro_f1_difference']:.4f} |"
        )
    lines += ["", "| rows | the loop, times ours, CPU |", "|---|---|"]
    lines += [f"| {size} | {times:.2f} |" for size, times in result["by_rows"].items()]
    for one in result["tfidf"]:
        lines += [
            "",
            f"| TF-IDF, {one['rows']} rows | CPU ms a trial | times ours, CPU | largest gap |",
            "|---|---|---|---|",
        ]
        for name, told in one["contenders"].items():
            times = f"{told['cpu_ms_a_probe']:.1f} | {told['times_ours_cpu']:.2f}"
            lines.append(f"| {name} | {times} | {told['largest_gap']:.1e} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="parquet or csv, text and two labels")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 400, 800, 1600, 4000])
    parser.add_argument("--draws", type=int, default=11, help="11 draws of 7 sizes are 1,001 probes")
    parser.add_argument("--text-sizes", type=int, nargs="*", default=[200, 800, 3200])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--again", type=int, default=AGAIN, help="times a disturbed round is done again")
    parser.add_argument("--cache", type=Path, help="folder of vectors")
    parser.add_argument("--to", type=Path, help="folder for bench_probes.json")
    given = parser.parse_args(arguments)
    corpus = TableFile(path=str(given.data), text="text", label="label").load()
    if len(corpus.classes) != 2:
        parser.error(f"{given.data} has {len(corpus.classes)} classes, expected 2")
    codes = np.array([corpus.classes.index(str(label)) for label in corpus.labels], dtype=np.int64)
    with runtime.use(runtime.Runtime(cache=given.cache)):
        vectors = Encoder().encode(list(corpus.texts))[0].astype(np.float64)
    made = problems(vectors, codes, given.sizes, given.draws)
    contenders = {
        "ours": ours,
        "loop": loop,
        "loop, warm": partial(loop, warm=True),
        "loop, tol 1e-6": partial(loop, tol=1e-6),
        "loop, default": partial(loop, tol=1e-4),
    }
    work = {name: partial(made.solve, name, one) for name, one in contenders.items()}
    work["loop, 2 processes"] = partial(made.solve, "loop, 2 processes", loop, jobs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timings = alternate(work, given.rounds, again=given.again)
        by_rows = {size: of_size(made, size, given.rounds, given.again) for size in given.sizes}
        texts = [text_trials(corpus, size, given.rounds, given.again) for size in given.text_sizes]
    probes = len(made.subsets) * len(STRENGTHS)
    result: dict[str, Any] = {
        "command": f"python benchmarks/bench_probes.py --data {given.data.name}",
        "machine": machine(),
        "probes": probes,
        "sizes": given.sizes,
        "draws": given.draws,
        "strengths": STRENGTHS,
        "contenders": tell(timings, "ours", probes),
        "quality": made.quality(),
        "by_rows": by_rows,
        "tfidf": texts,
    }
    told, gap = result["contenders"]["loop"], result["quality"]["ours"]["largest_gap"]
    result["headlines"] = [
        headline(
            f"{probes:,} binary probes: ours against scikit-learn's loop at an equal optimum",
            f"{told['times_ours']:.1f}x (CPU {told['times_ours_cpu']:.1f}x), loss at most {gap:.0e} above",
            "5x",
            told["times_ours"] >= 5 and gap <= 1e-6,
        )
    ]
    write(result, "bench_probes", given.to)
    print(table(result))


if __name__ == "__main__":
    main()
