"""The crossover study on hand-made records: one crossing, none, two, failures, pilots."""

import json
import math
from collections import Counter
from dataclasses import replace

import pytest
from handmade import answered, handmade
from toy import bayes, logistic, toy_corpus, toy_split

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card
from crossover.study.crossover import CrossoverStudy, Limit, bracketing_sizes

SIZES = (50, 100, 200, 400, 800)


@pytest.fixture(scope="module")
def study() -> CrossoverStudy:
    corpus = toy_corpus(10_000)
    split = toy_split(corpus, test=0.15, half=0.02)
    arms = {"plain": bayes(), "rich": logistic()}
    return CrossoverStudy(corpus, split, arms, "plain", "rich", SIZES, metric="accuracy", pools=10)


def falling(gain: float, root: float):
    """rich leads plain by gain per doubling below ``root``, and loses as much above it."""

    def accuracy(model: str, size: int) -> float:
        base = 0.60 + 0.03 * math.log2(size / 50)
        return base + (gain * math.log2(root / size) if model == "logistic_regression" else 0.0)

    return accuracy


@pytest.fixture(scope="module")
def crossing(study: CrossoverStudy):
    """(verdict, records, batches) of a study whose lead falls through 0 at 280 rows."""
    return answered(study, falling(0.04, 280))


def test_a_known_crossing_is_found_and_covered(crossing) -> None:
    verdict, _, batches = crossing
    assert verdict.kind == "stops_paying"
    primary = verdict.numbers["pairs"][0]
    assert 200 < primary["estimate"] < 400
    (piece,) = primary["pieces"]
    assert piece["low"] < 280 < piece["high"] and not piece["low_open"] and not piece["high_open"]
    assert "rich beats plain" in verdict.sentence and "toy" in verdict.population
    assert len(batches) == 2


def test_the_plan_locates_on_the_grid_then_decides_with_fresh_draws(crossing) -> None:
    _, _, (first, second) = crossing
    assert len(first) == 2 * 2 * len(SIZES)
    assert {s.subset.draw for s in first} == {0, 1}
    assert len(second) == 2 * 8 * 4
    assert {s.subset.draw for s in second} == set(range(2, 10))
    assert {s.subset.size for s in second} == {100, 200, 400, 800}


def test_arms_differ_only_in_their_model(study: CrossoverStudy) -> None:
    plain, rich = (study.specs(arm, 100, 3, 1)[0] for arm in study.arms)
    assert replace(plain, model=rich.model, seeds=rich.seeds) == rich
    assert plain.seeds != rich.seeds, "a seed of one arm and a seed of another share nothing"


def test_the_verdict_reads_deciding_draws_only(study: CrossoverStudy, crossing) -> None:
    """The locating draws may be as lucky as they like: they only choose where to look."""
    verdict, records, _ = crossing
    spoiled = dict(records)
    for digest, record in records.items():
        if record.spec.subset.draw < 2:
            spoiled[digest] = handmade(study.corpus, study.split, record.spec, falling(0.07, 280))
    again = study.conclude(spoiled)
    assert again.numbers["deciding_sizes"] == verdict.numbers["deciding_sizes"]
    before, after = (shown.numbers["pairs"][0]["differences"] for shown in (verdict, again))
    assert [d for d in before if d["stage"] == 1] != [d for d in after if d["stage"] == 1]
    assert [d for d in before if d["stage"] == 2] == [d for d in after if d["stage"] == 2]
    assert {d["n_draws"] for d in after if d["stage"] == 2} == {8}
    assert again.numbers["pairs"][0]["pieces"] == verdict.numbers["pairs"][0]["pieces"]
    assert again.sentence == verdict.sentence


def test_a_lead_at_every_size_pays_throughout_and_never_crosses(study: CrossoverStudy) -> None:
    ahead, _, _ = answered(study, lambda m, n: 0.75 if m == "logistic_regression" else 0.65)
    behind, _, _ = answered(study, lambda m, n: 0.65 if m == "logistic_regression" else 0.75)
    assert ahead.kind == "pays_throughout" and behind.kind == "never_pays"
    assert ahead.numbers["pairs"][0]["pieces"] == []
    assert {d["size"] for d in ahead.numbers["pairs"][0]["differences"] if d["stage"] == 2} >= {50, 800}


def test_equal_arms_are_not_resolved_and_say_what_would(study: CrossoverStudy) -> None:
    verdict, _, _ = answered(study, lambda m, n: 0.7, draw_sd=0.03)
    assert verdict.kind in ("not_resolved", "gain_vanished")
    assert verdict.next_step and "not other corpora" in verdict.population


def test_two_crossings_are_said_to_be_several(study: CrossoverStudy) -> None:
    lead = {50: -0.08, 100: 0.08, 200: 0.08, 400: -0.08}
    small = replace(study, sizes=(50, 100, 200, 400))
    verdict, _, _ = answered(small, lambda m, n: 0.7 + (lead[n] if m == "logistic_regression" else 0))
    assert verdict.kind == "several" and len(verdict.numbers["pairs"][0]["pieces"]) == 2


def test_a_run_missing_in_one_arm_leaves_that_draw_out_of_the_pair(study: CrossoverStudy, crossing) -> None:
    def lost(spec) -> bool:
        return spec.model.name == "naive_bayes" and spec.subset.draw == 5 and spec.subset.size == 200

    verdict = study.conclude({d: record for d, record in crossing[1].items() if not lost(record.spec)})
    assert "plain: 1 of 42 runs did not finish; their draws are left out" in verdict.flags
    differences = [d for d in verdict.numbers["pairs"][0]["differences"] if d["stage"] == 2]
    assert {d["n_draws"] for d in differences} == {7}


def test_four_draws_are_called_a_pilot(study: CrossoverStudy) -> None:
    verdict, _, _ = answered(replace(study, draws=4), falling(0.04, 280))
    assert verdict.numbers["pairs"][0]["pilot"] and "pilot" in verdict.sentence
    assert "8 deciding draws" in verdict.next_step


def test_a_limited_arm_runs_on_its_own_grid_beside_the_cheap_one(study: CrossoverStudy) -> None:
    arms = {**study.arms, "dear": logistic().with_settings(C=50)}
    limited = replace(study, arms=arms, limits={"dear": Limit((50, 100), 1, 300)})
    verdict, records, _ = answered(limited, falling(0.04, 280))
    dear = [r.spec for r in records.values() if r.spec.model == arms["dear"]]
    assert {(s.subset.size, s.subset.draw, s.test_rows) for s in dear} == {(50, 0, 300), (100, 0, 300)}
    assert verdict.numbers["arms"]["dear"]["illustration"]
    assert any("illustration" in flag for flag in verdict.flags)
    assert verdict.kind == "stops_paying", "the primary pair is unmoved"


def test_the_tuning_budget_asks_again_at_more_trials(study: CrossoverStudy) -> None:
    tuned = replace(study, budgets=(1, 4), sizes=(100, 200, 400, 800), draws=3)
    verdict, records, _ = answered(tuned, falling(0.04, 280))
    assert Counter(r.spec.budget for r in records.values()) == {1: 2 * 4 * (2 + 3), 4: 2 * 4 * (2 + 3)}
    assert [b["trials"] for b in verdict.numbers["budgets"]] == [1, 4]


def test_the_verdict_is_plain_json_without_nan(crossing) -> None:
    verdict, _, _ = crossing
    json.dumps(verdict.to_json(), allow_nan=False)
    assert len(verdict.runs) == 2 * 2 * len(SIZES) + 2 * 8 * 4


def test_text_seen_in_pretraining_is_flagged(study: CrossoverStudy) -> None:
    card = Card("made", "seeded", "none", "2026", "nobody", seen_in_pretraining="the encoder saw this")
    flagged = replace(study, corpus=replace(study.corpus, card=card))
    verdict = flagged.conclude({})
    assert "the encoder saw this" in verdict.flags


def test_failed_runs_are_counted_and_stay_in_the_mean(study: CrossoverStudy) -> None:
    verdict, _, _ = answered(study, lambda m, n: 0.3 if m == "logistic_regression" else 0.7)
    assert any("rich" in flag and "failed" in flag for flag in verdict.flags)
    assert verdict.kind == "never_pays"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"cheap": "none"}, "no arm"),
        ({"cheap": "rich"}, "name two arms"),
        ({"sizes": (50, 9_900)}, "no draw variance"),
        ({"sizes": (100, 50)}, "ascending"),
        ({"draws": 20}, "raise study.pools"),
        ({"limits": {"rich": Limit((50,))}}, "primary pair"),
        ({"limits": {"nobody": Limit((50,))}}, "no arm"),
        ({"metric": "accurcy"}, "accuracy"),
    ],
)
def test_bad_settings_are_refused_before_any_run(study: CrossoverStudy, change: dict, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        replace(study, **change)


def test_the_bracket_is_put_around_the_best_single_change() -> None:
    means = {50: 0.2, 100: 0.1, 200: 0.02, 400: -0.01, 800: -0.05, 1600: -0.1, 3200: -0.2}
    assert bracketing_sizes(means, 0.0) == [100, 200, 400, 800]
    assert bracketing_sizes({**means, 100: -0.01}, 0.0) == [100, 200, 400, 800]
    assert bracketing_sizes({k: abs(v) + 0.01 for k, v in means.items()}, 0.0) == [50, 200, 400, 3200]
    assert bracketing_sizes({50: 1.0, 100: -1.0}, 0.0) == [50, 100]
    assert bracketing_sizes(means, 0.15) == [50, 100, 200, 400]


def test_ends_named_beforehand_always_decide() -> None:
    means = {50: 0.2, 100: 0.1, 200: 0.02, 400: -0.01, 800: -0.05, 1600: -0.1, 3200: -0.2}
    assert bracketing_sizes(means, 0.0, named_ends=True) == [50, 200, 400, 3200]


def test_a_cluster_that_fills_the_test_is_told_of(study: CrossoverStudy) -> None:
    """One template of 6% of the test rows decides what a grouped split can say."""
    for share, told in ((0.06, True), (0.04, False)):
        members = study.split.test[: int(share * len(study.split.test)) + 1]
        grouped = replace(study.split, groups=dict.fromkeys(members, "template"))
        verdict = replace(study, split=grouped).conclude({})
        assert any("near-duplicate cluster" in flag for flag in verdict.flags) is told
