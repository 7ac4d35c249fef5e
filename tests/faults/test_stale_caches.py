"""F14, F25: vectors of another version or setting are never taken; a model that is not here is told.

Offline, a model in the hub's cache is used without one look at the network; one that is absent, partly
there or of another revision is refused before anything is fitted, with the command that fetches it.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands_given import SCRIPTS, environment, mail_rows, write_csv
from toy import toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.model import embedding_cache, runtime
from crossover.model.embedding_cache import EmbeddingCache, forget
from crossover.model.encoder.encoder import Encoder
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec
from crossover.split.nested_subsets import Subset

pytestmark = pytest.mark.fault
Tally = Callable[..., None]
REPO = "someone/some-model"
OLD, NEW = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
TEXTS = ["free cash now", "lunch tomorrow", "project report"]


@pytest.fixture
def own_copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def another_tokenizer(folder: Path, _: pytest.MonkeyPatch) -> None:
    file = folder / "tokenizer.json"
    plain = json.loads(file.read_text(encoding="utf-8"))
    plain["normalizer"]["lowercase"] = False
    file.write_text(json.dumps(plain), encoding="utf-8")


def another_revision(folder: Path, _: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / "model.safetensors")
    first = sorted(arrays)[0]
    arrays[first] = arrays[first] + np.float32(0.125)
    save_file(arrays, folder / "model.safetensors", {"format": "pt"})


def another_library(_: Path, patch: pytest.MonkeyPatch) -> None:
    found = embedding_cache.version
    patch.setattr(embedding_cache, "version", lambda name: "0.0.1" if name == "tokenizers" else found(name))


def another_program(_: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Encoder, "behaviour_version", Encoder.behaviour_version - 1)


def another_processor(_: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("ATEN_CPU_CAPABILITY", "default")


CHANGES = (another_tokenizer, another_revision, another_library, another_program, another_processor)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_after_a_change_at_the_same_path_no_vector_is_reused(
    change: Callable[..., None],
    own_copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tally: Tally,
) -> None:
    settings = {"name": str(own_copy), "max_length": 16}
    with runtime.use(runtime.Runtime(cache=tmp_path / "cache")):
        _, first = Encoder(**settings).encode(TEXTS)
        _, again = Encoder(**settings).encode(TEXTS)
        change(own_copy, monkeypatch)
        forget()
        vectors, cost = Encoder(**settings).encode(TEXTS)
    assert (first["cached_rows"], again["cached_rows"], cost["cached_rows"]) == (0, 3, 0)
    forget()
    np.testing.assert_array_equal(vectors, Encoder(**settings).encode(TEXTS)[0])
    forget()
    tally("F14")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_length", 4), ("pooling", "cls"), ("prefix", "q: "), ("dtype", "bfloat16"), ("normalise", False)],
)
def test_another_setting_is_a_miss(
    setting: str, value: object, own_copy: Path, tmp_path: Path, tally: Tally
) -> None:
    settings: dict[str, object] = {"name": str(own_copy), "max_length": 16}
    with runtime.use(runtime.Runtime(cache=tmp_path / "cache")):
        Encoder(**settings).encode(TEXTS)
        _, cost = Encoder(**{**settings, setting: value}).encode(TEXTS)
    forget()
    assert cost["cached_rows"] == 0
    tally("F14")


def constant(value: float):
    def compute(texts):
        count = len(texts)
        return np.full((count, 4), value, np.float32), np.ones(count, np.int64), np.ones(count)

    return compute


def test_a_shard_carried_over_from_another_key_s_folder_is_not_read(tmp_path: Path, tally: Tally) -> None:
    EmbeddingCache(tmp_path / "other", {"tokenizer": "old"}).vectors(["a"], constant(1.0))
    (shard,) = (tmp_path / "other").glob("*.safetensors")
    (tmp_path / "mine").mkdir(mode=0o700)
    shutil.copy(shard, tmp_path / "mine")
    with pytest.warns(RuntimeWarning, match=r"holds vectors of key [0-9a-f]{16}: not read"):
        vectors, cost = EmbeddingCache(tmp_path / "mine", {"tokenizer": "new"}).vectors(["a"], constant(2.0))
    assert cost["cached_rows"] == 0 and (vectors == 2.0).all()
    assert (tmp_path / "mine" / shard.name).exists(), "it is whole, and not ours to delete"
    tally("F14")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty hub cache; every connection is an error."""
    from huggingface_hub import constants

    def shut(*_: object) -> None:
        raise AssertionError("the network was asked")

    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, shut)
    monkeypatch.setattr(socket, "getaddrinfo", shut)
    yield cache
    forget()


def snapshot(cache: Path, files: Path, revision: str) -> Path:
    """A model in the hub's cache, as the hub's client lays it out."""
    repo = cache / f"models--{REPO.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True, exist_ok=True)
    (repo / "refs" / "main").write_text(revision, encoding="utf-8")
    return Path(shutil.copytree(files, repo / "snapshots" / revision))


def probe_of(revision: str) -> tuple[dict[str, object], object]:
    settings = {"name": REPO, "revision": revision, "max_length": 16}
    return settings, lambda: component(
        "crossover.model.probe.Probe",
        {"encoder": component("crossover.model.encoder.encoder.Encoder", Encoder.pin(settings))},
    )


def test_a_run_with_a_cached_model_asks_the_network_for_nothing(
    hub: Path, tiny_model: Path, tmp_path: Path, tally: Tally
) -> None:
    snapshot(hub, tiny_model, OLD)
    store, corpus, split = toy_store(tmp_path / "store", 120)
    _, model = probe_of(OLD)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, model(), Subset("natural", 30, 0))
    assert len(experiment.run(spec, store).predictions) > 0
    tally("F25")


@pytest.mark.parametrize("offline", [True, False], ids=["offline", "without a network"])
@pytest.mark.parametrize(
    "missing", [None, "model.safetensors", "config.json", "tokenizer.json"], ids=lambda name: name or "all"
)
def test_a_model_that_is_absent_or_partly_here_names_repository_revision_and_command(
    missing: str | None,
    offline: bool,
    hub: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    tally: Tally,
) -> None:
    from huggingface_hub import constants

    if missing:
        folder = snapshot(hub, tiny_model, OLD)
        for file in folder.glob("tokenizer*" if missing == "tokenizer.json" else missing):
            file.unlink()
    if not offline:

        def unreachable(*_: object, **__: object) -> None:
            raise OSError(101, "Network is unreachable")

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.delenv("HF_HUB_OFFLINE")
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, unreachable)
        monkeypatch.setattr(socket, "getaddrinfo", unreachable)
        monkeypatch.setattr(time, "sleep", lambda _: None)  # the client tries again and again
    with pytest.raises(BadInput, match=rf"{REPO} at {OLD}.*hf download {REPO} --revision {OLD}"):
        probe_of(OLD)[1]()
    tally("F25")


def test_a_revision_that_moved_is_not_replaced_by_the_one_that_is_here(
    hub: Path, tiny_model: Path, tally: Tally
) -> None:
    snapshot(hub, tiny_model, NEW)
    with pytest.raises(BadInput, match=rf"{REPO} at {OLD}.*hf download {REPO} --revision {OLD}"):
        probe_of(OLD)[1]()
    assert Encoder.pin({"name": REPO, "revision": NEW})["weights_sha256"]
    tally("F25")


def test_a_model_with_other_weights_under_the_same_revision_is_refused(
    hub: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    folder = snapshot(hub, tiny_model, OLD)
    pinned = Encoder.pin({"name": REPO, "revision": OLD, "max_length": 16})
    another_revision(folder, monkeypatch)
    with pytest.raises(BadInput, match=r"the weights in .* have SHA-256 .*fetch the pinned model again"):
        Encoder(**pinned).encode(TEXTS)
    tally("F25")


@pytest.mark.slow
def test_a_command_that_needs_an_absent_model_ends_before_any_run(tmp_path: Path, tally: Tally) -> None:
    write_csv(tmp_path / "mail.csv", mail_rows(120))
    data = ["data=table_file", "data.path=mail.csv", "data.text=message", "data.label=kind"]
    model = ["model=probe", f"encoder.name={REPO}", f"encoder.revision={OLD}"]
    hashes = ["encoder.weights_sha256=''", "encoder.tokenizer_sha256=''"]
    told = {**environment(), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    words = [sys.executable, str(SCRIPTS / "run.py"), "store=st", *model, *hashes, *data]
    ended = subprocess.run(
        [*words, "wandb.mode=disabled"], cwd=tmp_path, env=told, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 2 and ended.stdout == "", ended.stderr
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1
    assert f"hf download {REPO} --revision {OLD}" in ended.stderr
    assert not list((tmp_path / "st").glob("runs/*"))
    tally("F25")


@pytest.mark.slow
def test_a_data_set_fetched_as_the_error_says_is_read_without_the_network(
    tmp_path: Path, tally: Tally
) -> None:
    """In a process of its own: the data set library reads its variables once."""
    (tmp_path / "DIR" / "data").mkdir(parents=True)
    table = pa.table({"text": ["win", "lunch"], "label": ["spam", "ham"]})
    pq.write_table(table, tmp_path / "DIR" / "data" / "train-00000-of-00001.parquet")
    code = (
        "import socket, sys\n"
        "def shut(*_): raise SystemExit('the network was asked')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = shut\n"
        "from crossover.data.bad_input import BadInput\n"
        "from crossover.data.hub_dataset import HubDataset\n"
        "for repo in ('owner/name', 'DIR'):\n"
        "    try: print(len(HubDataset(repo, 'x', revision=sys.argv[1]).load()))\n"
        "    except BadInput as error: print(error)\n"
    )
    told = {**environment(), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    ended = subprocess.run(
        [sys.executable, "-c", code, OLD], cwd=tmp_path, env=told, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    refused, rows = ended.stdout.splitlines()
    fetch = f"hf download --repo-type dataset owner/name --revision {OLD} --local-dir DIR"
    assert fetch in refused and "data.repo=DIR" in refused and rows == "2"
    tally("F25")
