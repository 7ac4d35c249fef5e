"""scripts/run.py, look.py, split.py and report.py, as a user runs them."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands_given import Command, left_in, mail_rows, write_csv

RUN = ["store=st", "model=naive_bayes", "subset={scheme: natural, size: 100, draw: 0}"]
SCORE = re.compile(r" *\w+  -?\d\.\d{4}  \[-?\d\.\d{4}, \d\.\d{4}\]  n = 120")


@pytest.fixture(scope="module")
def first(command: Command, mail: list[str]) -> str:
    """Stdout of one run."""
    ended = command("run", *RUN, *mail)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_a_run_prints_scores_with_intervals_and_ends_with_its_path(first: str, home: Path) -> None:
    *shown, last = first.splitlines()
    assert last.startswith("run: st/runs/")
    folder = home / last.removeprefix("run: ")
    assert sorted(path.name for path in folder.iterdir()) == ["predictions.parquet", "record.json"]
    assert pq.read_metadata(folder / "predictions.parquet").num_rows == 100 + 60 + 120
    assert len([line for line in shown if SCORE.fullmatch(line)]) == 6
    assert shown[-1].strip().startswith("cost") and len(shown) == 7, "scores and cost, nothing else"
    assert "\x1b" not in first and "\r" not in first, "no progress bar where nobody watches"


def test_the_second_call_runs_nothing_and_names_the_same_run(
    first: str, command: Command, mail: list[str], home: Path
) -> None:
    record = home / first.splitlines()[-1].removeprefix("run: ") / "record.json"
    written = record.stat().st_mtime_ns
    ended = command("run", *RUN, *mail)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, first, "")
    assert record.stat().st_mtime_ns == written
    assert len(list((home / "st" / "runs").iterdir())) == 1
    assert len(list((home / "st" / "test_reads").rglob("*.json"))) == 1, "the same look is noted once"


def test_everything_lies_in_the_store(first: str, home: Path) -> None:
    assert not {"outputs", "multirun", "wandb"} & {path.name for path in home.iterdir()}
    kinds = {name.split("/")[0] for name in left_in(home / "st")}
    assert kinds == {"corpora", "splits", "runs", "test_reads"}
    hydra = {path.name for path in (home / "st" / "hydra").rglob("*") if path.is_file()}
    assert hydra == {"config.yaml", "hydra.yaml", "overrides.yaml"}, "no empty log files"


@pytest.mark.slow
def test_wandb_writes_offline_into_the_store_and_says_nothing(
    command: Command, mail: list[str], home: Path
) -> None:
    ended = command("run", "store=mirrored", "model=majority", "wandb.mode=offline", *mail)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 8
    assert list((home / "mirrored" / "wandb").rglob("run-*.wandb"))
    assert not (home / "wandb").exists()


def test_a_file_name_with_a_space_and_an_equals_sign_is_read(command: Command, home: Path) -> None:
    (home / "my data").mkdir()
    write_csv(home / "my data" / "a=b.csv", mail_rows(60))
    ended = command(
        "look",
        "store=named",
        "data=table_file",
        'data.path="my data/a=b.csv"',
        "data.text=message",
        "data.label=kind",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("a_b: 60 rows\n")


def test_columns_named_by_numbers_are_found(command: Command, home: Path) -> None:
    write_csv(home / "numbered.csv", [["2024", "1"], *mail_rows(60)[1:]])
    ended = command(
        "look", "store=named", "data=table_file", "data.path=numbered.csv", "data.text=2024", "data.label=1"
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_hostile_texts_and_labels_do_nothing_to_the_terminal(command: Command, home: Path) -> None:
    nasty = "\x1b]0;owned\x07\x1b[2J</script><script>alert(1)</script>\u202egnp.exe"
    rows = mail_rows(120)
    rows = [rows[0]] + [
        [f"{nasty} {text}", "\x1b[31mspam" if kind == "spam" else kind] for text, kind in rows[1:]
    ]
    write_csv(home / "hostile.csv", [["message", "\x1b[5mkind"], *rows[1:]])
    column = 'data.label="\x1b[5mkind"'
    given = ["store=hostile", "data=table_file", "data.path=hostile.csv", "data.text=message"]
    for ended in (
        command("look", *given, column, 'data.name="\x1b[2Jname"'),
        command(
            "run", *given, column, "model=naive_bayes", "split=stratified", "split.group_duplicates=none"
        ),
        command("run", *given, 'data.label="\x1b[2Jnone"', "model=naive_bayes"),
    ):
        shown = ended.stdout + ended.stderr
        assert shown and not set(shown) & {"\x1b", "\x07", "\u202e", "\x9b"}


def test_split_says_its_sizes_and_report_wants_a_study(
    first: str, command: Command, mail: list[str], home: Path
) -> None:
    ended = command("split", "store=st", *mail)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("mail: train 420, select 30, calibrate 30, test 120;")
    assert (home / ended.stdout.splitlines()[-1].removeprefix("split: ") / "split.json").is_file()
    none = command("report", "store=st")
    assert none.returncode == 2 and "python scripts/runs.py" in none.stderr
    missing = command("report", "store=st", "of=crossover-0")
    assert missing.returncode == 2 and "no such study" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_help_and_the_composed_config_are_printed_without_a_store(command: Command, home: Path) -> None:
    shown = command("run", "--help")
    assert shown.returncode == 0 and shown.stdout.startswith("crossover is powered by Hydra.")
    assert "model: external, finetune" in shown.stdout
    shown = command("run", "--cfg", "job", "model=naive_bayes", "store=never")
    assert shown.returncode == 0 and "_target_: crossover.model.naive_bayes.NaiveBayes" in shown.stdout
    assert not (home / "never").exists()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_failing_job_of_a_multirun_stops_no_other_and_the_exit_code_says_so(
    launcher: str, command: Command, mail: list[str], home: Path
) -> None:
    sweep = ["-m", f"store={launcher}", f"hydra/launcher={launcher}", "model=external,naive_bayes,majority"]
    ended = command("run", *sweep, *mail)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "error: model.path must be given" in ended.stderr
    assert [line for line in ended.stderr.splitlines() if line.startswith("failed: ")] == [
        line for line in ended.stderr.splitlines() if line.startswith("failed: ") and "model=external" in line
    ]
    assert ended.stderr.endswith("1 of 3 jobs failed\n")
    assert len(re.findall(r"^run: ", ended.stdout, re.MULTILINE)) == 2
    assert len(list((home / launcher / "runs").iterdir())) == 2
    assert not {"outputs", "multirun"} & {path.name for path in home.iterdir()}


def test_a_multirun_of_bad_input_only_ends_with_2(command: Command, mail: list[str]) -> None:
    ended = command("run", "-m", "store=swept", "model=naive_bayes", "budget=a,b", *mail)
    assert ended.returncode == 2
    assert ended.stderr.endswith("2 of 2 jobs failed\n")
