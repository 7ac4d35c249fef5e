"""The answer of a diagnosis: numbers gathered, the table decided, findings ranked, one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.measure.simultaneous import Bounded, bounds_of, share_bounds
from crossover.record.run_record import RunRecord
from crossover.study import diagnosis_beside as beside
from crossover.study import diagnosis_evidence as found_in
from crossover.study.crossover_sentence import metric_title, title
from crossover.study.diagnosis_findings import (
    Evidence,
    Finding,
    decide,
    finding_of,
    in_order,
    ranked,
    verdict_of,
)
from crossover.study.diagnosis_runs import Cell, reads_meta
from crossover.study.diagnosis_sentence import flags, nothing, population, sentence
from crossover.study.grid import median_cost
from crossover.study.study import Verdict, surroundings

if TYPE_CHECKING:
    from crossover.study.diagnosis import DiagnosisStudy

Json = dict[str, object]
Records = Mapping[str, RunRecord]
Found = TypeVar("Found")
FAILED = "Look at the failed runs (failed/ in the store), mend their cause and run the same command again."
POINTWISE = 0.975
"""One-sided level of what is shown and decides nothing: 95% intervals."""


def answer(study: DiagnosisStudy, records: Records) -> Verdict:
    """The verdict; pure."""
    e = gather(study, records)
    rows = decide(e)
    row = verdict_of(rows)
    first = finding_of(row, e)
    numbers, others = surrounding_findings(study, records, e)
    findings = ranked([first, *others, *in_order(rows, e)], first)
    return Verdict(
        study=study.name,
        kind=row.code if records else "nothing",
        sentence=sentence(study, e, first, findings) if records else nothing(study),
        numbers={
            "metric": study.metric,
            **surroundings(study.corpus, study.split),
            "arms": _arms(study, records),
            "subject": study.subject,
            "target": study.target,
            "size": study.size,
            "part": study.part,
            "level": e.level,
            "decision": [r.to_json() for r in rows],
            "findings": [f.to_json() for f in findings],
            **numbers,
            "tables": {
                "findings": [f.to_json() for f in findings],
                "decision": [r.to_json() for r in rows],
                "errors": [_flat(point) for point in numbers["errors"]],  # type: ignore[attr-defined]
            },
        },
        population=population(study),
        would_change=(
            f"{first.refute[:1].upper()}{first.refute[1:]}",
            f"another target than {study.target:g}, another metric than {metric_title(study.metric)}, or "
            "other settings of the same model",
        ),
        next_step=first.next_step if _runs(study, records) else FAILED,
        flags=tuple(flags(study, records)),
        runs=tuple(sorted(records)),
    )


def gather(study: DiagnosisStudy, records: Records) -> Evidence:
    """The table's numbers, and why one is missing."""
    reader, f = study.reader, study.overlap(study.size)
    whole = study.cells(records, study.subject, study.size)
    half = study.cells(records, study.subject, study.grid[1])
    runs = list(whole.values())
    mean = _tried(lambda: reader.validation(runs, f)) if len(runs) > 1 else None
    train = study.training(records)
    both, steep = sorted(set(whole) & set(half)), None
    if len(both) > 1:
        at = [half[d] for d in both], [whole[d] for d in both]
        steep = _tried(lambda: reader.slope(*at, study.equivalence, f))
    groups = null_records(study, records)
    lowered = _lowered(study, records)
    training = None
    if train is not None:
        training = train, float(np.std([reader.training_error(run) for run in runs], ddof=1)), f
    known = {"validation error": mean, "training error": train, "slope": steep}
    missing = _missing(study, groups, [name for name, value in known.items() if value is None], len(runs))
    return Evidence(
        target=study.target,
        level=study.level,
        size=study.size,
        permutations=len(groups["labels permuted"]),
        permuted=found_in.null_lifts(reader, groups["labels permuted"]),
        constant={} if reads_meta(study.model) else found_in.null_lifts(reader, groups["constant text"]),
        overfit=tuple(found_in.share_fitted(record) for record in groups["32 rows"]),
        cleared=_cleared(study, records),
        validation=None if mean is None else reader.within(bounds_of(mean, study.level)),
        train=train,
        floor=share_bounds(study.disagreed, study.audited, study.level) if study.audited else None,
        lowered={name: found[0] for name, found in lowered.items()},
        tolerance={name: found[1] for name, found in lowered.items()},
        optimised=bool(study.changes),
        slope=steep,
        missing=missing,
        needs=tuple(found_in.needs(study.size, study.target, mean, training, steep, study.level)),
    )


def null_records(study: DiagnosisStudy, records: Records) -> dict[str, list[RunRecord]]:
    """Finished runs of the first batch beside the curves, by purpose."""
    return {
        purpose: [records[s.digest] for s in specs if s.digest in records]
        for purpose, specs in study.first.items()
    }


def _missing(
    study: DiagnosisStudy, groups: Mapping[str, Sequence[RunRecord]], lacking: Sequence[str], runs: int
) -> dict[str, str]:
    few = f"{runs} of {study.draws} draws of {study.subject} finished at {study.size} rows"
    undefined = f"{study.metric} is undefined on these rows, or half as many rows lack runs"
    missing = dict.fromkeys(lacking, few if runs < 2 else undefined)
    made = len(groups["labels permuted"])
    if made < 2:
        missing["null runs"] = f"{made} of {study.null_runs} finished"
    if not study.first["32 rows"]:
        missing["overfit runs"] = "no draw of 32 rows without a conflict and with two classes"
    missing["interventions"] = "fewer than two pairs of runs finished"
    return missing


def _cleared(study: DiagnosisStudy, records: Records) -> bool:
    """Whether every one of the 32-row fits is certified to lie at the least value of its objective."""
    specs = study.rechecked(records)
    found = [records[s.digest].history[:1] for s in specs if s.digest in records]
    return (
        bool(specs) and len(found) == len(specs) and all(h and h[0].get("verdict") in (1, 2) for h in found)
    )


def _lowered(study: DiagnosisStudy, records: Records) -> dict[str, tuple[Bounded, float]]:
    """Change of the objective by each intervention that has two pairs of runs."""
    bases = study.cells(records, study.subject, study.size)
    found = {}
    for name, specs in study.intervened(records).items():
        pairs = [
            (bases.get(draw), records[spec.digest])
            for draw, spec in enumerate(specs)
            if spec.digest in records
        ]
        change = found_in.lowered(study.reader, pairs, study.level, study.overlap(study.size))
        if change is not None:
            found[name] = change
    return found


def surrounding_findings(study: DiagnosisStudy, records: Records, e: Evidence) -> tuple[Json, list[Finding]]:
    """What stands beside the table: numbers for the page, and findings."""
    reader, f = study.reader, study.overlap(study.size)
    whole = study.cells(records, study.subject, study.size)
    runs = list(whole.values())
    groups = null_records(study, records)
    findings: list[Finding | None] = []
    real = list(study.cells(records, study.subject, study.grid[0]).values())
    p = found_in.signal_p(reader, real, groups["labels permuted"])
    if not any(lift.low > 0 for lift in found_in.null_lifts(reader, runs).values()):
        findings.append(beside.no_signal(p, e.permutations))
    comparisons, words = _rivals(study, records, findings)
    courses = beside.courses(runs)
    findings += beside.course_findings(courses, runs, e)
    moved, weights = study.transplanted(records), None
    if moved is not None and moved[3].digest in records:
        worse, better, draw, spec = moved
        old, new = ((arm, study.cells(records, arm, study.size)[draw]) for arm in (worse, better))
        weights = _tried(lambda: beside.weights(reader, old, new, records[spec.digest]))
    if weights is not None:
        findings.append(weights[1])
    if study.reference is not None:
        near = list(study.cells(records, study.reference, study.size).values())
        error = _tried(lambda: bounds_of(reader.validation(near, f), study.level)) if near else None
        if error is not None:
            findings.append(beside.reference(study.reference, study.size, error, e.validation))
    if len(runs) > 1 and e.validation is not None:
        findings.append(beside.spread(reader, runs, e, f))
        findings.append(_tried(lambda: beside.no_gap(reader, runs, study.equivalence, f)))
    numbers: Json = {
        "errors": _errors(study, records),
        "nulls": _nulls(study, groups, real, e, p),
        "overfit": list(e.overfit),
        "interventions": [
            {"name": name, "change": change.to_json(), "tolerance": e.tolerance[name]}
            for name, change in e.lowered.items()
        ],
        "slope": None if e.slope is None else e.slope.change.to_json() | {"flat": e.slope.same.sentence},
        "comparisons": comparisons,
        "words": words,
        "weights": None if weights is None else weights[0],
        "courses": [course.to_json() for course in courses],
    }
    return numbers, [finding for finding in findings if finding is not None]


def _rivals(
    study: DiagnosisStudy, records: Records, findings: list[Finding | None]
) -> tuple[list[Json], Json]:
    """Comparisons with every other arm, and the words that set the simpler one apart."""
    made: list[Json] = []
    words: Json = {}
    own = study.cells(records, study.subject, study.size)
    for arm in study.others:
        rival = study.cells(records, arm, study.size)
        pairs = [(own[draw], rival[draw]) for draw in sorted(set(own) & set(rival))]
        if len(pairs) < 2:
            continue
        names = study.subject, arm
        f = study.overlap(study.size)
        row = _tried(partial(beside.comparison, study.reader, pairs, names, study.equivalence, f))
        if row is not None:
            made.append(row[0])
            findings += row[1]
        if arm == study.simpler:
            text_of = dict(zip(study.corpus.ids, study.corpus.texts, strict=True))
            words = beside.apart(study.reader, pairs, text_of, names)
            findings += beside.word_findings(words)
    return made, words


def _errors(study: DiagnosisStudy, records: Records) -> list[Json]:
    """Points of the error curves, with 95% intervals that decide nothing."""
    points: list[Json] = []
    for arm in study.arms:
        for size in study.grid:
            if Cell(arm, size, 0) not in study.curves:
                continue  # other arms run at n only
            runs = list(study.cells(records, arm, size).values())
            if not runs:
                continue
            f = study.overlap(size)
            validation = _tried(partial(study.reader.validation, runs, f))
            if validation is not None:
                means = study.reader.errors(runs).mean(axis=1)
                points.append(_point(arm, size, "validation", bounds_of(validation, POINTWISE), means))
            train = _tried(partial(study.reader.training, runs, f, POINTWISE))
            if train is not None:
                each = [study.reader.training_error(run) for run in runs]
                points.append(_point(arm, size, "training", train, each))
    return points


def _point(arm: str, size: int, part: str, error: Bounded, draws: Sequence[float]) -> Json:
    return {"arm": arm, "size": size, "part": part, **error.to_json(), "each": [float(v) for v in draws]}


def _flat(point: Mapping[str, object]) -> Json:
    return {key: value for key, value in point.items() if key != "each"}


def _nulls(
    study: DiagnosisStudy,
    groups: Mapping[str, Sequence[RunRecord]],
    real: Sequence[RunRecord],
    e: Evidence,
    p: float | None,
) -> Json:
    """Accuracy of null runs and of real runs of the same size, on the same rows."""
    reader = study.reader
    nulls = groups["labels permuted"]
    ids = set(reader.scored(nulls[0]).ids) if nulls else set()

    def accuracy(record: RunRecord) -> float | None:
        rows = reader.scored(record)
        kept = np.array([id_ in ids for id_ in rows.ids], dtype=bool)
        right = (rows.predicted_index == rows.gold_index)[kept]
        return float(right.mean()) if len(right) else None

    return {
        "size": study.grid[0],
        "rows": len(ids),
        "permutations": len(nulls),
        "p": p,
        "permuted": [accuracy(record) for record in nulls],
        "constant": [accuracy(record) for record in groups["constant text"]],
        "real": [accuracy(record) for record in real],
        "majority": _majority(reader, nulls),
        "lifts": {
            "permuted": {name: lift.to_json() for name, lift in e.permuted.items()},
            "constant": {name: lift.to_json() for name, lift in e.constant.items()},
        },
    }


def _majority(reader: found_in.Reader, nulls: Sequence[RunRecord]) -> float | None:
    """Accuracy of the majority rule on the rows the null runs scored."""
    if not nulls or not len(rows := reader.scored(nulls[0])):
        return None
    return float(np.bincount(rows.gold_index).max() / len(rows))


def _arms(study: DiagnosisStudy, records: Records) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for arm, model in study.arms.items():
        runs = list(study.cells(records, arm, study.size).values())
        roles = [r for r in ("subject", "simpler", "reference") if getattr(study, r) == arm]
        found[arm] = {
            "title": title(model),
            "component": model.to_json(),
            "role": roles[0] if roles else "other",
            "runs": len(runs),
            "cost": median_cost(runs) if runs else {},
        }
    return found


def _runs(study: DiagnosisStudy, records: Records) -> bool:
    return bool(study.cells(records, study.subject, study.size))


def _tried(make: Callable[[], Found]) -> Found | None:
    """The value, None where the data do not define it (no rows, one class, a metric without a value)."""
    try:
        return make()
    except BadInput:
        return None
