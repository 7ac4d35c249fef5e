"""A look from a corpus to its page on disk, its entry in the log, and its row in the W&B mirror."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.data.sealed_json import sealed, unsealed
from crossover.look.browse import Browsed, Parted, Said, browse, evidence_rows, parted
from crossover.look.finding import Finding
from crossover.look.oddness import oddness
from crossover.look.similar_pairs import OnProgress
from crossover.record import ledger
from crossover.record.look_log import LookNote, looks_of, note_look
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.finding_table import mirror_rows
from crossover.report.look_page import look_charts, look_page
from crossover.report.look_rows import Beside, ModelSaid, look_rows
from crossover.report.look_summary import summary
from crossover.report.look_tables import look_tables
from crossover.report.masked_text import masked, masked_values
from crossover.report.tables import Table
from crossover.split.split import Split

PARTS = {"train": ("train",), "validation": ("select", "calibrate"), "test": ("test",)}
"""Rows a model's predictions are shown of (``look.part``)."""

SAID_OF_DATA = ("findings", "clusters", "contrasts", "words")
"""What of a summary may quote the data, apart from the names of values."""

ODD_BY = {
    "characters": "characters",
    "urls": "links",
    "addresses": "addresses",
    "digits": "digits",
    "capitals": "capitals",
    "punctuation": "marks",
}
"""Statistics that oddness weighs beside words and characters, as the page calls them."""


@dataclass(frozen=True)
class Look:
    """What is asked of a look: ``stage`` raw or split, or a ``run`` (and another, ``against``).

    ``part``: whose predictions are shown. ``rows``: rows on the page, ``each``: of each kind at most;
    ``seed``: of the random sample. ``characters``: of a text at most. ``mask``: addresses and numbers out of
    what is shown; findings.json keeps ids.
    ``contrast``: column -> two of its values to be set against each other.
    ``by``, ``expertise``, ``found``, ``decided``: who looked, free text, and what came of it.
    ``wandb_texts``: findings go to W&B with what they quote of the data.
    ``goal``: what a score shall predict (split/goal.py); the split is held against it.

    Raises:
        BadInput: a value out of its range.
    """

    stage: str = "raw"
    run: str | None = None
    against: str | None = None
    part: str = "validation"
    rows: int = 2_000
    each: int = 100
    seed: int = 0
    characters: int = 2_000
    mask: bool = False
    contrast: Mapping[str, Sequence[str]] = field(default_factory=dict)
    by: str = ""
    expertise: str = ""
    found: str = ""
    decided: str = ""
    wandb_texts: bool = False
    goal: str | None = None

    def __post_init__(self) -> None:
        if self.stage not in ("raw", "split"):
            raise BadInput(
                f"look.stage={self.stage!r}: expected raw or split; for a model name its look.run=DIGEST"
            )
        if self.part not in PARTS:
            raise BadInput(f"look.part={self.part!r}: expected one of {sorted(PARTS)}")
        if self.against is not None and self.run is None:
            raise BadInput("look.against names a second run: name the first with look.run=DIGEST")
        for name, least in (("rows", 1), ("each", 0), ("characters", 50)):
            if getattr(self, name) < least:
                raise BadInput(f"look.{name}={getattr(self, name)}: expected {least} or more")
        for column, pair in self.contrast.items():
            if isinstance(pair, str) or len(pair) != 2:
                raise BadInput(
                    f"look.contrast.{column}={pair!r}: expected two values of it, "
                    "as in '+look.contrast={domain: [.edu, .com]}'"
                )

    @property
    def runs(self) -> list[str]:
        """The digests given, or beginnings of them."""
        return [run for run in (self.run, self.against) if run is not None]


@dataclass(frozen=True, eq=False)
class LookReport:
    """A look on disk: its ``page``, the plain values of findings.json, tables and a few rows to print."""

    page: Path
    found: Mapping[str, object]
    tables: Sequence[Table]
    examples: Sequence[tuple[str, str]]


def look_at(
    asked: Look,
    corpus: Corpus,
    split: Split | None,
    records: Sequence[RunRecord],
    store: Store,
    command: str,
    mirror: WandbMirror,
    on_step: OnProgress | None = None,
) -> LookReport:
    """Make the page of a look and note it; with ``found`` or ``decided`` where the page exists, note only.

    ``looks/<corpus>/<stage>-<digest>/`` gets page.html and findings.json, each by rename; the digest is
    that of what was asked. A look at the test part by a model's scores is noted in the ledger too.

    Raises:
        BadInput: a run of another corpus or split.
    """
    name = _name(asked, split, records)
    folder = store.root / "looks" / corpus.fingerprint / name
    if (asked.found or asked.decided) and (folder / "findings.json").is_file():
        found = unsealed(folder / "findings.json", "delete it and look again")
        _note(asked, found, name, store)
        return LookReport(folder / "page.html", found, [], [])
    models = [_said_by(record, corpus, split, asked.part) for record in records]
    if models and asked.part == "test" and split is not None:
        ledger.note_look(store.root, split.test_fingerprint, f"look-{name}", "rows by a model's scores")
    found, beside, browsed = _found(asked, corpus, split, records, models, store, command, on_step)
    browser, note = look_rows(corpus, browsed, beside, asked.characters, asked.mask)
    ids = [corpus.ids[row] for row in browsed.rows[: len(browser.rows)]]
    kinds = Counter(kind for row in browsed.rows[: len(ids)] for kind in browsed.kinds[row])
    found["shown"] = {
        "rows": len(ids),
        "drawn": kinds["random"],
        "kinds": dict(kinds),
        "note": note,
        "ids": ids,
    }
    firsts = [str(row["name"]) for row in cast(Sequence[Mapping[str, object]], found["clusters"])]
    shown = {**found, **{key: masked_values(found[key]) for key in SAID_OF_DATA}} if asked.mask else found
    charts = look_charts(shown)
    html = look_page(_with_texts(shown, corpus, firsts, asked.mask), browser, charts).html()
    files = {"findings.json": sealed(found), "page.html": html.encode("utf-8")}
    store.save_look(corpus.fingerprint, name, files)
    _note(asked, found, name, store)
    mirror_look(mirror, found, corpus.fingerprint, name, store)
    text = [facet.title for facet in browser.facets].index("text")
    examples = [(str(row[0] or "–"), str(row[text])) for row in browser.rows[:5]]
    return LookReport(folder / "page.html", shown, look_tables(shown), examples)


def mirror_look(
    mirror: WandbMirror, found: Mapping[str, object], corpus: str, name: str, store: Store
) -> None:
    """The findings as a W&B table, without what they quote of the data unless that was asked for."""
    about = cast(Mapping[str, object], found["corpus"])
    known = {*cast(Sequence[str], about["classes"]), *cast(Mapping[str, str], about["meta"])}
    listed = cast(Sequence[Mapping[str, object]], found["findings"])
    rows = mirror_rows(listed, None if found.get("wandb_texts") is True else known)
    config = {"stage": found["stage"], "corpus": corpus, "rows": about["rows"]}
    mirror.look(f"look-{corpus}-{name}", str(about["name"]), config, store.root / "wandb", rows)


def _found(
    asked: Look,
    corpus: Corpus,
    split: Split | None,
    records: Sequence[RunRecord],
    models: Sequence[ModelSaid],
    store: Store,
    command: str,
    on_step: OnProgress | None,
) -> tuple[dict[str, object], Beside, Browsed]:
    from crossover.look.family import as_family
    from crossover.look.whole_look import look_over
    from crossover.split.audit import audit

    against = {column: (pair[0], pair[1]) for column, pair in asked.contrast.items()}
    looked = look_over(corpus, against=against, on_progress=on_step)
    findings: list[Finding] = list(looked.findings)
    part_of: dict[int, str] = {}
    if split is not None:
        findings = as_family([*findings, *audit(corpus, split, goal=asked.goal)])
        part_of = {corpus.row_of[id_]: part for part, ids in split.parts.items() for id_ in ids}
    numbers = looked.statistics.numbers
    odd = oddness(corpus.texts, {title: numbers[name] for name, title in ODD_BY.items()})
    cluster_of = {corpus.row_of[id_]: name for id_, name in looked.cluster_of.items()}
    apart: Parted | None = parted(models[0].said, models[1].said) if len(models) == 2 else None
    beside = Beside(np.asarray(numbers["characters"], float), odd, cluster_of, part_of, models, apart)
    browsed = browse(
        numbers["characters"],
        odd.score,
        cluster_of,
        evidence_rows(findings, corpus.row_of),
        models[0].said if models else None,
        apart,
        asked.rows,
        asked.each,
        asked.seed,
    )
    found = {
        **summary(corpus, looked, findings, asked.mask),
        **_asked_for(asked, corpus, split, records, models, store, command),
    }
    return found, beside, browsed


def _asked_for(
    asked: Look,
    corpus: Corpus,
    split: Split | None,
    records: Sequence[RunRecord],
    models: Sequence[ModelSaid],
    store: Store,
    command: str,
) -> dict[str, object]:
    """What a look is of, its commands, and the signed looks before it."""
    found: dict[str, object] = {}
    found["stage"] = _stage(asked)
    found["masked"], found["wandb_texts"] = asked.mask, asked.wandb_texts
    found["command"], found["sign_command"] = command, _sign_command(command)
    if split is not None:
        sizes = {part: len(ids) for part, ids in split.parts.items()}
        found["split"] = {"fingerprint": split.fingerprint, "sizes": sizes}
    found["runs"] = [
        {
            "digest": record.digest,
            "model": record.spec.model.name,
            "part": asked.part,
            "rows": len(model.said.rows),
        }
        for record, model in zip(records, models, strict=True)
    ]
    found["warnings"] = (
        ["Test rows are shown by a model's scores: this is a look at the test, and is counted as one."]
        if models and asked.part == "test"
        else []
    )
    keys = ("stage", "by", "expertise", "when", "found", "decided")
    found["looks"] = [
        {key: getattr(note, key) for key in keys}
        for note in looks_of(store.root, corpus.fingerprint)
        if note.signed
    ]
    return found


def _with_texts(
    found: Mapping[str, object], corpus: Corpus, firsts: Sequence[str], mask: bool
) -> dict[str, object]:
    """What the page shows and findings.json does not hold: a text of each cluster of copies."""
    clusters = cast(Sequence[Mapping[str, object]], found["clusters"])
    texts = [corpus.texts[corpus.row_of[first]][:400] for first in firsts]
    shown = [masked(text) if mask else text for text in texts]
    return {**found, "clusters": [{**c, "text": text} for c, text in zip(clusters, shown, strict=True)]}


def _said_by(record: RunRecord, corpus: Corpus, split: Split | None, part: str) -> ModelSaid:
    if split is None or (record.spec.corpus, record.spec.split) != (corpus.fingerprint, split.fingerprint):
        raise BadInput(
            f"run {record.digest} is of corpus {record.spec.corpus} and split {record.spec.split}: "
            "two runs can be looked at together only where both are the same"
        )
    predictions = record.predictions
    kept = [k for k, name in enumerate(predictions.parts) if name in PARTS[part]]
    if not kept:
        raise BadInput(f"run {record.digest} keeps no predictions of look.part={part}")
    chosen = predictions.take(kept)
    rows = np.array([corpus.row_of[id_] for id_ in chosen.ids], np.int64)
    said = Said(rows, chosen.gold_index, chosen.probabilities)
    return ModelSaid(f"{record.spec.model.name} {record.digest[:4]}", chosen.classes, said)


def _stage(asked: Look) -> str:
    return "model" if asked.runs else asked.stage


def _name(asked: Look, split: Split | None, records: Sequence[RunRecord]) -> str:
    identity = {
        "split": split.fingerprint if split is not None else "",
        "runs": [record.digest for record in records],
        **{key: getattr(asked, key) for key in ("part", "rows", "each", "seed", "characters", "mask")},
        "contrast": {column: list(pair) for column, pair in asked.contrast.items()},
        **({} if split is None or asked.goal is None else {"goal": asked.goal}),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode("utf-8")).hexdigest()[:12]
    return f"{_stage(asked)}-{digest}"


def _note(asked: Look, found: Mapping[str, object], name: str, store: Store) -> None:
    """Note the look, unless it is the unsigned one that is noted already: a page made twice."""
    split = cast(Mapping[str, str], found.get("split", {}))
    runs = cast(Sequence[Mapping[str, str]], found["runs"])
    findings = cast(Sequence[Mapping[str, str]], found["findings"])
    corpus = str(cast(Mapping[str, object], found["corpus"])["fingerprint"])
    note = LookNote(
        stage=str(found["stage"]),
        corpus=corpus,
        split=str(split.get("fingerprint", "")),
        runs=tuple(str(run["digest"]) for run in runs),
        ids=tuple(cast(Sequence[str], cast(Mapping[str, object], found["shown"])["ids"])),
        findings=tuple(dict.fromkeys(str(finding["code"]) for finding in findings)),
        page=name,
        by=asked.by,
        expertise=asked.expertise,
        found=asked.found,
        decided=asked.decided,
    )
    if any(vars(old) == {**vars(note), "when": old.when} for old in looks_of(store.root, corpus)):
        return
    note_look(store.root, note)


def _sign_command(command: str) -> str:
    if not command:
        return ""
    signed = ("look.by=", "look.expertise=", "look.found=", "look.decided=")
    words = [word for word in shlex.split(command) if not word.startswith(signed)]
    given = ('look.by="Ann, fraud analyst"', 'look.found="what you found"', 'look.decided="what you decided"')
    return f"{shlex.join(words)} " + " ".join(f"'{word}'" for word in given)
