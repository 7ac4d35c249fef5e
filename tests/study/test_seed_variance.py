"""The seed-variance study: known variances are found, and nothing is claimed that the runs do not tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import handmade
from toy import bayes, logistic, toy_corpus, toy_split, toy_store

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.launch.in_process import InProcess
from crossover.measure.score import Score
from crossover.protocol.component import Component, component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.split import Split
from crossover.study.compare import CompareStudy
from crossover.study.crossover import CrossoverStudy
from crossover.study.seed_variance import SeedVarianceStudy
from crossover.study.study import run

CORPUS = toy_corpus(1600)
SPLIT = toy_split(CORPUS)


def svm() -> Component:
    return component("crossover.model.linear_svm.LinearSvm")


def ordered() -> Component:
    """A model that takes the two seeds apart; its runs are made by hand."""
    encoder = component("crossover.model.encoder.encoder.Encoder", {})
    return Component("crossover.model.finetune.Finetune", {"encoder": encoder})


def study(arms: dict[str, Component] | None = None, **settings: object) -> SeedVarianceStudy:
    given = {"metric": "accuracy", "size": 50, **settings}
    return SeedVarianceStudy(CORPUS, SPLIT, arms or {"svm": svm()}, **given)


Luck = Callable[[RunSpec], float | None]


def luck(draw: float = 0.0, seed: float = 0.0, order: float = 0.0, split: float = 0.0, fate: int = 0) -> Luck:
    """A score around .8 whose parts have these SDs; seeds act within their draw, ``fate`` deals them anew."""

    def z(*key: int) -> float:
        return float(np.random.default_rng([abs(k) for k in (*key, fate)]).standard_normal())

    def score(spec: RunSpec) -> float:
        t = spec.subset.draw if spec.subset else 99
        where = int(spec.split[:8], 16)
        moved = draw * z(1, t, where) + split * z(4, where)
        first = seed * z(2, t, spec.seeds.initialisation)
        return 0.8 + moved + first + order * z(3, t, spec.seeds.order)

    return score


def made(asked: SeedVarianceStudy, spec: RunSpec, score: float | None, same: bool = False) -> RunRecord:
    plain = replace(spec, split=asked.split.fingerprint)
    if same:
        plain = replace(plain, seeds=replace(spec.seeds, initialisation=0, order=0))
    record = handmade(asked.corpus, asked.split, plain, lambda model, size: 0.8)
    if same:
        score = record.scores["accuracy"].value
    scores = {**record.scores, asked.metric: Score(asked.metric, score, None, None, 100, "by hand")}
    told = RunRecord(spec, scores, record.cost, record.predictions_sha256)
    told.__dict__["predictions"] = record.predictions
    return told


def answer(asked: SeedVarianceStudy, score: Luck, without: Callable[[RunSpec], bool] = lambda spec: False):
    records = {s.digest: made(asked, s, score(s)) for s in asked.plan({}) if not without(s)}
    return asked.conclude(records), records


def parts_of(verdict, arm: str = "svm") -> dict[str, dict]:
    return {part["source"]: part for part in verdict.numbers["arms"][arm]["result"]["components"]}


def test_the_two_standard_deviations_are_found_and_ranked() -> None:
    verdict, _ = answer(study(draws=16, seeds=8), luck(draw=0.05, seed=0.01))
    parts = parts_of(verdict)
    for source, truth in (("training draw", 0.05), ("seed", 0.01)):
        assert parts[source]["sd_low"] < truth < parts[source]["sd_high"]
        assert parts[source]["sd"] == pytest.approx(truth, rel=0.5)
    assert verdict.kind == "draw_larger" and "more than the seed" in verdict.sentence
    assert answer(study(draws=10, seeds=5), luck(seed=0.05))[0].kind == "seed_larger"
    assert answer(study(draws=10, seeds=5), luck(draw=0.02, seed=0.02))[0].kind == "not_ranked"


def test_the_sentence_states_what_a_meaningless_change_did() -> None:
    verdict, records = answer(study(), luck(draw=0.03, seed=0.01))
    by_draw: dict[int, list[float]] = {}
    for record in records.values():
        by_draw.setdefault(record.spec.subset.draw, []).append(record.scores["accuracy"].value)
    largest = max(max(v) - min(v) for v in by_draw.values())
    assert (
        f"a meaningless change (the seed alone) changed accuracy by up to {largest:.3f}" in verdict.sentence
    )
    assert verdict.numbers["arms"]["svm"]["result"]["change"]["largest"] == pytest.approx(largest)


def test_a_model_that_no_seed_changes_is_called_bit_identical_and_gets_no_component() -> None:
    asked = study({"plain": bayes(), "svm": svm()})
    records = {
        s.digest: made(asked, s, luck(draw=0.03, seed=0.01)(s), same=s.model == bayes())
        for s in asked.plan({})
    }
    verdict = asked.conclude(records)
    seed = parts_of(verdict, "plain")["seed"]
    assert seed["sd"] is None and seed["sd_high"] is None and "bit-identical" in seed["method"]
    assert parts_of(verdict, "plain")["training draw"]["degrees"] == 9
    assert "plain is bit-identical over seeds" in verdict.sentence
    only = study({"plain": bayes()})
    alone = only.conclude({d: r for d, r in records.items() if r.spec.model == bayes()})
    assert alone.kind == "bit_identical" and "changed nothing" in alone.sentence


def test_equal_scores_of_different_predictions_are_not_called_identical() -> None:
    verdict, _ = answer(study(), lambda spec: 0.8)
    result = verdict.numbers["arms"]["svm"]["result"]
    assert result["identical"] is False
    assert all(part["sd"] is None and part["method"].startswith("refused") for part in result["components"])
    assert "too coarse" in parts_of(verdict)["seed"]["method"]
    json.dumps(verdict.to_json(), allow_nan=False)


def test_initialisation_and_order_are_crossed_only_where_a_model_takes_both() -> None:
    asked = study({"both": ordered(), "svm": svm()}, crossed_draws=4, crossed_seeds=4)
    assert len(asked.wanted("svm")) == 50 and len(asked.wanted("both")) == 50 + 4 * (16 - 4)
    within, larger = {"initialisation": 0, "order": 0}, 0
    for fate in range(12):
        verdict, _ = answer(asked, luck(draw=0.02, seed=0.03, order=0.004, fate=fate))
        parts = parts_of(verdict, "both")
        for name, truth in (("initialisation", 0.03), ("order", 0.004)):
            within[name] += parts[name]["sd_low"] < truth < parts[name]["sd_high"]
        ranks = verdict.numbers["arms"]["both"]["result"]["rankings"]
        pair = next(r for r in ranks if (r["first"], r["second"]) == ("initialisation", "order"))
        larger += pair["larger"] == "initialisation"
    # 95% intervals: fewer than 9 of 12 hold the truth once in some five thousand times.
    assert min(within.values()) >= 9 and larger == 12
    assert "order" not in parts_of(verdict)


def test_a_crossed_draw_that_lacks_a_run_is_left_out() -> None:
    asked = study({"svm": ordered()}, crossed_draws=3)
    lost = asked.crossed("svm")[1][0][2].digest
    verdict, _ = answer(asked, luck(0.02, 0.01, 0.01), lambda spec: spec.digest == lost)
    assert parts_of(verdict)["initialisation"]["degrees"] == 2 * 2
    none = {s.digest for block in asked.crossed("svm").values() for s in (block[0][1],)}
    verdict, _ = answer(asked, luck(0.02, 0.01, 0.01), lambda spec: spec.digest in none)
    assert "no draw has all" in parts_of(verdict)["order"]["method"]


def test_components_below_four_degrees_of_freedom_are_refused() -> None:
    verdict, _ = answer(study(draws=4, seeds=2), luck(0.02, 0.01))
    parts = parts_of(verdict)
    assert parts["training draw"]["sd"] is None and "3 degrees" in parts["training draw"]["method"]
    assert parts["seed"]["sd"] is not None and parts["seed"]["degrees"] == 4
    assert verdict.kind == "pilot" and any("pilot" in flag for flag in verdict.flags)


def test_one_training_set_speaks_of_seeds_alone() -> None:
    verdict, _ = answer(study(draws=1, seeds=8, size=None), luck(draw=0.5, seed=0.01))
    assert verdict.kind == "conditional" and "given this one training set" in verdict.population
    assert list(parts_of(verdict)) == ["seed"]
    assert parts_of(verdict)["seed"]["sd_high"] < 0.1
    assert any("conditional" in flag for flag in verdict.flags)


def test_one_seed_a_draw_does_not_tell_draw_from_seed() -> None:
    verdict, _ = answer(study(draws=8, seeds=1), luck(0.03, 0.04))
    assert verdict.kind == "not_separable"
    assert list(parts_of(verdict)) == ["one run, draw and seed"]
    assert parts_of(verdict)["one run, draw and seed"]["sd_low"] < 0.05


def test_failures_are_counted_and_the_components_are_of_the_others() -> None:
    asked = study()
    broken = {spec.digest for draw in (0, 3) for spec in asked.specs("svm", draw)[:2]}
    lost = asked.specs("svm", 5)[0].digest

    def score(spec: RunSpec) -> float | None:
        return None if spec.digest in broken else luck(0.03, 0.01)(spec)

    verdict, _ = answer(asked, score, lambda spec: spec.digest == lost)
    result = verdict.numbers["arms"]["svm"]["result"]
    assert result["failure_rate"]["value"] == pytest.approx(5 / 50)
    assert result["failure_rate"]["method"] == "Clopper-Pearson"
    assert result["runs"] == {"planned": 50, "finished": 49, "failed": 4}
    assert parts_of(verdict)["seed"]["degrees"] == 40 - 5
    assert parts_of(verdict)["seed"]["sd"] == pytest.approx(0.01, rel=0.4)
    assert any("4 runs failed" in flag for flag in verdict.flags)
    assert any("1 of 50 runs did not finish" in flag for flag in verdict.flags)
    json.dumps(verdict.to_json(), allow_nan=False)


def test_seeds_far_from_normal_are_flagged() -> None:
    asked = study()
    bad = {asked.specs("svm", draw)[0].digest for draw in range(0, 10, 3)}
    verdict, _ = answer(asked, lambda s: luck(0.03, 0.002)(s) - (0.2 if s.digest in bad else 0.0))
    assert any("far from normal" in flag for flag in verdict.flags)
    (rank,) = verdict.numbers["arms"]["svm"]["result"]["rankings"]
    assert rank["doubtful"] is True and rank["larger"] is None and verdict.kind == "not_ranked"
    assert not any("far from normal" in flag for flag in answer(asked, luck(0.03, 0.01))[0].flags)


def test_seeds_needed_are_planned_with_the_upper_limit() -> None:
    few, _ = answer(study(draws=6, seeds=2), luck(0.02, 0.01))
    for verdict in (few, answer(study(draws=16, seeds=8), luck(0.02, 0.01))[0]):
        seed = parts_of(verdict)["seed"]
        rows = verdict.numbers["arms"]["svm"]["result"]["needed"]
        here = [row for row in rows if row["given"] == "one training set"]
        assert [row["difference"] for row in here] == [0.005, 0.01, 0.02]
        assert here[0]["runs"] > here[1]["runs"] > here[2]["runs"] >= 2
        assert seed["sd"] < here[0]["sd"] < seed["sd_high"]
        fresh = [row for row in rows if row["given"] == "fresh draws"]
        assert all(a["runs"] > b["runs"] for a, b in zip(fresh, here, strict=True))


def resplit(seed: int) -> Split:
    return toy_split(CORPUS, seed=100 + seed)


def test_the_split_is_told_by_whole_resplits_alone() -> None:
    asked = study(draws=10, seeds=5, resplits=24, resplit=resplit)
    assert len(asked.more_splits) == 24 and len({s.fingerprint for s in asked.more_splits}) == 24
    specs = asked.resplit_specs("svm")
    assert [s.split for s in specs] == [s.fingerprint for s in asked.more_splits]
    assert len({s.seeds.initialisation for s in [*specs, *asked.specs("svm", 0)]}) == 24 + 5
    verdict, _ = answer(asked, luck(draw=0.01, seed=0.01, split=0.06))
    part = parts_of(verdict)["split beyond draw and seed"]
    assert part["sd_low"] < 0.06 < part["sd_high"] and part["degrees"] == 23
    assert any("at once" in flag for flag in verdict.flags)
    none, _ = answer(asked, luck(draw=0.03, seed=0.02))
    assert parts_of(none)["split beyond draw and seed"]["sd_low"] == 0.0


def test_resplits_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadInput, match="resplits"):
        study(resplits=3)
    with pytest.raises(BadInput, match="different re-splits"):
        study(resplits=3, resplit=lambda seed: SPLIT).plan({})


def test_pairs_are_compared_by_draw_and_improvement_waits_for_ten_draws() -> None:
    arms = {"a": svm(), "b": bayes()}

    def score(spec: RunSpec) -> float:
        return luck(draw=0.05, seed=0.005)(spec) + (0.03 if spec.model == svm() else 0.0)

    pair = answer(study(arms), score)[0].numbers["pairs"][0]
    assert pair["improvement"] > 0.95 and pair["improvement_low"] > 0.5
    assert pair["draws_for_0.01"] > pair["draws_for_0.02"] >= 2
    few = answer(study(arms, draws=9), score)[0].numbers["pairs"][0]
    assert few["improvement"] is None and "10 are needed" in few["improvement_method"]


def test_a_loss_is_better_where_it_is_smaller() -> None:
    arms = {"a": svm(), "b": bayes()}
    verdict, _ = answer(study(arms, metric="log_loss"), lambda s: 0.2 if s.model == svm() else 0.3)
    assert verdict.numbers["pairs"][0]["improvement"] == 1.0


def test_a_group_is_one_row_with_the_same_columns() -> None:
    verdict, records = answer(study({"both": ordered(), "svm": svm()}), luck(0.02, 0.01, 0.01))
    rows = verdict.numbers["tables"]["groups"]
    assert len(rows) == 2 and list(rows[0]) == list(rows[1])
    assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())
    families = {r.spec.model.name: r.spec.family for r in records.values()}
    assert {row["group"] for row in rows} == set(families.values())


def test_runs_of_other_studies_are_its_runs_too() -> None:
    here = {s.digest for s in study({"plain": bayes(), "rich": logistic()}).plan({})}
    arms = {"plain": bayes(), "rich": logistic()}
    other = CompareStudy(CORPUS, SPLIT, arms, seeds=5, size=50, draws=3, metric="accuracy")
    assert {s.digest for s in other.plan({})} <= here
    cross = CrossoverStudy(CORPUS, SPLIT, arms, "plain", "rich", (50, 100), metric="accuracy")
    assert {s.digest for s in cross.plan({}) if s.subset.size == 50} <= here


def test_the_size_left_out_is_the_largest_that_keeps_draws_apart() -> None:
    assert study(size=None, pools=10).rows == 50 and study(size=None, pools=10).overlap == 0
    assert study(size=None, pools=16).rows == len(SPLIT.train) // 16 == 40
    assert study(size=None, draws=1).rows is None


def test_overlapping_draws_are_flagged() -> None:
    verdict, _ = answer(study(size=400), luck(0.02, 0.01))
    assert any("share rows" in flag and "exploratory" in flag for flag in verdict.flags)


@pytest.mark.parametrize(("settings", "word"), [
    ({"arms": {}}, "no arm"), ({"draws": 1, "seeds": 1}, "single run"), ({"seeds": 0}, "at least 1"),
    ({"designs": {"svm": [1, 1]}}, "single run"), ({"crossed_seeds": 1}, "crossed_seeds"),
    ({"designs": {"other": [6, 5]}}, "no arm"), ({"designs": {"svm": [6]}}, "two whole numbers"),
    ({"designs": {"svm": [60, 5]}}, "60 draws"), ({"draws": 20}, "pools"), ({"size": 10_000}, "train part"),
    ({"differences": [0.0]}, "above 0"),
])  # fmt: skip
def test_a_design_that_cannot_be_is_refused(settings: dict, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        replace(study(), **settings)


def test_no_run_at_all_claims_nothing() -> None:
    verdict = study({"plain": bayes(), "svm": svm()}).conclude({})
    assert (
        verdict.kind == "no_runs" and "nothing can be" in verdict.sentence and "failed" in verdict.next_step
    )
    json.dumps(verdict.to_json(), allow_nan=False)


def test_an_arm_of_its_own_design_makes_fewer_runs() -> None:
    asked = study({"plain": bayes(), "svm": svm()}, designs={"svm": [6, 5]})
    assert len(asked.wanted("svm")) == 30 and len(asked.wanted("plain")) == 50
    verdict, _ = answer(asked, luck(0.02, 0.01))
    assert verdict.numbers["pairs"][0]["draws"] == 6


def test_real_runs_end_to_end(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 600)
    arms = {"plain": bayes(), "svm": svm()}
    asked = SeedVarianceStudy(corpus, split, arms, draws=5, seeds=2, metric="log_loss", pools=6)
    result = run(asked, InProcess(), store)
    assert not result.failures and len(result.records) == 20
    results = {arm: entry["result"] for arm, entry in result.verdict.numbers["arms"].items()}
    assert results["plain"]["identical"] is True and results["svm"]["identical"] is False
    assert {p["source"]: p["sd"] for p in results["svm"]["components"]}["seed"] > 0
    again = run(asked, InProcess(), store)
    assert json.dumps(again.verdict.to_json(), sort_keys=True) == json.dumps(
        result.verdict.to_json(), sort_keys=True
    )


def test_a_training_part_of_one_class_or_one_text_ends_with_the_reason(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 300)
    rare = [id_ for id_, label in zip(corpus.ids, corpus.labels, strict=True) if label == "spam"]
    moved = tuple(id_ for id_ in split.train if id_ not in rare)
    left = {**split.parts, "train": moved, "test": (*split.test, *(set(split.train) - set(moved)))}
    one_class = Split(corpus.fingerprint, left)
    store.save_split(one_class)
    asked = SeedVarianceStudy(corpus, one_class, {"plain": bayes()}, draws=2, seeds=2, size=20)
    result = run(asked, InProcess(), store)
    assert len(result.failures) == 4 and result.verdict.kind == "no_runs"
    same = Corpus.from_columns("alike", ["one text"] * 300, list(corpus.labels), corpus.card)
    store.save_corpus(same)
    parted = toy_split(same)
    store.save_split(parted)
    asked = SeedVarianceStudy(same, parted, {"plain": bayes()}, draws=6, seeds=2, size=20)
    result = run(asked, InProcess(), store)
    json.dumps(result.verdict.to_json(), allow_nan=False)
    assert "SD 0.000 [0.000" not in result.verdict.sentence, "no zero is reported with an interval"


@pytest.mark.slow
def test_a_fine_tuned_model_moves_with_both_of_its_seeds(tmp_path: Path, tiny_model: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 300)
    encoder = component(
        "crossover.model.encoder.encoder.Encoder", {"name": str(tiny_model), "max_length": 64}
    )
    model = component(
        "crossover.model.finetune.Finetune", {"encoder": encoder, "min_steps": 6, "max_steps": 6}
    )
    asked = SeedVarianceStudy(
        corpus, split, {"tuned": model}, draws=2, seeds=3, size=20, crossed_draws=2, metric="log_loss"
    )
    assert len(asked.plan({})) == 6 + 2 * 6
    result = run(asked, InProcess(), store)
    assert not result.failures
    block = asked.crossed("tuned")[0]
    losses = [[result.records[spec.digest].scores["log_loss"].value for spec in row] for row in block]
    assert len({loss for row in losses for loss in row}) == 9, "either seed alone changes the run"
    assert asked.specs("tuned", 0)[1].digest == block[1][1].digest, "the diagonal is not run twice"
    json.dumps(result.verdict.to_json(), allow_nan=False)
