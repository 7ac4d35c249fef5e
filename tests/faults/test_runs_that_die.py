"""F03, F17: a run that raises, exits, aborts, is killed, hangs or runs out of memory costs itself only."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from faults.planned import (
    KILLS,
    Tally,
    assert_whole,
    count,
    driving,
    finished,
    plain_runs,
    until,
    workers_of,
)

pytestmark = [pytest.mark.fault, pytest.mark.slow]
HANG_SECONDS = 8

EXPECTED = {
    "raise": "RuntimeError: a model's own error",
    "exit": "SystemExit: 3",
    "os_exit": "WorkerDied: the worker process ended with exit code 4",
    "abort": "WorkerDied: the worker process was killed by SIGABRT",
    "kill": "WorkerDied: the worker process was killed by SIGKILL (the kernel does so where memory is full)",
    "memory": "MemoryError",
    "hang": f"TimeLimit: still running after launch.limit_seconds={HANG_SECONDS}; its stack is in the log",
}


def test_one_of_each_fault_leaves_the_others_whole(tmp_path: Path, tally: Tally) -> None:
    root, good = tmp_path / "store", 43
    runs = [(seed, how, 0.0, False) for seed, how in enumerate(EXPECTED)]
    runs += [(len(EXPECTED) + seed, "", 0.0, False) for seed in range(good)]
    with driving(root, runs, limit_seconds=HANG_SECONDS, limit_memory=2) as driver:
        code, ended, errors = driver.ended()
    assert (code, errors, len(ended)) == (0, "", 50)
    told = {outcome["seed"]: outcome["error"] for outcome in ended}
    assert [told[seed] for seed in range(len(EXPECTED))] == list(EXPECTED.values())
    assert all(told[seed] == "" for seed in range(len(EXPECTED), 50))
    assert_whole(root, good)
    kept = [json.loads(file.read_text()) for file in root.glob("failed/*/failure.json")]
    by_how = {failure["spec"]["model"]["settings"]["how"]: failure for failure in kept}
    assert len(kept) == len(by_how) == len(EXPECTED)
    for how, failure in by_how.items():
        assert failure["error"] == EXPECTED[how] and "on stdout" in failure["log"]
        assert failure["command"].startswith(f"python scripts/rerun.py store={root} of=")
    for how in ("abort", "hang"):
        assert 'models.py", line' in by_how[how]["log"], "the stack, down to the line"
    assert count(driver.notes, "begun") == dict.fromkeys(range(50), 1), "none twice"
    for _ in EXPECTED:
        tally("F17")


def test_workers_killed_at_random_cost_one_run_each(tmp_path: Path, tally: Tally) -> None:
    root, runs, killed = tmp_path / "store", 40, 0
    with driving(root, plain_runs(runs, 0.15)) as driver:
        for k in range(KILLS):
            until(lambda k=k: finished(root) >= 2 + 4 * k or driver.process.poll() is not None)
            workers = workers_of(driver.process.pid)
            if workers and len(list((root / "claims").iterdir())) == 2:  # both are at a run
                os.kill(workers[k % len(workers)], signal.SIGKILL)
                killed += 1
        code, ended, errors = driver.ended()
    assert (code, errors, len(ended)) == (0, "", runs)
    failed = [outcome for outcome in ended if outcome["error"]]
    assert 1 <= len(failed) <= killed, "one that had just ended its run costs nothing"
    assert all("SIGKILL" in str(outcome["error"]) for outcome in failed)
    assert_whole(root, runs - len(failed))
    for _ in range(killed):
        tally("F17")


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_a_kill_around_the_commit_leaves_the_run_there_once(when: str, tmp_path: Path, tally: Tally) -> None:
    root = tmp_path / "store"
    with driving(root, [(0, when, 0.0, True), *plain_runs(3)[1:]], workers=1) as driver:
        code, ended, _ = driver.ended()
    failed = {outcome["seed"] for outcome in ended if outcome["error"]}
    assert code == 0 and failed == ({0} if when == "before_commit" else set())
    assert_whole(root, 3 - len(failed))
    with driving(root, [(0, when, 0.0, True)], "in_process", retry_failed=True) as driver:
        code, ended, _ = driver.ended()
    assert code == 0 and ended == [{"seed": 0, "error": ""}]
    assert_whole(root, 3)
    assert count(driver.notes, "begun")[0] == 1 + len(failed)
    tally("F03")


@pytest.mark.parametrize("limit", [0.5, 1.5])
def test_a_run_without_memory_is_told_so_and_its_worker_replaced(
    limit: float, tmp_path: Path, tally: Tally
) -> None:
    root = tmp_path / "store"
    runs = [(0, "memory", 0.0, False), (1, "", 0.0, False)]
    with driving(root, runs, workers=1, limit_memory=limit) as driver:
        code, ended, _ = driver.ended()
    assert code == 0 and [outcome["error"] for outcome in ended] == ["MemoryError", ""]
    pids = [(driver.notes / f"{seed}.begun").read_text().split()[0] for seed in (0, 1)]
    assert pids[0] != pids[1]
    tally("F17")


def test_a_run_that_ignores_sigterm_and_hangs_is_ended_by_its_limit(tmp_path: Path, tally: Tally) -> None:
    root, began = tmp_path / "store", time.monotonic()
    with driving(root, [(0, "deaf", 0.0, False)], workers=1, limit_seconds=3) as driver:
        code, ended, _ = driver.ended()
    assert code == 0 and "TimeLimit" in str(ended[0]["error"])
    assert time.monotonic() - began < 3 + 20
    tally("F17")
