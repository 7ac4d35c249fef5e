"""Embedding cache: vectors kept by what decides their bits; torch-free.

A folder a key (weights, tokenizer, pooling, plan, arithmetic ...), in it append-only shards, each
named by the SHA-256 of its own bytes and put in place by one rename: a name that exists is whole,
and one that does not match its bytes is dropped, said so, and computed anew. Two processes may
fill a folder at once: each adds shards of its own, and equal texts have equal vectors.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import secrets
import stat
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from crossover.data.bad_input import BadInput
from crossover.model import runtime
from crossover.protocol.run_spec import digest_of

version = lru_cache(maxsize=8)(metadata.version)  # reads the installed package's files: 10 ms a call

Vectors = NDArray[np.float32]
Compute = Callable[[Sequence[str]], tuple[Vectors, NDArray[np.int64], NDArray[np.float64]]]
"""Texts to vectors (texts, dim), tokens a text, and seconds a text."""

TEXTS_PER_SHARD = 2048
"""A long encoding is kept in pieces, so that one that is killed goes on where it was."""


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


class EmbeddingCache:
    """The vectors of one key, in memory for the process and in ``folder`` unless that is None.

    Raises:
        BadInput: others may write to the folder, and so change results unseen.
    """

    def __init__(self, folder: Path | None, key: Mapping[str, object] | None = None) -> None:
        self.folder = folder
        self._shards: list[Shard] = []
        self._place: dict[bytes, tuple[int, int]] = {}
        self._read: set[str] = set()
        self._lock = threading.Lock()
        if folder is None:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & stat.S_IWOTH:
            raise BadInput(f"{folder} may be written by anyone, who could change results; chmod o-w {folder}")
        if key is not None and not (folder / "key.json").exists():
            text = json.dumps(key, ensure_ascii=False, indent=1, sort_keys=True)
            _write(folder / "key.json", text.encode("utf-8"))

    def vectors(self, texts: Sequence[str], compute: Compute) -> tuple[Vectors, dict[str, float]]:
        """One vector a text, (texts, dim), computing those that are not kept, and the cost.

        Cost: ``tokens`` and ``encode_seconds_cold`` of the distinct texts as if none had been
        kept, ``encode_seconds`` spent now, ``cached_rows``, the texts that were found.

        Raises:
            OSError: a shard could not be written; nothing of it is left.
        """
        names = [hashlib.sha256(text.encode("utf-8")).digest() for text in texts]
        distinct = dict(zip(names, texts, strict=True))
        with self._lock:
            if any(name not in self._place for name in distinct):
                self._scan()
            missing = [name for name in distinct if name not in self._place]
            found = sum(name in self._place for name in names)
            self._fill(missing, [distinct[name] for name in missing], compute)
            if not self._shards:
                return compute([])[0], dict.fromkeys(_COST, 0.0)
            rows = self._gather(names)
            every = self._gather(list(distinct))
            now = self._gather(missing)
        cost = (every.tokens.sum(), now.seconds.sum(), every.seconds.sum(), found)
        return rows.vectors, dict(zip(_COST, map(float, cost), strict=True))

    def _fill(self, names: Sequence[bytes], texts: Sequence[str], compute: Compute) -> None:
        report = runtime.current().on_step
        for start in range(0, len(names), TEXTS_PER_SHARD):
            part = slice(start, start + TEXTS_PER_SHARD)
            raw = np.frombuffer(b"".join(names[part]), np.uint8).reshape(-1, 32)
            shard = Shard(raw, *compute(texts[part]))
            if self.folder is not None:
                self._keep(shard, self.folder)
            self._add(shard)
            if report is not None:
                report(min(part.stop, len(names)), len(names), "texts encoded")

    def _gather(self, names: Sequence[bytes]) -> Shard:
        """Copies of what is kept of these texts, in their order."""
        places = np.array([self._place[name] for name in names], np.int64).reshape(-1, 2)
        first = self._shards[0]
        taken = Shard(
            np.zeros((len(names), 32), np.uint8),
            np.zeros((len(names), first.vectors.shape[1]), np.float32),
            np.zeros(len(names), np.int64),
            np.zeros(len(names), np.float64),
        )
        for k in np.unique(places[:, 0]):
            here = np.flatnonzero(places[:, 0] == k)
            rows = places[here, 1]
            for field in ("names", "vectors", "tokens", "seconds"):
                getattr(taken, field)[here] = getattr(self._shards[k], field)[rows]
        return taken

    def _add(self, shard: Shard) -> None:
        k = len(self._shards)
        self._shards.append(shard)
        data = shard.names.tobytes()
        for row in range(len(shard.names)):
            self._place.setdefault(data[32 * row : 32 * row + 32], (k, row))

    def _keep(self, shard: Shard, folder: Path) -> None:
        data = save({name: np.ascontiguousarray(value) for name, value in vars(shard).items()})
        name = hashlib.sha256(data).hexdigest() + ".safetensors"
        _write(folder / name, data)
        self._read.add(name)

    def _scan(self) -> None:
        """Take in the shards that other calls and processes have added."""
        if self.folder is None:
            return
        for file in sorted(self.folder.glob("*.safetensors")):
            if file.name in self._read:
                continue
            self._read.add(file.name)
            try:
                data = file.read_bytes()
            except FileNotFoundError:
                continue
            shard = _shard(file, data)
            if shard is None:
                file.unlink(missing_ok=True)
                warnings.warn(
                    f"{file} is damaged ({len(data)} bytes): dropped, its vectors are computed anew",
                    RuntimeWarning,
                    stacklevel=4,
                )
            else:
                self._add(shard)


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


def _shard(file: Path, data: bytes) -> Shard | None:
    """The shard of these bytes; None where they are not those that were written."""
    if hashlib.sha256(data).hexdigest() != file.stem:
        return None
    try:
        return Shard(**load(data))
    except (SafetensorError, TypeError):
        return None


def _write(file: Path, data: bytes) -> None:
    """Write aside, sync, and rename into place."""
    aside = file.parent / f".{file.name[:16]}.{os.getpid()}.{secrets.token_hex(4)}.part"
    try:
        with open(aside, "xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(aside, file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        need = f"; about {len(data) / 1e6:.1f} MB are needed" if error.errno == errno.ENOSPC else ""
        raise OSError(
            error.errno,
            f"{error.strerror or error} while writing {file}{need}; nothing was left there. "
            "Free space, or name another folder with store=...",
        ) from error
