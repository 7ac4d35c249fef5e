"""Findings as rows, the same in a page, in a terminal and in a W&B table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from crossover.report.plain_values import Plain, flat, mapping, number, text
from crossover.report.tables import Cell, Column, Table, quantity

ORDER = {"error": 0, "warning": 1, "info": 2}

COLUMNS = (
    Column("severity"),
    Column("finding"),
    Column("evidence"),
    Column("remedy"),
    Column("P, corrected", "quantity"),
    Column("code"),
)

LEAST_P = 1e-300
"""Shown for a P that is smaller: it is not 0, the arithmetic ends there."""

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
"""What ``repr`` makes of a text: so titles quote ids, labels and words of the data."""


def sorted_findings(findings: Sequence[Plain]) -> list[Plain]:
    """The gravest first, else in their order."""
    return sorted(findings, key=lambda finding: ORDER.get(text(finding, "severity"), len(ORDER)))


def finding_table(caption: str, findings: Sequence[Plain]) -> Table:
    """One row a finding, the gravest first."""
    made: list[tuple[Cell, ...]] = []
    for finding in sorted_findings(findings):
        p = number(mapping(finding, "evidence"), "p_holm")
        p = number(finding, "p_value") if p is None else p
        made.append(
            (
                text(finding, "severity", "–"),
                text(finding, "title", "–"),
                evidence_line(finding),
                text(finding, "remedy", "–"),
                p if p is None else max(p, LEAST_P),
                text(finding, "code", "–"),
            )
        )
    return Table(caption, COLUMNS, tuple(made), shape="findings")


def evidence_line(finding: Plain) -> str:
    """A finding's evidence in a line; a finding that only informs says all in its title."""
    if text(finding, "severity") == "info":
        return "–"
    return said_of(mapping(finding, "evidence")) or text(finding, "evidence", "–")


def said_of(evidence: Plain) -> str:
    """Names and values in a line, numbers rounded to three significant digits; findings.json has them all."""
    return "; ".join(f"{name} = {value}" for name, value in flat(_rounded(evidence), 12))


def _rounded(plain: Plain) -> dict[str, object]:
    return {
        name: _rounded(value)
        if isinstance(value, Mapping)
        else quantity(value)
        if isinstance(value, float)
        else value
        for name, value in plain.items()
    }


def mirror_rows(findings: Sequence[Plain], known: Collection[str] | None) -> list[dict[str, object]]:
    """Rows for a table that leaves this machine: quoted texts other than ``known`` names are blanked.

    ``known`` are class and column names; None keeps everything. Of the evidence only numbers stay then,
    alone or under known names.
    """
    made: list[dict[str, object]] = []
    for finding in sorted_findings(findings):
        evidence = mapping(finding, "evidence")
        if known is not None:
            evidence = {name: value for name, value in evidence.items() if _numeric(value, known)}
        made.append(
            {
                "severity": text(finding, "severity"),
                "code": text(finding, "code"),
                "finding": _blanked(text(finding, "title"), known),
                "evidence": said_of(evidence),
                "remedy": _blanked(text(finding, "remedy"), known),
                "p_value": number(finding, "p_value"),
            }
        )
    return made


def _numeric(value: object, known: Collection[str]) -> bool:
    if isinstance(value, Mapping):
        return all(str(name) in known and _numeric(inner, known) for name, inner in value.items())
    return isinstance(value, int | float)


def _blanked(line: str, known: Collection[str] | None) -> str:
    if known is None:
        return line
    named = {repr(name) for name in known}
    return _QUOTED.sub(lambda found: found[0] if found[0] in named else "'…'", line)
