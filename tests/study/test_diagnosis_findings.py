"""The decision table to the letter: each row by itself, in order, and what a missing number does."""

from dataclasses import replace

import numpy as np
import pytest

from crossover.measure.learning_slope import Slope, slope
from crossover.measure.simultaneous import Bounded
from crossover.study.diagnosis_findings import (
    ADVICE,
    SEVERITIES,
    Evidence,
    Finding,
    decide,
    finding_of,
    in_order,
    ranked,
    verdict_of,
)


def b(low: float, high: float) -> Bounded:
    return Bounded((low + high) / 2, low, high, 0.995, 8, 100, "by hand")


def change(mean: float, sd: float) -> Slope:
    half = np.tile(np.linspace(0.0, 1.0, 400), (8, 1))
    noise = sd * np.random.default_rng(0).standard_normal((8, 1))
    return slope(half, half + mean + noise - noise.mean(), 0.995, 0.01)


FALLING, FLAT, OPEN = change(-0.05, 0.001), change(0.0, 0.001), change(-0.02, 0.05)
NULLS = {"accuracy": b(-0.1, -0.02), "log_loss": b(-0.5, -0.3)}
GAP = Evidence(
    target=0.05, level=0.995, size=800, permutations=99, permuted=NULLS,
    constant={"accuracy": b(-0.01, 0.01), "log_loss": b(-0.001, 0.002)}, overfit=(1.0, 1.0, 1.0),
    validation=b(0.10, 0.14), train=b(0.0, 0.01), slope=FALLING,
)  # fmt: skip
UNFIT = replace(
    GAP, train=b(0.08, 0.12), lowered={"a better solver": b(-1e-9, 1e-9)}, tolerance={"a better solver": 1e-6}
)
CASES = {
    "data_bug": replace(GAP, permuted={**NULLS, "accuracy": b(0.01, 0.05)}),
    "cannot_overfit": replace(GAP, overfit=(0.9, 0.97, 0.5)),
    "good_enough": replace(GAP, validation=b(0.02, 0.05)),
    "specification": replace(GAP, floor=b(0.06, 0.12)),
    "optimisation": replace(UNFIT, lowered={"a better solver": b(-0.2, -0.1)}),
    "capacity": UNFIT,
    "more_data": GAP,
    "gap": replace(GAP, slope=FLAT),
    "insufficient": replace(GAP, slope=OPEN, needs=("about 5 more draws",)),
}


def kind(e: Evidence) -> str:
    return verdict_of(decide(e)).code


@pytest.mark.parametrize("code", list(CASES))
def test_each_row_is_reached_by_its_condition(code: str) -> None:
    e = CASES[code]
    rows = decide(e)
    row = verdict_of(rows)
    assert row.code == code and row.order == list(CASES).index(code)
    finding = finding_of(row, e)
    assert finding.severity in SEVERITIES and finding.title and finding.evidence
    assert finding.next_step and finding.refute, "every finding carries its step and what could refute it"
    assert set(ADVICE) == set(CASES)


def test_the_first_match_wins_in_the_order_of_the_table() -> None:
    """Every condition at once; then the first is healed, and the next one is the verdict."""
    e = replace(
        CASES["optimisation"],
        permuted=CASES["data_bug"].permuted,
        overfit=(0.5, 0.5, 0.5),
        floor=b(0.06, 0.1),
    )
    heal: list[dict[str, object]] = [
        {"permuted": NULLS}, {"overfit": (1.0, 0.5, 0.5)}, {"floor": None}, {"lowered": UNFIT.lowered},
        {"train": GAP.train}, {"slope": FLAT},
    ]  # fmt: skip
    order = ["data_bug", "cannot_overfit", "specification", "optimisation", "capacity", "more_data", "gap"]
    for code, change_ in zip(order, [*heal, {}], strict=True):
        assert kind(e) == code
        e = replace(e, **change_)  # type: ignore[arg-type]


def test_bounds_decide_and_not_means() -> None:
    assert kind(replace(GAP, validation=b(0.02, 0.0501))) == "insufficient", (
        "the upper bound is above the target"
    )
    assert kind(replace(GAP, validation=b(0.05, 0.2))) == "insufficient", "the lower bound is not above it"
    assert kind(replace(GAP, train=b(0.0, 0.051))) == "insufficient"
    assert kind(replace(UNFIT, train=b(0.05, 0.2))) == "insufficient"
    assert kind(replace(GAP, floor=b(0.05, 0.5))) == "more_data"


def test_a_constant_input_that_beats_the_prior_is_a_data_bug_too() -> None:
    assert kind(replace(GAP, constant={"accuracy": b(0.001, 0.05), "log_loss": b(0, 0)})) == "data_bug"
    assert kind(replace(GAP, constant={"accuracy": b(0, 0), "log_loss": b(0.001, 0.02)})) == "data_bug"
    assert kind(replace(GAP, constant={"accuracy": b(0, 0.1), "log_loss": b(0, 0.1)})) == "more_data"


def test_one_seed_that_fits_is_enough() -> None:
    assert kind(replace(GAP, overfit=(0.5, 0.5, 1.0))) == "more_data"
    assert kind(replace(GAP, overfit=(0.5, 0.5))) == "more_data", "two of three runs decide nothing"


def test_a_certified_solver_is_not_blamed_for_32_rows() -> None:
    e = replace(UNFIT, overfit=(0.5, 0.5, 0.5), cleared=True)
    assert kind(e) == "capacity"
    assert "certified" in decide(e)[1].seen


def test_an_intervention_must_lower_by_more_than_rounding() -> None:
    tiny = {"a better solver": b(-3e-7, -2e-7)}
    assert kind(replace(UNFIT, lowered=tiny)) == "capacity"
    assert kind(replace(UNFIT, lowered=tiny, tolerance={})) == "optimisation"
    either = {"a third of the rate": b(0.1, 0.2), "three times the steps": b(-0.2, -0.1)}
    found = replace(UNFIT, lowered=either, tolerance=dict.fromkeys(either, 1e-6))
    assert kind(found) == "optimisation"
    assert "three times the steps" in finding_of(verdict_of(decide(found)), found).next_step
    assert "a third" not in finding_of(verdict_of(decide(found)), found).next_step


def test_untested_optimisers_are_not_cleared() -> None:
    """L(train error) > target, and no intervention ran: neither optimisation nor capacity may be said."""
    assert kind(replace(UNFIT, lowered={})) == "insufficient"
    assert kind(replace(UNFIT, lowered={}, optimised=False)) == "capacity", "a closed form has none"


@pytest.mark.parametrize("name", ["permuted", "overfit", "validation", "train", "slope"])
def test_what_is_missing_is_said_and_claims_nothing(name: str) -> None:
    empty = {"permuted": {}, "overfit": ()}.get(name)
    e = replace(GAP, **{name: empty}, missing={"null runs": "none finished"})  # type: ignore[arg-type]
    rows = decide(e)
    assert any(row.holds is None and "not assessed" in row.seen for row in rows)
    assert verdict_of(rows).code in ("more_data", "insufficient")


def test_what_is_fine_is_named_with_its_evidence() -> None:
    fine = {f.code: f for f in in_order(decide(GAP), GAP)}
    assert set(fine) == {"data_bug", "cannot_overfit", "capacity"}
    assert all(f.severity == "fine" and f.evidence for f in fine.values())
    bad = replace(CASES["data_bug"], overfit=())
    assert "data_bug" not in {f.code for f in in_order(decide(bad), bad)}
    assert "cannot_overfit" not in {f.code for f in in_order(decide(bad), bad)}, "not assessed is not fine"
    assert "optimisation" in {f.code for f in in_order(decide(UNFIT), UNFIT)}


def test_findings_are_ranked_by_severity_behind_the_verdict() -> None:
    made = [Finding(s, s, "t", "e") for s in ("fine", "note", "stop", "serious", "warning")]
    first = Finding("verdict", "fine", "t", "e")
    assert [f.code for f in ranked([*made, first], first)] == [
        "verdict",
        "stop",
        "serious",
        "warning",
        "note",
        "fine",
    ]
