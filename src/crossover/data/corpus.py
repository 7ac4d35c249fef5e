"""Corpus: labelled text with stable ids, and the Card that says where it came from."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

import pyarrow as pa

from crossover.data.bad_input import BadInput
from crossover.data.truth import Truth

META_KINDS = ("category", "number", "time", "group", "votes", "inclusion")
"""What a declared meta column may hold; ``group`` columns are kept on one side of a grouped split,
``inclusion`` is the probability with which a row was drawn (sample/): no split tests on unequal ones."""

_NAME = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Card:
    """Where a corpus comes from and whom it speaks of; a run refuses a corpus without one.

    ``seen_in_pretraining`` is not empty where an encoder is known to have met such text in
    training: results are then a demonstration, never evidence that pretraining pays.
    """

    source: str
    sampling: str
    licence: str
    dates: str
    population: str
    seen_in_pretraining: str = ""
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        empty = [
            name
            for name in ("source", "sampling", "licence", "dates", "population")
            if not str(getattr(self, name)).strip()
        ]
        if empty:
            raise BadInput(
                f"the data card leaves {', '.join(empty)} empty; say each in a few words "
                f"(data.card.{empty[0]}='...'), 'unknown' where you do not know"
            )

    def to_json(self) -> dict[str, object]:
        """The card as plain JSON values."""
        return {**asdict(self), "notes": list(self.notes), "versions": dict(self.versions)}

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> Card:
        """A card from the values of :meth:`to_json`."""
        fields = dict(plain)
        fields["notes"] = tuple(cast(Sequence[str], fields.get("notes", ())))
        return cls(**fields)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Rows:
    """Texts and labels as a classifier takes them, with the meta columns of the same rows."""

    texts: list[str]
    labels: list[str]
    meta: Mapping[str, list[object]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, index: Iterable[int]) -> Rows:
        """The rows at these positions."""
        where = [int(k) for k in index]
        return Rows(
            [self.texts[k] for k in where],
            [self.labels[k] for k in where],
            {name: [values[k] for k in where] for name, values in self.meta.items()},
        )


@dataclass(frozen=True, eq=False)
class Corpus:
    """An Arrow table of ``id``, ``text``, ``label`` (may be missing) and declared meta columns.

    ``meta`` maps each meta column to one of :data:`META_KINDS`. Strings stay as written: a text
    "NA" is a text and an id 007 keeps its zeros. ``truth`` says what was planted, where something
    was; it is no part of the fingerprint, and no model or selection of rows carries it. Build one
    with :meth:`from_columns`.
    """

    name: str
    table: pa.Table
    card: Card
    meta: Mapping[str, str] = field(default_factory=dict)
    truth: Truth | None = None

    @classmethod
    def from_columns(
        cls,
        name: str,
        texts: Sequence[str],
        labels: Sequence[str | None],
        card: Card,
        ids: Sequence[str] | None = None,
        meta: Mapping[str, tuple[str, Sequence[object]]] | None = None,
        where: str = "",
    ) -> Corpus:
        """Check columns of equal length and make a corpus of them.

        Args:
            name: lower-case name, ``[a-z0-9_-]``.
            ids: unique strings; without them each row is named by :func:`content_ids`.
            meta: column name -> (kind, values); times as ISO 8601 strings in UTC.
            where: the file or source named in errors.

        Raises:
            BadInput: two rows share an id, a text or label is not a string, a text cannot be
                written as UTF-8, or a column has another length.
        """
        where = where or name
        if not _NAME.fullmatch(name):
            raise BadInput(f"corpus name {name!r}: use 1 to 64 of a-z, 0-9, _ and - (data.name=...)")
        for row, text in enumerate(texts):
            _check_text(text, where, row)
        if ids is None:
            ids = content_ids(texts)
        _check_unique(ids, where)
        columns: dict[str, pa.Array] = {
            "id": pa.array(ids, pa.string()),
            "text": pa.array(texts, pa.large_string()),
            "label": pa.array(labels, pa.string()),
        }
        kinds: dict[str, str] = {}
        for column, (kind, values) in (meta or {}).items():
            if kind not in META_KINDS:
                raise BadInput(
                    f"{where}: meta column {column!r} is declared as {kind!r}; expected one of {META_KINDS}"
                )
            if column in columns:
                raise BadInput(f"{where}: meta column {column!r} has the name of a column of every corpus")
            kinds[column] = kind
            columns[column] = pa.array(
                values, pa.float64() if kind in ("number", "inclusion") else pa.string()
            )
        lengths = {column: len(values) for column, values in columns.items()}
        if len(set(lengths.values())) != 1:
            raise BadInput(f"{where}: columns of unequal length {lengths}")
        return cls(name, pa.table(columns), card, kinds)

    def __len__(self) -> int:
        return cast(int, self.table.num_rows)

    @cached_property
    def ids(self) -> list[str]:
        """Row ids in file order."""
        return cast(list[str], self.table["id"].to_pylist())

    @cached_property
    def texts(self) -> list[str]:
        """Texts in file order."""
        return cast(list[str], self.table["text"].to_pylist())

    @cached_property
    def labels(self) -> list[str | None]:
        """Labels in file order, None where missing."""
        return cast(list[str | None], self.table["label"].to_pylist())

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted: the column order of every probability table."""
        return tuple(sorted({label for label in self.labels if label is not None}))

    def meta_values(self, column: str) -> list[object]:
        """The values of one declared meta column, in file order."""
        if column not in self.meta:
            raise BadInput(f"{self.name} declares no meta column {column!r}; it has {sorted(self.meta)}")
        return cast(list[object], self.table[column].to_pylist())

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row number of each id."""
        return {id_: row for row, id_ in enumerate(self.ids)}

    def select(self, ids: Iterable[str]) -> Corpus:
        """The rows with these ids, in the order given."""
        try:
            rows = [self.row_of[id_] for id_ in ids]
        except KeyError as missing:
            raise BadInput(f"{self.name} has no row with id {missing.args[0]!r}") from None
        return Corpus(self.name, self.table.take(pa.array(rows, pa.int64())), self.card, self.meta)

    def rows(self, ids: Iterable[str]) -> Rows:
        """Texts, labels and meta of these ids, in the order given.

        Raises:
            BadInput: an id is unknown or its label is missing.
        """
        part = self.select(ids)
        for id_, label in zip(part.ids, part.labels, strict=True):
            if label is None:
                raise BadInput(
                    f"{self.name}: row {id_!r} has no label and cannot be trained on or scored; "
                    "drop unlabelled rows (data.missing_label=drop) or label it"
                )
        return Rows(
            part.texts,
            cast(list[str], part.labels),
            {column: part.meta_values(column) for column in self.meta},
        )

    @cached_property
    def fingerprint(self) -> str:
        """16 hex of SHA-256 over the rows sorted by id: id, text, label, declared meta.

        Row order, name and card do not change it.
        """
        digest = hashlib.sha256()
        columns = ["id", "text", "label", *sorted(self.meta)]
        digest.update(json.dumps([columns, [self.meta.get(c, "") for c in columns]]).encode())
        order = sorted(range(len(self)), key=self.ids.__getitem__)
        lists = [self.table[column].to_pylist() for column in columns]
        for row in order:
            line = json.dumps([values[row] for values in lists], ensure_ascii=False)
            digest.update(line.encode("utf-8"))
            digest.update(b"\n")
        return digest.hexdigest()[:16]


class Source(Protocol):
    """A data source, one a file: everything it needs is in its constructor."""

    def load(self) -> Corpus:
        """Read, check and return the corpus; raises BadInput with file and row."""
        ...


def content_ids(texts: Sequence[str]) -> list[str]:
    """16 hex of SHA-256(text) a row, plus ``-k`` for the k-th copy (k from 2)."""
    seen: Counter[str] = Counter()
    ids = []
    for text in texts:
        name = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, 64 hex, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _check_text(text: object, where: str, row: int) -> None:
    if not isinstance(text, str):
        raise BadInput(
            f"{where}, row {row + 1}: the text is {text!r}, expected a string; drop or fill the row"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(
            f"{where}, row {row + 1}: the text holds a lone surrogate at character {error.start}, "
            "which no UTF-8 file can hold; re-export the file as UTF-8"
        ) from None


def _check_unique(ids: Sequence[str], where: str) -> None:
    first: dict[str, int] = {}
    for row, id_ in enumerate(ids):
        if not isinstance(id_, str) or not id_:
            raise BadInput(f"{where}, row {row + 1}: id {id_!r} is not a non-empty string")
        if id_ in first:
            raise BadInput(
                f"{where}: rows {first[id_] + 1} and {row + 1} share the id {id_!r}; ids must be "
                "unique (name another column with data.id=..., or leave it out)"
            )
        first[id_] = row
