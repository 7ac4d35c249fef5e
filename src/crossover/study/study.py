"""Study and Verdict: a question asked with many runs, and its answer in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from crossover.data.corpus import Corpus
from crossover.launch.launcher import Launcher, Outcome
from crossover.protocol.run_spec import RunSpec, digest_of
from crossover.record import ledger
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.split.split import Split
from crossover.study.plan import save_plan


@dataclass(frozen=True)
class Verdict:
    """One sentence, the numbers behind it, what would change it, and the next step.

    ``kind`` is a short word for programs (``crossing``, ``not_resolved``). ``numbers`` holds
    plain JSON values, what figures are drawn from. ``flags`` must be shown wherever the
    sentence is. ``runs`` are the digests it rests on.
    """

    study: str
    kind: str
    sentence: str
    numbers: Mapping[str, object]
    population: str
    would_change: tuple[str, ...]
    next_step: str
    flags: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain JSON values for verdict.json."""
        return asdict(self)


class Study(Protocol):
    """A study is constructed with its Corpus and Splits, and finds its runs by digest.

    ``split`` is the one its verdict speaks of; a study that cuts the corpus anew (folds, re-splits)
    lists those in an attribute ``more_splits``, and :func:`run` keeps them in the store; a corpus that it
    makes of its own (the same rows under other labels) likewise, in ``more_corpora``. A study whose
    constructor takes ``resplit`` is given a function seed -> Split, the config's split under that seed.
    ``reads_test = False`` on the class says that its runs score no row of the test part: no look is noted.
    """

    name: str
    corpus: Corpus
    split: Split

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan; their digest names the study."""
        ...

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """Every run wanted, given those finished; asked again until it adds nothing."""
        ...

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """How many runs a later batch will add that the records do not decide yet."""
        ...

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """The answer; pure, and possible with some runs failed."""
        ...


@dataclass(frozen=True)
class Result:
    """A study's end: the verdict, what ran and what failed, and where it lies in the store."""

    verdict: Verdict
    records: Mapping[str, RunRecord]
    failures: tuple[Outcome, ...] = field(default=())
    name: str = ""


def surroundings(corpus: Corpus, split: Split) -> dict[str, object]:
    """Corpus, card and split as plain values, as every verdict shows them."""
    return {
        "corpus": {
            "name": corpus.name,
            "fingerprint": corpus.fingerprint,
            "rows": len(corpus),
            "classes": list(corpus.classes),
            "card": corpus.card.to_json(),
        },
        "split": {
            "fingerprint": split.fingerprint,
            "recipe": dict(split.recipe),
            "sizes": {part: len(ids) for part, ids in split.parts.items()},
        },
    }


def study_name(study: Study) -> str:
    """``<name>-<digest>`` of the study's settings: the same question, the same folder."""
    return f"{study.name}-{digest_of(study.settings())}"


def finished(specs: Sequence[RunSpec], store: Store) -> dict[str, RunRecord]:
    """Records of these specs that the store holds."""
    return {spec.digest: store.run(spec.digest) for spec in specs if store.has_run(spec.digest)}


def run(
    study: Study,
    launcher: Launcher,
    store: Store,
    on_batch: Callable[[int, int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
    command: str = "",
) -> Result:
    """Plan, run what is missing, plan again until nothing is added, conclude, note the look.

    A run that failed is not tried twice in one call. ``on_batch`` is told (new, kept) before
    each batch. The plan is kept in the study's folder before each batch too, with the ``command``
    that goes on with it: what a killed study still needs can be read from the store.
    """
    failures: dict[str, Outcome] = {}
    records: dict[str, RunRecord] = {}
    for corpus in getattr(study, "more_corpora", ()):
        store.save_corpus(corpus)
    for split in getattr(study, "more_splits", ()):
        store.save_split(split)
    while True:
        specs = study.plan(records)
        found = finished([s for s in specs if s.digest not in records], store)
        records.update(found)
        missing = [s for s in specs if s.digest not in records and s.digest not in failures]
        save_plan(store, study_name(study), specs, study.undecided_runs(records), command)
        if on_batch is not None:
            on_batch(len(missing), sum(s.digest in records for s in specs))
        if not missing and found:
            continue  # a finished first stage: the plan goes on from what it found
        if not missing:
            break
        for outcome in launcher.launch(missing, store):
            if outcome.record is None:
                failures[outcome.spec.digest] = outcome
            else:
                records[outcome.spec.digest] = outcome.record
            if on_outcome is not None:
                on_outcome(outcome)
    wanted = {spec.digest: records[spec.digest] for spec in specs if spec.digest in records}
    verdict = study.conclude(wanted)
    name = study_name(study)
    # where every run failed, or the study says that its runs score other rows, no test score was seen
    if wanted and getattr(study, "reads_test", True):
        ledger.note_look(store.root, study.split.test_fingerprint, name, verdict.sentence)
    return Result(verdict, wanted, tuple(failures.values()), name)
