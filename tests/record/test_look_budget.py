"""A budget of looks: declared once and before, kept, counted, and refusing where it was told to."""

from pathlib import Path

import pytest

from crossover.data.bad_input import BadInput
from crossover.record import ledger
from crossover.record.look_budget import LookBudget, admit, declared, in_force, told


def looked(root: Path, *names: str) -> None:
    for name in names:
        ledger.note_look(root, "part", name, "a verdict")


def test_a_declaration_is_kept_for_every_later_command_and_cannot_be_changed(tmp_path: Path) -> None:
    stated = LookBudget(5)
    assert in_force(tmp_path, "part", stated) == stated and declared(tmp_path, "part") is None, "only read"
    assert admit(tmp_path, "part", stated, "compare-1") == stated
    assert declared(tmp_path, "part") == stated == admit(tmp_path, "part", None, "compare-2")
    assert declared(tmp_path, "other") is None
    assert ledger.looks(tmp_path, "part") == 0, "to declare is not to look"
    for other in (LookBudget(6), LookBudget(5, refuse=True)):
        with pytest.raises(BadInput, match="budget of 5 looks, refuse false, already"):
            admit(tmp_path, "part", other, "compare-2")


def test_a_spent_budget_refuses_by_name_with_the_remedy_and_lets_a_resume_through(tmp_path: Path) -> None:
    stated = LookBudget(2, refuse=True)
    for name in ("compare-1", "crossover-2"):
        admit(tmp_path, "part", stated, name)
        looked(tmp_path, name)
    assert admit(tmp_path, "part", None, "compare-1") == stated, "its look is counted already"
    with pytest.raises(
        BadInput, match=r"compare-1, crossover-2.*nothing was run.*unseal\.py.*fresh test rows"
    ):
        admit(tmp_path, "part", None, "run-3")


def test_without_refuse_a_look_beyond_the_budget_is_told_and_not_stopped(tmp_path: Path) -> None:
    admit(tmp_path, "part", LookBudget(1), "compare-1")
    looked(tmp_path, "compare-1", "compare-2")
    assert admit(tmp_path, "part", None, "compare-3") == LookBudget(1)
    said = told(tmp_path, "part", 400, 0.95)
    assert said["caution"] is True and "no longer holds over all of them" in str(said["sentence"])


def test_looks_taken_before_the_declaration_count_and_are_told(tmp_path: Path) -> None:
    looked(tmp_path, "compare-1", "compare-2")
    with pytest.raises(BadInput, match="2 looks at the test part"):
        in_force(tmp_path, "part", LookBudget(2))
    assert admit(tmp_path, "part", LookBudget(4), "compare-3") == LookBudget(4, before=2)
    assert declared(tmp_path, "part") == LookBudget(4, before=2)
    assert admit(tmp_path, "part", LookBudget(4), "compare-3") == LookBudget(4, before=2), "the command again"
    looked(tmp_path, "compare-3")
    said = told(tmp_path, "part", 400, LookBudget(4).level)
    assert said["caution"] is True and "2 of them were taken before it was declared" in str(said["sentence"])


def test_what_a_page_says_of_declared_and_undeclared_looks(tmp_path: Path) -> None:
    looked(tmp_path, "compare-1")
    first = told(tmp_path, "part", 400, 0.95)
    assert (first["looks"], first["declared"], first["caution"]) == (1, None, False)
    assert "first look" in str(first["sentence"]) and "worst case" not in str(first["sentence"])
    looked(tmp_path, "compare-2", "run-3", "run-4")
    many = told(tmp_path, "part", 400, None)
    assert many["caution"] is True and many["adaptive"] == pytest.approx(0.1)
    assert "at 95%, as if it were the only one (declared, they would be at 98.75%)" in str(many["sentence"])
    assert "10.0 points (sqrt(4/400), the adaptive worst case)" in str(many["sentence"])

    ledger.note_look(tmp_path, "second", "compare-1", "a verdict")
    admit(tmp_path, "second", LookBudget(5), "compare-2")
    within = told(tmp_path, "second", 400, 0.99)
    assert "within 5 declared looks" in str(within["sentence"]) and "at 99%" in str(within["sentence"])
    narrow = told(tmp_path, "second", 400, None)
    assert narrow["caution"] is True and "does not widen" in str(narrow["sentence"])


@pytest.mark.parametrize("text", ["{", '{"looks": 3, "more": 1}', '{"looks": 0}'])
def test_an_edited_declaration_is_no_declaration(tmp_path: Path, text: str) -> None:
    admit(tmp_path, "part", LookBudget(5), "compare-1")
    (tmp_path / "test_reads" / "part.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput):
        admit(tmp_path, "part", None, "compare-1")


def test_a_budget_of_no_looks_is_refused() -> None:
    with pytest.raises(BadInput, match=r"test_budget\.looks=0"):
        LookBudget(0)


def test_a_sealed_part_is_opened_once_and_the_reason_stays(tmp_path: Path) -> None:
    ledger.note_opening(tmp_path, "old", "new", "five looks are spent")
    with pytest.raises(BadInput, match=r"five looks are spent.*split new"):
        ledger.note_opening(tmp_path, "old", "newer", "I want another")
