"""What a study would take, from what the store holds: counts, seconds and bytes."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from handmade import handmade
from toy import bayes, logistic, toy_store

from crossover.protocol.run_spec import RunSpec
from crossover.record.store import Store
from crossover.study.compare import CompareStudy
from crossover.study.crossover import CrossoverStudy
from crossover.study.expected import expected
from crossover.study.study import study_name

ARMS = {"plain": bayes(), "rich": logistic()}


def lead(model: str, size: int) -> float:
    return 0.7 + (0.08 if model == "logistic_regression" else 0.0)


@pytest.fixture
def planned(tmp_path: Path) -> tuple[CrossoverStudy, Store]:
    store, corpus, split = toy_store(tmp_path)
    return CrossoverStudy(
        corpus, split, ARMS, "plain", "rich", (20, 40, 60), draws=2, metric="accuracy"
    ), store


def keep(study, store: Store, specs: list[RunSpec], fit: float = 1.0, predict: float = 0.5) -> None:
    for spec in specs:
        made = handmade(study.corpus, study.split, spec, lead)
        data = made.predictions.to_parquet()
        cost = {**made.cost, "fit_seconds": fit, "predict_seconds": predict}
        store.commit_run(replace(made, cost=cost, predictions_sha256=hashlib.sha256(data).hexdigest()), data)


def test_an_empty_store_knows_the_first_batch_and_how_many_follow(planned) -> None:
    study, store = planned
    found = expected(study, store)
    assert (found.new, found.kept, found.later) == (12, 0, 12)
    assert found.seconds is None and found.unmet == 12 and found.name == study_name(study)
    assert found.bytes > 0 and list(store.runs()) == [], "nothing was run"


def test_half_a_batch_decides_nothing_of_the_next(planned) -> None:
    """Two finished sizes do not say where the change lies; the runs that follow stay undecided."""
    study, store = planned
    keep(study, store, [s for s in study.plan({}) if s.subset.size < 60])
    found = expected(study, store)
    assert (found.new, found.kept, found.later) == (4, 8, 12)


def test_a_whole_batch_turns_what_was_later_into_new(planned) -> None:
    study, store = planned
    keep(study, store, study.plan({}))
    found = expected(study, store)
    assert (found.new, found.kept, found.later) == (12, 12, 0)


def test_a_finished_study_takes_nothing(planned) -> None:
    study, store = planned
    keep(study, store, study.plan({}))
    keep(study, store, study.plan({record.digest: record for record in store.runs()}))
    found = expected(study, store)
    assert (found.new, found.kept, found.later, found.bytes) == (0, 24, 0, 0)
    assert found.seconds == 0.0 and found.unmet == 0


def test_a_failed_run_is_new_and_does_not_hide_what_its_study_kept(planned) -> None:
    study, store = planned
    first = study.plan({})
    lost = first[0]
    keep(study, store, [spec for spec in first if spec != lost])
    store.save_failure(lost.digest, {"error": "it broke"})
    second = study.plan({record.digest: record for record in store.runs()})
    keep(study, store, [spec for spec in second if spec != lost])
    found = expected(study, store)
    assert (found.new, found.kept, found.later) == (1, 23, 0)


def test_seconds_are_medians_of_the_same_model_at_the_nearest_size(planned) -> None:
    study, store = planned
    plain = [s for s in study.plan({}) if s.model == ARMS["plain"]]
    at = {size: [s for s in plain if s.subset.size == size] for size in (20, 40, 60)}
    keep(study, store, at[20][:1], fit=2.0, predict=1.0)
    keep(study, store, at[60][:1], fit=10.0, predict=1.0)
    found = expected(study, store)
    assert (found.new, found.kept, found.unmet) == (10, 2, 6), "rich was never met"
    # One at 20 (3 s), two at 40 (as near to 20 as to 60: the smaller, 3 s), one at 60 (11 s).
    assert found.seconds == pytest.approx(3 + 2 * 3 + 11)


def test_the_median_of_several_runs_is_taken(planned) -> None:
    study, store = planned
    other = replace(study, locate_draws=5)
    specs = [
        s for s in other.plan({}) if s.model == ARMS["plain"] and s.subset.size == 20 and s.subset.draw > 1
    ]
    for spec, seconds in zip(specs, (1.0, 2.0, 30.0), strict=True):
        keep(study, store, [spec], fit=seconds, predict=0.0)
    assert expected(study, store).seconds == pytest.approx(6 * 2.0)


def test_bytes_grow_with_the_rows_that_are_kept(planned) -> None:
    study, store = planned
    small = CompareStudy(study.corpus, study.split, ARMS, seeds=1, size=20)
    large = CompareStudy(study.corpus, study.split, ARMS, seeds=1, size=120)
    assert expected(large, store).bytes - expected(small, store).bytes == 2 * 100 * 40
    assert expected(replace(small, seeds=3), store).bytes == 3 * expected(small, store).bytes
