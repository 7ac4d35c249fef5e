"""Side by side: ours and the rivals in alternation in one process, rounds that others disturbed dropped.

    timings = alternate({"ours": ours, "sentence-transformers": theirs}, rounds=7)
    ratio(timings, "ours", "sentence-transformers")  # how many times faster ours is, with its spread

Each contender is a function that does the whole timed work once. One warm-up round of each is not counted.
A round is disturbed where other processes used more than ``BUSY`` of one core meanwhile (Linux; elsewhere no
round is known to be disturbed): it is counted as disturbed and done again, at most ``AGAIN`` times.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.nn import functional

from crossover.model.token_products import product

BUSY = 0.15
AGAIN = 5


@dataclass
class Timing:
    """Seconds of each counted round (wall and CPU), and how many rounds others disturbed."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    disturbed: int = 0

    def to_json(self, work: float | None = None) -> dict[str, object]:
        """Median, quartiles and rounds; with ``work`` also units a second."""
        low, middle, high = _quartiles(self.seconds)
        told: dict[str, object] = {
            "median_seconds": middle,
            "quartiles": [low, high],
            "median_cpu_seconds": statistics.median(self.cpu_seconds),
            "rounds": len(self.seconds),
            "disturbed": self.disturbed,
        }
        return told if work is None else {**told, "per_second": work / middle}


def alternate(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int = 7,
    warm_up: bool = True,
    again: int = AGAIN,
) -> dict[str, Timing]:
    """Rounds of every contender in turn, so that all meet the same machine.

    With ``again=0`` a disturbed round counts, and is told: for work of many minutes.
    """
    found = {name: Timing() for name in contenders}
    for _ in range(warm_up):
        for work in contenders.values():
            work()
    for _ in range(rounds):
        for name, work in contenders.items():
            for attempt in range(again + 1):
                seconds, cpu, others = _timed(work)
                if others <= BUSY * seconds:
                    break
                found[name].disturbed += 1
                if attempt == again:
                    break
            found[name].seconds.append(seconds)
            found[name].cpu_seconds.append(cpu)
    return found


def ratio(timings: Mapping[str, Timing], ours: str, rival: str) -> dict[str, float]:
    """Ratio of medians, rival over ours (above 1: ours is faster), and quartiles of the rounds' ratios."""
    a, b = timings[ours].seconds, timings[rival].seconds
    low, _, high = _quartiles([theirs / own for own, theirs in zip(a, b, strict=True)])
    return {"ratio": statistics.median(b) / statistics.median(a), "low": low, "high": high}


def headline(what: str, measured: str, target: str, met: bool | None) -> dict[str, object]:
    """A line of the table of all benchmarks; ``met`` None where the target is not for this machine."""
    return {"what": what, "measured": measured, "target": target, "met": met}


def times(found: Mapping[str, float]) -> str:
    """A ratio with the quartiles of its rounds, in words."""
    return f"{found['ratio']:.1f}x [{found['low']:.1f}, {found['high']:.1f}]"


def write(result: Mapping[str, object], name: str, folder: Path | None) -> None:
    """``name``.json into ``folder``; nothing where there is none."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """What the figures were taken on, and how fast it multiplies matrices (GFLOP/s, the limit)."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "gflops_float32": matrix_rate(torch.float32),
        "gflops_bfloat16": matrix_rate(torch.bfloat16),
    }


def matrix_rate(dtype: torch.dtype, rows: int = 4096, inner: int = 1536, columns: int = 384) -> float:
    """GFLOP/s of the products a small transformer is made of: the best of twenty, torch's own or ours."""
    a, b = torch.randn(rows, inner, dtype=dtype), torch.randn(columns, inner, dtype=dtype)
    best = float("inf")
    with torch.inference_mode():
        for multiply in (functional.linear, product):
            for _ in range(20):
                began = time.perf_counter()
                multiply(a, b)
                best = min(best, time.perf_counter() - began)
    return 2e-9 * rows * inner * columns / best


def _timed(work: Callable[[], object]) -> tuple[float, float, float]:
    """Wall seconds, own CPU seconds (children's too), and CPU seconds of everybody else."""
    busy, own, began = _busy_seconds(), _own_seconds(), time.perf_counter()
    work()
    seconds, own = time.perf_counter() - began, _own_seconds() - own
    after = _busy_seconds()
    others = 0.0 if busy is None or after is None else max(0.0, after - busy - own)
    return seconds, own, others


def _own_seconds() -> float:
    return sum(os.times()[:4])


def _busy_seconds() -> float | None:
    """CPU seconds all processes of the machine have used; None where /proc is not there."""
    try:
        counts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, counts[:8])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
