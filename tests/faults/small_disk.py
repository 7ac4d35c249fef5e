"""A disk that can be filled to the last byte, and a stand-in for it where nothing may be mounted."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 2**20


class SmallDisk:
    """A folder on a file system of its own, or one below whose files none may grow.

    Attributes:
        folder: where to write.
        real: whether it is a file system; else the process may write no file beyond a limit.
    """

    def __init__(self, folder: Path, real: bool) -> None:
        self.folder, self.real = folder, real
        self._ballast = folder / "ballast"
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes."""
        if not self.real:
            resource.setrlimit(resource.RLIMIT_FSIZE, (leave, self._before[1]))
            return
        with open(self._ballast, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        kept = self._ballast.stat().st_size - leave
        os.truncate(self._ballast, kept - kept % 4096)

    def free(self) -> None:
        """Make room again."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
        self._ballast.unlink(missing_ok=True)

    def read_only(self) -> None:
        """From now on nothing may be written, not even by root."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def files(self) -> dict[str, int]:
        """Every file and folder with its size, but for what fills the disk."""
        found = [path for path in self.folder.rglob("*") if path != self._ballast]
        return {
            str(path.relative_to(self.folder)): path.stat().st_size if path.is_file() else 0 for path in found
        }


@contextmanager
def small_disk(folder: Path, megabytes: int = 4) -> Iterator[SmallDisk | None]:
    """A real one, mounted for the block; None where this user may not mount."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(["mount", *options], capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        yield None
        return
    disk = SmallDisk(folder, True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def limited(folder: Path) -> Iterator[SmallDisk]:
    """The stand-in: a limit on the size of any file of this process."""
    folder.mkdir()
    disk = SmallDisk(folder, False)
    try:
        yield disk
    finally:
        disk.free()
