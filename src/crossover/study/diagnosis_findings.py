"""The rules of a diagnosis: numbers in, the decision table of methods.md 5 and ranked findings out.

The first condition of the table that holds is the verdict. A condition whose numbers are missing does not
hold and says what is missing. Every finding names one next step and the run that could refute it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from crossover.measure.learning_slope import Slope
from crossover.measure.simultaneous import Bounded

SEVERITIES = ("stop", "serious", "warning", "note", "fine")
INSUFFICIENT = "insufficient"


@dataclass(frozen=True)
class Evidence:
    """What the table reads; bounds are simultaneous at ``level`` each, errors in the metric of record.

    ``permuted`` and ``constant``: lead of null runs over the prior predictor, by score. ``overfit``: share
    right of each small run. ``lowered``: change of the training objective by intervention, and
    ``tolerance`` what counts as no change. ``cleared``: a certificate that the solver is at the
    optimum on the small runs. ``optimised`` False says that the model has no optimiser to test (a closed
    form). ``missing``: what could not be had and why, by name. ``needs``: what would decide.
    """

    target: float
    level: float
    size: int
    permutations: int = 0
    permuted: Mapping[str, Bounded] = field(default_factory=dict)
    constant: Mapping[str, Bounded] = field(default_factory=dict)
    overfit: tuple[float, ...] = ()
    cleared: bool = False
    validation: Bounded | None = None
    train: Bounded | None = None
    floor: Bounded | None = None
    lowered: Mapping[str, Bounded] = field(default_factory=dict)
    tolerance: Mapping[str, float] = field(default_factory=dict)
    optimised: bool = True
    slope: Slope | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One condition of the table: whether it holds (None: not assessed), and what was seen."""

    order: int
    code: str
    condition: str
    holds: bool | None
    seen: str

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """One thing found; ``severity`` is one of SEVERITIES, ``fine`` naming what is in order."""

    code: str
    severity: str
    title: str
    evidence: str
    next_step: str = ""
    refute: str = ""

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


Answer = tuple[bool | None, str]


def decide(e: Evidence) -> list[Row]:
    """The table, top to bottom, up to "insufficient evidence", which holds where nothing above does."""
    rules: tuple[tuple[str, str, Callable[[Evidence], Answer]], ...] = (
        ("data_bug", "labels permuted in training, or a constant input, beat the prior predictor", _nulls),
        ("cannot_overfit", "32 conflict-free rows are not fitted in 3 of 3 seeds", _overfit),
        ("good_enough", "U(validation error) <= target", _good),
        ("specification", "L(label disagreement floor) > target", _floor),
        ("optimisation", "L(training error) > target, and an intervention lowers the objective", _optimiser),
        ("capacity", "L(training error) > target otherwise", _capacity),
        ("more_data", "U(training error) <= target < L(validation error), and U[E(n) - E(n/2)] < 0", _more),
        ("gap", "the same gap, and E(n) - E(n/2) equivalent to 0", _gap),
    )
    rows = [Row(k, code, said, *rule(e)) for k, (code, said, rule) in enumerate(rules)]
    none = not any(row.holds for row in rows)
    needs = "; ".join(e.needs) or "; ".join(f"{what}: {why}" for what, why in e.missing.items())
    rows.append(Row(len(rows), INSUFFICIENT, "none of these", none, needs if none else "a row above holds"))
    return rows


def verdict_of(rows: Sequence[Row]) -> Row:
    """The first row that holds."""
    return next(row for row in rows if row.holds)


def leads(lifts: Mapping[str, Bounded]) -> list[str]:
    """Scores in which a null run is shown to beat the prior predictor."""
    return [name for name, lift in lifts.items() if lift.low > 0.0]


def _nulls(e: Evidence) -> Answer:
    seen = []
    for what, lifts in ((f"{e.permutations} permutations", e.permuted), ("constant text", e.constant)):
        if lifts:
            each = ", ".join(f"{score.replace('_', ' ')} {lift}" for score, lift in lifts.items())
            seen.append(f"lead over the prior predictor of {what}: {each}")
    beaten = bool(leads(e.permuted) or leads(e.constant))
    known = beaten or bool(e.permuted)
    if not e.permuted:
        seen.insert(0, f"labels permuted: {_why(e, 'null runs')}")
    return (beaten if known else None), "; ".join(seen)


def _overfit(e: Evidence) -> Answer:
    if not e.overfit:
        return None, _why(e, "overfit runs")
    fits = sum(share == 1.0 for share in e.overfit)
    seen = f"{fits} of {len(e.overfit)} runs fit all rows ({', '.join(f'{s:.2f}' for s in e.overfit)} right)"
    if not fits and e.cleared:
        return False, f"{seen}; a better solver lowers nothing there (certified): not the optimiser"
    return (None if not fits and len(e.overfit) < 3 else not fits), seen


def _good(e: Evidence) -> Answer:
    if e.validation is None:
        return None, _why(e, "validation error")
    return e.validation.high <= e.target, f"validation error {e.validation}, target {e.target:g}"


def _floor(e: Evidence) -> Answer:
    if e.floor is None:
        return None, "no audit of labels was given (study.audited, study.disagreed)"
    return e.floor.low > e.target, f"labels disagreed with in an audit: {e.floor} of {e.floor.rows} rows"


def works(e: Evidence) -> list[str]:
    """Interventions whose paired interval lies below no change."""
    return [name for name, change in e.lowered.items() if change.high < -e.tolerance.get(name, 0.0)]


def _optimiser(e: Evidence) -> Answer:
    if e.train is None:
        return None, _why(e, "training error")
    said = f"training error {e.train}"
    if e.train.low <= e.target:
        return False, said
    if not e.optimised:
        return False, f"{said}; the model is fitted in closed form, there is no optimiser to test"
    if not e.lowered:
        return None, f"{said}; {_why(e, 'interventions')}"
    changes = "; ".join(
        f"{name}: objective changes by {c.mean:+.3g} [{c.low:+.3g}, {c.high:+.3g}]"
        for name, c in e.lowered.items()
    )
    return bool(works(e)), f"{said}; {changes}"


def _capacity(e: Evidence) -> Answer:
    if e.train is None:
        return None, _why(e, "training error")
    if e.train.low <= e.target:
        return False, f"training error {e.train}"
    optimiser = _optimiser(e)[0]
    if optimiser is None:
        return None, "whether the optimiser is at fault was not tested"
    return not optimiser, f"training error {e.train}, and no intervention lowers the objective"


def has_gap(e: Evidence) -> bool | None:
    """U(training error) <= target < L(validation error); None where one is missing."""
    if e.train is None or e.validation is None:
        return None
    return e.train.high <= e.target < e.validation.low


def _more(e: Evidence) -> Answer:
    return _with_gap(e, lambda slope: slope.falls)


def _gap(e: Evidence) -> Answer:
    return _with_gap(e, lambda slope: slope.flat and not slope.falls)


def _with_gap(e: Evidence, holds: Callable[[Slope], bool]) -> Answer:
    gap = has_gap(e)
    if gap is None or e.train is None or e.validation is None:
        return None, _why(e, "training error" if e.train is None else "validation error")
    said = f"training error {e.train}, validation error {e.validation}"
    if not gap:
        return False, said
    if e.slope is None:
        return None, f"{said}; {_why(e, 'slope')}"
    change, same = e.slope.change, e.slope.same
    flat = (
        f"equivalent to 0 within {same.margin:g}" if same.equivalent else f"not within {same.margin:g} of 0"
    )
    moved = f"E(n) - E(n/2) = {change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}], {flat}"
    return holds(e.slope), f"{said}; {moved}"


def _why(e: Evidence, what: str) -> str:
    return f"not assessed: {e.missing.get(what, 'no such run finished')}"


ADVICE: Mapping[str, tuple[str, str, str, str]] = {
    "data_bug": (
        "stop",
        "A model that can know nothing beats the prior predictor: a bug or leak in the data",
        "Find where the label comes in beside the text (meta columns, rules or weights made on these rows, "
        "labels joined by position) before you read any other score.",
        "the same null runs after the leak is mended: at the prior predictor's score",
    ),
    "cannot_overfit": (
        "stop",
        "It cannot fit 32 rows without a conflict: optimiser or code",
        "Switch regularisation and dropout off and raise the steps on those 32 rows; if they are still not "
        "fitted, read the code that makes inputs and loss.",
        "one run on the same 32 rows without regularisation that gets all of them right",
    ),
    "good_enough": (
        "fine",
        "Good enough: the validation error is at or below the target",
        "Stop improving this model on this data; look at the slices and the cost, then at fresh data.",
        "fresh rows of the same source on which the error's lower bound exceeds the target",
    ),
    "specification": (
        "serious",
        "The labels themselves disagree by more than the target: specification, not model",
        "Rewrite the labelling rule for the rows annotators disagree on, and relabel those.",
        "an audit of fresh rows whose disagreement is below the target",
    ),
    "optimisation": (
        "serious",
        "Optimisation: the training objective can be lowered with the same model",
        "Keep the intervention that lowered it, and repeat it until it lowers nothing.",
        "the same intervention applied once more, lowering the objective no further while the training "
        "error stays above the target",
    ),
    "capacity": (
        "serious",
        "Capacity or features: it cannot fit what it was shown, and not for want of optimising",
        "Add what the text says and the features leave out (character n-grams, an encoder), or weaken the "
        "penalty; more rows do not help.",
        "a run with richer features or a weaker penalty whose training error is still above the target: "
        "then suspect the labels",
    ),
    "more_data": (
        "serious",
        "A gap to training that more rows still close: label more data",
        "Label more rows of the same kind; the slope from n/2 to n says what a doubling brought.",
        "the run at 2n: no lower error than at n",
    ),
    "gap": (
        "serious",
        "A gap to training that more rows no longer close: regularise, better features, or a shift",
        "Compare training and validation rows for a shift, then regularise more and drop features; do not "
        "label more of the same.",
        "a stronger penalty or fewer features that leave the validation error as it is",
    ),
    INSUFFICIENT: (
        "warning",
        "Insufficient evidence: no row of the table holds",
        "Get what is short, and ask again.",
        "the same diagnosis with that much more evidence",
    ),
}
"""Severity, title, next step and refuting run of each row of the table."""


def finding_of(row: Row, e: Evidence) -> Finding:
    """The finding of the row that is the verdict."""
    severity, title, step, refute = ADVICE[row.code]
    if row.code == INSUFFICIENT and e.needs:
        step = f"Get what is short, and ask again: {e.needs[0]}."
    if row.code == "optimisation":
        step = f"Keep what lowered it ({', '.join(works(e))}), and repeat it until it lowers nothing."
    return Finding(row.code, severity, title, row.seen, step, refute)


def in_order(rows: Sequence[Row], e: Evidence) -> list[Finding]:
    """What the table shows to be fine, each with its evidence."""
    found = []
    by_code = {row.code: row for row in rows}
    titles = {
        "data_bug": "Null runs are not above the prior predictor",
        "cannot_overfit": "It does not fit 32 rows, but its solver is at the optimum there: not the code"
        if e.cleared
        else "It can fit 32 conflict-free rows",
        "specification": "The audit does not put label disagreement above the target",
    }
    for code, title in titles.items():
        if by_code[code].holds is False:
            found.append(Finding(code, "fine", title, by_code[code].seen))
    if e.train is not None and e.train.high <= e.target:
        seen = f"training error {e.train}, target {e.target:g}"
        found.append(Finding("capacity", "fine", "Capacity suffices: it fits its training rows", seen))
    if e.lowered and not works(e):
        seen = by_code["optimisation"].seen
        found.append(Finding("optimisation", "fine", "No intervention lowers the training objective", seen))
    return found


def ranked(findings: Sequence[Finding], first: Finding) -> list[Finding]:
    """The verdict's finding first, then by severity, in the order given among equals."""
    rest = [finding for finding in findings if finding is not first]
    return [first, *sorted(rest, key=lambda finding: SEVERITIES.index(finding.severity))]
