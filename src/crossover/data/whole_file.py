"""A file that is there whole or not at all, and what is said where the disk is full.

Written aside, its room set aside first, synced, put in place by one rename.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

STORE = "name another folder with store=..."
"""What mends a full disk where the file lies in the results folder."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No room on the device, in the user's quota, below the limit of one file."""


def write_whole(file: Path, data: bytes, mend: str = STORE) -> None:
    """Write or replace a file; where that fails, what was there before is there still.

    Raises:
        OSError: it cannot be written; names the file, the room needed and ``mend``.
    """
    _write(file, data, mend, os.replace)


def write_new(file: Path, data: bytes, mend: str = STORE) -> None:
    """Write a file that nobody else has written: of several writers one wins, the others are told.

    Raises:
        FileExistsError: there is one already.
        OSError: it cannot be written; names the file, the room needed and ``mend``.
    """
    _write(file, data, mend, _link)


def _write(file: Path, data: bytes, mend: str, put: Callable[[Path, Path], object]) -> None:
    aside = file.parent / f".{file.name[:16]}.{os.getpid()}.{secrets.token_hex(4)}.part"
    try:
        with open(aside, "xb") as handle:
            reserve(handle.fileno(), len(data))
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        put(aside, file)
    except FileExistsError:
        raise
    except OSError as error:
        raise unwritten(error, file, len(data), mend) from error
    finally:
        aside.unlink(missing_ok=True)


def _link(aside: Path, file: Path) -> None:
    """The same bytes under the name, unless the name is taken."""
    try:
        os.link(aside, file)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # A file system without hard links: the name is taken first, its bytes come after.
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o644))
        os.replace(aside, file)


def unwritten(error: OSError, what: Path | str, size: float, mend: str = STORE) -> OSError:
    """The same error in words for the user: what was written, what room it needs, and the remedy.

    ``size`` is in bytes, roughly; the caller has seen to it that nothing is left.
    """
    need = f"; about {max(size / 1e6, 0.1):.1f} MB are needed" if error.errno in FULL else ""
    return OSError(
        error.errno,
        f"{error.strerror or error} while writing {what}{need}; nothing was left there. "
        f"Free space, or {mend}",
    )


def reserve(handle: int, size: int) -> None:
    """Have the file system set the room aside, or say at once that it is full.

    Raises:
        OSError: there is not that much room.
    """
    try:
        os.posix_fallocate(handle, 0, size)
    except AttributeError:
        return  # not every system has it
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
