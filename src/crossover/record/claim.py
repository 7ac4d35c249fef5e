"""Claims: which process computes which run, so that several share one store and none is computed twice.

A claim is a folder ``claims/<digest>.<n>`` with one file that names its owner, put there whole by one
rename, which fails where there is one already; the highest ``n`` holds. Where its owner is gone, the
claim is taken over by making ``n + 1``: of two takers one finds it there. No clock is compared with
another: on the owner's machine a claim is stale when its process has ended; seen from elsewhere, when
its heartbeat (the file's time, whatever it says) has not changed while the observer watched for
``SILENT_SECONDS``.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from crossover.data.whole_file import unwritten

HEARTBEAT_SECONDS = 15.0
SILENT_SECONDS = 180.0
"""Twelve heartbeats: network file systems show a file's time up to a minute late."""

OWNER = "owner.json"
_NAME = re.compile(r"(?P<digest>[0-9a-f]+)\.(?P<n>[0-9]+)")


@dataclass(frozen=True)
class Owner:
    """A process, told from every other: ``start`` unmasks a process id that was given out again.

    ``machine`` is host name, boot and process namespace: only there does ``pid`` mean anything.
    """

    machine: str
    pid: int
    start: str

    def gone(self) -> bool | None:
        """Whether the process has ended; None where it lives on another machine."""
        if self.machine != machine():
            return None
        now = started(self.pid)
        return now is None or now != self.start


def this_process() -> Owner:
    """The process that asks."""
    return Owner(machine(), os.getpid(), started(os.getpid()) or "")


@cache
def machine() -> str:
    """Where process ids are comparable."""
    boot, namespace = "", ""
    with suppress(OSError):  # elsewhere than on Linux the host's name must do
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()} {boot} {namespace}".strip()


def started(pid: int) -> str | None:
    """When a process of this machine began, in ticks since boot; None where it has ended.

    Elsewhere than on Linux only whether there is one can be told: then it is "".
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    fields = status.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class _Found:
    """A claim's file as it was read."""

    content: bytes
    inode: int
    beat: int

    def same(self, other: _Found | None) -> bool:
        return other is not None and (self.content, self.inode) == (other.content, other.inode)


class Claims:
    """The claims of one store as one process sees them; it holds some and refreshes their heartbeat.

    An interruption (Ctrl-C) at any line leaves nothing claimed that :meth:`release_all` does not give up.

    Args:
        root: the store's folder.
        silent_seconds: how long a heartbeat may be still before another machine's claim is stale.
    """

    def __init__(self, root: Path, silent_seconds: float = SILENT_SECONDS) -> None:
        self.root, self.folder, self.silent_seconds = root, root / "claims", silent_seconds
        self._held: dict[str, _Own] = {}
        self._seen: dict[Path, tuple[int, float]] = {}
        self._beating = False
        weakref.finalize(self, _give_up, self._held, os.getpid())

    def take(self, digest: str) -> bool:
        """Claim a run for this process; False while another (or another part of this one) holds it.

        What a dead owner left half-written of the run is swept.

        Raises:
            OSError: the claim cannot be written.
        """
        older = self._generations(digest)
        n, stale = 0, None
        if older:
            n, top = older[-1]
            stale = self._stale(top)
            if stale is None:
                return False
        own = _Own(self.folder / f"{digest}.{n + 1}", secrets.token_hex(8))
        self._held[digest] = own
        if not self._put(own):
            del self._held[digest]
            return False
        if stale is not None and not stale.same(_read(older[-1][1])):
            # Judged stale, then taken over and ended by another before ours was there: ask again.
            own.remove()
            del self._held[digest]
            return False
        if not self._beating:
            self._beating = True
            threading.Thread(target=self._beat, daemon=True, name="claims").start()
        if older:
            self.sweep(digest)
        return True

    def release(self, digest: str) -> None:
        """Give a run up; nothing where it is not held here."""
        own = self._held.get(digest)
        if own is None:
            return
        if own.is_there():
            # The lower ones first: a taker must never find one of them as the highest.
            for n, path in self._generations(digest):
                if n < own.n:
                    _remove(path)
            own.remove()
        self._held.pop(digest, None)

    def release_all(self) -> None:
        """Give up every run held here."""
        for digest in list(self._held):
            self.release(digest)

    @contextmanager
    def holding(self, digest: str) -> Iterator[bool]:
        """Whether the run could be claimed for the block; it is given up at the end."""
        taken = digest in self._held
        try:
            yield self.take(digest)
        finally:
            if not taken:
                self.release(digest)

    def sweep(self, digest: str) -> None:
        """Remove what processes that have ended left half-written of a run; only its holder may."""
        for aside in (self.root / "runs").glob(f".{digest}.*"):
            _sweep(aside)

    def clear(self) -> None:
        """Remove every claim whose owner is known to be gone, as a killed driver leaves them."""
        names = [path.name for path in self.folder.iterdir()]
        for name in names:
            if name.startswith("."):
                _sweep(self.folder / name)
        found = [_NAME.fullmatch(name) for name in names]
        for digest in {match["digest"] for match in found if match}:
            if self.take(digest):
                self.release(digest)

    def _put(self, own: _Own) -> bool:
        """Make the claim by one rename, which fails where there is one of that name."""
        aside = self.folder / f".{own.path.name.partition('.')[0]}.{os.getpid()}.{own.token}"
        try:
            aside.mkdir()
            plain = {**asdict(this_process()), "token": own.token}
            (aside / OWNER).write_text(json.dumps(plain), encoding="utf-8")
            aside.rename(own.path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise unwritten(error, own.path, 0) from error
            return False
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return True

    def _generations(self, digest: str) -> list[tuple[int, Path]]:
        found = [(_NAME.fullmatch(entry.name), Path(entry.path)) for entry in os.scandir(self.folder)]
        mine = [(int(match["n"]), path) for match, path in found if match and match["digest"] == digest]
        return sorted((n, path) for n, path in mine if (path / OWNER).exists())

    def _stale(self, path: Path) -> _Found | None:
        """The claim of an owner that is gone; None while the owner may live."""
        found = _read(path)
        if found is None:
            return None
        gone = owner.gone() if (owner := _owner(found.content)) else None
        if gone is None:  # another machine's, or a damaged one
            now = time.monotonic()
            beat, since = self._seen.get(path, (-1, now))
            self._seen[path] = (found.beat, since if beat == found.beat else now)
            gone = beat == found.beat and now - since > self.silent_seconds
        return found if gone else None

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            self._beating = False
            held = list(self._held.values())
            if not held:
                return  # a take() that comes now finds nobody beating and starts anew
            self._beating = True
            for own in held:
                with suppress(OSError):
                    os.utime(own.path / OWNER)


@dataclass(frozen=True)
class _Own:
    """A claim of this process."""

    path: Path
    token: str

    @property
    def n(self) -> int:
        return int(self.path.name.rpartition(".")[2])

    def is_there(self) -> bool:
        """Whether it was made, and has not been given up."""
        found = _read(self.path)
        return found is not None and self.token.encode() in found.content

    def remove(self) -> None:
        if self.is_there():
            _remove(self.path)


def _remove(claim: Path) -> None:
    """Without its file a claim is free; the empty folder may be gone or in use again by then."""
    (claim / OWNER).unlink(missing_ok=True)
    with suppress(OSError):
        claim.rmdir()


def _sweep(aside: Path) -> None:
    """Remove ``.<name>.<pid>.<token>`` where that process has ended; another name is not ours."""
    pid = ([*aside.name.split("."), "", ""])[2]
    if pid.isdigit() and started(int(pid)) is None:
        shutil.rmtree(aside, ignore_errors=True)


def _read(claim: Path) -> _Found | None:
    try:
        with open(claim / OWNER, "rb") as file:
            status = os.fstat(file.fileno())
            return _Found(file.read(), status.st_ino, status.st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _owner(content: bytes) -> Owner | None:
    try:
        plain = json.loads(content)
        return Owner(str(plain["machine"]), int(plain["pid"]), str(plain["start"]))
    except (ValueError, KeyError, TypeError):
        return None


def _give_up(held: dict[str, _Own], pid: int) -> None:
    if os.getpid() == pid:  # a forked child holds nothing
        for own in held.values():
            own.remove()
