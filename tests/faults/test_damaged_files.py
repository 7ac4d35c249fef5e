"""F12, F13, F21: a file that is cut short, gone, flipped by a bit or of another schema is noticed and named.

What the program can make again, it makes again and says so (embedding cache); what it cannot, it refuses
before anything is fitted. Fitted blocks and matrices of features live in memory or in nameless files: there
is no file of theirs that could be damaged.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faults.planned import KILLS
from planted_rows import flaw_of, planted
from toy import bayes, logistic, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.data.corpus_file import write_corpus
from crossover.data.inbox import META, Inbox
from crossover.data.sealed_json import SCHEMA, unsealed
from crossover.data.table_file import TableFile
from crossover.data.truth import Truth
from crossover.launch.attempt import keep_failure
from crossover.launch.in_process import InProcess
from crossover.model.classifier import load, save
from crossover.model.embedding_cache import EmbeddingCache
from crossover.model.encoder.encoder import Encoder
from crossover.model.naive_bayes import NaiveBayes
from crossover.protocol.hypothesis import Hypothesis
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record import ledger
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.study_report import publish
from crossover.report.verdict_page import stored_verdict
from crossover.study.compare import CompareStudy
from crossover.study.plan import needs
from crossover.study.registered import register
from crossover.study.study import run

pytestmark = pytest.mark.fault
Tally = Callable[..., None]
FLIPS = 8 * KILLS


@dataclass
class Kept:
    """A store with one of everything, and how each file of it is read."""

    store: Store
    study: CompareStudy
    files: dict[str, Path]
    reads: dict[str, Callable[[], object]]

    @property
    def refused(self) -> Callable[[str], None]:
        def refused(name: str) -> None:
            file = self.files[name]
            with pytest.raises(BadInput) as told:
                self.reads[name]()
            assert file.name in str(told.value) or str(file.parent) in str(told.value), told.value

        return refused


NAMES = (
    "record", "predictions", "split", "corpus", "corpus card", "plan", "verdict", "hypothesis", "failure",
    "look", "model", "model arrays",
)  # fmt: skip
JSON = tuple(name for name in NAMES if name not in ("predictions", "corpus", "model arrays"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    root = tmp_path_factory.mktemp("kept")
    store, corpus, split = toy_store(root / "store", 200)
    study = CompareStudy(corpus, split, {"bayes": bayes(), "tfidf": logistic()}, seeds=1)
    register(Hypothesis("bayes", "tfidf"), study, store)
    result = run(study, InProcess(), store)
    publish(result, study, store, "python scripts/study.py study=compare", WandbMirror("disabled"))
    digest = next(iter(result.records))
    spec = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), seeds=Seeds(77))
    keep_failure(spec, store, "RuntimeError", "on purpose")
    model = NaiveBayes().fit(corpus.texts, corpus.labels, corpus.classes)
    save(model, bayes(), root / "model")
    folder, studied = store.root / "runs" / digest, store.root / "studies" / result.name
    files = {
        "record": folder / "record.json",
        "predictions": folder / "predictions.parquet",
        "split": store.root / "splits" / split.fingerprint / "split.json",
        "corpus": store.root / "corpora" / corpus.fingerprint / "corpus.parquet",
        "corpus card": store.root / "corpora" / corpus.fingerprint / "corpus.json",
        "plan": studied / "plan.json",
        "verdict": studied / "verdict.json",
        "hypothesis": studied / "hypothesis.json",
        "failure": store.root / "failed" / f"{spec.digest}-1" / "failure.json",
        "look": store.root / "test_reads" / split.test_fingerprint / f"{result.name}.json",
        "model": root / "model" / "model.json",
        "model arrays": root / "model" / "arrays.safetensors",
    }
    reads: dict[str, Callable[[], object]] = {
        "record": lambda: store.run(digest),
        "predictions": lambda: store.run(digest).predictions,
        "split": lambda: store.split(split.fingerprint),
        "corpus": lambda: store.corpus(corpus.fingerprint),
        "corpus card": lambda: store.corpus(corpus.fingerprint),
        "plan": lambda: needs(store, result.name),
        "verdict": lambda: stored_verdict(studied),
        "hypothesis": lambda: register(None, study, store),
        "failure": lambda: store.failed_runs(),
        "look": lambda: ledger.read_looks(store.root, split.test_fingerprint),
        "model": lambda: load(root / "model"),
        "model arrays": lambda: load(root / "model"),
    }
    for read in reads.values():
        read()
    return Kept(store, study, files, reads)


@pytest.fixture
def whole(kept: Kept) -> Iterator[Kept]:
    """The same, put right again afterwards."""
    before = {file: file.read_bytes() for file in kept.files.values()}
    yield kept
    for file, data in before.items():
        if not file.exists() or file.read_bytes() != data:
            file.write_bytes(data)


def flipped(data: bytes, times: int, seed: str) -> Iterator[bytes]:
    """The bytes with one bit flipped, so many times, at random places and at both ends."""
    draw = random.Random(seed)
    for k in range(times):
        at = {0: 0, 1: 8 * len(data) - 1}.get(k, draw.randrange(8 * len(data)))
        changed = bytearray(data)
        changed[at // 8] ^= 1 << (at % 8)
        yield bytes(changed)


@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_anywhere_is_noticed_and_the_file_named(name: str, whole: Kept, tally: Tally) -> None:
    file = whole.files[name]
    for data in flipped(file.read_bytes(), FLIPS, name):
        file.write_bytes(data)
        whole.refused(name)
        tally("F13")


NOT_MISSED = ("hypothesis", "look", "verdict")
"""Where one of these is gone, nobody can tell that it was made."""


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (name, damage)
        for name in NAMES
        for damage in ("cut", "empty", "deleted", "other")
        if damage != "deleted" or name not in NOT_MISSED
    ],
)
def test_a_file_cut_short_emptied_or_gone_is_noticed(
    name: str, damage: str, whole: Kept, tally: Tally
) -> None:
    file = whole.files[name]
    data = file.read_bytes()
    if damage == "deleted":
        file.unlink()
    else:
        file.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "other": b"[1, 2]"}[damage])
    whole.refused(name)
    tally("F12")


def test_a_digit_of_a_score_is_noticed_by_one_run_and_by_the_list(whole: Kept, tally: Tally) -> None:
    file = whole.files["record"]
    text = file.read_text(encoding="utf-8")
    plain = json.loads(text)
    score = repr(plain["scores"]["accuracy"]["value"])
    other = score[:-1] + ("1" if score[-1] != "1" else "2")
    file.write_text(text.replace(f'"value": {score}', f'"value": {other}'), encoding="utf-8")
    whole.refused("record")
    with pytest.raises(BadInput, match=r"record\.json.*edited or damaged: delete its folder and run again"):
        list(whole.store.plain_runs())
    tally("F13")


@pytest.mark.parametrize("name", ["record", "corpus", "split"])
def test_a_study_on_damaged_files_stops_before_anything_is_fitted(
    name: str, whole: Kept, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    file = whole.files[name]
    file.write_bytes(next(flipped(file.read_bytes(), 1, name)))
    experiment._data.cache_clear()
    monkeypatch.setattr(experiment, "_fit", lambda *_: pytest.fail("something was fitted"))
    before = whole.store.digests()
    wanted = CompareStudy(whole.study.corpus, whole.study.split, whole.study.arms, seeds=2)
    with pytest.raises(BadInput) as told:
        if name == "record":
            run(whole.study, InProcess(), whole.store)
        else:
            experiment.run(wanted.plan({})[-1], whole.store)
    assert file.name in str(told.value) and whole.store.digests() == before
    tally("F13")


def test_a_run_whose_record_is_gone_is_refused_and_not_computed_in_vain(
    whole: Kept, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    spec = whole.store.run(whole.files["record"].parent.name).spec
    whole.files["record"].unlink()
    monkeypatch.setattr(experiment, "_fit", lambda *_: pytest.fail("something was fitted"))
    with pytest.raises(BadInput, match=r"record\.json cannot be read .*delete its folder and run again"):
        experiment.run(spec, whole.store)
    tally("F12")


def vectors_of(texts: list[str]):
    vectors = np.array([[len(text), *text.encode()[:3]] for text in texts], np.float32).reshape(-1, 4)
    return vectors, np.ones(len(texts), np.int64), np.ones(len(texts))


def test_a_flipped_shard_is_said_once_and_its_vectors_are_computed_anew(tmp_path: Path, tally: Tally) -> None:
    texts = [f"{k:03} text" for k in range(50)]
    folder = tmp_path / "cache"
    expected, _ = EmbeddingCache(folder, {"a": 1}).vectors(texts, vectors_of)
    (shard,) = folder.glob("*.safetensors")
    data = shard.read_bytes()
    key = (folder / "key.json").read_bytes()
    for changed in (*flipped(data, FLIPS, "shard"), data[:-1], data[: len(data) // 2], b""):
        shard.write_bytes(changed)
        with pytest.warns(RuntimeWarning, match=rf"{shard.name} is damaged") as said:
            found, cost = EmbeddingCache(folder, {"a": 1}).vectors(texts, vectors_of)
        assert len(said) == 1 and cost["cached_rows"] == 0
        np.testing.assert_array_equal(found, expected)
        assert shard.read_bytes() == data, "computed anew, the same bytes have the same name"
        tally("F13" if len(changed) == len(data) else "F12")
    for changed in flipped(key, 2, "key"):
        (folder / "key.json").write_bytes(changed)  # for people to read; the folder's name is what counts
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, cost = EmbeddingCache(folder, {"a": 1}).vectors(texts, vectors_of)
        np.testing.assert_array_equal(found, expected)
        assert cost["cached_rows"] == 50
        tally("F13")


WEIGHTS = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")


@pytest.mark.parametrize("name", WEIGHTS)
def test_damaged_weights_or_tokenizer_of_a_pinned_encoder_are_refused(
    name: str, tiny_model: Path, tmp_path: Path, tally: Tally
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    encoder = Encoder(**Encoder.pin({"name": str(folder), "max_length": 16}))
    file = folder / name
    data, moment = file.read_bytes(), file.stat().st_mtime_ns
    changes = (*flipped(data, FLIPS, name), data[:-1], b"", None)
    for k, changed in enumerate(changes, 1):
        file.unlink(missing_ok=True)
        if changed is not None:
            file.write_bytes(changed)
            os.utime(file, ns=(moment + k, moment + k))  # faster than the file system's clock ticks
        with pytest.raises(BadInput) as told:
            encoder.encode(["free cash"])
        assert str(folder) in str(told.value)
        tally("F13" if changed and len(changed) == len(data) else "F12")
    file.write_bytes(data)
    assert encoder.encode(["free cash"])[0].shape == (1, 32)


def test_an_acquired_table_is_refused_or_read_as_it_was(tmp_path: Path, tally: Tally) -> None:
    """A flip in padding or in a statistic may leave the rows as they were: they are what is compared."""
    file = write_corpus(Inbox(60), tmp_path / "mail") / "corpus.parquet"

    def read() -> str:
        return TableFile(str(file), id="id", meta=META).load().fingerprint

    data, expected, noticed = file.read_bytes(), read(), 0
    for changed in flipped(data, FLIPS, "acquired"):
        file.write_bytes(changed)
        try:
            assert read() == expected
        except BadInput as error:
            assert "corpus.parquet" in str(error)
            noticed += 1
        tally("F13")
    assert noticed > FLIPS / 2


def test_the_truth_kept_beside_a_corpus_no_longer_carries_its_name(tmp_path: Path, tally: Tally) -> None:
    """A truth file is named by the digest of its cells and settings: whoever reads it can tell."""
    store = Store(tmp_path)
    corpus = planted("inbox", {"label_noise": flaw_of("label_noise", strength=0.3)}, 200)
    store.save_corpus(corpus)
    (file,) = tmp_path.glob("corpora/*/truth-*.parquet")
    settings = {
        name: flaw["settings"] for name, flaw in unsealed(file.with_suffix(".json"), "")["flaws"].items()
    }
    assert Truth(pq.read_table(file), settings).digest in file.stem
    data = file.read_bytes()
    for changed in flipped(data, FLIPS, "truth"):
        file.write_bytes(changed)
        try:
            table = pq.read_table(file)
            same = Truth(table, settings).digest in file.stem
            assert same == table.equals(corpus.truth.table)
        except (pa.ArrowException, OSError, KeyError, ValueError):
            pass
        tally("F13")
    plain = file.with_suffix(".json")
    data = plain.read_bytes()
    for changed in flipped(data, KILLS, "settings"):
        plain.write_bytes(changed)
        with pytest.raises(BadInput, match="truth-"):
            unsealed(plain, "plant again")
        tally("F13")


@pytest.mark.parametrize("name", JSON)
def test_a_file_of_a_newer_schema_is_refused_by_both_numbers_and_left_as_it_is(
    name: str, whole: Kept, tally: Tally
) -> None:
    file = whole.files[name]
    newer = file.read_bytes().replace(f'"schema": {SCHEMA}'.encode(), b'"schema": 7', 1)
    file.write_bytes(newer)
    with pytest.raises(BadInput, match=rf"schema 7, this version of crossover reads up to {SCHEMA}: update"):
        whole.reads[name]()
    assert file.read_bytes() == newer
    tally("F21")


@pytest.mark.parametrize("number", [{}, {"schema": 1}], ids=["without a number", "of schema 1"])
@pytest.mark.parametrize("name", JSON)
def test_a_file_of_the_first_schema_is_read_and_not_rewritten(
    name: str, number: dict[str, int], whole: Kept, tally: Tally
) -> None:
    file = whole.files[name]
    plain = unsealed(file, "")
    plain.pop("table_sha256", None)
    older = json.dumps({**number, **plain}).encode()
    file.write_bytes(older)
    whole.reads[name]()
    assert file.read_bytes() == older
    tally("F21")
