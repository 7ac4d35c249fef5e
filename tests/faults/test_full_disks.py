"""F08, F09, F10: a full disk and a folder that cannot be written are told with a remedy, and leave nothing.

Each promise is held on a real file system of a few MB where this user may mount one, and everywhere
under a limit on the size of a file. The matrix of block features and the embedding cache are written,
never stored through a memory map: a full disk is an error there, not a signal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands_given import SCRIPTS, environment, mail_rows, write_csv
from faults.small_disk import MEGABYTE, SmallDisk, limited, small_disk
from report.example_verdict import compare_verdict
from scipy.sparse import random as random_matrix
from toy import CARD, bayes, logistic, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.data.corpus_file import write_corpus
from crossover.data.inbox import Inbox
from crossover.model.classifier import save
from crossover.model.embedding_cache import EmbeddingCache
from crossover.model.features.out_of_core import spooled
from crossover.model.logistic_regression import LogisticRegression
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record import ledger
from crossover.record.claim import Claims
from crossover.record.store import Store
from crossover.report.runs_list import Filter
from crossover.report.runs_listing import listing
from crossover.report.runs_listing import write_csv as write_listing
from crossover.report.verdict_page import write_report
from crossover.split.nested_subsets import Subset
from crossover.split.split import Split

pytestmark = pytest.mark.fault
Tally = Callable[..., None]
KEPT = 24 * 1024
"""Bytes left on the disk: less than any of the writers needs."""


@pytest.fixture(params=["full disk", "file limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    if request.param == "file limit":
        with limited(tmp_path / "disk") as made:
            yield made
        return
    with small_disk(tmp_path / "disk") as mounted:
        if mounted is None:
            pytest.skip("needs to mount a tmpfs, which only root may; the limit on files stands in for it")
        yield mounted


def words(rows: int, seed: int = 0) -> list[str]:
    """Texts that no compression makes small."""
    draw = np.random.default_rng(seed)
    return [draw.bytes(40).hex() for _ in range(rows)]


def wide(texts: Sequence[str]):
    """Vectors of 384 numbers, as those of a small encoder."""
    count = len(texts)
    return np.ones((count, 384), np.float32), np.ones(count, np.int64), np.ones(count)


def one_run(store: Store, corpus: Corpus, split: Split, seed: int = 0):
    spec = RunSpec(
        corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 30, 0), seeds=Seeds(seed)
    )
    return experiment.run(spec, store)


class Written:
    """What can fill a disk, each under the name of what is written."""

    def __init__(self, store: Store, corpus: Corpus, split: Split) -> None:
        self.store, self.corpus, self.split = store, corpus, split
        self.texts = words(2000)
        self.large = Corpus.from_columns("large", self.texts, ["a", "b"] * 1000, CARD)
        ids = self.large.ids
        parts = {"train": tuple(ids[:1500]), "select": (), "calibrate": (), "test": tuple(ids[1500:])}
        self.other = Split(self.large.fingerprint, parts)
        record = one_run(store, corpus, split)
        self.record = replace(record, spec=replace(record.spec, seeds=Seeds(99)))
        self.model = LogisticRegression().fit(self.texts, ["a", "b"] * 1000, ["a", "b"])
        self.table = listing(store, Filter(), None, False, False)[0]
        self.table = replace(self.table, rows=tuple(self.table.rows) * 2000)

    def __getitem__(self, what: str) -> Callable[[], object]:
        root = self.store.root
        return {
            "cache/vectors": lambda: EmbeddingCache(self.store.cache / "vectors").fill(self.texts, wide),
            "runs/": lambda: self.store.commit_run(self.record, os.urandom(MEGABYTE)),
            "corpora/": lambda: self.store.save_corpus(self.large),
            "splits/": lambda: self.store.save_split(self.other),
            "studies/asked": lambda: write_report(compare_verdict(), root / "studies" / "asked"),
            "plan.json": lambda: self.store.save_study("asked", {"plan.json": os.urandom(MEGABYTE)}),
            "mail": lambda: write_corpus(Inbox(4000), root.parent / "mail"),
            "arrays.safetensors": lambda: save(self.model, logistic(), root.parent / "model"),
            "runs.csv": lambda: write_listing(self.table, str(root.parent / "runs.csv")),
        }[what]


REMEDIES = {"mail": "to=...", "arrays.safetensors": "another folder", "runs.csv": "--csv"}


@pytest.mark.parametrize(
    "what",
    [
        "cache/vectors", "runs/", "corpora/", "splits/", "studies/asked", "plan.json", "mail",
        "arrays.safetensors", "runs.csv",
    ],
)  # fmt: skip
def test_a_full_disk_is_told_with_what_it_needs_and_nothing_is_left(
    what: str, disk: SmallDisk, tally: Tally
) -> None:
    store, corpus, split = toy_store(disk.folder / "store", 120)
    written = Written(store, corpus, split)
    for folder in ("studies/asked/figures", "studies/asked/tables", "cache/vectors", "../model"):
        (store.root / folder).mkdir(parents=True, exist_ok=True)
    (store.cache / "vectors").chmod(0o700)
    before = disk.files()
    disk.fill(KEPT)
    with pytest.raises(OSError) as told:
        written[what]()
    message = str(told.value)
    for part in (what, "about ", " MB are needed", "nothing was left there", REMEDIES.get(what, "store=...")):
        assert part in message, message
    left = {name for name in disk.files() if name not in before}
    if what == "studies/asked":  # a page's tables and figures are files of their own, each whole
        left = {name for name in left if name.endswith(".part") or name.endswith("report.html")}
    assert left == set(), "no piece, and nothing under its final name"
    again = Store.existing(store.root)
    assert [len(record.predictions) > 0 for record in again.runs()] == [True]
    disk.free()
    if what != "studies/asked":  # drawing it again takes seconds
        written[what]()
    tally("F08")


@pytest.mark.parametrize("what", ["look", "failure", "claim"])
def test_the_smallest_file_is_whole_or_not_there_too(what: str, disk: SmallDisk, tally: Tally) -> None:
    store, corpus, split = toy_store(disk.folder / "store", 120)
    record = one_run(store, corpus, split)
    (store.root / "test_reads" / "0123").mkdir()
    write: dict[str, Callable[[], object]] = {
        "look": lambda: ledger.note_look(store.root, "0123", "run-0", "one run"),
        "failure": lambda: store.save_failure(record.digest, {"spec": record.spec.to_json(), "error": "x"}),
        "claim": lambda: Claims(store.root).take("0123456789abcdef"),
    }
    before = disk.files()
    disk.fill()
    with pytest.raises(OSError, match=r"MB are needed; nothing was left there\. Free space, or .*store="):
        write[what]()
    assert disk.files() == before and ledger.looks(store.root, "0123") == 0
    assert len(list(Store.existing(store.root).runs())) == 1
    disk.free()
    write[what]()
    tally("F08")


def test_a_matrix_laid_out_on_a_full_disk_names_the_variable(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    pieces = [random_matrix(2000, 500, density=0.1, format="csr", rng=k) for k in range(3)]
    disk.fill(MEGABYTE)
    with pytest.raises(OSError, match=r"laying out a matrix of features in .*TMPDIR"):
        spooled(pieces, 500)
    assert disk.files() == {}
    disk.free()
    assert spooled(pieces[:1], 500).nnz == pieces[0].nnz
    tally("F08")


def test_a_full_disk_below_cache_and_matrix_is_an_error_and_never_a_signal(
    tmp_path: Path, tally: Tally
) -> None:
    """In a process of its own, so that a signal would be seen: nothing is written through a map."""
    code = """
import sys, numpy as np
from pathlib import Path
from scipy.sparse import random
from crossover.model.embedding_cache import EmbeddingCache
from crossover.model.features.out_of_core import spooled

def wide(texts):
    return np.ones((len(texts), 384), np.float32), np.ones(len(texts), np.int64), np.ones(len(texts))

folder = Path(sys.argv[1])
small = [random(2000, 500, density=0.1, format="csr", rng=0)]
kept = spooled(small, 500) if sys.argv[2] == "matrix" else None
(folder / "ballast").write_bytes(bytes(int(sys.argv[3])))
if kept is not None:
    print(float(kept.sum()) > 0)
    spooled([random(2000, 5000, density=0.1, format="csr", rng=0)], 5000)
else:
    EmbeddingCache(folder / "cache").fill([f"text {k}" for k in range(2048)], wide)
"""
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("needs to mount a tmpfs, which only root may")
        for what, ballast in (("cache", 2 * MEGABYTE), ("matrix", MEGABYTE // 2)):
            words = [sys.executable, "-c", code, str(disk.folder), what, str(ballast)]
            told = {**os.environ, "TMPDIR": str(disk.folder), "OMP_NUM_THREADS": "1"}
            ended = subprocess.run(words, env=told, capture_output=True, text=True, timeout=60)
            assert ended.returncode == 1, (ended.returncode, ended.stderr)
            assert "No space left on device" in ended.stderr.splitlines()[-1]
            assert not list((disk.folder / "cache").glob("*")), "no shard and no piece of one"
            assert (ended.stdout == "True\n") == (what == "matrix"), "what was laid out before can be read"
            disk.free()
            tally("F09")


def given(store: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """scripts/run.py on a small csv."""
    if not (folder / "mail.csv").exists():
        write_csv(folder / "mail.csv", mail_rows(200))
    data = ["data=table_file", "data.path=mail.csv", "data.text=message", "data.label=kind"]
    words = [sys.executable, str(SCRIPTS / "run.py"), f"store={store}", "model=naive_bayes", *data]
    return subprocess.run(
        [*words, "wandb.mode=disabled"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(ended: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert ended.returncode == 2 and ended.stdout == "", ended.stderr
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1, ended.stderr
    for part in parts:
        assert part in ended.stderr, ended.stderr


@pytest.mark.slow
def test_a_command_on_a_full_disk_ends_with_one_line_and_goes_on_once_there_is_room(
    tmp_path: Path, tally: Tally
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("needs to mount a tmpfs, which only root may")
        store = Store(disk.folder / "store")
        before = disk.files()
        disk.fill()
        refused(given(str(store.root), tmp_path), "No space left on device", "free space, or", "store=...")
        assert set(disk.files()) <= {*before, "store/hydra"}
        assert Store.existing(store.root).digests() == []
        disk.free()
        ended = given(str(store.root), tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert [len(record.predictions) > 0 for record in store.runs()] == [True]
        tally("F08")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["read-only", "a file in its place", "below a file", "a file inside"])
def test_a_store_that_cannot_be_written_ends_the_command_before_anything_is_read(
    kind: str, tmp_path: Path, tally: Tally
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        root = tmp_path / "disk" / "store"
        if kind == "read-only":
            if disk is None:
                pytest.skip("needs to mount a tmpfs read-only, which only root may")
            disk.read_only()
            reason = "Read-only file system"
        elif kind == "a file inside":
            Store(root)
            (root / "runs").rmdir()
            (root / "runs").write_text("mine", encoding="utf-8")
            reason = "File exists"
        else:
            root.write_text("mine", encoding="utf-8")
            root = root / "deeper" if kind == "below a file" else root
            reason = "Not a directory"
        (tmp_path / "mail.csv").write_text("this,is,no,table of the columns asked for\n", encoding="utf-8")
        ended = given(str(root), tmp_path)
        refused(ended, f"store={root}", reason, f"(user {os.getuid()})", "store=...")
        assert "message" not in ended.stderr, "the data was not even looked at"
        tally("F10")


CLOSED = """
import os, sys
from pathlib import Path
from crossover.data.bad_input import BadInput
from crossover.record.store import Store
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)  # root may write everywhere
try:
    Store(sys.argv[1])
except BadInput as error:
    print(error)
"""


@pytest.mark.parametrize("closed", ["", "runs", "cache"], ids=["the store", "its runs", "its cache"])
def test_a_folder_without_permission_is_told_when_the_store_is_opened(
    closed: str, tmp_path_factory: pytest.TempPathFactory, tally: Tally
) -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders are closed to other users
        Path(made).chmod(0o755)
        root = Path(made) / "store"
        Store(root)
        for path in (root, *root.iterdir()):
            path.chmod(0o777)
        (root / closed).chmod(0o555)
        ended = subprocess.run(
            [sys.executable, "-c", CLOSED, str(root)], capture_output=True, text=True, timeout=60
        )
    assert ended.returncode == 0, ended.stderr
    user = 65534 if os.getuid() == 0 else os.getuid()
    where = f"{closed}: " if closed else ""
    assert ended.stdout.startswith(f"store={root}: {where}Permission denied (user {user}); name a folder")
    tally("F10")


def test_a_missing_folder_is_made_and_a_store_misspelt_is_not(tmp_path: Path, tally: Tally) -> None:
    assert Store(tmp_path / "not" / "yet").digests() == []
    with pytest.raises(BadInput, match=r"there is no store there; name one with store="):
        Store.existing(tmp_path / "nott")
    assert not (tmp_path / "nott").exists()
    tally("F10")
