"""Records made by hand: predictions whose accuracy is what the test says it is."""

from collections.abc import Callable

import numpy as np

from crossover.data.corpus import Corpus
from crossover.measure.metric.metric import all_metrics
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.protocol.run_spec import RunSpec, view_part
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import subset_ids
from crossover.split.split import Split

COST = {
    "fit_seconds": 1.0, "fit_seconds_cold": 2.0, "predict_seconds": 0.1, "predict_seconds_cold": 0.2,
    "predict_rows": 100.0, "latency_p50_ms": 1.0, "latency_p95_ms": 2.0, "peak_memory_bytes": 2.0**20,
    "tokens": 0.0, "parameters": 10.0,
}  # fmt: skip


def handmade(
    corpus: Corpus, split: Split, spec: RunSpec, accuracy: Callable[[str, int], float], draw_sd: float = 0.005
) -> RunRecord:
    """A record of ``spec`` whose test accuracy is ``accuracy(model name, size)`` but for draw noise."""
    size = spec.subset.size if spec.subset else len(split.train)
    draw = spec.subset.draw if spec.subset else 0
    noise = np.random.default_rng([spec.seeds.initialisation, draw, size])
    train = subset_ids(corpus, split, spec.subset) if spec.subset else split.train
    halves = [(part, split.parts[part]) for part in ("select", "calibrate")]
    scored = [("train", train), *halves, ("test", split.test)]
    scored += [(view_part(k), split.test) for k in range(len(spec.views))]
    ids = [id_ for _, members in scored for id_ in members]
    parts = [part for part, members in scored for _ in members]
    labels = corpus.rows(ids).labels
    gold = np.array([corpus.classes.index(label) for label in labels])
    # A row's difficulty is its own: arms fail on the same rows more often than by chance.
    hard = np.random.default_rng(7).random(len(corpus))[[corpus.row_of[id_] for id_ in ids]]
    rate = np.clip(accuracy(spec.model.name, size) + draw_sd * noise.standard_normal(), 0.02, 0.98)
    effort = 0.5 * hard + 0.5 * noise.random(len(ids))
    right = effort < np.quantile(effort, rate)
    predicted = np.where(right, gold, (gold + 1) % len(corpus.classes))
    probabilities = np.full((len(ids), len(corpus.classes)), 0.2 / (len(corpus.classes) - 1))
    probabilities[np.arange(len(ids)), predicted] = 0.8
    predictions = Predictions(tuple(ids), tuple(parts), tuple(labels), corpus.classes, probabilities)
    cost = {**COST, "labels": float(size), "trials": 1.0}
    test = predictions.part("test")
    values = {m.name: m(test.gold_index, test.probabilities) for m in all_metrics()}
    scores = {name: Score(name, value, None, None, len(test), "by hand") for name, value in values.items()}
    record = RunRecord(spec, scores, cost, "0" * 64)
    record.__dict__["predictions"] = predictions
    return record


def answered(
    study, accuracy: Callable[[str, int], float], draw_sd: float = 0.005, without=lambda spec: False
):
    """Plan and answer by hand until nothing is added; returns (verdict, records, batches)."""
    records: dict[str, RunRecord] = {}
    batches = []
    splits = {split.fingerprint: split for split in (study.split, *getattr(study, "more_splits", ()))}
    corpora = {c.fingerprint: c for c in (study.corpus, *getattr(study, "more_corpora", ()))}
    while new := [s for s in study.plan(records) if s.digest not in records and not without(s)]:
        batches.append(new)
        for spec in new:
            records[spec.digest] = handmade(corpora[spec.corpus], splits[spec.split], spec, accuracy, draw_sd)
    return study.conclude(records), records, batches
