"""Browser: thousands of rows in a page, to be searched, filtered, sorted and leafed through offline.

The rows stand in the page as JSON that no browser executes; page.js puts them in the document as text
nodes. Without scripts the first rows stand there as a plain table.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from crossover.report.tables import show
from crossover.report.visible_text import visible

Value: TypeAlias = str | float | int | tuple[str, ...] | None
Form: TypeAlias = Literal["text", "tags", "long", "count", "quantity"]

FIRST = 50
"""Rows of the table that is there without scripts, and of one leaf of the browser."""

BRIEF = 280
"""Characters of a long text before it is asked for."""

MOST_CHOICES = 60
"""Values of a column that may be chosen from a list; of more, the search finds them."""

_NAMED_LENGTH = 10
"""Characters that name a hidden one."""

_INERT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True)
class Facet:
    """A column of a browser: its title and form.

    ``text`` a short text, ``tags`` several, ``long`` cut until asked for, ``count`` whole numbers,
    ``quantity`` three significant digits. ``choose`` offers its values as a filter.
    """

    title: str
    form: Form = "text"
    choose: bool = False

    @property
    def numeric(self) -> bool:
        """Whether its cells are set to the right."""
        return self.form in ("count", "quantity")


@dataclass(frozen=True)
class Inert:
    """JSON that may stand in a ``<script type="application/json">``: it holds no ``<``, ``>`` or ``&``."""

    raw: str

    @classmethod
    def of(cls, plain: object) -> Inert:
        """Plain values as such JSON."""
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        for character, escaped in _INERT.items():
            text = text.replace(character, escaped)
        return cls(text)

    def __html__(self) -> str:
        """The JSON; the template takes it unescaped."""
        return self.raw


@dataclass(frozen=True)
class Browser:
    """Rows of plain values under facets; ``note`` stands below and says what was left out."""

    caption: str
    facets: tuple[Facet, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    template: ClassVar[str] = "browser"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.facets):
                raise ValueError(f"browser {self.caption!r}: a row of {len(row)}, {len(self.facets)} facets")

    @property
    def data(self) -> Inert:
        """What page.js reads: facets and rows, every text made visible."""
        facets = [
            {"title": visible(facet.title, 100), "form": facet.form, "choose": facet.choose and self._few(k)}
            for k, facet in enumerate(self.facets)
        ]
        return Inert.of({"facets": facets, "rows": [[_plain(cell) for cell in row] for row in self.rows]})

    def first_rows(self) -> list[list[str]]:
        """The cells of the first rows as text, long ones cut."""
        return [
            [_shown(cell, facet) for cell, facet in zip(row, self.facets, strict=True)]
            for row in self.rows[:FIRST]
        ]

    def _few(self, column: int) -> bool:
        values: Counter[str] = Counter()
        for row in self.rows:
            cell = row[column]
            values.update(cell if isinstance(cell, tuple) else [] if cell is None else [str(cell)])
        return 1 < len(values) <= MOST_CHOICES


def rounded(value: float, digits: int = 4) -> float | None:
    """The value to so many significant digits, None where it is not finite."""
    if not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def _plain(cell: Value) -> object:
    if isinstance(cell, tuple):
        return [visible(entry, 100) for entry in cell]
    if isinstance(cell, str):
        return visible(cell, _NAMED_LENGTH * len(cell) + 1)  # it was cut before: a hidden character grows
    return cell if cell is None or isinstance(cell, int) else rounded(cell)


def _shown(cell: Value, facet: Facet) -> str:
    if isinstance(cell, tuple):
        return ", ".join(visible(entry, 100) for entry in cell)
    if isinstance(cell, str):
        return visible(cell, BRIEF)
    return show(cell, "count" if facet.form == "count" else "quantity")
