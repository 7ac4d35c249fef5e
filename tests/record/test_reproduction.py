"""Two records of one spec: identical, within tolerance or different, by the rule and nothing else."""

from dataclasses import replace

import pytest
from toy import bayes

from crossover.measure.score import Score
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.reproduction import (
    DEFAULT_TOLERANCE,
    DIFFERENT,
    IDENTICAL,
    WITHIN,
    Tolerance,
    compare,
    first_parting,
    tolerances_of,
)
from crossover.record.run_record import RunRecord
from crossover.split.nested_subsets import Subset

HERE = {"cpu": "A", "versions": {"torch": "2.13"}, "fingerprint": "x"}
THERE = {"cpu": "B", "versions": {"torch": "2.13"}, "fingerprint": "y"}


def score(name: str, value: float | None) -> Score:
    return Score(name, value, None, None, 100, "by hand")


def record(accuracy: float | None = 0.8, seed: int = 0, draw: int = 0, **more: object) -> RunRecord:
    spec = RunSpec("c" * 16, "d" * 16, bayes(), Subset("natural", 50, draw), seeds=Seeds(seed, seed))
    scores = {"accuracy": score("accuracy", accuracy), "mcc": score("mcc", 0.5)}
    return replace(RunRecord(spec, scores, {}, "a" * 64, environment=HERE), **more)  # type: ignore[arg-type]


def kinds(found) -> dict[str, str]:
    return {compared.name: compared.kind for compared in found.scores}


def test_equal_bits_are_identical() -> None:
    found = compare(record(), record(), {})
    assert found.kind == IDENTICAL and found.same_predictions and found.environment == ()


def test_in_the_same_environment_the_last_bit_makes_it_different() -> None:
    found = compare(record(0.8), record(0.8 + 2**-53), {"accuracy": Tolerance(0.5, "generous")})
    assert found.kind == DIFFERENT
    assert kinds(found) == {"accuracy": DIFFERENT, "mcc": IDENTICAL}


def test_in_the_same_environment_other_predictions_with_equal_scores_are_different() -> None:
    found = compare(record(), record(predictions_sha256="b" * 64), {})
    assert found.kind == DIFFERENT and "predictions" in found.why


@pytest.mark.parametrize(("moved", "kind"), [(0.0009, WITHIN), (0.0011, DIFFERENT)])
def test_in_another_environment_the_tolerance_decides(moved: float, kind: str) -> None:
    found = compare(record(0.8), record(0.8 + moved, environment=THERE, predictions_sha256="b" * 64), {})
    assert found.kind == kind and found.environment == (("cpu", "A", "B"),)
    assert kinds(found)["accuracy"] == kind
    assert ("accuracy" in found.why) == (kind == DIFFERENT)


def test_in_another_environment_equal_bits_are_identical_and_the_environment_is_still_listed() -> None:
    found = compare(record(), record(environment=THERE), {})
    assert found.kind == IDENTICAL and found.environment


def test_a_score_that_became_undefined_or_that_one_side_lacks_is_different_anywhere() -> None:
    assert compare(record(), record(None, environment=THERE), {}).kind == DIFFERENT
    fewer = {"accuracy": score("accuracy", 0.8)}
    assert kinds(compare(record(), record(scores=fewer, environment=THERE), {}))["mcc"] == DIFFERENT
    both = compare(record(None), record(None, environment=THERE), {})
    assert both.kind == IDENTICAL


def test_records_of_two_specs_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not one spec"):
        compare(record(), record(seed=1), {})


def test_the_tolerance_is_the_spread_over_seeds_of_the_same_draw_where_three_are_known() -> None:
    """0.7, 0.8, 0.9: SD 0.1 by hand; a draw and an arm of its own are not counted."""
    others = [record(0.7, 1), record(0.9, 2), record(0.1, 3, draw=1)]
    other_arm = replace(record(0.0, 4), spec=replace(record(0.0, 4).spec, budget=2))
    found = tolerances_of(record(0.8), [record(0.8), *others, other_arm])
    assert found["accuracy"].value == pytest.approx(0.1) and found["accuracy"].source == "SD over 3 seeds"
    assert found["mcc"].value == DEFAULT_TOLERANCE and "equal scores" in found["mcc"].source


def test_seeds_that_change_nothing_leave_the_default_and_no_rounding_of_their_mean() -> None:
    """(0.35 + 0.35 + 0.35) / 3 is not 0.35 in floating point."""
    found = tolerances_of(record(0.35), [record(0.35, 1), record(0.35, 2)])["accuracy"]
    assert (found.value, found.source) == (1e-3, "the default: 3 seeds give equal scores")


def test_with_fewer_seeds_the_tolerance_is_the_default_and_says_so() -> None:
    found = tolerances_of(record(0.8), [record(0.7, 1)])["accuracy"]
    assert (found.value, found.source) == (1e-3, "the default: 2 of 3 seeds known")


def history(*losses: float) -> list[dict[str, float]]:
    return [{"step": float(k), "loss": loss, "gradient_norm": 1.0} for k, loss in enumerate(losses, 1)]


def test_the_first_step_at_which_the_loss_parts_is_named() -> None:
    assert first_parting(history(3, 2, 1), history(3, 2, 1)) is None
    found = first_parting(history(3, 2, 1), history(3, 2.5, 1))
    assert found is not None and (found.step, found.what, found.then, found.now) == (2, "loss", 2, 2.5)
    found = first_parting(history(3, 2, 1), history(3, 2))
    assert found is not None and (found.step, found.what, found.then, found.now) == (3, "steps taken", 3, 2)
    found = first_parting([{"iterations": 5.0}], [{"iterations": 6.0}])
    assert found is not None and (found.step, found.what) == (1, "iterations")
