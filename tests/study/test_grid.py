"""The grid: which runs enter a pair, on which rows, and what counts as a failure."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import bayes, logistic

from crossover.measure.metric.metric import metric_named
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.measure.two_way import paired_mean
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import Subset
from crossover.study.grid import (
    Cell,
    Design,
    Grid,
    absent_classes,
    collect,
    common_ids,
    failed,
    median_cost,
    unfinished,
)

CLASSES = ("a", "b", "c")
COST = {
    "fit_seconds": 1.0, "fit_seconds_cold": 2.0, "predict_seconds": 0.5, "predict_seconds_cold": 1.0,
    "predict_rows": 100.0, "latency_p50_ms": 1.0, "latency_p95_ms": 2.0, "peak_memory_bytes": 3 * 2.0**20,
    "tokens": 0.0, "parameters": 10.0, "labels": 8.0,
}  # fmt: skip
SPEC = RunSpec("corpus", "split", bayes(), Subset("natural", 8, 0))


def rows_of(gold: str, predicted: str, ids: range | None = None) -> tuple[tuple[str, ...], str, np.ndarray]:
    """Ids, gold labels and probabilities (.8 on the predicted class) from two strings of classes."""
    probabilities = np.full((len(gold), len(CLASSES)), 0.1)
    probabilities[np.arange(len(gold)), [CLASSES.index(p) for p in predicted]] = 0.8
    return tuple(f"r{k:03d}" for k in ids or range(len(gold))), gold, probabilities


def record(
    test: tuple[tuple[str, ...], str, np.ndarray],
    select: tuple[str, str] = ("abc", "abc"),
    train: str = "aabbcccc",
    spec: RunSpec = SPEC,
    **cost: float,
) -> RunRecord:
    """A record of a few rows; ``select`` and ``train`` are strings of classes."""
    chosen = rows_of(*select)
    fitted = rows_of(train, train)
    parts = [("train", "t", fitted), ("select", "s", chosen), ("test", "", test)]
    predictions = Predictions(
        tuple(prefix + id_ for _, prefix, (ids, _, _) in parts for id_ in ids),
        tuple(part for part, _, (ids, _, _) in parts for _ in ids),
        tuple(label for _, _, (_, gold, _) in parts for label in gold),
        CLASSES,
        np.concatenate([probabilities for _, _, (_, _, probabilities) in parts]),
    )
    scores = {"log_loss": Score("log_loss", 0.5, None, None, len(test[1]), "by hand")}
    made = RunRecord(spec, scores, {**COST, **cost}, "0" * 64)
    made.__dict__["predictions"] = predictions
    return made


def cell(arm: str, draw: int, *records: RunRecord, size: int = 8) -> tuple[tuple[str, int, int], Cell]:
    return (arm, size, draw), Cell(arm, size, draw, records)


def grid_of(*cells: tuple[tuple[str, int, int], Cell], groups: dict[str, str] | None = None) -> Grid:
    return Grid(groups or {}, {8: 0.25}, dict(cells))


GOLD = "aaabbbcccc"
RIGHT = rows_of(GOLD, GOLD)
ONE_WRONG = rows_of(GOLD, "baabbbcccc")
TWO_WRONG = rows_of(GOLD, "bbabbbcccc")


def test_differences_are_the_expensive_arm_less_the_cheap_one_row_by_row() -> None:
    grid = grid_of(cell("cheap", 0, record(TWO_WRONG)), cell("dear", 0, record(ONE_WRONG)))
    found, clusters = grid.evidence("accuracy", "cheap", "dear", 8, [0])
    assert found.differences.tolist() == [[0, 1, 0, 0, 0, 0, 0, 0, 0, 0]]
    assert (found.size, found.overlap, clusters) == (8, 0.25, None)


def test_a_smaller_loss_counts_as_a_lead() -> None:
    grid = grid_of(cell("cheap", 0, record(TWO_WRONG)), cell("dear", 0, record(ONE_WRONG)))
    found, _ = grid.evidence("log_loss", "cheap", "dear", 8, [0])
    assert found.differences[0, 1] == pytest.approx(math.log(0.8) - math.log(0.1))
    assert found.differences[0, 2] == 0


def test_only_draws_that_both_arms_finished_enter() -> None:
    grid = grid_of(
        *(cell("cheap", draw, record(TWO_WRONG)) for draw in (0, 1, 2, 5)),
        *(cell("dear", draw, record(ONE_WRONG)) for draw in (1, 2, 3, 5)),
    )
    assert grid.paired_draws("cheap", "dear", 8, range(10)) == [1, 2, 5]
    assert grid.paired_draws("cheap", "dear", 8, [5, 0, 1]) == [1, 5]
    found, _ = grid.evidence("accuracy", "cheap", "dear", 8, range(10))
    assert found.differences.shape == (3, 10)
    assert grid.evidence("accuracy", "cheap", "dear", 8, [0, 3]) is None
    assert grid.evidence("accuracy", "cheap", "dear", 9, range(10)) is None


def test_seeds_are_averaged_before_draws_are_compared() -> None:
    """Three seeds of one draw are one row of differences, not three."""
    seeds = [record(ONE_WRONG), record(ONE_WRONG), record(TWO_WRONG)]
    grid = grid_of(cell("cheap", 0, *seeds), cell("dear", 0, record(RIGHT)))
    found, _ = grid.evidence("accuracy", "cheap", "dear", 8, [0])
    assert found.differences == pytest.approx(np.array([[1, 1 / 3, 0, 0, 0, 0, 0, 0, 0, 0]]))


def test_an_arm_with_a_cap_is_compared_on_the_rows_both_scored() -> None:
    """Macro-F1 pseudo-values are those of the common rows alone, as if both had the cap."""
    few = rows_of("abcabc", "abcaba", range(2, 8))
    many = rows_of("ababcabcab", "bbababcabc")
    kept = (many[0][2:8], many[1][2:8], many[2][2:8])
    capped = grid_of(cell("cheap", 0, record(many)), cell("dear", 0, record(few)))
    alike = grid_of(cell("cheap", 0, record(kept)), cell("dear", 0, record(few)))
    assert kept[1] == few[1], "the gold labels of a row are one"
    for metric in ("accuracy", "macro_f1", "log_loss"):
        found, _ = capped.evidence(metric, "cheap", "dear", 8, [0])
        assert found.differences.shape == (1, 6)
        assert np.array_equal(
            found.differences, alike.evidence(metric, "cheap", "dear", 8, [0])[0].differences
        )
    assert common_ids(list(capped.cells.values())) == list(few[0])


def test_a_cap_in_one_draw_only_binds_every_draw() -> None:
    few = rows_of("abcabc", "abcaba", range(2, 8))
    many = rows_of("ababcabcab", "bbababcabc")
    cells = [cell("cheap", 0, record(many)), cell("dear", 0, record(many)), cell("cheap", 1, record(many))]
    found, _ = grid_of(*cells, cell("dear", 1, record(few))).evidence("accuracy", "cheap", "dear", 8, [0, 1])
    assert found.differences.shape == (2, 6) and not found.differences[0].any()


def test_rows_of_one_group_are_one_cluster() -> None:
    groups = {"r000": "x", "r001": "x", "r005": "y"}
    grid = grid_of(cell("cheap", 0, record(TWO_WRONG)), cell("dear", 0, record(RIGHT)), groups=groups)
    _, clusters = grid.evidence("accuracy", "cheap", "dear", 8, [0])
    assert clusters[0] == clusters[1] and len(set(clusters)) == 9


def test_a_point_of_the_curve_has_the_two_way_interval_and_its_overlap() -> None:
    grid = grid_of(
        *(cell("dear", d, record(t)) for d, t in enumerate((RIGHT, ONE_WRONG, TWO_WRONG, ONE_WRONG)))
    )
    point = grid.curve("accuracy", "dear", 8, range(4))
    values = np.array([[float(p == g) for p, g in zip(t, GOLD, strict=True)] for t in
                       (GOLD, "baabbbcccc", "bbabbbcccc", "baabbbcccc")])  # fmt: skip
    mean = paired_mean(values, 0.25)
    assert point["mean"] == pytest.approx(0.9) and point["draws"] == pytest.approx([1.0, 0.9, 0.8, 0.9])
    assert point["low"] == pytest.approx(mean.interval()[0])
    assert point["high"] == pytest.approx(min(1.0, mean.interval()[1]))
    assert mean.interval()[1] - mean.interval()[0] > np.diff(paired_mean(values, 0.0).interval())
    assert point["runs"] == 4 and point["labels"] == 8 and point["log_loss"] == 0.5


def test_the_interval_of_a_curve_stays_within_the_bounds_of_the_score() -> None:
    grid = grid_of(cell("dear", 0, record(RIGHT)), cell("dear", 1, record(TWO_WRONG)))
    point = grid.curve("accuracy", "dear", 8, [0, 1])
    assert point["high"] == 1.0 and 0.0 <= point["low"] < point["mean"]


def test_a_run_fails_when_it_does_not_beat_the_majority_rule_on_select() -> None:
    """Train holds mostly c; select is c, c, a, b: the rule scores .5."""
    gold = "ccab"
    assert failed(record(RIGHT, (gold, "cccc")), "accuracy"), "the rule itself"
    assert failed(record(RIGHT, (gold, "acbb")), "accuracy"), "equal is not above"
    assert not failed(record(RIGHT, (gold, "ccaa")), "accuracy")
    assert not failed(record(RIGHT, (gold, "acbb"), train="aaaabc"), "accuracy"), "the rule is that of train"


def test_failure_is_judged_by_the_metric_of_record() -> None:
    """Never c: as accurate as the rule, and better by macro-F1."""
    rule, other = ("cccab", "ccccc"), ("cccab", "caaab")
    assert failed(record(RIGHT, rule), "macro_f1") and failed(record(RIGHT, other), "accuracy")
    assert not failed(record(RIGHT, other), "macro_f1")


def test_by_a_loss_the_rule_says_the_shares_of_train() -> None:
    """Shares .25 .25 .5 of train cost 1.04 a row on cab; .8 on the right class costs .22."""
    assert not failed(record(RIGHT, ("cab", "cab")), "log_loss")
    assert failed(record(RIGHT, ("cab", "aca")), "log_loss")


def test_without_a_select_half_nothing_is_called_a_failure() -> None:
    assert not failed(record(RIGHT, ("", "")), "accuracy")


def test_where_the_metric_is_undefined_nothing_is_called_a_failure() -> None:
    assert metric_named("mcc")(np.array([2, 2]), rows_of("cc", "ab")[2]) is None
    assert not failed(record(RIGHT, ("cc", "ab")), "mcc")


def test_absent_classes_are_counted_from_the_training_rows() -> None:
    assert absent_classes(record(RIGHT, train="aabb")) == 1
    assert absent_classes(record(RIGHT, train="abc")) == 0
    grid = grid_of(cell("dear", 0, record(RIGHT, train="ab")), cell("dear", 1, record(RIGHT)))
    assert grid.curve("accuracy", "dear", 8, [0, 1])["absent_classes"] == 0.5


def test_costs_are_medians_of_runs_in_milliseconds_a_row() -> None:
    runs = [record(RIGHT, fit_seconds=s, predict_seconds=p) for s, p in ((1, 0.1), (9, 0.2), (2, 0.9))]
    cost = median_cost(runs)
    assert cost["fit_seconds"] == 2 and cost["predict_ms"] == pytest.approx(2.0)
    assert cost["fit_seconds_cold"] == 2 and cost["predict_ms_cold"] == pytest.approx(10.0)
    assert cost["peak_memory_mb"] == 3
    assert Cell("dear", 8, 0, tuple(runs)).cost == {**cost, "labels": 8.0}


def test_a_cell_that_lacks_a_seed_is_left_out_and_said() -> None:
    design = Design("c", "s", "accuracy", "inside", 2, "natural", 4)
    one, two = design.specs(bayes(), 8, 0, 1, None)
    lone = design.specs(logistic(), 8, 0, 1, None)
    held = {one.digest: record(RIGHT, spec=one), **{s.digest: record(RIGHT, spec=s) for s in lone}}
    wanted = {("x", 8, 0): [one.digest, two.digest], ("y", 8, 0): [s.digest for s in lone]}
    grid = collect(held, wanted, {}, {8: 0.0})
    assert set(grid.cells) == {("y", 8, 0)}
    said = unfinished({"x": bayes(), "y": logistic()}, [one, two, *lone], held)
    assert said == ["x: 1 of 2 runs did not finish; their draws are left out"]


def test_the_runs_of_a_cell_differ_in_their_seeds_alone() -> None:
    specs = Design("c", "s", "accuracy", "shared", 3, "per_class", 4).specs(bayes(), 8, 2, 5, 60)
    assert len({spec.digest for spec in specs}) == 3 and len({spec.family for spec in specs}) == 1
    assert specs[0].subset == Subset("per_class", 8, 2, 4)
    assert (specs[0].budget, specs[0].selection, specs[0].test_rows) == (5, "shared", 60)
    assert (
        Design("c", "s", "accuracy", "shared", 1, "natural", 4).specs(bayes(), None, 0, 1, None)[0].subset
        is None
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.sampled_from(["accuracy", "macro_f1", "brier"]))
def test_the_mean_difference_is_that_of_the_scores(seed: int, draws: int, metric: str) -> None:
    """Up to the jackknife's bias of order 1/m, which only macro-F1 has."""
    rng = np.random.default_rng(seed)
    gold = "".join(rng.choice(list(CLASSES), 60)) + "abc"
    cells, gaps = [], []
    measure = metric_named(metric)
    for draw in range(draws):
        both = []
        for arm in ("cheap", "dear"):
            predicted = [g if rng.random() < 0.7 else str(rng.choice(list(CLASSES))) for g in gold]
            made = record(rows_of(gold, "".join(predicted)))
            cells.append(cell(arm, draw, made))
            test = made.predictions.part("test")
            both.append(measure(test.gold_index, test.probabilities))
        gaps.append((both[1] - both[0]) * (1 if measure.larger_is_better else -1))
    found, _ = grid_of(*cells).evidence(metric, "cheap", "dear", 8, range(draws))
    assert found.differences.mean(axis=1) == pytest.approx(gaps, abs=0.01 if metric == "macro_f1" else 1e-9)
