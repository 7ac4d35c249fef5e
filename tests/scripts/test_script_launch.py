"""Launchers from the command line: the same answer, stopped and resumed, failures named and run again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands_given import SCRIPTS, Command, environment, mail_rows, write_csv

STUDY = ["study=compare", "model@study.arms.probe=naive_bayes", "study.seeds=2", "wandb.mode=disabled"]
WORKERS = ["launch=local_workers", "launch.workers=2"]


def verdict(stdout: str) -> str:
    return next(line for line in stdout.splitlines() if line.startswith("verdict: "))


def begun(words: list[str], home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / "study.py"), *words],
        cwd=home,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have had it ignored
    )


@pytest.mark.slow
def test_workers_give_the_answer_of_one_process(command: Command, mail: list[str], home: Path) -> None:
    here = command("study", "store=by_one", *STUDY, *mail)
    there = command("study", "store=by_workers", *STUDY, *mail, *WORKERS)
    assert (there.returncode, there.stderr) == (0, "")
    assert verdict(there.stdout) == verdict(here.stdout)
    names = [{path.name for path in (home / store / "runs").iterdir()} for store in ("by_one", "by_workers")]
    assert names[0] == names[1] and len(names[0]) == 6
    assert list((home / "by_workers" / "claims").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code", "said"), [(signal.SIGTERM, 143, "stopped"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_study_is_stopped_cleanly_and_goes_on(
    sent: signal.Signals, code: int, said: str, command: Command, mail: list[str], home: Path
) -> None:
    words = [f"store=stopped_{code}", *STUDY, "study.seeds=40", *mail, *WORKERS]
    runs = home / f"stopped_{code}" / "runs"
    process, until = begun(words, home), time.monotonic() + 120
    while len(list(runs.glob("[!.]*"))) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    told = time.monotonic()
    os.kill(process.pid, sent)
    _, shown = process.communicate(timeout=60)
    assert time.monotonic() - told < 20
    assert process.returncode == code
    assert shown == f"{said}: finished runs are kept, the same command goes on from here\n"
    assert list((runs.parent / "claims").iterdir()) == []
    kept = {path: (path / "record.json").stat().st_mtime_ns for path in runs.glob("[!.]*")}
    assert 3 <= len(kept) < 120
    ended = command("study", *words)
    assert (ended.returncode, ended.stderr) == (0, "") and len(list(runs.glob("[!.]*"))) == 120
    assert {path: (path / "record.json").stat().st_mtime_ns for path in kept} == kept, "none was run again"


@pytest.mark.slow
def test_failed_runs_are_named_with_a_command_that_runs_them_again(command: Command, home: Path) -> None:
    header, *rows = mail_rows(300)
    write_csv(home / "few.csv", [header, *rows])
    answers = home / "answers.csv"
    write_csv(answers, [["text", "ham", "spam"], *([row[0], "0.5", "0.5"] for row in rows[1:])])
    words = ["store=partly_run", "study=compare", "study.arms.tfidf=null", "study.seeds=1"]
    words += ["model@study.arms.probe=external", f"study.arms.probe.path={answers.name}", *WORKERS]
    words += ["data=table_file", "data.path=few.csv", "data.text=message", "data.label=kind"]
    ended = command("study", *words, "wandb.mode=disabled")
    (folder,) = (home / "partly_run" / "failed").iterdir()
    failure = json.loads((folder / "failure.json").read_text(encoding="utf-8"))
    assert ended.returncode == 1 and f"failed: external: {failure['error']}" in ended.stderr
    again = command(*failure["command"].removeprefix("python scripts/").replace(".py", "", 1).split())
    assert again.returncode == 1 and failure["error"] in again.stderr
    once = command("study", *words, "wandb.mode=disabled")
    assert once.returncode == 1 and len(list((home / "partly_run" / "failed").iterdir())) == 2, "not tried"
    stopped = command(
        "study", *words, "wandb.mode=disabled", "launch.retry_failed=true", "launch.max_failures=0"
    )
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("error: stopped: 1 runs failed, launch.max_failures=0.")
    assert "Traceback" not in stopped.stderr


def test_rerun_of_a_run_that_never_failed_is_refused(command: Command) -> None:
    ended = command("rerun", "store=nothing_failed", "of=0123456789abcdef")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "holds no failure 0123456789abcdef" in ended.stderr
