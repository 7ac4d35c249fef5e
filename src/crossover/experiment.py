"""A whole run on one page: RunSpec -> RunRecord. Read this first.

The spec names a corpus and a split by fingerprint, a subset of train, a model and how its
settings are chosen; every rival of a study goes through these same lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np

from crossover.data.corpus import Corpus
from crossover.measure.predictions import Predictions
from crossover.measure.scoring import score_all, selection_measure
from crossover.model import runtime
from crossover.model.classifier import Classifier
from crossover.model.cost_meter import LATENCY_TEXTS, clock, fit_cost, latency, predict_cost
from crossover.protocol.component import build
from crossover.protocol.run_spec import RunSpec
from crossover.protocol.selection.rule import Selected, rule_named
from crossover.record.environment import capture, pools
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.split.nested_subsets import ids_sha256, scored_ids, subset_ids
from crossover.split.split import Split


def run(spec: RunSpec, store: Store, around: runtime.Runtime | None = None) -> RunRecord:
    """Execute one spec and commit its record; a digest the store holds is not run twice.

    Args:
        spec: what to run.
        store: where its corpus and split lie and where the record goes.
        around: cache, threads, device and progress; never part of the run's identity.

    Raises:
        BadInput: the spec cannot be run on this data.
        FloatingPointError: training diverged.
    """
    if store.has_run(spec.digest):
        return store.run(spec.digest)
    corpus, split = _data(store.root, spec.corpus, spec.split)
    train_ids = split.train if spec.subset is None else subset_ids(corpus, split, spec.subset)
    around = (around or runtime.Runtime(store.cache)).saving_to(store.checkpoints(spec.digest))
    with runtime.use(around), pools().limit(limits=around.threads):
        selected, cost = _fit(spec, corpus, split, train_ids)
        predictions, predicting = _predict(spec, selected, corpus, split, train_ids)
        surroundings = capture()  # in here: the threads are those of the run
    with pools().limit(limits=1):  # sums too small for threads; their number then changes no score
        scores = score_all(predictions.part("test"), split.groups)
    stored = predictions.to_parquet()
    record = RunRecord(
        spec=spec,
        scores=scores,
        cost={**cost, **predicting},
        predictions_sha256=hashlib.sha256(stored).hexdigest(),
        history=cast(Classifier, selected.model).history_,
        trials=selected.trials,
        environment=surroundings,
        recipe={
            "corpus": corpus.name,
            "split": dict(split.recipe),
            "train_ids_sha256": ids_sha256(train_ids),
            "selected": dict(selected.settings),
        },
    )
    return store.commit_run(record, stored)


@lru_cache(maxsize=4)
def _data(root: Path, corpus_fingerprint: str, split_fingerprint: str) -> tuple[Corpus, Split]:
    corpus, split = (store := Store(root)).corpus(corpus_fingerprint), store.split(split_fingerprint)
    split.verify(corpus)
    return corpus, split


def _fit(
    spec: RunSpec, corpus: Corpus, split: Split, train_ids: tuple[str, ...]
) -> tuple[Selected, dict[str, float]]:
    """Choose settings by the spec's rule and fit the winner on the training rows."""
    train, shared = spec.training_rows(corpus, train_ids), spec.rows(corpus, split.parts["select"])
    models: list[Classifier] = []

    def make(settings: Mapping[str, object]) -> Classifier:
        part = spec.model.with_settings(**settings) if settings else spec.model
        seeds = {"seed": spec.seeds.initialisation, "order_seed": spec.seeds.order}
        models.append(cast(Classifier, build(part, **seeds)))
        models[-1].on_step = runtime.current().on_step
        return models[-1]

    rule, measure = rule_named(spec.selection), selection_measure(spec.metric, corpus.classes)
    with clock() as took:
        selected = rule.select(
            make, train, corpus.classes, shared, spec.budget, measure, spec.seeds.initialisation
        )
    labels = len(train_ids) + rule.labels_read(shared, searched=bool(selected.trials))
    trials = len(selected.trials) or 1
    return selected, {**fit_cost(took, models), "labels": float(labels), "trials": float(trials)}


def _predict(
    spec: RunSpec, selected: Selected, corpus: Corpus, split: Split, train_ids: tuple[str, ...]
) -> tuple[Predictions, dict[str, float]]:
    """Probabilities of the training rows, every scored part and view, and what they cost."""
    model = cast(Classifier, selected.model)
    model.cost_ = {}
    parts, ids, rows, where = spec.scored(corpus, scored_ids(split, train_ids, spec.test_rows))
    with clock() as took:
        probabilities = np.asarray(model.predict_proba(rows.texts, rows.meta), dtype=np.float64)
    cost = predict_cost(took, model, len(rows))
    gold = tuple(rows.labels[k] for k in where)
    predictions = Predictions(ids, parts, gold, corpus.classes, probabilities[where])
    one_by_one = spec.rows(corpus, predictions.part("test").ids[:LATENCY_TEXTS])
    return predictions, {**cost, **latency(model, one_by_one, spec.family)}
