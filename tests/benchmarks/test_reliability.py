"""The reliability table: counts are taken whole, each fault has a row, and the page says what was counted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAULTS = [f"F{number:02}" for number in range(1, 26)]
SAMPLE = """
import pytest

def test_two_survived(tally):
    tally("F01")
    tally("F01")

@pytest.mark.parametrize("k", range(4))
def test_each(k, tally):
    tally("F02")

def test_one_survived_then_not(tally):
    tally("F03")
    tally("F03", survived=False)

def test_fails_after_two(tally):
    tally("F04")
    tally("F04")
    assert False

def test_fails_at_once(tally):
    assert False
    tally("F05")

@pytest.fixture
def broken():
    yield
    raise OSError("left behind")

def test_leaves_something_behind(broken, tally):
    tally("F06")

def test_not_here(tally):
    tally("F07")
    pytest.skip("no such file system")
"""


@pytest.fixture
def reliability(script):
    return script("reliability")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_a_test_that_fails_has_tallied_was_tried_and_not_survived(workers: str, tmp_path: Path) -> None:
    folder = tmp_path / "faults"
    folder.mkdir()
    (folder / "test_sample.py").write_text(SAMPLE)
    for name in ("conftest.py", "planned.py"):
        shutil.copy(ROOT / "tests" / "faults" / name, folder)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    told = {"CROSSOVER_TALLY": str(tmp_path / "tally.json"), "CROSSOVER_KILLS": "3", "PYTHONPATH": paths}
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider", str(folder)]
    said = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **told}, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1, said.stdout + said.stderr
    found = json.loads((tmp_path / "tally.json").read_text())
    counts = {fault: (row["tried"], row["survived"]) for fault, row in found["faults"].items()}
    assert counts == {
        "F01": (2, 2), "F02": (4, 4), "F03": (2, 1), "F04": (2, 0), "F05": (1, 0), "F06": (1, 0)
    }  # fmt: skip
    assert found["kills"] == 3 and found["faults"]["F02"]["tests"] == ["test_sample.py"]
    assert list(tmp_path.glob("*.part")) == []


def tallied() -> set[str]:
    """Faults that a test of tests/faults/ says it tallies."""
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "tests" / "faults").glob("test_*.py")]
    return {fault for text in texts if "tally" in text for fault in re.findall(r'"(F\d\d)"', text)}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_injected_by_a_test_or_its_row_says_why_it_cannot_be(fault: str, reliability) -> None:
    (row,) = [
        line for line in reliability.PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {fault} |")
    ]
    assert (fault in tallied()) != (reliability.NOT_APPLICABLE in row)


def test_the_page_says_what_was_counted(reliability) -> None:
    page = reliability.PAGE.read_text(encoding="utf-8")
    found = json.loads(reliability.COUNTS.read_text(encoding="utf-8"))
    assert reliability.filled(page, found) == page, "python benchmarks/reliability.py"
    assert reliability.caption(found) in page


def test_a_fault_that_was_counted_needs_words(reliability) -> None:
    page = reliability.PAGE.read_text(encoding="utf-8")
    for fault in ("F24", "F99"):
        counted = {"command": "x", "kills": 1, "faults": {fault: {"tried": 1, "survived": 1, "tests": []}}}
        with pytest.raises(SystemExit, match=f"{fault} was counted"):
            reliability.filled(page, counted)


def test_only_the_last_three_cells_of_a_row_change(reliability) -> None:
    words = "| F16 | a kill | kept | SIGKILL |"
    page = f"a\n{reliability.BEGIN}\nold\n| | fault |\n{words} `old` | 1 | 0 |\n{reliability.END}\nb\n"
    row = {"tried": 20, "survived": 19, "tests": ["test_a_b.py", "test_c.py"]}
    filled = reliability.filled(page, {"command": "make x", "kills": 7, "faults": {"F16": row}})
    assert f"{words} `a_b`, `c` | 20 | 19 |\n" in filled and filled.startswith("a\n")
    assert (
        filled.endswith("\nb\n") and "`make x`, CROSSOVER_KILLS=7: 20 faults injected, 19 survived." in filled
    )
    assert "old" not in filled


def test_each_test_that_the_page_names_is_there(reliability) -> None:
    page = reliability.PAGE.read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 10
    for file, function in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in text, f"{file} has no {function}"
