"""What fitting and predicting cost: clocks, encoding cold and cached, memory, latency.

Figures from within a study are indicative: they include whatever else the machine did. A
timing to be quoted is the median of at least three quiet repeats (methods.md 1).
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from crossover.data.corpus import Rows
from crossover.model import runtime
from crossover.model.classifier import Classifier
from crossover.model.embedding_cache import forget

LATENCY_TEXTS, LATENCY_SECONDS = 20, 0.1


@contextmanager
def clock() -> Iterator[dict[str, float]]:
    """Measure the block: ``wall`` and ``cpu`` seconds in the mapping given."""
    wall, cpu = time.perf_counter(), time.process_time()
    found: dict[str, float] = {}
    yield found
    found["wall"] = time.perf_counter() - wall
    found["cpu"] = time.process_time() - cpu


def fit_cost(took: dict[str, float], models: Sequence[Classifier]) -> dict[str, float]:
    """Cost of fitting every model of one selection, the last one being kept.

    ``fit_seconds_cold`` is what it would have taken with no vector cached beforehand: trials of
    one selection share their vectors, so they are counted once. Where a training went on from a
    checkpoint, what earlier attempts had put into it counts too.
    """
    costs = [model.cost_ for model in models if hasattr(model, "cost_")]
    wall = took["wall"] + sum(cost.get("earlier_seconds", 0.0) for cost in costs)
    cpu = took["cpu"] + sum(cost.get("earlier_cpu_seconds", 0.0) for cost in costs)
    earlier_peak = max((cost.get("earlier_peak_bytes", 0.0) for cost in costs), default=0.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    spent = sum(cost.get("encode_seconds", 0.0) for cost in costs)
    cold = max((cost.get("encode_seconds_cold", 0.0) for cost in costs), default=0.0)
    return {
        "fit_seconds": wall,
        "fit_cpu_seconds": cpu,
        "fit_seconds_cold": wall - spent + max(cold, spent),
        "tokens": max((cost.get("tokens", 0.0) for cost in costs), default=0.0),
        "parameters": float(models[-1].parameters_),
        "peak_memory_bytes": max(peak, earlier_peak),
    }


def predict_cost(took: dict[str, float], model: Classifier, rows: int) -> dict[str, float]:
    """Cost of predicting ``rows`` texts at once, as it was and with no vector cached."""
    spent = model.cost_.get("encode_seconds", 0.0)
    cold = max(spent, model.cost_.get("encode_seconds_cold", 0.0))
    return {
        "predict_seconds": took["wall"],
        "predict_seconds_cold": took["wall"] - spent + cold,
        "predict_rows": float(rows),
    }


_measured: dict[str, dict[str, float]] = {}


def latency(model: Classifier, rows: Rows, family: str = "") -> dict[str, float]:
    """Milliseconds for one text at a time, nothing cached: median and 95th percentile.

    Runs of one ``family`` differ in seeds and draw alone: in one process they share one measurement.

    Of 20 texts, or as many as 0.1 s allow: a study of hundreds of runs must not wait for its
    clock. The first is asked twice and counted once, for it may have to load the weights.
    """
    if family in _measured:
        return _measured[family]
    taken: list[float] = []
    for turn, k in enumerate([0, *range(min(LATENCY_TEXTS, len(rows)))]):
        if sum(taken) > 1000 * LATENCY_SECONDS:
            break
        one = rows.take([k])
        # Without a folder and with nothing in memory no vector of this text is found.
        forget(unsaved_only=True)
        with runtime.use(replace(runtime.current(), cache=None)), clock() as took:
            model.predict_proba(one.texts, one.meta)
        if turn:
            taken.append(1000 * took["wall"])
    found = {
        "latency_p50_ms": float(np.median(taken)),
        "latency_p95_ms": float(np.quantile(taken, 0.95)),
    }
    if family:
        _measured[family] = found
    return found
