"""A crossover verdict carries its curves on for full arms only, and its answer does not depend on it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from handmade import answered
from toy import bayes, logistic, toy_corpus, toy_split

from crossover.measure.extrapolation import extrapolate
from crossover.study import crossover_answer
from crossover.study.crossover import CrossoverStudy, Limit
from crossover.study.extrapolation import extrapolated_curves

SIZES = (40, 80, 160, 320)
CORPUS = toy_corpus(4_000)
SPLIT = toy_split(CORPUS, test=0.25, half=0.02)
LIMITED = replace(logistic(), settings={**logistic().settings, "C": 0.5})
ARMS = {"plain": bayes(), "rich": logistic(), "limited": LIMITED}
STUDY = CrossoverStudy(
    CORPUS, SPLIT, ARMS, "plain", "rich", SIZES, metric="accuracy", draws=4, pools=8,
    limits={"limited": Limit((40, 160), 1)},
)  # fmt: skip


def falling(model: str, size: int) -> float:
    return 0.70 + (0.04 * math.log2(113 / size) if model == "logistic_regression" else 0.0)


@pytest.fixture(scope="module")
def answer():
    return answered(STUDY, falling)


def test_each_full_arm_is_carried_on_from_the_draws_of_its_curve(answer) -> None:
    numbers = answer[0].numbers
    assert list(numbers["extrapolation"]) == ["plain", "rich"]
    for arm, entry in numbers["extrapolation"].items():
        curve = numbers["arms"][arm]["curve"]
        by_hand = extrapolate([point["size"] for point in curve], [point["draws"] for point in curve])
        assert entry == by_hand.to_json()
        assert [at["size"] for at in entry["at"]] == [640, 1280]
    assert numbers["extrapolation"]["rich"]["law"] == "last1", "it falls with n, and no law may"


def test_a_metric_that_falls_is_carried_down_within_its_bounds() -> None:
    study = replace(STUDY, metric="log_loss")
    curve = [{"size": n, "draws": [0.3 + 2 * n**-0.5] * 2} for n in SIZES]
    made = extrapolated_curves(study, {"plain": {"curve": curve}, "limited": {"curve": curve}})
    assert list(made) == ["plain"]
    assert made["plain"]["at"][0]["mean"] == pytest.approx(0.3 + 2 * 640**-0.5, abs=1e-4)


def test_too_few_sizes_are_said_to_be_insufficient() -> None:
    made = extrapolated_curves(STUDY, {"plain": {"curve": [{"size": 40, "draws": [0.5, 0.6]}]}})
    assert made["plain"]["law"] is None and "insufficient evidence: 1 sizes" in made["plain"]["reason"]


def test_the_answer_does_not_know_the_extrapolation(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, records, _ = answer
    monkeypatch.setattr(crossover_answer, "extrapolated_curves", lambda study, arms: {})
    without = STUDY.conclude(records)
    assert without.numbers["extrapolation"] == {}
    for part in ("kind", "sentence", "population", "would_change", "next_step", "flags", "runs"):
        assert getattr(without, part) == getattr(verdict, part)
