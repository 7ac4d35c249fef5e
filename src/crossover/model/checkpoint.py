"""Checkpoints: a training's state on disk, so that one that is killed goes on where it was.

One file a checkpoint, safetensors with the plain values as JSON in its header, named by step and by the
SHA-256 of its own bytes. It is written aside, synced and renamed; the one before stays until then. So a
name that exists is whole, and one that does not match its bytes is dropped, said so, and the one before
is taken. Torch all through: import it inside functions only.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from crossover.data.corpus import sha256_file
from crossover.data.whole_file import sync

FORMAT = 1
"""Raised when what is written comes to mean something else."""

KEPT = 2
"""Checkpoints of one training that are kept: the last, and one to fall back to."""

SHARE = 0.01
"""Most of the time that goes into saving: where one is slow, they are further apart."""


@dataclass(frozen=True)
class Checkpoint:
    """A training after ``step`` steps: tensors by name, and plain values."""

    step: int
    tensors: Mapping[str, Tensor]
    plain: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: of a run; a training has a folder of its own in it.
        key: SHA-256 in hex of all that decides the training's bits. No other training finds these files.
        seconds: time between two; 0 saves after every step, whatever that takes.
    """

    def __init__(self, folder: Path, key: str, seconds: float) -> None:
        self.folder, self.key, self.seconds = folder / key, key, seconds
        self._began = self._last = time.monotonic()
        self._took = 0.0

    def due(self) -> bool:
        """Whether it is time for the next."""
        wait = max(self.seconds, self._took / SHARE) if self.seconds else 0.0
        return time.monotonic() - self._last >= wait

    def worth_keeping(self) -> bool:
        """Whether a training that ends now took so long that doing it again would be a pity."""
        return time.monotonic() - self._began >= self.seconds or self.folder.is_dir()

    def save(self, checkpoint: Checkpoint, keep: int = KEPT) -> None:
        """Keep a checkpoint, and of the older ones so many that there are ``keep``.

        A disk that is full costs the checkpoint, with a warning, and not the training.
        """
        began = time.monotonic()
        aside = self.folder / f".{checkpoint.step}.{os.getpid()}.{secrets.token_hex(4)}.part"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            tensors = {name: _plain(value) for name, value in checkpoint.tensors.items()}
            plain = json.dumps({"format": FORMAT, "key": self.key, **checkpoint.plain}, allow_nan=False)
            save_file(tensors, aside, {"plain": plain})
            sync(aside)
            name = f"{checkpoint.step:08d}-{sha256_file(aside)}.safetensors"
            os.replace(aside, self.folder / name)
            sync(self.folder)
            for file in self._files()[keep:]:
                file.unlink(missing_ok=True)
        except (OSError, SafetensorError) as error:
            aside.unlink(missing_ok=True)
            need = sum(value.nbytes for value in checkpoint.tensors.values()) / 1e6
            _warn(f"{self.folder}: no checkpoint of step {checkpoint.step} could be kept ({error}); about "
                  f"{need:.0f} MB are needed. Training goes on; free space, or name another folder with "
                  "store=...")  # fmt: skip
        self._last = time.monotonic()
        self._took = self._last - began

    def load(self) -> Checkpoint | None:
        """The last one that is whole; None where there is none. What is broken or half-written is removed."""
        for part in self.folder.glob(".*.part"):  # the run is claimed: nobody else writes here
            part.unlink(missing_ok=True)
        for file in self._files():
            found = self._read(file)
            if found is not None:
                return found
            size = file.stat().st_size
            file.unlink()
            _warn(
                f"{file} ({size} bytes) is damaged or of another training: dropped; the one before is taken"
            )
        return None

    def _files(self) -> list[Path]:
        """The last first."""
        return sorted(self.folder.glob("*.safetensors"), reverse=True)

    def _read(self, file: Path) -> Checkpoint | None:
        step, _, sha256 = file.stem.partition("-")
        if sha256_file(file) != sha256:
            return None
        try:
            with safe_open(file, "pt") as opened:
                plain = json.loads((opened.metadata() or {}).get("plain", "{}"))
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        except (SafetensorError, ValueError):
            return None
        ours = (plain.get("format"), plain.get("key")) == (FORMAT, self.key)
        return Checkpoint(int(step), tensors, plain) if ours else None


def _plain(value: Tensor) -> Tensor:
    """The tensor as a file can hold it: in order, and no part of another one's memory."""
    value = value.detach().cpu().contiguous()
    return value if value.untyped_storage().nbytes() == value.nbytes else value.clone()


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=3)
