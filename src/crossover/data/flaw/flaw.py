"""Flaw: something wrong with data, planted on purpose in known rows, at a strength from 0 to 1.

A flaw chooses rows by a random number of their id alone: rows planted at one strength are planted
at every greater one, and a row is treated alike whatever the size or order of the corpus.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crossover.data.bad_input import BadInput
from crossover.data.mail_writer import MailWriter
from crossover.data.row_random import Bits, random_bits, uniform
from crossover.data.truth import SCHEMA

Mask = npt.NDArray[np.bool_]


class Stage(IntEnum):
    """When a flaw is planted, so that flaws combine: none undoes what an earlier one wrote."""

    TIME = 0
    REPLACE_TEXT = 1
    ADD_WORD = 2
    ADD_LINE = 3
    CUT_TEXT = 4
    META = 5
    REGROUP_LABELS = 6
    CORRUPT_LABELS = 7


@dataclass(frozen=True)
class Ground:
    """What a flaw may know of the whole corpus beyond the rows it is given.

    ``writer`` is the writer of generated mail where the rows are such; without one, the rows given
    are the whole corpus. ``values`` holds all values of the meta columns that have few.
    """

    classes: tuple[str, ...]
    kinds: Mapping[str, str]
    first_time: str | None = None
    last_time: str | None = None
    writer: MailWriter | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Batch:
    """Rows that flaws are planted in, column by column, and the log of every change.

    ``keys`` holds a fixed random number of each row, ``step`` counts the flaws planted, ``classes``
    and ``kinds`` grow with what is planted, ``replaced`` marks rows whose text is no longer their own.
    """

    columns: dict[str, list[object]]
    keys: Bits
    ground: Ground
    step: int = 0
    classes: list[str] = field(init=False)
    kinds: dict[str, str] = field(init=False)
    replaced: Mask = field(init=False)
    log: dict[str, list[object]] = field(init=False)

    def __post_init__(self) -> None:
        self.classes, self.kinds = list(self.ground.classes), dict(self.ground.kinds)
        self.replaced = np.zeros(len(self.keys), bool)
        self.log = {name: [] for name in SCHEMA.names}

    def change(self, flaw: str, row: int, column: str, value: object, detail: str = "") -> None:
        """Write one cell and log what stood there."""
        before = self.columns[column][row]
        self.columns[column][row] = value
        self._note(flaw, str(self.columns["id"][row]), column, before, detail)

    def add_column(self, flaw: str, column: str, kind: str, values: list[object], detail: str) -> None:
        """Declare a new meta column.

        Raises:
            BadInput: there is one of that name.
        """
        if column in self.columns:
            raise BadInput(f"flaw {flaw}: the corpus has a column {column!r} already; name another")
        self.columns[column], self.kinds[column] = values, kind
        self._note(flaw, None, column, None, detail)

    def _note(self, flaw: str, id_: str | None, column: str, before: object, detail: str) -> None:
        shown = before if before is None or isinstance(before, str) else repr(before)
        line = (self.step, flaw, id_, column, shown, detail)
        for name, value in zip(SCHEMA.names, line, strict=True):
            self.log[name].append(value)

    def equal(self, column: str, value: object) -> Mask:
        """The rows whose column holds this value."""
        return np.array([cell == value for cell in self.columns[column]], bool)

    def times(self, flaw: str) -> npt.NDArray[np.datetime64]:
        """Times in UTC by the second, NaT where missing.

        Raises:
            BadInput: no time column is declared.
        """
        cells = self.columns[self.time_column(flaw)]
        return np.array([str(cell)[:19] if cell else "NaT" for cell in cells], "datetime64[s]")

    def time_column(self, flaw: str) -> str:
        """Name of the first declared time column."""
        for name, kind in self.kinds.items():
            if kind == "time":
                return name
        raise BadInput(f"flaw {flaw} needs times, but the corpus declares no meta column of kind time")

    def from_date(self, flaw: str, since: str | None) -> np.datetime64:
        """The date ``since`` names, the middle of the corpus' times without one.

        Raises:
            BadInput: not a date, or outside the corpus' times.
        """
        self.time_column(flaw)
        ground = self.ground
        if ground.first_time is None or ground.last_time is None:
            raise BadInput(f"flaw {flaw} needs times, but no row has one")
        first, last = (np.datetime64(time[:19], "s") for time in (ground.first_time, ground.last_time))
        if since is None:
            return first + (last - first) // 2
        try:
            date = np.datetime64(since, "s")
        except ValueError:
            raise BadInput(f"flaw {flaw}: since={since!r} is no date such as 2024-03-01") from None
        if not first <= date <= last:
            raise BadInput(f"flaw {flaw}: since={since} lies outside the corpus' times, {first} to {last}")
        return date


@dataclass(frozen=True, kw_only=True)
class Flaw(ABC):
    """A flaw with its strength; every variant is one file beside this one.

    Args:
        strength: chance of each eligible row to be planted, 0 to 1; 0 plants nothing.
        seed: another seed chooses other rows.
    """

    strength: float = 0.0
    seed: int = 0

    stage: ClassVar[Stage]

    def __post_init__(self) -> None:
        strength = self.strength
        if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
            raise BadInput(f"flaw {self.kind}: strength={strength!r}; expected a number from 0 to 1")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise BadInput(f"flaw {self.kind}: seed={self.seed!r}; expected a whole number from 0 on")

    @property
    def kind(self) -> str:
        """The module's name: ``label_noise``."""
        return type(self).__module__.rsplit(".", 1)[1]

    @abstractmethod
    def plant(self, batch: Batch, name: str) -> None:
        """Change rows of the batch, through :meth:`Batch.change`, under the name given.

        Raises:
            BadInput: the corpus lacks what the flaw needs, naming it.
        """

    def bits(self, batch: Batch, name: str, purpose: str) -> Bits:
        """64 random bits a row, of its key, the flaw's name and seed, and the purpose alone."""
        return random_bits(batch.keys, f"flaw {name} {purpose}", self.seed)

    def chosen(self, batch: Batch, name: str, among: Mask) -> list[int]:
        """Positions of the eligible rows that are planted, nested in strength."""
        lot = uniform(self.bits(batch, name, "chosen"))
        return [int(row) for row in np.flatnonzero(among & (lot < self.strength))]

    def settings(self) -> dict[str, object]:
        """The settings as plain JSON values."""
        return {"kind": self.kind, **asdict(self)}


def check_class(flaw: str, label: str | None, batch: Batch) -> str:
    """The class a flaw is told to touch.

    Raises:
        BadInput: none given, or not one of the corpus.
    """
    if label not in batch.classes:
        raise BadInput(f"flaw {flaw}: {label!r} is no class of the corpus; it has {batch.classes}")
    return str(label)


def check_pair(flaw: str, between: list[str] | None, batch: Batch) -> list[str]:
    """The two classes a flaw is told to mix up.

    Raises:
        BadInput: not two different ones, or not of the corpus.
    """
    if between is None or len(between) != 2 or between[0] == between[1]:
        raise BadInput(f"flaw {flaw}: between={between}; expected two classes")
    return [check_class(flaw, label, batch) for label in between]


def seconds(times: npt.NDArray[np.datetime64]) -> list[str]:
    """Times in UTC as ISO 8601 strings by the second."""
    return [f"{time}+00:00" for time in np.datetime_as_string(times.astype("datetime64[s]"))]


def written(batch: Batch, rows: list[int], kind: str, seed: int) -> list[str]:
    """Generated mail of a kind for these rows; by the corpus' own senders where it is generated."""
    if not rows:
        return []
    writer, keys = batch.ground.writer or MailWriter(seed), batch.keys[rows]
    return writer.texts(keys, [kind] * len(rows), writer.senders(keys), writer.times(keys))
