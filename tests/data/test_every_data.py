"""Every conf/data/*.yaml: it binds, loads, holds its facts, and its fingerprint sees every cell."""

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from crossover.data.corpus import META_KINDS, Corpus
from crossover.protocol.component import build, component

CONF = Path(__file__).parents[2] / "conf" / "data"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
PARTS = {"banking77": {"train": "train", "test": "test"}, "sst2": {"train": "train", "test": "dev"}}
TIMES = {"enron_spam": 6.0}
"""Seconds of CPU that loading and fingerprinting may take, where that is a promise."""
INBOX = {"ad_spam": 3129, "drug_spam": 3220, "good": 7151, "loan_spam": 3316, "phishing": 3184}
OPEN = {
    "table_file": ("own", {"rows": 60, "labels": {"a": 30, "b": 30}}),
    "inbox": ("inbox", {"rows": 20_000, "labels": INBOX}),
}
"""Corpora whose yaml states no facts, their size being the user's: name and facts as they load here."""

_corpora: dict[str, tuple[Corpus, float]] = {}


def settings_of(name):
    settings = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    settings.pop("defaults", None)  # Hydra's list of the flaws, each of strength 0
    return settings


def loaded(name, tmp_path_factory):
    """The corpus of this yaml and the CPU seconds it took, read once."""
    if name in _corpora:
        return _corpora[name]
    settings = settings_of(name)
    if name == "table_file":
        file = tmp_path_factory.mktemp("data") / "own.csv"
        file.write_text("text,label\n" + "".join(f"text {k},{'ab'[k % 2]}\n" for k in range(60)))
        settings["path"] = str(file)
    elif "path" in settings:
        folder = os.environ.get("CROSSOVER_DATA")
        if not folder:
            pytest.skip("CROSSOVER_DATA does not name the folder of data sets")
        files = {part: f"{folder}/{name}_{end}.parquet" for part, end in PARTS.get(name, {}).items()}
        settings["path"] = files or f"{folder}/{name}.parquet"
    begun = time.process_time()
    corpus = build(component(settings.pop("_target_"), settings)).load()
    assert corpus.fingerprint
    _corpora[name] = corpus, time.process_time() - begun
    return _corpora[name]


@pytest.fixture(params=[pytest.param(n, marks=pytest.mark.slow) if n == "docstrings" else n for n in NAMES])
def corpus(request, tmp_path_factory):
    return loaded(request.param, tmp_path_factory)[0]


def test_the_facts_of_its_yaml_hold(corpus):
    open_ones = dict(OPEN.values())
    stated = open_ones[corpus.name] if corpus.name in open_ones else settings_of(corpus.name)["expect"]
    if any("not checked" in note for note in corpus.card.notes):
        pytest.skip(corpus.card.notes[-1])
    assert stated["rows"] == len(corpus)
    assert {name: corpus.labels.count(name) for name in corpus.classes} == stated["labels"]


@pytest.mark.parametrize("name", OPEN)
def test_a_yaml_of_any_size_states_no_facts(name):
    assert settings_of(name)["expect"] is None


def test_ids_are_unique_and_texts_are_there(corpus):
    assert len(set(corpus.ids)) == len(corpus)
    assert None not in corpus.texts
    assert sum(bool(text.strip()) for text in corpus.texts) > 0.99 * len(corpus)


def test_the_card_is_complete(corpus):
    card = corpus.card
    unknown = [
        f for f in ("source", "sampling", "licence", "dates", "population") if getattr(card, f) == "unknown"
    ]
    assert unknown == ([] if corpus.name != "own" else ["sampling", "licence", "dates", "population"])
    assert type(card).from_json(card.to_json()) == card


def test_meta_columns_are_of_a_known_kind_and_hold_something(corpus):
    for column, kind in corpus.meta.items():
        assert kind in META_KINDS
        values = corpus.meta_values(column)
        assert len(set(values) - {None}) > 1, f"{column} never varies"
        if kind == "time":
            assert all(value is None or value.endswith("+00:00") for value in values)


def test_row_order_does_not_change_the_fingerprint(corpus):
    small = corpus.select(corpus.ids[:50])
    assert small.select(small.ids[::-1]).fingerprint == small.fingerprint


def test_a_change_of_any_cell_changes_the_fingerprint(corpus):
    small = corpus.select(corpus.ids[:3] + corpus.ids[-2:])
    seen = {small.fingerprint}
    for column in small.table.column_names:
        for row in range(len(small)):
            values = small.table[column].to_pylist()
            values[row] = 1e9 if corpus.meta.get(column) == "number" else f"{values[row]}."
            place = small.table.column_names.index(column)
            changed = pa.array(values, small.table.schema.field(column).type)
            table = small.table.set_column(place, column, changed)
            seen.add(Corpus(small.name, table, small.card, small.meta).fingerprint)
    assert len(seen) == 1 + len(small) * len(small.table.column_names)


@pytest.mark.parametrize("name", TIMES)
def test_reading_stays_within_its_time(name, tmp_path_factory):
    assert loaded(name, tmp_path_factory)[1] < TIMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_its_header_says_what_it_is_and_the_command(name):
    head = [
        line
        for line in (CONF / f"{name}.yaml").read_text(encoding="utf-8").split("\n")
        if line.startswith("#")
    ]
    assert any(f"python scripts/study.py study=crossover data={name}" in line for line in head)
