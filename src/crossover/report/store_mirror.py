"""A whole store mirrored in W&B: every run, verdict and look that was not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from crossover.data.sealed_json import unsealed
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.look_report import mirror_look
from crossover.report.study_report import figures, groups_of, tables
from crossover.report.verdict_page import stored_verdict
from crossover.study.plan import planned_studies


@dataclass(frozen=True)
class Mirrored:
    """How many runs, verdicts and looks the store holds, and how many of them W&B did not take."""

    runs: int
    studies: int
    looks: int
    behind: int


def mirror_store(
    store: Store, mirror: WandbMirror, on_step: Callable[[int, int, str], None] | None = None
) -> Mirrored:
    """Send what is not marked as sent, one after another; again, and nothing is sent.

    A run carries the names of the studies that want it among its tags.
    """
    folder, digests = store.root / "wandb", store.digests()
    wanted_by = planned_studies(store)
    for k, digest in enumerate(digests, 1):
        names = [name for name, wanted in wanted_by.items() if digest in wanted]
        mirror.run(store.run(digest), folder, names)
        mirror.flush()
        if on_step is not None:
            on_step(k, len(digests), "runs")
    verdicts = sorted((store.root / "studies").glob("*/verdict.json"))
    for file in verdicts:
        verdict = stored_verdict(file.parent)
        numbers = cast(Mapping[str, object], verdict["numbers"])
        known = [digest for digest in cast(Sequence[str], verdict["runs"]) if store.has_run(digest)]
        groups = groups_of(store.run(digest) for digest in known)
        mirror.study(file.parent.name, verdict, folder, tables(numbers), figures(file.parent), groups)
        mirror.flush()
    pages = sorted((store.root / "looks").glob("*/*/findings.json"))
    for file in pages:
        found = unsealed(file, "delete it and look again")
        mirror_look(mirror, found, file.parent.parent.name, file.parent.name, store)
        mirror.flush()
    mirror.finish()
    return Mirrored(len(digests), len(verdicts), len(pages), mirror.behind)
