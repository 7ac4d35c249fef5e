"""scripts/runs.py as a user runs it: after a study, after a failure, after a kill."""

import csv
import io
import json
from pathlib import Path

import pytest
from commands_given import Command, mail_rows, write_csv

COMPARE = ["study=compare", "model@study.arms.probe=naive_bayes", "study.seeds=2"]


@pytest.fixture(scope="module")
def studied(command: Command, mail: list[str]) -> str:
    """The name of a finished study in the store ``listed``."""
    ended = command("study", "store=listed", *COMPARE, *mail)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1].split("/")[-2]


def test_runs_are_listed_filtered_and_written(studied: str, command: Command, home: Path) -> None:
    ended = command("runs", "store=listed", "--families")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "naive_bayes" in ended.stdout and "majority" in ended.stdout
    ended = command("runs", "store=listed", "model=naive_bayes", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(ended.stdout)))
    assert len(rows) == 2 and {row["model"] for row in rows} == {"naive_bayes"}
    assert all((home / "listed" / "runs" / row["run"] / "record.json").is_file() for row in rows)
    ended = command("runs", "store=listed", "metric=accuracy", "--csv=runs.csv")
    assert "accuracy" in ended.stdout and "6 of 6 finished runs" in ended.stdout
    assert (home / "runs.csv").read_text(encoding="utf-8").count("\n") == 7


def test_a_killed_study_says_what_it_still_needs(studied: str, command: Command, home: Path) -> None:
    ended = command("runs", "store=listed", f"study={studied[:12]}")
    assert f"{studied}: 6 of 6 runs finished" in " ".join(ended.stdout.split())
    plan = json.loads((home / "listed" / "studies" / studied / "plan.json").read_text(encoding="utf-8"))
    gone = next(iter(plan["wanted"]))
    folder = home / "listed" / "runs" / gone
    folder.rename(home / "gone")
    ended = command("runs", "store=listed", f"study={studied}")
    (home / "gone").rename(folder)
    said = " ".join(ended.stdout.split())
    assert f"{studied}: 5 of 6 runs finished, 1 missing; go on with: python scripts/study.py" in said
    assert gone in said


def test_a_failed_run_names_its_error_and_a_command_on_its_store(command: Command, home: Path) -> None:
    write_csv(home / "few.csv", mail_rows(100))
    write_csv(home / "said.csv", [["text", "ham", "spam"], ["nothing of the kind", "0.5", "0.5"]])
    data = ["data=table_file", "data.path=few.csv", "data.text=message", "data.label=kind"]
    arms = ["model@study.arms.probe=external", "study.arms.probe.path=said.csv", "study.seeds=1"]
    ended = command("study", "store=failing", "study=compare", *arms, *data)
    assert ended.returncode == 1
    ended = command("runs", "store=failing", "--failed", "--csv", "-")
    (row,) = csv.DictReader(io.StringIO(ended.stdout))
    assert row["again with"].startswith("python scripts/") and "store=failing" in row["again with"]
    assert "said.csv lacks" in row["error"]
    again = command("reproduce", row["run"], "store=failing")
    assert again.returncode == 2 and "no finished run" in again.stderr, "there is nothing to compare with"


@pytest.mark.parametrize(
    ("words", "say"),
    [
        (["store=no_such"], "there is no store there"),
        (["store=listed", "study=zzz"], "no study of listed"),
        (["store=listed", "metric=f1"], "macro_f1"),
        (["store=listed", "--compare", "zy", "zz"], "'zy'"),
    ],
)
def test_bad_input_is_one_line_and_code_2(words: list[str], say: str, studied: str, command: Command) -> None:
    ended = command("runs", *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert say in ended.stderr and ended.stderr.count("\n") == 1
