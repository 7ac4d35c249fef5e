"""Table: plain rows shown alike in a page, in a terminal and in a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from crossover.report.visible_text import csv_text, terminal_text, visible

if TYPE_CHECKING:
    import rich.table

Interval: TypeAlias = tuple[float | None, float | None]
Cell: TypeAlias = str | float | int | Interval | None
Kind: TypeAlias = Literal["text", "count", "score", "signed", "quantity", "interval", "signed_interval"]

ROWS = 300
"""Rows shown in a page or terminal; the spreadsheet has all."""

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """A column: its title (unit included) and how its cells are written.

    ``score`` three decimals, ``signed`` the same with its sign, ``quantity`` three significant
    digits, ``count`` whole numbers, ``interval`` a pair of scores.
    """

    title: str
    kind: Kind = "text"

    @property
    def numeric(self) -> bool:
        """Whether its cells are set to the right."""
        return self.kind != "text"


@dataclass(frozen=True)
class Table:
    """Rows of plain values under columns; ``note`` stands below, ``shape`` is a class of page.css."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    shape: str = ""
    template: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.caption!r}: a row of {len(row)}, {len(self.columns)} columns")

    def shown_rows(self) -> list[list[tuple[str, str]]]:
        """(shown, sort key) of the cells of the first 300 rows; numbers sort by full precision."""
        return [
            [
                (show(cell, column.kind), sort_key(cell))
                for cell, column in zip(row, self.columns, strict=True)
            ]
            for row in self.rows[:ROWS]
        ]

    @property
    def left_out(self) -> int:
        """Rows not shown."""
        return max(0, len(self.rows) - ROWS)


def show(cell: Cell, kind: Kind) -> str:
    """A cell as a reader sees it; an absent or non-finite value is a dash."""
    if isinstance(cell, tuple):
        low, high = (show(end, "signed" if kind == "signed_interval" else "score") for end in cell)
        return NOTHING if low == high == NOTHING else f"[{low}, {high}]"
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return visible(cell, 300) or NOTHING
    if not math.isfinite(cell):
        return NOTHING
    if kind == "count":
        return f"{cell:,.0f}"
    if kind == "quantity":
        return quantity(cell)
    if kind in ("signed", "signed_interval"):
        return f"{cell:+.3f}".replace("-", "−") if cell else "0"
    return f"{cell:.3f}".replace("-", "−") if isinstance(cell, float) else f"{cell:,}"


def quantity(value: float) -> str:
    """Three significant digits, no exponent between 0.001 and a billion."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def sort_key(cell: Cell) -> str:
    """What a column is sorted by: the number itself (an interval by its lower end), else empty."""
    value = cell[0] if isinstance(cell, tuple) else cell
    return repr(value) if isinstance(value, (int, float)) else ""


def to_rich(table: Table) -> rich.table.Table:
    """The table for a terminal: no markup read from texts, no escape sequence let through."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(title=Text(terminal_text(table.caption)), box=box.SIMPLE_HEAD, title_justify="left")
    for column in table.columns:
        made.add_column(
            Text(terminal_text(column.title)), justify="right" if column.numeric else "left", overflow="fold"
        )
    for row in table.rows[:ROWS]:
        made.add_row(*(_terminal_cell(cell, c.kind) for cell, c in zip(row, table.columns, strict=True)))
    notes = [terminal_text(table.note)] if table.note else []
    if table.left_out:
        notes.append(f"{table.left_out:,} more rows are not shown")
    if notes:
        made.caption = Text("; ".join(notes))
    return made


def to_csv(table: Table) -> str:
    """The table as CSV (RFC 4180): numbers in full, an interval as two columns, texts that
    start like a formula behind a ``'`` (:func:`~crossover.report.visible_text.csv_text`).
    """
    out = io.StringIO()
    writer = csv.writer(out)
    header: list[str] = []
    for column in table.columns:
        ends = ("low", "high") if column.kind in ("interval", "signed_interval") else ()
        header += [f"{column.title} {end}" for end in ends] or [column.title]
    writer.writerow([csv_text(title) for title in header])
    for row in table.rows:
        cells: list[str] = []
        for cell, column in zip(row, table.columns, strict=True):
            wide = column.kind in ("interval", "signed_interval")
            pair: Interval = cell if isinstance(cell, tuple) else (None, None)
            cells += [_csv_cell(end) for end in pair] if wide else [_csv_cell(cell)]
        writer.writerow(cells)
    return out.getvalue()


def _csv_cell(cell: Cell) -> str:
    if cell is None or isinstance(cell, tuple):
        return ""
    return csv_text(cell) if isinstance(cell, str) else repr(cell)


def _terminal_cell(cell: Cell, kind: Kind) -> rich.text.Text:
    from rich.text import Text

    return Text(terminal_text(cell, 120) if isinstance(cell, str) else show(cell, kind))
