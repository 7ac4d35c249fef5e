"""Many run records to one row a family: mean over seeds and draws, with its interval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import cast

from crossover.measure.metric.metric import metric_named
from crossover.protocol.run_spec import RunSpec
from crossover.report.chart_style import metric_title
from crossover.report.plain_values import Plain, mapping, number, text
from crossover.report.tables import Cell, Column, Interval, Table

_SHA256 = re.compile("[0-9a-f]{64}")


def runs_table(records: Iterable[Plain]) -> Table:
    """A table of runs aggregated by family: same spec but for seeds and draw.

    ``records`` are run records as plain JSON (record.json). Seeds are averaged within a training
    draw first, because the draw is the unit of replication; the 95% interval is then Student's t
    over the draws, over the seeds where there is one draw, and the run's own where there is one
    run. It holds for this test set only and compares nothing: arms are compared in a study,
    paired by draw.
    """
    families: dict[str, list[tuple[RunSpec, Plain]]] = {}
    for record in records:
        spec = RunSpec.from_json(mapping(record, "spec"), f"run {text(record, 'digest', '?')}")
        families.setdefault(spec.family, []).append((spec, record))
    made = [_row(members) for members in families.values()]
    made.sort(key=lambda row: tuple(_order(cell) for cell in row[:6]))
    columns = (
        Column("corpus"),
        Column("split"),
        Column("model"),
        Column("settings"),
        Column("n", "count"),
        Column("metric"),
        Column("mean", "score"),
        Column("interval", "interval"),
        Column("runs", "count"),
        Column("draws", "count"),
        Column("interval over"),
    )
    return Table(
        "Runs by family",
        columns,
        tuple(made),
        "A family is one specification but for seeds and draw. Intervals hold for this test set; to compare "
        "arms, run a study: it pairs them by draw.",
    )


def _row(members: list[tuple[RunSpec, Plain]]) -> tuple[Cell, ...]:
    spec = members[0][0]
    by_draw: dict[int, list[float]] = {}
    for member, record in members:
        value = number(mapping(mapping(record, "scores"), spec.metric), "value")
        if value is not None:
            by_draw.setdefault(member.subset.draw if member.subset else 0, []).append(value)
    mean, interval, how = _mean(by_draw, metric_named(spec.metric).bounds)
    if sum(map(len, by_draw.values())) == 1:
        score = next(
            found for _, record in members
            if number(found := mapping(mapping(record, "scores"), spec.metric), "value") is not None
        )  # fmt: skip
        interval, how = (
            (number(score, "low"), number(score, "high")),
            f"test rows ({text(score, 'method', '?')})",
        )
    return (
        spec.corpus,
        spec.split,
        spec.model.name,
        settings_in_words(spec),
        spec.subset.size if spec.subset else None,
        metric_title(spec.metric),
        mean,
        interval,
        sum(map(len, by_draw.values())),
        len(by_draw),
        how,
    )


def settings_in_words(spec: RunSpec) -> str:
    """What of the model's settings and of the protocol differs from the defaults, else ``defaults``."""
    settings = cast(Mapping[str, object], spec.model.to_json().get("settings", {}))
    shown = "; ".join(f"{name} = {_in_words(value)}" for name, value in sorted(settings.items()))
    return "; ".join(part for part in (shown, _protocol(spec)) if part) or "defaults"


def _in_words(value: object) -> str:
    """A setting: a component as ``word_tfidf(min_df = 2)``, a SHA-256 by its first digits."""
    if isinstance(value, Mapping):
        inner = value.get("settings", {}) if "target" in value else value
        shown = ", ".join(f"{name} = {_in_words(item)}" for name, item in sorted(inner.items()))
        if "target" not in value:
            return shown
        name = str(value["target"]).split(".")[-2]
        return f"{name}({shown})" if shown else name
    if isinstance(value, list):
        return f"[{', '.join(map(_in_words, value))}]"
    return value[:8] if isinstance(value, str) and _SHA256.fullmatch(value) else str(value)


def _protocol(spec: RunSpec) -> str:
    """What of the protocol differs from the defaults."""
    parts = [f"budget {spec.budget}"] if spec.budget != 1 else []
    if spec.selection != "inside":
        parts.append(f"selection {spec.selection}")
    if spec.subset is not None and spec.subset.scheme != "natural":
        parts.append(f"{spec.subset.scheme} subset")
    if spec.test_rows is not None:
        parts.append(f"test capped at {spec.test_rows}")
    return "; ".join(parts)


def _mean(
    by_draw: Mapping[int, list[float]], bounds: tuple[float, float]
) -> tuple[float | None, Interval, str]:
    if not by_draw:
        return None, (None, None), "no score"
    units, how = [math.fsum(values) / len(values) for _, values in sorted(by_draw.items())], "draws"
    if len(units) == 1:
        units, how = next(iter(by_draw.values())), "seeds of one draw"
    mean = math.fsum(units) / len(units)
    if len(units) == 1:
        return mean, (None, None), "one run"
    from scipy.special import stdtrit

    if len(set(units)) == 1:
        return mean, (None, None), f"{len(units)} equal {how}: nothing to measure a spread by"
    variance = math.fsum((value - mean) ** 2 for value in units) / (len(units) - 1)
    half = float(stdtrit(len(units) - 1, 0.975)) * math.sqrt(variance / len(units))
    low, high = max(bounds[0], mean - half), min(bounds[1], mean + half)
    return mean, (low, high), f"{len(units)} {how}, t"


def _order(cell: Cell) -> tuple[int, float, str]:
    if isinstance(cell, (int, float)):
        return (0, float(cell), "")
    return (1, 0.0, str(cell))
