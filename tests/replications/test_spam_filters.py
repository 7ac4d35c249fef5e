"""The spam filters of Almeida, Gomez Hidalgo & Yamakami (2011), against logistic regression on their data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import matthews_corrcoef
from sklearn.model_selection import train_test_split

from crossover.data.corpus import Rows
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.logistic_regression import LogisticRegression

CLASSES = ("ham", "spam")
BEST_OF_2011 = {"accuracy": 97.64, "caught": 83.10, "mcc": 89.3}  # their linear SVM


@pytest.fixture(scope="module")
def sms(data_folder: Path) -> Rows:
    table = pq.read_table(data_folder / "sms_spam.parquet")
    assert len(table) == 5574
    return Rows(table["text"].to_pylist(), table["label"].to_pylist())


def percentages(rows: Rows, seed: int) -> dict[str, float]:
    train, test = train_test_split(
        np.arange(len(rows)), test_size=0.7, stratify=rows.labels, random_state=seed
    )
    fit, held = rows.take(train), rows.take(test)
    model = LogisticRegression({"word": WordTfidf(ngram_max=2, sublinear=True, lowercase=True)}, C=100.0)
    said = model.fit(fit.texts, fit.labels, CLASSES).predict_proba(held.texts).argmax(axis=1) == 1
    spam = np.array(held.labels) == "spam"
    return {
        "accuracy": 100 * float((said == spam).mean()),
        "caught": 100 * float(said[spam].mean()),
        "blocked": 100 * float(said[~spam].mean()),
        "mcc": 100 * float(matthews_corrcoef(spam, said)),
    }


def test_logistic_regression_gives_the_published_spam_filter_figures(sms):
    seeds = [percentages(sms, seed) for seed in range(5)]
    mean = {name: float(np.mean([one[name] for one in seeds])) for name in seeds[0]}
    spread = {name: float(np.std([one[name] for one in seeds], ddof=1)) for name in seeds[0]}
    # To the printed digit: the split is seeded and the optimum unique.
    assert round(mean["accuracy"], 2) == 98.44
    assert round(spread["accuracy"], 2) == 0.14
    assert round(mean["caught"], 2) == 89.98
    assert mean["blocked"] == pytest.approx(0.25, abs=0.006)
    assert round(mean["mcc"], 1) == 93.1
    assert all(mean[name] > best for name, best in BEST_OF_2011.items())
