from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from crossover.data.bad_input import BadInput
from crossover.data.corpus import sha256_file
from crossover.model.embedding_cache import forget
from crossover.model.encoder.encoder import MINILM_HUB, MINILM_REVISION, Encoder, hashes, locate

CONF = Path(__file__).resolve().parents[3] / "conf" / "encoder"
REPO, COMMIT = "someone/some-model", "0123456789abcdef0123456789abcdef01234567"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture
def own_copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, offline, with sockets shut."""
    from huggingface_hub import constants

    def shut(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", shut)
    return tmp_path


def snapshot(cache: Path, files: Path) -> Path:
    repo = cache / f"models--{REPO.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(files, repo / "snapshots" / COMMIT))


def test_pin_fills_the_hashes_of_the_very_files(own_copy: Path) -> None:
    pinned = Encoder.pin({"name": str(own_copy), "pooling": "cls"})
    assert pinned["weights_sha256"] == sha256_file(own_copy / "model.safetensors")
    assert pinned["pooling"] == "cls" and len(str(pinned["tokenizer_sha256"])) == 64
    assert Encoder.pin(pinned) == pinned


@pytest.mark.parametrize("what", ["weights", "tokenizer"])
def test_a_given_hash_that_does_not_match_is_refused(own_copy: Path, what: str) -> None:
    with pytest.raises(BadInput, match=rf"the {what} in .* expected {'0' * 64}"):
        Encoder.pin({"name": str(own_copy), f"{what}_sha256": "0" * 64})


@pytest.mark.parametrize(
    ("file", "what"),
    [("model.safetensors", 0), ("tokenizer.json", 1), ("config.json", 1), ("tokenizer_config.json", 1)],
)
def test_a_changed_byte_changes_the_hash_of_its_kind_within_one_process(
    own_copy: Path, file: str, what: int
) -> None:
    before = hashes(own_copy)
    (own_copy / file).write_bytes((own_copy / file).read_bytes()[:-1] + b" ")  # of the same size
    after = hashes(own_copy)
    assert before[what] != after[what] and before[1 - what] == after[1 - what]


def test_the_key_differs_with_all_that_decides_a_vector(own_copy: Path) -> None:
    plain = {"name": str(own_copy)}
    changes: list[dict[str, object]] = [
        {},
        {"pooling": "cls"},
        {"normalise": False},
        {"prefix": "query: "},
        {"max_length": 64},
        {"dtype": "bfloat16"},
        {"token_budget": 256},
        {"pad_multiple": 16},
    ]
    keys = [json.dumps(Encoder(**{**plain, **change}).key(), sort_keys=True) for change in changes]  # type: ignore[arg-type]
    (own_copy / "config.json").write_text((own_copy / "config.json").read_text() + " ")
    keys.append(json.dumps(Encoder(str(own_copy)).key(), sort_keys=True))
    assert len(set(keys)) == len(keys)


def test_a_model_with_code_of_its_own_is_refused(own_copy: Path) -> None:
    (own_copy / "inner").mkdir()
    (own_copy / "inner" / "modeling.py").write_text("raise SystemExit")
    with pytest.raises(BadInput, match=r"own code \(modeling.py\)"):
        locate(str(own_copy))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_auto_map_is_refused(own_copy: Path, file: str) -> None:
    plain = json.loads((own_copy / file).read_text())
    (own_copy / file).write_text(json.dumps({**plain, "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(BadInput, match=rf"auto_map in {file}"):
        locate(str(own_copy))


def test_pickled_weights_are_refused(own_copy: Path) -> None:
    (own_copy / "model.safetensors").rename(own_copy / "pytorch_model.bin")
    with pytest.raises(BadInput, match="pickled weights are refused"):
        locate(str(own_copy))


def test_a_missing_shard_is_noticed(own_copy: Path) -> None:
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (own_copy / "model.safetensors").rename(own_copy / names["a"])
    (own_copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(BadInput, match="no whole model"):
        locate(str(own_copy))
    (own_copy / names["b"]).write_bytes(b"1")
    first = hashes(locate(str(own_copy)))
    (own_copy / names["b"]).write_bytes(b"22")
    assert hashes(own_copy)[0] != first[0]


def test_offline_a_model_that_is_not_here_names_the_command_that_fetches_it(hub_cache: Path) -> None:
    with pytest.raises(BadInput, match=rf"{REPO} at {COMMIT}.*hf download {REPO} --revision {COMMIT}"):
        locate(REPO, COMMIT)


def test_a_partly_cached_model_is_as_good_as_none(hub_cache: Path, tiny_model: Path) -> None:
    folder = snapshot(hub_cache, tiny_model)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(BadInput, match="hf download"):
        locate(REPO, COMMIT)


def test_a_cached_model_is_found_and_encodes_without_the_network(hub_cache: Path, tiny_model: Path) -> None:
    snapshot(hub_cache, tiny_model)
    assert locate(REPO, COMMIT).name == COMMIT
    forget()
    vectors, _ = Encoder(REPO, COMMIT, max_length=32).encode(["free cash"])
    assert vectors.shape == (1, 32)


@pytest.mark.parametrize("revision", [None, "main", "0123456"])
def test_a_hub_id_without_a_commit_is_refused(revision: str | None) -> None:
    with pytest.raises(BadInput, match="40-hex commit"):
        locate(REPO, revision)


def test_a_folder_that_is_not_there_is_not_taken_for_a_hub_id() -> None:
    for name in ("./models/none", "/none/at/all", "a/b/c", "../x"):
        with pytest.raises(BadInput, match="no such folder"):
            locate(name)


def test_minilm_without_its_package_is_taken_from_the_hub_at_a_commit(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadInput, match=rf"{MINILM_HUB} at {MINILM_REVISION}.*crossover\[minilm\]"):
        locate("minilm")


@pytest.mark.encoder
def test_the_packaged_minilm_is_the_published_one_and_its_yaml_says_so(minilm: Path) -> None:
    plain = yaml.safe_load((CONF / "minilm.yaml").read_text())
    plain.pop("_target_")
    assert Encoder(**plain).folder() == minilm
    assert hashes(minilm) == (MINILM_SHA256, plain["tokenizer_sha256"])
    assert plain["weights_sha256"] == MINILM_SHA256


@pytest.mark.parametrize("file", sorted(CONF.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_yaml_binds(file: Path) -> None:
    plain = yaml.safe_load(file.read_text())
    assert plain.pop("_target_") == "crossover.model.encoder.encoder.Encoder"
    assert vars(Encoder(**plain)) == plain


@pytest.mark.parametrize(
    "setting",
    [{"pooling": "max"}, {"dtype": "float16"}, {"max_length": 2}, {"pad_multiple": 0}, {"token_budget": 0}],
)
def test_a_setting_out_of_range_is_refused_by_name(setting: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=next(iter(setting))):
        Encoder(**setting)  # type: ignore[arg-type]


def test_half_a_surrogate_pair_is_refused_with_its_place(tiny_model: Path) -> None:
    with pytest.raises(BadInput, match="text 1, character 2"):
        Encoder(str(tiny_model), max_length=32).encode(["fine", "ab\ud800"])


@pytest.mark.slow
def test_with_every_vector_cached_torch_is_not_loaded(tiny_model: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from crossover.model import runtime
from crossover.model.encoder.encoder import Encoder
with runtime.use(runtime.Runtime(cache=Path({str(tmp_path)!r}), device="cpu")):
    vectors, cost = Encoder({str(tiny_model)!r}, max_length=32).encode(["free cash", "", "lunch"])
print(int("torch" in sys.modules), int(cost["cached_rows"]), vectors.tobytes().hex())
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "ab"
    ]
    first, second = (run.stdout.split() for run in runs)
    assert first[:2] == ["1", "0"] and second[:2] == ["0", "3"]
    assert first[2] == second[2]


def test_vectors_are_of_length_1_only_where_asked(tiny_model: Path) -> None:
    texts = ["free cash now", "lunch", ""]
    unit, _ = Encoder(str(tiny_model), max_length=32).encode(texts)
    plain, _ = Encoder(str(tiny_model), max_length=32, normalise=False).encode(texts)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(plain / np.linalg.norm(plain, axis=1, keepdims=True), unit, atol=1e-6)
    assert (np.abs(np.linalg.norm(plain, axis=1) - 1) > 0.1).all()


def test_the_prefix_is_read_as_part_of_the_text(tiny_model: Path) -> None:
    prefixed, _ = Encoder(str(tiny_model), max_length=32, prefix="free ").encode(["cash"])
    written, _ = Encoder(str(tiny_model), max_length=32).encode(["free cash"])
    np.testing.assert_array_equal(prefixed, written)
