"""How much memory a process may still take, so that what cannot fit is refused and not killed."""

from __future__ import annotations

import re
from pathlib import Path

from crossover.data.bad_input import BadInput

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells of the machine's memory and of the limit of the container."""


def free_memory() -> int | None:
    """Bytes that can be had: of the machine or below the container's limit. None: not told here."""
    known = [bytes_ for bytes_ in (_of_machine(), _of_container()) if bytes_ is not None]
    return min(known, default=None)


def check_room(room: float, what: str, mend: str) -> None:
    """Refuse what would take more than is free: a process that does is killed without a word.

    Args:
        room: bytes.
        what: ``reading all of it``.
        mend: what to do instead.

    Raises:
        BadInput: it would not fit.
    """
    free = free_memory()
    if free is not None and room > free:
        raise BadInput(
            f"{what} takes {room / 1e9:,.1f} GB of memory or more and {free / 1e9:,.1f} GB are free; {mend}"
        )


def _of_machine() -> int | None:
    try:
        told = re.search(r"^MemAvailable:\s+(\d+) kB", MEMINFO.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(told[1]) * 1024 if told else None


def _of_container() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(int(limit) - used, 0)
