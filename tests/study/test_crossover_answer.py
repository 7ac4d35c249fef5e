"""The crossover verdict in words and costs: margins, log loss, budgets, prices, open ends."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from handmade import answered, handmade
from toy import bayes, logistic, toy_corpus, toy_split

from crossover.data.bad_input import BadInput
from crossover.protocol.component import component
from crossover.study import crossover_sentence as say
from crossover.study.crossover import CrossoverStudy
from crossover.study.crossover_answer import conclude, envelope

SIZES = (40, 80, 160, 320)
CORPUS = toy_corpus(4_000)
SPLIT = toy_split(CORPUS, test=0.25, half=0.02)
ARMS = {"plain": bayes(), "rich": logistic()}
STUDY = CrossoverStudy(CORPUS, SPLIT, ARMS, "plain", "rich", SIZES, metric="accuracy", draws=6, pools=8)


def falling(model: str, size: int) -> float:
    """rich leads by 4 points a doubling below 113 rows and trails as much above."""
    return 0.70 + (0.04 * math.log2(113 / size) if model == "logistic_regression" else 0.0)


@pytest.fixture(scope="module")
def crossing():
    return answered(STUDY, falling)


def primary(verdict):
    return verdict.numbers["pairs"][0]


def entry(kind: str, **changes: object) -> dict[str, object]:
    """A pair's entry as pair_entry makes it, by hand."""
    ends = [{"size": size, "stage": 2, "mean": mean, "low": mean - 0.01, "high": mean + 0.01, "n_draws": 6}
            for size, mean in ((40, 0.05), (1600, -0.02))]  # fmt: skip
    piece = {"low": 200.4, "high": 812.6, "low_open": False, "high_open": False}
    return {
        "cheap": "plain", "expensive": "rich", "level": 0.95, "margin": 0.0, "kind": kind, "estimate": 402.3,
        "pieces": [piece], "differences": ends, "pilot": False, "exploratory": False, "draws_needed": "",
        **changes,
    }  # fmt: skip


SENTENCES = {
    "stops_paying": "rich beats plain up to about 402 rows and no longer after (95% interval 200 to 813)",
    "starts_paying": "rich begins to beat plain at about 402 rows (95% interval 200 to 813)",
    "several": "rich and plain change places more than once from 40 to 1,600 rows (95% interval 200 to 813)",
    "pays_throughout": "rich beats plain at every size from 40 to 1,600 rows",
    "never_pays": "rich does not beat plain at any size from 40 to 1,600 rows",
    "gain_vanished": "the gain of rich over plain has vanished by 1,600 rows (within ±1 point)",
    "not_resolved": "whether rich beats plain is not resolved from 40 to 1,600 rows "
    "(95% interval 200 to 813)",
}
TAIL = (
    "; lead of rich over plain in accuracy: +5.0 points [+4.0, +6.0] at 40 rows, "
    "-2.0 points [-3.0, -1.0] at 1,600"
)


@pytest.mark.parametrize("kind", list(SENTENCES))
def test_each_kind_has_its_sentence(kind: str) -> None:
    assert say.pair(STUDY, entry(kind)) == SENTENCES[kind] + TAIL


def test_a_margin_is_said_without_a_sign() -> None:
    said = say.pair(STUDY, entry("stops_paying", margin=0.01))
    assert said.startswith("rich beats plain by 1 point up to about 402 rows")
    assert "by 2.5 points at any size" in say.pair(STUDY, entry("never_pays", margin=0.025))
    assert "another margin than 0 points" in say.would_change(STUDY, None)[0]
    assert "1 trial an arm" in say.would_change(STUDY, None)[0]


def test_a_loss_is_not_said_in_points() -> None:
    said = say.pair(replace(STUDY, metric="log_loss"), entry("stops_paying", margin=0.01))
    assert "by 0.01 up to" in said and "points" not in said
    assert "lead of rich over plain in log loss: +0.050 [+0.040, +0.060] at 40 rows" in said


def test_open_ends_and_several_pieces_are_all_said() -> None:
    low = {"low": 40.0, "high": 55.0, "low_open": True, "high_open": False}
    high = {"low": 700.0, "high": 1600.0, "low_open": False, "high_open": True}
    assert say.interval([low, high], [40, 1600]) == "<= 40 to 55 and 700 to >= 1,600"
    assert "95% interval <= 40 to 55 and 700 to >= 1,600" in say.pair(
        STUDY, entry("not_resolved", pieces=[low, high])
    )
    assert "no size on the grid is in the 95% set" in say.pair(STUDY, entry("not_resolved", pieces=[]))
    assert "97.5% interval" in say.pair(STUDY, entry("stops_paying", level=0.975)), "a secondary pair's level"
    assert "at a size not resolved" in say.pair(STUDY, entry("starts_paying", estimate=None))


def test_rows_a_class_are_called_so() -> None:
    assert "about 402 rows a class" in say.pair(replace(STUDY, scheme="per_class"), entry("stops_paying"))


def test_pilot_and_exploratory_stand_before_the_claim() -> None:
    assert say.pair(STUDY, entry("stops_paying", pilot=True)).startswith(
        "pilot of 6 draws, not a verdict: rich beats"
    )
    both = say.pair(STUDY, entry("exploratory", pilot=True, exploratory=True))
    assert both.startswith(
        "exploratory (a draw takes over half of the pool), not a verdict: whether rich beats plain"
    )
    assert "share over half the pool" in say.next_step(STUDY, entry("exploratory", exploratory=True))
    assert "at least 8 deciding draws" in say.next_step(STUDY, entry("stops_paying", pilot=True))


def test_the_headline_says_where_log_loss_margin_and_budget_disagree() -> None:
    at = {"kind": "stops_paying", "estimate": 301.0}
    never = {"kind": "never_pays", "estimate": None}
    base = {**entry("stops_paying"), "sentence": "S"}
    assert say.headline(STUDY, {**base, "log_loss": at, "second_margin": at}, []) == "On toy, S."
    said = say.headline(STUDY, {**base, "log_loss": never, "second_margin": never}, [])
    assert said == "On toy, S; log loss disagrees: never pays; at a margin of 1 point: never pays."
    open_ = {"kind": "not_resolved", "estimate": 90.0}
    assert say.headline(STUDY, {**base, "log_loss": open_}, []) == "On toy, S; by log loss: not resolved."
    tuned = [{"trials": 4, **never, "equal_seconds": {"kind": "starts_paying", "estimate": 1234.0}},
             {"trials": 8, **at, "equal_seconds": at}]  # fmt: skip
    assert say.headline(STUDY, base, tuned) == (
        "On toy, S; the answer depends on the tuning budget (4 trials: never pays, "
        "equal tuning seconds: starts paying at about 1,234 rows)."
    )


def test_log_loss_as_metric_of_record_does_not_disagree_with_itself() -> None:
    base = {**entry("stops_paying"), "sentence": "S", "log_loss": {"kind": "never_pays", "estimate": None}}
    assert say.headline(replace(STUDY, metric="log_loss"), base, []) == "On toy, S."


def test_a_whole_verdict_reads_as_one_sentence(crossing) -> None:
    verdict = crossing[0]
    pair = primary(verdict)
    assert verdict.kind == "stops_paying"
    low, high = (f"{pair['pieces'][0][end]:,.0f}" for end in ("low", "high"))
    start = f"On toy, rich beats plain up to about {pair['estimate']:,.0f} rows and no longer after "
    assert verdict.sentence.startswith(
        start + f"(95% interval {low} to {high}); lead of rich over plain in accuracy: +"
    )
    assert verdict.population == (
        "Over fresh draws of n rows from, seeds, and fresh test rows like, corpus toy "
        f"({CORPUS.fingerprint}); not other corpora, encoders or recipes."
    )


def test_the_second_margin_crosses_earlier_and_is_kept_beside(crossing) -> None:
    pair = primary(crossing[0])
    assert (pair["margin"], pair["second_margin"]["margin"]) == (0.0, 0.01)
    shift = pair["second_margin"]["estimate"] / pair["estimate"]
    assert shift == pytest.approx(2 ** (-0.01 / 0.04), abs=0.05), "1 point at 4 points a doubling"
    assert pair["log_loss"]["kind"] == "stops_paying" and pair["log_loss"]["differences"][0]["stage"] == 2


def test_at_a_larger_budget_the_answer_may_turn_and_the_sentence_says_so() -> None:
    """The cheap arm is helped by tuning: tuned, it always leads; untuned, it is overtaken late."""
    study = replace(STUDY, budgets=(1, 3), draws=5)
    _, records, _ = answered(study, falling)
    for digest, record in records.items():
        if record.spec.budget == 3:
            records[digest] = handmade(
                CORPUS, SPLIT, record.spec, lambda m, n: 0.75 if m == "naive_bayes" else 0.60
            )
    verdict = study.conclude(records)
    assert verdict.kind == "stops_paying", "the headline is that of the first budget"
    (tuned,) = verdict.numbers["budgets"][1:]
    assert (tuned["trials"], tuned["kind"]) == (3, "never_pays")
    assert "the answer depends on the tuning budget (3 trials: never pays" in verdict.sentence
    # Every hand-made fit costs 2 s cold: tuned plain costs no more than rich once, so it is the rival.
    equal = tuned["equal_seconds"]
    assert equal["trials"] == {"plain": 3, "rich": 1} and equal["kind"] != "never_pays" and equal["sentence"]
    dear = {d: (replace_cost(r, 30.0) if r.spec.budget == 3 else r) for d, r in records.items()}
    assert "equal_seconds" not in study.conclude(dear).numbers["budgets"][1], "it would cost more"


def replace_cost(record, seconds: float):
    changed = replace(record, cost={**record.cost, "fit_seconds_cold": seconds})
    changed.__dict__["predictions"] = record.predictions
    return changed


COST = {"labels": 200.0, "fit_seconds_cold": 1800.0, "predict_ms_cold": 3.6}


def test_the_envelope_by_hand() -> None:
    """200 labels at .10, half an hour at 2, and 100,000 predictions: .1 h more at 2, and .001 each."""
    assert envelope({}, COST) is None
    assert envelope({"label": 0.1}, COST) == pytest.approx(20.0)
    assert envelope({"hour": 2.0}, COST) == pytest.approx(1.0)
    assert envelope({"hour": 2.0, "volume": 100_000.0}, COST) == pytest.approx(1.0 + 0.2)
    assert envelope({"prediction": 0.001, "volume": 100_000.0}, COST) == pytest.approx(100.0)
    prices = {"label": 0.1, "hour": 2.0, "prediction": 0.001, "volume": 100_000.0, "points": 3.0}
    assert envelope(prices, COST) == pytest.approx(20 + 1.2 + 100)


def priced(study: CrossoverStudy, records: dict, dear_seconds: float) -> dict:
    """The records with rich taking this many cold seconds more than plain's 2."""
    return {
        digest: replace_cost(r, 2.0 + dear_seconds) if r.spec.model == ARMS["rich"] else r
        for digest, r in records.items()
    }


def test_counting_costs_shifts_the_crossing_by_hand(crossing) -> None:
    """rich costs 2 units more; a unit must buy half a point: the lead must be 1 point."""
    study = replace(STUDY, prices={"hour": 1.0, "points": 0.5})
    verdict = study.conclude(priced(study, crossing[1], 7200.0))
    pair = primary(verdict)
    counted = pair["cost_crossing"]
    assert [c["mean"] for c in counted["cost_differences"]] == pytest.approx([2.0] * 4)
    assert all(len(c["draws"]) == 6 for c in counted["cost_differences"])
    assert counted["points"] == 0.5
    # A constant charge of 1 point is a margin of 1 point.
    assert counted["estimate"] == pytest.approx(pair["second_margin"]["estimate"])
    assert counted["kind"] == pair["second_margin"]["kind"]
    for ours, theirs in zip(counted["pieces"], pair["second_margin"]["pieces"], strict=True):
        assert ours["low"] == pytest.approx(theirs["low"]) and ours["high"] == pytest.approx(theirs["high"])
    assert "with costs counted (one unit must buy 0.5 points): stops paying at about" in verdict.sentence
    assert pair["kind"] == "stops_paying" and verdict.kind == "stops_paying", (
        "the headline stays that of the score"
    )
    json.dumps(verdict.to_json(), allow_nan=False)


def test_a_cost_that_is_too_high_turns_the_answer(crossing) -> None:
    study = replace(STUDY, prices={"hour": 1.0, "points": 10.0})
    verdict = study.conclude(priced(study, crossing[1], 7200.0))
    assert primary(verdict)["cost_crossing"]["kind"] == "never_pays"
    assert "with costs counted (one unit must buy 10 points): never pays" in verdict.sentence


def test_labels_cost_both_arms_alike_and_cancel(crossing) -> None:
    study = replace(STUDY, prices={"label": 5.0, "points": 1.0})
    counted = primary(study.conclude(crossing[1]))["cost_crossing"]
    assert all(c["mean"] == 0 for c in counted["cost_differences"])
    assert counted["estimate"] == pytest.approx(primary(crossing[0])["estimate"])


def test_without_a_price_of_points_no_cost_crossing_is_claimed(crossing) -> None:
    study = replace(STUDY, prices={"label": 0.1, "hour": 1.0})
    verdict = study.conclude(crossing[1])
    assert "cost_crossing" not in primary(verdict) and "costs counted" not in verdict.sentence
    row = next(r for r in verdict.numbers["cost"] if r["arm"] == "rich" and r["size"] == 80)
    assert row["envelope"] == pytest.approx(0.1 * 80 + 2.0 / 3600)
    assert all(r["envelope"] is None for r in crossing[0].numbers["cost"])


@pytest.mark.parametrize(
    ("prices", "match"), [({"labels": 1.0}, "no entry 'labels'"), ({"hour": -1.0}, "at least 0")]
)
def test_a_price_that_is_none_is_refused(prices: dict, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        replace(STUDY, prices=prices)


def test_other_pairs_share_the_error_and_are_not_primary(crossing) -> None:
    arms = {**ARMS, "third": logistic().with_settings(C=50), "fourth": logistic().with_settings(C=5)}
    verdict, _, _ = answered(replace(STUDY, arms=arms, sizes=(40, 160)), falling)
    assert [(p["expensive"], p["level"]) for p in verdict.numbers["pairs"]] == [
        ("rich", 0.95), ("third", 0.975), ("fourth", 0.975)]  # fmt: skip
    assert [p["primary"] for p in verdict.numbers["pairs"]] == [True, False, False]


def test_what_would_resolve_it_is_the_next_step() -> None:
    needed = "at 160 rows, about 3 to 5 more draws"
    undecided = entry("not_resolved", draws_needed=needed)
    assert say.next_step(STUDY, undecided) == f"What would resolve it: {needed}."
    assert say.would_change(STUDY, undecided)[0] == needed
    verdict, _, _ = answered(STUDY, lambda m, n: 0.71 if m == "logistic_regression" else 0.70, draw_sd=0.03)
    if verdict.kind == "not_resolved":
        assert (
            primary(verdict)["draws_needed"].startswith("at ")
            and "rows, " in primary(verdict)["draws_needed"]
        )


def test_arms_with_different_encoders_are_flagged_as_confounded() -> None:
    def probe(name: str):
        encoder = component(
            "crossover.model.encoder.encoder.Encoder", {"name": name, "weights_sha256": "0" * 64}
        )
        return component("crossover.model.probe.Probe", {"encoder": encoder})

    arms = {**ARMS, "one": probe("small"), "two": probe("large")}
    assert any("confounded" in flag for flag in replace(STUDY, arms=arms).conclude({}).flags)
    assert not any("confounded" in flag for flag in STUDY.conclude({}).flags)


def test_concluding_again_with_other_prices_reads_the_same_runs(crossing) -> None:
    study = replace(STUDY, prices={"hour": 1.0, "points": 0.5})
    assert {s.digest for s in study.plan(crossing[1])} == set(crossing[1])
    assert conclude(study, crossing[1]).runs == crossing[0].runs
    differences = primary(conclude(study, crossing[1]))["differences"]
    assert np.allclose(
        [d["mean"] for d in differences], [d["mean"] for d in primary(crossing[0])["differences"]]
    )


def test_declared_looks_widen_the_primary_and_share_the_rest_among_the_others() -> None:
    arms = {**ARMS, "third": logistic().with_settings(C=50), "fourth": logistic().with_settings(C=5)}
    study = replace(STUDY, arms=arms, sizes=(40, 160))
    five = replace(study, looks=5)
    assert "looks" not in study.settings() and five.settings() == study.settings() | {"looks": 5}
    verdict, records, _ = answered(study, falling)
    wide = five.conclude(records)
    levels = [[pair["level"] for pair in told.numbers["pairs"]] for told in (verdict, wide)]
    assert levels == [pytest.approx([0.95, 0.975, 0.975]), pytest.approx([0.99, 0.995, 0.995])]
    assert (verdict.numbers["level"], wide.numbers["level"]) == (0.95, pytest.approx(0.99))
    assert "99% interval" in wide.sentence and wide.runs == verdict.runs
    for narrow, broad in zip(verdict.numbers["pairs"], wide.numbers["pairs"], strict=True):
        for one, other in zip(narrow["differences"], broad["differences"], strict=True):
            assert other["low"] < one["low"] <= one["high"] < other["high"]
    points = [told.numbers["arms"]["rich"]["curve"][0] for told in (verdict, wide)]
    assert points[1]["high"] - points[1]["low"] > points[0]["high"] - points[0]["low"]
