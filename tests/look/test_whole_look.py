"""The whole look: plain values, one family, the same whatever the order, and quick."""

import json
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.data.flaw.campaign import Campaign
from crossover.data.flaw.label_noise import LabelNoise
from crossover.data.flaw.spike import Spike
from crossover.data.inbox import Inbox
from crossover.look.whole_look import look_over

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def test_a_clean_inbox_gives_no_warning_and_every_test_is_of_the_family() -> None:
    looked = look_over(Inbox(rows=600, seed=0).load())
    assert [one.code for one in looked.findings if one.severity != "info"] == []
    tested = [one for one in looked.findings if one.p_value is not None]
    assert len(tested) >= 10 and all("p_holm" in one.evidence for one in tested)
    json.dumps(looked.to_json(), allow_nan=False)


def test_the_order_of_the_rows_matters_to_the_finding_about_it_alone() -> None:
    flaw = {
        "spike": Spike(strength=0.8),
        "campaign": Campaign(strength=0.2),
        "noise": LabelNoise(strength=0.1),
    }
    corpus = Inbox(rows=600, seed=1, flaw=flaw).load()
    order = np.random.default_rng(0).permutation(len(corpus))
    mixed = replace(corpus, table=corpus.table.take(pa.array(order)))
    one, other = look_over(corpus).to_json(), look_over(mixed).to_json()
    for look in (one, other):
        look["findings"] = [
            {**f, "evidence": {k: v for k, v in f["evidence"].items() if k != "first"}}
            for f in look["findings"]
            if "order" not in f["code"]
        ]
    assert json.loads(json.dumps(one), parse_float=lambda x: round(float(x), 9)) == json.loads(
        json.dumps(other), parse_float=lambda x: round(float(x), 9)
    )


def test_what_is_planted_is_seen_clusters_and_values_against_each_other_are_there() -> None:
    flaw = {
        "spike": Spike(strength=0.8),
        "campaign": Campaign(strength=0.2),
        "noise": LabelNoise(strength=0.1),
    }
    told = []
    looked = look_over(
        Inbox(rows=1000, seed=1, flaw=flaw).load(), against={"region": ("europe", "africa")},
        on_progress=lambda done, of, what: told.append((done, of, what)),
    )  # fmt: skip
    codes = {one.code: one for one in looked.findings if one.severity == "warning"}
    assert codes["word-spike-time"].evidence["word"] == "equinox"
    assert {"duplicates-near", "label-conflict-near"} <= set(codes)
    sizes = [one.rows for one in looked.clusters]
    assert sizes == sorted(sizes, reverse=True) and sum(sizes) == len(looked.cluster_of)
    first = looked.clusters[0]
    assert sum(first.labels.values()) == first.rows and looked.cluster_of[first.first[0]] == first.name
    assert {one.by for one in looked.contrasts} == {"region"} and len(looked.contrasts) == 9 + 5
    assert told and all(0 <= done <= of for done, of, _ in told) and told[-1][0] == told[-1][1]


def test_an_empty_and_a_tiny_corpus_are_looked_at() -> None:
    empty = Corpus.from_columns("made", [], [], CARD)
    assert [one.code for one in look_over(empty).findings] == ["no-rows"]
    tiny = Corpus.from_columns(
        "made", ["", "a"], ["x", None], CARD, None,
        {"t": ("time", [None, "2024-01-01"]), "n": ("number", [None, 1.0]), "c": ("category", [None, "v"])},
    )  # fmt: skip
    json.dumps(look_over(tiny).to_json(), allow_nan=False)


def test_a_value_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="atlantis"):
        look_over(Inbox(rows=50).load(), against={"region": ("europe", "atlantis")})


def test_sms_spam_takes_seconds(data_folder) -> None:
    table = pq.read_table(data_folder / "sms_spam.parquet")
    corpus = Corpus.from_columns("sms", table["text"].to_pylist(), table["label"].to_pylist(), CARD)
    look_over(Inbox(rows=50).load())
    began = time.process_time()
    looked = look_over(corpus)
    assert time.process_time() - began < 6
    assert sum(one.rows for one in looked.clusters) == 1074
    assert "call" in [word.word for word in looked.vocabulary["spam"][:5]]
