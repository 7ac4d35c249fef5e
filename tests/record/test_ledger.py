"""The ledger counts decisions, not readings."""

from pathlib import Path

import pytest

from crossover.record import ledger


def test_a_resume_does_not_count_as_another_look(tmp_path: Path) -> None:
    assert ledger.note_look(tmp_path, "abc", "crossover-1", "first") == 1
    assert ledger.note_look(tmp_path, "abc", "crossover-1", "again") == 1
    assert ledger.note_look(tmp_path, "abc", "run-2", "one run") == 2
    assert ledger.looks(tmp_path, "other") == 0
    assert ledger.read_looks(tmp_path, "abc")[0] == {"who": "crossover-1", "what": "first"}


def test_a_name_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not"):
        ledger.note_look(tmp_path, "abc", "../escape", "x")
