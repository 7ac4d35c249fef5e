"""What a study would run, take and show, before it is run: judged from runs of the same kind in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossover.protocol.power import LEVEL, planned
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.study.study import Study, finished, study_name


@dataclass(frozen=True)
class Expected:
    """Counts and costs of a study before it runs.

    ``later`` runs depend on results not known yet. ``seconds`` and ``bytes`` cover the new runs
    of models that the store has met (``seconds`` None where it has met none); ``unmet`` counts
    the rest. ``power`` says what the test part and the draws can show.
    """

    name: str
    new: int
    kept: int
    later: int
    seconds: float | None
    bytes: int
    unmet: int
    power: str | None


def expected(study: Study, store: Store) -> Expected:
    """Plan without running: what is new, kept and still undecided, time and disk expected."""
    records: dict[str, RunRecord] = {}
    decided: dict[str, RunRecord] = {}
    specs = study.plan(decided)
    while found := finished([spec for spec in specs if spec.digest not in records], store):
        records.update(found)
        if any(spec.digest not in records and not _failed(spec, store) for spec in specs):
            break  # the batch is not over: what follows it is decided by its end, not by its first runs
        decided = dict(records)
        specs = study.plan(decided)
    new = [spec for spec in specs if spec.digest not in records]
    seconds, unmet = _seconds(new, list(store.runs()))
    rows = sum(len(ids) for part, ids in study.split.parts.items() if part != "train")
    return Expected(
        study_name(study),
        len(new),
        len(records),
        study.undecided_runs(decided),
        seconds,
        sum((rows + (spec.subset.size if spec.subset else 0)) * 40 + 6000 for spec in new),
        unmet,
        str(power["sentence"]) if (power := power_of(study)) else None,
    )


def power_of(study: Study) -> dict[str, object] | None:
    """What the study's test part and draws can show, before it is run; None where it reads no test."""
    if not getattr(study, "reads_test", True):
        return None
    split, caps = study.split, [spec.test_rows for spec in study.plan({})]
    units = len({split.groups.get(id_, id_) for id_ in split.test})
    capped = None if None in caps or not caps else max(cap for cap in caps if cap is not None)
    draws = int(getattr(study, "draws", 1))
    level = float(getattr(study, "level", LEVEL))
    return planned(max(min(units, capped or units), 2), max(draws, 1), level=level).to_json()


def _failed(spec: RunSpec, store: Store) -> bool:
    return (store.root / "failed" / f"{spec.digest}-1").is_dir()


def _seconds(new: Sequence[RunSpec], known: Sequence[RunRecord]) -> tuple[float | None, int]:
    """Sum of the median seconds of runs of the same model at the nearest size, and runs without any."""
    met: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for record in known:
        took = record.cost["fit_seconds"] + record.cost["predict_seconds"]
        met[record.spec.model.target].append((_size(record.spec), took))
    total, unmet = 0.0, 0
    for spec in new:
        runs = met.get(spec.model.target)
        if not runs:
            unmet += 1
            continue
        nearest = min((abs(size - _size(spec)), size) for size, _ in runs)[1]
        total += float(np.median([took for size, took in runs if size == nearest]))
    return (None if unmet == len(new) and new else total), unmet


def _size(spec: RunSpec) -> int:
    return spec.subset.size if spec.subset is not None else 1 << 30
