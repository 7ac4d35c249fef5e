"""The words of a diagnosis: the sentence, the population it speaks of, and the flags beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.study.crossover_sentence import metric_title
from crossover.study.diagnosis_evidence import PARTS
from crossover.study.diagnosis_findings import Evidence, Finding
from crossover.study.diagnosis_runs import CHEAP_PERMUTATIONS, reads_meta
from crossover.study.grid import unfinished

if TYPE_CHECKING:
    from crossover.study.diagnosis import DiagnosisStudy

Records = Mapping[str, RunRecord]


def nothing(study: DiagnosisStudy) -> str:
    """The sentence where no run finished."""
    return f"On {study.corpus.name} nothing can be said of {study.subject}: no run finished."


def sentence(study: DiagnosisStudy, e: Evidence, first: Finding, findings: Sequence[Finding]) -> str:
    """The verdict in one sentence."""
    shown = [f"target {e.target:g}"]
    for name, error in (("validation error", e.validation), ("training error", e.train)):
        if error is not None:
            shown.append(f"{name} {error}")
    exploratory = "exploratory, " if study.overlap(study.size) > 0.5 else ""
    text = f"On {study.corpus.name}, {study.subject} at {study.size:,} rows: {exploratory}"
    text += f"{first.title[:1].lower()}{first.title[1:]}; {', '.join(shown)} in {metric_title(study.metric)}"
    worse = [finding.title for finding in findings if finding.severity == "serious" and finding is not first]
    if worse:
        text += f"; also: {worse[0][:1].lower()}{worse[0][1:]}"
    fine = [finding.title for finding in findings if finding.severity == "fine" and finding is not first]
    if fine:
        text += f"; {len(fine)} of the usual suspects are cleared"
    return text + "."


def population(study: DiagnosisStudy) -> str:
    """What the bounds speak of, and what the errors come from."""
    parts = " and ".join(PARTS[study.part])
    read = (
        "the test rows: this is a look at them"
        if study.part == "test"
        else f"the {parts} rows, which no fit reads; the test rows decide nothing here"
    )
    return (
        f"Over fresh draws of {study.size:,} rows from, seeds, and fresh rows like, corpus "
        f"{study.corpus.name} ({study.corpus.fingerprint}); not other corpora, encoders, sizes or recipes. "
        f"Errors come from {read}."
    )


def flags(study: DiagnosisStudy, records: Records) -> list[str]:
    """What must be shown wherever the sentence is."""
    seen = study.corpus.card.seen_in_pretraining
    found = [seen] if seen else []
    found += unfinished(study.arms, list(study.curves.values()), records)
    groups: dict[str, Sequence[RunSpec]] = {
        **study.first,
        **{f"intervention ({name})": specs for name, specs in study.intervened(records).items()},
    }
    groups["32 rows, better solver"] = study.rechecked(records)
    moved = study.transplanted(records)
    if moved is not None:
        groups["weights"] = [moved[3]]
    for purpose, specs in groups.items():
        lost = sum(spec.digest not in records for spec in specs)
        if lost:
            found.append(f"{study.subject}, {purpose}: {lost} of {len(specs)} runs did not finish")
    if study.null_runs < CHEAP_PERMUTATIONS:
        least = 1 / (study.null_runs + 1)
        found.append(
            f"{study.null_runs} permutations of the labels, not {CHEAP_PERMUTATIONS}: no P under {least:.2g}"
        )
    if study.overlap(study.size) > 0.5:
        found.append(
            "exploratory: a draw takes over half of the train part; ask for smaller sizes or bring rows"
        )
    if study.draws <= 4:
        found.append(f"{study.draws} draws are a pilot; three draws rarely resolve anything")
    if reads_meta(study.model):
        found.append("the model reads declared meta columns, so a constant text is no null run of it")
    if study.audited and study.metric != "accuracy":
        found.append("the audit counts wrong labels (1 - accuracy); the target is in another metric")
    return found
