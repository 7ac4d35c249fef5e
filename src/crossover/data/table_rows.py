"""Rows of a table file as written: csv, tsv, jsonl or parquet, each also gzipped.

Nothing is guessed: a csv cell is a string, a JSON or parquet value keeps its type.
"""

from __future__ import annotations

import difflib
import io
import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from crossover.data.bad_input import BadInput
from crossover.data.delimited import parse_delimited
from crossover.data.reading import Reading, check_file_room, lines_of, opened, text_of
from crossover.data.reservoir import Reservoir

FORMATS = ("csv", "tsv", "jsonl", "parquet")
PARQUET_BATCH = 16_384
"""Rows of a parquet file held at once where a sample is taken."""
_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True)
class RawTable:
    """Columns as written, of equal length, and where each row came from.

    ``names`` are all columns of the file, ``columns`` those that were asked for.
    ``class_names`` gives the names behind integer codes, where the file carries them. ``rows`` says which
    rows of the file these are (from 0), where it is a sample of ``found``.
    """

    names: tuple[str, ...]
    columns: Mapping[str, list[object]]
    count: int
    where: str
    lines: Sequence[int] | None = None
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stacked: tuple[RawTable, ...] = ()
    rows: Sequence[int] | None = None
    found: int = 0

    def locate(self, row: int) -> str:
        """File, row (from 1) and line of a row, for errors."""
        for table in self.stacked:
            if row < table.count:
                return table.locate(row)
            row -= table.count
        line = f" (line {self.lines[row]})" if self.lines is not None else ""
        return f"{self.where}, row {(row if self.rows is None else self.rows[row]) + 1}{line}"

    def column(self, name: str, remedy: str) -> list[object]:
        """The values of a column; ``remedy`` says what to do where it is missing.

        Raises:
            BadInput: no such column, listing those found and the nearest.
        """
        for table in self.stacked or (self,):
            if name not in table.columns:
                near = difflib.get_close_matches(name, table.names, 1, 0.5)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise BadInput(
                    f"{table.where} has no column {name!r}; found {list(table.names)}. {hint}{remedy}"
                )
        if not self.stacked:
            return self.columns[name]
        return [value for table in self.stacked for value in table.columns[name]]

    def renamed(self, names: Mapping[str, str]) -> RawTable:
        """Columns under other names, each where it is there, in place of one that has the name."""
        names = {old: new for old, new in names.items() if old in self.columns}
        gone = set(names) | set(names.values())
        kept = {name: values for name, values in self.columns.items() if name not in gone}
        codes = {name: value for name, value in self.class_names.items() if name not in gone}
        return replace(
            self,
            names=tuple(n for n in self.names if n not in gone) + tuple(names.values()),
            columns=kept | {new: self.columns[old] for old, new in names.items()},
            class_names=codes
            | {new: self.class_names[old] for old, new in names.items() if old in self.class_names},
        )

    def with_part(self, column: str, value: str) -> RawTable:
        """The same rows with a constant column that says which part they are.

        Raises:
            BadInput: the file has a column of that name.
        """
        if column in self.names:
            raise BadInput(
                f"{self.where} has a column {column!r} of its own, and the names of the files would go "
                "there too; give another name with data.part=..., or list the files without names"
            )
        return replace(
            self, names=(*self.names, column), columns={**self.columns, column: [value] * self.count}
        )


def stack(tables: Sequence[RawTable]) -> RawTable:
    """Tables below each other, in the order given; columns are checked when asked for."""
    if len(tables) == 1:
        return tables[0]
    names = tuple(dict.fromkeys(name for table in tables for name in table.names))
    codes = {name: value for table in tables for name, value in table.class_names.items()}
    for table in tables:
        for name, value in codes.items():
            if name in table.columns and tuple(table.class_names.get(name, ())) != tuple(value):
                raise BadInput(
                    f"{table.where}: column {name!r} has other class names than {tables[0].where}; "
                    "give files of one dataset and version"
                )
    where = ", ".join(table.where for table in tables)
    return RawTable(names, {}, sum(t.count for t in tables), where, class_names=codes, stacked=tuple(tables))


def read_table(path: str, keep: Collection[str], how: Reading) -> RawTable:
    """Read the columns ``keep`` (those of them that are there) of one file.

    Raises:
        BadInput: no such file, an unknown format, bytes that do not decode (with line and byte
            offset), a malformed row (with its line), no rows, or more than ``max_bytes`` unpacked.
    """
    file = Path(path).expanduser()
    _check_file(file, path)
    form = _format(file, how)
    sampled = form == "jsonl" and how.take is not None
    if form != "parquet" and not sampled:
        check_file_room(file.stat().st_size, path)
    if form == "parquet":
        table = _parquet(file, keep, path, how)
    elif form == "jsonl":
        table = _jsonl(lines_of(file, path, how), keep, path, how)
    else:
        table = _delimited(text_of(file, path, how), form, keep, path, how)
    if not table.count:
        raise BadInput(f"{path} holds no rows, only the column names {list(table.names)}")
    return table


def from_arrow(table: pa.Table, keep: Collection[str], where: str, names: Sequence[str] = ()) -> RawTable:
    """Columns of an Arrow table; ``datasets``' class names are taken from the schema.

    ``names`` are all columns of the file, where ``table`` holds some of them.

    Raises:
        BadInput: a column twice, or a string that is no UTF-8.
    """
    names = list(names or table.column_names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"{where}: two columns are named {twice[0]!r}; rename one")
    columns: dict[str, list[object]] = {}
    for name in names:
        if name in keep:
            values = table[name]
            if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
                values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
            try:
                columns[name] = values.to_pylist()
            except UnicodeDecodeError as error:
                raise BadInput(f"{where}, column {name!r}: a string is not valid UTF-8 ({error})") from None
    return RawTable(tuple(names), columns, table.num_rows, where, class_names=_class_names(table.schema))


def _check_file(file: Path, path: str) -> None:
    if file.is_dir():
        inside = sorted(p.name for p in file.iterdir() if p.is_file())
        raise BadInput(f"{path} is a folder; name a file in it, one of {inside[:20]}")
    if not file.is_file():
        near: list[str] = []
        if file.parent.is_dir():
            near = difflib.get_close_matches(file.name, sorted(p.name for p in file.parent.iterdir()), 1)
        hint = f"; did you mean {str(file.parent / near[0])!r}?" if near else ""
        raise BadInput(f"no file {path!r} (looked in {file.parent.resolve()}){hint}; give data.path=...")


def _unpacked_size(file: pq.ParquetFile) -> int:
    groups = (file.metadata.row_group(k) for k in range(file.metadata.num_row_groups))
    return sum(group.total_byte_size for group in groups)


def _format(file: Path, how: Reading) -> str:
    name = file.name.lower().removesuffix(".gz")
    form = how.format or _SUFFIXES.get(Path(name).suffix)
    if form not in FORMATS:
        raise BadInput(
            f"{file.name}: format {form or Path(name).suffix or 'unknown'!r}; expected one of {FORMATS} "
            "(by the file's suffix, .gz may follow, or data.format=...)"
        )
    return form


def _delimited(text: str, form: str, keep: Collection[str], path: str, how: Reading) -> RawTable:
    delimiter = how.delimiter or ("\t" if form == "tsv" else ",")
    header, rows, lines = parse_delimited(text, delimiter, how.quoted, path)
    found, chosen = len(rows), how.chosen(len(rows))
    if chosen is not None:
        rows, lines = [rows[k] for k in chosen], [lines[k] for k in chosen]
    wanted = {name: k for k, name in enumerate(header) if name in keep}
    columns: dict[str, list[object]] = {name: [row[k] for row in rows] for name, k in wanted.items()}
    return RawTable(tuple(header), columns, len(rows), path, lines, rows=chosen, found=found)


def _jsonl(text: Iterable[str], keep: Collection[str], path: str, how: Reading) -> RawTable:
    names: dict[str, None] = {}
    kept: dict[str, list[object]] = {name: [] for name in keep}
    rows: list[int] = []
    lines: list[int] = []
    sample = Reservoir(how.take, how.take_seed) if how.take is not None else None

    def fail(number: int, problem: str) -> NoReturn:
        raise BadInput(f"{path}, line {number}: {problem}; expected one JSON object a line")

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} occurs twice")
        return found

    def finite(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON number")

    decoder = json.JSONDecoder(object_pairs_hook=once, parse_constant=finite)
    count = 0
    for number, line in enumerate(text, start=1):
        if not line.strip(" \t\r\n"):
            continue
        try:
            row = decoder.decode(line)
        except RecursionError:
            fail(number, "nested too deeply")
        except ValueError as error:
            fail(number, f"no valid JSON ({error})")
        if not isinstance(row, dict):
            fail(number, f"a {type(row).__name__}, {line[:40]!r}")
        names.update(dict.fromkeys(row))
        place = count if sample is None else sample.place(count)
        if place is not None:
            rows[place : place + 1], lines[place : place + 1] = [count], [number]
            for name, values in kept.items():
                values[place : place + 1] = [row.get(name)]
        count += 1
    columns = {name: values for name, values in kept.items() if name in names}
    whole = RawTable(tuple(names), columns, len(rows), path, lines, found=count)
    if len(rows) == count:
        return whole
    order = sorted(range(len(rows)), key=rows.__getitem__)
    return replace(
        whole,
        columns={name: [values[k] for k in order] for name, values in columns.items()},
        lines=[lines[k] for k in order],
        rows=[rows[k] for k in order],
    )


def _parquet(file: Path, keep: Collection[str], path: str, how: Reading) -> RawTable:
    with opened(file, how) as handle:
        try:
            parquet = pq.ParquetFile(
                handle if handle.seekable() else io.BytesIO(handle.read()), page_checksum_verification=True
            )
            names, count = parquet.schema_arrow.names, parquet.metadata.num_rows
            wanted, chosen = [name for name in names if name in keep], how.chosen(count)
            if chosen is None:
                check_file_room(_unpacked_size(parquet), path)
            table = parquet.read(columns=wanted) if chosen is None else _sampled(parquet, wanted, chosen)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(f"{path} is no readable parquet file ({error}); fetch or write it again") from None
    found = from_arrow(table, keep, path, names)
    return replace(found, count=count if chosen is None else len(chosen), rows=chosen, found=count)


def _sampled(file: pq.ParquetFile, columns: list[str], chosen: list[int]) -> pa.Table:
    """These rows, read batch by batch."""
    pieces, start = [], 0
    for batch in file.iter_batches(PARQUET_BATCH, columns=columns):
        own = chosen[bisect_left(chosen, start) : bisect_left(chosen, start + len(batch))]
        pieces.append(batch.take(pa.array([row - start for row in own], pa.int64())))
        start += len(batch)
    return pa.Table.from_batches(pieces)


def _class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    stated = (schema.metadata or {}).get(b"huggingface")
    if stated is None:
        return {}
    features = json.loads(stated).get("info", {}).get("features", {})
    return {
        name: tuple(feature["names"])
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }
