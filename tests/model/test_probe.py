from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model import runtime
from crossover.model.classifier import load, save
from crossover.model.embedding_cache import forget
from crossover.model.encoder.encoder import Encoder
from crossover.model.l2_path import solve_path
from crossover.model.probe import Probe
from crossover.protocol.component import component

SPAM, HAM = ["free", "win", "cash", "prize", "claim"], ["lunch", "meeting", "thanks", "love", "project"]


def rows(count: int, seed: int, kinds: int = 2) -> tuple[list[str], list[str]]:
    draw = random.Random(seed)
    labels = [["ham", "spam", "other"][k % kinds] for k in range(count)]
    words = {"ham": HAM, "spam": SPAM, "other": ["the", "you", "is", "in", "call"]}
    return [" ".join(draw.choices(words[label] + ["a", "to"], k=6)) for label in labels], labels


@pytest.fixture
def encoder(tiny_model: Path) -> Encoder:
    return Encoder(str(tiny_model), max_length=32, token_budget=128)


@pytest.mark.parametrize("kinds", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_it_is_scikit_learns_regression_on_standardised_vectors(
    encoder: Encoder, kinds: int, class_weight: str | None
) -> None:
    texts, labels = rows(61, 0, kinds)
    held, _ = rows(30, 1, kinds)
    classes = ["ham", "other", "spam"][:: 2 if kinds == 2 else 1]
    oracle = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.3, class_weight=class_weight, tol=1e-8, max_iter=10_000)
    ).fit(encoder.encode(texts)[0].astype(np.float64), labels)
    probe = Probe(encoder, C=0.3, class_weight=class_weight, tol=1e-8).fit(texts, labels, classes)
    assert probe.history_[0]["converged"] == 1
    assert probe.parameters_ == (33 if kinds == 2 else 99)
    np.testing.assert_allclose(
        probe.predict_proba(held), oracle.predict_proba(encoder.encode(held)[0].astype(np.float64)), atol=1e-5
    )


def test_neither_the_order_of_the_rows_nor_the_seed_changes_a_bit(encoder: Encoder) -> None:
    texts, labels = rows(40, 0)
    held, _ = rows(20, 1)
    expected = Probe(encoder).fit(texts, labels, ["ham", "spam"]).predict_proba(held)
    order = np.random.default_rng(0).permutation(40)
    mixed = Probe(encoder, seed=9).fit([texts[k] for k in order], [labels[k] for k in order], ["ham", "spam"])
    np.testing.assert_array_equal(mixed.predict_proba(held), expected)


def test_a_probability_depends_on_its_own_text_only_to_the_last_bit(encoder: Encoder) -> None:
    texts, labels = rows(40, 0)
    probe = Probe(encoder).fit(texts, labels, ["ham", "spam"])
    held = [*rows(20, 1)[0], "", "free " * 60]
    whole = probe.predict_proba(held)
    for k in (0, 7, 20, 21):
        np.testing.assert_array_equal(probe.predict_proba([held[k]])[0], whole[k])
    np.testing.assert_array_equal(probe.predict_proba(held[::-1]), whole[::-1])


def test_only_training_rows_set_the_scale(encoder: Encoder) -> None:
    texts, labels = rows(40, 0)
    probe = Probe(encoder).fit(texts, labels, ["ham", "spam"])
    vectors = encoder.encode(texts)[0].astype(np.float64)
    before = (probe.mean_.copy(), probe.scale_.copy())
    np.testing.assert_allclose(before[0], vectors.mean(0), atol=1e-12)
    np.testing.assert_allclose(before[1], vectors.std(0), atol=1e-12)
    probe.predict_proba(["claim " * 20, ""])
    np.testing.assert_array_equal((probe.mean_, probe.scale_), before)


def test_constant_dimensions_are_left_at_their_scale(encoder: Encoder) -> None:
    texts, labels = ["free cash"] * 7, ["ham"] * 4 + ["spam"] * 3
    probe = Probe(encoder).fit(texts, labels, ["ham", "spam"])
    np.testing.assert_array_equal(probe.scale_, 1)
    np.testing.assert_allclose(probe.predict_proba(["free cash"]), [[4 / 7, 3 / 7]], atol=1e-5)


def test_a_smaller_c_draws_the_probabilities_together(encoder: Encoder) -> None:
    texts, labels = rows(40, 0)
    spread = [
        np.ptp(Probe(encoder, C=C).fit(texts, labels, ["ham", "spam"]).predict_proba(texts)[:, 0])
        for C in (1e-4, 1e-2, 1.0)
    ]
    assert spread[0] < spread[1] < spread[2]


def test_a_fit_that_is_stopped_says_so(encoder: Encoder) -> None:
    texts, labels = rows(40, 0)
    assert Probe(encoder, max_iter=1).fit(texts, labels, ["ham", "spam"]).history_[0]["converged"] == 0


@pytest.mark.parametrize("setting", [{"C": 0.0}, {"class_weight": "even"}])
def test_a_penalty_out_of_range_is_refused(encoder: Encoder, setting: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=str(next(iter(setting.values())))):
        Probe(encoder, **setting).fit(["a", "b"], ["x", "y"], ["x", "y"])  # type: ignore[arg-type]


def test_its_cost_is_told_cold_and_with_the_cache_warm(encoder: Encoder, tmp_path: Path) -> None:
    texts, labels = rows(20, 0)
    with runtime.use(runtime.Runtime(cache=tmp_path)):
        forget()
        cold = Probe(encoder).fit(texts, labels, ["ham", "spam"]).cost_
        forget()
        warm = Probe(encoder).fit(texts, labels, ["ham", "spam"])
        assert cold["encode_seconds"] == pytest.approx(cold["encode_seconds_cold"])
        assert warm.cost_["encode_seconds"] == 0 and warm.cost_["cached_rows"] == 20
        assert warm.cost_["encode_seconds_cold"] == pytest.approx(cold["encode_seconds_cold"])
        before = dict(warm.cost_)
        warm.predict_proba(["one more text", texts[0]])
        assert warm.cost_["cached_rows"] == 21 and warm.cost_["tokens"] > before["tokens"]


def test_cache_on_off_and_partly_filled_give_the_same_predictions(encoder: Encoder, tmp_path: Path) -> None:
    texts, labels = rows(30, 0)
    held, _ = rows(15, 1)
    found = []
    for fill in (None, [], held[3:9] + texts[:4], texts + held):
        forget()
        root = None if fill is None else tmp_path / str(len(fill))
        with runtime.use(runtime.Runtime(cache=root)):
            encoder.encode(fill or [])
            found.append(Probe(encoder).fit(texts, labels, ["ham", "spam"]).predict_proba(held))
    forget()
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_a_saved_probe_names_its_encoder_and_refuses_another(tiny_model: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(tiny_model, tmp_path / "encoder"))
    texts, labels = rows(20, 0)
    made_from = component(
        "crossover.model.probe.Probe",
        {
            "encoder": {
                "_target_": "crossover.model.encoder.encoder.Encoder",
                "name": str(own),
                "max_length": 32,
            }
        },
    )
    probe = Probe(Encoder(str(own), max_length=32)).fit(texts, labels, ["ham", "spam"])
    expected = probe.predict_proba(texts)
    save(probe, made_from, tmp_path / "saved")
    assert sum(file.stat().st_size for file in (tmp_path / "saved").iterdir()) < 10_000  # no encoder in it
    np.testing.assert_array_equal(load(tmp_path / "saved").predict_proba(texts), expected)
    config = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-3}))
    with pytest.raises(BadInput, match="tokenizer"):
        load(tmp_path / "saved")


@pytest.mark.slow
@pytest.mark.encoder
def test_minilm_probe_finds_spam(minilm: Path, data_folder: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(data_folder / "sms_spam.parquet").slice(0, 400).to_pydict()
    probe = Probe(Encoder(), C=0.01).fit(table["text"][:250], table["label"][:250], ["ham", "spam"])
    predicted = np.array(probe.classes_)[probe.predict_proba(table["text"][250:]).argmax(1)]
    assert (predicted == np.array(table["label"][250:])).mean() > 0.93


def trials_of(encoder: Encoder, strengths: list[float], **others: object) -> list[Probe]:
    return [Probe(encoder, C=C, **others) for C in strengths]  # type: ignore[arg-type]


STRENGTHS = [0.1, 100.0, 1e-4, 3.0, 0.1, 0.03]
"""As trials are drawn: the default first, the others in no order."""


@pytest.mark.parametrize("kinds", [2, 3])
def test_trials_fitted_together_predict_as_each_does_alone(encoder: Encoder, kinds: int) -> None:
    texts, labels = rows(60, 0, kinds)
    held = Rows(*rows(30, 1, kinds))
    classes = ["ham", "other", "spam"]
    trials = trials_of(encoder, STRENGTHS, class_weight="balanced", tol=1e-10)
    for C, trial, (model, outcome) in zip(
        STRENGTHS,
        trials,
        trials[0].fit_each(iter(trials), Rows(texts, labels), classes, held),
        strict=True,
    ):
        alone = Probe(encoder, C=C, class_weight="balanced", tol=1e-10).fit(texts, labels, classes)
        assert model is trial and not isinstance(outcome, FloatingPointError)
        np.testing.assert_allclose(outcome, alone.predict_proba(held.texts), atol=1e-4)
        np.testing.assert_array_equal(outcome, model.predict_proba(held.texts))
        assert model.classes_ == tuple(classes) and model.parameters_ == alone.parameters_
        assert model.history_[0]["converged"] == 1
        np.testing.assert_array_equal(model.scale_, alone.scale_)


def test_trials_fitted_together_embed_the_rows_once(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    encode = Encoder.encode
    monkeypatch.setattr(
        Encoder, "encode", lambda self, texts: (asked.append(len(texts)), encode(self, texts))[1]
    )
    trials = trials_of(encoder, STRENGTHS)
    list(trials[0].fit_each(trials, Rows(*rows(40, 0)), ["ham", "spam"], Rows(*rows(10, 1))))
    assert asked == [40, 10]
    assert [trial.cost_.get("tokens", 0.0) > 0 for trial in trials] == [True] + [False] * 5


def test_neither_the_order_of_the_rows_nor_of_the_trials_changes_a_bit(encoder: Encoder) -> None:
    texts, labels = rows(40, 0)
    held, classes = Rows(*rows(20, 1)), ["ham", "spam"]
    order = np.random.default_rng(0).permutation(40).tolist()
    found = {}
    for name, strengths, places in (("as drawn", STRENGTHS, range(40)), ("mixed", STRENGTHS[::-1], order)):
        given = Rows([texts[k] for k in places], [labels[k] for k in places])
        trials = trials_of(encoder, strengths)
        outcomes = trials[0].fit_each(trials, given, classes, held)
        found[name] = {C: outcome for C, (_, outcome) in zip(strengths, outcomes, strict=True)}
    for C in STRENGTHS:
        np.testing.assert_array_equal(found["as drawn"][C], found["mixed"][C])


def test_a_trial_that_fails_on_the_path_costs_no_other_trial(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path then fails as a whole, and each trial stands alone."""

    def fragile(features, codes, strengths, *others):
        if 100.0 in strengths:
            raise FloatingPointError("the loss is nan")
        return solve_path(features, codes, strengths, *others)

    monkeypatch.setattr("crossover.model.probe.solve_path", fragile)
    trials = trials_of(encoder, STRENGTHS)
    held = Rows(*rows(10, 1))
    outcomes = [o for _, o in trials[0].fit_each(trials, Rows(*rows(40, 0)), ["ham", "spam"], held)]
    assert [isinstance(outcome, FloatingPointError) for outcome in outcomes] == [
        C == 100.0 for C in STRENGTHS
    ]
    alone = Probe(encoder, C=3.0).fit(*rows(40, 0), ["ham", "spam"]).predict_proba(held.texts)
    np.testing.assert_array_equal(outcomes[3], alone)


@pytest.mark.parametrize("vector", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_refused(
    encoder: Encoder, vector: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = dict.fromkeys(("tokens", "encode_seconds", "encode_seconds_cold", "cached_rows"), 0.0)
    monkeypatch.setattr(Encoder, "encode", lambda self, texts: (np.full((len(texts), 3), vector), cost))
    with np.errstate(invalid="ignore"), pytest.raises(FloatingPointError, match="not finite"):
        Probe(encoder).fit(["a", "b"], ["x", "y"], ["x", "y"])
