"""The store: whole or absent, verified on reading, safe for two writers."""

import json
import multiprocessing
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from planted_rows import flaw_of, plain, planted
from toy import bayes, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import sealed, unsealed
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset


def finished(folder: Path):
    store, corpus, split = toy_store(folder, 200)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 30, 0))
    return store, corpus, split, experiment.run(spec, store)


def test_what_is_kept_comes_back_equal(tmp_path: Path) -> None:
    store, corpus, split, record = finished(tmp_path)
    assert store.corpus(corpus.fingerprint).table.equals(corpus.table)
    assert store.corpus(corpus.fingerprint).card == corpus.card
    assert store.split(split.fingerprint).to_json() == split.to_json()
    again = next(store.runs())
    assert again.to_json() == record.to_json() and again.spec == record.spec


def test_damage_is_noticed_and_named(tmp_path: Path) -> None:
    store, _, split, record = finished(tmp_path)
    file = record.path / "predictions.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(BadInput, match=r"predictions\.parquet.*SHA-256"):
        _ = store.run(record.digest).predictions
    file = tmp_path / "splits" / split.fingerprint / "split.json"
    plain = json.loads(file.read_text())
    plain["parts"]["train"].append(plain["parts"]["test"].pop())
    file.write_text(json.dumps(plain))
    with pytest.raises(BadInput, match="split again"):
        store.split(split.fingerprint)
    (tmp_path / "runs" / record.digest / "record.json").write_text("{")
    with pytest.raises(BadInput, match=r"record\.json cannot be read"):
        store.run(record.digest)


def test_an_edited_spec_no_longer_carries_its_name(tmp_path: Path) -> None:
    store, _, _, record = finished(tmp_path)
    file = record.path / "record.json"
    plain = json.loads(file.read_text())
    plain["spec"]["budget"] = 7
    file.write_bytes(sealed(plain))
    with pytest.raises(BadInput, match="hashes to"):
        store.run(record.digest)
    plain["spec"]["metric"] = "${oc.env:HOME}"
    file.write_bytes(sealed(plain))
    with pytest.raises(BadInput, match="interpolation"):
        store.run(record.digest)


def test_a_newer_schema_is_refused_by_number(tmp_path: Path) -> None:
    store, _, _, record = finished(tmp_path)
    file = record.path / "record.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 99}))
    with pytest.raises(BadInput, match="schema 99"):
        store.run(record.digest)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_store(tmp_path, 60)
    record_files = set((tmp_path / "runs").rglob("*"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    *_, record = finished(tmp_path / "other")
    target = Store(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="nothing was left there"):
        target.commit_run(record, b"")
    assert set((tmp_path / "runs").rglob("*")) == record_files


def test_a_store_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="store="):
        Store(tmp_path / "file")


def _run(folder: str, barrier) -> None:
    store, corpus, split = toy_store(Path(folder), 200)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 30, 0))
    barrier.wait(60)
    experiment.run(spec, store)


def test_two_writers_of_one_digest_leave_one_whole_run(tmp_path: Path) -> None:
    toy_store(tmp_path, 200)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_run, args=(str(tmp_path), barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert len(list(Store(tmp_path).runs())) == 1
    assert [p.name for p in (tmp_path / "runs").iterdir() if p.name.startswith(".")] == []
    assert len(next(Store(tmp_path).runs()).predictions) > 0


def test_what_was_planted_is_kept_beside_the_corpus_and_never_read_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    flaws = {name: flaw_of(name, strength=0.3) for name in ("label_noise", "meta_columns", "vitamin")}
    corpus = planted("inbox", flaws, 200)
    assert corpus.truth is not None
    folder = tmp_path / "corpora" / store.save_corpus(corpus)
    file = folder / f"truth-{corpus.truth.digest}.parquet"
    assert {path.name for path in folder.iterdir()} == {
        "corpus.json", "corpus.parquet", file.name, file.with_suffix(".json").name
    }  # fmt: skip
    assert pq.read_table(file).equals(corpus.truth.table)
    assert unsealed(file.with_suffix(".json"), "")["flaws"] == corpus.truth.to_json()
    again = store.corpus(corpus.fingerprint)
    assert again.truth is None and again.table.equals(corpus.table)
    assert set(unsealed(folder / "corpus.json", "")) == {"name", "meta", "card", "table_sha256"}
    written = file.stat().st_mtime_ns
    store.save_corpus(corpus)
    assert file.stat().st_mtime_ns == written, "what is kept is not written again"


def test_two_ways_of_planting_that_end_in_the_same_rows_are_both_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fingerprint = store.save_corpus(plain("inbox"))
    stripped = [
        planted("inbox", {"footer": flaw_of("footer", strength=strength, stripped=True)})
        for strength in (0.2, 0.4)
    ]
    assert {store.save_corpus(corpus) for corpus in stripped} == {fingerprint}
    kept = {path.stem for path in (tmp_path / "corpora" / fingerprint).glob("truth-*.parquet")}
    assert kept == {f"truth-{corpus.truth.digest}" for corpus in stripped if corpus.truth} and len(kept) == 2


def test_nothing_planted_leaves_no_truth(tmp_path: Path) -> None:
    corpus = planted("inbox", {"footer": flaw_of("footer")}, 50)
    assert corpus.truth is not None
    folder = tmp_path / "corpora" / Store(tmp_path).save_corpus(corpus)
    assert {path.name for path in folder.iterdir()} == {"corpus.json", "corpus.parquet"}
