"""The fold-variance study: known spreads answered, folds cut as the split was, nothing silent."""

import json
from dataclasses import replace

import numpy as np
import pytest
from handmade import COST
from toy import bayes, logistic, toy_corpus, toy_split, toy_store

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.launch.in_process import InProcess
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.record import ledger
from crossover.record.run_record import RunRecord
from crossover.split import clusters
from crossover.split.grouped import Grouped
from crossover.split.split import Split
from crossover.study.fold_variance import FoldVarianceStudy
from crossover.study.study import run

CORPUS = toy_corpus(3_000)
SPLIT = toy_split(CORPUS, test=0.2, half=0.2)
ARMS = {"plain": bayes(), "rich": logistic()}
STUDY = FoldVarianceStudy(CORPUS, SPLIT, ARMS, target=0.05, k=10, metric="accuracy")


def by_hand(study, spec, rate: float) -> RunRecord:
    """A record whose error on every part is about ``rate``, the same rows being hard for every run."""
    split = next(s for s in study.more_splits if s.fingerprint == spec.split)
    parts = [(part, id_) for part in ("train", "calibrate", "test") for id_ in split.parts[part]]
    ids = [id_ for _, id_ in parts]
    labels = study.corpus.rows(ids).labels
    gold = np.array([study.corpus.classes.index(label) for label in labels])
    hard = np.random.default_rng(7).random(len(study.corpus))[[study.corpus.row_of[i] for i in ids]]
    own = np.random.default_rng(spec.seeds.initialisation).random(len(ids))
    predicted = np.where(0.97 * hard + 0.03 * own < 1 - rate, gold, 1 - gold)
    probabilities = np.full((len(ids), 2), 0.2)
    probabilities[np.arange(len(ids)), predicted] = 0.8
    predictions = Predictions(
        tuple(ids), tuple(p for p, _ in parts), tuple(labels), study.corpus.classes, probabilities
    )
    record = RunRecord(
        spec, {"accuracy": Score("accuracy", 1 - rate, None, None, 9, "by hand")}, COST, "0" * 64
    )
    record.__dict__["predictions"] = predictions
    return record


def answered(
    study, rate: float = 0.15, fold_sd: float = 0.0, seed_sd: float = 0.0, without=lambda spec: False
):
    rng, records = np.random.default_rng(0), {}
    fold_of = {split.fingerprint: fold for fold, split in enumerate(study.more_splits)}
    moves = fold_sd * rng.standard_normal(study.k)
    for spec in study.plan({}):
        noise = seed_sd * np.random.default_rng(spec.seeds.initialisation).standard_normal()
        if not without(spec):
            records[spec.digest] = by_hand(study, spec, rate + moves[fold_of[spec.split]] + noise)
    return study.conclude(records), records


def test_folds_cover_the_train_part_once_and_share_the_validation_rows() -> None:
    held = [id_ for split in STUDY.more_splits for id_ in split.test]
    assert sorted(held) == sorted(SPLIT.train)
    common = {*SPLIT.parts["select"], *SPLIT.parts["calibrate"]}
    for split in STUDY.more_splits:
        assert set(split.parts["calibrate"]) == common and not split.parts["select"]
        assert set(split.train) == set(SPLIT.train) - set(split.test)
        assert not set(SPLIT.test) & {id_ for part in split.parts.values() for id_ in part}
        split.verify(CORPUS)


def test_the_plan_is_an_arm_a_fold_a_seed_each_with_a_seed_of_its_own() -> None:
    specs = STUDY.plan({})
    assert len(specs) == len({s.digest for s in specs}) == 2 * 10 * 2
    assert len({s.seeds for s in specs}) == 40
    assert {s.split for s in specs} == {s.fingerprint for s in STUDY.more_splits}
    assert all(s.selection == "inside" and s.subset is None for s in specs)
    assert STUDY.undecided_runs({}) == 0


def test_a_steady_model_far_from_the_target_is_told_to_leave_variance_alone() -> None:
    verdict, _ = answered(STUDY)
    assert verdict.kind == "variance_does_not_matter"
    assert "fixing variance does not matter for" in verdict.sentence and "target of 0.050" in verdict.sentence
    assert verdict.numbers["arms"]["rich"]["answer"] == "variance_does_not_matter"
    assert "0.69 and 1.83" in " ".join(verdict.would_change)


def test_training_rows_that_move_the_error_are_called_too_little_data() -> None:
    verdict, _ = answered(replace(STUDY, target=0.14), fold_sd=0.06)
    assert verdict.kind == "variance_matters"
    assert "too little data (mostly the training rows)" in verdict.sentence
    spread = verdict.numbers["arms"]["rich"]["spread"]
    assert spread["low"] < 0.06 < 3 * 0.06 < spread["high"], "scaled to training sets that share nothing"


def test_seeds_that_move_the_error_are_called_an_unstable_algorithm() -> None:
    verdict, _ = answered(replace(STUDY, target=0.12, seeds=3), seed_sd=0.06)
    spread = verdict.numbers["arms"]["rich"]["spread"]
    assert spread["seed"] > 3 * max(spread["training"], 0.0), "the truth of the second is 0"
    assert verdict.kind == "variance_matters"
    assert "an unstable algorithm (mostly the seed)" in verdict.sentence


def test_an_error_below_the_target_ends_the_question() -> None:
    verdict, _ = answered(replace(STUDY, target=0.3))
    assert verdict.kind == "target_met" and "Stop here" in verdict.next_step


def test_the_k_fold_interval_is_the_corrected_one() -> None:
    verdict, _ = answered(STUDY, fold_sd=0.02)
    found = verdict.numbers["arms"]["plain"]["k_fold"]
    corrected, plain = found["high"] - found["low"], found["plain_high"] - found["plain_low"]
    assert corrected / plain == pytest.approx((1 + 10 / 9) ** 0.5, rel=0.01)
    rows = verdict.numbers["tables"]["folds"]
    assert len(rows) == 20 and {row["fold"] for row in rows} == set(range(10))
    mean = np.mean([row["error_held_out"] for row in rows if row["arm"] == "plain"])
    assert found["mean"] == pytest.approx(mean)


def test_a_seed_lost_takes_its_fold_out_and_is_said() -> None:
    lost = STUDY.specs("plain", 3)[0].digest
    verdict, records = answered(STUDY, without=lambda spec: spec.digest == lost)
    assert verdict.numbers["arms"]["plain"]["spread"]["folds"] == 9
    assert any("plain: 1 of 20 runs did not finish" in flag for flag in verdict.flags)
    assert lost not in verdict.runs and len(records) == 39


def test_with_too_few_folds_left_the_reason_is_the_answer() -> None:
    few = {s.digest for fold in range(4) for s in STUDY.specs("plain", fold)}
    verdict, _ = answered(STUDY, without=lambda spec: spec.digest not in few)
    assert verdict.kind == "insufficient"
    assert "4 of 10 folds finished, at least 5 are needed" in verdict.sentence
    assert verdict.numbers["arms"]["rich"]["spread"] is None
    json.dumps(verdict.to_json(), allow_nan=False)
    empty = STUDY.conclude({})
    assert "nothing can be" in empty.sentence and "failed" in empty.next_step and empty.runs == ()


def test_concluding_does_not_follow_the_order_of_records_or_arms() -> None:
    verdict, records = answered(STUDY, fold_sd=0.01)
    turned = replace(STUDY, arms=dict(reversed(ARMS.items()))).conclude(dict(reversed(records.items())))
    assert json.dumps(turned.to_json(), sort_keys=True) == json.dumps(verdict.to_json(), sort_keys=True)


def test_one_seed_a_fold_is_allowed_and_said() -> None:
    verdict, _ = answered(replace(STUDY, seeds=1))
    assert verdict.numbers["arms"]["rich"]["spread"]["seed"] is None
    assert any("one seed a fold" in flag for flag in verdict.flags)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"k": 1}, "k from 2 up"), ({"k": 2_000}, "at most one fold a row"), ({"seeds": 0}, "at least 1"),
     ({"target": 1.0}, "from 0 to below 1"), ({"target": -0.1}, "from 0"), ({"arms": {}}, "arms is empty"),
     ({"metric": "nothing"}, "nothing")],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        replace(STUDY, **change)


def test_a_split_without_validation_rows_is_refused() -> None:
    bare = Split(CORPUS.fingerprint, {**SPLIT.parts, "select": (), "calibrate": ()})
    with pytest.raises(BadInput, match=r"split\.validation"):
        replace(STUDY, split=bare)


def test_a_class_of_too_few_rows_and_a_train_part_of_one_class_are_refused() -> None:
    label = dict(zip(CORPUS.ids, CORPUS.labels, strict=True))
    spam = [id_ for id_ in SPLIT.train if label[id_] == "spam"]
    for kept, said in ((4, "k=10.*'spam': 4 rows"), (0, "at least two classes")):
        train = tuple(id_ for id_ in SPLIT.train if id_ not in set(spam[kept:]))
        with pytest.raises(BadInput, match=said):
            replace(STUDY, split=Split(CORPUS.fingerprint, {**SPLIT.parts, "train": train})).plan({})


def test_groups_and_near_duplicates_stay_together_as_in_the_split() -> None:
    texts = [f"{text} number" for text in CORPUS.texts[:600]]
    senders = [f"s{k % 120}" for k in range(600)]
    corpus = Corpus.from_columns(
        "grouped", texts, CORPUS.labels[:600], CORPUS.card, meta={"sender": ("group", senders)}
    )
    split = Grouped(validation=0.2).split(corpus)
    study = FoldVarianceStudy(corpus, split, ARMS, k=5)
    sender = dict(zip(corpus.ids, senders, strict=True))
    for fold in study.more_splits:
        assert fold.recipe["settings"]["group_duplicates"] == "near"
        assert not {sender[i] for i in fold.test} & {sender[i] for i in fold.train}
        assert {i: g for i, g in split.groups.items() if i in study.common}.items() <= fold.groups.items()


def test_duplicates_are_looked_for_once_not_once_a_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*given: object) -> dict[str, str]:
        calls.append(given)
        return {}

    clusters._clusters.cache_clear()
    monkeypatch.setattr(clusters, "duplicate_clusters", counted)
    corpus = toy_corpus(300, seed=9)
    study = FoldVarianceStudy(corpus, toy_split(corpus, half=0.1), ARMS, k=6)
    assert len(study.more_splits) == 6 and len(calls) == 1
    clusters._clusters.cache_clear()


def test_a_whole_study_runs_stores_its_folds_and_leaves_the_test_alone(tmp_path) -> None:
    store, corpus, split = toy_store(tmp_path, 300)
    study = FoldVarianceStudy(corpus, split, {"plain": bayes()}, k=5, seeds=1, target=0.01)
    result = run(study, InProcess(), store)
    assert len(result.records) == 5 and not result.failures
    assert result.verdict.kind in (
        "variance_does_not_matter",
        "not_resolved",
        "variance_matters",
        "target_met",
    )
    assert store.split(study.more_splits[0].fingerprint).test == study.more_splits[0].test
    assert ledger.looks(store.root, split.test_fingerprint) == 0
    json.dumps(result.verdict.to_json(), allow_nan=False)


def test_a_run_that_fails_in_a_fold_is_a_failure_not_a_nan(tmp_path) -> None:
    store, corpus, split = toy_store(tmp_path, 300)
    broken = logistic().with_settings(C=-1.0)
    result = run(FoldVarianceStudy(corpus, split, {"bad": broken}, k=5, seeds=1), InProcess(), store)
    assert len(result.failures) == 5
    assert result.verdict.kind == "insufficient" and "0 of 5 folds finished" in result.verdict.sentence
