"""The regularization-path study: planted features named first, bounds kept, nothing chosen outside train."""

import json
from dataclasses import replace

import pytest
from toy import bayes, logistic, toy_corpus, toy_split, toy_store

from crossover.data.bad_input import BadInput
from crossover.launch.in_process import InProcess
from crossover.protocol.component import Component, component
from crossover.record.run_record import RunRecord
from crossover.split.split import Split
from crossover.study.regularization_path import RegularizationPathStudy
from crossover.study.study import run

CORPUS = toy_corpus(400)
SPLIT = toy_split(CORPUS)


def path(**settings: object) -> Component:
    return component("crossover.model.l1_path.L1Path", settings)


ARMS = {"open": path(), "short": path(max_features=20)}
STUDY = RegularizationPathStudy(CORPUS, SPLIT, ARMS, pairs=10)


def entry(relative: float, words: int, surface: int, **on: float) -> dict[str, float]:
    return {
        "lambda": relative / 10, "relative": relative, "features": float(words + surface), "loss": 0.5,
        "explained": 1 - relative, "violation": 0.0, "steps": 1.0, "on: word": float(words),
        "weight: word": 1.0, "on: surface": float(surface), "weight: surface": 1.0,
        **{f"turns on: {k}": v for k, v in on.items()},
    }  # fmt: skip


HISTORY = [
    entry(1.0, 0, 0),
    entry(0.8, 2, 0, **{"word: prize": 2.0, "word: winner": 2.0}),
    entry(0.5, 3, 1, **{"word: odd  name": 1.0, "surface: digits": -2.0}),
    {"half_samples": 20.0, "q": 10.0, "columns": 1_000.0, "chosen": 10.0, "share of block: word": 1.0,
     "share of block: surface": 0.4, "share: word: prize": 1.0, "share: word: winner": 0.9,
     "share: surface: digits": 0.4, "share: word: never on": 0.95},
]  # fmt: skip


def by_hand(study: RegularizationPathStudy, history=HISTORY) -> dict[str, RunRecord]:
    return {spec.digest: RunRecord(spec, {}, {}, "0" * 64, history=list(history)) for spec in study.plan({})}


def test_the_plan_is_one_run_an_arm_with_the_studys_half_samples() -> None:
    specs = STUDY.plan({})
    assert len(specs) == len({s.digest for s in specs}) == 2 and STUDY.undecided_runs({}) == 0
    for spec in specs:
        assert spec.model.settings["pairs"] == 10 and spec.subset is None and spec.budget == 1
        assert spec.split == SPLIT.fingerprint
    assert {s.digest for s in replace(STUDY, threshold=0.8).plan({})}.isdisjoint({s.digest for s in specs})


def test_the_features_are_listed_stable_ones_first_then_as_they_turn_on() -> None:
    verdict = STUDY.conclude(by_hand(STUDY))
    assert verdict.kind == "stable_features"
    arm = verdict.numbers["arms"]["open"]
    assert [(row["feature"], row["stable"]) for row in arm["features"]] == [
        ("prize", True), ("winner", True), ("never on", True), ("odd  name", False), ("digits", False)
    ]  # fmt: skip
    digits = arm["features"][-1]
    assert (digits["block"], digits["relative"], digits["class"], digits["speaks"]) == (
        "surface", 0.5, "spam", "against"
    )  # fmt: skip
    assert arm["stable"] == 3 and arm["expected_false"] == pytest.approx(100 / (0.8 * 1_000))
    assert arm["expected_false_unimodal"] == pytest.approx(4 * (0.1 + 1 / 20) / 1.1 * 0.01 * 10)


def test_each_block_says_when_it_turns_on() -> None:
    blocks = {row["block"]: row for row in STUDY.conclude(by_hand(STUDY)).numbers["arms"]["open"]["blocks"]}
    assert (blocks["word"]["turns_on"], blocks["word"]["first_feature"]) == (0.8, "prize")
    assert (blocks["surface"]["turns_on"], blocks["surface"]["first_feature"]) == (0.5, "digits")
    assert blocks["word"]["stable_features"] == 3 and blocks["surface"]["share"] == 0.4


def test_the_sentence_names_count_bound_and_first_feature() -> None:
    said = STUDY.conclude(by_hand(STUDY)).sentence
    assert "open chooses 3 of 1,000 features in 90% or more of 20 half-samples, at most 0.12 of them" in said
    assert "“prize” (word) turns on first, for spam" in said and "  " not in said and said.endswith(".")


def test_without_a_stable_feature_the_verdict_says_none() -> None:
    lax = [{**e, **{k: 0.5 for k in e if k.startswith("share: ")}} for e in HISTORY]
    verdict = STUDY.conclude(by_hand(STUDY, lax))
    assert verdict.kind == "none_stable" and "chooses none of 1,000 features" in verdict.sentence


def test_a_path_not_solved_or_cut_short_is_flagged() -> None:
    off = [{**HISTORY[0], "violation": 0.2}, *HISTORY[1:2], {**HISTORY[2], "features": 30.0}, HISTORY[3]]
    flags = " ".join(STUDY.conclude(by_hand(STUDY, off)).flags)
    assert "open: a point of the path is not solved (off by 20.0% of lambda)" in flags
    assert "short: the path ends at 0.50 of its first lambda, where more than 20 features" in flags
    assert "open: the path ends" not in flags


def test_a_choice_of_one_feature_a_half_is_said() -> None:
    few = [*HISTORY[:3], {**HISTORY[3], "q": 1.0, "columns": 4.0, "chosen": 1.0}]
    assert any(
        "of 4 features a half-sample chooses one" in f for f in STUDY.conclude(by_hand(STUDY, few)).flags
    )
    assert not any("chooses one" in f for f in STUDY.conclude(by_hand(STUDY)).flags)


def test_a_lost_arm_and_no_arm_at_all_are_said() -> None:
    records = by_hand(STUDY)
    left = {d: r for d, r in records.items() if r.spec.model == STUDY.model("open")}
    verdict = STUDY.conclude(left)
    assert list(verdict.numbers["arms"]) == ["open"]
    assert any(flag.startswith("short: 1 of 1 runs did not finish") for flag in verdict.flags)
    empty = STUDY.conclude({})
    assert empty.kind == "no_run" and "nothing can be" in empty.sentence and "failed" in empty.next_step


def test_concluding_does_not_follow_the_order_of_records_or_arms() -> None:
    records = by_hand(STUDY)
    turned = replace(STUDY, arms=dict(reversed(ARMS.items()))).conclude(dict(reversed(records.items())))
    one, other = (json.dumps(v.to_json(), sort_keys=True) for v in (turned, STUDY.conclude(records)))
    assert one == other


@pytest.mark.parametrize(
    ("change", "said"),
    [({"arms": {"plain": bayes()}}, r"study\.arms\.plain"), ({"arms": {"lr": logistic()}}, "l1_path"),
     ({"arms": {}}, "empty"), ({"pairs": 0}, r"study\.pairs"), ({"threshold": 0.5}, "threshold"),
     ({"false_selections": 0.0}, "false_selections"), ({"metric": "nothing"}, "nothing")],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        replace(STUDY, **change)


def test_a_train_part_of_one_class_is_refused() -> None:
    label = dict(zip(CORPUS.ids, CORPUS.labels, strict=True))
    train = tuple(id_ for id_ in SPLIT.train if label[id_] == "good")
    with pytest.raises(BadInput, match="'good'"):
        replace(STUDY, split=Split(CORPUS.fingerprint, {**SPLIT.parts, "train": train}))


def test_a_whole_study_finds_the_words_that_tell_the_classes_and_not_the_others(tmp_path) -> None:
    store, corpus, split = toy_store(tmp_path, 400)
    study = RegularizationPathStudy(corpus, split, {"open": path()}, pairs=10, threshold=0.8)
    result = run(study, InProcess(), store)
    assert not result.failures and result.verdict.kind == "stable_features"
    arm = result.verdict.numbers["arms"]["open"]
    stable = {row["feature"] for row in arm["features"] if row["stable"]}
    assert stable and not stable & {"the", "a", "to", "of", "and", "you", "we", "is", "this", "please", "for"}
    assert arm["path"][0]["relative"] == 1.0 and "turns on" not in json.dumps(arm["path"])
    json.dumps(result.verdict.to_json(), allow_nan=False)


def test_the_features_do_not_depend_on_rows_outside_the_training_part(tmp_path) -> None:
    store, corpus, split = toy_store(tmp_path, 300)
    study = RegularizationPathStudy(corpus, split, {"open": path()}, pairs=3)
    other = {**split.parts, "test": split.test[:30], "select": (), "calibrate": ()}
    cut = Split(corpus.fingerprint, other)
    store.save_split(cut)
    made = [
        next(iter(run(s, InProcess(), store).records.values())).history
        for s in (study, replace(study, split=cut))
    ]
    assert made[0] == made[1]


def test_a_record_without_a_path_is_said_and_gives_no_arm() -> None:
    verdict = STUDY.conclude(by_hand(STUDY, []))
    assert verdict.kind == "no_run" and "nothing can be" in verdict.sentence
    assert sum("its record holds no path" in flag for flag in verdict.flags) == 2
