"""The environment kept with a run: what changes results, by allow-list, and nothing else."""

import json
import subprocess
import sys

import pytest

from crossover.record import environment


@pytest.fixture(autouse=True)
def _afresh():
    environment._lasting.cache_clear()
    yield
    environment._lasting.cache_clear()


SECRET = "hunter2-do-not-keep"


def test_no_variable_beyond_the_list_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "HOME", "USER", "PYTHONPATH"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    text = json.dumps(environment.capture())
    assert SECRET not in text and "API_KEY" not in text
    assert environment.capture()["variables"]["OMP_NUM_THREADS"] == "3"
    assert set(environment.capture()["variables"]) <= set(environment.VARIABLES)


def test_the_list_names_nothing_that_could_be_a_secret() -> None:
    for name in environment.VARIABLES:
        assert not any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD", "USER", "HOME"))


def test_it_is_small_plain_json_with_versions_and_threads() -> None:
    found = environment.capture()
    text = json.dumps(found, allow_nan=False)
    assert len(text.encode("utf-8")) < 50_000
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "scikit-learn", "crossover"} <= set(found["versions"])
    assert found["cores"] >= 1 and found["cpu"] and found["machine"]
    assert all(isinstance(count, int | str) for count in found["threads"].values())


def test_a_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "no-such-package"))
    assert set(environment.capture()["versions"]) == {"numpy"}


def test_threads_are_those_of_the_moment() -> None:
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        counts = [
            n for name, n in environment.capture()["threads"].items() if name in ("openblas", "openmp", "mkl")
        ]
    assert counts and set(counts) == {1}


def test_asking_loads_no_torch_and_wakes_no_gpu() -> None:
    code = (
        "import sys; from crossover.record.environment import capture; capture();"
        "print('torch' in sys.modules); import torch; threads = capture()['threads'];"
        "print(threads['torch'] >= 1, threads['gpu'], torch.cuda.is_initialized())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["False", "True not used False"]
