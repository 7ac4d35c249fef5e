"""The contract of every model: one suite over every conf/model/*.yaml; a new model is tested by existing."""

from __future__ import annotations

import copy
import inspect
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus, Rows
from crossover.model.classifier import load, save
from crossover.protocol.component import build, component, resolve
from crossover.protocol.configured import part
from crossover.protocol.run_spec import RunSpec
from crossover.protocol.selection.rule import one_by_one, trial_settings
from crossover.record.store import Store
from crossover.split.split import Split

CONF = Path(__file__).resolve().parents[2] / "conf" / "model"
PLAIN = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(CONF.glob("*.yaml"))}

CLASSES = ("ham", "news", "spam")
NEEDS_NO_SECOND_CLASS = {"majority", "rules", "external"}
LEARNS_NOTHING = {"external"}  # a class absent from train keeps the probability the file gives it
IGNORES_TRAINING_ORDER = {"majority": 0.0, "rules": 0.0, "external": 0.0, "naive_bayes": 0.0} | {
    "logistic_regression": 1e-4  # the optimum is unique, reached to the solver's tolerance
}
SHARES_A_PATH = {"logistic_regression": 1e-3, "probe": 1e-3}
"""Trials begun from one another: what their predictions may differ by from those of a fit begun at 0."""
QUICK = {"min_steps": 6, "max_steps": 6, "epochs": 1, "batch_size": 8}
"""Settings of training loops, kept short here; the contract holds at any length."""

_WORDS = {
    "ham": ["lunch", "home", "love", "later", "tomorrow", "meeting", "thanks", "please"],
    "news": ["report", "project", "offer", "market", "election", "goal", "storm", "court"],
    "spam": ["free", "win", "cash", "prize", "claim", "money", "text", "call"],
}


def _rows(count: int, seed: int) -> Rows:
    draw = random.Random(seed)
    labels = [CLASSES[k % 3] for k in range(count)]
    texts = [
        " ".join(draw.choices(_WORDS[label], k=6) + draw.choices(["the", "you", "is"], k=3))
        for label in labels
    ]
    return Rows(texts, labels, {"channel": [draw.choice(["a", "b", None]) for _ in labels]})


TRAIN, TEST = _rows(36, 0), _rows(15, 1)
ODD = ["", " \t\n", "\u200b\u200f", "NA", "0", "free\x00prize", "=1+1", "😀" * 40, "\u2028"]
MEGABYTES = ["".join(random.Random(2).choices("abcdefghij0123456789", k=1 << 20)), "free prize " * 95_000]


@pytest.fixture(scope="module")
def external_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = list(dict.fromkeys([*TRAIN.texts, *TEST.texts, *ODD, *MEGABYTES]))
    table = np.random.default_rng(0).dirichlet([1, 1, 1], len(texts))
    file = tmp_path_factory.mktemp("external") / "predictions.parquet"
    pq.write_table(pa.table({"text": texts} | {c: table[:, k] for k, c in enumerate(CLASSES)}), file)
    return file


@pytest.fixture(scope="module", params=sorted(PLAIN))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def made_from(name, request):
    plain = copy.deepcopy(PLAIN[name])
    if plain.get("encoder") == "${encoder}":
        folder = request.getfixturevalue("tiny_model")
        plain["encoder"] = {"_target_": "crossover.model.encoder.encoder.Encoder", "name": str(folder)}
        plain["encoder"]["max_length"] = 32
    if name == "external":
        plain["path"] = str(request.getfixturevalue("external_file"))
    takes = inspect.signature(resolve(plain["_target_"])).parameters
    plain |= {key: value for key, value in QUICK.items() if key in takes}
    return part(plain, "model")


@pytest.fixture(scope="module")
def atol(name) -> float:
    """What may differ between orders and batches: nothing, or a float32 rounding where torch computes."""
    return 1e-6 if "encoder" in PLAIN[name] else 0.0


def fitted_anew(made_from, rows=TRAIN, *, meta=True, validation=None, seed=3):
    model = build(made_from, seed=seed, order_seed=seed)
    return model.fit(rows.texts, rows.labels, CLASSES, validation, rows.meta if meta else None)


@pytest.fixture(scope="module")
def fitted(made_from):
    return fitted_anew(made_from)


def generators():
    """State of Python's and NumPy's global generators, which no model may read or move."""
    _, words, position, *_ = np.random.get_state()  # noqa: NPY002
    return random.getstate(), words.tolist(), position


def proper(probabilities, rows: int) -> None:
    assert probabilities.shape == (rows, len(CLASSES))
    assert probabilities.dtype == np.float64
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_its_yaml_binds_and_nothing_is_learned_before_fit(name, made_from):
    assert made_from.name == PLAIN[name]["_target_"].split(".")[-2]
    model = build(made_from, seed=3)
    assert [key for key in vars(model) if key.endswith("_")] == []
    assert model.seed == 3 and "seed" not in made_from.settings
    for setting, values in model.search_space.items():
        for value in values:
            changed = made_from.with_settings(**{setting: value})
            assert getattr(build(changed), setting) == value


def test_a_setting_it_does_not_have_is_refused_by_name(made_from):
    with pytest.raises(BadInput, match="no_such_setting"):
        component(made_from.target, {**made_from.settings, "no_such_setting": 1})


def test_probabilities_have_a_column_a_class_and_sum_to_1(fitted):
    assert fitted.classes_ == CLASSES
    proper(fitted.predict_proba(TEST.texts, TEST.meta), len(TEST))
    assert fitted.predict_proba([], {"channel": []}).shape == (0, len(CLASSES))
    assert fitted.parameters_ >= 0 and isinstance(fitted.cost_, dict)


def test_fit_returns_self(made_from):
    model = build(made_from)
    assert model.fit(TRAIN.texts, TRAIN.labels, CLASSES, None, TRAIN.meta) is model


def test_the_same_seed_gives_the_same_bits_whatever_the_global_generators_hold(made_from, fitted):
    first = fitted.predict_proba(TEST.texts, TEST.meta)
    np.random.seed(99)  # noqa: NPY002
    random.seed(99)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(99)
    # Meta that no setting names is optional, and changes nothing.
    again = fitted_anew(made_from, meta=False).predict_proba(TEST.texts)
    np.testing.assert_array_equal(first, again)


def test_fitting_and_predicting_leave_the_global_generators_alone(made_from):
    before = generators()
    fitted_anew(made_from).predict_proba(TEST.texts)
    assert generators() == before


def test_a_prediction_depends_on_its_own_text_only(fitted, atol):
    whole = fitted.predict_proba(TEST.texts)
    order = np.random.default_rng(0).permutation(len(TEST))
    mixed = fitted.predict_proba([TEST.texts[k] for k in order])
    np.testing.assert_allclose(mixed, whole[order], rtol=0, atol=atol)
    alone = fitted.predict_proba([TEST.texts[4]])
    np.testing.assert_allclose(alone[0], whole[4], rtol=0, atol=atol)


def test_the_order_of_training_rows_does_not_matter_where_promised(name, made_from, fitted):
    if name not in IGNORES_TRAINING_ORDER:
        pytest.skip(f"{name} makes no promise about the order of training rows")
    mixed = TRAIN.take(np.random.default_rng(1).permutation(len(TRAIN)))
    other = fitted_anew(made_from, mixed).predict_proba(TEST.texts)
    np.testing.assert_allclose(
        other, fitted.predict_proba(TEST.texts), rtol=0, atol=IGNORES_TRAINING_ORDER[name]
    )


def test_inputs_are_left_as_they_were(made_from):
    rows, classes = copy.deepcopy(TRAIN), list(CLASSES)
    settings = copy.deepcopy(made_from.to_json())
    model = build(made_from).fit(rows.texts, rows.labels, classes, None, rows.meta)
    model.predict_proba(rows.texts, rows.meta)
    assert (rows.texts, rows.labels, dict(rows.meta)) == (TRAIN.texts, TRAIN.labels, dict(TRAIN.meta))
    assert classes == list(CLASSES) and made_from.to_json() == settings


def test_unfitted_it_refuses(made_from):
    model = build(made_from)
    for call in (lambda: model.predict_proba(["free prize"]), model.state):
        with pytest.raises(BadInput, match="not fitted"):
            call()


def test_a_saved_model_predicts_the_same_bits(made_from, fitted, tmp_path):
    save(fitted, made_from, tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.classes_ == CLASSES and again.parameters_ == fitted.parameters_
    texts = [*TEST.texts, *ODD]
    np.testing.assert_array_equal(again.predict_proba(texts), fitted.predict_proba(texts))
    assert {file.suffix for file in (tmp_path / "model").rglob("*") if file.is_file()} <= {
        ".json",
        ".safetensors",
    }


def test_a_class_missing_from_train_gets_0(name, made_from):
    rows = TRAIN.take([k for k, label in enumerate(TRAIN.labels) if label != "news"])
    probabilities = fitted_anew(made_from, rows).predict_proba(TEST.texts)
    proper(probabilities, len(TEST))
    assert (probabilities[:, 1] == 0).all() == (name not in LEARNS_NOTHING)


def test_one_class_in_train_is_refused_where_two_are_needed(name, made_from):
    rows = TRAIN.take([k for k, label in enumerate(TRAIN.labels) if label == "ham"])
    if name in NEEDS_NO_SECOND_CLASS:
        proper(fitted_anew(made_from, rows).predict_proba(TEST.texts), len(TEST))
    else:
        with pytest.raises(BadInput, match="'ham'"):
            fitted_anew(made_from, rows)


def test_labels_outside_the_classes_and_no_rows_at_all_are_refused(made_from):
    with pytest.raises(BadInput, match="Spam"):
        build(made_from).fit(["a b", "c d", "e f"], ["ham", "Spam", "spam"], CLASSES)
    with pytest.raises(BadInput, match="0 texts"):
        build(made_from).fit([], [], CLASSES)


def test_odd_and_empty_texts_complete_in_train_and_in_test(made_from, fitted):
    proper(fitted.predict_proba(ODD), len(ODD))
    rows = Rows([*TRAIN.texts, *ODD], [*TRAIN.labels, *(CLASSES[k % 3] for k in range(len(ODD)))])
    proper(fitted_anew(made_from, rows).predict_proba([*TEST.texts, *ODD]), len(TEST) + len(ODD))


@pytest.mark.parametrize("text", ["", TRAIN.texts[0]], ids=["empty", "one text"])
def test_training_rows_that_are_all_alike_give_one_answer_for_them(made_from, text):
    rows = Rows([text] * 12, ["ham", "ham", "spam", "news"] * 3)
    probabilities = fitted_anew(made_from, rows).predict_proba([text, text, TEST.texts[0]])
    proper(probabilities, 3)
    np.testing.assert_array_equal(probabilities[0], probabilities[1])


def test_a_megabyte_of_text_takes_under_5_seconds(fitted):
    for text in MEGABYTES:
        start = time.process_time()
        proper(fitted.predict_proba([text]), 1)
        assert time.process_time() - start < 5


def test_a_megabyte_among_the_training_rows_completes(made_from):
    rows = Rows([*TRAIN.texts, *MEGABYTES], [*TRAIN.labels, "ham", "spam"])
    proper(fitted_anew(made_from, rows).predict_proba(TEST.texts), len(TEST))


def test_validation_rows_are_read_only_by_a_model_that_says_so(made_from, fitted):
    validation = TEST.take(range(9))
    model = fitted_anew(made_from, validation=validation)
    made_from.with_settings(**model.selected_)
    probabilities = model.predict_proba(TEST.texts)
    proper(probabilities, len(TEST))
    if not model.wants_validation:
        np.testing.assert_array_equal(probabilities, fitted.predict_proba(TEST.texts))


def test_trials_fitted_together_predict_as_fitted_alone_and_in_their_order(name, made_from, atol):
    each = trial_settings(build(made_from).search_space, 3, seed=1)
    trials, alone = (
        [build(made_from.with_settings(**settings), seed=3, order_seed=3) for settings in each]
        for _ in range(2)
    )
    together = list(trials[0].fit_each(iter(trials), TRAIN, CLASSES, TEST))
    assert [model for model, _ in together] == trials
    for (_, outcome), (_, expected) in zip(together, one_by_one(alone, TRAIN, CLASSES, TEST), strict=True):
        proper(outcome, len(TEST))
        np.testing.assert_allclose(outcome, expected, rtol=0, atol=SHARES_A_PATH.get(name, atol))


def test_a_word_that_held_out_rows_alone_hold_changes_nothing_that_was_fitted(
    name, made_from, atol, tmp_path
):
    """Vocabulary, idf, scaling, temperature, tuning: in a whole run all of it sees its own fold alone."""
    if name == "external":
        pytest.skip("another system's predictions: what it was fitted on cannot be seen from here")
    card = Card("made for tests", "seeded", "none needed", "2026", "nobody")
    ids = [f"r{k:02d}" for k in range(len(TRAIN) + 24)]
    parts = {"train": ids[:36], "select": ids[36:42], "calibrate": ids[42:48], "test": ids[48:]}
    held, found = _rows(24, 4), []
    for canary in (False, True):
        texts, labels = [*TRAIN.texts, *held.texts], [*TRAIN.labels, *held.labels]
        if canary:  # all but the first four test rows
            for row in [*range(36, 48), *range(52, len(ids))]:
                texts[row], labels[row] = "canary " * (3 + row), CLASSES[row % 2]
        channel = [*TRAIN.meta["channel"], *held.meta["channel"]]
        corpus = Corpus.from_columns("fold", texts, labels, card, ids, {"channel": ("category", channel)})
        split = Split(corpus.fingerprint, {part: tuple(of) for part, of in parts.items()})
        store = Store(tmp_path / str(canary))
        store.save_corpus(corpus)
        store.save_split(split)
        record = experiment.run(RunSpec(corpus.fingerprint, split.fingerprint, made_from, budget=2), store)
        found.append(record.predictions.rows([*parts["train"], *parts["test"][:4]]).probabilities)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=atol)


def test_importing_the_models_loads_no_torch():
    modules = sorted({plain["_target_"].rsplit(".", 1)[0] for plain in PLAIN.values()})
    code = (
        f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
