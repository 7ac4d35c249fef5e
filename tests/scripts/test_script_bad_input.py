"""Bad input ends every script with code 2, one clear message, and nothing half-written."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest
from commands_given import Command, left_in, mail_rows, write_csv

ROWS = mail_rows(120)
TEXTS = [row[0] for row in ROWS[1:]]
KINDS = [row[1] for row in ROWS[1:]]
FILES: dict[str, list[list[str]] | bytes] = {
    "ragged.csv": [*ROWS[:5], ["one", "two", "three"], *ROWS[6:]],
    "latin.csv": b"message,kind\nabc,ham\ncaf\xe9 x,spam\n",
    "ids.csv": [["key", "message", "kind"], *([str(k % 100), *row] for k, row in enumerate(ROWS[1:]))],
    "one.csv": [ROWS[0], *([text, "ham"] for text in TEXTS)],
    "score.csv": [ROWS[0], *([text, str(k * 0.37)] for k, text in enumerate(TEXTS))],
    "unlabelled.csv": [ROWS[0], *([text, ""] for text in TEXTS)],
}
MAIL = ["data.text=message", "data.label=kind"]
NAIVE = ["model=naive_bayes"]
STUDY = ["study=crossover", "model@study.arms.probe=naive_bayes", "study.arms.finetune=null"]

BAD_FILES = {
    "missing file": ("data.path=mial.csv", [], ["no file 'mial.csv'", "did you mean 'mail.csv'?"]),
    "missing column": ("data.path=mail.csv", ["data.text=mesage"], ["'mesage'", "did you mean 'message'?"]),
    "ragged row": ("data.path=ragged.csv", [], ["ragged.csv, line 6: 3 fields, the header names 2"]),
    "invalid UTF-8": ("data.path=latin.csv", [], ["line 3: byte 0xe9 at byte 3", "data.encoding="]),
    "duplicate ids": ("data.path=ids.csv", ["data.id=key"], ["row 1 (line 2)", "row 101 (line 102)", "'0'"]),
    "one class": ("data.path=one.csv", [], ["['ham']", "at least two classes"]),
    "numeric label": ("data.path=score.csv", [], ["row 2 (line 3)", "'0.37'", "regression"]),
    "no labels": ("data.path=unlabelled.csv", [], ["no row has a label in column 'kind'"]),
}
BAD_SETTINGS = {
    "unknown override": ("run", ["modle=naive_bayes"], ["modle"]),
    "unknown option": ("run", ["model=naive"], ["Could not find 'model/naive'", "naive_bayes"]),
    "unknown metric": ("run", ["metric=f1"], ["Could not find 'metric/f1'", "macro_f1"]),
    "path not given": ("run", [*NAIVE, "data=table_file"], ["error: data.path must be given"]),
    "unknown setting": ("run", [*NAIVE, "+model.alhpa=2"], ["'alhpa'", "did you mean 'alpha'?"]),
    "setting of a wrong type": ("run", [*NAIVE, "model.alpha=much"], ["'alpha'", "'much'"]),
    "class outside the package": (
        "run",
        [*NAIVE, "model._target_=os.system"],
        ["'os.system' may not be built"],
    ),
    "budget of a wrong type": ("run", [*NAIVE, "budget=lots"], ["budget='lots': expected a whole number"]),
    "seed of a wrong type": ("run", [*NAIVE, "seeds.order=x"], ["'order'", "'x'"]),
    "subset that is no mapping": ("run", [*NAIVE, "subset=20"], ["subset=20: expected 'subset={scheme: "]),
    "unknown selection": ("run", [*NAIVE, "selection=outside"], ["'outside'", "inside", "shared"]),
    "unknown W&B mode": ("run", [*NAIVE, "wandb.mode=on"], ["wandb.mode='on'", "offline"]),
    "study setting of a wrong type": ("study", [*STUDY, "study.draws=x"], ["'draws'", "'x'"]),
    "study sizes that are no list": ("study", [*STUDY, "study.sizes=100"], ["'sizes'", "write [100]"]),
    "unknown study setting": ("study", [*STUDY, "+study.drows=5"], ["'drows'", "did you mean 'draws'?"]),
}
TOO_LARGE = {
    "subset": (
        "run",
        [*NAIVE, "subset={scheme: natural, size: 4000, draw: 0}"],
        ["4000 training rows", "420"],
    ),
    "study sizes": ("study", [*STUDY, "study.sizes=[20,4000]"], ["4000", "420 rows", "study.sizes="]),
}


@pytest.fixture(scope="module")
def there(home: Path) -> Path:
    """The folder of the commands with every bad file in it."""
    for name, content in FILES.items():
        if isinstance(content, bytes):
            (home / name).write_bytes(content)
        else:
            write_csv(home / name, content)
    return home


def refused(ended: CompletedProcess[str], parts: list[str]) -> None:
    assert ended.returncode == 2
    assert ended.stdout == ""
    for part in parts:
        assert part in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_named_with_row_and_remedy_and_nothing_is_run(
    case: str, command: Command, there: Path
) -> None:
    path, more, parts = BAD_FILES[case]
    ended = command("run", "store=refused", "data=table_file", *MAIL, *NAIVE, path, *more)
    refused(ended, parts)
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1, "one line"
    assert {name.split("/")[0] for name in left_in(there / "refused")} <= {"corpora"}
    assert not any(part.startswith(".") for name in left_in(there / "refused") for part in name.split("/"))


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_a_bad_setting_is_told_before_the_data_is_read(case: str, command: Command, there: Path) -> None:
    script, words, parts = BAD_SETTINGS[case]
    data = [] if "data=table_file" in words else ["data=table_file", "data.path=not_even_there.csv"]
    refused(command(script, "store=unread", *data, *words), parts)
    assert not left_in(there / "unread")


@pytest.mark.parametrize("case", TOO_LARGE)
def test_more_rows_than_there_are_is_refused_before_any_run(
    case: str, command: Command, mail: list[str], there: Path
) -> None:
    script, words, parts = TOO_LARGE[case]
    refused(command(script, "store=asked", *mail, *words), parts)
    assert {name.split("/")[0] for name in left_in(there / "asked")} == {"corpora", "splits"}


def test_a_study_without_arms_is_refused(command: Command, mail: list[str], there: Path) -> None:
    ended = command("study", "store=asked", "study=compare", "study.arms=null", *mail)
    refused(ended, ["study.arms names []; a comparison needs at least two arms"])


@pytest.mark.parametrize("flag", [[], ["-m"]], ids=["run", "multirun"])
def test_a_store_that_is_a_file_is_refused(flag: list[str], command: Command, there: Path) -> None:
    (there / "taken").write_text("mine", encoding="utf-8")
    ended = command("run", *flag, "store=taken", "data=table_file", "data.path=mail.csv", *MAIL, *NAIVE)
    refused(ended, ["store=taken: Not a directory", "store=..."])
    assert (there / "taken").read_text(encoding="utf-8") == "mine"
