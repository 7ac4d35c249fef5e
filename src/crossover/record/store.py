"""Store: one folder that holds corpora, splits, runs, failures, studies, claims, checkpoints ...

Every directory is made aside, synced and renamed into place, so that a name that exists is
whole. There is no index: readers scan. Each JSON file carries the SHA-256 of its own bytes, each
table has it in the JSON beside it.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus, sha256_file
from crossover.data.sealed_json import sealed, unsealed
from crossover.data.truth import Truth
from crossover.data.whole_file import sync, unwritten, write_whole
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.split import Split

FOLDERS = (
    "corpora", "splits", "runs", "failed", "studies", "looks", "test_reads", "cache", "claims", "checkpoints",
)  # fmt: skip

_AGAIN = "delete its folder and run again"
_NAME = re.compile(r"[0-9a-f]{16}(-[0-9]{1,5})?")
"""A fingerprint or digest, a failure's with its count: no name from a record or command leaves the store."""
_STUDY = re.compile(r"[A-Za-z0-9_-]{1,128}")


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
        BadInput: the folder is a file, or it or a folder in it cannot be written (told at start,
            before any training). One on a full disk opens: what is there can be read.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        try:
            for folder in FOLDERS:
                (self.root / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._closed(self.root, error) from None
        for path in (self.root, *(self.root / folder for folder in FOLDERS)):
            probe = path / f".probe-{secrets.token_hex(4)}"
            try:
                probe.touch()
                probe.unlink()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise self._closed(path, error) from None

    @classmethod
    def existing(cls, root: Path | str) -> Store:
        """A store that is there already: a name misspelt makes no new one.

        Raises:
            BadInput: there is none.
        """
        if not (Path(root) / "runs").is_dir():
            raise BadInput(f"store={root}: there is no store there; name one with store=...")
        return cls(root)

    def _closed(self, path: Path, error: OSError) -> BadInput:
        where = "" if path == self.root else f"{path.name}: "
        return BadInput(
            f"store={self.root}: {where}{error.strerror} (user {os.getuid()}); "
            "name a folder you can write with store=..."
        )

    @property
    def cache(self) -> Path:
        """Where embeddings are kept."""
        return self.root / "cache"

    def checkpoints(self, digest: str) -> Path:
        """Where a run under way keeps what it would go on from."""
        return self.root / "checkpoints" / digest

    def forget_checkpoints(self, digest: str) -> None:
        """Remove a run's checkpoints: it is finished, or is to begin anew."""
        shutil.rmtree(self.checkpoints(digest), ignore_errors=True)

    def sweep_checkpoints(self) -> None:
        """Remove those of finished runs: a process may be killed before it does so itself."""
        for folder in (self.root / "checkpoints").iterdir():
            if self.has_run(folder.name):
                self.forget_checkpoints(folder.name)

    def save_corpus(self, corpus: Corpus) -> str:
        """Keep a corpus under its fingerprint; returns it.

        What was planted in it is kept beside it, as ``truth-<digest>.parquet`` and ``.json``: two
        ways of planting may end in the same rows.
        """
        fingerprint = corpus.fingerprint
        with self._directory(self.root / "corpora" / fingerprint, corpus.table.nbytes) as folder:
            if folder is not None:
                file = folder / "corpus.parquet"
                pq.write_table(corpus.table, file, compression="zstd")
                plain = {"name": corpus.name, "meta": dict(corpus.meta), "card": corpus.card.to_json()}
                (folder / "corpus.json").write_bytes(sealed({**plain, "table_sha256": sha256_file(file)}))
        if corpus.truth is not None and corpus.truth.flaws:
            self._save_truth(corpus.truth, self.root / "corpora" / fingerprint)
        return fingerprint

    def corpus(self, fingerprint: str) -> Corpus:
        """A kept corpus, its fingerprint checked.

        Raises:
            BadInput: not in the store, or not what was kept.
        """
        folder = self._existing("corpora", fingerprint)
        mend = f"delete {folder} and load again"
        plain = unsealed(folder / "corpus.json", mend)
        try:
            kept = plain.get("table_sha256")
            if kept and (found := sha256_file(folder / "corpus.parquet")) != kept:
                raise BadInput(
                    f"{folder}/corpus.parquet: SHA-256 {found[:16]}..., corpus.json says "
                    f"{str(kept)[:16]}...; edited or damaged: {mend}"
                )
            table = pq.read_table(folder / "corpus.parquet")
        except (OSError, pa.ArrowException) as error:
            raise BadInput(f"{folder}/corpus.parquet cannot be read ({error}); {mend}") from None
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
            write_whole(file.with_suffix(".json"), sealed({"flaws": truth.to_json()}))
            table = io.BytesIO()
            pq.write_table(truth.table, table, compression="zstd")
            write_whole(file, table.getvalue())

    def save_split(self, split: Split) -> str:
        """Keep a split under its fingerprint; returns it."""
        data = sealed(split.to_json())
        with self._directory(self.root / "splits" / split.fingerprint, len(data)) as folder:
            if folder is not None:
                (folder / "split.json").write_bytes(data)
        return split.fingerprint

    def split(self, fingerprint: str) -> Split:
        """A kept split, verified.

        Raises:
            BadInput: not in the store, or not what was kept.
        """
        file = self._existing("splits", fingerprint) / "split.json"
        split = Split.from_json(unsealed(file, f"delete {file.parent} and split again"), str(file))
        if split.fingerprint != fingerprint:
            raise BadInput(f"{file}: holds split {split.fingerprint}; delete it and split again")
        return split

    def has_run(self, digest: str) -> bool:
        """Whether this run is finished; whether it is still whole is seen when it is read."""
        return (self.root / "runs" / digest).is_dir()

    def run(self, digest: str) -> RunRecord:
        """A finished run.

        Raises:
            BadInput: there is none of this digest, or its record is damaged or of a newer schema.
        """
        folder = self._existing("runs", digest)
        return RunRecord.from_json(unsealed(folder / "record.json", _AGAIN), folder)

    def runs(self) -> Iterator[RunRecord]:
        """Every finished run, by digest."""
        for digest in self.digests():
            yield self.run(digest)

    def plain_runs(self) -> Iterator[Mapping[str, object]]:
        """Every record.json by digest, as plain values, its seal checked and nothing else."""
        for digest in self.digests():
            yield unsealed(self.root / "runs" / digest / "record.json", _AGAIN)

    def digests(self) -> list[str]:
        """Names of the finished runs, sorted."""
        return sorted(f.name for f in (self.root / "runs").iterdir() if not f.name.startswith("."))

    def failed_runs(self) -> list[Failure]:
        """The runs that failed and were not finished since, by digest, each by its last error."""
        last: dict[str, int] = {}
        for folder in (self.root / "failed").iterdir():
            digest, _, count = folder.name.partition("-")
            if count.isdigit() and not folder.name.startswith(".") and not self.has_run(digest):
                last[digest] = max(last.get(digest, 0), int(count))
        files = {name: self.root / "failed" / f"{name}-{k}" / "failure.json" for name, k in last.items()}
        return [Failure.from_json(unsealed(files[n], _AGAIN), last[n], str(files[n])) for n in sorted(last)]

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
        """Write a run by one rename and remove its checkpoints; the loser of a race discards its copy.

        ``predictions`` are the parquet bytes whose SHA-256 the record carries.
        """
        data = sealed(record.to_json())
        with self._directory(self.root / "runs" / record.digest, len(predictions) + len(data)) as folder:
            if folder is not None:
                (folder / "predictions.parquet").write_bytes(predictions)
                (folder / "record.json").write_bytes(data)
        self.forget_checkpoints(record.digest)
        return self.run(record.digest)

    def save_failure(self, digest: str, plain: Mapping[str, object]) -> Path:
        """Keep what is known of a run that failed, under the first free ``<digest>-<k>``."""
        data = sealed(plain)
        for k in range(1, 10_000):
            target = self.root / "failed" / f"{digest}-{k}"
            if target.exists():
                continue
            with self._directory(target, len(data)) as folder:
                if folder is not None:
                    (folder / "failure.json").write_bytes(data)
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
        return unsealed(self._existing("failed", name) / "failure.json", _AGAIN)

    def save_study(self, name: str, files: Mapping[str, bytes]) -> Path:
        """Write or replace the files of ``studies/<name>/``, each by rename; returns the folder."""
        return self._replace(self.root / "studies" / name, files)

    def save_look(self, corpus: str, name: str, files: Mapping[str, bytes]) -> Path:
        """Write or replace the files of ``looks/<corpus>/<name>/``, each by rename; returns the folder."""
        return self._replace(self.root / "looks" / corpus / name, files)

    def _replace(self, folder: Path, files: Mapping[str, bytes]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / file, data)
        return folder

    def study_folder(self, name: str) -> Path:
        """Where a study's files lie, whether it is there or not.

        Raises:
            BadInput: no name that a study can have.
        """
        if not _STUDY.fullmatch(name):
            raise BadInput(f"{name!r} is no name of a study: expected letters, digits, _ and - alone")
        return self.root / "studies" / name

    def _existing(self, kind: str, name: str) -> Path:
        singular = {"corpora": "corpus", "failed": "failure"}.get(kind, kind[:-1])
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is no name of a {singular}: expected 16 hexadecimal digits")
        folder = self.root / kind / name
        if not folder.is_dir():
            raise BadInput(f"{self.root} holds no {singular} {name}")
        return folder

    @contextmanager
    def _directory(self, target: Path, size: int) -> Iterator[Path | None]:
        """A folder aside that becomes ``target`` whole on leaving; None where it exists already.

        ``size``: bytes that it will take, roughly, to be named where the disk is full.
        Each file in it is synced once, here: a sync waits for the disk even where nothing is left to write.
        """
        if target.exists():
            yield None
            return
        aside = target.parent / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            aside.mkdir()
            yield aside
            for file in aside.iterdir():
                sync(file)
            try:
                aside.rename(target)
            except OSError:
                if not target.exists():
                    raise
            else:
                sync(target.parent)
        except OSError as error:
            raise unwritten(error, target, size) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
