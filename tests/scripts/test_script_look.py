"""scripts/look.py on a csv of the user's own: at every stage, signed, refused in one line."""

import json
from pathlib import Path

import pytest
from commands_given import Command, left_in


def paths(stdout: str) -> tuple[str, Path]:
    """The last two lines, as a program reads them."""
    corpus, look = stdout.splitlines()[-2:]
    assert corpus.startswith("corpus: looked/corpora/") and look.startswith("look: looked/looks/")
    return corpus.rpartition("/")[2], Path(look.removeprefix("look: "))


@pytest.fixture(scope="module")
def raw(command: Command, mail: list[str]) -> tuple[str, Path, str]:
    ended = command("look", "store=looked", *mail)
    assert (ended.returncode, ended.stderr) == (0, "")
    return (*paths(ended.stdout), ended.stdout)


def test_a_look_prints_findings_tables_and_rows_and_leaves_one_page(
    raw: tuple[str, Path, str], home: Path
) -> None:
    corpus, page, stdout = raw
    assert page.parent.parent == Path("looked/looks") / corpus and page.name == "page.html"
    assert "[class-balance]" in stdout and "What the texts are made of" in stdout
    assert (home / page).stat().st_size < 10_000_000
    found = json.loads((home / page.parent / "findings.json").read_text(encoding="utf-8"))
    assert found["stage"] == "raw" and found["corpus"]["rows"] == 600
    assert found["command"].startswith("python scripts/look.py store=looked data=table_file")


def test_a_look_is_signed_by_the_command_the_page_gives(
    raw: tuple[str, Path, str], home: Path, command: Command, mail: list[str]
) -> None:
    corpus, page, _ = raw
    before = (home / page).stat().st_mtime_ns
    words = ['look.by="Ann, fraud analyst"', 'look.found="two of 50 are wrong"', 'look.decided="mend them"']
    ended = command("look", "store=looked", *mail, *words)
    assert (ended.returncode, paths(ended.stdout)) == (0, (corpus, page))
    log = sorted((home / "looked" / "looks" / corpus / "log").iterdir())
    assert [file.name for file in log] == ["000001.json", "000002.json"]
    note = json.loads(log[1].read_text(encoding="utf-8"))
    assert (note["by"], note["found"]) == ("Ann, fraud analyst", "two of 50 are wrong")
    assert len(note["ids"]) == 600 and (home / page).stat().st_mtime_ns == before


@pytest.mark.slow
def test_after_the_split_and_after_a_model(command: Command, mail: list[str], home: Path) -> None:
    ended = command("look", "store=looked", *mail, "look.stage=split")
    assert ended.returncode == 0 and "[split-sizes]" in ended.stdout
    run = (
        command("run", "store=looked", *mail, "model=naive_bayes").stdout.splitlines()[-1].rpartition("/")[2]
    )
    ended = command("look", "store=looked", f"look.run={run[:8]}")
    assert (ended.returncode, ended.stderr) == (0, "")
    corpus, page = paths(ended.stdout)
    found = json.loads((home / page.parent / "findings.json").read_text(encoding="utf-8"))
    assert found["stage"] == "model" and found["runs"][0]["digest"] == run
    assert {"worst", "boundary"} <= set(found["shown"]["kinds"])
    assert len(list((home / "looked" / "test_reads").rglob("*.json"))) == 1, "the run's own look alone"
    stages = {
        json.loads(f.read_text())["stage"] for f in (home / "looked" / "looks" / corpus / "log").iterdir()
    }
    assert {"split", "model"} <= stages


REFUSED = {
    "an unknown stage": (["look.stage=later"], ["look.stage='later'", "raw or split"]),
    "an unknown setting": (["look.row=5"], ["look.row"]),
    "a run that is not there": (["look.run=ffff"], ["no finished run", "ffff"]),
    "a contrast of one value": (["+look.contrast.kind=[a]"], ["look.contrast.kind", "two values"]),
    "a contrast of an unknown column": (["+look.contrast.colour=[a,b]"], ["colour"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_one_line_and_no_look_is_left(
    case: str, command: Command, mail: list[str], home: Path
) -> None:
    words, parts = REFUSED[case]
    ended = command("look", "store=refused", *mail, *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert all(part in ended.stderr for part in parts), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not [name for name in left_in(home / "refused") if name.startswith("looks")]
