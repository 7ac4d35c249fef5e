"""F15, F16, F18, F19: a driver that is killed or told to stop loses nothing; the next one goes on."""

import random
import signal
import time
from pathlib import Path

import pytest
from faults.planned import (
    KILLS,
    Driver,
    Tally,
    alive,
    assert_whole,
    count,
    driving,
    finished,
    plain_runs,
    until,
    workers_of,
)

from crossover.record.store import Store

pytestmark = [pytest.mark.fault, pytest.mark.slow]
RUNS = 50


def begun(driver: Driver) -> int:
    return sum(count(driver.notes, "begun").values())


@pytest.mark.parametrize("launcher", ["local_workers", "in_process"])
def test_a_driver_killed_at_random_times_is_resumed_until_all_is_done(
    launcher: str, tmp_path: Path, tally: Tally
) -> None:
    root, moments, killed = tmp_path / "store", random.Random(0), 0
    workers = {"local_workers": 2, "in_process": 1}[launcher]
    kills = KILLS if launcher == "local_workers" else max(2, KILLS // 2)
    for k in range(kills):
        with driving(root, plain_runs(RUNS, 0.04), launcher=launcher) as driver:
            goal = min(RUNS - 1, (k + 1) * RUNS // (kills + 1))
            until(
                lambda driver=driver, goal=goal: finished(root) >= goal or driver.process.poll() is not None
            )
            time.sleep(moments.uniform(0.0, 0.1))
            crew = workers_of(driver.process.pid)
            killed += driver.process.poll() is None
            driver.process.kill()
            driver.process.wait()
            until(lambda crew=crew: not alive(crew), 10)
    with driving(root, plain_runs(RUNS, 0.04), launcher=launcher) as driver:
        code, ended, _ = driver.ended()
    assert code == 0 and {outcome["seed"] for outcome in ended} == set(range(RUNS))
    assert not any(outcome["error"] for outcome in ended) and list((root / "failed").iterdir()) == []
    assert_whole(root, RUNS)
    assert begun(driver) <= RUNS + kills * workers, "only what was under way was done again"
    for _ in range(killed):
        tally("F16")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("launcher", ["local_workers", "in_process"])
def test_a_driver_told_to_stop_does_so_cleanly_in_time(
    sent: signal.Signals, launcher: str, tmp_path: Path, tally: Tally
) -> None:
    root = tmp_path / "store"
    with driving(root, plain_runs(RUNS, 0.1), launcher=launcher) as driver:
        until(lambda: finished(root) >= 3)
        crew, told = workers_of(driver.process.pid), time.monotonic()
        driver.process.send_signal(sent)
        code, _, errors = driver.ended()
        took = time.monotonic() - told
    assert took < 20
    assert code == (143 if sent is signal.SIGTERM else -signal.SIGINT), errors
    assert alive(crew) == [] and list((root / "failed").iterdir()) == []
    done = finished(root)
    assert 3 <= done < RUNS
    assert_whole(root, done)
    tally("F18" if sent is signal.SIGTERM else "F19")


@pytest.mark.parametrize("moment", [0.05, 0.4, 1.0, 1.6])
def test_sigterm_while_starting_up_is_heeded_too(moment: float, tmp_path: Path, tally: Tally) -> None:
    root = tmp_path / "store"
    with driving(root, plain_runs(20, 0.1)) as driver:
        time.sleep(moment)
        crew, told = workers_of(driver.process.pid), time.monotonic()
        driver.process.send_signal(signal.SIGTERM)
        code, _, errors = driver.ended()
    assert time.monotonic() - told < 20 and code in (143, -signal.SIGTERM), errors
    until(lambda: not alive(crew), 10)
    if (root / "claims").is_dir():
        assert list((root / "claims").iterdir()) == []
    tally("F18")


def test_runs_that_do_not_heed_sigterm_do_not_hold_the_driver_up(tmp_path: Path, tally: Tally) -> None:
    root = tmp_path / "store"
    with driving(root, [(0, "deaf", 0.0, False), (1, "deaf", 0.0, False)]) as driver:
        until(lambda: sum(count(driver.notes, "begun").values()) == 2)
        time.sleep(0.3)
        crew, told = workers_of(driver.process.pid), time.monotonic()
        driver.process.send_signal(signal.SIGTERM)
        code, _, _ = driver.ended()
    assert time.monotonic() - told < 20 and code == 143
    assert alive(crew) == [] and list((root / "claims").iterdir()) == []
    tally("F18")


def test_a_second_ctrl_c_ends_it_at_once_and_the_store_is_fine(tmp_path: Path, tally: Tally) -> None:
    root = tmp_path / "store"
    with driving(root, [(0, "deaf", 0.0, True), *plain_runs(6, 0.1)[1:]]) as driver:
        until(lambda: count(driver.notes, "begun").get(0) and finished(root) >= 2)
        crew = workers_of(driver.process.pid)
        driver.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        told = time.monotonic()
        driver.process.send_signal(signal.SIGINT)
        code, _, _ = driver.ended()
        assert time.monotonic() - told < 2.5 and code in (130, -signal.SIGINT)
        until(lambda: not alive(crew), 10)
    with driving(root, [(0, "deaf", 0.0, True), *plain_runs(6, 0.1)[1:]]) as driver:
        code, ended, _ = driver.ended()
    assert code == 0 and len(ended) == 6
    assert_whole(root, 6)
    tally("F19")


def test_a_clock_that_goes_back_changes_no_order_and_no_duration(tmp_path: Path, tally: Tally) -> None:
    root = tmp_path / "store"
    jumps = [(seed, "clock", 0.05, False) for seed in range(8)]
    with driving(root, jumps) as driver:
        until(lambda: finished(root) >= 3)
        driver.process.kill()
        driver.process.wait()
    with driving(root, jumps, clock=-3600) as driver:  # its clock is behind that of the claims it finds
        code, ended, _ = driver.ended()
    assert code == 0 and len(ended) == 8 and not any(outcome["error"] for outcome in ended)
    assert_whole(root, 8)
    for record in Store(root).runs():
        assert all(value >= 0 for name, value in record.cost.items() if "seconds" in name or "ms" in name)
    tally("F15")
