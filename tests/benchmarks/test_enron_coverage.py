"""The real-data acceptance in small: its shortcuts are the classifiers, its truth is the root."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score

from crossover.data.bad_input import BadInput
from crossover.measure.metric.metric import metric_named
from crossover.model.encoder.encoder import Encoder
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.probe import Probe

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "enron_coverage.py"
WORDS = {0: "lunch meeting thanks project home", 1: "free win cash prize claim"}


@pytest.fixture(scope="module")
def enron():
    spec = importlib.util.spec_from_file_location("enron_coverage", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["enron_coverage"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["enron_coverage"]


@pytest.fixture
def mails(enron):
    draw = random.Random(0)
    gold = np.array([k % 2 for k in range(120)])
    texts = [
        " ".join(draw.choices([*WORDS[k if draw.random() < 0.8 else 1 - k].split(), "a", "the", "to"], k=9))
        for k in gold
    ]
    texts[3] = ""
    return enron.Mails(texts, gold, 60)


def folder_of(tmp_path, rows):
    columns = {name: [row[k] for row in rows] for k, name in enumerate(("subject", "text", "label"))}
    pq.write_table(pa.table(columns), tmp_path / "mails.parquet")
    return tmp_path / "mails.parquet"


def test_the_cached_regression_predicts_as_the_classifier_does(enron, mails):
    cached = enron.CachedLogisticRegression(mails)
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(np.arange(60, 120))[:25]
        enron.compare(cached.spam(rows), LogisticRegression(), mails, rows)
        with pytest.raises(AssertionError, match="differ by"):
            enron.compare(cached.spam(rows), LogisticRegression(C=90.0), mails, rows)


def test_the_cached_probe_predicts_as_the_classifier_does(enron, mails, tiny_model):
    encoder = Encoder(str(tiny_model), max_length=32, token_budget=128)
    cached = enron.CachedProbe(mails, enron.encode(mails, encoder), encoder)
    rows = np.random.default_rng(0).permutation(np.arange(60, 120))[:25]
    enron.compare(cached.spam(rows), Probe(encoder), mails, rows)


def test_mails_are_read_as_subject_and_text_and_duplicates_but_for_case_and_digits_once(enron, tmp_path):
    rows = [("Offer", f"win {word}", "spam") for word in ("a", "b", "c")] + [("Re", "notes", "ham")]
    path = folder_of(tmp_path, [*rows, ("OFFER", "Win  A", "spam"), ("Re", "notes", "ham")])
    found = enron.read_mails(path, enron.Design(test=1, pool=3))
    assert sorted(found.texts) == sorted(f"{subject}\n{text}" for subject, text, _ in rows)
    assert [enron.CLASSES[k] for k in found.gold] == [
        "ham" if "Re" in text else "spam" for text in found.texts
    ]
    with pytest.raises(BadInput, match="4 distinct mails"):
        enron.read_mails(path, enron.Design(test=2, pool=3))


def test_draws_are_nested_chains_of_the_pool_and_never_hold_a_test_row(enron, mails):
    found = enron.chains(mails, enron.Design(sizes=(5, 40), draws=6, test=60, pool=60))
    assert found.shape == (6, 40)
    assert found.min() >= 60 and found.max() < 120
    assert all(len(set(chain)) == 40 for chain in found.tolist())
    assert len({tuple(chain) for chain in found.tolist()}) == 6


def test_differences_are_probe_minus_tfidf(enron):
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 400)
    # arms, draws, sizes, rows: TF-IDF is right on 7 of 10 rows, the probe on 9 of 10
    found = np.stack([np.where(rng.random((2, 1, 400)) < p, gold, 1 - gold) for p in (0.7, 0.9)]).astype(bool)
    for name in enron.METRICS:
        metric = metric_named(name)
        values = enron.differences(found, gold, metric)
        means = values.mean(axis=2)
        for draw in range(2):
            tfidf, probe = found[0, draw, 0], found[1, draw, 0]
            expected = (
                f1_score(gold, probe, average="macro") - f1_score(gold, tfidf, average="macro")
                if name == "macro_f1"
                else (probe == gold).mean() - (tfidf == gold).mean()
            )
            assert means[draw, 0] == pytest.approx(expected, abs=2e-3)
            rows = [metric.row_values(gold, enron.certain(spam)) for spam in (tfidf, probe)]
            np.testing.assert_allclose(values[draw, 0], rows[1] - rows[0], atol=1e-6)


def test_the_root_is_where_the_mean_over_everything_crosses_zero_in_log_size(enron):
    values = np.zeros((2, 3, 4), dtype=np.float32)
    values[:, 0], values[:, 1], values[:, 2] = 0.3, 0.1, -0.1
    assert enron.root_of(values, (50, 100, 200)) == pytest.approx(100 * 2**0.5)
    with pytest.raises(BadInput, match="0 roots"):
        enron.root_of(values + 1, (50, 100, 200))


def test_coverage_is_near_its_level_and_the_t_over_draws_is_not(enron):
    # Rows differ far more than draws: a t over draws takes the sampled rows for the whole truth.
    rng = np.random.default_rng(1)
    gold = np.arange(3000) % 2
    hard = rng.normal(0, 1.5, 3000)
    found = np.zeros((2, 40, 2, 3000), dtype=bool)
    for j, lead in enumerate((0.7, -0.7)):
        for a in range(2):
            own = np.random.default_rng(a).normal(0, 1.5, 3000)
            right = hard + own + 1.0 + a * lead + rng.normal(0, 0.3, (40, 3000)) > 0
            found[a, :, j] = np.where(right, gold, 1 - gold)
    asked = SimpleNamespace(seed=0, R=[8], rows=200, studies=150)
    design = enron.Design(sizes=(50, 100), draws=40, test=3000, pool=1000)
    result = enron.measure(found, enron.Mails([""] * 3000, gold, 3000), design, "accuracy", asked)
    (line,) = result["studies"]
    assert 50 < result["root"] < 100
    assert line["coverage"] >= 0.88 and line["coverage_harder"] >= 0.88
    assert line["coverage_naive_t"] < 0.6
    results = {
        "command": "python x",
        "design": {**vars(design), "sizes": [50, 100]},
        "studies_asked": {"studies": 150, "rows": 200},
        "metrics": [result],
        "verdict": enron.verdict([result]),
    }
    page = enron.page(results)
    assert f"| 8 | {line['coverage']:.3f} |" in page and "true root at" in page


def test_the_verdict_names_every_coverage_below_the_target(enron):
    metrics = [
        {"metric": "accuracy", "studies": [{"draws": R, "coverage": c} for R, c in ((3, 0.95), (5, 0.92))]}
    ]
    assert enron.verdict(metrics) == "Below the target of 0.93: accuracy at R = 5: 0.920."
    metrics[0]["studies"].pop()
    assert "reaches the target" in enron.verdict(metrics)
