"""The cost of a run: cold is never cheaper than warm, latency is one text at a time with nothing cached."""

import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.data.corpus import Rows
from crossover.model import cost_meter, runtime
from crossover.model.cost_meter import LATENCY_TEXTS, clock, fit_cost, latency, predict_cost


class Model:
    """What the meter reads of a classifier."""

    def __init__(self, parameters: int = 7, **cost: float) -> None:
        self.cost_, self.parameters_ = cost, parameters
        self.asked: list[tuple[list[str], object]] = []
        self.caches: list[object] = []

    def predict_proba(self, texts, meta=None):
        self.asked.append((list(texts), meta))
        self.caches.append(runtime.current().cache)
        return np.ones((len(texts), 1))


seconds = st.floats(0, 100)


def test_the_clock_tells_wall_and_processor_apart() -> None:
    with clock() as slept:
        time.sleep(0.05)
    assert 0.05 <= slept["wall"] < 5 and slept["cpu"] < slept["wall"]


def test_a_failing_block_is_not_timed_and_its_error_is_seen() -> None:
    with pytest.raises(ZeroDivisionError), clock() as took:
        1 / 0  # noqa: B018
    assert took == {}


def test_fitting_is_charged_its_encoding_once_a_selection() -> None:
    """Three trials of one selection encoded 4 s cold; the cache left 1 s of it to do now."""
    early = Model(encode_seconds=0.75, encode_seconds_cold=4.0, tokens=50.0)
    later = Model(encode_seconds=0.25, encode_seconds_cold=4.0, tokens=50.0)
    models = [early, later, Model(parameters=11)]
    cost = fit_cost({"wall": 10.0, "cpu": 12.0}, models)
    assert cost["fit_seconds"] == 10.0 and cost["fit_cpu_seconds"] == 12.0
    assert cost["fit_seconds_cold"] == pytest.approx(13.0)
    assert cost["tokens"] == 50.0 and cost["parameters"] == 11.0, "of the model kept, the last"
    assert cost["peak_memory_bytes"] > 2**20


def test_a_model_that_was_never_fitted_costs_nothing_of_its_own() -> None:
    unfitted = Model()
    del unfitted.cost_
    cost = fit_cost({"wall": 2.0, "cpu": 2.0}, [unfitted, Model(encode_seconds=1.0, encode_seconds_cold=1.0)])
    assert cost["fit_seconds_cold"] == 2.0


@given(wall=seconds, spent=st.lists(seconds, min_size=1, max_size=4), cold=seconds)
def test_cold_is_never_cheaper_than_it_was(wall: float, spent: list[float], cold: float) -> None:
    took = {"wall": wall + sum(spent), "cpu": 0.0}
    models = [Model(encode_seconds=s, encode_seconds_cold=cold) for s in spent]
    fitting = fit_cost(took, models)
    assert fitting["fit_seconds_cold"] >= fitting["fit_seconds"] - 1e-9
    predicting = predict_cost(took, models[0], 5)
    assert predicting["predict_seconds_cold"] >= predicting["predict_seconds"] - 1e-9
    assert predicting["predict_rows"] == 5.0


def test_predicting_from_a_warm_cache_is_also_told_cold() -> None:
    cost = predict_cost({"wall": 1.0, "cpu": 1.0}, Model(encode_seconds=0.25, encode_seconds_cold=6.25), 40)
    assert cost == {"predict_seconds": 1.0, "predict_seconds_cold": 7.0, "predict_rows": 40.0}
    assert predict_cost({"wall": 1.0, "cpu": 1.0}, Model(), 1)["predict_seconds_cold"] == 1.0


@pytest.mark.parametrize("count", [1, 3, LATENCY_TEXTS + 5])
def test_latency_is_of_one_text_at_a_time_without_a_cache(count: int, tmp_path: Path) -> None:
    rows = Rows([f"text {k}" for k in range(count)], ["a"] * count, {"source": list(range(count))})
    model = Model()
    with runtime.use(runtime.Runtime(cache=tmp_path, threads=1)):
        found = latency(model, rows)
        assert runtime.current().cache == tmp_path, "the run's own cache is put back"
    assert set(found) == {"latency_p50_ms", "latency_p95_ms"}
    assert 0 < found["latency_p50_ms"] <= found["latency_p95_ms"]
    asked = [0, *range(min(count, LATENCY_TEXTS))]
    assert model.asked == [([f"text {k}"], {"source": [k]}) for k in asked]
    assert model.caches == [None] * len(asked)


def test_a_slow_model_is_asked_no_longer_than_its_share(monkeypatch) -> None:
    """A model of 90 ms a text is timed twice, not nine times: then 0.1 s have gone by."""

    @contextmanager
    def said():
        yield {"wall": 0.09, "cpu": 0.09}

    monkeypatch.setattr(cost_meter, "clock", said)
    model = Model()
    assert latency(model, Rows(["a"] * 9, ["x"] * 9, {}))["latency_p50_ms"] == pytest.approx(90)
    assert len(model.asked) - 1 == 2


def test_loading_the_weights_is_no_latency() -> None:
    """The first call of a process may read the weights: it is not counted."""

    class Loading(Model):
        def predict_proba(self, texts, meta=None):
            time.sleep(0.0 if self.asked else 0.3)
            return super().predict_proba(texts, meta)

    assert latency(Loading(), Rows(["a", "b"], ["x", "x"], {}))["latency_p95_ms"] < 100


def test_latency_is_in_milliseconds() -> None:
    class Slow(Model):
        def predict_proba(self, texts, meta=None):
            time.sleep(0.02)

    assert 20 <= latency(Slow(), Rows(["a", "b"], ["x", "x"], {}))["latency_p50_ms"] < 2000


def test_runs_of_one_family_share_one_measurement_of_their_latency() -> None:
    rows = Rows(["a", "b"], ["x", "x"], {})
    first, second, other = Model(), Model(), Model()
    found = latency(first, rows, "a family of this test")
    assert latency(second, rows, "a family of this test") == found and second.asked == []
    latency(other, rows, "another family of this test")
    assert other.asked
