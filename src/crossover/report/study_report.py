"""A study's end on disk: verdict.json, the page beside it, its figures, and the W&B mirror."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from crossover.data.sealed_json import sealed
from crossover.record import ledger, look_budget
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.looked import looked_numbers
from crossover.report.verdict_page import write_report
from crossover.split.audit import audit
from crossover.split.recommended import FILE as RECOMMENDED
from crossover.study.expected import power_of
from crossover.study.fitted_elsewhere import fitted_elsewhere
from crossover.study.registered import held_against, register
from crossover.study.study import Result, Study

Json = dict[str, object]


def publish(
    result: Result, study: Study, store: Store, command: str, mirror: WandbMirror, goal: str | None = None
) -> Path:
    """Write ``studies/<name>/verdict.json``, ``report.html`` and figures; returns the page's path.

    What surrounds the verdict (the split's audit against the goal, looks at the test, failures, commands,
    environment) is added here, where the store is at hand. A split that the study recommends is
    written beside it.
    """
    verdict = result.verdict.to_json()
    numbers = dict(cast(Mapping[str, object], verdict["numbers"]))
    findings = [f.to_json() for f in (*audit(study.corpus, study.split, goal=goal), *fitted_elsewhere(study))]
    numbers["split"] = {**cast(Json, numbers["split"]), "findings": findings}
    numbers["looks"] = ledger.looks(store.root, study.split.test_fingerprint)
    if getattr(study, "reads_test", True):
        numbers["test_budget"] = _looks(study, store, cast("float | None", numbers.get("level")))
    runs = sorted(result.records)
    corpus, split = study.corpus.fingerprint, study.split.fingerprint
    numbers["looked"] = looked_numbers(store.root, corpus, split, runs, command)
    numbers["power"] = power_of(study)
    numbers["hypothesis"] = held_against(register(None, study, store), numbers)
    numbers["failures"] = [{"digest": o.spec.digest, "error": o.error} for o in result.failures]
    numbers["commands"] = {"study": command, "report": f"python scripts/report.py of={result.name}"}
    newest = next(iter(result.records.values()), None)
    numbers["environment"] = dict(newest.environment) if newest is not None else {}
    verdict["numbers"] = numbers
    files = {"verdict.json": sealed(verdict)}
    if best := cast(Mapping[str, str], numbers.get("recommended_split", {})):
        files[RECOMMENDED] = best["yaml"].encode("utf-8")
    folder = store.save_study(result.name, files)
    page = write_report(verdict, folder)
    groups = groups_of(result.records.values())
    mirror.study(result.name, verdict, store.root / "wandb", tables(numbers), figures(folder), groups)
    mirror.finish()
    return page


def _looks(study: Study, store: Store, level: float | None) -> Json:
    units = len({study.split.groups.get(id_, id_) for id_ in study.split.test})
    return look_budget.told(store.root, study.split.test_fingerprint, units, level)


def tables(numbers: Mapping[str, object]) -> dict[str, list[Mapping[str, object]]]:
    """The learning curves and differences of a verdict as flat rows, and the tables it states itself."""
    stated = cast(Mapping[str, list[Mapping[str, object]]], numbers.get("tables", {}))
    arms = cast(Mapping[str, Mapping[str, object]], numbers.get("arms", {}))
    curves: list[Mapping[str, object]] = [
        {"arm": arm, **_flat(point)}
        for arm, shown in arms.items()
        for point in cast(Sequence[Mapping[str, object]], shown.get("curve", ()))
    ]
    differences: list[Mapping[str, object]] = [
        {"cheap": pair["cheap"], "expensive": pair["expensive"], **_flat(point)}
        for pair in cast(Sequence[Mapping[str, object]], numbers.get("pairs", ()))
        for point in cast(Sequence[Mapping[str, object]], pair.get("differences", ()))
    ]
    own = {"curves": curves, "differences": differences, **stated}
    return {name: rows for name, rows in own.items() if rows}


def groups_of(records: Iterable[RunRecord]) -> list[str]:
    """The families of these runs, which are their groups in W&B."""
    return sorted({record.spec.family for record in records})


def figures(folder: Path) -> list[Path]:
    """The PNG figures of a study's folder, by name."""
    return sorted((folder / "figures").glob("*.png"))


def _flat(point: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in point.items() if not isinstance(value, list)}
