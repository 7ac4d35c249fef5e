from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.model import embedding_cache, runtime
from crossover.model.embedding_cache import EmbeddingCache, add_cost, arithmetic, forget, opened
from crossover.model.encoder.encoder import Encoder

DIM = 4


class Machine:
    """A stand-in for an encoder that counts what it was asked for; a vector is a function of the text."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> tuple[Any, Any, Any]:
        self.asked += texts
        raw = [np.frombuffer(hashlib.sha256(t.encode()).digest()[: 4 * DIM], np.uint32) for t in texts]
        vectors = np.array(raw, np.float32).reshape(-1, DIM)
        return vectors, np.array([len(t) for t in texts], np.int64), np.array([0.5] * len(texts), np.float64)


def truth(texts: Sequence[str]) -> Any:
    return Machine()(texts)[0]


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def test_a_text_is_computed_once_in_a_call_a_process_and_a_folder(tmp_path: Path) -> None:
    machine = Machine()
    cache = EmbeddingCache(tmp_path / "c")
    vectors, _ = cache.vectors(["a", "b", "a"], machine)
    np.testing.assert_array_equal(vectors, truth(["a", "b", "a"]))
    vectors, _ = cache.vectors(["c", "b"], machine)
    np.testing.assert_array_equal(vectors, truth(["c", "b"]))
    vectors, _ = EmbeddingCache(tmp_path / "c").vectors(["b", "d", "c", "a"], machine)
    np.testing.assert_array_equal(vectors, truth(["b", "d", "c", "a"]))
    assert machine.asked == ["a", "b", "c", "d"]
    assert len(shards(tmp_path / "c")) == 3


def test_the_cost_is_told_as_spent_and_as_if_cold(tmp_path: Path) -> None:
    machine = Machine()
    EmbeddingCache(tmp_path / "c").vectors(["aaa", "b"], machine)
    _, cost = EmbeddingCache(tmp_path / "c").vectors(["aaa", "aaa", "cc", "b", "cc"], machine)
    assert cost == {"tokens": 6.0, "encode_seconds": 0.5, "encode_seconds_cold": 1.5, "cached_rows": 3.0}
    total: dict[str, float] = {}
    add_cost(total, cost)
    add_cost(total, cost)
    assert total == {name: 2 * value for name, value in cost.items()}


def test_a_caller_may_change_what_it_was_given(tmp_path: Path) -> None:
    cache = EmbeddingCache(None)
    vectors, _ = cache.vectors(["a", "b"], Machine())
    vectors[:] = 0
    np.testing.assert_array_equal(cache.vectors(["a", "b"], Machine())[0], truth(["a", "b"]))


def test_without_a_folder_nothing_is_written_and_no_texts_have_a_width() -> None:
    cache = EmbeddingCache(None)
    machine = Machine()
    empty, cost = cache.vectors([], machine)
    assert empty.shape == (0, DIM) and set(cost.values()) == {0.0}
    cache.vectors(["a"], machine)
    assert cache.vectors([], machine)[0].shape == (0, DIM)
    cache.vectors(["a"], machine)
    assert machine.asked == ["a"]


@pytest.mark.parametrize("damage", ["flip first", "flip middle", "flip last", "cut", "empty", "foreign"])
def test_a_damaged_shard_is_said_once_dropped_and_computed_anew(tmp_path: Path, damage: str) -> None:
    EmbeddingCache(tmp_path / "c").vectors(["a", "b"], Machine())
    EmbeddingCache(tmp_path / "c").vectors(["x"], Machine())
    (file,) = [
        file
        for file in shards(tmp_path / "c")
        if len(file.read_bytes()) == max(len(other.read_bytes()) for other in shards(tmp_path / "c"))
    ]
    data = bytearray(file.read_bytes())
    if damage.startswith("flip"):
        data[{"first": 0, "middle": len(data) // 2, "last": -1}[damage.split()[1]]] ^= 1
    file.write_bytes({"cut": data[:-7], "empty": b"", "foreign": b"not a shard"}.get(damage, bytes(data)))
    machine, cache = Machine(), EmbeddingCache(tmp_path / "c")
    with pytest.warns(RuntimeWarning, match="damaged") as said:
        vectors, _ = cache.vectors(["b", "a", "x"], machine)
    np.testing.assert_array_equal(vectors, truth(["b", "a", "x"]))
    assert len(said) == 1 and machine.asked == ["b", "a"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = Machine()
        np.testing.assert_array_equal(
            EmbeddingCache(tmp_path / "c").vectors(["a", "x"], again)[0], truth(["a", "x"])
        )
        assert again.asked == []


def test_a_shard_of_the_right_name_that_holds_something_else_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir(mode=0o700)
    data = b"these bytes are no shard"
    (tmp_path / "c" / f"{hashlib.sha256(data).hexdigest()}.safetensors").write_bytes(data)
    with pytest.warns(RuntimeWarning, match="damaged"):
        vectors, _ = EmbeddingCache(tmp_path / "c").vectors(["a"], Machine())
    np.testing.assert_array_equal(vectors, truth(["a"]))


def test_a_shard_written_before_shards_named_their_key_is_read(tmp_path: Path) -> None:
    EmbeddingCache(tmp_path / "c").vectors(["a"], Machine())
    machine = Machine()
    EmbeddingCache(tmp_path / "c", {"weights": "1"}).vectors(["a"], machine)
    assert machine.asked == []


def test_a_deleted_shard_is_computed_anew(tmp_path: Path) -> None:
    EmbeddingCache(tmp_path / "c").vectors(["a"], Machine())
    shards(tmp_path / "c")[0].unlink()
    machine = Machine()
    EmbeddingCache(tmp_path / "c").vectors(["a"], machine)
    assert machine.asked == ["a"]


def test_what_another_process_added_meanwhile_is_found(tmp_path: Path) -> None:
    mine, other = EmbeddingCache(tmp_path / "c"), EmbeddingCache(tmp_path / "c")
    mine.vectors(["a"], Machine())
    other.vectors(["b"], Machine())
    machine = Machine()
    mine.vectors(["a", "b"], machine)
    assert machine.asked == []


def _fill(folder: Path, start: Any, offset: int) -> None:
    cache = EmbeddingCache(folder)
    start.wait()
    for k in range(20):
        cache.vectors([f"text {k}", f"own {offset} {k}"], Machine())


def test_two_processes_that_fill_one_folder_leave_every_vector_whole(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    both = [context.Process(target=_fill, args=(tmp_path / "c", start, k)) for k in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    texts = [f"text {k}" for k in range(20)] + [f"own {p} {k}" for p in range(2) for k in range(20)]
    machine = Machine()
    np.testing.assert_array_equal(EmbeddingCache(tmp_path / "c").vectors(texts, machine)[0], truth(texts))
    assert machine.asked == [] and not list((tmp_path / "c").glob(".*.part"))


def test_a_full_disk_leaves_no_piece_and_says_how_much_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = EmbeddingCache(tmp_path / "c")
    cache.vectors(["a"], Machine())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*about 0.1 MB.*store="):
        cache.vectors(["b"], Machine())
    monkeypatch.undo()
    assert len(list((tmp_path / "c").iterdir())) == 1
    machine = Machine()
    EmbeddingCache(tmp_path / "c").vectors(["a", "b"], machine)
    assert machine.asked == ["b"]


def test_a_long_encoding_that_is_cut_off_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_cache, "TEXTS_PER_SHARD", 3)
    texts = [f"t{k}" for k in range(8)]
    steps: list[tuple[int, int]] = []

    class Killed(Machine):
        def __call__(self, texts: Sequence[str]) -> tuple[Any, Any, Any]:
            if self.asked:
                raise KeyboardInterrupt
            return super().__call__(texts)

    with pytest.raises(KeyboardInterrupt):
        EmbeddingCache(tmp_path / "c").vectors(texts, Killed())
    machine = Machine()
    with runtime.use(runtime.Runtime(on_step=lambda done, total, _: steps.append((done, total)))):
        vectors, _ = EmbeddingCache(tmp_path / "c").vectors(texts, machine)
    np.testing.assert_array_equal(vectors, truth(texts))
    assert machine.asked == texts[3:] and steps == [(3, 5), (5, 5)]


def test_the_folder_is_the_users_own_and_one_that_all_may_write_is_refused(tmp_path: Path) -> None:
    EmbeddingCache(tmp_path / "c")
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0
    (tmp_path / "c").chmod(0o777)
    with pytest.raises(BadInput, match="chmod o-w"):
        EmbeddingCache(tmp_path / "c")


def test_each_key_and_each_store_has_a_folder_of_its_own(tmp_path: Path) -> None:
    folders = set()
    for root in ("one", "two"):
        with runtime.use(runtime.Runtime(cache=tmp_path / root)):
            for key in ({"weights": "1"}, {"weights": "2"}):
                cache = opened(key)
                assert cache is opened(dict(key))
                folders.add(cache.folder)
    assert len(folders) == 4 and opened({"weights": "1"}).folder is None


def test_another_device_or_library_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = arithmetic()
    assert before["device"] == "cpu" or before["device"]
    monkeypatch.setattr(embedding_cache, "version", lambda package: f"0 of {package}")
    assert arithmetic() != before


def test_thirty_thousand_vectors_are_loaded_in_under_a_second(tmp_path: Path) -> None:
    texts = [f"text number {k}" for k in range(30_000)]
    rng = np.random.default_rng(0)

    def compute(part: Sequence[str]) -> tuple[Any, Any, Any]:
        n = len(part)
        return rng.normal(size=(n, 384)).astype(np.float32), np.ones(n, np.int64), np.ones(n)

    first, _ = EmbeddingCache(tmp_path / "c").vectors(texts, compute)
    cache = EmbeddingCache(tmp_path / "c")
    start = time.process_time()
    again, _ = cache.vectors(texts, compute)
    spent = time.process_time() - start
    np.testing.assert_array_equal(first, again)
    assert spent < 1


@pytest.mark.parametrize("filled", ["off", "on", "partly", "read again"])
def test_cached_uncached_and_partly_cached_vectors_have_the_same_bits(
    tiny_model: Path, tmp_path: Path, filled: str
) -> None:
    encoder = Encoder(str(tiny_model), max_length=32, token_budget=128)
    texts = [" ".join(["free", "cash", "lunch", "xyz"][k % 4 :] * (k % 9)) + str(k) for k in range(50)]
    forget()
    expected, cold = encoder.encode(texts)
    forget()
    with runtime.use(runtime.Runtime(cache=None if filled == "off" else tmp_path)):
        if filled != "off":
            encoder.encode(texts[5:20:3] if filled == "partly" else texts)
        if filled != "on":
            forget()
        found, cost = encoder.encode(texts)
    forget()
    np.testing.assert_array_equal(found, expected)
    assert cost["tokens"] == cold["tokens"] > 0
    assert cost["cached_rows"] == {"off": 0, "on": 50, "partly": 5, "read again": 50}[filled]
    assert (cost["encode_seconds"] == 0) == (cost["cached_rows"] == 50)
    assert cost["encode_seconds_cold"] > 0


@pytest.mark.parametrize(
    "change", [{"max_length": 16}, {"pooling": "cls"}, {"prefix": "a "}, {"token_budget": 64}]
)
def test_vectors_of_other_settings_are_never_reused(
    tiny_model: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    with runtime.use(runtime.Runtime(cache=tmp_path)):
        Encoder(str(tiny_model), max_length=32).encode(["free cash"])
        _, cost = Encoder(str(tiny_model), **{"max_length": 32, **change}).encode(["free cash"])
    assert cost["cached_rows"] == 0


def test_memory_holds_no_more_shards_than_it_may_and_reads_the_others_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_cache, "TEXTS_PER_SHARD", 10)
    texts, machine = [f"t{k}" for k in range(95)], Machine()
    one = 10 * (32 + 4 * DIM + 16)
    cache = EmbeddingCache(tmp_path / "c", held_bytes=3 * one)
    for _ in range(2):
        np.testing.assert_array_equal(cache.vectors(texts[::-1], machine)[0], truth(texts[::-1]))
        assert sum(shard.bytes for shard in cache._held.values()) <= 3 * one
    again = EmbeddingCache(tmp_path / "c", held_bytes=0)
    np.testing.assert_array_equal(again.vectors(texts[7:60], machine)[0], truth(texts[7:60]))
    assert len(again._held) == 1 and machine.asked == texts[::-1]
    unsaved = EmbeddingCache(None, held_bytes=0)
    unsaved.vectors(texts, machine)
    unsaved.vectors(texts, machine)
    assert machine.asked == texts[::-1] + texts


@pytest.mark.parametrize("damage", ["flipped", "deleted"])
def test_a_shard_that_is_lost_after_it_was_read_is_computed_anew_and_paid_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(embedding_cache, "TEXTS_PER_SHARD", 4)
    texts, machine = [f"t{k}" for k in range(12)], Machine()
    cache = EmbeddingCache(tmp_path / "c", held_bytes=0)
    cache.vectors(texts, machine)
    lost = tmp_path / "c" / cache._files[1]
    if damage == "deleted":
        lost.unlink()
    else:
        lost.write_bytes(lost.read_bytes()[:-1] + b"!")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        vectors, cost = cache.vectors(texts, machine)
    np.testing.assert_array_equal(vectors, truth(texts))
    assert machine.asked == texts + texts[4:8] and cost["encode_seconds"] == 2.0
    assert len(said) == (damage == "flipped")
    assert cache.vectors(texts, machine)[1]["encode_seconds"] == 0


def test_more_texts_than_memory_holds_are_filled_in_from_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_cache, "TEXTS_PER_SHARD", 10)
    texts, machine = [f"t{k % 60}" for k in range(87)], Machine()
    cache = EmbeddingCache(tmp_path / "c", held_bytes=0)
    cache.vectors(texts[:7], machine)
    told: list[int] = []
    assert cache.fill(iter(texts), machine, told.append) == 53
    assert told == [10, 20, 30, 40, 50, 60, 70, 80, 87] and machine.asked == texts[:60]
    assert len(shards(tmp_path / "c")) == 1 + 6 and len(cache._held) == 1
    assert cache.fill(iter(texts), machine) == 0 and cache.fill([], machine) == 0
    other = Machine()
    np.testing.assert_array_equal(EmbeddingCache(tmp_path / "c").vectors(texts, other)[0], truth(texts))
    assert other.asked == []


def test_room_is_set_aside_before_a_shard_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def full(handle: int, start: int, size: int) -> None:
        asked.append(size)
        raise OSError(errno.ENOSPC, "No space left on device")

    cache = EmbeddingCache(tmp_path / "c")
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="nothing was left there"):
        cache.fill(["a"], Machine())
    assert asked and asked[0] > 4 * DIM and not list((tmp_path / "c").iterdir())
    for harmless in (errno.EOPNOTSUPP, errno.EINVAL):
        monkeypatch.setattr(
            os, "posix_fallocate", lambda *_, code=harmless: (_ for _ in ()).throw(OSError(code, ""))
        )
        assert cache.fill([f"b{harmless}"], Machine()) == 1
