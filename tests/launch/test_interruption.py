"""A command told to stop does so: once asked it cleans up, twice it ends, and no library can hold it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crossover.launch import interruption

CODE = """
import sys, time
from crossover.launch.interruption import stoppable
grace, what = float(sys.argv[1]), sys.argv[2]
with stoppable(grace):
    try:
        sys.stdout.write("in\\n"); sys.stdout.flush()
        if what == "sleep":
            time.sleep(60)
        if what == "library":
            import numpy
            numpy.linalg.svd(numpy.random.default_rng(0).normal(size=(3000, 3000)))
    except KeyboardInterrupt:
        sys.stdout.write("told\\n"); sys.stdout.flush(); time.sleep(60)
    finally:
        sys.stdout.write("cleaned\\n"); sys.stdout.flush()
"""


def started(grace: float, what: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(grace), what],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have had it ignored
    )
    assert process.stdout is not None and process.stdout.readline() == "in\n"
    return process


def test_sigterm_lets_the_block_clean_up_and_ends_with_143() -> None:
    process = started(15, "sleep")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (143, "cleaned\n", "")


def test_a_second_ctrl_c_ends_at_once() -> None:
    process = started(30, "sleep")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None and process.stdout.readline() == "told\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130 and time.monotonic() - began < 2


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_library_that_does_not_come_back_is_not_waited_for(sent: signal.Signals, code: int) -> None:
    process = started(1, "library")
    time.sleep(2)  # well inside the decomposition, which takes far longer and knows no signal
    began = time.monotonic()
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "") and "did not stop within 1 s" in err
    assert time.monotonic() - began < 5


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruption.stoppable():
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_it_is_imported_in_no_time() -> None:
    """It stands before every command, --help included."""
    code = (
        "import sys, crossover.launch.interruption; print('numpy' in sys.modules or 'pyarrow' in sys.modules)"
    )
    root = Path(interruption.__file__).parents[2]
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert shown.stdout == "False\n"
