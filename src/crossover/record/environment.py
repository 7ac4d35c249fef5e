"""Environment: what surrounded a run, by allow-list; identical bits are promised only when equal."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from functools import cache, lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController

PACKAGES = ("crossover", "torch", "transformers", "tokenizers", "scikit-learn", "numpy", "scipy", "pyarrow")
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
             "CUBLAS_WORKSPACE_CONFIG", "HF_HUB_OFFLINE", "PYTHONHASHSEED")  # fmt: skip


def capture() -> dict[str, object]:
    """Versions, processor, threads and the few variables that change results; never secrets."""
    return {**_lasting(), "threads": _threads()}


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
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "versions": versions,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _threads() -> dict[str, object]:
    # torch is asked only where a model has loaded it already.
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


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
