"""A stored run done again from its record alone: every method, and everything that may have changed."""

import copy
import inspect
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from toy import bayes, logistic, toy_corpus, toy_store

from crossover import experiment, reproduce
from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import sealed
from crossover.model.runtime import Runtime
from crossover.protocol.component import Component, resolve
from crossover.protocol.configured import part
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.reproduction import DIFFERENT, IDENTICAL, WITHIN
from crossover.record.store import Store
from crossover.split.nested_subsets import Subset

CONF = Path(__file__).resolve().parents[1] / "conf" / "model"
PLAIN = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(CONF.glob("*.yaml"))}
SHORT = {"min_steps": 10, "max_steps": 10, "epochs": 1, "batch_size": 8}
ONE = Runtime(threads=1)


def model_of(name: str, tiny_model: Path, folder: Path) -> Component:
    """The published settings of a model, on the tiny encoder and for ten steps."""
    plain = copy.deepcopy(PLAIN[name])
    if plain.get("encoder") == "${encoder}":
        encoder = {"name": str(tiny_model), "max_length": 32}
        plain["encoder"] = {"_target_": "crossover.model.encoder.encoder.Encoder", **encoder}
    if name == "external":
        texts = list(dict.fromkeys(toy_corpus(120).texts))
        spam = np.random.default_rng(0).random(len(texts))
        plain["path"] = str(folder / "external.parquet")
        pq.write_table(pa.table({"text": texts, "good": 1 - spam, "spam": spam}), plain["path"])
    if name == "rules":
        plain["default"] = "good"
    takes = inspect.signature(resolve(plain["_target_"])).parameters
    return part(plain | {key: value for key, value in SHORT.items() if key in takes}, "model")


def stored(folder: Path, model: Component, seed: int = 0):
    store, corpus, split = toy_store(folder / "store", 120)
    spec = RunSpec(
        corpus.fingerprint, split.fingerprint, model, Subset("natural", 30, 0), seeds=Seeds(seed, 7)
    )
    return store, experiment.run(spec, store, ONE)


def edited(store: Store, digest: str, **environment: object):
    """The stored run, as if it had been made in another environment."""
    file = store.root / "runs" / digest / "record.json"
    plain = json.loads(file.read_text())
    for name, value in environment.items():
        found = plain["environment"][name]
        plain["environment"][name] = {**found, **value} if isinstance(found, dict) else value
    file.write_bytes(sealed(plain))
    return store.run(digest)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_one_result_of_each_method_is_reproduced_to_the_bit(
    name: str, tmp_path: Path, tiny_model: Path
) -> None:
    store, record = stored(tmp_path, model_of(name, tiny_model, tmp_path), 3)
    found = reproduce.again(store.run(record.digest), store)
    assert (found.kind, found.environment, found.parting) == (IDENTICAL, (), None)
    assert found.same_predictions and {score.difference for score in found.scores} <= {0.0, None}


def test_nothing_of_the_store_is_touched_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    store, record = stored(tmp_path, bayes())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    reproduce.again(record, store)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_the_run_is_done_again_and_not_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, record = stored(tmp_path, bayes())
    fitted = []
    original = experiment.build
    monkeypatch.setattr(experiment, "build", lambda *a, **k: fitted.append(a) or original(*a, **k))
    reproduce.again(record, store)
    assert fitted


def test_an_edited_row_is_refused_by_the_name_of_its_corpus(tmp_path: Path) -> None:
    store, record = stored(tmp_path, bayes())
    file = store.root / "corpora" / record.spec.corpus / "corpus.parquet"
    table = pq.read_table(file)
    texts = table["text"].to_pylist()
    texts[5] += " edited"
    pq.write_table(table.set_column(table.column_names.index("text"), "text", pa.array(texts)), file)
    with pytest.raises(BadInput, match=rf"{record.spec.corpus}.*damaged"):
        reproduce.again(record, store)


@pytest.mark.parametrize(("kind", "say"), [("corpora", "no corpus"), ("splits", "no split")])
def test_what_is_gone_is_named(kind: str, say: str, tmp_path: Path) -> None:
    store, record = stored(tmp_path, bayes())
    (folder,) = (store.root / kind).iterdir()
    folder.rename(tmp_path / "gone")
    with pytest.raises(BadInput, match=say):
        reproduce.again(record, store)


def test_other_weights_are_refused_by_their_hash_before_anything_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_models import make_tiny

    folder = make_tiny(tmp_path / "encoder")
    store, record = stored(tmp_path, model_of("probe", folder, tmp_path))
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    monkeypatch.setattr(experiment, "run", lambda *a, **k: pytest.fail("fitted"))
    with pytest.raises(BadInput, match=r"weights_sha256 is now [0-9a-f]{16}.*the record names [0-9a-f]{16}"):
        reproduce.again(record, store)


def test_another_predictions_file_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    store, record = stored(tmp_path, model_of("external", tiny_model, tmp_path))
    file = tmp_path / "external.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(BadInput, match=r"external\.parquet: its sha256 is now"):
        reproduce.again(record, store)


def test_another_behaviour_version_is_refused(tmp_path: Path) -> None:
    store, record = stored(tmp_path, bayes())
    older = replace(record, spec=replace(record.spec, model=replace(record.spec.model, version=9)))
    with pytest.raises(BadInput, match="behaviour version"):
        reproduce.again(older, store)


def test_another_version_of_a_package_is_listed_and_equal_bits_are_still_called_identical(
    tmp_path: Path,
) -> None:
    store, record = stored(tmp_path, logistic())
    record = edited(store, record.digest, versions={"numpy": "1.0.0", "wandb": "0.1"})
    found = reproduce.again(record, store)
    assert [(name, then) for name, then, _ in found.environment] == [("versions.numpy", "1.0.0")]
    assert found.kind == IDENTICAL and "another environment" in found.why


def test_other_numbers_under_another_version_are_within_tolerance_and_under_the_same_they_are_different(
    tmp_path: Path,
) -> None:
    store, record = stored(tmp_path, logistic())
    file = store.root / "runs" / record.digest / "record.json"
    plain = json.loads(file.read_text())
    plain["scores"]["log_loss"]["value"] += 1e-9
    file.write_bytes(sealed(plain))
    found = reproduce.again(store.run(record.digest), store)
    assert found.kind == DIFFERENT and found.why == "the same environment, but other bits: log_loss"
    found = reproduce.again(edited(store, record.digest, versions={"numpy": "1.0.0"}), store)
    assert found.kind == WITHIN
    assert {s.name: s.kind for s in found.scores}["log_loss"] == WITHIN


def test_other_threads_are_another_environment_and_the_record_s_are_taken_by_default(
    tmp_path: Path, tiny_model: Path
) -> None:
    """A tiny network on one thread and on two: equal or not, never judged as the same environment."""
    store, record = stored(tmp_path, model_of("finetune", tiny_model, tmp_path))
    assert {count for count in record.environment["threads"].values() if isinstance(count, int)} == {1}
    assert reproduce.again(record, store).environment == ()
    found = reproduce.again(record, store, threads=2)
    assert ("threads.torch", "1", "2") in found.environment
    assert found.kind in (IDENTICAL, WITHIN) or "beyond the tolerance" in found.why


def test_an_audit_runs_twice_in_fresh_processes_that_hash_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, record = stored(tmp_path, logistic())
    seen, original = [], reproduce.subprocess.run
    monkeypatch.setattr(
        reproduce.subprocess,
        "run",
        lambda *a, **k: seen.append(k["env"]["PYTHONHASHSEED"]) or original(*a, **k),
    )
    found = reproduce.audit(record, store)
    assert seen == ["0", "123"]
    assert (found.kind, found.environment) == (IDENTICAL, ())
    assert len(found.scores) == len(record.scores)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_run_that_fails_this_time_is_different_and_says_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, record = stored(tmp_path, bayes())

    def diverge(*_: object, **__: object) -> None:
        raise FloatingPointError("training diverged at step 3")

    monkeypatch.setattr(experiment, "run", diverge)
    found = reproduce.again(record, store)
    assert found.kind == DIFFERENT and "diverged at step 3" in found.why
