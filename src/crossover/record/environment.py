"""Environment: what surrounded a run, by allow-list; identical bits are promised only when equal.

Never secrets: no command line, no variable beyond the list, no path, no name of a user or host.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

from threadpoolctl import ThreadpoolController

from crossover.protocol.run_spec import digest_of

PACKAGES = ("crossover", "torch", "transformers", "tokenizers", "safetensors", "scikit-learn", "numpy",
            "scipy", "pyarrow", "datasets", "threadpoolctl", "hydra-core", "omegaconf", "wandb",
            "rensa")  # fmt: skip
DECIDING_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "scikit-learn", "numpy", "scipy",
                     "pyarrow")  # fmt: skip
"""Those that compute a run's numbers or write its predictions.

crossover itself is not among them: its classes promise equal bits by their ``behaviour_version``,
which is in the spec, so that a change that breaks the promise is found and not excused.
"""
DECIDING_VARIABLES = ("ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS",
                      "NPY_DISABLE_CPU_FEATURES", "NVIDIA_TF32_OVERRIDE", "ONEDNN_MAX_CPU_ISA",
                      "OPENBLAS_CORETYPE")  # fmt: skip
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
             "HF_HUB_OFFLINE", "PYTHONHASHSEED", *DECIDING_VARIABLES)  # fmt: skip
"""Variables kept where they are set; the numbers of threads count as they are in force."""

NOT_SET = "not set"
_ROOT = Path(__file__).resolve().parents[3]


def capture() -> dict[str, object]:
    """Versions, processor, threads, switches and the few variables that change results; never secrets.

    What lasts as long as the process is found once; the rest takes some 20 microseconds.
    """
    found = {**_lasting(), "threads": _threads(), "blas": _blas(len(sys.modules))}
    torch: Any = sys.modules.get("torch")  # asked only where a model has loaded it already
    if torch is not None:
        found |= {"torch": _torch_build(), "flags": _flags(torch)}
    return {**found, "fingerprint": fingerprint(found)}


def deciding(environment: Mapping[str, object]) -> dict[str, object]:
    """The part of an environment that decides bits, flat: ``threads.openblas``, ``versions.numpy``.

    Left out are those that do not: cores and kernel (the numbers of threads in force stand for
    them), the hash seed, crossover's own version and commit.
    """
    found = {name: environment[name] for name in ("python", "machine", "cpu", "libc") if name in environment}
    for group in ("versions", "threads", "blas", "flags", "variables"):
        values = cast(Mapping[str, object], environment.get(group, {}))
        kept = {"versions": DECIDING_PACKAGES, "variables": DECIDING_VARIABLES}.get(group, tuple(values))
        found |= {f"{group}.{name}": values[name] for name in kept if name in values}
    return found


def fingerprint(environment: Mapping[str, object]) -> str:
    """16 hex of SHA-256 of what decides bits: equal fingerprint, equal conditions.

    A library counts where the process had loaded it; :func:`differences` compares two environments
    where one had loaded more.
    """
    return digest_of(deciding(environment))


def differences(then: Mapping[str, object], now: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """(name, then, now) of all that decides bits and differs; empty where bits must be equal.

    A library that one process had not loaded cannot have decided what both computed: it is left out.
    """
    one, other = deciding(then), deciding(now)
    for name in {*one, *other}:
        # An environment without a fingerprint is older than some of the variables: it does not tell.
        if name.startswith("variables.") and "fingerprint" in then and "fingerprint" in now:
            one.setdefault(name, NOT_SET)
            other.setdefault(name, NOT_SET)
    return [(n, str(one[n]), str(other[n])) for n in sorted({*one} & {*other}) if one[n] != other[n]]


def thread_count(environment: Mapping[str, object]) -> int | None:
    """The one number of threads every library had; None where they differ or none is kept."""
    threads = cast(Mapping[str, object], environment.get("threads", {}))
    counts = {count for count in threads.values() if isinstance(count, int)}
    return counts.pop() if len(counts) == 1 else None


def pools() -> ThreadpoolController:
    """The thread pools of the libraries loaded so far, to be limited or asked.

    Looking for them reads the whole memory map of the process, 3 ms, so it is done again only where
    modules were imported since: a library comes with a module.
    """
    return _pools(len(sys.modules))


@lru_cache(maxsize=1)
def _pools(_modules: int) -> ThreadpoolController:
    return ThreadpoolController()


@cache
def _lasting() -> dict[str, object]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "versions": versions,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "code": _code(_ROOT),
    }


def _threads() -> dict[str, object]:
    found: dict[str, object] = {
        str(pool["internal_api"]): int(pool["num_threads"]) for pool in pools().info()
    }
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = int(torch.get_num_threads())
        found["cpu_capability"] = str(torch.backends.cpu.get_cpu_capability())
        # Asking must not start a GPU that no model has used.
        found["gpu"] = str(torch.cuda.get_device_name()) if torch.cuda.is_initialized() else "not used"
    return found


@lru_cache(maxsize=1)
def _blas(_modules: int) -> dict[str, str]:
    """Version and kernels of each BLAS, by the library's name without its build's hash or path."""
    return {
        Path(str(pool["filepath"])).name.split("-")[0].split(".")[0]: (
            f"{pool['version']} {pool.get('architecture', '')} {pool.get('threading_layer', '')}".strip()
        )
        for pool in pools().info()
        if pool["user_api"] == "blas"
    }


@cache
def _torch_build() -> dict[str, object]:
    """How torch was built, without the compilers' flags."""
    torch: Any = sys.modules["torch"]
    told = " ".join(str(torch.__config__.show()).split())
    words = [part for part in told.split(", ") if "_FLAGS=" not in part]
    return {"build": ", ".join(words)[:2000], "cuda": str(torch.version.cuda or "none")}


def _flags(torch: Any) -> dict[str, object]:
    return {
        "deterministic_algorithms": bool(torch.are_deterministic_algorithms_enabled()),
        "cudnn_deterministic": bool(torch.backends.cudnn.deterministic),
        "cudnn_benchmark": bool(torch.backends.cudnn.benchmark),
        "matmul_precision": str(torch.get_float32_matmul_precision()),
        "onednn": bool(torch.backends.mkldnn.enabled),
    }


def _code(root: Path) -> dict[str, object]:
    """Commit of the code, and the SHA-256 of what was changed since; empty outside a checkout."""
    if not (root / ".git").exists():
        return {}

    def git(*words: str) -> bytes:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(
            ["git", "-C", str(root), *words], env=clean, capture_output=True, check=True, timeout=10
        ).stdout

    try:
        found: dict[str, object] = {"commit": git("rev-parse", "HEAD").decode().strip()}
        changed = git("status", "--porcelain", "--", "src")
        found["changed"] = bool(changed)
        if changed:
            difference = git("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--", "src")
            found["difference_sha256"] = hashlib.sha256(changed + difference).hexdigest()
    except (OSError, subprocess.SubprocessError):
        return {}  # no git here: the versions have to do
    return found


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
