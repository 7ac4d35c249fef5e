"""The budget of looks at a test part: declared once, before the scores are seen, and kept beside the looks.

A declaration is one exclusively created file ``test_reads/<test part>.json``. It widens every interval
that is concluded from that part (measure/looks.py) and, with ``refuse``, ends the looks when it is spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import sealed, unsealed
from crossover.data.whole_file import write_new
from crossover.measure.looks import adaptive_reach, level_of, percent
from crossover.record import ledger

_FRESH = (
    "open a sealed part (scripts/unseal.py, where split.sealed cut one) or collect and label fresh test rows"
)


@dataclass(frozen=True)
class LookBudget:
    """How many looks at one test part share 5%, and whether a further one is refused.

    ``before`` counts the looks that had been taken when it was declared; they are part of ``looks``.
    """

    looks: int
    refuse: bool = False
    before: int = 0

    def __post_init__(self) -> None:
        if self.looks < 1:
            raise BadInput(f"test_budget.looks={self.looks}: expected a whole number of at least 1")
        if self.before < 0:
            raise BadInput(f"test_budget.before={self.before}: looks are counted by the store")

    @property
    def level(self) -> float:
        """Coverage of each interval."""
        return level_of(self.looks)


def declared(root: Path, test_fingerprint: str) -> LookBudget | None:
    """The budget declared for this test part, None without one."""
    file = _file(root, test_fingerprint)
    if not file.exists():
        return None
    try:
        return LookBudget(**unsealed(file, "put back what was declared"))  # type: ignore[arg-type]
    except TypeError as error:
        raise BadInput(f"{file}: {error}; put back what was declared") from None


def in_force(root: Path, test_fingerprint: str, stated: LookBudget | None) -> LookBudget | None:
    """The declared budget, else the one stated now; nothing is written.

    Raises:
        BadInput: another one was declared before, or more looks are taken than the stated one holds.
    """
    kept = declared(root, test_fingerprint)
    if stated is None:
        return kept
    if kept is not None:
        if (kept.looks, kept.refuse) != (stated.looks, stated.refuse):
            raise BadInput(
                f"test_budget={{looks: {stated.looks}, refuse: {str(stated.refuse).lower()}}}: the test part "
                f"{test_fingerprint} has a budget of {kept.looks} looks, refuse {str(kept.refuse).lower()}, "
                "already; one that changes with what was seen corrects nothing: leave the setting out, or "
                f"{_FRESH}"
            )
        return kept
    taken = ledger.looks(root, test_fingerprint)
    if taken >= stated.looks:
        raise BadInput(
            f"test_budget.looks={stated.looks}: {taken} looks at the test part {test_fingerprint} are "
            f"taken already ({_names(root, test_fingerprint)}) and count; declare more, or {_FRESH}"
        )
    return LookBudget(stated.looks, stated.refuse, taken)


def admit(root: Path, test_fingerprint: str, stated: LookBudget | None, who: str) -> LookBudget | None:
    """Before anything is run: declare the budget that is stated and refuse a look beyond it.

    ``who`` that has looked before is let in: its look is counted already.

    Raises:
        BadInput: as :func:`in_force`; the budget refuses further looks and is spent.
    """
    budget = in_force(root, test_fingerprint, stated)
    if budget is not None and declared(root, test_fingerprint) is None:
        budget = _declare(root, test_fingerprint, budget)
    if budget is None or not budget.refuse or ledger.has_looked(root, test_fingerprint, who):
        return budget
    taken = ledger.looks(root, test_fingerprint)
    if taken >= budget.looks:
        raise BadInput(
            f"the test part {test_fingerprint} has a budget of {budget.looks} looks and {taken} are taken "
            f"({_names(root, test_fingerprint)}): nothing was run. To ask more, {_FRESH}"
        )
    return budget


def told(root: Path, test_fingerprint: str, units: int, level: float | None) -> dict[str, object]:
    """What a page says of the looks: counts, the level, the adaptive worst case, one sentence.

    ``units`` are the independent test rows; ``level`` that of the intervals, None where this kind of
    study has none that widens. ``caution`` is True where the level does not hold over all looks.
    """
    budget, taken = declared(root, test_fingerprint), ledger.looks(root, test_fingerprint)
    used, reach = 0.95 if level is None else level, adaptive_reach(taken, units)
    sentences, caution = _said(budget, taken, used)
    if taken > 1 or budget is not None:
        sentences.append(
            f"Where a question was chosen after an earlier answer, an accuracy can be too good by the order "
            f"of {100 * reach:.1f} points (sqrt({taken}/{units:,}), the adaptive worst case); no interval "
            "here covers that"
        )
    return {
        "looks": taken,
        "declared": None if budget is None else budget.looks,
        "before": 0 if budget is None else budget.before,
        "level": used,
        "adaptive": reach,
        "caution": caution,
        "sentence": ". ".join(sentences) + ".",
    }


def _said(budget: LookBudget | None, taken: int, used: float) -> tuple[list[str], bool]:
    """Which looks the level holds over, and whether there are some that it does not hold over."""
    if budget is None:
        if taken <= 1:
            return ["This is the first look at this test part; no number of looks was declared"], False
        return [
            f"{taken} looks at this test part are taken, this one included, and no number was declared: each "
            f"interval is at {percent(used)}, as if it were the only one (declared, they would be at "
            f"{percent(level_of(taken))})"
        ], True
    if used < budget.level:
        return [
            f"{taken} of {budget.looks} declared looks at this test part are taken, this one included, but "
            f"the intervals here are at {percent(used)}: this kind of study does not widen its own for them"
        ], True
    said = [
        f"This is within {budget.looks} declared looks at this test part, {taken} of them taken, this one "
        f"included: intervals are at {percent(used)}, so that all {budget.looks} hold together at 95%"
    ]
    if taken > budget.looks:
        said = [
            f"{taken} looks at this test part are taken, this one included, and {budget.looks} were "
            f"declared: intervals are at {percent(used)}, which no longer holds over all of them"
        ]
    if budget.before:
        said.append(
            f"{budget.before} of them were taken before it was declared, at their own level: what they "
            "showed may have shaped what came after"
        )
    return said, taken > budget.looks or budget.before > 0


def _declare(root: Path, test_fingerprint: str, budget: LookBudget) -> LookBudget:
    file = _file(root, test_fingerprint)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_new(file, sealed(vars(budget)))
    except FileExistsError:  # another command declared one meanwhile
        return in_force(root, test_fingerprint, budget) or budget
    return budget


def _names(root: Path, test_fingerprint: str) -> str:
    names = [look["who"] for look in ledger.read_looks(root, test_fingerprint)]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _file(root: Path, test_fingerprint: str) -> Path:
    return root / "test_reads" / f"{test_fingerprint}.json"
