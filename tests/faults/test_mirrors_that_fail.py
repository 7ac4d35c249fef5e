"""F03, F11: whatever becomes of W&B, the store is whole, no run waits, and mirror.py sends the rest later.

The package is the real one, its server a closed port of this machine or one that refuses; what a stand-in for
the package shows is in tests/record/test_wandb_mirror.py.
"""

import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from commands_given import SCRIPTS, environment, mail_rows, write_csv
from fake_wandb import FakeWandb, put
from faults.planned import Tally
from toy import bayes, toy_store

from crossover import experiment
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record import wandb_mirror
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.split.nested_subsets import Subset

pytestmark = pytest.mark.fault
KEY = "0123456789" * 4
CLOSED = "http://127.0.0.1:9"
RUN = [
    "data=table_file", "data.path=mail.csv", "data.text=message", "data.label=kind",
    "model=naive_bayes", "subset={scheme: natural, size: 100, draw: 0}"
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are given; each makes a store of its own."""
    made = tmp_path_factory.mktemp("mirrors")
    write_csv(made / "mail.csv", mail_rows(300))
    return made


@contextmanager
def refusing() -> Iterator[tuple[str, list[str]]]:
    """A server that answers 401 to everything: its address, and what was asked of it."""
    asked: list[str] = []

    class Refusal(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(self.path)
            body = json.dumps({"errors": [{"message": "invalid api key"}]}).encode()
            self.send_response(401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def python(folder: Path, *words: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """A command's end, and how long it took."""
    began = time.monotonic()
    shell = {**environment(), "HOME": str(folder), "NO_PROXY": "127.0.0.1", **variables}
    ended = subprocess.run(
        [sys.executable, *words], cwd=folder, env=shell, capture_output=True, text=True, timeout=120
    )
    return ended, time.monotonic() - began


def whole(store: Path) -> None:
    (record,) = Store(store).runs()
    assert len(record.predictions) > 0 and list((store / "failed").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", ["unreachable", "refused key", "malformed key"])
def test_an_online_mirror_that_cannot_send_costs_seconds_and_no_run(
    case: str, folder: Path, tally: Tally
) -> None:
    name = f"store={case.split()[0]}"
    with refusing() as (address, asked):
        base = address if case == "refused key" else CLOSED
        key = "too-short-a-key" if case == "malformed key" else KEY
        command = [str(SCRIPTS / "run.py"), *RUN, name, "wandb.mode=online", "wandb.patience=5"]
        ended, took = python(folder, *command, WANDB_BASE_URL=base, WANDB_API_KEY=key)
    assert ended.returncode == 0 and ended.stdout.splitlines()[-1].startswith(f"run: {case.split()[0]}/runs/")
    assert took < 60
    assert "W&B mirror behind by 1 runs (" in ended.stderr
    assert f"python scripts/mirror.py {name}" in ended.stderr and "Traceback" not in ended.stderr
    assert set(asked) == ({"/graphql"} if case == "refused key" else set()), "and no report of errors"
    store = folder / case.split()[0]
    whole(store)
    assert key not in ended.stderr
    kept = [file for file in store.rglob("*") if file.is_file()]
    assert not [file for file in kept if key.encode() in file.read_bytes()], "the key is in no file"
    tally("F11")


KILLED = """
import os, runpy, signal, sys, wandb
begin = wandb.init
def init(**about):
    if {sends}:
        run = begin(**about)
        run.log({{"train/loss": 1.0}})
    os.kill(os.getpid(), signal.SIGKILL)
wandb.init = init
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("sends", [False, True], ids=["before the mirror sends", "while it sends"])
def test_a_command_killed_before_its_mirror_is_done_is_caught_up_with(
    sends: bool, folder: Path, tally: Tally
) -> None:
    store, name = folder / f"killed_{sends}", f"store=killed_{sends}"
    command = ["-c", KILLED.format(sends=sends), str(SCRIPTS / "run.py"), *RUN, name, "wandb.mode=offline"]
    ended, _ = python(folder, *command)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    whole(store)
    assert not list((store / "wandb").rglob("mirrored/*.json"))
    for sent in (1, 0):
        before = len(list((store / "wandb").rglob("run-*.wandb")))
        ended, _ = python(folder, str(SCRIPTS / "mirror.py"), name, "wandb.mode=offline")
        assert (ended.returncode, ended.stdout) == (0, "mirrored: 1 runs, 0 studies, 0 behind\n"), (
            ended.stderr
        )
        assert len(list((store / "wandb").rglob("run-*.wandb"))) == before + sent
    tally("F03")
    tally("F11")


def records(folder: Path, count: int) -> list[RunRecord]:
    """So many runs that differ in their seeds."""
    store, corpus, split = toy_store(folder, 200)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 30, 0))
    record = experiment.run(spec, store)
    return [replace(record, spec=replace(spec, seeds=Seeds(seed))) for seed in range(count)]


def refuse() -> None:
    raise ConnectionError("unreachable")


STAND_INS = {
    "not installed": None,
    "init raises": FakeWandb(on_init=refuse),
    "log raises": FakeWandb(on_log=refuse),
    "slow": FakeWandb(on_init=lambda: time.sleep(0.4)),
    "never answers": FakeWandb(on_init=lambda: time.sleep(30)),
}


@pytest.mark.parametrize("case", STAND_INS)
def test_while_runs_are_made_no_fault_of_the_package_takes_more_than_one_percent(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    """A command that has run for 400 s already; thirty runs end, one every 10 ms."""
    put(monkeypatch, STAND_INS[case])
    mirror, runs = WandbMirror("offline", patience=2), records(tmp_path, 30)
    mirror._began -= 400
    monkeypatch.setattr(wandb_mirror, "SHARE", 0.01 / 40)  # a tenth of a second in place of four
    monkeypatch.setattr(wandb_mirror, "FIRST_SECONDS", 0.05)
    held = 0.0
    for record in [replace(record, history=[{"loss": 1.0}]) for record in runs]:
        began = time.monotonic()
        mirror.run(record, tmp_path / "wandb")
        held += time.monotonic() - began
        time.sleep(0.01)
    assert held < 0.5, "a tenth of a second, and what a busy machine adds"
    with pytest.warns(UserWarning, match=r"behind by \d+ runs .*python scripts/mirror\.py store="):
        mirror.finish()
    sent = len(list((tmp_path / "wandb").glob("mirrored/*")))
    assert sent + mirror.behind == 30 and (sent > 0) == (case == "slow")
    assert len(list(Store(tmp_path).runs())) == 1
    tally("F11")


def test_an_entry_that_takes_longer_than_it_may_goes_on_by_itself_and_is_not_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeWandb(on_init=lambda: time.sleep(0.6))
    put(monkeypatch, fake)
    mirror, runs = WandbMirror("offline", patience=10), records(tmp_path, 3)
    mirror._began -= 310  # three seconds are due for the first entry
    monkeypatch.setattr(wandb_mirror, "SHARE", 0.01 / 30)
    monkeypatch.setattr(wandb_mirror, "FIRST_SECONDS", 0.05)
    for record in runs:
        mirror.run(record, tmp_path / "wandb")
    assert len(fake.begun) == 1, "one at a time, and nothing waits for it"
    mirror.finish()
    assert len(fake.begun) == 3 and mirror.behind == 0
    assert len(list((tmp_path / "wandb" / "mirrored").iterdir())) == 3
