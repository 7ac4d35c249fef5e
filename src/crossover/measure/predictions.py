"""Predictions: what a fitted model said of each row, with the gold label beside it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput

PARTS = ("train", "select", "calibrate", "test")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Rows of id, part, gold and one probability a class.

    ``probabilities`` is (rows, classes) with columns in the order of ``classes``; rows sum to 1.
    ``logits`` has the same shape or is None. ``gold`` and ``parts`` are one string a row.
    """

    ids: tuple[str, ...]
    parts: tuple[str, ...]
    gold: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    logits: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.classes))
        if self.probabilities.shape != shape or len(self.gold) != shape[0] or len(self.parts) != shape[0]:
            raise ValueError(
                f"predictions of {len(self.ids)} ids, {len(self.gold)} gold labels and "
                f"{len(self.classes)} classes need probabilities of shape {shape}, "
                f"got {self.probabilities.shape}"
            )
        if not np.isfinite(self.probabilities).all():
            row = int(np.argwhere(~np.isfinite(self.probabilities))[0, 0])
            raise ValueError(f"the probabilities of row {self.ids[row]!r} are not finite")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def gold_index(self) -> NDArray[np.int64]:
        """Column of each row's gold label in ``classes``."""
        column = {name: k for k, name in enumerate(self.classes)}
        return np.array([column[label] for label in self.gold], dtype=np.int64)

    @cached_property
    def predicted_index(self) -> NDArray[np.int64]:
        """Column of the largest probability; ties go to the first class in order."""
        best: NDArray[np.int64] = np.argmax(self.probabilities, axis=1).astype(np.int64)
        return best

    def part(self, name: str) -> Predictions:
        """The rows of one part, in stored order."""
        return self.take([row for row, part in enumerate(self.parts) if part == name])

    def rows(self, ids: Sequence[str]) -> Predictions:
        """The rows with these ids, in the order given."""
        where = {id_: row for row, id_ in enumerate(self.ids)}
        return self.take([where[id_] for id_ in ids])

    def take(self, rows: Sequence[int]) -> Predictions:
        """The rows at these positions."""
        index = np.asarray(rows, dtype=np.int64)
        return Predictions(
            tuple(self.ids[r] for r in rows),
            tuple(self.parts[r] for r in rows),
            tuple(self.gold[r] for r in rows),
            self.classes,
            self.probabilities[index],
            None if self.logits is None else self.logits[index],
        )

    def to_parquet(self) -> bytes:
        """The table as parquet bytes, equal for equal predictions."""
        columns: dict[str, object] = {
            "id": pa.array(self.ids, pa.string()),
            "part": pa.array(self.parts, pa.string()),
            "gold": pa.array(self.gold, pa.string()),
        }
        for k, _ in enumerate(self.classes):
            columns[f"p{k}"] = pa.array(self.probabilities[:, k], pa.float64())
            if self.logits is not None:
                columns[f"logit{k}"] = pa.array(self.logits[:, k], pa.float64())
        table = pa.table(columns).replace_schema_metadata({"classes": json.dumps(list(self.classes))})
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return sink.getvalue()

    @classmethod
    def from_parquet(cls, data: bytes | Path) -> Predictions:
        """Predictions from the bytes or file of :meth:`to_parquet`."""
        table = pq.read_table(io.BytesIO(data) if isinstance(data, bytes) else data)
        stated = (table.schema.metadata or {}).get(b"classes")
        if stated is None:
            raise BadInput(f"{data!r:.80} is no predictions file: its schema names no classes")
        classes = tuple(json.loads(stated))
        logits = None
        if "logit0" in table.column_names:
            logits = _columns(table, "logit", len(classes))
        return cls(
            tuple(table["id"].to_pylist()),
            tuple(table["part"].to_pylist()),
            tuple(table["gold"].to_pylist()),
            classes,
            _columns(table, "p", len(classes)),
            logits,
        )


def _columns(table: pa.Table, prefix: str, count: int) -> NDArray[np.float64]:
    return np.column_stack([table[f"{prefix}{k}"].to_numpy() for k in range(count)]).astype(np.float64)
