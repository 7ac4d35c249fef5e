"""The compare study: known differences found, equal arms left alone, intervals that cover."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from handmade import answered, handmade
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from toy import bayes, logistic, toy_corpus, toy_split

from crossover.data.bad_input import BadInput
from crossover.measure.metric.metric import metric_named
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.measure.two_way import paired_mean
from crossover.record.run_record import RunRecord
from crossover.split.split import Split
from crossover.study.compare import CompareStudy, Gap, over_seeds
from crossover.study.expected import power_of
from crossover.study.grid import Cell, Grid

CORPUS = toy_corpus(2_000)
SPLIT = toy_split(CORPUS)
ARMS = {"plain": bayes(), "rich": logistic()}
FOUR = {**ARMS, "third": logistic().with_settings(C=50), "fourth": logistic().with_settings(C=5)}
STUDY = CompareStudy(CORPUS, SPLIT, ARMS, metric="accuracy")
DRAWN = replace(STUDY, size=60, draws=5, seeds=2)


def lead(gain: float):
    return lambda model, size: 0.70 + (gain if model == "logistic_regression" else 0.0)


def pair_of(verdict):
    (pair,) = verdict.numbers["pairs"]
    return pair


@pytest.mark.parametrize("study", [STUDY, DRAWN], ids=["one training set", "draws"])
def test_a_known_difference_is_found_and_covered(study: CompareStudy) -> None:
    verdict, _, _ = answered(study, lead(0.08))
    pair = pair_of(verdict)
    assert verdict.kind == "resolved"
    assert "rich has the best accuracy" in verdict.sentence
    assert "ahead of plain beyond chance" in verdict.sentence
    assert (pair["left"], pair["right"]) == ("plain", "rich")
    assert pair["difference"]["low"] < -0.08 < pair["difference"]["high"] < 0
    assert not pair["equivalent"]


@pytest.mark.parametrize("study", [STUDY, DRAWN], ids=["one training set", "draws"])
def test_equal_arms_are_not_told_apart(study: CompareStudy) -> None:
    verdict, _, _ = answered(study, lead(0.0), draw_sd=0.002)
    assert verdict.kind == "best_not_resolved" and "not resolved" in verdict.sentence
    assert "beyond chance" not in verdict.sentence
    assert not pair_of(verdict)["equivalent"], "800 test rows do not show that 1 point is absent"
    wide, _, _ = answered(replace(study, equivalence=0.1), lead(0.0), draw_sd=0.002)
    assert pair_of(wide)["equivalent"] and "equivalent within" in pair_of(wide)["equivalence"]


def test_by_a_loss_the_arm_that_loses_less_is_ahead() -> None:
    verdict, _, _ = answered(replace(STUDY, metric="log_loss"), lead(0.1))
    assert "rich has the best log loss" in verdict.sentence and verdict.kind == "resolved"
    assert pair_of(verdict)["difference"]["high"] < 0, "plain less rich, larger is better"


def test_several_differences_share_one_five_percent_by_holm() -> None:
    def accuracy(model: str, size: int) -> float:
        return 0.72 if model == "logistic_regression" else 0.70

    verdict, _, _ = answered(replace(STUDY, arms=FOUR), accuracy)
    pairs = verdict.numbers["pairs"]
    assert len(pairs) == 6
    raw = [pair["difference"]["p"] for pair in pairs]
    assert [pair["holm_p"] for pair in pairs] == pytest.approx(list(multipletests(raw, method="holm")[1]))
    assert any(adjusted > p for p, adjusted in zip(raw, (q["holm_p"] for q in pairs), strict=True))


def test_the_sentence_goes_by_the_corrected_p() -> None:
    arms = {"best": {}, "near": {}, "far": {}}
    for arm, score in zip(arms, (0.80, 0.79, 0.60), strict=True):
        arms[arm] = {"scores": {"accuracy": {"value": score}}}

    def pair(left: str, right: str, mean: float, p: float) -> dict[str, object]:
        return {"left": left, "right": right, "difference": {"mean": mean}, "holm_p": p}

    pairs = [
        pair("best", "near", 0.01, 0.051),
        pair("far", "best", -0.2, 0.001),
        pair("near", "far", 0.1, 0.01),
    ]
    sentence, kind = STUDY._sentence(arms, pairs, type("Up", (), {"larger_is_better": True}))
    assert kind == "best_not_resolved"
    assert "ahead of far beyond chance" in sentence and "lead over near is not resolved" in sentence
    # A difference that points the other way is no lead, however small its P.
    turned = [pair("best", "near", -0.01, 0.01), *pairs[1:]]
    assert (
        "lead over near is not resolved"
        in STUDY._sentence(arms, turned, type("Up", (), {"larger_is_better": True}))[0]
    )


def test_mcnemar_speaks_of_two_fitted_models_and_agrees_with_statsmodels() -> None:
    verdict, records, _ = answered(STUDY, lead(0.05))
    first = [next(r for r in records.values() if r.spec.model == model) for model in ARMS.values()]
    right = [(p := r.predictions.part("test")).gold_index == p.predicted_index for r in first]
    table = [[int((a & b).sum()) for b in (right[1], ~right[1])] for a in (right[0], ~right[0])]
    text = pair_of(verdict)["mcnemar"]
    assert f"alone is right on {table[0][1]}" in text and f"alone on {table[1][0]}" in text
    assert "two fitted models, not the arms" in text
    exact = statsmodels_mcnemar(table, exact=True).pvalue
    mid = exact - stats.binom.pmf(min(table[0][1], table[1][0]), table[0][1] + table[1][0], 0.5)
    assert f"mid-p = {mid:.3g}" in text


def test_mcnemar_compares_models_of_one_draw() -> None:
    """The first draw of one arm is lost: the models compared are those of a draw both have."""

    def lost(spec) -> bool:
        return spec.model == ARMS["plain"] and spec.subset.draw == 0

    verdict, records, _ = answered(DRAWN, lead(0.05), without=lost)
    cells = {(r.spec.model.name, r.spec.subset.draw): r for r in reversed(list(records.values()))}
    tests = [cells[name, 1].predictions.part("test") for name in ("naive_bayes", "logistic_regression")]
    alone = int(((tests[0].predicted_index == tests[0].gold_index)
                 & (tests[1].predicted_index != tests[1].gold_index)).sum())  # fmt: skip
    assert f"alone is right on {alone}," in pair_of(verdict)["mcnemar"]


def test_arms_without_two_draws_in_common_are_not_compared() -> None:
    def lost(spec) -> bool:
        return (spec.model == ARMS["plain"]) == (spec.subset.draw > 1)

    verdict, _, _ = answered(DRAWN, lead(0.05), without=lost)
    assert verdict.kind == "no_pair" and verdict.numbers["pairs"] == []
    assert "plain and rich share too few draws to be compared" in verdict.flags
    assert "failed" in verdict.next_step
    json.dumps(verdict.to_json(), allow_nan=False)


def test_an_arm_that_did_not_finish_is_left_out_and_named() -> None:
    study = replace(STUDY, arms={**ARMS, "dear": logistic().with_settings(C=50)})
    verdict, _, _ = answered(study, lead(0.08), without=lambda s: s.model == study.arms["dear"])
    assert set(verdict.numbers["arms"]) == {"plain", "rich"} and verdict.kind == "resolved"
    assert "dear: 3 of 3 runs did not finish; their draws are left out" in verdict.flags


def test_the_population_is_as_wide_as_the_design() -> None:
    def population(**changes: object) -> str:
        return replace(STUDY, **changes).conclude({}).population

    assert "this one training set" in population() and population().startswith(
        "Over seeds and fresh test rows"
    )
    assert "one seed an arm" in population(seeds=1) and not population(seeds=1).startswith("Over seeds")
    assert population(size=60, draws=3).startswith("Over fresh draws of 60 rows")
    assert "this one training set" in population(size=60)
    for changes in ({}, {"size": 60}):
        assert "on this one training set" in answered(replace(STUDY, **changes), lead(0.08))[0].sentence
    assert "one training set" not in answered(DRAWN, lead(0.08))[0].sentence


def test_gap_is_the_t_test_of_scipy() -> None:
    values = np.random.default_rng(3).normal(0.02, 0.03, 12)
    gap = Gap(float(values.mean()), float(stats.sem(values)), 11.0)
    oracle = stats.ttest_1samp(values, 0.0)
    assert gap.p == pytest.approx(oracle.pvalue)
    assert gap.interval(0.9) == pytest.approx(tuple(oracle.confidence_interval(0.9)))
    assert Gap(0.0, 0.0, 5.0).p == 1.0 and Gap(0.1, 0.0, 5.0).p == 0.0


def test_rows_and_seeds_make_one_variance_by_hand() -> None:
    """Rows: var(1, .5, 0, .5)/4 = 1/24. Seeds: var(.5, 1)/2 = 1/16. Counted twice: (.5/3)/8 = 1/48."""
    left = np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    right = np.array([[0.0, 0.0, 1.0, 0.0]])
    rows = paired_mean(left.mean(axis=0, keepdims=True) - right)
    gap = over_seeds(rows, [left, right], None)
    assert gap.mean == 0.5
    assert gap.error**2 == pytest.approx(1 / 24 + 1 / 16 - 1 / 48)
    upper = (1 / 16) / stats.chi2.ppf(0.2, 1)
    assert gap.degrees == pytest.approx((1 / 24 + upper) ** 2 / ((1 / 24) ** 2 / 3 + upper**2))
    alone = over_seeds(rows, [left[:1], right], None)
    assert alone.error**2 == pytest.approx(1 / 24) and alone.degrees == pytest.approx(3)


# Simulation of one training set: rows, seeds of each arm, and what a seed does to single rows.

M, CLASSES = 300, ("no", "yes")
SCORED = tuple(f"r{k}" for k in range(M))


def simulated(rng: np.random.Generator, seeds: int, spread: float, own: float = 0.5) -> tuple[Grid, float]:
    """A grid of two equal arms scored by Brier-like values, and the true difference, 0.

    Probabilities are set so that a row's Brier value is the value wanted; ``spread`` is the standard
    deviation of a seed of the left arm, a fifth of it that of the right one.
    """
    rows = rng.normal(0, 0.05, M)
    grid = Grid({}, {0: 0.0})
    for arm, sign, sd in (("left", 1, spread), ("right", -1, spread / 5)):
        records = []
        for _ in range(seeds):
            value = 0.5 + sign * rows / 2 + sd * rng.standard_normal() + own * 0.1 * rng.standard_normal(M)
            wrong = np.sqrt(np.clip(value, 1e-6, 1.99) / 2)
            test = Predictions(
                SCORED, ("test",) * M, ("yes",) * M, CLASSES, np.column_stack([wrong, 1 - wrong])
            )
            score = Score("brier", float((2 * wrong**2).mean()), None, None, M, "simulated")
            record = RunRecord(None, {"brier": score}, {}, "")
            record.__dict__["predictions"] = test
            records.append(record)
        grid.cells[arm, 0, 0] = Cell(arm, 0, 0, tuple(records))
    return grid, 0.0


BRIER = replace(STUDY, metric="brier")


def rate_of(hit, repetitions: int, **how: float) -> float:
    rng = np.random.default_rng(11)
    hits = []
    for _ in range(repetitions):
        grid, truth = simulated(rng, **how)
        gap = BRIER._gap(grid, "left", "right")
        assert gap is not None
        low, high = gap.interval(0.95)
        hits.append(hit(gap, low <= truth <= high))
    return float(np.mean(hits))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "spread"), [(1, 0.0), (2, 0.0), (2, 0.004), (2, 0.02), (3, 0.004), (3, 0.02), (5, 0.02)]
)
def test_the_interval_of_a_difference_covers(seeds: int, spread: float) -> None:
    """With one seed the interval speaks of rows alone, so there the seeds do not differ."""
    repetitions = 400
    rate = rate_of(lambda gap, covered: covered, repetitions, seeds=seeds, spread=spread)
    assert rate >= 0.95 - 2.6 * math.sqrt(0.05 * 0.95 / repetitions)
    if seeds > 2:
        assert rate <= 0.995, "nor is it wide beyond use"


@pytest.mark.slow
def test_two_hundred_null_pairs_raise_at_most_five_percent_alarms() -> None:
    alarms = rate_of(lambda gap, covered: gap.p <= 0.05, 200, seeds=3, spread=0.01)
    assert alarms <= stats.binom.ppf(0.99, 200, 0.05) / 200


def test_seeds_are_replication_and_not_rows() -> None:
    """Ten copies of a seed's rows would make any difference certain; ten seeds that scatter do not."""
    rng = np.random.default_rng(5)
    steady, _ = simulated(rng, seeds=4, spread=0.0)
    scattered, _ = simulated(rng, seeds=4, spread=0.05)
    narrow, wide = (BRIER._gap(grid, "left", "right") for grid in (steady, scattered))
    assert wide.error > 3 * narrow.error
    spread = [r.scores["brier"].value for r in scattered.cells["left", 0, 0].records]
    assert wide.error >= np.std(spread, ddof=1) / 2
    assert wide.degrees < 6 < narrow.degrees


def test_rows_of_one_group_count_once() -> None:
    groups = {id_: f"g{k // 4}" for k, id_ in enumerate(SPLIT.test)}
    grouped = Split(CORPUS.fingerprint, SPLIT.parts, groups)
    alone, together = (replace(STUDY, split=split, seeds=1) for split in (SPLIT, grouped))
    records = {s.digest: handmade(CORPUS, SPLIT, s, lead(0.05)) for s in alone.plan({})}
    moved = dict(zip([s.digest for s in together.plan({})], records.values(), strict=True))
    one, other = pair_of(alone.conclude(records)), pair_of(together.conclude(moved))
    assert one["difference"]["mean"] == pytest.approx(other["difference"]["mean"])
    assert one["difference"]["low"] != other["difference"]["low"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"arms": {"plain": bayes()}}, "at least two arms"),
        ({"seeds": 0}, "at least 1"),
        ({"draws": 3}, "needs study.size"),
        ({"size": 100_000}, "leave study.size out"),
        ({"metric": "acuracy"}, "accuracy"),
    ],
)
def test_bad_settings_are_refused_before_any_run(change: dict, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        replace(STUDY, **change)


def test_declared_looks_widen_every_interval_of_a_comparison_and_rename_it() -> None:
    five = replace(STUDY, looks=5)
    assert "looks" not in STUDY.settings() and five.settings() == STUDY.settings() | {"looks": 5}
    verdict, records, _ = answered(STUDY, lead(0.04))
    wide = five.conclude(records)
    assert verdict.numbers["level"] == 0.95 and wide.numbers["level"] == pytest.approx(0.99)
    narrow_gap, wide_gap = pair_of(verdict)["difference"], pair_of(wide)["difference"]
    assert (wide_gap["mean"], wide_gap["p"]) == (narrow_gap["mean"], narrow_gap["p"])
    ratio = (wide_gap["high"] - wide_gap["low"]) / (narrow_gap["high"] - narrow_gap["low"])
    assert stats.norm.ppf(0.995) / stats.norm.ppf(0.975) - 0.01 <= ratio < 1.5
    assert pair_of(wide)["detectable"] > pair_of(verdict)["detectable"]
    powers = [power_of(study) for study in (STUDY, five)]
    assert powers[0]["smallest"] < powers[1]["smallest"] and "(tested at 99%)" in powers[1]["sentence"]
    score = wide.numbers["arms"]["rich"]["scores"]["accuracy"]
    assert score["level"] == five.level and score["low"] is not None, "made from the stored predictions"


def test_a_lead_that_only_one_look_would_show_is_not_claimed_under_five() -> None:
    arms = {arm: {"scores": {"accuracy": {"value": 0.8 - k / 10}}} for k, arm in enumerate(("best", "next"))}
    pairs = [{"left": "best", "right": "next", "difference": {"mean": 0.1}, "holm_p": 0.02}]
    metric = metric_named("accuracy")
    assert STUDY._sentence(arms, pairs, metric)[1] == "resolved"
    assert replace(STUDY, looks=5)._sentence(arms, pairs, metric)[1] == "best_not_resolved"
    pairs[0]["holm_p"] = 0.009
    assert "beyond chance (Holm, 1%)" in replace(STUDY, looks=5)._sentence(arms, pairs, metric)[0]
