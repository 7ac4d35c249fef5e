"""scripts/study.py on a csv of the user's own: verdict, report, resume, dry run, failures."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands_given import SCRIPTS, Command, environment, left_in, mail_rows, write_csv

CROSSOVER = [
    *("study=crossover", "model@study.arms.probe=naive_bayes", "study.arms.finetune=null"),
    *("study.sizes=[20,40,80,160]", "study.draws=5", "study.pools=8"),
]
COMPARE = ["study=compare", "model@study.arms.probe=naive_bayes", "study.seeds=2"]


def last_lines(stdout: str, home: Path) -> tuple[str, Path]:
    """The verdict and the report's path, as a program reads them."""
    verdict, report = stdout.splitlines()[-2:]
    assert verdict.startswith("verdict: ") and report.startswith("report: ")
    return verdict.removeprefix("verdict: "), home / report.removeprefix("report: ")


def answer(report: Path) -> dict[str, object]:
    """What a verdict says, without seconds and memory, which no two executions share."""
    verdict = json.loads((report.parent / "verdict.json").read_text(encoding="utf-8"))
    keys = ("sentence", "kind", "population", "would_change", "next_step", "runs")
    return {key: verdict[key] for key in keys} | {"pairs": verdict["numbers"]["pairs"]}


def ended_by(sent: signal.Signals, words: list[str], runs: Path, count: int, home: Path) -> tuple[int, str]:
    """Exit code and stderr of a study that gets a signal once the store holds this many runs."""
    started = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "study.py"), *words, "wandb.mode=disabled"],
        cwd=home,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have had it ignored
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and started.poll() is None and len(list(runs.glob("[!.]*"))) < count:
        time.sleep(0.02)
    os.kill(started.pid, sent)
    return started.wait(), started.communicate()[1]


@pytest.fixture(scope="module")
def done(command: Command, mail: list[str], home: Path) -> Path:
    """The report of a finished crossover study in store ``whole``, checked as to its stdout."""
    ended = command("study", "store=whole", *CROSSOVER, *mail)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 3, "what the test can show, then the two lines, and nothing else"
    assert ended.stdout.startswith("power: 120 independent test rows and 5 training draws")
    return last_lines(ended.stdout, home)[1]


@pytest.mark.slow
def test_beside_the_report_lie_the_verdict_its_numbers_and_its_figures(done: Path, home: Path) -> None:
    verdict = json.loads((done.parent / "verdict.json").read_text(encoding="utf-8"))
    assert done.is_file() and done.parent.parent == home / "whole" / "studies"
    assert verdict["sentence"] and verdict["would_change"] and verdict["next_step"]
    finished = {path.name for path in (home / "whole" / "runs").iterdir()}
    assert set(verdict["runs"]) == finished and len(finished) == 2 * 4 * (2 + 5)
    decided = [point for point in verdict["numbers"]["pairs"][0]["differences"] if point["stage"] == 2]
    assert [point["size"] for point in decided] == [20, 40, 80, 160]
    assert all(point["low"] < point["mean"] < point["high"] for point in decided)
    figures = list((done.parent / "figures").glob("*.png"))
    assert len(figures) >= 3 and all(file.read_bytes()[:4] == b"\x89PNG" for file in figures)
    command = verdict["numbers"]["commands"]["study"]
    assert command.startswith("python scripts/study.py ") and "study.arms.finetune=null" in command


@pytest.mark.slow
def test_the_second_call_adds_no_run_and_says_the_same(
    done: Path, command: Command, mail: list[str], home: Path
) -> None:
    verdict, before = (done.parent / "verdict.json").read_bytes(), left_in(home / "whole")
    ended = command("study", "store=whole", *CROSSOVER, *mail)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert last_lines(ended.stdout, home)[1] == done
    assert (done.parent / "verdict.json").read_bytes() == verdict
    assert left_in(home / "whole") == before


@pytest.mark.slow
def test_an_interrupted_and_killed_study_resumes_and_ends_as_one_that_was_not(
    done: Path, command: Command, mail: list[str], home: Path
) -> None:
    words = ["store=killed", *CROSSOVER, *mail]
    runs = home / "killed" / "runs"
    code, shown = ended_by(signal.SIGINT, words, runs, 1, home)
    assert code == 130
    assert shown == "interrupted: finished runs are kept, the same command goes on from here\n"
    code, shown = ended_by(signal.SIGKILL, words, runs, 4, home)
    assert code == -signal.SIGKILL, "killed before it ended"
    kept = {path: (path / "record.json").stat().st_mtime_ns for path in runs.glob("[!.]*")}
    assert 4 <= len(kept) < 56 and not list((home / "killed" / "studies").rglob("verdict.json"))
    planned = command("study", *words, "--dry-run", "wandb.mode=disabled")
    assert re.search(rf"^new: \d+ runs, kept: {len(kept)}, decided later: \d+$", planned.stdout, re.MULTILINE)
    ended = command("study", *words)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {path: (path / "record.json").stat().st_mtime_ns for path in kept} == kept, "none was run again"
    assert answer(last_lines(ended.stdout, home)[1]) == answer(done)


@pytest.mark.slow
def test_report_tells_a_stored_study_again(done: Path, command: Command, home: Path) -> None:
    page = done.read_bytes()
    ended = command("report", "store=whole", f"of={done.parent.name}")
    assert (ended.returncode, ended.stderr) == (0, "")
    sentence, again = last_lines(ended.stdout, home)
    assert again == done and sentence == answer(done)["sentence"]
    assert done.read_bytes() == page


def test_a_dry_run_counts_new_kept_and_later_and_runs_nothing(
    command: Command, mail: list[str], home: Path
) -> None:
    ended = command("study", "store=dry", *CROSSOVER, *mail, "--dry-run", "wandb.mode=disabled")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "new: 16 runs, kept: 0, decided later: 40\n" in ended.stdout
    assert "time: unknown" in ended.stdout and "disk: about" in ended.stdout
    assert {name.split("/")[0] for name in left_in(home / "dry")} == {"corpora", "splits"}


def test_an_arm_under_limits_runs_on_its_own_grid(command: Command, mail: list[str]) -> None:
    dear = ["+model@study.arms.svm=linear_svm", "+study.limits.svm={sizes: [20], draws: 3}"]
    ended = command("study", "store=dry", *CROSSOVER, *dear, *mail, "--dry-run", "wandb.mode=disabled")
    assert (ended.returncode, ended.stderr) == (0, "")
    # 16 of the pair; svm at 20 rows in draws 0-2, and tfidf beside it in draw 2, which it had not.
    assert "new: 20 runs, kept: 0, decided later: 40\n" in ended.stdout
    wrong = command("study", "store=dry", *CROSSOVER, dear[0], "+study.limits.svm={sizes: 20}", *mail)
    assert wrong.returncode == 2 and "20 is no list; write [20]" in wrong.stderr


def test_the_study_as_shipped_plans_its_fine_tuned_arm(command: Command, mail: list[str]) -> None:
    words = ["store=dry", "study=crossover", "model@study.arms.probe=naive_bayes", "study.sizes=[20,40]"]
    ended = command("study", *words, *mail, "--dry-run", "wandb.mode=disabled")
    assert (ended.returncode, ended.stderr) == (0, "")
    # 8 of the pair; fine-tuning at 50 and 200 rows, and tfidf beside it at both.
    assert "new: 12 runs," in ended.stdout


@pytest.mark.slow
def test_failed_runs_are_named_kept_and_leave_the_others_whole(command: Command, home: Path) -> None:
    rows = mail_rows(200)
    write_csv(home / "few.csv", rows)
    stated = [
        [text, str(0.9 * (kind == "ham") + 0.05), str(0.9 * (kind == "spam") + 0.05)]
        for text, kind in rows[1:]
    ]
    write_csv(home / "stated.csv", [["text", "ham", "spam"], *stated[:-1]])
    data = ["data=table_file", "data.path=few.csv", "data.text=message", "data.label=kind"]
    arms = ["model@study.arms.probe=external", "study.arms.probe.path=stated.csv", "study.seeds=1"]
    ended = command("study", "store=partly", "study=compare", *arms, *data)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert ended.stderr.startswith("failed: external: BadInput: stated.csv lacks 1 of the 200 texts")
    sentence, report = last_lines(ended.stdout, home)
    assert "tfidf" in sentence and report.is_file()
    (kept,) = (home / "partly" / "failed").iterdir()
    assert kept.name in ended.stderr.replace("*", "1")
    failure = json.loads((kept / "failure.json").read_text(encoding="utf-8"))
    assert failure["error"] in json.dumps(failure) and "lacks 1 of the 200" in failure["error"]
    assert len(list((home / "partly" / "runs").iterdir())) == 2
    write_csv(home / "stated.csv", [["text", "ham", "spam"], *stated])
    mended = command("study", "store=partly", "study=compare", *arms, *data)
    assert (mended.returncode, mended.stderr) == (0, "")
    assert len(list((home / "partly" / "runs").iterdir())) == 3


@pytest.mark.slow
def test_a_study_whose_every_run_fails_still_ends_with_a_verdict(command: Command, home: Path) -> None:
    write_csv(home / "lean.csv", mail_rows(100))
    write_csv(home / "none.csv", [["text", "ham", "spam"], ["nothing of the kind", "0.5", "0.5"]])
    data = ["data=table_file", "data.path=lean.csv", "data.text=message", "data.label=kind"]
    arms = [
        *("model@study.arms.probe=external", "study.arms.probe.path=none.csv", "study.arms.majority=null"),
        *(
            "model@study.arms.tfidf=external",
            "study.arms.tfidf.path=none.csv",
            "study.arms.tfidf.currency=EUR",
        ),
    ]
    ended = command("study", "store=vain", "study=compare", "study.seeds=1", *arms, *data)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert ended.stderr.count("failed: external") == 2
    assert last_lines(ended.stdout, home)[1].is_file()
    assert not left_in(home / "vain" / "test_reads"), "no test score was seen"


@pytest.mark.slow
def test_bars_are_drawn_for_a_terminal_and_stdout_stays_clean(mail: list[str], home: Path) -> None:
    watching, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stderr:
        ended = subprocess.Popen(
            [
                sys.executable,
                str(SCRIPTS / "study.py"),
                "store=watched",
                *COMPARE,
                *mail,
                "wandb.mode=disabled",
            ],
            cwd=home,
            env={**environment(), "TERM": "xterm"},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    seen = b""
    while True:
        try:
            piece = os.read(watching, 65536)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(watching)
    assert ended.stdout is not None
    stdout = ended.stdout.read()
    ended.stdout.close()
    assert ended.wait() == 0
    assert b"runs (+0 kept)" in seen
    assert len(stdout.splitlines()) == 3 and "\x1b" not in stdout
