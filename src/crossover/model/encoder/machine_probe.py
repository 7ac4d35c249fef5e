"""Machine probe: which dtype and token budget encode fastest here; recommends, changes nothing.

Measured on token ids drawn at random, of the lengths short messages have, with the very forward that
encodes; under twenty seconds. A recommendation is taken up by giving the settings on the command line
or in a yaml, and is then part of every spec and key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, takewhile

import numpy as np
import torch
from numpy.typing import NDArray

from crossover.model import runtime
from crossover.model.encoder.batch_plan import Ready
from crossover.model.encoder.encoder import DTYPES, Encoder

BUDGETS = (64, 128, 256, 512, 1024, 2048, 4096)
SECONDS = 7.0
"""Shared by all that is measured; loading the models comes on top."""
WORTH = 1.2
"""A dtype that is not exact must be this much faster, and a larger budget 1.05 times."""
LEAST_COSINE = 0.999
LEAST_OCCUPIED = 0.75
"""Share of the threads' time that must have been ours; where it was less, others were busy."""


@dataclass(frozen=True)
class Recommendation:
    """What was measured, and what follows.

    Attributes:
        rates: tokens a second by dtype and token budget.
        cosine: least cosine of a bfloat16 vector to the float32 vector of the same text.
        dtype: the recommended one.
        token_budget: the recommended one, the smallest that is not slower by more than a twentieth.
        gain: how many times faster than the settings that were given.
        busy: other processes took part of the machine meanwhile: the rates are not to be trusted.
    """

    rates: Mapping[tuple[str, int], float]
    cosine: float
    dtype: str
    token_budget: int
    gain: float
    busy: bool


def probe(encoder: Encoder, seconds: float = SECONDS) -> Recommendation:
    """Measure ``encoder``'s model in every dtype and token budget.

    Raises:
        BadInput: see :meth:`Encoder.folder`.
    """
    budgets = sorted({*BUDGETS, encoder.token_budget})
    share = seconds / (len(DTYPES) * len(budgets))
    rates: dict[tuple[str, int], float] = {}
    occupied: list[float] = []
    vectors: dict[str, NDArray[np.float32]] = {}
    for dtype in DTYPES:
        ready = Ready(_with(encoder, dtype=dtype))
        rows = _short_messages(int(ready.backbone.config.vocab_size), encoder.max_length)
        vectors[dtype] = ready.vectors(rows[:32])
        for budget in budgets:
            same = Ready(_with(encoder, dtype=dtype, token_budget=budget), backbone=ready.backbone)
            rates[dtype, budget], part = _rate(same, rows, budget, share)
            occupied.append(part)
    lengths = [np.linalg.norm(found, axis=1) for found in vectors.values()]
    dots = np.einsum("nd,nd->n", *vectors.values())
    cosine = float((dots / (lengths[0] * lengths[1])).min())
    return recommend(rates, cosine, encoder, float(np.median(occupied)) < LEAST_OCCUPIED)


def recommend(
    rates: Mapping[tuple[str, int], float], cosine: float, encoder: Encoder, busy: bool = False
) -> Recommendation:
    """The plainest settings that are about as fast as the fastest; pure."""
    fastest = {dtype: max(rate for (of, _), rate in rates.items() if of == dtype) for dtype in DTYPES}
    exact, quick = DTYPES
    pays = cosine >= LEAST_COSINE and fastest[quick] >= WORTH * fastest[exact]
    dtype = quick if pays else exact
    enough = [budget for (of, budget), rate in rates.items() if of == dtype and 1.05 * rate >= fastest[dtype]]
    budget = min(enough)
    gain = rates[dtype, budget] / rates[encoder.dtype, encoder.token_budget]
    return Recommendation(dict(rates), cosine, dtype, budget, gain, busy)


def report(found: Recommendation) -> str:
    """What to tell a person: the table, the settings to give, and what giving them means."""
    budgets = sorted({budget for _, budget in found.rates})
    lines = ["tokens a second      " + "".join(f"{dtype:>12}" for dtype in DTYPES)]
    for budget in budgets:
        told = "".join(f"{found.rates[dtype, budget]:>12,.0f}" for dtype in DTYPES)
        lines.append(f"token_budget={budget:<8}{told}")
    lines.append(f"bfloat16 against float32: cosine at least {found.cosine:.5f}")
    lines.append(f"recommended: encoder.dtype={found.dtype} encoder.token_budget={found.token_budget}")
    lines.append(
        f"{found.gain:.2f} times as fast as the settings given; nothing was changed. A spec with them"
    )
    lines.append("is another run, and its vectors are kept apart from those of other settings.")
    if found.busy:
        lines.append("other processes were busy meanwhile: ask again when the machine is quiet")
    return "\n".join(lines)


def _with(encoder: Encoder, **changed: object) -> Encoder:
    return Encoder(**{**vars(encoder), **changed})


def _short_messages(vocabulary: int, max_length: int) -> list[list[int]]:
    """Token ids of 2,000 messages, 25 tokens each on average."""
    draw = np.random.default_rng(0)
    lengths = np.minimum(4 + draw.gamma(2.0, 10.5, 2000).astype(int), max_length)
    return [draw.integers(vocabulary, size=length).tolist() for length in lengths]


def _rate(ready: Ready, rows: Sequence[list[int]], budget: int, seconds: float) -> tuple[float, float]:
    """Tokens a second, the best of the turns that ``seconds`` allow (two at least, one batch a thread),
    and the share of the threads' time that was computed in."""
    threads = runtime.current().threads or torch.get_num_threads()
    wanted = budget * threads
    sizes = accumulate(map(len, cycle(rows)))
    piece = [
        row for row, size in zip(cycle(rows), takewhile(lambda size: size <= wanted, sizes), strict=False)
    ]
    piece = piece or [rows[0][:budget]]
    best, began, used, turns = float("inf"), time.perf_counter(), time.process_time(), 0
    while turns < 2 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        ready.vectors(piece)
        best, turns = min(best, time.perf_counter() - start), turns + 1
    took, used = time.perf_counter() - began, time.process_time() - used
    return sum(map(len, piece)) / best, used / (took * min(threads, os.cpu_count() or 1))
