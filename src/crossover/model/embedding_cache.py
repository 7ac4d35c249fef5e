"""Embedding cache: vectors kept by what decides their bits; torch-free.

A folder a key (weights, tokenizer, pooling, plan, arithmetic ...), in it append-only shards, each
named by the SHA-256 of its own bytes and put in place by one rename: a name that exists is whole,
and one that does not match its bytes is dropped, said so, and computed anew. A shard names its key:
one that was carried here from another folder is not read. Two processes may
fill a folder at once: each adds shards of its own, and equal texts have equal vectors. A process
holds the names of what is kept (48 bytes a text), and of the vectors those of the shards used last.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from crossover.data.bad_input import BadInput
from crossover.data.whole_file import write_whole
from crossover.model import runtime
from crossover.model.name_index import NameIndex
from crossover.protocol.run_spec import digest_of

version = lru_cache(maxsize=8)(metadata.version)  # reads the installed package's files: 10 ms a call

Vectors = NDArray[np.float32]
Compute = Callable[[Sequence[str]], tuple[Vectors, NDArray[np.int64], NDArray[np.float64]]]
"""Texts to vectors (texts, dim), tokens a text, and seconds a text."""

TEXTS_PER_SHARD = 2048
"""A long encoding is kept in pieces, so that one that is killed goes on where it was."""

HELD_BYTES = 256 * 2**20
"""Most bytes of shards that a cache with a folder holds in memory; it reads the others again."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Vectors with the SHA-256 of their texts and what each cost when it was computed.

    Attributes:
        names: (texts, 32) SHA-256 of each text in UTF-8.
        vectors: (texts, dim).
        tokens: tokens read of each text.
        seconds: wall seconds, the call's shared out by padded length.
    """

    names: NDArray[np.uint8]
    vectors: Vectors
    tokens: NDArray[np.int64]
    seconds: NDArray[np.float64]

    @property
    def bytes(self) -> int:
        """Memory that it holds."""
        return sum(field.nbytes for field in vars(self).values())


class EmbeddingCache:
    """The vectors of one key, in memory for the process and in ``folder`` unless that is None.

    At most ``held_bytes`` of shards are held in memory, the one used last in any case; without a
    folder all of them are.

    Raises:
        BadInput: others may write to the folder, and so change results unseen.
    """

    def __init__(
        self, folder: Path | None, key: Mapping[str, object] | None = None, held_bytes: int | None = None
    ) -> None:
        self.folder = folder
        self._key = "" if key is None else digest_of(key)
        self.held_bytes = HELD_BYTES if held_bytes is None else held_bytes
        self._names = NameIndex()
        self._files: list[str] = []
        self._held: OrderedDict[int, Shard] = OrderedDict()
        self._read: set[str] = set()
        self._dim = 0
        self._lock = threading.Lock()
        if folder is None:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & stat.S_IWOTH:
            raise BadInput(f"{folder} may be written by anyone, who could change results; chmod o-w {folder}")
        if key is not None and not (folder / "key.json").exists():
            text = json.dumps(key, ensure_ascii=False, indent=1, sort_keys=True)
            write_whole(folder / "key.json", text.encode("utf-8"))

    def vectors(self, texts: Sequence[str], compute: Compute) -> tuple[Vectors, dict[str, float]]:
        """One vector a text, (texts, dim), computing those that are not kept, and the cost.

        Cost: ``tokens`` and ``encode_seconds_cold`` of the distinct texts as if none had been
        kept, ``encode_seconds`` spent now, ``cached_rows``, the texts that were found.

        Raises:
            OSError: a shard could not be written; nothing of it is left.
        """
        place_of: dict[bytes, int] = {}
        back = [place_of.setdefault(_name(text), len(place_of)) for text in texts]
        distinct = list(dict(zip(back, texts, strict=True)).values())
        names = _joined(place_of)
        now = np.zeros(len(names), bool)
        with self._lock:
            if (self._names.find(names)[0] < 0).any():
                self._scan()
            known = self._names.find(names)[0] >= 0
            kept = None
            while kept is None:  # a shard may turn out to be gone or damaged: then once more
                missing = np.flatnonzero(self._names.find(names)[0] < 0)
                now[missing] = True
                self._fill(names[missing], [distinct[k] for k in missing], compute)
                kept = self._gather(names) if self._files else Shard(names, *compute([]))
        cost = (kept.tokens.sum(), kept.seconds[now].sum(), kept.seconds.sum(), known[back].sum())
        return kept.vectors[back], dict(zip(_COST, map(float, cost), strict=True))

    def fill(
        self, texts: Iterable[str], compute: Compute, on_text: Callable[[int], None] | None = None
    ) -> int:
        """Keep the vectors of ``texts``, which may be more than memory holds; how many were computed.

        ``on_text`` is told how many texts have been dealt with, after each shard.

        Raises:
            OSError: a shard could not be written; nothing of it is left, those before it are kept.
        """
        waiting: dict[bytes, str] = {}
        done = computed = 0
        with self._lock:
            self._scan()
        for piece in _pieces(texts, TEXTS_PER_SHARD):
            names = _joined(map(_name, piece))
            with self._lock:
                for k in np.flatnonzero(self._names.find(names)[0] < 0):
                    waiting.setdefault(names[k].tobytes(), piece[k])
                while len(waiting) >= TEXTS_PER_SHARD or (waiting and len(piece) < TEXTS_PER_SHARD):
                    part = {name: waiting.pop(name) for name in list(waiting)[:TEXTS_PER_SHARD]}
                    self._keep(Shard(_joined(part), *compute(list(part.values()))))
                    computed += len(part)
            done += len(piece)
            if on_text is not None:
                on_text(done)
        return computed

    def _fill(self, names: NDArray[np.uint8], texts: Sequence[str], compute: Compute) -> None:
        report = runtime.current().on_step
        for start in range(0, len(names), TEXTS_PER_SHARD):
            part = slice(start, start + TEXTS_PER_SHARD)
            self._keep(Shard(names[part], *compute(texts[part])))
            if report is not None:
                report(min(part.stop, len(names)), len(names), "texts encoded")

    def _gather(self, names: NDArray[np.uint8]) -> Shard | None:
        """Copies of what is kept of these texts, in their order; None where a shard turns out lost."""
        shards, rows = self._names.find(names)
        taken = _empty(len(names), self._dim)
        for k in np.unique(shards):
            shard = self._shard(int(k))
            if shard is None:
                self._names.drop(int(k))
                return None
            here = np.flatnonzero(shards == k)
            for field in ("names", "vectors", "tokens", "seconds"):
                getattr(taken, field)[here] = getattr(shard, field)[rows[here]]
        return taken

    def _shard(self, k: int) -> Shard | None:
        """The k-th shard, from memory or read and checked again; None where it is no more."""
        shard = self._held.get(k)
        if shard is None and self.folder is not None:
            shard = _read(self.folder / self._files[k], self._key)
        if shard is not None:
            self._hold(k, shard)
        return shard

    def _hold(self, k: int, shard: Shard) -> None:
        self._held[k] = shard
        self._dim = shard.vectors.shape[1]
        self._held.move_to_end(k)
        held = sum(shard.bytes for shard in self._held.values())
        while self.folder is not None and held > self.held_bytes and len(self._held) > 1:
            held -= self._held.popitem(last=False)[1].bytes

    def _add(self, name: str, shard: Shard) -> None:
        self._files.append(name)
        self._hold(self._names.add(shard.names), shard)

    def _keep(self, shard: Shard) -> None:
        name = ""
        if self.folder is not None:
            arrays = {name: np.ascontiguousarray(value) for name, value in vars(shard).items()}
            data = save(arrays, {"key": self._key})
            name = hashlib.sha256(data).hexdigest() + ".safetensors"
            write_whole(self.folder / name, data)
            self._read.add(name)
        self._add(name, shard)

    def _scan(self) -> None:
        """Take in the shards that other calls and processes have added."""
        if self.folder is None:
            return
        for file in sorted(self.folder.glob("*.safetensors")):
            if file.name not in self._read:
                self._read.add(file.name)
                shard = _read(file, self._key)
                if shard is not None:
                    self._add(file.name, shard)


_COST = ("tokens", "encode_seconds", "encode_seconds_cold", "cached_rows")

_opened: dict[tuple[Path | None, str], EmbeddingCache] = {}
_opening = threading.Lock()


def opened(key: Mapping[str, object]) -> EmbeddingCache:
    """The process's cache of this key, under the runtime's cache folder or in memory only."""
    root = runtime.current().cache
    digest = digest_of(key)
    with _opening:
        if (root, digest) not in _opened:
            folder = None if root is None else root / "embeddings" / digest
            _opened[root, digest] = EmbeddingCache(folder, key)
        return _opened[root, digest]


def forget(unsaved_only: bool = False) -> None:
    """Drop what this process keeps in memory; files stay.

    ``unsaved_only`` drops the caches without a folder and keeps those that mirror files.
    """
    with _opening:
        for root, digest in list(_opened):
            if root is None or not unsaved_only:
                del _opened[root, digest]


def add_cost(total: dict[str, float], cost: Mapping[str, float]) -> None:
    """Add one call's cost to a classifier's ``cost_``."""
    for name in _COST:
        total[name] = total.get(name, 0.0) + cost[name]


def arithmetic() -> dict[str, str]:
    """What decides a vector's last bits besides the settings: libraries, processor, device.

    The number of threads is not among them: every batch is computed by one thread.
    """
    return {
        **{package: version(package) for package in ("torch", "transformers", "tokenizers")},
        **_processor(),
        "capability": os.environ.get("ATEN_CPU_CAPABILITY", ""),
        "device": _device(runtime.current().device),
    }


@lru_cache(maxsize=1)
def _processor() -> dict[str, str]:
    """Model and a digest of the instruction sets: kernels are chosen by them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {"machine": platform.machine(), "processor": platform.processor()}
    first: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        first.setdefault(name.strip(), value.strip())
    flags = " ".join(sorted((first.get("flags") or first.get("Features", "")).split()))
    return {
        "machine": platform.machine(),
        "processor": first.get("model name", platform.processor()),
        "instructions": hashlib.sha256(flags.encode()).hexdigest()[:16],
    }


def _device(wanted: str) -> str:
    """``cpu``, or the name of the CUDA device; torch is asked only where there may be one."""
    if wanted == "cpu" or (wanted == "auto" and not Path("/dev/nvidiactl").exists()):
        return "cpu"
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu"


def _name(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()


def _joined(names: Iterable[bytes]) -> NDArray[np.uint8]:
    """(texts, 32) bytes."""
    return np.frombuffer(b"".join(names), np.uint8).reshape(-1, 32)


def _pieces(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lists of ``size`` texts, and a last one that is shorter, perhaps empty."""
    texts = iter(texts)
    while len(piece := list(islice(texts, size))) == size:
        yield piece
    yield piece


def _empty(rows: int, dim: int) -> Shard:
    return Shard(
        np.zeros((rows, 32), np.uint8),
        np.zeros((rows, dim), np.float32),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.float64),
    )


def _read(file: Path, key: str) -> Shard | None:
    """The shard in a file; None where it is gone, or names another key.

    One that is damaged is dropped, and said so.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    if hashlib.sha256(data).hexdigest() == file.stem:
        try:
            shard, named = Shard(**load(data)), _key_of(data)
            if key and named and named != key:
                warnings.warn(f"{file} holds vectors of key {named}: not read", RuntimeWarning, stacklevel=5)
                return None
            return shard
        except (SafetensorError, TypeError):
            pass
    file.unlink(missing_ok=True)
    warnings.warn(
        f"{file} is damaged ({len(data)} bytes): dropped, its vectors are computed anew",
        RuntimeWarning,
        stacklevel=5,
    )
    return None


def _key_of(data: bytes) -> str:
    """The key that a shard names in its header; empty where it was written without one."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return str(header.get("__metadata__", {}).get("key", ""))
