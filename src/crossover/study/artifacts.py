"""The artefact study: does the score come from what the texts say, or from marks that came with them?

It asks what can be predicted without reading, what part of a text suffices, which marks are too good to be
true, what the score is with and without a named mark, whether predictions move where they should not, and
what a remedy costs. It lists; which mark is legitimate only a person can say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.looks import level_of, setting_of
from crossover.measure.metric.metric import metric_named
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec, view_part
from crossover.protocol.transform import Transform
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import scored_ids
from crossover.split.split import Split
from crossover.study import artifacts_runs as runs
from crossover.study.artifacts_answer import Answerer
from crossover.study.artifacts_sentence import Told
from crossover.study.crossover_sentence import title
from crossover.study.grid import Design, median_cost
from crossover.study.study import Verdict, surroundings

Json = dict[str, object]
Records = Mapping[str, RunRecord]
SUSPECTS = ("meta", "order", "length", "formatting")
"""What may be declared to have no business predicting the label."""


@dataclass
class ArtifactsStudy:
    """One model, the subject, and what its score rests on.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split, shared by every run.
        arms: name -> model; each is read with and without every mark, the verdict speaks of ``subject``.
        subject: the arm that is examined; one that was trained elsewhere will do (``external``).
        reader: the arm trained again on partial inputs and under remedies; None is the subject, and
            nothing is trained again where that is ``external``.
        marks: name -> literal, ``pattern:...`` or a list of those: marks known to be artefacts.
        columns: ``{category: [...], number: [...], time: [...]}``, the meta columns read alone; None is
            all that are declared as one of these.
        suspects: readings that alarm where they beat the base rate: ``meta``, ``order`` (of the file and of
            each time column), ``length``, ``formatting``. The others are told without alarm.
        first_words: words of the shortest partial input.
        typos: share of words misspelt where predictions should not move.
        candidates: marks looked for in the training rows, at most.
        precision: share of the other classes' rows, as many as chance would bring, that a mark must keep out
            to be too good to be true.
        notable: share of its class that must carry a line or run of signs for an alarm.
        tolerance: share of predictions that may move under a harmless change.
        margin: loss of score that counts as none.
        metric: metric of record.
        test_rows: cap on scored test rows.
        looks: looks declared at the test part, which share 5%: intervals are at 1 - .05/looks.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    subject: str = "model"
    reader: str | None = None
    marks: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, Sequence[str]] | None = None
    suspects: Sequence[str] = ("meta", "order")
    first_words: int = 3
    typos: float = 0.1
    candidates: int = 5
    precision: float = 0.95
    notable: float = 0.05
    tolerance: float = 0.05
    margin: float = 0.01
    metric: str = "macro_f1"
    test_rows: int | None = None
    looks: int = 1
    name: str = "artifacts"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        for role, arm in (("subject", self.subject), ("reader", self.reader or self.subject)):
            if arm not in self.arms:
                raise BadInput(f"study.{role}={arm!r} is none of the arms {sorted(self.arms)}")
        if self.reader and self._stored(self.reader):
            raise BadInput(f"study.reader={self.reader}: stored predictions cannot be trained again")
        unknown = sorted(set(self.suspects) - set(SUSPECTS))
        if unknown:
            raise BadInput(f"study.suspects: {unknown[0]!r}; expected some of {list(SUSPECTS)}")
        for name, low, high in (
            ("precision", 0.5, 1.0), ("notable", 0.0, 1.0), ("tolerance", 0.0, 1.0), ("margin", 0.0, 1.0)
        ):  # fmt: skip
            if not low < getattr(self, name) <= high:
                raise BadInput(f"study.{name}={getattr(self, name)}: expected above {low:g}, up to {high:g}")
        if self.candidates < 0:
            raise BadInput(f"study.candidates={self.candidates}: expected 0 or more")
        _ = self.named, self.views, self.alone, self.partial

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan and the verdict."""
        plain = ("subject", "reader", "first_words", "typos", "candidates", "precision", "notable",
                 "tolerance", "margin", "metric", "test_rows")  # fmt: skip
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            "marks": {mark.name: list(mark.members) for mark in self.named},
            "columns": None if self.columns is None else runs.meta_columns(self.corpus, self.columns),
            "suspects": sorted(self.suspects),
            **{key: getattr(self, key) for key in plain},
            **setting_of(self.looks),
        }

    @property
    def level(self) -> float:
        """Coverage of every interval; the page's tests share the rest."""
        return level_of(self.looks)

    def _stored(self, arm: str) -> bool:
        return self.arms[arm].name == "external"

    @property
    def trained_again(self) -> str | None:
        """The arm that partial inputs and remedies are tried with, None where none can be trained."""
        if self.reader:
            return self.reader
        return None if self._stored(self.subject) else self.subject

    @cached_property
    def named(self) -> list[runs.Named]:
        """Marks the user named."""
        return runs.told(self.corpus, self.split, runs.declared_marks(self.marks))

    @cached_property
    def found(self) -> list[runs.Named]:
        """Telling marks of the training rows, named ones left out."""
        known = {member.lower() for mark in self.named for member in mark.members}
        taken = [mark.name for mark in self.named]
        listed = runs.found_marks(self.corpus, self.split, self.precision, self.candidates, taken)
        return [mark for mark in listed if not known & set(mark.members)]

    @cached_property
    def stripped(self) -> list[runs.Named]:
        """Every mark that is taken out of the test texts."""
        return [*self.named, *self.found, *runs.together(self.found)]

    @property
    def treated(self) -> list[runs.Named]:
        """Marks that remedies are tried on: those named, else the most telling one."""
        return self.named or self.found[:1]

    @cached_property
    def views(self) -> dict[tuple[str, str], Transform]:
        """(mark or unmoved, name) -> change of the test texts that every arm predicts."""
        marks = {("mark", mark.name): mark.strip for mark in self.stripped}
        harmless = {("unmoved", name): change for name, change in runs.unmoved(self.typos).items()}
        return {**marks, **harmless}

    @cached_property
    def alone(self) -> dict[str, Component]:
        """Models that read no word."""
        return runs.alone(self.corpus, self.columns)

    @cached_property
    def partial(self) -> dict[str, Transform]:
        """Partial inputs."""
        return runs.partial_inputs(self.first_words)

    def base(self, model: Component) -> RunSpec:
        """A model on the whole train part, its test rows seen in every view."""
        plain = (self.corpus.fingerprint, self.split.fingerprint, self.metric, "inside", 1, "natural", 0)
        spec = Design(*plain).specs(model, None, 0, 1, self.test_rows)[0]
        return replace(spec, views=tuple(self.views.values()))

    @cached_property
    def specs(self) -> dict[tuple[str, ...], RunSpec]:
        """Every run by purpose: (arm, name), (alone, what), (partial, input), (remedy, mark, remedy)."""
        made: dict[tuple[str, ...], RunSpec] = {("arm", arm): self.base(m) for arm, m in self.arms.items()}
        made |= {("alone", name): replace(self.base(m), views=()) for name, m in self.alone.items()}
        if self.trained_again is not None:
            base = made["arm", self.trained_again]
            made |= {
                ("partial", name): replace(base, text_transform=change, views=())
                for name, change in self.partial.items()
            }
            for mark in self.treated:
                of_mark = runs.treated(base, mark)
                made |= {("remedy", mark.name, name): spec for name, spec in of_mark.items()}
        return made

    def plan(self, records: Records) -> list[RunSpec]:
        """Every run, at once; two that are one are planned once."""
        return list({spec.digest: spec for spec in self.specs.values()}.values())

    def undecided_runs(self, records: Records) -> int:
        """None: the plan depends on no result."""
        return 0

    def texts_wanted(self) -> list[str]:
        """Every text an arm is asked for, each once: what a system elsewhere has to predict."""
        spec = self.specs["arm", self.subject]
        _, _, rows, _ = spec.scored(self.corpus, scored_ids(self.split, self.split.train, self.test_rows))
        return list(dict.fromkeys(rows.texts))

    def texts_csv(self) -> bytes:
        """Those texts as CSV in UTF-8, one column ``text``, as ``model=external`` reads it back."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([["text"], *([text] for text in self.texts_wanted())])
        return out.getvalue().encode("utf-8")

    def conclude(self, records: Records) -> Verdict:
        """Every reading with its interval, the findings as one family, and the sentence."""
        found = Answerer(self, records).answer()
        arms: Json = {}
        for arm, model in self.arms.items():
            record = records.get(self.specs["arm", arm].digest)
            shown: Json = {"title": title(model), "component": model.to_json()}
            if record is not None:
                shown |= {"score": record.scores[self.metric].to_json(), "cost": median_cost([record])}
            arms[arm] = shown
        numbers: Json = {
            "metric": self.metric,
            **surroundings(self.corpus, self.split),
            "arms": arms,
            "level": self.level,
            "subject": self.subject,
            "reader": self.trained_again,
            "tolerance": self.tolerance,
            "margin": self.margin,
            "precision": self.precision,
            "notable": self.notable,
            **found,
        }
        told = Told(self.corpus.name, self.metric, self.subject, numbers)
        return Verdict(
            study=self.name,
            kind=told.kind,
            sentence=told.sentence(),
            numbers=numbers,
            population=self._population(),
            would_change=told.would_change(),
            next_step=told.next_step(),
            flags=tuple(self._flags(records)),
            runs=tuple(sorted(records)),
        )

    def view(self, kind: str, name: str) -> str:
        """The part of an arm's record that holds a view's predictions."""
        return view_part(list(self.views).index((kind, name)))

    def _flags(self, records: Records) -> list[str]:
        seen = self.corpus.card.seen_in_pretraining
        flags = [seen] if seen else []
        groups: dict[str, list[RunSpec]] = {}
        again = {"partial": "partial inputs", "remedy": "remedies"}
        for key, spec in self.specs.items():
            who = key[1] if key[0] == "arm" else "models that read no word"
            if key[0] in again:
                who = f"{self.trained_again}, trained again ({again[key[0]]})"
            groups.setdefault(who, []).append(spec)
        for who, specs in groups.items():
            lost = sum(spec.digest not in records for spec in specs)
            if lost:
                flags.append(f"{who}: {lost} of {len(specs)} runs did not finish")
        if self.trained_again is None:
            flags.append(
                "the subject was trained elsewhere: partial inputs and remedies are not tried; add an arm to "
                "train here and name it with study.reader"
            )
        return flags

    def _population(self) -> str:
        return (
            f"Over fresh test rows like corpus {self.corpus.name} ({self.corpus.fingerprint}), given this "
            "one training set and one seed a model; not over other training sets, corpora, encoders or "
            "recipes. Which marks are legitimate it cannot know."
        )
