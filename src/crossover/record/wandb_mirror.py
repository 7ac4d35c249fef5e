"""W&B mirror: a copy of finished records and verdicts for comparing in the browser.

The local record is the truth. Mirroring happens after it is committed and never stops a run:
what W&B refuses is counted and said. Group = spec without seeds and draw, job type = run or
study, config = the spec as plain values.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from crossover.data.bad_input import BadInput
from crossover.record.run_record import RunRecord

MODES = ("offline", "online", "disabled")


@dataclass
class WandbMirror:
    """Where the mirror goes: ``mode`` offline, online or disabled; key from the environment only.

    ``WANDB_MODE`` in the environment overrides ``mode``. ``behind`` counts what W&B refused.
    """

    mode: str = "offline"
    project: str = "crossover"
    entity: str | None = None
    behind: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.mode = os.environ.get("WANDB_MODE", self.mode)
        if self.mode not in MODES:
            raise BadInput(f"wandb.mode={self.mode!r}: expected one of {MODES}")

    def run(self, record: RunRecord, folder: Path) -> None:
        """Mirror one finished run under ``folder`` (W&B makes its own directory there)."""
        spec = record.spec
        size = spec.subset.size if spec.subset else "all"
        with_scores = {f"test/{name}": score.value for name, score in record.scores.items()}
        intervals = {
            f"test/{name}/{end}": getattr(score, end)
            for name, score in record.scores.items()
            for end in ("low", "high")
            if "/" not in name
        }
        cost = {f"cost/{name}": value for name, value in record.cost.items()}
        self._send(
            folder,
            group=spec.family,
            job_type="run",
            name=f"{spec.model.name}-{size}-{record.digest[:8]}",
            tags=[str(record.recipe.get("corpus", "")), spec.model.name, f"n={size}"],
            config={**spec.to_json(), "digest": record.digest},
            summary={**with_scores, **intervals, **cost},
            history=record.history,
        )

    def study(
        self,
        name: str,
        verdict: Mapping[str, object],
        folder: Path,
        tables: Mapping[str, Sequence[Mapping[str, object]]],
        figures: Sequence[Path],
    ) -> None:
        """Mirror one verdict with its tables (rows of plain values) and figures (PNG files)."""
        self._send(
            folder,
            group=name,
            job_type="study",
            name=name,
            tags=[str(verdict["study"]), str(verdict["kind"])],
            config={"study": verdict["study"], "runs": list(cast(Sequence[str], verdict["runs"]))},
            summary={key: verdict[key] for key in ("sentence", "kind", "population", "next_step")},
            history=[],
            tables=tables,
            figures=figures,
        )

    def _send(
        self,
        folder: Path,
        *,
        summary: Mapping[str, object],
        history: Sequence[Mapping[str, float]],
        tables: Mapping[str, Sequence[Mapping[str, object]]] | None = None,
        figures: Sequence[Path] = (),
        **about: Any,
    ) -> None:
        if self.mode == "disabled":
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            import wandb

            with wandb.init(
                mode=cast(Any, self.mode),
                project=self.project,
                entity=self.entity,
                dir=str(folder),
                settings=_lean(wandb),
                **{**about, "tags": [tag[:64] for tag in about["tags"] if tag]},
            ) as run:
                for row in history:
                    # "turns on: WORD" names a feature of the data: thousands of those are no metrics.
                    run.log({f"train/{key}": value for key, value in row.items() if ": " not in key})
                for title, rows in (tables or {}).items():
                    run.log({title: _table(wandb, rows)})
                for figure in figures:
                    run.log({f"figure/{figure.stem}": wandb.Image(str(figure))})
                run.summary.update({key: value for key, value in summary.items() if value is not None})
        except Exception as error:  # whatever W&B raises, the record is safe and the study goes on
            self.behind += 1
            if self.behind == 1:
                warnings.warn(
                    f"W&B mirror failed ({type(error).__name__}: {error}); the local record is complete. "
                    "Turn the mirror off with wandb.mode=disabled",
                    stacklevel=3,
                )


def _lean(wandb: Any) -> Any:
    """Settings without console capture, code, git or machine probes: ~15 ms a run."""
    return wandb.Settings(
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_save_requirements=False,
        x_disable_machine_info=True,
        host="",
        symlink=False,
        silent=True,
    )


def _table(wandb: Any, rows: Sequence[Mapping[str, object]]) -> Any:
    columns = list(rows[0]) if rows else []
    return wandb.Table(columns=columns, data=[[row.get(column) for column in columns] for row in rows])
