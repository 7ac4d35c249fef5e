"""A hypothesis is written before the first run, stays as it is, and is held against the verdict."""

from pathlib import Path

import pytest
from handmade import answered
from toy import bayes, logistic, toy_store

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import unsealed
from crossover.launch.in_process import InProcess
from crossover.protocol.hypothesis import Hypothesis
from crossover.study.compare import CompareStudy
from crossover.study.crossover import CrossoverStudy
from crossover.study.expected import power_of
from crossover.study.registered import held_against, register
from crossover.study.study import run, study_name

CLAIM = Hypothesis("rich", "plain")


@pytest.fixture
def made(tmp_path: Path):
    store, corpus, split = toy_store(tmp_path, 400)
    return store, CompareStudy(corpus, split, {"plain": bayes(), "rich": logistic()}, seeds=1)


def test_it_is_kept_before_any_run_and_read_back_by_a_later_call(made) -> None:
    store, study = made
    kept = register(CLAIM, study, store)
    assert kept["runs_finished_before"] == 0 and kept["runs_planned"] == 2
    file = store.root / "studies" / study_name(study) / "hypothesis.json"
    assert unsealed(file, "") == kept == register(None, study, store) == register(CLAIM, study, store)


def test_a_changed_claim_is_refused_and_the_first_one_stays(made) -> None:
    store, study = made
    kept = register(CLAIM, study, store)
    with pytest.raises(BadInput, match="has a hypothesis already"):
        register(Hypothesis("plain", "rich"), study, store)
    assert register(None, study, store) == kept


def test_a_claim_about_no_arm_is_refused_and_nothing_is_written(made) -> None:
    store, study = made
    with pytest.raises(BadInput, match="'deep', which is no arm"):
        register(Hypothesis("deep", "plain"), study, store)
    assert register(None, study, store) is None


def test_a_claim_after_the_fact_is_called_exploratory(made) -> None:
    store, study = made
    verdict = run(study, InProcess(), store).verdict
    found = held_against(register(CLAIM, study, store), verdict.to_json()["numbers"])
    assert "exploratory: 2 of 2 runs" in found["answer"]


def test_the_lead_is_read_the_way_round_it_was_claimed(made) -> None:
    store, study = made
    numbers = {
        "pairs": [{"left": "plain", "right": "rich", "difference": {"mean": -0.2, "low": -0.3, "high": -0.1}}]
    }
    found = held_against(register(CLAIM, study, store), numbers)
    assert found["outcome"] == "supported" and found["lead"] == {"mean": 0.2, "low": 0.1, "high": 0.3}


def test_a_crossover_is_held_against_the_size_that_was_claimed(made) -> None:
    _, other = made
    study = CrossoverStudy(
        other.corpus, other.split, other.arms, "plain", "rich", (20, 40), draws=4, pools=6, metric="accuracy"
    )
    lead = {20: 0.9, 40: 0.6}
    verdict, _, _ = answered(
        study, lambda model, size: lead[size] if model == "logistic_regression" else 0.75
    )
    numbers = verdict.to_json()["numbers"]
    words = {}
    for size in (20, 40, 30, None):
        kept = {
            **Hypothesis("rich", "plain", size=size).to_json(),
            "runs_planned": 1,
            "runs_finished_before": 0,
        }
        words[size] = held_against(kept, numbers)["outcome"]
    assert words == {20: "supported", 40: "contradicted", 30: "not_measured", None: "not_measured"}


def test_power_speaks_of_the_test_units_and_draws_of_the_study(made) -> None:
    _, study = made
    assert power_of(study)["test_units"] == len(study.split.test)
    capped = CompareStudy(study.corpus, study.split, study.arms, test_rows=50, size=40, draws=3)
    assert (power_of(capped)["test_units"], power_of(capped)["draws"]) == (50, 3)
