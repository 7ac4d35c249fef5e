"""Truth: what was planted in a corpus, row by row, with what stood there before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from crossover.data.bad_input import BadInput

SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("flaw", pa.string()),
        ("id", pa.string()),
        ("column", pa.string()),
        ("before", pa.large_string()),
        ("detail", pa.string()),
    ]
)
"""One line a planted cell: the step of planting, the flaw's name, the row's id (missing: the whole
column was added), the column, its value before this step (numbers by repr) and what was planted."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The planted cells (:data:`SCHEMA`) and the settings of every flaw, in the order planted.

    Undoing the lines from the last to the first gives the plain corpus.

    Raises:
        BadInput: a table of other columns or types.
    """

    table: pa.Table
    flaws: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.table.schema.equals(SCHEMA):
            raise BadInput(f"a truth has the columns {SCHEMA.names}, this table has {self.table.schema}")

    def ids(self, flaw: str) -> list[str]:
        """The rows a flaw touched, each once, in the order planted."""
        lines = zip(self.table["flaw"].to_pylist(), self.table["id"].to_pylist(), strict=True)
        return list(dict.fromkeys(id_ for name, id_ in lines if name == flaw and id_ is not None))

    def details(self, flaw: str) -> dict[str, str]:
        """What was planted in each row (or added column) of a flaw."""
        names = ("flaw", "id", "column", "detail")
        lines = zip(*(self.table[name].to_pylist() for name in names), strict=True)
        return {id_ or column: detail for name, id_, column, detail in lines if name == flaw}

    def of_rows(self) -> pa.Table:
        """The lines that speak of single rows, without those of added columns."""
        return self.table.filter(pc.is_valid(self.table["id"]))

    def to_json(self) -> dict[str, object]:
        """The settings of every flaw and the number of rows it touched."""
        return {
            name: {"settings": dict(settings), "rows": len(self.ids(name))}
            for name, settings in self.flaws.items()
        }

    @property
    def digest(self) -> str:
        """16 hex of SHA-256 over the settings and the planted cells."""
        digest = hashlib.sha256(json.dumps({k: dict(v) for k, v in self.flaws.items()}).encode())
        for line in zip(*(self.table[name].to_pylist() for name in SCHEMA.names), strict=True):
            digest.update(json.dumps(line, ensure_ascii=False).encode("utf-8"))
        return digest.hexdigest()[:16]


def joined(parts: Iterable[Truth]) -> Truth:
    """The truths of consecutive pieces of one corpus as one; a column added to each is listed once."""
    parts = list(parts)
    return Truth(pa.concat_tables([parts[0].table, *(part.of_rows() for part in parts[1:])]), parts[0].flaws)
