"""Runs are aggregated by family, seeds within a draw first, with the interval of the right unit."""

from __future__ import annotations

import math

import pytest

from crossover.data.bad_input import BadInput
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.report.runs_table import runs_table
from crossover.split.nested_subsets import Subset


def record(
    value: float | None, draw: int = 0, seed: int = 0, size: int = 50, **more: object
) -> dict[str, object]:
    spec = RunSpec(
        corpus="c" * 16,
        split="d" * 16,
        model=Component("crossover.model.naive_bayes.NaiveBayes", {"alpha": 0.5}),
        subset=Subset("natural", size, draw),
        seeds=Seeds(seed, seed),
        **more,  # type: ignore[arg-type]
    )
    score = {"value": value, "low": 0.1, "high": 0.9, "n": 200, "method": "Wilson"}
    return {"digest": spec.digest, "spec": spec.to_json(), "scores": {spec.metric: score}}


def cells(*records: dict[str, object]) -> list[dict[str, object]]:
    table = runs_table(records)
    return [dict(zip([column.title for column in table.columns], row, strict=True)) for row in table.rows]


def test_draws_are_the_unit_by_hand() -> None:
    """0.6, 0.7, 0.8: mean 0.7, standard error 0.1/sqrt(3), t(.975, 2) = 4.302653."""
    (row,) = cells(record(0.6, 0), record(0.7, 1), record(0.8, 2))
    half = 4.302652729911275 * 0.1 / math.sqrt(3)
    assert row["mean"] == pytest.approx(0.7)
    assert row["interval"] == pytest.approx((0.7 - half, 0.7 + half))
    assert (row["runs"], row["draws"], row["interval over"]) == (3, 3, "3 draws, t")


def test_seeds_are_averaged_within_a_draw_before_draws_are_counted() -> None:
    """Draw 0 has seeds 0.68 and 0.72, draw 1 has 0.71: units .70 and .71, not three units."""
    (row,) = cells(record(0.68, 0, 1), record(0.72, 0, 2), record(0.71, 1, 3))
    half = 12.706204736432095 * math.sqrt(0.00005) / math.sqrt(2)
    assert row["mean"] == pytest.approx(0.705)
    assert row["interval"] == pytest.approx((0.705 - half, 0.705 + half))
    assert (row["runs"], row["draws"]) == (3, 2)


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    (row,) = cells(record(0.5, 0), record(0.9, 1))
    assert row["interval"] == (0.0, 1.0)


def test_runs_that_chance_cannot_move_have_no_spread_to_measure() -> None:
    (row,) = cells(record(0.7, 0, 1), record(0.7, 0, 2))
    assert row["interval"] == (None, None) and "equal" in row["interval over"]


def test_seeds_of_one_draw_are_said_to_be_that() -> None:
    (row,) = cells(record(0.5, 0, 1), record(0.7, 0, 2))
    assert row["interval over"] == "2 seeds of one draw, t"
    assert row["mean"] == pytest.approx(0.6)


def test_one_run_keeps_its_own_interval() -> None:
    (row,) = cells(record(0.5))
    assert row["interval"] == (0.1, 0.9)
    assert row["interval over"] == "test rows (Wilson)"


def test_an_undefined_score_is_no_run_of_the_mean() -> None:
    (row,) = cells(record(None, 0), record(0.5, 1))
    assert (row["mean"], row["runs"], row["interval"]) == (0.5, 1, (0.1, 0.9))
    (row,) = cells(record(None, 0))
    assert (row["mean"], row["interval"], row["runs"]) == (None, (None, None), 0)


def test_a_family_is_everything_but_seed_and_draw() -> None:
    rows = cells(
        record(0.5, size=100), record(0.5, size=50), record(0.6, draw=3, size=50), record(0.6, budget=4)
    )
    assert [(row["n"], row["runs"]) for row in rows] == [(50, 2), (50, 1), (100, 1)] or sorted(
        (row["n"], row["runs"]) for row in rows
    ) == [(50, 1), (50, 2), (100, 1)]
    assert {row["settings"] for row in rows} == {"alpha = 0.5", "alpha = 0.5; budget 4"}
    assert {row["model"] for row in rows} == {"naive_bayes"}


def test_the_order_of_records_does_not_matter() -> None:
    records = [record(0.5, draw, size=size) for draw in (0, 1) for size in (50, 100)]
    assert runs_table(records) == runs_table(records[::-1])


def test_no_records_is_an_empty_table() -> None:
    assert runs_table([]).rows == ()


def test_a_record_with_an_interpolation_is_refused() -> None:
    bad = record(0.5)
    bad["spec"] = {**bad["spec"], "corpus": "${oc.env:HOME}"}  # type: ignore[dict-item]
    with pytest.raises(BadInput, match="interpolation"):
        runs_table([bad])
