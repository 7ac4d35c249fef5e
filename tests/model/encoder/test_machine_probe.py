from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crossover.model.encoder import machine_probe
from crossover.model.encoder.encoder import DTYPES, Encoder
from crossover.model.encoder.machine_probe import probe, recommend, report


def rates(exact: list[float], quick: list[float]) -> dict[tuple[str, int], float]:
    measured = zip(DTYPES, (exact, quick), strict=True)
    return {(dtype, 128 << k): rate for dtype, found in measured for k, rate in enumerate(found)}


@pytest.mark.parametrize(
    ("exact", "quick", "cosine", "expected"),
    [
        ([100, 120, 124], [300, 200, 250], 0.9999, ("bfloat16", 128)),
        ([100, 120, 124], [200, 290, 300], 0.9999, ("bfloat16", 256)),  # within a twentieth: the smaller
        ([100, 120, 124], [200, 290, 300], 0.998, ("float32", 256)),  # other vectors
        ([100, 120, 124], [100, 130, 140], 0.9999, ("float32", 256)),  # not worth it
        ([100, 120, 124], [30, 20, 10], 0.9999, ("float32", 256)),  # no bfloat16 units
    ],
)
def test_the_plainest_settings_that_are_about_the_fastest_are_recommended(
    exact: list[float], quick: list[float], cosine: float, expected: tuple[str, int]
) -> None:
    found = recommend(rates(exact, quick), cosine, Encoder(token_budget=128))
    assert (found.dtype, found.token_budget) == expected
    assert found.gain == found.rates[expected] / exact[0]


def test_the_probe_measures_every_pair_and_changes_nothing(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_probe, "BUDGETS", (64, 256))
    encoder = Encoder(str(tiny_model), max_length=64, token_budget=96)
    before = dict(vars(encoder))
    found = probe(encoder, seconds=0.1)
    assert vars(encoder) == before
    assert set(found.rates) == {(dtype, budget) for dtype in DTYPES for budget in (64, 96, 256)}
    assert min(found.rates.values()) > 0 and 0.99 < found.cosine <= 1.000001
    told = report(replace(found, busy=False))
    assert f"encoder.dtype={found.dtype} encoder.token_budget={found.token_budget}" in told
    assert "nothing was changed" in told and "busy" not in told
    assert "when the machine is quiet" in report(replace(found, busy=True))
