"""The log of looks at data: who has looked at which rows, what was found and what was decided.

One file a look under ``looks/<corpus>/log/``, linked into place whole and never changed; a correction is
another look. Looks at the scores of a test part are counted apart, in ledger.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import sealed, unsealed
from crossover.data.whole_file import write_new

STAGES = ("raw", "split", "model")
"""When a look was taken: at the data alone, after the split, after a model."""

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_MOST = 1_000_000


@dataclass(frozen=True)
class LookNote:
    """One look. ``by`` is free text, empty where nobody put their name to it; so are ``expertise``,
    ``found`` and ``decided``.

    ``ids`` are the rows put before the reader, ``findings`` the codes shown with them, ``runs`` the digests
    of the runs whose predictions were shown, ``page`` the folder of the page. ``when`` is the wall clock in
    UTC and only informs.
    """

    stage: str
    corpus: str
    split: str
    runs: tuple[str, ...]
    ids: tuple[str, ...]
    findings: tuple[str, ...]
    page: str
    by: str = ""
    expertise: str = ""
    found: str = ""
    decided: str = ""
    when: str = ""

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f"stage {self.stage!r} of a look: one of {STAGES}")

    @property
    def signed(self) -> bool:
        """Whether somebody put a name to it: a page that was made has not been read yet."""
        return bool(self.by.strip())

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> LookNote:
        """From one file of the log."""
        lists = {key: tuple(cast(Sequence[str], plain[key])) for key in ("runs", "ids", "findings")}
        return cls(**{**plain, **lists})  # type: ignore[arg-type]


def note_look(root: Path, note: LookNote) -> Path:
    """Add a look to the log of its corpus; returns its file, numbered by the first free number.

    ``when`` is filled in where it is empty. Two writers take two numbers.

    Raises:
        BadInput: the log cannot be written.
    """
    folder = _folder(root, note.corpus)
    when = note.when or datetime.now(UTC).isoformat(timespec="seconds")
    data = sealed({**asdict(note), "when": when})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(len(list(folder.glob("*.json"))) + 1, _MOST):
            file = folder / f"{number:06d}.json"
            try:
                write_new(file, data)
            except FileExistsError:
                continue
            return file
    except OSError as error:
        raise BadInput(
            f"the look cannot be noted in {folder} ({error.strerror or error}); name a folder you can "
            "write with store=..."
        ) from None
    raise BadInput(f"{folder} holds {_MOST:,} looks; move some away")


def looks_of(root: Path, corpus: str) -> list[LookNote]:
    """The looks at this corpus, oldest number first.

    Raises:
        BadInput: a file of the log is damaged.
    """
    notes = []
    for file in sorted(_folder(root, corpus).glob("*.json")):
        plain = unsealed(file, "move it away")
        try:
            notes.append(LookNote.from_json(plain))
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{file} is no look of this version ({error}); move it away") from None
    return notes


def looked(notes: Sequence[LookNote], split: str, runs: Sequence[str]) -> list[dict[str, object]]:
    """For each stage the looks that bear on a split and these runs, as plain values, without ids.

    A look after the split counts where it was at this split, a look after a model where one of its runs is
    among ``runs``. ``signed`` says whether anybody named did; the last signed one is told, else the last.
    """
    made: list[dict[str, object]] = []
    for stage in STAGES:
        here = [
            note
            for note in notes
            if note.stage == stage
            and (stage == "raw" or note.split == split)
            and (stage != "model" or set(note.runs) & set(runs))
        ]
        signed = [note for note in here if note.signed]
        told = {}
        if here:
            last = asdict((signed or here)[-1])
            told = {key: last[key] for key in ("by", "expertise", "when", "found", "decided", "page")}
        made.append({"stage": stage, "looks": len(here), "signed": len(signed), **told})
    return made


def _folder(root: Path, corpus: str) -> Path:
    if not _FINGERPRINT.fullmatch(corpus):
        raise ValueError(f"looks are noted under a corpus's fingerprint, not {corpus!r}")
    return root / "looks" / corpus / "log"
