"""The environment kept with a run: what changes results, by allow-list, and nothing else."""

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crossover.record import environment


@pytest.fixture(autouse=True)
def _afresh():
    environment._lasting.cache_clear()
    yield
    environment._lasting.cache_clear()


SECRET = "hunter2-do-not-keep"
PLANTED = ("WANDB_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN",
           "HOME", "USER", "LOGNAME", "HOSTNAME", "PYTHONPATH", "SSH_AUTH_SOCK", "GIT_ASKPASS")  # fmt: skip


def test_no_variable_beyond_the_list_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PLANTED:
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setattr(sys, "argv", ["run.py", f"token={SECRET}"])
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


def test_no_path_and_no_name_of_a_user_or_host_is_kept() -> None:
    import torch  # noqa: F401

    found = {**environment.capture(), "torch": None}  # how torch was built names its builders' paths
    text = json.dumps(found)
    for word in (str(Path.home()), str(Path(environment.__file__).parents[3]), platform.node()):
        assert word not in text


def test_what_is_known_of_torch_and_of_each_blas_is_kept_once_they_are_loaded() -> None:
    import numpy
    import torch

    found = environment.capture()
    assert found["threads"]["torch"] == torch.get_num_threads()
    assert found["flags"]["deterministic_algorithms"] is False
    assert "PyTorch built with" in found["torch"]["build"] and "CXX_FLAGS" not in found["torch"]["build"]
    names = [pool["version"] for pool in environment.pools().info() if pool["user_api"] == "blas"]
    assert names and all(any(v in told for told in found["blas"].values()) for v in names)
    assert found["versions"]["numpy"] == numpy.__version__ and found["libc"]


def test_a_capture_after_the_first_takes_under_a_millisecond() -> None:
    import torch  # noqa: F401

    environment.capture()
    took = []
    for _ in range(50):
        began = time.perf_counter()
        environment.capture()
        took.append(time.perf_counter() - began)
    assert min(took) < 0.001


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@x", *words], check=True)


def test_the_commit_of_the_code_is_kept_and_whether_it_was_changed(tmp_path: Path) -> None:
    assert environment._code(tmp_path) == {}, "an installed package has no commit"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    clean = environment._code(tmp_path)
    assert len(clean["commit"]) == 40 and clean["changed"] is False
    seen = set()
    for text in ("a = 2\n", "a = 3\n"):
        (tmp_path / "src" / "a.py").write_text(text)
        found = environment._code(tmp_path)
        assert found["changed"] is True and found["commit"] == clean["commit"]
        seen.add(found["difference_sha256"])
    assert len(seen) == 2


def made(**changes: object) -> dict[str, object]:
    found: dict[str, object] = {
        "python": "3.13.1", "cpu": "A", "machine": "x86_64", "libc": "glibc 2.41", "cores": 8,
        "versions": {"numpy": "2.4", "torch": "2.13", "crossover": "0.1.0", "wandb": "0.31"},
        "variables": {}, "threads": {"openblas": 2}, "blas": {"libopenblas": "0.3.30 Haswell"},
        "code": {"commit": "0" * 40}, "system": "Linux 6.1", "fingerprint": "",
    }  # fmt: skip
    for name, value in changes.items():
        inside = found.get(name)
        found[name] = {**inside, **value} if isinstance(inside, dict) and isinstance(value, dict) else value
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"python": "3.14.0"},
        {"cpu": "B"},
        {"libc": "glibc 2.42"},
        {"versions": {"numpy": "2.5"}},
        {"threads": {"openblas": 1}},
        {"blas": {"libopenblas": "0.3.30 SkylakeX"}},
        {"variables": {"OPENBLAS_CORETYPE": "Haswell"}},
    ],
    ids=str,
)
def test_what_decides_bits_changes_the_fingerprint_and_is_listed(change: dict[str, object]) -> None:
    assert environment.fingerprint(made(**change)) != environment.fingerprint(made())
    ((_, then, now),) = environment.differences(made(), made(**change))
    assert then != now


@pytest.mark.parametrize(
    "change",
    [
        {"cores": 64},
        {"system": "Linux 7.0"},
        {"code": {"commit": "1" * 40}},
        {"versions": {"crossover": "0.2.0", "wandb": "0.32"}},
        {"variables": {"PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "2"}},
    ],
    ids=str,
)
def test_what_does_not_decide_bits_leaves_the_fingerprint(change: dict[str, object]) -> None:
    assert environment.fingerprint(made(**change)) == environment.fingerprint(made())
    assert environment.differences(made(), made(**change)) == []


def test_a_library_that_only_one_process_had_loaded_is_no_difference() -> None:
    assert environment.differences(made(), made(threads={"torch": 2}, flags={"onednn": True})) == []


def test_a_record_older_than_a_variable_does_not_tell_it() -> None:
    older = {name: value for name, value in made().items() if name != "fingerprint"}
    assert environment.differences(older, made(variables={"OPENBLAS_CORETYPE": "Haswell"})) == []


def test_the_number_of_threads_is_known_where_every_library_had_the_same() -> None:
    assert environment.thread_count(made(threads={"torch": 2, "gpu": "not used"})) == 2
    assert environment.thread_count(made(threads={"torch": 4})) is None
    assert environment.thread_count({}) is None


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
