"""Goal: what the score shall predict, as stated by whoever asks, and whether the split serves it.

A split is right or wrong only against a goal. Mail of next month, mail of senders never met, more
mail like this: each asks for another cut, and the same copy of a text is a leak for one and fair
for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.split.split import Split

PLAIN = ("later", "same", "new")
WORDS = {
    "later": "predict later rows from earlier ones",
    "same": "predict more rows like these, their copies included",
    "new": "predict texts unlike any trained on",
}


@dataclass(frozen=True)
class Goal:
    """``later``, ``same`` or ``new`` texts, or ``new`` values of a declared ``column``."""

    kind: str
    column: str = ""

    @property
    def words(self) -> str:
        """The goal as a sentence says it."""
        return f"predict rows whose {self.column} was never met" if self.column else WORDS[self.kind]

    @property
    def name(self) -> str:
        """The goal as it is written: ``new:author``."""
        return f"{self.kind}:{self.column}" if self.column else self.kind


def goal_named(stated: str | None) -> Goal | None:
    """The goal of its name; None where none is stated.

    Raises:
        BadInput: no such goal.
    """
    if stated is None:
        return None
    kind, _, column = str(stated).partition(":")
    if kind not in PLAIN or (":" in str(stated) and (kind != "new" or not column)):
        raise BadInput(
            f"goal={stated!r}: expected later (rows), same (more rows like these), new (texts unlike any "
            "trained on) or new:COLUMN (values of that column never met), or null"
        )
    return Goal(kind, column)


def check_column(goal: Goal | None, corpus: Corpus) -> None:
    """Refuse a goal about a column that the corpus does not declare.

    Raises:
        BadInput: there is no such column.
    """
    if goal is not None and goal.column and goal.column not in corpus.meta:
        raise BadInput(
            f"goal={goal.name}: {corpus.name} declares no meta column {goal.column!r}; it has "
            f"{sorted(corpus.meta)}; declare it: '+data.meta={{{goal.column}: group}}'"
        )


def against_goal(
    stated: str | None,
    corpus: Corpus,
    split: Split,
    not_later: int | None,
    shared: int,
    near: int | None,
) -> Finding:
    """Whether the split serves the goal.

    Args:
        stated: the goal, or None.
        not_later: timed test rows that are no later than the last training row; None: no time is known.
        shared: test rows that share the goal's column with train (0 where it names none).
        near: test rows with a near-duplicate in train; None: not looked for.

    Raises:
        BadInput: no such goal, or a column that is not declared.
    """
    goal = goal_named(stated)
    check_column(goal, corpus)
    if goal is None:
        return Finding(
            "goal",
            "info",
            "no predictive goal is stated, so nothing says whether this is the right split",
            {},
            "state one: goal=later, goal=new, goal=new:COLUMN or goal=same",
        )
    problem, severity, remedy = _contradiction(goal, corpus, split, not_later, shared, near)
    said = f"the goal is to {goal.words}"
    if not problem:
        return Finding("goal", "info", f"{said}; the split serves it", {"goal": goal.name})
    return Finding(
        "goal-contradicted",
        severity,
        f"{said}, but {problem}",
        {"goal": goal.name, "method": str(split.recipe.get("method", "unknown"))},
        remedy,
    )


def _contradiction(
    goal: Goal, corpus: Corpus, split: Split, not_later: int | None, shared: int, near: int | None
) -> tuple[str, str, str]:
    """What contradicts the goal (empty: nothing), how much that matters, and the remedy."""
    test, remedy = f"{len(split.test):,} test rows", overrides(goal, corpus)
    if goal.kind == "later":
        if not_later is None:
            return "no column of times is declared, so nothing says which rows are later", "error", remedy
        if not_later:
            return f"{not_later:,} of {test} are no later than the last training row", "error", remedy
    elif goal.column:
        if shared:
            return f"{shared:,} of {test} share their {goal.column} with train", "error", remedy
    elif goal.kind == "new":
        if near:
            return f"{near:,} of {test} have a near-duplicate in train", "error", remedy
    elif method_of(split) in ("temporal", "by group"):
        return f"the split is {method_of(split)}, which asks for more than that", "warning", remedy
    return "", "info", ""


def method_of(split: Split) -> str:
    """The way the split was made, ``by group`` where it keeps declared groups whole."""
    method = str(split.recipe.get("method", "unknown"))
    settings = split.recipe.get("settings")
    by = settings.get("by") if isinstance(settings, dict) else None
    return "by group" if method in ("grouped", "k_fold") and by else method


def overrides(goal: Goal, corpus: Corpus) -> str:
    """The words on a command line that ask for a split which serves the goal."""
    if goal.kind == "later":
        times = time_columns(corpus)
        asked = f"split=temporal split.time={times[0] if times else 'COLUMN'}"
        return asked if times else f"'+data.meta={{COLUMN: time}}' {asked}"
    if goal.column:
        return f"split=grouped 'split.by=[{goal.column}]'"
    return "split=grouped 'split.by=[]'" if goal.kind == "new" else "split=stratified"


def time_columns(corpus: Corpus) -> list[str]:
    """Meta columns declared as times, sorted."""
    return sorted(column for column, meaning in corpus.meta.items() if meaning == "time")
