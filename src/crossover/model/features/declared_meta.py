"""Declared meta columns as features: categories, numbers and parts of a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from crossover.data.bad_input import BadInput
from crossover.model.classifier import Arrays, Meta
from crossover.model.features.block import FeatureBlock

_TIME_PARTS: tuple[tuple[str, int, Callable[[datetime], float]], ...] = (
    ("hour", 24, lambda moment: moment.hour + moment.minute / 60),
    ("weekday", 7, lambda moment: moment.weekday()),
    ("month", 12, lambda moment: moment.month - 1),
)


class DeclaredMeta(FeatureBlock):
    """The meta columns named here, and no others.

    A category becomes one column a value seen in train (an unseen one is all 0), a number is
    standardised on train, a time becomes sine and cosine of its hour, weekday and month: never
    the date itself, from which a corpus whose classes were collected in different years is
    solved without reading. Numbers and times have a further column that is 1 where missing.

    Args:
        category: names of columns of strings.
        number: names of columns of numbers.
        time: names of columns of ISO 8601 times.
    """

    def __init__(
        self,
        category: list[str] | None = None,
        number: list[str] | None = None,
        time: list[str] | None = None,
    ) -> None:
        self.category = category
        self.number = number
        self.time = time

    def fit(self, texts: Sequence[str], meta: Meta | None = None) -> Self:
        """Categories in sorted order; mean and standard deviation of each number.

        Raises:
            BadInput: no column is named, a named one is not there, or a value is not of its kind.
        """
        if not (self.category or self.number or self.time):
            raise BadInput(
                "DeclaredMeta names no column; list some, for example features.meta.category=[sender], "
                "or leave the block out"
            )
        self.values_: dict[str, list[str]] = {
            name: sorted({str(value) for value in _column(meta, name, len(texts)) if value is not None})
            for name in self.category or []
        }
        self.scale_: dict[str, list[float]] = {}
        for name in self.number or []:
            known = _numbers(meta, name, len(texts))
            known = known[~np.isnan(known)]
            spread = float(known.std()) if known.size else 0.0
            self.scale_[name] = [
                float(known.mean()) if known.size else 0.0,
                spread if spread > 1e-12 else 1.0,
            ]
        for name in self.time or []:
            _times(meta, name, len(texts))
        return self

    def transform(self, texts: Sequence[str], meta: Meta | None = None) -> csr_matrix:
        """(texts, columns), categories first, then numbers, then times, each as listed.

        Raises:
            BadInput: a named column is not there, or a value is not of its kind.
        """
        self._require_fitted("values_")
        rows = len(texts)
        parts = [_one_hot(_column(meta, name, rows), known) for name, known in self.values_.items()]
        for name, (mean, spread) in self.scale_.items():
            values = _numbers(meta, name, rows)
            missing = np.isnan(values)
            scaled = np.where(missing, 0.0, (values - mean) / spread)
            parts.append(csr_matrix(np.column_stack([scaled, missing])))
        parts.extend(csr_matrix(_times(meta, name, rows)) for name in self.time or [])
        return csr_matrix(hstack(parts, format="csr", dtype=np.float64))

    def names(self) -> list[str]:
        """``column=value`` a category; ``column`` and ``column missing`` a number; time parts."""
        self._require_fitted("values_")
        names = [f"{name}={value}" for name, known in self.values_.items() for value in known]
        for name in self.scale_:
            names += [name, f"{name} missing"]
        for name in self.time or []:
            names += [f"{name} {part} {wave}" for part, _, _ in _TIME_PARTS for wave in ("sin", "cos")]
            names.append(f"{name} missing")
        return names

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """Categories and scales."""
        self._require_fitted("values_")
        return {}, {"values": self.values_, "scale": self.scale_}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self.values_ = dict(cast(Mapping[str, list[str]], plain["values"]))
        self.scale_ = dict(cast(Mapping[str, list[float]], plain["scale"]))


def _column(meta: Meta | None, name: str, rows: int) -> Sequence[object]:
    if meta is None or name not in meta:
        raise BadInput(
            f"DeclaredMeta reads the meta column {name!r}, the rows come with {sorted(meta or {})}; "
            "declare it with the data (data.meta) or take it out of the block"
        )
    if len(meta[name]) != rows:
        raise BadInput(f"meta column {name!r} has {len(meta[name])} values for {rows} texts")
    return meta[name]


def _one_hot(values: Sequence[object], known: list[str]) -> csr_matrix:
    column = {value: k for k, value in enumerate(known)}
    hits = [(row, column[str(value)]) for row, value in enumerate(values) if str(value) in column]
    hits = [(row, k) for row, k in hits if values[row] is not None]
    where = ([row for row, _ in hits], [k for _, k in hits])
    return csr_matrix((np.ones(len(hits)), where), shape=(len(values), len(known)))


def _numbers(meta: Meta | None, name: str, rows: int) -> NDArray[np.float64]:
    numbers = np.full(rows, math.nan)
    for row, value in enumerate(_column(meta, name, rows)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
            raise BadInput(
                f"meta column {name!r}, row {row + 1}: {value!r} is no finite number; "
                "mend it, leave it empty, or name the column under category"
            )
        numbers[row] = value
    return numbers


def _times(meta: Meta | None, name: str, rows: int) -> NDArray[np.float64]:
    columns = np.zeros((rows, 2 * len(_TIME_PARTS) + 1))
    for row, value in enumerate(_column(meta, name, rows)):
        if value is None or value == "":
            columns[row, -1] = 1.0
            continue
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise BadInput(
                f"meta column {name!r}, row {row + 1}: {value!r} is no ISO 8601 time "
                "(2009-03-14T15:09:26+00:00); mend it or leave it empty"
            ) from None
        for k, (_, period, part) in enumerate(_TIME_PARTS):
            angle = 2 * math.pi * part(moment) / period
            columns[row, 2 * k : 2 * k + 2] = math.sin(angle), math.cos(angle)
    return columns
