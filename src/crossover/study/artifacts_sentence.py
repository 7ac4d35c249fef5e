"""The artefact study in words: kind, sentence, what would change it, next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from crossover.study.artifacts_answer import reading
from crossover.study.crossover_sentence import metric_title

Json = Mapping[str, object]
ARTEFACTS = ("mark-carries-score", "reading-alone")
"""Findings that show an artefact: a mark the user named, or a reading that should know nothing."""
SUSPICIONS = ("telling-mark", "moved-predictions")
"""Findings a person has to judge."""


@dataclass(frozen=True)
class Told:
    """The answer of one study, to be put into words."""

    corpus: str
    metric: str
    subject: str
    numbers: Json

    @property
    def findings(self) -> list[Json]:
        """Those that alarm, the surest first."""
        listed = [f for f in cast(list[Json], self.numbers["findings"]) if f["severity"] == "warning"]
        return sorted(listed, key=lambda finding: cast(float, finding["p_value"]))

    def _with(self, codes: tuple[str, ...]) -> list[Json]:
        return [finding for finding in self.findings if finding["code"] in codes]

    @property
    def _worth(self) -> list[Json]:
        return [row for row in cast(list[Json], self.numbers["worth"]) if row["arm"] == self.subject]

    @property
    def kind(self) -> str:
        """``artefact``, ``suspect``, ``clean``, ``not_resolved``, or ``too_few_runs``."""
        if not self._worth and not cast(list[Json], self.numbers["unmoved"]):
            return "too_few_runs"
        if self._with(ARTEFACTS):
            return "artefact"
        if self._with(SUSPICIONS):
            return "suspect"
        if self.numbers["unresolved"] or not self._subject_read:
            return "not_resolved"
        return "clean"

    @property
    def _subject_read(self) -> bool:
        return any(row["arm"] == self.subject for row in cast(list[Json], self.numbers["unmoved"]))

    def sentence(self) -> str:
        """The answer in one sentence."""
        if self.kind == "too_few_runs":
            return f"On {self.corpus} nothing can be said of artefacts: no run of {self.subject} finished."
        said = [*self._named(), *self._alone(), *self._suspicions()]
        if not said:
            checked = cast(int, self.numbers["tests"])
            unresolved = cast(list[str], self.numbers["unresolved"])
            if self.kind == "clean":
                said = [f"no artefact is found: of {checked} questions none alarms, and each is bounded"]
            else:
                many = f"{len(unresolved)} of {checked} questions stay open"
                said = [f"no artefact is found, but {many}: {unresolved[0]}" if unresolved else
                        "no artefact is found, but the subject's runs are missing"]  # fmt: skip
        quiet = [row for row in self._worth if row["named"] and not self._alarms(row)]
        context = [*(f"{self._with_and_without(row)}, not beyond chance" for row in quiet), *self._context()]
        return f"On {self.corpus}, " + "; ".join([*said, *context]) + "."

    def _named(self) -> list[str]:
        """With and without each named mark that alarms."""
        return [self._with_and_without(row) for row in self._worth if row["named"] and self._alarms(row)]

    def _alarms(self, row: Json) -> bool:
        alarmed = {cast(Json, f["evidence"])["what"] for f in self._with(("mark-carries-score",))}
        return row["mark"] in alarmed

    def _with_and_without(self, row: Json) -> str:
        drop = cast(Mapping[str, float], row["drop"])
        return (
            f"{metric_title(self.metric)} of {self.subject} is {_three(row['with'])} with {row['mark']} and "
            f"{_three(row['without'])} without (a fall of {drop['mean']:.3f} [{drop['low']:.3f}, "
            f"{drop['high']:.3f}]; "
            f"{row['carriers']} of {row['rows']} test rows carry it)"
        )

    def _alone(self) -> list[str]:
        shown = []
        rows = {row["name"]: row for row in cast(list[Json], self.numbers["alone"])}
        for finding in self._with(("reading-alone",))[:3]:
            row = rows[cast(Json, finding["evidence"])["what"]]
            name = reading(str(row["name"]))
            shown.append(
                f"{name} alone reach{'' if row['name'] == 'meta' else 'es'} "
                f"{metric_title(self.metric)} {_three(row['score'])} against {_three(row['base'])} of the "
                "base rate"
            )
        return shown

    def _suspicions(self) -> list[str]:
        shown = []
        marks = self._with(("telling-mark",))
        if marks:
            seen = cast(Json, marks[0]["evidence"])
            more = f" (and {len(marks) - 1} more like it)" if len(marks) > 1 else ""
            how = "tells the class" if seen["kind"] == "named" else "is too good to be true"
            shown.append(
                f"{seen['what']!r} {how}: {seen['hits']} of the {seen['carriers']} test "
                f"rows that carry it (copies counted once) are {seen['class']}{more}"
            )
        moved = self._with(("moved-predictions",))
        if moved:
            seen = cast(Json, moved[0]["evidence"])
            shown.append(
                f"{seen['moved']} of {seen['changed']} predictions move under "
                f"{str(seen['what']).replace('_', ' ')}"
            )
        return shown

    def _context(self) -> list[str]:
        """The best reading without words that raised no alarm, for what it is worth."""
        alarmed = {cast(Json, f["evidence"])["what"] for f in self._with(("reading-alone",))}
        rest = [
            row
            for row in cast(list[Json], self.numbers["alone"])
            if row["name"] not in alarmed
            and row["score"] is not None
            and cast(float, row["p"]) <= 1 - cast(float, self.numbers["level"])
        ]
        if not rest:
            return []
        best = max(rest, key=lambda row: cast(Mapping[str, float], row["nats"])["mean"])
        return [
            f"{best['name']} alone gives {metric_title(self.metric)} {_three(best['score'])} "
            f"(base rate {_three(best['base'])})"
        ]

    def would_change(self) -> tuple[str, ...]:
        """What would make the answer another."""
        changes = ["another mark named in study.marks, another training set or split"]
        changes += cast(list[str], self.numbers["unresolved"])[:3]
        return tuple(changes)

    def next_step(self) -> str:
        """One thing to do."""
        if self.kind == "too_few_runs":
            return "Look at the failed runs (failed/ in the store), mend their cause and run again."
        named = self._with(("mark-carries-score",))
        if named:
            return self._remedy(str(cast(Json, named[0]["evidence"])["what"]))
        if self.findings:
            return str(self.findings[0]["remedy"])
        marks = [mark for mark in cast(list[Json], self.numbers["marks"]) if mark["kind"] != "named"]
        if marks:
            listed = ", ".join(repr(mark["name"]) for mark in marks[:3])
            return (
                f"Judge the telling marks ({listed}), and name in study.marks what has no business deciding."
            )
        if self.kind == "not_resolved":
            return (
                "Bring more test rows, or state a larger study.margin or study.tolerance that you can bear."
            )
        return "Name the marks you know of in study.marks, and look at the rows with study=diagnosis."

    def _remedy(self, mark: str) -> str:
        """The remedy that gains most where the mark is gone, with what it costs where it is not."""
        rows = [r for r in cast(list[Json], self.numbers["remedies"]) if r["mark"] == mark]
        known = [r for r in rows if cast(Json, r["gain"])["mean"] is not None]
        if not known:
            return f"Report the score without {mark}; train an arm here (study.reader) to try remedies."
        best = max(known, key=lambda row: cast(Mapping[str, float], row["gain"])["mean"])
        gain, cost = (cast(Mapping[str, float], best[key]) for key in ("gain", "cost"))
        if gain["low"] <= 0:
            return f"Report the score without {mark}: no remedy is shown to raise it."
        verb = {"mask": "Mask", "augment": "Augment against", "balance": "Balance"}[str(best["remedy"])]
        return (
            f"{verb} {mark}: without it the score rises by {gain['mean']:.3f} [{gain['low']:.3f}, "
            f"{gain['high']:.3f}]; on texts as they are it changes by {cost['mean']:+.3f} "
            f"[{cost['low']:+.3f}, {cost['high']:+.3f}]."
        )


def _three(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "undefined"
