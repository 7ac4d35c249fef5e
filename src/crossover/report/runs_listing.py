"""What is asked of a store's runs, answered as tables: list, families, failures, a study's needs, a pair."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from crossover.data.whole_file import write_whole
from crossover.record.store import Store
from crossover.report.plain_values import Plain, mapping, text
from crossover.report.runs_compared import runs_compared
from crossover.report.runs_list import Filter, failures_table, missing_table, runs_list
from crossover.report.runs_table import runs_table
from crossover.report.tables import Table, to_csv
from crossover.study.plan import needs, planned_studies


def listing(
    store: Store, wanted: Filter, study: str | None = None, failed: bool = False, families: bool = False
) -> list[Table]:
    """The runs a filter keeps, each a row, or a row a family; ``failed`` lists the failures alone.

    With ``study`` (the beginning of a study's name) only its runs, and those it still needs.

    Raises:
        BadInput: no such study.
    """
    need = needs(store, study) if study is not None else None
    if need is not None:
        known = (*need.finished, *(spec.digest for spec in need.missing))
        known += tuple(failure.spec.digest for failure in need.failed)
        wanted = replace(wanted, digests=frozenset(known))
    failures = failures_table(store.failed_runs(), wanted, _study_commands(store))
    tables = [failures] if failures.rows or failed else []
    if need is not None and need.missing:
        tables.append(missing_table(need.missing))
    if not failed:
        records = store.plain_runs()
        kept = runs_table(_kept(records, wanted)) if families else runs_list(records, wanted)
        tables.insert(0, kept)
    if need is not None:
        note = "; ".join(part for part in (tables[-1].note, need.sentence) if part)
        tables[-1] = replace(tables[-1], note=note)
    return tables


def pair(store: Store, first: str, second: str) -> list[Table]:
    """Two runs, named by the beginning of their digests, side by side.

    Raises:
        BadInput: one of them is not there, or failed.
    """
    one, other = (store.run(store.find(prefix)) for prefix in (first, second))
    groups: Mapping[str, str] = store.split(one.spec.split).groups
    return runs_compared(one, other, groups)


def write_csv(table: Table, file: str) -> bool:
    """Write a table as csv into a file, ``-`` is stdout; whether stdout is taken by it.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    if file == "-":
        sys.stdout.write(to_csv(table))
        return True
    write_whole(Path(file), to_csv(table).encode("utf-8"), "name another file with --csv")
    return False


def _study_commands(store: Store) -> dict[str, str]:
    """The command of a study that wants a run, by the run's digest."""
    commands: dict[str, str] = {}
    for name, digests in planned_studies(store).items():
        command = needs(store, name).command
        commands |= dict.fromkeys(digests, command) if command else {}
    return commands


def _kept(records: Iterable[Plain], wanted: Filter) -> Iterable[Plain]:
    for record in records:
        corpus = text(mapping(record, "recipe"), "corpus", "")
        if wanted.keeps(mapping(record, "spec"), text(record, "digest", "?"), corpus):
            yield record
