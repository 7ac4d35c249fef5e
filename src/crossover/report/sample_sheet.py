"""A sample as a sheet to be labelled, the sheet read back, and what it says of the population."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.data.table_file import TableFile
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.measure.weighted_mean import Drawn
from crossover.report.tables import Column, Table, to_csv
from crossover.sample.sample import Sample

COLUMNS = ("id", "text", "label", "inclusion", "stratum", "population", "design")
META = {"inclusion": "inclusion", "stratum": "category", "population": "number", "design": "category"}


def write_sheet(sample: Sample, corpus: Corpus, to: Path) -> Path:
    """Write the drawn rows, ``label`` empty, and beside them ``<to>.json`` with the design; returns ``to``.

    A .csv has texts that begin like a formula behind a ``'``; a .parquet has every text as it is. What a
    model said of a row is not in it: whoever labels should not know.

    Raises:
        BadInput: another suffix, or a file that is there already.
    """
    if to.suffix not in (".csv", ".parquet"):
        raise BadInput(f"to={to}: expected a new file ending in .csv or .parquet")
    beside = to.with_name(f"{to.name}.json")
    for file in (to, beside):
        if file.exists():
            raise BadInput(f"to={to}: {file} is there already; it may hold labels: name another")
    rows, size = corpus.select(sample.ids), cast(int, sample.design["population"])
    name = str(sample.design["name"])
    columns: list[Sequence[object]] = [
        sample.ids, rows.texts, [""] * len(sample), sample.inclusion, sample.strata,
        [size] * len(sample), [name] * len(sample),
    ]  # fmt: skip
    if to.suffix == ".csv":
        table = Table("sample", tuple(Column(title) for title in COLUMNS), tuple(zip(*columns, strict=True)))  # type: ignore[arg-type]
        data = to_csv(table).encode("utf-8")
    else:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), sink)
        data = sink.getvalue().to_pybytes()
    plain = {"corpus": corpus.fingerprint, "rows": len(sample), **sample.design}
    _write(beside, json.dumps(plain, ensure_ascii=False, indent=1).encode("utf-8"))
    _write(to, data)
    return to


def read_sheet(file: str) -> tuple[Corpus, Drawn]:
    """A labelled sheet as a corpus, and how its rows were drawn.

    Raises:
        BadInput: a column is missing or changed, a row has no label, or rows were taken out.
    """
    source = TableFile(file, id="id", meta=dict(META), missing_label="keep", name="sample")
    corpus = source.load()
    unlabelled = [id_ for id_, label in zip(corpus.ids, corpus.labels, strict=True) if label is None]
    if unlabelled:
        raise BadInput(
            f"{file}: {len(unlabelled):,} of {len(corpus):,} rows have no label yet, {unlabelled[0]!r} "
            "first; estimates need every drawn row, for those that are hard to label are not like the others"
        )
    held = {column: corpus.meta_values(column) for column in META}
    for column in ("inclusion", "population", "design"):
        if None in held[column] or (column != "inclusion" and len(set(held[column])) > 1):
            raise BadInput(f"{file}: column {column!r} must be filled as scripts/sample.py wrote it")
    inclusion = np.array(held["inclusion"], np.float64)
    _, strata = np.unique([str(value or "") for value in held["stratum"]], return_inverse=True)
    drawn = Drawn(inclusion, int(cast(float, held["population"][0])), strata.astype(np.int64))
    _check_whole(file, len(corpus), str(held["design"][0]), drawn)
    return corpus, drawn


def judged(predictions: Predictions, corpus: Corpus) -> Predictions:
    """What a run said of the rows of a sheet, with the sheet's labels as gold.

    Raises:
        BadInput: the run did not predict a row, or a label is none of its classes.
    """
    known = set(predictions.ids)
    missing = [id_ for id_ in corpus.ids if id_ not in known]
    if missing:
        raise BadInput(
            f"the run predicted {len(corpus) - len(missing):,} of the {len(corpus):,} rows, not "
            f"{missing[0]!r} for one; draw the sample with of=RUN"
        )
    odd = sorted(set(corpus.classes) - set(predictions.classes))
    if odd:
        raise BadInput(f"the label {odd[0]!r} is none of the run's classes {list(predictions.classes)}")
    rows = predictions.rows(corpus.ids)
    return Predictions(
        rows.ids, rows.parts, tuple(str(label) for label in corpus.labels), rows.classes, rows.probabilities
    )


def estimates_table(scores: Mapping[str, Score]) -> Table:
    """One row a score: value, interval, rows, method."""
    columns = (
        Column("of the population"), Column("estimate", "score"), Column("interval", "interval"),
        Column("rows", "count"), Column("how"),
    )  # fmt: skip
    rows = tuple((s.name, s.value, (s.low, s.high), s.n, s.method) for s in scores.values())
    return Table("Estimated from the sample", columns, rows)


def _check_whole(file: str, rows: int, design: str, drawn: Drawn) -> None:
    """A uniform or stratified sample that lost rows gives itself away: 1/pi no longer adds up to N."""
    stands_for = float(drawn.weights.sum())
    if design in ("uniform", "stratified") and abs(stands_for - drawn.population) > 1e-6 * drawn.population:
        raise BadInput(
            f"{file}: {rows:,} rows stand for {stands_for:,.1f} of a population of {drawn.population:,}: "
            "rows were taken out or added since scripts/sample.py drew them; put them back"
        )


def _write(file: Path, data: bytes) -> None:
    aside = file.parent / f".{file.name}.{secrets.token_hex(4)}.part"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)
