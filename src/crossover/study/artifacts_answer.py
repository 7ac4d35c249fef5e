"""What the records of an artefact study say, as plain numbers, and which of it alarms as one family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from crossover.look.family import as_family
from crossover.look.finding import Finding
from crossover.measure.metric.metric import metric_named
from crossover.measure.order_reference import order_reference
from crossover.measure.predictions import Predictions
from crossover.measure.telling_marks import confirm, purity
from crossover.protocol.run_spec import view_part
from crossover.protocol.transform import Transform
from crossover.record.run_record import RunRecord
from crossover.study import artifacts_evidence as evidence
from crossover.study.artifacts_runs import REMEDIES, Named

if TYPE_CHECKING:
    from crossover.study.artifacts import ArtifactsStudy

Json = dict[str, object]
ALARMING_KINDS = ("line", "signs")
"""Kinds of found marks that alarm: a whole line or a run of signs is seldom what a text is about."""
TOLD_ONLY = ("typos",)
"""Changes that raise no alarm: a misspelt word is a word less, and an honest model's predictions move."""


class Answerer:
    """One study's records, read once."""

    def __init__(self, study: ArtifactsStudy, records: Mapping[str, RunRecord]) -> None:
        self.study = study
        self.by_purpose = {
            key: records[spec.digest] for key, spec in study.specs.items() if spec.digest in records
        }
        self.scored = evidence.Scored(metric_named(study.metric), study.split.groups, study.level)

    def answer(self) -> Json:
        """All numbers of the page; lists are empty where their runs are missing."""
        alone = [*self._readings("alone"), *self._orders()]
        numbers: Json = {
            "alone": alone,
            "partial": self._readings("partial"),
            "marks": self._found(),
            "worth": list(self._worth()),
            "remedies": list(self._remedies()),
            "unmoved": list(self._unmoved()),
        }
        findings = as_family(self._findings(numbers), 1 - self.study.level)
        return {
            **numbers,
            "findings": [finding.to_json() for finding in findings],
            "tests": sum(finding.p_value is not None for finding in findings),
            "unresolved": self._unresolved(numbers, {_what(f) for f in findings if f.severity == "warning"}),
        }

    def _test(self, *key: str) -> Predictions | None:
        record = self.by_purpose.get(key)
        return None if record is None else record.predictions.part("test")

    def _view(self, arm: str, kind: str, name: str) -> Predictions:
        """A view of an arm whose run is there."""
        return self.by_purpose["arm", arm].predictions.part(self.study.view(kind, name))

    @cached_property
    def _test_rows(self) -> Predictions | None:
        """The scored test rows of any run: all score the same."""
        return next((record.predictions.part("test") for record in self.by_purpose.values()), None)

    @cached_property
    def _texts(self) -> list[str]:
        rows = self._test_rows
        return [] if rows is None else self.study.corpus.rows(rows.ids).texts

    def _touched(self, change: Transform) -> NDArray[np.bool_]:
        return evidence.differs(self._texts, change.texts(self._texts))

    def _readings(self, purpose: str) -> list[Json]:
        made: list[Json] = []
        names = self.study.alone if purpose == "alone" else self.study.partial
        for name in names:
            test = self._test(purpose, name)
            if test is not None:
                made.append({"name": name, "rows": len(test), **evidence.signal(self.scored, test)})
        return made

    def _orders(self) -> list[Json]:
        """The order of the file, and of each time column, read by neighbours; no run is needed."""
        rows = self._test_rows
        if rows is None:
            return []
        corpus, train = self.study.corpus, self.study.split.train
        in_file = {id_: float(row) for id_, row in corpus.row_of.items()}
        places: dict[str, dict[str, float]] = {"order of the file": in_file}
        for column, kind in sorted(corpus.meta.items()):
            if kind == "time":
                values = [None if v is None else str(v) for v in corpus.meta_values(column)]
                places[f"order of {column}"] = _order_of(corpus.ids, values)
        gold = np.array([corpus.classes.index(label) for label in corpus.rows(train).labels], dtype=np.int64)
        made: list[Json] = []
        for name, place in places.items():
            if not all(id_ in place for id_ in (*train, *rows.ids)):
                continue  # a row without a time has no place
            at, of = (np.array([place[id_] for id_ in ids]) for ids in (train, rows.ids))
            table = order_reference(at, gold, of, len(corpus.classes))
            found = Predictions(rows.ids, rows.parts, rows.gold, rows.classes, table)
            made.append({"name": name, "rows": len(rows), **evidence.signal(self.scored, found)})
        return made

    def _found(self) -> list[Json]:
        """Marks named or found, confirmed on the test rows; intervals are shared out over all of them."""
        rows, made = self._test_rows, []
        if rows is None:
            return []
        marks = [*self.study.named, *self.study.found]
        level = 1 - (1 - self.study.level) / max(1, len(marks))
        for mark in marks:
            found = mark.found
            if found is None:
                continue
            of_class = rows.gold_index == found.label
            seen = confirm(self._touched(mark.strip), of_class, level, self.scored.clusters(rows))
            made.append(
                {
                    "name": mark.name,
                    "members": list(mark.members),
                    "kind": found.kind,
                    "class": self.study.corpus.classes[found.label],
                    "train": {k: v for k, v in found.to_json().items() if k not in ("members", "kind")},
                    "test": seen.to_json(),
                    # A named mark has no business telling a class at all, however little of it.
                    "alarms": found.kind == "named"
                    or (
                        found.kind in ALARMING_KINDS
                        and found.recall >= self.study.notable
                        and seen.high >= purity(self.study.precision, float(of_class.mean()))
                    ),
                }
            )
        return made

    def _worth(self) -> Iterator[Json]:
        """Every arm with and without every mark."""
        for arm in self.study.arms:
            plain = self._test("arm", arm)
            if plain is None:
                continue
            for mark in self.study.stripped:
                without = self._view(arm, "mark", mark.name)
                worth = evidence.mark_worth(self.scored, plain, without, self._touched(mark.strip))
                named = mark.name in {one.name for one in self.study.named}
                yield {"arm": arm, "mark": mark.name, "named": named, **worth}

    def _remedies(self) -> Iterator[Json]:
        """What each remedy does to the score on plain and on stripped test texts, paired with no remedy."""
        reader = self.study.trained_again
        if reader is None:
            return
        plain = self._test("arm", reader)
        for mark, remedy in product(self.study.treated, REMEDIES):
            record = self.by_purpose.get(("remedy", mark.name, remedy))
            if record is not None and plain is not None:
                stripped = self._view(reader, "mark", mark.name)
                test = record.predictions.part("test")
                # A masked model is masked in use too: it reads the same stripped text either way.
                other = test if remedy == "mask" else record.predictions.part(view_part(0))
                yield {
                    "mark": mark.name,
                    "remedy": remedy,
                    "train_rows": self._train_rows(mark, remedy),
                    "score": self.scored.value(test),
                    "score_stripped": self.scored.value(other),
                    "cost": evidence.gain(self.scored, test, plain),
                    "gain": evidence.gain(self.scored, other, stripped),
                }

    def _train_rows(self, mark: Named, remedy: str) -> int:
        study = self.study
        spec = study.specs["remedy", mark.name, remedy]
        return len(spec.training_rows(study.corpus, study.split.train))

    def _unmoved(self) -> Iterator[Json]:
        """How often each arm's predictions move under each harmless change."""
        for arm in self.study.arms:
            plain = self._test("arm", arm)
            if plain is None:
                continue
            for (kind, name), change in self.study.views.items():
                if kind == "unmoved":
                    changed, touched = self._view(arm, kind, name), self._touched(change)
                    found = evidence.movement(self.scored, plain, changed, touched, self.study.tolerance)
                    yield {"arm": arm, "name": name, **found}

    def _findings(self, numbers: Json) -> list[Finding]:
        return [
            *self._reading_findings(numbers),
            *self._mark_findings(numbers),
            *self._movement_findings(numbers),
        ]

    def suspected(self, name: str) -> bool:
        """Whether a reading alarms where it beats the base rate."""
        return ("order" if name.startswith("order of") else name) in self.study.suspects

    def _reading_findings(self, numbers: Json) -> Iterator[Finding]:
        for purpose in ("alone", "partial"):
            for row in cast(list[Json], numbers[purpose]):
                name, suspected = str(row["name"]), purpose == "alone" and self.suspected(str(row["name"]))
                yield Finding(
                    "reading-alone" if purpose == "alone" else "partial-input",
                    "warning" if suspected else "info",
                    f"{_title(name)} {'alone' if purpose == 'alone' else 'as the whole input'} "
                    f"{'beats' if suspected else 'against'} the base rate",
                    {"what": name, "score": row["score"], "base": row["base"]},
                    f"Find how the label gets into {reading(name)}; take it out of the input, split by it, "
                    "or collect anew."
                    if suspected
                    else "",
                    cast(float, row["p"]),
                )

    def _mark_findings(self, numbers: Json) -> Iterator[Finding]:
        for row in cast(list[Json], numbers["worth"]):
            if row["arm"] == self.study.subject and row["named"]:
                drop = cast(Mapping[str, float], row["drop"])
                yield Finding(
                    "mark-carries-score",
                    "warning",
                    f"The score of {row['arm']} falls without {row['mark']}",
                    {"what": row["mark"], "with": row["with"], "without": row["without"]},
                    "Take the remedy that gains most without the mark, and report the score without it.",
                    drop["p"],
                )
        for row in cast(list[Json], numbers["marks"]):
            test = cast(Mapping[str, float], row["test"])
            yield Finding(
                "telling-mark",
                "warning" if row["alarms"] else "info",
                f"{row['name']!r} stands in {row['class']} beyond chance"
                if row["kind"] == "named"
                else f"{row['name']!r} stands almost only in {row['class']}",
                {"what": row["name"], "class": row["class"], "kind": row["kind"],
                 "carriers": test["carriers"], "hits": test["hits"]},
                _judge(row),
                test["p"],
            )  # fmt: skip

    def _movement_findings(self, numbers: Json) -> Iterator[Finding]:
        for row in cast(list[Json], numbers["unmoved"]):
            if row["arm"] == self.study.subject:
                told = row["name"] in TOLD_ONLY
                yield Finding(
                    "moved-predictions",
                    "info" if told else "warning",
                    f"More than {self.study.tolerance:.0%} of predictions move under "
                    f"{_title(str(row['name']))}",
                    {"what": row["name"], "moved": row["moved"], "changed": row["changed"]},
                    ""
                    if told
                    else "Normalise texts before the model reads them, or train on texts changed so.",
                    cast(float, row["p"]),
                )

    def _unresolved(self, numbers: Json, alarmed: set[object]) -> list[str]:
        """Questions that neither alarm nor are bounded closely enough to say that there is nothing."""
        study, found = self.study, []
        for row in cast(list[Json], numbers["alone"]):
            high = cast(Mapping[str, float], row["accuracy"])["high"]
            if self.suspected(str(row["name"])) and row["name"] not in alarmed and high > study.margin:
                found.append(f"{row['name']} alone may still be worth {high:.3f} of accuracy")
        for row in cast(list[Json], numbers["worth"]):
            fall = cast(Mapping[str, float | None], row["drop"])["high"]
            asked = row["arm"] == study.subject and row["named"] and row["mark"] not in alarmed
            if asked and (fall is None or fall > study.margin):
                shown = "an unknown part" if fall is None else f"{fall:.3f}"
                found.append(f"{row['mark']} may still carry {shown} of the score")
        for row in cast(list[Json], numbers["unmoved"]):
            moved = cast(float, row["high_of_all"])
            open_ = row["name"] not in alarmed and row["name"] not in TOLD_ONLY
            if row["arm"] == study.subject and open_ and moved > study.tolerance:
                found.append(f"{_title(str(row['name']))} may still move {moved:.1%} of predictions")
        return found


def _judge(row: Json) -> str:
    if not row["alarms"]:
        return ""
    if row["kind"] == "named":
        return "It tells the class: collect anew without it, or mask it before another model learns it."
    return "Judge it: if it has no business deciding, name it in study.marks."


def _what(finding: Finding) -> object:
    return finding.evidence["what"]


def _order_of(ids: list[str], values: list[str | None]) -> dict[str, float]:
    """Rank of each row that has a value; times in UTC order as their texts do."""
    known = sorted({value for value in values if value})
    rank = {value: float(k) for k, value in enumerate(known)}
    return {id_: rank[value] for id_, value in zip(ids, values, strict=True) if value}


def reading(name: str) -> str:
    """A reading in the middle of a sentence."""
    return "the declared meta columns" if name == "meta" else f"the {name}"


def _title(name: str) -> str:
    return name.replace("_", " ")
