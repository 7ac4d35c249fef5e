"""W&B mirror: a copy of finished records and verdicts for comparing in the browser.

The local record is the truth. Mirroring happens after it is committed and never stops or slows a
run: entries wait until their sending takes under 1% of the time gone by, one that takes longer goes on
by itself, the rest is sent at the end of the command, within a bounded wait. What is not sent is counted
and said once. An entry that was sent is marked under ``mirrored/`` and never sent twice. Group = spec
without seeds and draw, job type = run, study or look, config = the spec as plain values.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from crossover.data.bad_input import BadInput
from crossover.record.run_record import RunRecord

MODES = ("offline", "online", "disabled")
SHARE = 0.01
"""Of the time a command has run, what the mirror may have taken of it before the end."""
FIRST_SECONDS = 3.0
"""What the first entry is expected to take, with W&B's import and start."""
FAILURES_IN_A_ROW = 3
"""After so many the mirror is given up for this command; so it is after one entry that does not end."""
QUIET = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
"""W&B's own reports of its errors hold stack traces: not sent, unless these variables say otherwise."""


@dataclass(frozen=True)
class Entry:
    """Something to be sent: its name, the folder W&B writes to, its content's hash, and how it is sent."""

    name: str
    folder: Path
    content: str
    send: Callable[[], None]

    @property
    def mark(self) -> Path:
        """The file that says it was sent."""
        return self.folder / "mirrored" / f"{self.name}.json"


class Sending:
    """An entry that is being sent, in a thread that nobody has to wait for."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.error: BaseException | None = None
        self.began, self.waited = time.monotonic(), 0.0
        self._thread = threading.Thread(target=self._send, name="wandb-mirror", daemon=True)
        self._thread.start()

    def _send(self) -> None:
        try:
            self.entry.send()
        except BaseException as error:  # whatever W&B raises, the record is safe and the study goes on
            self.error = error

    def ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds; they are added to ``waited``."""
        began = time.monotonic()
        self._thread.join(seconds)
        self.waited += time.monotonic() - began
        return not self._thread.is_alive()


@dataclass
class WandbMirror:
    """Where the mirror goes: ``mode`` offline, online or disabled; key from the environment only.

    ``WANDB_MODE`` in the environment overrides ``mode``. One entry, and all that is left at the end
    of a command, may take ``patience`` seconds. ``behind`` counts what W&B did not take.
    """

    mode: str = "offline"
    project: str = "crossover"
    entity: str | None = None
    patience: float = 30.0
    behind: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.mode = os.environ.get("WANDB_MODE", self.mode)
        if self.mode not in MODES:
            raise BadInput(f"wandb.mode={self.mode!r}: expected one of {MODES}")
        if self.patience <= 0:
            raise BadInput(f"wandb.patience={self.patience}: expected seconds above 0")
        self._began = time.monotonic()
        self._waiting: deque[Entry] = deque()
        self._sending: Sending | None = None
        self._took: list[float] = []
        self._in_a_row = 0
        self._given_up = False
        self._reason = self._root = ""

    def run(self, record: RunRecord, folder: Path, studies: Sequence[str] = ()) -> None:
        """Mirror one finished run under ``folder`` (W&B makes its own directory there).

        ``studies`` are the names of those that want it; they are among its tags.
        """
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
        self._take(
            record.digest,
            record.predictions_sha256,
            folder,
            group=spec.family,
            job_type="run",
            name=f"{spec.model.name}-{size}-{record.digest[:8]}",
            tags=[str(record.recipe.get("corpus", "")), spec.model.name, f"n={size}", *studies],
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
        groups: Sequence[str] = (),
    ) -> None:
        """Mirror one verdict with its tables (rows of plain values) and figures (PNG files).

        ``groups`` are the families of its runs, by which they are found in W&B.
        """
        text = json.dumps(verdict, sort_keys=True, ensure_ascii=False, default=str)
        self._take(
            name,
            hashlib.sha256(text.encode("utf-8")).hexdigest(),
            folder,
            group=name,
            job_type="study",
            name=name,
            tags=[str(verdict["study"]), str(verdict["kind"])],
            config={
                "study": verdict["study"],
                "runs": list(cast(Sequence[str], verdict["runs"])),
                "groups": list(groups),
            },
            summary={key: verdict[key] for key in ("sentence", "kind", "population", "next_step")},
            history=[],
            tables=tables,
            figures=figures,
        )

    def look(
        self,
        name: str,
        corpus: str,
        about: Mapping[str, object],
        folder: Path,
        findings: Sequence[Mapping[str, object]],
    ) -> None:
        """Mirror the findings of one look as the table ``look``; the caller has left out what may not go."""
        text = json.dumps([dict(about), list(findings)], sort_keys=True, ensure_ascii=False, default=str)
        self._take(
            name,
            hashlib.sha256(text.encode("utf-8")).hexdigest(),
            folder,
            group=f"look-{about['corpus']}",
            job_type="look",
            name=name,
            tags=[corpus, "look", str(about["stage"])],
            config=dict(about),
            summary={"findings": len(findings)},
            history=[],
            tables={"look": findings} if findings else {},
        )

    def flush(self, seconds: float = math.inf) -> None:
        """Send what waits, for so many seconds at most."""
        until = time.monotonic() + seconds
        while (self._sending or self._waiting) and not self._given_up:
            left = until - time.monotonic()
            if left <= 0:
                self._reason = self._reason or f"{seconds:.0f} s did not suffice"
                break
            wait = min(left, self.patience)
            if not self._sent_one(wait):
                self._reason, self._given_up = f"no answer in {wait:.0f} s", True
        if self._given_up:
            self._leave_behind()

    def finish(self) -> None:
        """Send what waits within ``patience`` seconds; say once how much the mirror is behind."""
        self.flush(self.patience)
        self._leave_behind()
        if self.behind:
            warnings.warn(
                f"W&B mirror behind by {self.behind} runs ({self._reason}); the local record is complete. "
                f"Send them with python scripts/mirror.py store={self._root}, or turn the mirror off with "
                "wandb.mode=disabled",
                stacklevel=2,
            )

    def _take(self, named: str, content: str, folder: Path, **about: Any) -> None:
        """Let an entry wait, unless it was sent already; send what may be sent without being felt."""
        entry = Entry(named, folder, content, lambda: self._send(folder, **about))
        if self.mode == "disabled" or self._is_sent(entry):
            return
        self._root = str(folder.parent)
        self._waiting.append(entry)
        while (self._sending or self._waiting) and not self._given_up:
            allowed = SHARE * (time.monotonic() - self._began) - math.fsum(self._took)
            if self._sending is not None:
                allowed -= self._sending.waited
            elif (max(self._took[1:], default=0.1) if self._took else FIRST_SECONDS) > allowed:
                break
            if not self._sent_one(min(max(allowed, 0.0), self.patience)):
                break  # it goes on by itself: no run waits for it

    def _is_sent(self, entry: Entry) -> bool:
        try:
            return bool(json.loads(entry.mark.read_text(encoding="utf-8")) == self._marked(entry))
        except (OSError, ValueError):
            return False

    def _marked(self, entry: Entry) -> dict[str, object]:
        return {"project": self.project, "entity": self.entity, "content": entry.content}

    def _sent_one(self, seconds: float) -> bool:
        """Begin to send the first that waits, unless one is being sent; whether that ends in time."""
        if self._sending is None:
            entry = self._waiting.popleft()
            if self._is_sent(entry):  # by another process on this store, while it waited here
                return True
            self._sending = Sending(entry)
        if not self._sending.ended(seconds):
            return False
        sent, self._sending = self._sending, None
        self._took.append(time.monotonic() - sent.began)
        if sent.error is None:
            self._in_a_row = 0
            sent.entry.mark.parent.mkdir(parents=True, exist_ok=True)
            sent.entry.mark.write_text(json.dumps(self._marked(sent.entry)), encoding="utf-8")
            return True
        self._in_a_row += 1
        self._reason = f"{type(sent.error).__name__}: {sent.error}"
        self._given_up = self._in_a_row >= FAILURES_IN_A_ROW
        self.behind += 1
        return True

    def _leave_behind(self) -> None:
        self.behind += len(self._waiting) + (self._sending is not None)
        self._waiting.clear()
        self._sending = None

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
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import wandb

        with wandb.init(
            mode=cast(Any, self.mode),
            project=self.project,
            entity=self.entity,
            dir=str(folder),
            settings=_lean(wandb, self.patience),
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


def _lean(wandb: Any, patience: float) -> Any:
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
        init_timeout=patience,
    )


def _table(wandb: Any, rows: Sequence[Mapping[str, object]]) -> Any:
    columns = list(rows[0]) if rows else []
    return wandb.Table(columns=columns, data=[[row.get(column) for column in columns] for row in rows])
