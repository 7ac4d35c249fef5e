"""scripts/mirror.py as a user runs it, and a command whose W&B hangs."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands_given import SCRIPTS, Command, environment

RUN = ["model=naive_bayes", "subset={scheme: natural, size: 100, draw: 0}"]


@pytest.mark.slow
def test_what_was_made_without_a_mirror_is_sent_later_once(
    command: Command, mail: list[str], home: Path
) -> None:
    assert command("run", "store=later", *RUN, *mail).returncode == 0
    assert not (home / "later" / "wandb").exists()
    for _ in range(2):
        ended = command("mirror", "store=later", "wandb.mode=offline")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout == "mirrored: 1 runs, 0 studies, 0 behind\n"
    assert len(list((home / "later" / "wandb").rglob("run-*.wandb"))) == 1
    ended = command("mirror", "store=later", "wandb.mode=offline", "wandb.project=other")
    assert len(list((home / "later" / "wandb").rglob("run-*.wandb"))) == 2


@pytest.mark.slow
def test_a_command_ends_in_time_and_well_where_wandb_hangs(mail: list[str], home: Path) -> None:
    """The package's init sleeps for ten minutes; the run is kept, and the process ends all the same."""
    (home / "hanging" / "wandb").mkdir(parents=True)
    (home / "hanging" / "wandb" / "__init__.py").write_text(
        "import time\ndef Settings(**_): pass\ndef init(**_): time.sleep(600)\n"
    )
    shell = environment()
    shell["PYTHONPATH"] = f"{home / 'hanging'}:{shell.get('PYTHONPATH', '')}"
    words = ["store=hung", *RUN, *mail, "wandb.mode=offline", "wandb.patience=1"]
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, str(SCRIPTS / "run.py"), *words],
        cwd=home, env=shell, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert time.monotonic() - began < 60
    assert ended.returncode == 0 and ended.stdout.splitlines()[-1].startswith("run: hung/runs/")
    assert "behind by 1 runs (no answer in 1 s)" in ended.stderr
    assert "python scripts/mirror.py store=hung" in ended.stderr
    assert len(list((home / "hung" / "runs").iterdir())) == 1
