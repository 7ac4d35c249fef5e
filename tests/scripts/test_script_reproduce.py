"""scripts/reproduce.py as a user runs it: verdict in the last line, exit code, nothing left behind."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands_given import SCRIPTS, Command, left_in

from crossover.data.sealed_json import sealed

RUN = ["store=again", "model=naive_bayes", "subset={scheme: natural, size: 100, draw: 0}"]


@pytest.fixture(scope="module")
def digest(command: Command, mail: list[str]) -> str:
    """A stored run."""
    ended = command("run", *RUN, *mail)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1].split("/")[-1]


def test_a_run_is_found_by_the_beginning_of_its_digest_and_is_identical(
    digest: str, command: Command, home: Path
) -> None:
    before = left_in(home / "again")
    ended = command("reproduce", "store=again", digest[:5])
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == (
        "identical: predictions and every score are equal to the bit, in the same environment"
    )
    assert "macro_f1" in ended.stdout and "predictions, by SHA-256: equal" in ended.stdout
    assert left_in(home / "again") == before
    assert not [path for path in home.iterdir() if "again-" in path.name]


def test_an_audit_says_the_same_of_two_fresh_processes(digest: str, command: Command) -> None:
    ended = command("reproduce", "store=again", digest, "--audit")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "first" in ended.stdout and ended.stdout.splitlines()[-1].startswith("identical: ")


def test_another_result_ends_with_1_and_says_where(digest: str, command: Command, home: Path) -> None:
    file = home / "again" / "runs" / digest / "record.json"
    kept = file.read_text(encoding="utf-8")
    plain = json.loads(kept)
    plain["scores"]["accuracy"]["value"] -= 0.01
    plain["history"] = [{"step": 1.0, "loss": 0.5}]
    file.write_bytes(sealed(plain))
    ended = command("reproduce", "store=again", digest)
    assert ended.returncode == 1
    *_, parting, verdict = ended.stdout.splitlines()
    assert verdict == "different: the same environment, but other bits: accuracy"
    assert parting == "training parts at step 1: steps taken 1.0 then, 0.0 now"
    plain["environment"]["versions"]["numpy"] = "1.0.0"
    file.write_bytes(sealed(plain))
    ended = command("reproduce", "store=again", digest)
    assert ended.returncode == 1 and "environment: versions.numpy: 1.0.0 then, " in ended.stdout
    assert "beyond the tolerance: accuracy" in ended.stdout
    file.write_text(kept, encoding="utf-8")


def test_an_edited_row_is_bad_input(digest: str, command: Command, home: Path) -> None:
    (file,) = (home / "again" / "corpora").glob("*/corpus.parquet")
    kept = file.read_bytes()
    table = pq.read_table(file)
    texts = [*table["text"].to_pylist()[:-1], "edited"]
    pq.write_table(table.set_column(table.column_names.index("text"), "text", pa.array(texts)), file)
    ended = command("reproduce", "store=again", digest)
    file.write_bytes(kept)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: again/corpora/") and "damaged" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "say"),
    [
        (["ffff", "--store=again"], "no finished run whose digest begins with 'ffff'"),
        (["0", "store=nowhere"], "store=nowhere: there is no store there"),
        (["../x", "--store=again"], "no finished run whose digest"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    words: list[str], say: str, digest: str, command: Command, home: Path
) -> None:
    ended = command("reproduce", *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ") and say in ended.stderr and ended.stderr.count("\n") == 1
    assert not (home / "nowhere").exists()


def test_no_config_is_composed() -> None:
    text = (SCRIPTS / "reproduce.py").read_text(encoding="utf-8")
    assert "hydra" not in text and "compose" not in text
