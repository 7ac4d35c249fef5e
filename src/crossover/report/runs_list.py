"""Runs of a store as tables: each finished run a row, failures with what runs them again, what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossover.data.bad_input import BadInput
from crossover.measure.metric.metric import all_metrics
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Failure
from crossover.report.chart_style import metric_title
from crossover.report.plain_values import Plain, mapping, number, text
from crossover.report.runs_table import settings_in_words
from crossover.report.tables import Cell, Column, Table


@dataclass(frozen=True)
class Filter:
    """Which runs are meant; None is any.

    ``corpus`` is a corpus's name or the beginning of its fingerprint, ``size`` a number of training
    rows or ``all`` (the whole train part), ``digests`` the runs of a study. ``metric`` is the score
    shown, each run's metric of record where it is None.

    Raises:
        BadInput: there is no such metric, or the size is no number.
    """

    model: str | None = None
    corpus: str | None = None
    size: str | None = None
    metric: str | None = None
    digests: Collection[str] | None = None

    def __post_init__(self) -> None:
        names = [metric.name for metric in all_metrics()]
        if self.metric is not None and self.metric not in names:
            raise BadInput(f"metric={self.metric}: there is no such metric; there are {names}")
        if self.size not in (None, "all") and not str(self.size).isdigit():
            raise BadInput(f"size={self.size}: expected a number of training rows, or all")

    def keeps(self, spec: Plain, digest: str, corpus: str = "") -> bool:
        """Whether a run is meant, by its spec as plain values."""
        size = mapping(spec, "subset").get("size")
        return (
            (self.model is None or self.model == model_name(spec))
            and (self.size is None or self.size == ("all" if size is None else str(size)))
            and (self.digests is None or digest in self.digests)
            and (
                self.corpus is None
                or self.corpus == corpus
                or text(spec, "corpus", "").startswith(self.corpus)
            )
        )


def model_name(spec: Plain) -> str:
    """The model of a spec as plain values: ``naive_bayes``."""
    return text(mapping(spec, "model"), "target", "..").split(".")[-2]


def runs_list(records: Iterable[Plain], wanted: Filter) -> Table:
    """One row a finished run that the filter keeps, by model, size, draw and seeds.

    ``records`` are run records as plain JSON (record.json).
    """
    rows: list[tuple[Cell, ...]] = []
    seen = 0
    for record in records:
        seen += 1
        spec, digest = mapping(record, "spec"), text(record, "digest", "?")
        corpus = text(mapping(record, "recipe"), "corpus", "")
        if wanted.keeps(spec, digest, corpus):
            rows.append(_row(record, spec, digest, corpus, wanted.metric))
    rows.sort(key=lambda row: tuple((isinstance(cell, str), cell or 0) for cell in row[1:7]))
    columns = (
        *_COLUMNS,
        Column("metric"),
        Column("value", "score"),
        Column("interval", "interval"),
        Column("labels", "count"),
        Column("fit, s", "quantity"),
        Column("environment"),
    )
    note = f"{len(rows):,} of {seen:,} finished runs. Each is one look at its test rows; a study compares."
    return Table("Runs", columns, tuple(rows), note)


def failures_table(failures: Sequence[Failure], wanted: Filter, commands: Mapping[str, str]) -> Table:
    """One row a run that failed and was not finished since, with the command that runs it again.

    ``commands`` are those of studies, by the digests they want, for failures that keep none of their own.
    """
    rows = [
        (*_about(failure.spec.to_json(), failure.spec.digest, failure.spec.corpus), failure.error,
         failure.times, failure.command or commands.get(failure.spec.digest, "the command it came from"))
        for failure in failures
        if wanted.keeps(failure.spec.to_json(), failure.spec.digest)
    ]  # fmt: skip
    columns = (*_COLUMNS, Column("error"), Column("times", "count"), Column("again with"))
    return Table(
        "Failed runs", columns, tuple(rows), f"{len(rows):,} runs failed and were not finished since"
    )


def missing_table(missing: Sequence[RunSpec]) -> Table:
    """One row a run that a study wants and the store does not hold."""
    rows = [_about(spec.to_json(), spec.digest, spec.corpus) for spec in missing]
    return Table("Missing runs", _COLUMNS, tuple(rows))


_COLUMNS = (
    Column("run"),
    Column("corpus"),
    Column("model"),
    Column("settings"),
    Column("n", "count"),
    Column("draw", "count"),
    Column("seeds"),
)


def _about(spec: Plain, digest: str, corpus: str) -> tuple[Cell, ...]:
    subset, seeds = mapping(spec, "subset"), mapping(spec, "seeds")
    shown = ", ".join(str(int(number(seeds, name) or 0)) for name in ("initialisation", "order"))
    settings = settings_in_words(RunSpec.from_json(spec, f"run {digest}"))
    return (
        digest,
        corpus,
        model_name(spec),
        settings,
        _whole(subset, "size"),
        _whole(subset, "draw"),
        shown,
    )


def _whole(plain: Plain, key: str) -> int | None:
    found = number(plain, key)
    return None if found is None else int(found)


def _row(record: Plain, spec: Plain, digest: str, corpus: str, metric: str | None) -> tuple[Cell, ...]:
    name = metric or text(spec, "metric", "macro_f1")
    score, cost = mapping(mapping(record, "scores"), name), mapping(record, "cost")
    return (
        *_about(spec, digest, corpus),
        metric_title(name),
        number(score, "value"),
        (number(score, "low"), number(score, "high")),
        _whole(cost, "labels"),
        number(cost, "fit_seconds"),
        text(mapping(record, "environment"), "fingerprint", ""),
    )
