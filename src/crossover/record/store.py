"""Store: one folder that holds corpora, splits, runs, failures, claims, studies and looks at the test.

Every directory is made aside, synced and renamed into place, so that a name that exists is
whole. There is no index: readers scan.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow.parquet as pq

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.data.truth import Truth
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.split import Split

FOLDERS = ("corpora", "splits", "runs", "failed", "studies", "test_reads", "cache", "claims")


@dataclass(frozen=True)
class Failure:
    """A run that ended in an error: its last one, how often it failed, and what runs it again."""

    spec: RunSpec
    error: str
    times: int
    command: str = ""

    @classmethod
    def from_json(cls, plain: Mapping[str, object], times: int, where: str) -> Failure:
        """From a failure.json."""
        spec = RunSpec.from_json(cast(Mapping[str, object], plain["spec"]), where)
        return cls(spec, str(plain["error"]), times, str(plain.get("command", "")))


class Store:
    """The results folder (``store=outputs``).

    Raises:
        BadInput: the folder is a file, or cannot be written (told at start, before any training).
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        try:
            for folder in FOLDERS:
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe-{secrets.token_hex(4)}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise BadInput(
                f"store={self.root}: {error.strerror} (user {os.getuid()}); "
                "name a folder you can write with store=..."
            ) from None

    @classmethod
    def existing(cls, root: Path | str) -> Store:
        """A store that is there already: a name misspelt makes no new one.

        Raises:
            BadInput: there is none.
        """
        if not (Path(root) / "runs").is_dir():
            raise BadInput(f"store={root}: there is no store there; name one with store=...")
        return cls(root)

    @property
    def cache(self) -> Path:
        """Where embeddings are kept."""
        return self.root / "cache"

    def save_corpus(self, corpus: Corpus) -> str:
        """Keep a corpus under its fingerprint; returns it.

        What was planted in it is kept beside it, as ``truth-<digest>.parquet`` and ``.json``: two
        ways of planting may end in the same rows.
        """
        fingerprint = corpus.fingerprint
        with self._directory(self.root / "corpora" / fingerprint) as folder:
            if folder is not None:
                pq.write_table(corpus.table, folder / "corpus.parquet", compression="zstd")
                plain = {"name": corpus.name, "meta": dict(corpus.meta), "card": corpus.card.to_json()}
                (folder / "corpus.json").write_bytes(_json(plain))
        if corpus.truth is not None and corpus.truth.flaws:
            self._save_truth(corpus.truth, self.root / "corpora" / fingerprint)
        return fingerprint

    def corpus(self, fingerprint: str) -> Corpus:
        """A kept corpus, its fingerprint checked.

        Raises:
            BadInput: not in the store, or not what was kept.
        """
        folder = self._existing("corpora", fingerprint)
        plain = _read_json(folder / "corpus.json")
        try:
            table = pq.read_table(folder / "corpus.parquet")
        except OSError as error:
            raise BadInput(
                f"{folder}/corpus.parquet cannot be read ({error}); delete {folder} and load again"
            ) from None
        corpus = Corpus(
            str(plain["name"]),
            table,
            Card.from_json(cast(Mapping[str, object], plain["card"])),
            cast(Mapping[str, str], plain["meta"]),
        )
        if corpus.fingerprint != fingerprint:
            raise BadInput(
                f"{folder}: the rows hash to {corpus.fingerprint}; damaged: delete it and load again"
            )
        return corpus

    def _save_truth(self, truth: Truth, folder: Path) -> None:
        file = folder / f"truth-{truth.digest}.parquet"
        if not file.exists():
            _write_synced(file.with_suffix(".json"), _json(truth.to_json()))
            aside = folder / f".{file.name}.{secrets.token_hex(4)}"
            pq.write_table(truth.table, aside, compression="zstd")
            aside.rename(file)

    def save_split(self, split: Split) -> str:
        """Keep a split under its fingerprint; returns it."""
        with self._directory(self.root / "splits" / split.fingerprint) as folder:
            if folder is not None:
                (folder / "split.json").write_bytes(_json(split.to_json()))
        return split.fingerprint

    def split(self, fingerprint: str) -> Split:
        """A kept split, verified.

        Raises:
            BadInput: not in the store, or not what was kept.
        """
        file = self._existing("splits", fingerprint) / "split.json"
        split = Split.from_json(_read_json(file), str(file))
        if split.fingerprint != fingerprint:
            raise BadInput(f"{file}: holds split {split.fingerprint}; delete it and split again")
        return split

    def has_run(self, digest: str) -> bool:
        """Whether this run is finished."""
        return (self.root / "runs" / digest / "record.json").is_file()

    def run(self, digest: str) -> RunRecord:
        """A finished run.

        Raises:
            BadInput: there is none of this digest.
        """
        folder = self._existing("runs", digest)
        return RunRecord.from_json(_read_json(folder / "record.json"), folder)

    def runs(self) -> Iterator[RunRecord]:
        """Every finished run, by digest."""
        for digest in self.digests():
            yield self.run(digest)

    def plain_runs(self) -> Iterator[Mapping[str, object]]:
        """Every record.json by digest, as plain values; nothing is checked but that it is whole."""
        for digest in self.digests():
            yield _read_json(self.root / "runs" / digest / "record.json")

    def digests(self) -> list[str]:
        """Names of the finished runs, sorted."""
        return sorted(f.name for f in (self.root / "runs").iterdir() if not f.name.startswith("."))

    def failed_runs(self) -> list[Failure]:
        """The runs that failed and were not finished since, by digest, each by its last error."""
        last: dict[str, int] = {}
        for folder in (self.root / "failed").iterdir():
            digest, _, count = folder.name.partition("-")
            if count.isdigit() and not self.has_run(digest):
                last[digest] = max(last.get(digest, 0), int(count))
        files = {name: self.root / "failed" / f"{name}-{k}" / "failure.json" for name, k in last.items()}
        return [Failure.from_json(_read_json(files[n]), last[n], str(files[n])) for n in sorted(last)]

    def find(self, prefix: str) -> str:
        """The digest of the one finished run whose digest begins so.

        Raises:
            BadInput: there is none, or more than one.
        """
        found = [name for name in self.digests() if prefix and name.startswith(prefix)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise BadInput(
                f"{self.root} holds no finished run whose digest begins with {prefix!r}; "
                f"see them with python scripts/runs.py store={self.root}"
            )
        first = ", ".join(found[:5])
        raise BadInput(f"{prefix!r} is the beginning of {len(found)} runs ({first}); give more digits")

    def commit_run(self, record: RunRecord, predictions: bytes) -> RunRecord:
        """Write a run by one rename; the loser of a race discards its copy.

        ``predictions`` are the parquet bytes whose SHA-256 the record carries.
        """
        with self._directory(self.root / "runs" / record.digest) as folder:
            if folder is not None:
                (folder / "predictions.parquet").write_bytes(predictions)
                (folder / "record.json").write_bytes(_json(record.to_json()))
        return self.run(record.digest)

    def save_failure(self, digest: str, plain: Mapping[str, object]) -> Path:
        """Keep what is known of a run that failed, under the first free ``<digest>-<k>``."""
        for k in range(1, 10_000):
            target = self.root / "failed" / f"{digest}-{k}"
            if target.exists():
                continue
            with self._directory(target) as folder:
                if folder is not None:
                    (folder / "failure.json").write_bytes(_json(plain))
                    return target
        raise BadInput(f"run {digest} has failed 10,000 times; mend its cause, delete {self.root / 'failed'}")

    def failures(self, digest: str) -> int:
        """How often this run has failed."""
        k = 0
        while (self.root / "failed" / f"{digest}-{k + 1}").is_dir():
            k += 1
        return k

    def failure(self, digest: str) -> dict[str, object]:
        """What is kept of the last time this run failed.

        Raises:
            BadInput: it has not failed.
        """
        name = f"{digest}-{max(self.failures(digest), 1)}"
        return _read_json(self._existing("failed", name) / "failure.json")

    def save_study(self, name: str, files: Mapping[str, bytes]) -> Path:
        """Write or replace the files of ``studies/<name>/``, each by rename; returns the folder."""
        folder = self.root / "studies" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            aside = folder / f"{file}.{secrets.token_hex(4)}.part"
            _write_synced(aside, data)
            os.replace(aside, folder / file)
        return folder

    def _existing(self, kind: str, name: str) -> Path:
        folder = self.root / kind / name
        if not folder.is_dir():
            singular = {"corpora": "corpus", "failed": "failure"}.get(kind, kind[:-1])
            raise BadInput(f"{self.root} holds no {singular} {name}")
        return folder

    @contextmanager
    def _directory(self, target: Path) -> Iterator[Path | None]:
        """A folder aside that becomes ``target`` whole on leaving; None where it exists already.

        Each file in it is synced once, here: a sync waits for the disk even where nothing is left to write.
        """
        if target.exists():
            yield None
            return
        aside = target.parent / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}"
        aside.mkdir()
        try:
            yield aside
            for file in aside.iterdir():
                _sync(file)
            try:
                aside.rename(target)
            except OSError:
                if not target.exists():
                    raise
            else:
                _sync(target.parent)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror or error} while writing {target}; nothing was left there. "
                "Free space, or name another folder with store=...",
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _json(plain: object) -> bytes:
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")


def write_aside(file: Path, data: bytes) -> None:
    """Write a file whole or not at all: aside, synced, renamed; folders above it are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        _write_synced(aside, data)
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _write_synced(file: Path, data: bytes) -> None:
    with open(file, "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def _read_json(file: Path) -> dict[str, object]:
    try:
        return cast(dict[str, object], json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read ({error}); delete its folder and run again") from None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
