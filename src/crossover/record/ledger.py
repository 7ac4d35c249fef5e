"""The ledger of looks at the test: who has decided something after seeing these test scores.

A look is one verdict, or one run outside a study, on one test part; each is one file under its
name, whole or not there, so that a resume or a second writer does not count twice. Widening for
many looks belongs to whoever concludes or reports, never to a stored run (methods.md 8). Here too
stands, once and with its reason, that a sealed part was opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import sealed, unsealed
from crossover.data.whole_file import write_new, write_whole

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


def note_look(root: Path, test_fingerprint: str, who: str, what: str) -> int:
    """Note that ``who`` (a study or run by name) read this test part; returns the looks so far.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    if not _NAME.fullmatch(who):
        raise ValueError(f"a look is noted under a study's or run's name, not {who!r}")
    folder = root / "test_reads" / test_fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{who}.json"
    if not file.exists():
        write_whole(file, sealed({"who": who, "what": what}))
    return looks(root, test_fingerprint)


def looks(root: Path, test_fingerprint: str) -> int:
    """How many looks at this test part are noted."""
    return len(list((root / "test_reads" / test_fingerprint).glob("*.json")))


def has_looked(root: Path, test_fingerprint: str, who: str) -> bool:
    """Whether this study or run has noted its look at this test part."""
    return (root / "test_reads" / test_fingerprint / f"{who}.json").is_file()


def read_looks(root: Path, test_fingerprint: str) -> list[Mapping[str, str]]:
    """The looks noted, by name.

    Raises:
        BadInput: one is damaged.
    """
    files = sorted((root / "test_reads" / test_fingerprint).glob("*.json"))
    mend = "delete it; the study or run that it names notes its look again when it is given again"
    return [cast(Mapping[str, str], unsealed(file, mend)) for file in files]


def note_opening(root: Path, split: str, opened: str, because: str) -> None:
    """Note that the sealed part of ``split`` became the test part of the split ``opened``; once for good.

    Raises:
        BadInput: it was opened before (with the reason given then).
    """
    file = root / "test_reads" / f"{split}.opened.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_new(file, sealed({"split": split, "opened": opened, "because": because}))
    except FileExistsError:
        before = unsealed(file, "it says when the sealed part was opened: put it back from a copy")
        raise BadInput(
            f"the sealed part of split {split} was opened before, because: {before['because']}. Its rows are "
            f"the test part of split {before['opened']}; a further fresh part needs fresh rows"
        ) from None
