"""Acceptance of the crossover statistics on real data (docs: methods, crossover, acceptance).

The truth is known because there is plenty: 200 draws of the training rows of Enron-Spam, nested over the
sizes, two arms (TF-IDF with logistic regression; a frozen probe on all-MiniLM-L6-v2), 10,000 test rows. The
root of the mean difference over all of them is the crossing. Then 1,000 small studies of R draws and 1,000
test rows are taken out of it, and each is asked for its 95% set of sizes: how often does that hold the root?

    python benchmarks/enron_coverage.py --data DATA/enron_spam.parquet

writes enron_coverage.json and .md to results/published/. The store keeps embeddings (20 minutes on two cores)
and predictions (2 minutes), so that a second run takes 1 minute. Mails equal but for case, digits and white
space are reduced to one; near-duplicates stay: the question is the interval, not how good a filter is.
Both classifiers are fitted through shortcuts (counts and vectors made once for all draws), which are compared
with the classifiers themselves on the first draws; the run stops if they differ.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression as Solver

from crossover.data.bad_input import BadInput
from crossover.data.table_file import TableFile
from crossover.look.duplicates import normalise
from crossover.measure.crossing import SizeEvidence, inversion_set
from crossover.measure.metric.confusion import ClassCounts, CountMetric, count_columns
from crossover.measure.metric.metric import Metric, metric_named
from crossover.measure.size_grid import size_grid
from crossover.measure.study_coverage import coverage_of_studies
from crossover.model.encoder.encoder import Encoder
from crossover.model.features.word_tfidf import WORD
from crossover.model.l2_path import solve_path
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.probe import Probe
from crossover.model.runtime import Runtime, use
from crossover.protocol.run_spec import digest_of

CLASSES = ("ham", "spam")
ARMS = ("tfidf", "probe")
METRICS = ("macro_f1", "accuracy")
TARGET = 0.93
BLOCK = 1000  # texts encoded at a time; what is done is kept if the run is stopped
#: Draws on which the shortcuts are compared with the classifiers, and how far a probability may differ.
CHECKED = {"tfidf": 2, "probe": 1}
TOLERANCE = 1e-6

say = partial(print, file=sys.stderr, flush=True)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Predicted = NDArray[np.bool_]  # whether spam, (arms, draws, sizes, test rows)


@dataclass(frozen=True)
class Design:
    """What fixes the predictions."""

    sizes: tuple[int, ...] = (50, 100, 200, 400)
    draws: int = 200
    test: int = 10_000
    pool: int = 12_000
    max_length: int = 128
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Mails:
    """Texts and class numbers; the first ``test`` rows are the test rows, the others the pool."""

    texts: list[str]
    gold: Ints
    test: int


def read_mails(path: Path, design: Design) -> Mails:
    """A seeded choice of the mails (subject, newline, text), one of each set of normalised duplicates."""
    corpus = TableFile(str(path), text=["subject", "text"], label="label").load()
    first: dict[str, int] = {}
    for row, text in enumerate(corpus.texts):
        first.setdefault(normalise(text), row)
    kept = sorted(first.values(), key=lambda row: corpus.ids[row])
    if len(kept) < design.test + design.pool:
        raise BadInput(
            f"{path}: {len(kept)} distinct mails, {design.test} + {design.pool} asked; lower --test or --pool"
        )
    order = np.random.default_rng(design.seed).permutation(len(kept))[: design.test + design.pool]
    rows = [kept[k] for k in order]
    gold = np.array([CLASSES.index(str(corpus.labels[row])) for row in rows])
    return Mails([corpus.texts[row] for row in rows], gold, design.test)


class CachedLogisticRegression:
    """LogisticRegression() on WordTfidf(), the terms of every text counted once for all fits."""

    def __init__(self, mails: Mails) -> None:
        model = LogisticRegression()
        self._solver = Solver(C=model.C, solver="newton-cg", max_iter=model.max_iter, tol=model.tol)
        self._gold = mails.gold
        counts = CountVectorizer(ngram_range=(1, 2), token_pattern=WORD).fit_transform(mails.texts)
        self._tf = csr_matrix(counts, dtype=np.float64)
        self._tf.data = np.log(self._tf.data) + 1.0
        self._test = self._tf[: mails.test]
        self._test_squared = self._test.power(2)

    def spam(self, rows: Ints) -> Floats:
        """(test rows,) probability of spam after a fit on these rows."""
        train = self._tf[rows]
        terms, columns = np.unique(train.indices, return_inverse=True)
        idf = np.log((1 + len(rows)) / (1 + np.bincount(columns))) + 1.0
        weights = train.data * idf[columns]
        train = csr_matrix((weights, columns, train.indptr), shape=(len(rows), len(terms)))
        norm = np.sqrt(np.asarray(train.power(2).sum(axis=1)).ravel())
        train.data /= np.repeat(np.where(norm > 0, norm, 1.0), np.diff(train.indptr))
        self._solver.fit(train, self._gold[rows])
        # A test row's TF-IDF is never built: its score is one product with idf * weight, over its norm.
        column = np.zeros((2, self._tf.shape[1]))
        column[0, terms] = idf * self._solver.coef_[0]
        column[1, terms] = idf**2
        length = np.sqrt(self._test_squared @ column[1])
        score = (self._test @ column[0]) / np.where(length > 0, length, 1.0)
        return sigmoid(score + self._solver.intercept_[0])


class CachedProbe:
    """Probe() on vectors made once for all fits."""

    def __init__(self, mails: Mails, vectors: Floats, encoder: Encoder) -> None:
        self._model = Probe(encoder)
        self._gold, self._vectors, self._test = mails.gold, vectors, vectors[: mails.test]
        # As the probe does, so that its sums run in the same order.
        self._rank = np.argsort(sorted(range(len(mails.texts)), key=mails.texts.__getitem__))

    def spam(self, rows: Ints) -> Floats:
        """(test rows,) probability of spam after a fit on these rows."""
        rows = rows[np.argsort(self._rank[rows])]
        train = self._vectors[rows]
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
        found = solve_path((train - mean) / scale, self._gold[rows], [self._model.C], tol=self._model.tol)[0]
        weights = found.weights[0] / scale
        return sigmoid(self._test @ weights - mean @ weights + found.intercept[0])


def sigmoid(score: Floats) -> Floats:
    """1 / (1 + exp(-score)), without overflow."""
    return np.exp(-np.logaddexp(0.0, -score))


def encode(mails: Mails, encoder: Encoder) -> Floats:
    """(rows, dim) vectors of all mails, a block at a time."""
    found = []
    for start in range(0, len(mails.texts), BLOCK):
        vectors, cost = encoder.encode(mails.texts[start : start + BLOCK])
        found.append(vectors.astype(np.float64))
        if cost["cached_rows"] < len(vectors):
            say(f"encoded {start + len(vectors)} of {len(mails.texts)}")
    return np.concatenate(found)


def chains(mails: Mails, design: Design) -> Ints:
    """(draws, largest size) rows of the pool; the first n of a chain are its draw of n rows."""
    pool, largest = np.arange(mails.test, len(mails.texts)), max(design.sizes)
    seeds = [[design.seed, draw] for draw in range(design.draws)]
    return np.stack([np.random.default_rng(seed).permutation(pool)[:largest] for seed in seeds])


def predict(mails: Mails, design: Design, encoder: Encoder) -> Predicted:
    """The predictions of both arms; the shortcuts are checked on the way."""
    arms: dict[str, Any] = {"tfidf": CachedLogisticRegression(mails)}
    arms["probe"] = CachedProbe(mails, encode(mails, encoder), encoder)
    models: dict[str, Any] = {"tfidf": LogisticRegression(), "probe": Probe(encoder)}
    found = np.zeros((len(ARMS), design.draws, len(design.sizes), mails.test), dtype=np.bool_)
    for draw, chain in enumerate(chains(mails, design)):
        for (a, arm), (j, size) in ((a, j) for a in enumerate(ARMS) for j in enumerate(design.sizes)):
            spam = arms[arm].spam(chain[:size])
            if draw < CHECKED[arm]:
                compare(spam, models[arm], mails, chain[:size])
            # A tie goes to ham, the first class.
            found[a, draw, j] = spam > 0.5
        if draw % 20 == 19 or draw < 2:
            say(f"draw {draw + 1} of {design.draws}")
    return found


def compare(spam: Floats, model: Any, mails: Mails, rows: Ints) -> None:
    """AssertionError where a shortcut's probabilities are not the classifier's to within TOLERANCE."""
    model.fit([mails.texts[k] for k in rows], [CLASSES[mails.gold[k]] for k in rows], CLASSES)
    apart = float(np.abs(model.predict_proba(mails.texts[: mails.test])[:, 1] - spam).max())
    if not apart <= TOLERANCE:
        raise AssertionError(f"{type(model).__name__} on {len(rows)} rows: probabilities differ by {apart}")


def differences(found: Predicted, gold: Ints, metric: Metric) -> NDArray[np.float32]:
    """(draws, sizes, rows) probe minus TF-IDF: row values of the metric (pseudo-values for macro-F1).

    They are the metric's own, computed once for each of the four cells (gold, predicted) of a table.
    """
    values = np.zeros(found.shape[1:], dtype=np.float32)
    cell_gold, cell_predicted = np.arange(4) // 2, np.arange(4) % 2
    columns = count_columns(cell_gold, cell_predicted, 2)
    for draw in range(len(values)):
        cells = 2 * gold + found[:, draw]
        if isinstance(metric, CountMetric):
            total = np.stack([(cells == cell).sum(axis=-1) for cell in range(4)], axis=-1) @ columns
            theta = metric.of_counts(ClassCounts.of_columns(total))[..., None]
            without = metric.of_counts(ClassCounts.of_columns(total[..., None, :] - columns))
            by_cell = len(gold) * theta - (len(gold) - 1) * without
            rows = np.take_along_axis(by_cell, cells, axis=-1)
        else:
            rows = metric.row_values(cell_gold, certain(cell_predicted == 1))[cells]
        values[draw] = rows[1] - rows[0]
    return values


def certain(spam: NDArray[np.bool_]) -> Floats:
    """(rows, 2) probabilities 0 and 1 that stand for predicted classes."""
    return np.column_stack([~spam, spam]).astype(np.float64)


def evidence(values: NDArray[np.float32], sizes: Sequence[int]) -> list[SizeEvidence]:
    """One entry a size of (draws, sizes, rows) differences."""
    return [SizeEvidence(size, values[:, j]) for j, size in enumerate(sizes)]


def root_of(values: NDArray[np.float32], sizes: Sequence[int]) -> float:
    """The size at which the mean over all draws and rows is 0; BadInput where that is not one size."""
    grid = size_grid(evidence(values, sizes))
    changes = grid.sign_changes(0.0)
    if len(changes) != 1:
        raise BadInput(
            f"{len(changes)} roots between sizes {list(sizes)} with mean differences "
            f"{np.round(grid.means, 4).tolist()}; give --sizes that bracket one crossing"
        )
    return float(2 ** changes[0][0])


def beside(
    found: Predicted, gold: Ints, sizes: Sequence[int], metric: Metric, root: float, R: int, asked: Any
) -> dict[str, float]:
    """Coverage where a study takes draws and rows with replacement, so that it shares with the truth no more
    than a fresh one would, and scores its own rows alone; and the coverage of a t over its draws.
    """
    rng = np.random.default_rng([asked.seed, R, 1])
    harder = naive = 0
    for _ in range(asked.studies):
        draws = rng.choice(found.shape[1], R)
        rows = rng.choice(found.shape[3], asked.rows)
        values = differences(found[:, draws][..., rows], gold[rows], metric)
        pieces = inversion_set(size_grid(evidence(values, sizes)), 0.0)
        harder += any(piece.low <= root <= piece.high for piece in pieces)
        means = values.mean(axis=2, dtype=np.float64)
        at_root = [np.interp(np.log2(root), np.log2(sizes), draw) for draw in means]
        naive += bool(stats.ttest_1samp(at_root, 0.0).pvalue >= 0.05)
    return {"coverage_harder": harder / asked.studies, "coverage_naive_t": naive / asked.studies}


def measure(found: Predicted, mails: Mails, design: Design, name: str, asked: Any) -> dict[str, object]:
    """Everything about one metric as plain values."""
    metric, gold = metric_named(name), mails.gold[: mails.test]
    values = differences(found, gold, metric)
    root = root_of(values, design.sizes)
    lines = []
    for R in asked.R:
        rng = np.random.default_rng([asked.seed, R])
        line = coverage_of_studies(values, design.sizes, root, R, asked.rows, asked.studies, rng)
        line.update(beside(found, gold, design.sizes, metric, root, R, asked))
        lines.append(line)
        say(f"{name}: {line}")
    means = values.mean(axis=2, dtype=np.float64)
    every = [metric(gold, certain(spam)) for spam in found.reshape(-1, mails.test)]
    scores = np.array(every).reshape(found.shape[:3])
    return {
        "metric": name,
        "root": root,
        "mean_difference": means.mean(axis=0).tolist(),
        "draw_sd": means.std(axis=0, ddof=1).tolist(),
        "mean_score": dict(zip(ARMS, scores.mean(axis=1).tolist(), strict=True)),
        "studies": lines,
    }


def page(results: dict[str, Any]) -> str:
    """The page of Markdown."""
    design, asked = results["design"], results["studies_asked"]
    text = (
        f"# Coverage on real data: Enron-Spam\n\n`{results['command']}`\n\n"
        f"Truth: {design['draws']} draws from a pool of {design['pool']:,} mails, {design['test']:,} test "
        "mails (those equal but for case, digits and white space counted once), TF-IDF with logistic "
        "regression against a frozen probe (all-MiniLM-L6-v2, "
        f"{design['max_length']} tokens). Then {asked['studies']:,} studies of R draws x {asked['rows']:,} "
        "test rows. Coverage: how often a study's 95% set of sizes holds the true root (target "
        f"{TARGET}), with its 95% Clopper-Pearson interval; bounded: how often that set is closed on both "
        "sides; announced: how often a crossing is the verdict; octaves: median width of the set. Beside "
        "it, on harder terms (draws and rows taken with replacement, so that a study shares no more with "
        "the truth than a fresh one would, and pseudo-values computed from the study's own rows): the same "
        "coverage, and that of a plain t over draws, which forgets that the test rows are a sample.\n"
    )
    sections = [_section(found, design["sizes"]) for found in results["metrics"]]
    return text + "".join(sections) + "\n" + results["verdict"] + "\n"


def _section(found: dict[str, Any], sizes: Sequence[int]) -> str:
    text = (
        f"\n## {found['metric']}: true root at {found['root']:.1f} labels\n\n"
        "| labels | TF-IDF | probe | difference | SD over draws |\n|---|---|---|---|---|\n"
    )
    scores = zip(*(found["mean_score"][arm] for arm in ARMS), strict=True)
    for size, (a, b), gap, sd in zip(sizes, scores, found["mean_difference"], found["draw_sd"], strict=True):
        text += f"| {size} | {a:.4f} | {b:.4f} | {gap:+.4f} | {sd:.4f} |\n"
    text += (
        "\n| R | coverage | 95% interval | bounded | empty | announced | octaves "
        "| coverage, harder | plain t over draws |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    for line in found["studies"]:
        announced = sum(line["kinds"].get(kind, 0.0) for kind in ("starts_paying", "stops_paying"))
        text += (
            f"| {line['draws']} | {line['coverage']:.3f} "
            f"| {line['coverage_low']:.3f}-{line['coverage_high']:.3f} | {line['bounded']:.2f} "
            f"| {line['empty']:.3f} | {announced:.2f} | {line['median_octaves']:.2f} "
            f"| {line['coverage_harder']:.3f} | {line['coverage_naive_t']:.3f} |\n"
        )
    return text


def verdict(metrics: Sequence[dict[str, Any]]) -> str:
    """One sentence: whether every coverage reaches the target."""
    all_ = {(f["metric"], line["draws"]): line["coverage"] for f in metrics for line in f["studies"]}
    missed = [f"{name} at R = {R}: {share:.3f}" for (name, R), share in all_.items() if share < TARGET]
    if missed:
        return f"Below the target of {TARGET}: " + "; ".join(missed) + "."
    return f"Every coverage reaches the target of {TARGET}; the lowest is {min(all_.values()):.3f}."


def predictions(path: Path, design: Design, store: Path) -> tuple[Mails, Predicted]:
    """The mails, and the predictions of both arms from the store or made now."""
    mails = read_mails(path, design)
    encoder = Encoder(**Encoder.pin({"name": "minilm", "max_length": design.max_length}))
    arms = {kind.__name__: kind.behaviour_version for kind in (LogisticRegression, Probe)}
    name = digest_of({**asdict(design), "encoder": encoder.key(), "arms": arms})
    kept = store / "benchmarks" / f"enron_coverage-{name}.npy"
    if kept.exists():
        return mails, np.load(kept)
    with use(Runtime(cache=store / "cache", threads=os.cpu_count())):
        found = predict(mails, design, encoder)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, found)
    return mails, found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 0 where every coverage reaches the target, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("CROSSOVER_DATA", ".")) / "enron_spam.parquet"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(Design.sizes))
    numbers = {"draws": Design.draws, "test": Design.test, "pool": Design.pool}
    for name, value in {**numbers, "studies": 1000, "rows": 1000, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--R", type=int, nargs="+", default=[3, 5, 8, 10], help="draws a study")
    parser.add_argument("--store", type=Path, default=Path("outputs"))
    parser.add_argument("--out", type=Path, default=Path("results/published"))
    asked = parser.parse_args(arguments)
    design = Design(tuple(sorted(asked.sizes)), asked.draws, asked.test, asked.pool)
    mails, found = predictions(asked.data, design, asked.store)
    metrics = [measure(found, mails, design, name, asked) for name in METRICS]
    options = [
        f"--{name} {' '.join(map(str, np.ravel(value)))}"
        for name, value in vars(asked).items()
        if name not in ("data", "store", "out") and value != parser.get_default(name)
    ]
    results = {
        "command": " ".join(["python benchmarks/enron_coverage.py --data enron_spam.parquet", *options]),
        "design": asdict(design),
        "studies_asked": {"studies": asked.studies, "rows": asked.rows, "seed": asked.seed},
        "metrics": metrics,
        "verdict": verdict(metrics),
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, allow_nan=False) + "\n"
    (asked.out / "enron_coverage.json").write_text(text, encoding="utf-8")
    (asked.out / "enron_coverage.md").write_text(page(results), encoding="utf-8")
    print(results["verdict"])
    return int(any(line["coverage"] < TARGET for found in metrics for line in found["studies"]))


if __name__ == "__main__":
    sys.exit(main())
