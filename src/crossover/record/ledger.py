"""The ledger of looks at the test: who has decided something after seeing these test scores.

A look is one verdict, or one run outside a study, on one test part; each is one file under its
name, whole or not there, so that a resume or a second writer does not count twice. Widening for
many looks belongs to whoever concludes or reports, never to a stored run (methods.md 8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from crossover.data.sealed_json import sealed, unsealed
from crossover.data.whole_file import write_whole

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


def read_looks(root: Path, test_fingerprint: str) -> list[Mapping[str, str]]:
    """The looks noted, by name.

    Raises:
        BadInput: one is damaged.
    """
    files = sorted((root / "test_reads" / test_fingerprint).glob("*.json"))
    mend = "delete it; the study or run that it names notes its look again when it is given again"
    return [cast(Mapping[str, str], unsealed(file, mend)) for file in files]
