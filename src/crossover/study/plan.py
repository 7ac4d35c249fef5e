"""What a study wants and what it still needs, as kept in ``studies/<name>/plan.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import sealed, unsealed
from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Failure, Store

FILE = "plan.json"


@dataclass(frozen=True)
class Needs:
    """A study beside the store: its runs that are finished, failed and not there.

    ``undecided`` counts the runs of later batches that results will decide; ``command`` goes on
    with the study, empty where it was not started from a script.
    """

    name: str
    command: str
    finished: tuple[str, ...]
    missing: tuple[RunSpec, ...]
    failed: tuple[Failure, ...]
    undecided: int

    @property
    def sentence(self) -> str:
        """How far it is, in one line."""
        wanted = len(self.finished) + len(self.missing) + len(self.failed)
        told = f"{self.name}: {len(self.finished)} of {wanted} runs finished"
        told += f", {len(self.failed)} failed" if self.failed else ""
        told += f", {len(self.missing)} missing" if self.missing else ""
        told += f", {self.undecided} decided later" if self.undecided else ""
        done = len(self.finished) == wanted and not self.undecided
        return told if done or not self.command else f"{told}; go on with: {self.command}"


def save_plan(store: Store, name: str, specs: Sequence[RunSpec], undecided: int, command: str) -> None:
    """Keep what a study wants now; each batch replaces the plan before it."""
    plain = {
        "study": name,
        "command": command,
        "undecided": undecided,
        "wanted": {spec.digest: spec.to_json() for spec in specs},
    }
    store.save_study(name, {FILE: sealed(plain)})


def planned_studies(store: Store) -> dict[str, frozenset[str]]:
    """Digests that each study of the store wants, by the study's name."""
    return {
        file.parent.name: frozenset(cast(Mapping[str, object], _read(store, file.parent.name)["wanted"]))
        for file in sorted((store.root / "studies").glob(f"*/{FILE}"))
    }


def needs(store: Store, prefix: str) -> Needs:
    """What the one study whose name begins so still needs.

    Raises:
        BadInput: none, or more than one, or one without a plan.
    """
    names = [path.name for path in sorted((store.root / "studies").iterdir()) if path.is_dir()]
    found = [name for name in names if prefix and name.startswith(prefix)]
    if len(found) != 1:
        what = f"{len(found)} studies" if found else "no study"
        raise BadInput(f"{what} of {store.root} begin with {prefix!r}; there are {names or 'none'}")
    plain = _read(store, found[0])
    wanted = {
        digest: RunSpec.from_json(cast(Mapping[str, object], spec), f"{found[0]}/{FILE}")
        for digest, spec in cast(Mapping[str, object], plain["wanted"]).items()
    }
    failed = {
        failure.spec.digest: failure for failure in store.failed_runs() if failure.spec.digest in wanted
    }
    finished = tuple(digest for digest in wanted if store.has_run(digest))
    missing = [spec for digest, spec in wanted.items() if digest not in finished and digest not in failed]
    return Needs(
        found[0],
        str(plain["command"]),
        finished,
        tuple(missing),
        tuple(failed.values()),
        int(cast(int, plain["undecided"])),
    )


def _read(store: Store, name: str) -> Mapping[str, object]:
    return unsealed(store.root / "studies" / name / FILE, "delete it and give the study's command again")
