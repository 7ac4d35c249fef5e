"""Which runs the artefact study asks for: models on part of the input, and on texts with a mark taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.telling_marks import TellingMark, telling_marks
from crossover.protocol.component import Component, component
from crossover.protocol.mark import PATTERN, carries, check_marks, matchers
from crossover.protocol.run_spec import RunSpec
from crossover.protocol.text_change import ONLY, UNMOVED
from crossover.protocol.transform import Transform
from crossover.split.split import Split

MODEL = "crossover.model.logistic_regression.LogisticRegression"
FEATURES = "crossover.model.features."
META_KINDS = ("category", "number", "time")
"""Kinds of meta columns that are read; a group names its rows, and votes are labels."""
FEW_COLUMNS, MANY_COLUMNS = 1.0, 0.03
"""C of the readers: of a few standardised columns; and of meta columns, with a column a category."""
LENGTH = ["log_characters", "log_tokens"]
REMEDIES = ("mask", "augment", "balance")
SCANNED = 20_000
"""Training rows looked through for marks; of more, so many are drawn."""
ALL_FOUND = "all found"
"""Name of the marks found in the training rows, taken together."""


@dataclass(frozen=True)
class Named:
    """A mark under a name: the literals and patterns it consists of, and how it was found, if it was."""

    name: str
    members: tuple[str, ...]
    found: TellingMark | None = None

    @property
    def strip(self) -> Transform:
        """The transform that takes it out of a text."""
        return Transform("strip", words=self.members)


def declared_marks(marks: Mapping[str, object]) -> list[Named]:
    """The marks a user named: name -> a literal, ``pattern:...``, or a list of those.

    Raises:
        BadInput: a mark that is empty or whose pattern is not taken.
    """
    made = []
    for name, given in sorted(marks.items()):
        members = given if isinstance(given, list | tuple) else [given]
        if not members or not all(isinstance(member, str) for member in members):
            raise BadInput(
                f"study.marks.{name}={given!r}: expected a text, or a list of texts: the literal that marks "
                "a text, or pattern:EXPRESSION"
            )
        made.append(Named(str(name), tuple(str(member) for member in members)))
        check_marks(made[-1].members, f"study.marks.{name}")
        if name == ALL_FOUND:
            raise BadInput(f"study.marks: {ALL_FOUND!r} is the name of the marks found; take another")
    return made


def found_marks(
    corpus: Corpus, split: Split, precision: float, most: int, taken: Sequence[str] = ()
) -> list[Named]:
    """Telling marks of the training rows, each named by the first 40 characters of its longest member.

    A name that is ``taken``, or another mark's, gets a number.
    """
    ids = split.train
    if len(ids) > SCANNED:
        chosen = np.random.default_rng(0).permutation(len(ids))[:SCANNED]
        ids = tuple(sorted(ids)[k] for k in sorted(chosen))
    rows = corpus.rows(ids)
    gold = np.array([corpus.classes.index(label) for label in rows.labels], dtype=np.int64)
    clusters = [split.groups.get(id_, ("row", id_)) for id_ in ids]
    marks = telling_marks(rows.texts, gold, precision, most, clusters)
    made: list[Named] = []
    for mark in marks:
        # What a text says is a literal, even where it looks like a pattern.
        members = tuple(member for member in mark.members if not member.startswith(PATTERN))
        if not members:
            continue
        name = shown = " ".join(members[0].split())[:40]
        copy = 2
        while name in {ALL_FOUND, *taken, *(one.name for one in made)}:
            name, copy = f"{shown} ({copy})", copy + 1
        made.append(Named(name, members, mark))
    return made


def told(corpus: Corpus, split: Split, marks: Sequence[Named]) -> list[Named]:
    """Named marks with the class that most of their training carriers are of, where any carries them."""
    rows = corpus.rows(split.train)
    gold = np.array([corpus.classes.index(label) for label in rows.labels], dtype=np.int64)
    sizes = np.bincount(gold, minlength=len(corpus.classes))
    made = []
    for mark in marks:
        compiled = matchers(mark.members)
        carrying = np.array([carries(text, compiled) for text in rows.texts], dtype=bool)
        counts = np.bincount(gold[carrying], minlength=len(corpus.classes))
        count, top = int(carrying.sum()), int(np.argmax(counts))
        if count:
            share, excess = counts[top] / count, counts[top] - count * sizes[top] / len(gold)
            recall = float(counts[top] / sizes[top])
            seen = TellingMark("named", mark.members, top, count, float(share), recall, float(excess))
            mark = replace(mark, found=seen)
        made.append(mark)
    return made


def together(found: Sequence[Named]) -> list[Named]:
    """All the found marks as one, where there are several."""
    members = tuple(sorted({member for mark in found for member in mark.members}))
    return [Named(ALL_FOUND, members)] if len(found) > 1 else []


def unmoved(typos: float) -> dict[str, Transform]:
    """Changes that a prediction should not follow, by name."""
    return {kind: Transform(kind, typos if kind == "typos" else 0.0) for kind in UNMOVED}


def partial_inputs(words: int) -> dict[str, Transform]:
    """Texts of which a part is left, by name."""
    only = {f"{kind.replace('_', ' ')} only": Transform("only", words=(kind,)) for kind in ONLY}
    first = f"first {words} words" if words > 1 else "first word"
    return {first: Transform("first_k", words), "words shuffled": Transform("shuffle_words"), **only}


def alone(corpus: Corpus, columns: Mapping[str, Sequence[str]] | None) -> dict[str, Component]:
    """Models that read no word: length, formatting, and the declared meta columns where there are any.

    Raises:
        BadInput: a column that is not declared, or is of another kind.
    """
    surface = FEATURES + "surface.Surface"
    made = {
        "length": _reader({"length": {"_target_": surface, "columns": LENGTH}}, FEW_COLUMNS),
        "formatting": _reader({"formatting": {"_target_": surface}}, FEW_COLUMNS),
    }
    read = meta_columns(corpus, columns)
    if any(read.values()):
        block = {"_target_": FEATURES + "declared_meta.DeclaredMeta", **{k: v for k, v in read.items() if v}}
        # One that fits the noise of many categories is oversure, and hides what a column knows.
        made["meta"] = _reader({"meta": block}, MANY_COLUMNS)
    return made


def meta_columns(corpus: Corpus, columns: Mapping[str, Sequence[str]] | None) -> dict[str, list[str]]:
    """Columns read by kind; None takes all that are declared as one of these kinds.

    Raises:
        BadInput: a column that is not declared, or is of another kind.
    """
    if columns is None:
        return {kind: sorted(n for n, k in corpus.meta.items() if k == kind) for kind in META_KINDS}
    for kind, names in columns.items():
        wrong = [name for name in names if kind not in META_KINDS or corpus.meta.get(name) != kind]
        if wrong or kind not in META_KINDS:
            raise BadInput(
                f"study.columns.{kind}={list(names)}: expected columns of {corpus.name} under one of "
                f"{META_KINDS}; it declares {dict(corpus.meta)}"
            )
    return {kind: sorted(columns.get(kind, ())) for kind in META_KINDS}


def _reader(features: Mapping[str, object], strength: float) -> Component:
    return component(MODEL, {"features": dict(features), "C": strength})


def treated(base: RunSpec, mark: Named) -> dict[str, RunSpec]:
    """The base model under each remedy; augmented and balanced ones also read the stripped test texts."""
    return {
        "mask": replace(base, text_transform=mark.strip, views=()),
        "augment": replace(base, row_transform=Transform("augment", words=mark.members), views=(mark.strip,)),
        "balance": replace(base, row_transform=Transform("balance", words=mark.members), views=(mark.strip,)),
    }
