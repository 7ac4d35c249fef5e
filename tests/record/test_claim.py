"""Claims: one holder a run, stale ones found without trusting a clock, two takers never both succeed."""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from crossover.record import claim
from crossover.record.claim import OWNER, Claims, Owner, machine, started, this_process
from crossover.record.store import Store

DIGEST, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Store(tmp_path).root


def files(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "claims").iterdir())


def leave(root: Path, owner: Owner, n: int = 1, digest: str = DIGEST) -> Path:
    """The file of a claim as its owner would have written it."""
    file = root / "claims" / f"{digest}.{n}" / OWNER
    file.parent.mkdir(exist_ok=True)
    plain = {"machine": owner.machine, "pid": owner.pid, "start": owner.start, "token": secrets.token_hex(8)}
    file.write_text(json.dumps(plain))
    return file


def dead(root: Path) -> Owner:
    """A process of this machine that has ended."""
    shown = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    return Owner(machine(), int(shown.stdout), "1")


def test_a_claim_is_held_by_one_until_it_is_given_up(root: Path) -> None:
    first, second = Claims(root), Claims(root)
    assert first.take(DIGEST) and not second.take(DIGEST) and not first.take(DIGEST)
    assert second.take(OTHER), "another run is free"
    second.release(DIGEST)
    assert not second.take(DIGEST), "only its holder gives it up"
    first.release(DIGEST)
    assert second.take(DIGEST)
    second.release_all()
    assert files(root) == []


def test_a_claim_is_given_up_when_the_block_ends_by_an_error(root: Path) -> None:
    claims = Claims(root)
    with pytest.raises(KeyboardInterrupt), claims.holding(DIGEST) as mine:
        assert mine
        raise KeyboardInterrupt
    with Claims(root).holding(DIGEST) as mine:
        assert mine
        with claims.holding(DIGEST) as other:
            assert not other
        assert files(root) == [f"{DIGEST}.1"], "who did not get it gives nothing up"
    assert files(root) == []


def test_it_names_its_owner(root: Path) -> None:
    Claims(root).take(DIGEST)
    plain = json.loads((root / "claims" / f"{DIGEST}.1" / OWNER).read_text())
    assert plain["pid"] == os.getpid() and plain["machine"].startswith(socket.gethostname())
    assert plain["start"] == started(os.getpid()) and len(plain["token"]) == 16


def test_the_claim_of_a_dead_process_is_taken_over_at_once(root: Path) -> None:
    leave(root, dead(root))
    claims = Claims(root)
    assert claims.take(DIGEST) and not Claims(root).take(DIGEST)
    claims.release(DIGEST)
    assert files(root) == [], "the stale one goes with it"


def test_a_recycled_process_id_does_not_keep_a_claim_alive(root: Path) -> None:
    me = this_process()
    leave(root, Owner(me.machine, me.pid, str(int(me.start) - 1)))
    assert Claims(root).take(DIGEST)


def test_a_zombie_is_dead(root: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    while started(process.pid) is not None:
        time.sleep(0.01)
    assert process.returncode is None, "not reaped yet"
    leave(root, Owner(machine(), process.pid, "1"))
    assert Claims(root).take(DIGEST)
    process.wait()


def test_a_living_owner_keeps_its_claim_whatever_the_clock_says(root: Path) -> None:
    held = Claims(root)
    held.take(DIGEST)
    for moment in (0.0, 4e9):  # the file looks ages old, or comes from the future
        os.utime(root / "claims" / f"{DIGEST}.1" / OWNER, (moment, moment))
        assert not Claims(root, silent_seconds=0.0).take(DIGEST)


@pytest.mark.parametrize("content", ["", '{"pid": 1'], ids=["empty", "torn"])
def test_a_claim_without_an_owner_is_stale_only_after_silence(root: Path, content: str) -> None:
    leave(root, this_process()).write_text(content)
    claims = Claims(root, silent_seconds=0.1)
    assert not claims.take(DIGEST)
    time.sleep(0.15)
    assert claims.take(DIGEST)


def test_another_machines_claim_is_judged_by_its_heartbeat_alone(root: Path) -> None:
    file = leave(root, Owner("elsewhere", 1, "1"))
    claims = Claims(root, silent_seconds=0.2)
    clock = 1e9
    for _ in range(4):
        clock -= 3600  # that machine's clock runs backwards: a change is a change
        os.utime(file, (clock, clock))
        assert not claims.take(DIGEST)
        time.sleep(0.12)
    assert not Claims(root, silent_seconds=0.2).take(DIGEST), "a newcomer has watched no silence yet"
    time.sleep(0.15)
    assert claims.take(DIGEST)


def test_the_heartbeat_beats_while_a_claim_is_held(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "HEARTBEAT_SECONDS", 0.05)
    before = set(threading.enumerate())
    claims = Claims(root)
    claims.take(DIGEST)
    file = root / "claims" / f"{DIGEST}.1" / OWNER
    os.utime(file, (0, 0))
    until = time.monotonic() + 10
    while file.stat().st_mtime == 0 and time.monotonic() < until:
        time.sleep(0.02)
    assert file.stat().st_mtime > 0
    claims.release(DIGEST)
    until = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.02)
    assert not set(threading.enumerate()) - before, "nothing held, nothing beats"


def test_a_claim_given_up_half_way_is_free(root: Path) -> None:
    (root / "claims" / f"{DIGEST}.1").mkdir()
    claims = Claims(root)
    assert claims.take(DIGEST)
    claims.release(DIGEST)
    assert files(root) == []


@pytest.mark.parametrize("line", range(40))
def test_an_interruption_at_any_step_leaves_nothing_claimed(root: Path, line: int) -> None:
    """Ctrl-C may come between any two lines: the run must be free to the next process."""
    leave(root, dead(root))
    claims, steps = Claims(root), 0

    def trace(frame, event: str, _: object):
        nonlocal steps
        if not frame.f_code.co_filename.endswith("claim.py"):
            return None
        steps += event == "line"
        if steps == 2 * line + 1:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    with suppress(KeyboardInterrupt):
        sys.settrace(trace)
        try:
            claims.take(DIGEST)
            claims.release(DIGEST)
        finally:
            sys.settrace(before)
    claims.release_all()
    assert Claims(root).take(DIGEST)


def test_of_many_takers_of_a_stale_claim_one_succeeds(root: Path) -> None:
    owner = dead(root)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            leave(root, owner)
            takers, barrier = [Claims(root) for _ in range(8)], threading.Barrier(8)

            def take(claims: Claims, barrier: threading.Barrier = barrier) -> bool:
                barrier.wait(30)
                return claims.take(DIGEST)

            assert sum(pool.map(take, takers)) == 1
            for claims in takers:
                claims.release_all()
            assert files(root) == []


def test_a_taker_that_comes_too_late_notices(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It judged a claim stale; before it writes its own, another took it over and ended, a third came."""
    leave(root, dead(root))
    late, quick, third = Claims(root), Claims(root), Claims(root)
    judged = late._stale

    def slow(path: Path) -> object:
        found = judged(path)
        monkeypatch.setattr(late, "_stale", judged)
        assert quick.take(DIGEST)
        quick.release(DIGEST)
        assert third.take(DIGEST)
        return found

    monkeypatch.setattr(late, "_stale", slow)
    assert not late.take(DIGEST)
    assert files(root) == [f"{DIGEST}.1"] and not late.take(DIGEST), "the third one's, untouched"


def test_what_a_dead_owner_left_half_written_is_swept_and_no_one_elses(root: Path) -> None:
    owner = dead(root)
    leave(root, owner)
    swept = root / "runs" / f".{DIGEST}.{owner.pid}.00ff00ff"
    kept = [
        root / "runs" / f".{DIGEST}.{os.getpid()}.00ff00ff",
        root / "runs" / f".{OTHER}.{owner.pid}.00ff00ff",
    ]
    for folder in (swept, *kept):
        folder.mkdir()
        (folder / "record.json").write_text("{")
    assert Claims(root).take(DIGEST)
    assert not swept.exists() and all(folder.exists() for folder in kept)


def test_clear_removes_the_dead_ones_claims_only(root: Path) -> None:
    leave(root, dead(root))
    living = Claims(root)
    living.take(OTHER)
    Claims(root).clear()
    assert files(root) == [f"{OTHER}.1"]


def test_claims_end_with_a_process_that_ends_well(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from crossover.record.claim import Claims\n"
        "claims = Claims(Path(sys.argv[1])); assert claims.take(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", code, str(root), DIGEST], check=True)
    assert files(root) == []


def test_what_another_process_tries_the_folder_with_is_left_alone(tmp_path: Path) -> None:
    """A store is opened by writing into each of its folders; others may be sweeping them just then."""
    store = Store(tmp_path)
    claims = Claims(tmp_path)
    for name in (".probe-12345678", ".probe-ab", ".a.99999999"):
        (tmp_path / "claims" / name).touch()
        (tmp_path / "failed" / name).touch()
    claims.clear()
    claims.sweep("0" * 16)
    assert store.failed_runs() == []
    assert {path.name for path in (tmp_path / "claims").iterdir()} >= {".probe-12345678", ".probe-ab"}
