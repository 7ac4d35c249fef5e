"""The diagnosis study: known causes found, plans that follow, and nothing claimed without runs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import COST
from toy import CARD, bayes, logistic, toy_corpus, toy_split, toy_store

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.launch.in_process import InProcess
from crossover.measure.metric.metric import all_metrics
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import subset_ids
from crossover.study.diagnosis import DiagnosisStudy
from crossover.study.diagnosis_runs import (
    MORE_STEPS,
    SLOWER,
    SOLVER,
    conflict_free,
    default_sizes,
    interventions_of,
)
from crossover.study.study import run

CORPUS = toy_corpus(2_000)
SPLIT = toy_split(CORPUS)
ARMS = {"plain": bayes(), "rich": logistic()}
STUDY = DiagnosisStudy(
    CORPUS, SPLIT, ARMS, "rich", "plain", None, target=0.1, sizes=(40, 80, 160), draws=6,
    permutations=19, pools=5 * 2, metric="accuracy", null_rows=None,
)  # fmt: skip
Truth = Callable[[RunSpec, str], float]
MAJORITY = max(CORPUS.labels.count(name) for name in CORPUS.classes) / len(CORPUS)


def healthy(spec: RunSpec, part: str) -> float:
    """Accuracy of a model that memorises, generalises better with rows, and learns nothing from nulls."""
    if spec.label_transform or spec.text_transform:
        return MAJORITY - 0.1
    size = spec.subset.size if spec.subset else 0
    return 1.0 if part == "train" else 0.6 + 0.1 * np.log2(size / 40)


def record(spec: RunSpec, truth: Truth, saving: float = 0.0) -> RunRecord:
    noise = np.random.default_rng([spec.seeds.initialisation, spec.seeds.order])
    train = subset_ids(CORPUS, SPLIT, spec.subset) if spec.subset else SPLIT.train
    scored = [("train", train), *((part, SPLIT.parts[part]) for part in ("select", "calibrate", "test"))]
    pieces = []
    for part, ids in scored:
        gold = np.array([CORPUS.classes.index(label) for label in CORPUS.rows(ids).labels])
        rate = float(np.clip(truth(spec, part), 0.0, 1.0))
        effort = 0.7 * np.random.default_rng(7).random(len(CORPUS))[[CORPUS.row_of[i] for i in ids]]
        effort += 0.3 * noise.random(len(ids))
        right = effort <= np.quantile(effort, rate) if rate > 0 else np.zeros(len(ids), bool)
        said = np.where(right, gold, (gold + 1) % 2)
        pieces.append((part, ids, gold, np.where(said[:, None] == np.arange(2), 0.8, 0.2)))
    predictions = Predictions(
        tuple(i for _, ids, _, _ in pieces for i in ids),
        tuple(part for part, ids, _, _ in pieces for _ in ids),
        tuple(CORPUS.classes[g] for _, _, gold, _ in pieces for g in gold),
        CORPUS.classes,
        np.concatenate([table for *_, table in pieces]),
    )
    test = predictions.part("test")
    values = {m.name: m(test.gold_index, test.probabilities) for m in all_metrics()}
    scores = {name: Score(name, value, None, None, len(test), "by hand") for name, value in values.items()}
    history = [{"objective_old": 0.5, "objective_scaled": 0.5 - saving, "saving": saving, "tolerance": 5e-7,
                "verdict": 0.0 if saving else 2.0, "gap": 1e-9, "loss_old": 0.4, "loss_new": 0.4,
                "loss_old_free": 0.4, "rows": 100.0}] if spec.model.name == "transplant" else []  # fmt: skip
    made = RunRecord(spec, scores, {**COST, "labels": 1.0, "trials": 1.0}, "0" * 64, history)
    made.__dict__["predictions"] = predictions
    return made


def diagnosed(study: DiagnosisStudy, truth: Truth, saving: float = 0.0, without=lambda spec: False):
    records: dict[str, RunRecord] = {}
    batches = []
    while new := [s for s in study.plan(records) if s.digest not in records and not without(s)]:
        batches.append(len(new))
        records |= {spec.digest: record(spec, truth, saving) for spec in new}
    return study.conclude(records), records, batches


def codes(verdict) -> list[str]:
    return [finding["code"] for finding in verdict.numbers["findings"]]


def test_a_gap_that_rows_close_is_told_with_what_is_fine() -> None:
    verdict, _, batches = diagnosed(STUDY, healthy)
    assert verdict.kind == "more_data" and "label more data" in verdict.sentence
    fine = {f["code"] for f in verdict.numbers["findings"] if f["severity"] == "fine"}
    assert {"data_bug", "cannot_overfit", "capacity"} <= fine
    assert batches == [2 * 3 * 6 + 19 + 6 + 3], "no intervention is run where the training error is fine"
    assert codes(verdict)[0] == "more_data" and "Label more rows" in verdict.next_step


def test_good_enough_stops() -> None:
    verdict, _, _ = diagnosed(replace(STUDY, target=0.3), healthy)
    assert verdict.kind == "good_enough" and verdict.next_step.startswith("Stop")


def test_a_null_run_that_knows_is_a_data_bug_before_all_else() -> None:
    for kind in ("label_transform", "text_transform"):

        def leaky(spec: RunSpec, part: str, kind: str = kind) -> float:
            return 0.95 if getattr(spec, kind) else healthy(spec, part)

        verdict, _, _ = diagnosed(STUDY, leaky)
        assert verdict.kind == "data_bug" and codes(verdict)[0] == "data_bug"


def test_a_high_training_error_asks_for_the_intervention_and_believes_only_it() -> None:
    def unfit(spec: RunSpec, part: str) -> float:
        if spec.subset and spec.subset.size == 32:
            return 1.0
        return 0.7 if part == "train" and not spec.label_transform else healthy(spec, part)

    for saving, kind in ((0.0, "capacity"), (0.1, "optimisation")):
        verdict, records, batches = diagnosed(STUDY, unfit, saving)
        assert verdict.kind == kind
        assert batches[1] == 6, "one better-solver run a draw"
        (change,) = verdict.numbers["interventions"]
        assert change["name"] == SOLVER and change["change"]["mean"] == pytest.approx(-saving)
    lost = [d for d, r in records.items() if r.spec.model.name == "transplant"][1:]
    left = STUDY.conclude({d: r for d, r in records.items() if d not in lost})
    assert left.kind == "insufficient", "one pair is no paired interval"


def test_32_rows_that_are_never_fitted_stop_all_unless_the_solver_is_certified() -> None:
    def stuck(spec: RunSpec, part: str) -> float:
        return 0.7 if part == "train" else healthy(spec, part)

    certified, _, batches = diagnosed(STUDY, stuck)
    assert certified.kind == "capacity" and batches[1] == 6 + 3
    assert diagnosed(STUDY, stuck, saving=0.1)[0].kind == "cannot_overfit", "its solver stopped short there"
    plain = replace(STUDY, subject="plain", simpler="rich")
    assert diagnosed(plain, stuck)[0].kind == "cannot_overfit", "no certificate for naive Bayes"


def test_an_audit_above_the_target_blames_the_specification() -> None:
    assert diagnosed(replace(STUDY, audited=200, disagreed=60), healthy)[0].kind == "specification"
    verdict = diagnosed(replace(STUDY, audited=200, disagreed=22), healthy)[0]
    assert verdict.kind == "more_data", "11% of 200 does not put the lower bound above 10%"


def test_labels_that_say_nothing_are_named() -> None:
    verdict, _, _ = diagnosed(STUDY, lambda spec, part: 1.0 if part == "train" else MAJORITY - 0.1)
    assert "no_signal" in codes(verdict) and "nothing shows that it has learnt" in verdict.sentence
    assert "no_signal" not in codes(diagnosed(STUDY, healthy)[0])


def test_a_worse_or_slower_subject_is_named() -> None:
    def behind(spec: RunSpec, part: str) -> float:
        drop = 0.15 if spec.model.name == "logistic_regression" and part != "train" else 0.0
        return healthy(spec, part) - drop

    verdict, _, _ = diagnosed(STUDY, behind)
    assert "worse_than_simpler" in codes(verdict)
    assert "also: rich is worse than the simpler plain" in verdict.sentence


def test_rows_only_one_model_gets_right_are_counted_by_most_draws() -> None:
    verdict, records, _ = diagnosed(STUDY, healthy)
    words = verdict.numbers["words"]
    assert words["rows"] == len(SPLIT.parts["select"]) + len(SPLIT.parts["calibrate"])
    cells = [STUDY.cells(records, arm, 160) for arm in ("rich", "plain")]
    right = []
    for side in cells:
        tables = [STUDY.reader.scored(side[d]) for d in range(6)]
        right.append(np.mean([t.predicted_index == t.gold_index for t in tables], axis=0) > 0.5)
    assert words["subject"]["only_right"] == int((right[0] & ~right[1]).sum())
    assert words["other"]["only_right"] == int((right[1] & ~right[0]).sum())


def test_the_test_rows_decide_nothing_unless_asked() -> None:
    def failing_test(spec: RunSpec, part: str) -> float:
        return 0.1 if part == "test" else healthy(spec, part)

    here, there = (diagnosed(STUDY, truth)[0] for truth in (healthy, failing_test))
    assert here.sentence == there.sentence and here.numbers["errors"] == there.numbers["errors"]
    look = diagnosed(replace(STUDY, part="test"), failing_test)[0]
    assert look.sentence != here.sentence and "a look at them" in look.population


def test_an_error_in_a_loss_is_the_loss() -> None:
    verdict, _, _ = diagnosed(replace(STUDY, metric="log_loss", target=0.3), healthy)
    points = [p for p in verdict.numbers["errors"] if p["part"] == "training" and p["arm"] == "rich"]
    assert points[0]["mean"] == pytest.approx(-np.log(0.8)), "every training row is right with .8"


def test_the_plan_reuses_runs_of_other_studies_and_pairs_null_seeds() -> None:
    specs = STUDY.plan({})
    assert len({s.digest for s in specs}) == len(specs)
    plain = [s for s in specs if not s.label_transform and not s.text_transform]
    assert all(s.budget == 1 and s.selection == "inside" for s in plain)
    orders = [s.seeds.order for s in specs if s.label_transform]
    assert len(set(orders)) == 19, "each permutation has an order seed of its own"


def test_interventions_name_settings_of_the_model() -> None:
    encoder = {"_target_": "crossover.model.encoder.encoder.Encoder"}
    tuned = component("crossover.model.finetune.Finetune", {"encoder": encoder, "epochs": 4})
    known = interventions_of(tuned, None)
    assert known[SLOWER].settings["learning_rate"] == pytest.approx(5e-5 / 3)
    assert known[SLOWER].settings["head_learning_rate"] == pytest.approx(1e-3 / 3)
    assert known[MORE_STEPS].settings["epochs"] == 12 and known[MORE_STEPS].settings["min_steps"] == 240
    assert "max_steps" not in known[MORE_STEPS].settings
    assert interventions_of(bayes(), None) == {}
    better = interventions_of(logistic(), None)[SOLVER]
    assert better.name == "transplant"
    given = interventions_of(bayes(), {"other": {"alpha": 3.0}})
    assert given["other"].settings["alpha"] == 3.0


def test_32_rows_are_chosen_without_a_conflict() -> None:
    texts = ["same words here"] * 200 + [f"text number {k}" for k in range(200)]
    labels = ["a", "b"] * 200
    corpus = Corpus.from_columns("conflict", texts, labels, CARD, ids=[f"r{k:03d}" for k in range(400)])
    split = toy_split(corpus)
    for draw in conflict_free(corpus, split, 6):
        raise AssertionError(f"draw {draw}: half of the rows share a text under both labels")
    assert conflict_free(CORPUS, SPLIT, 10) == [0, 1, 2]
    few = replace(STUDY, corpus=corpus, split=split, sizes=(20, 40, 80), pools=6)
    assert few.first["32 rows"] == []


def test_default_sizes_double_as_the_crossover_grid_does() -> None:
    assert default_sizes(3_850) == (200, 400, 800)
    assert default_sizes(100_000) == (3_200, 6_400, 12_800)
    assert default_sizes(300) == (37, 75, 150)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject": "nobody"}, "none of the arms"),
        ({"simpler": "nobody"}, "study.simpler=null"),
        ({"simpler": "rich"}, "own rival"),
        ({"target": 0.0}, "above 0"),
        ({"draws": 1}, "study.draws=1"),
        ({"draws": 11}, "study.pools"),
        ({"sizes": (40, 80)}, "three ascending"),
        ({"sizes": (40, 80, 10_000)}, "three ascending"),
        ({"part": "reserve"}, "study.part"),
        ({"audited": 10, "disagreed": 11}, "impossible"),
        ({"permutations": 1}, "at least 2"),
        ({"equivalence": 0.0}, "equivalence"),
        ({"metric": "mac_f1"}, "macro_f1"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        replace(STUDY, **change)


def test_few_permutations_and_pilots_are_said() -> None:
    flags = " ".join(diagnosed(replace(STUDY, draws=3), healthy)[0].flags)
    assert "19 permutations" in flags and "pilot" in flags


def test_a_class_missing_from_the_scored_rows_is_no_silent_nan() -> None:
    def undefined(spec: RunSpec, part: str) -> float:
        return healthy(spec, part)

    study = replace(STUDY, metric="mcc")
    _, records, _ = diagnosed(study, undefined)
    for made in records.values():
        p = made.predictions
        keep = [k for k, (part, gold) in enumerate(zip(p.parts, p.gold, strict=True))
                if part in ("train", "test") or gold == CORPUS.classes[0]]  # fmt: skip
        made.__dict__["predictions"] = p.take(keep)
    verdict = study.conclude(records)
    json.dumps(verdict.to_json(), allow_nan=False)
    assert verdict.kind == "insufficient" and "undefined" in json.dumps(verdict.numbers["decision"])


def test_a_real_small_diagnosis_runs_end_to_end(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 600)
    svm = component("crossover.model.linear_svm.LinearSvm")
    study = DiagnosisStudy(
        corpus, split, {"tfidf": logistic(), "svm": svm}, simpler="svm", reference=None,
        sizes=(25, 50, 100), draws=2, permutations=5, pools=2, metric="accuracy", null_rows=80, target=0.02,
    )  # fmt: skip
    result = run(study, InProcess(threads=1), store)
    verdict = result.verdict
    json.dumps(verdict.to_json(), allow_nan=False)
    assert not result.failures and verdict.kind != "nothing"
    assert verdict.numbers["weights"]["sentence"] and any(c.startswith("weights_") for c in codes(verdict))
    assert verdict.numbers["overfit"] == [1.0, 1.0, 1.0]
    assert abs(verdict.numbers["nulls"]["lifts"]["constant"]["accuracy"]["mean"]) < 0.2
    again = study.conclude(dict(reversed(result.records.items())))
    assert json.dumps(again.to_json(), sort_keys=True) == json.dumps(verdict.to_json(), sort_keys=True)


def test_identical_texts_and_runs_that_fail_still_conclude(tmp_path: Path) -> None:
    from crossover.record.store import Store

    rows = 300
    labels = ["a", "b", "b"] * (rows // 3)
    corpus = Corpus.from_columns(
        "alike", ["the same text"] * rows, labels, CARD, ids=[f"r{k:03d}" for k in range(rows)]
    )
    split = toy_split(corpus)
    store = Store(tmp_path)
    store.save_corpus(corpus)
    store.save_split(split)
    study = DiagnosisStudy(
        corpus, split, {"tfidf": logistic(), "bayes": bayes()}, reference=None, sizes=(1, 30, 60), draws=2,
        permutations=3, pools=2, metric="accuracy", null_rows=60,
    )  # fmt: skip
    result = run(study, InProcess(threads=1), store)
    assert result.failures, "one row holds one class"
    json.dumps(result.verdict.to_json(), allow_nan=False)
    assert any("did not finish" in flag for flag in result.verdict.flags)


@pytest.mark.slow
def test_a_fine_tuned_subject_has_its_course_shown_and_is_tested_by_interventions(tmp_path: Path) -> None:
    from tiny_models import make_tiny

    store, corpus, split = toy_store(tmp_path / "store", 400)
    folder = str(make_tiny(tmp_path / "tiny"))
    encoder = {"_target_": "crossover.model.encoder.encoder.Encoder", "name": folder, "max_length": 16}
    settings = {
        "encoder": encoder,
        "min_steps": 12,
        "epochs": 1,
        "learning_rate": 1e-6,
        "head_learning_rate": 1e-6,
    }
    tuned = component("crossover.model.finetune.Finetune", settings)
    study = DiagnosisStudy(
        corpus, split, {"tuned": tuned, "bayes": bayes()}, subject="tuned", simpler="bayes", reference=None,
        sizes=(8, 12, 20), draws=4, permutations=2, pools=8, metric="accuracy", null_rows=40, target=0.02,
    )  # fmt: skip
    assert replace(study, permutations=None).null_runs == 9, "a dear model has fewer null runs, and says so"
    result = run(study, InProcess(threads=1), store)
    verdict = result.verdict
    assert not result.failures and verdict.kind == "cannot_overfit"
    assert len(verdict.numbers["courses"]) == 4
    assert all(course["gradient_norm"] > 0 for course in verdict.numbers["courses"])
    assert {change["name"] for change in verdict.numbers["interventions"]} == {SLOWER, MORE_STEPS}
