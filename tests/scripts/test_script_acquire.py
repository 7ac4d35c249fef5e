"""scripts/acquire.py: a corpus to a folder, read back by the next command, refused by name."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands_given import Command, left_in

INBOX = ["store=acquired", "data=inbox", "data.rows=300"]


@pytest.fixture(scope="module")
def acquired(command: Command, home: Path) -> Path:
    """A written inbox with wrong labels."""
    ended = command("acquire", *INBOX, "data.flaw.label_noise.strength=0.2", "to=got/mail")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "corpus: got/mail\n", "")
    return home / "got" / "mail"


def test_the_table_the_card_and_the_truth_are_written_and_nothing_else(acquired: Path, home: Path) -> None:
    assert left_in(home / "got") == {
        f"mail/{name}" for name in ("corpus.parquet", "corpus.json", "truth.parquet")
    }
    assert not left_in(home / "acquired"), "the store has no part in it"
    plain = json.loads((acquired / "corpus.json").read_text(encoding="utf-8"))
    assert plain["rows"] == pq.read_metadata(acquired / "corpus.parquet").num_rows == 300
    assert "generated" in plain["card"]["population"]
    assert list(plain["flaws"]) == ["label_noise"]
    assert plain["flaws"]["label_noise"]["rows"] == pq.read_metadata(acquired / "truth.parquet").num_rows > 30


def test_the_next_command_reads_it_back(acquired: Path, command: Command) -> None:
    words = ["store=acquired", "data=table_file", f"data.path={acquired}/corpus.parquet", "data.id=id"]
    ended = command("split", *words)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_file_of_the_users_own_is_acquired_alike(command: Command, mail: list[str], home: Path) -> None:
    ended = command("acquire", "store=acquired", *mail, "to=own")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "corpus: own\n", "")
    table = pq.read_table(home / "own" / "corpus.parquet")
    assert table.column_names == ["id", "text", "label"] and len(table) == 600


REFUSED = {
    "no folder named": (
        [],
        ["error: to= names where to write: the corpus' folder (to=mail), or the file of a sample"],
    ),
    "a folder that exists": (["to=got/mail"], ["to=got/mail: there is one already", "name another"]),
    "a folder below a file": (["to=mail.csv/in"], ["to=mail.csv/in: ", "name a folder you can write"]),
    "too few rows": (["to=few", "data.rows=4"], ["rows=4", "expected 5 (one a class) to 10,000,000"]),
    "too many rows": (["to=few", "data.rows=10000001"], ["rows=10000001", "to 10,000,000"]),
    "rows that are no number": (["to=few", "data.rows=true"], ["'rows'"]),
    "too strong a flaw": (["to=few", "data.flaw.footer.strength=2"], ["footer", "strength=2", "from 0 to 1"]),
    "an unknown flaw": (["to=few", "data.flaw.fotter.strength=1"], ["fotter"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_left(
    case: str, acquired: Path, command: Command, home: Path
) -> None:
    words, parts = REFUSED[case]
    before = {path: path.stat().st_mtime_ns for path in acquired.iterdir()}
    ended = command("acquire", *INBOX, *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert all(part in ended.stderr for part in parts), ended.stderr
    assert "Traceback" not in ended.stderr
    assert {path: path.stat().st_mtime_ns for path in acquired.iterdir()} == before
    assert not (home / "few").exists() and not list(home.glob("**/.*.????????"))
