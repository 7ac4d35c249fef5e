"""A table file of the user's own: csv, tsv, jsonl or parquet, column names and meaning declared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import cast

from crossover.data import column_values
from crossover.data.bad_input import BadInput
from crossover.data.corpus import META_KINDS, Card, Corpus
from crossover.data.facts import check_facts, check_names, check_sha256
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.planting import planted
from crossover.data.reading import Reading
from crossover.data.table_rows import RawTable, read_table, stack

MISSING_LABEL = ("keep", "drop", "refuse")
_CARD = tuple(entry.name for entry in fields(Card))


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean; the settings of the same names of :class:`TableFile`."""

    text: Sequence[str]
    label: str
    id: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    labels: Mapping[object, object] | None = None
    missing_label: str = "keep"

    def __post_init__(self) -> None:
        if not self.text:
            raise BadInput("no text column is named; give data.text=NAME or data.text=[SUBJECT,BODY]")
        if self.missing_label not in MISSING_LABEL:
            raise BadInput(f"missing_label={self.missing_label!r}: expected one of {MISSING_LABEL}")
        for column, kind in self.meta.items():
            if kind not in META_KINDS:
                raise BadInput(
                    f"meta column {column!r} is declared as {kind!r}; expected one of {META_KINDS} "
                    f"(data.meta.{column}=...)"
                )

    @property
    def names(self) -> set[str]:
        """All columns that are read."""
        return {*self.text, self.label, *self.meta} | ({self.id} if self.id else set())

    def corpus(self, table: RawTable, name: str, card: Card) -> Corpus:
        """Check every value of a table and make a corpus of it.

        Raises:
            BadInput: a column is missing or a value is bad, with file, row and line.
        """
        locate = table.locate
        texts = column_values.text_values(
            [table.column(column, "Name it with data.text=...") for column in self.text], self.text, locate
        )
        labels = column_values.label_values(
            table.column(self.label, "Name it with data.label=..."),
            locate,
            self.labels,
            table.class_names.get(self.label),
        )
        ids = self.id and column_values.id_values(
            table.column(self.id, "Name it with data.id=..."), self.id, locate
        )
        meta = {column: (kind, self._meta(table, column, kind)) for column, kind in self.meta.items()}
        unlabelled = [row for row, label in enumerate(labels) if label is None]
        if unlabelled and self.missing_label == "refuse":
            raise BadInput(
                f"{locate(unlabelled[0])} has no label ({len(unlabelled):,} rows of {table.count:,} have "
                "none); label it, or data.missing_label=drop or keep"
            )
        corpus = Corpus.from_columns(name, texts, labels, card, ids or None, meta, table.where)
        if len(unlabelled) == len(labels):
            raise BadInput(f"{table.where}: no row has a label in column {self.label!r}; name another column")
        if not unlabelled or self.missing_label != "drop":
            return corpus
        labelled = [id_ for id_, label in zip(corpus.ids, corpus.labels, strict=True) if label is not None]
        note = f"{len(unlabelled):,} of {table.count:,} rows had no label and were dropped"
        return replace(corpus.select(labelled), card=replace(card, notes=(*card.notes, note)))

    def _meta(self, table: RawTable, column: str, kind: str) -> list[object]:
        values = table.column(column, f"Leave it out with data.meta.{column}=null")
        if kind == "number":
            return column_values.number_values(values, column, table.locate)
        if kind == "inclusion":
            return column_values.inclusion_values(values, column, table.locate)
        if kind == "time":
            return column_values.time_values(values, column, table.locate, self.timezone)
        if kind == "votes":
            return column_values.vote_values(values, column, table.locate)
        return column_values.category_values(values, column, table.locate)


@dataclass(frozen=True)
class TableFile:
    """One file, or several of the same columns, read as written: a text "NA" stays "NA".

    Args:
        path: a file, a list of files, or a mapping name -> file; with a mapping each row's name
            goes into the category column ``part``.
        text: the text column, or several that are joined by a newline.
        label: the label column; strings, whole numbers or booleans of one type.
        id: a column of unique ids; None names each row by a hash of its text.
        format: csv, tsv, jsonl or parquet; None goes by the suffix (``.gz`` may follow).
        encoding, errors: how bytes become text; errors is strict, replace or ignore.
        delimiter, quoted: of csv and tsv; ``quoted`` False for files in which quotes are text.
        meta: column -> category, number, time, group, votes or inclusion (null: not read).
        timezone: of times without a zone, an IANA name; None refuses them.
        labels: raw label -> label (or null: missing); then any other label is refused.
        missing_label: ``keep`` rows without a label, ``drop`` them (counted in the card) or ``refuse``.
        rename: column of the file -> name used here, where the file has it.
        max_bytes: what a gzipped file may unpack to.
        take: a uniform sample of so many rows, drawn while reading (seeded by ``take_seed``) and told in the
            card; of a jsonl or parquet file no more than these is held. None reads all.
        card: the fields of a :class:`~crossover.data.corpus.Card`; what it leaves out is "unknown".
        expect: facts to check: ``rows``, ``labels`` (label -> count), ``sha256`` of a single file.
        name: of the corpus; None makes one of the file's.
        flaw: name -> flaw planted after the checks, see docs/flaws.md.
    """

    path: str | list[str] | dict[str, str]
    text: str | list[str] = "text"
    label: str = "label"
    id: str | None = None
    format: str | None = None
    encoding: str = "utf-8"
    errors: str = "strict"
    delimiter: str | None = None
    quoted: bool = True
    meta: dict[str, str | None] | None = None
    timezone: str | None = None
    labels: dict[str, str | None] | None = None
    missing_label: str = "keep"
    rename: dict[str, str] | None = None
    part: str = "part"
    max_bytes: int = 1 << 30
    take: int | None = None
    take_seed: int = 0
    card: dict[str, object] | None = None
    expect: dict[str, object] | None = None
    name: str | None = None
    flaw: dict[str, Flaw] | None = None

    def load(self) -> Corpus:
        """Read, check and return the corpus.

        Raises:
            BadInput: a file, column, row, label or fact is not as declared, naming which.
        """
        reading = Reading(
            self.format, self.encoding, self.errors, self.delimiter, self.quoted, self.max_bytes,
            self.take, self.take_seed,
        )  # fmt: skip
        if self.take is not None and not isinstance(self.path, str):
            raise BadInput("data.take samples a single file, but data.path names several")
        meta = declared_meta(self.meta)
        if isinstance(self.path, Mapping):
            meta.setdefault(self.part, "category")
        columns = Columns(
            text_columns(self.text), self.label, self.id, meta, self.timezone,
            cast(Mapping[object, object] | None, self.labels), self.missing_label,
        )  # fmt: skip
        expect = dict(self.expect or {})
        check_names(expect, ("rows", "labels", "sha256"), "this data set")
        if "sha256" in expect and isinstance(self.path, str):
            check_sha256(self.path, str(expect["sha256"]))
        elif "sha256" in expect:
            raise BadInput("data.expect.sha256 is of a single file, but data.path names several")
        table = read_files(self.path, columns.names, reading, self.rename or {}, self.part)
        name = self.name or _name_of(self.path)
        card = card_of(self.card, table.where)
        if table.rows is not None:
            note = f"{table.count:,} of {table.found:,} rows, a uniform sample (seed {self.take_seed})"
            card = replace(card, notes=(*card.notes, note))
        corpus = columns.corpus(table, name, card)
        check_facts(corpus, expect, table.where)
        return planted(corpus, self.flaw)


def read_files(
    path: str | list[str] | dict[str, str],
    keep: set[str],
    reading: Reading,
    rename: Mapping[str, str],
    part: str,
) -> RawTable:
    """The files of ``path`` below each other, columns renamed; a mapping's names go to column ``part``.

    Raises:
        BadInput: no file is named, or one of them cannot be read.
    """
    named: list[tuple[str | None, str]]
    if isinstance(path, str):
        named = [(None, path)]
    elif isinstance(path, Mapping):
        named = [(str(key), str(value)) for key, value in path.items()]
    else:
        named = [(None, str(value)) for value in path]
    if not named:
        raise BadInput("no file is named; give data.path=FILE, [FILE, ...] or {NAME: FILE, ...}")
    files = [value for _, value in named]
    if len(set(files)) < len(files):
        raise BadInput(f"data.path names the same file twice: {sorted(files)}")
    tables = []
    for key, value in named:
        table = read_table(value, keep | set(rename), reading).renamed(rename)
        tables.append(table if key is None else table.with_part(part, key))
    return stack(tables)


def text_columns(text: str | Sequence[str]) -> list[str]:
    """One text column or several, as a list."""
    return [text] if isinstance(text, str) else list(text)


def declared_meta(meta: Mapping[str, str | None] | None) -> dict[str, str]:
    """Column -> kind without the columns declared null, which are not read."""
    return {column: kind for column, kind in (meta or {}).items() if kind is not None}


def card_of(declared: Mapping[str, object] | None, where: str) -> Card:
    """The declared card; what it leaves out is "unknown", the source the file's name.

    Raises:
        BadInput: a field that no card has, or one declared empty.
    """
    values: dict[str, object] = {
        "source": Path(where).name,
        **dict.fromkeys(_CARD[1:5], "unknown"),
        **(declared or {}),
    }
    unknown = sorted(set(values) - set(_CARD))
    if unknown:
        raise BadInput(
            f"the data card has no field {unknown[0]!r}; its fields: {_CARD} (data.card.{_CARD[0]}=...)"
        )
    return Card.from_json(values)


def _name_of(path: str | list[str] | dict[str, str]) -> str:
    first = (
        path if isinstance(path, str) else str(next(iter(path.values() if isinstance(path, dict) else path)))
    )
    stem = Path(first).name.lower().split(".")[0]
    return re.sub(r"[^a-z0-9_-]+", "_", stem).strip("_")[:64] or "table"
