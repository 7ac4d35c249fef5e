"""Running a study: batches, failures, resuming, and one look at the test a study."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from handmade import handmade
from toy import bayes, logistic, toy_store

from crossover.launch.in_process import InProcess
from crossover.launch.launcher import Outcome
from crossover.protocol.run_spec import RunSpec
from crossover.record import ledger
from crossover.record.store import Store
from crossover.study.compare import CompareStudy
from crossover.study.crossover import CrossoverStudy
from crossover.study.study import run, study_name

ARMS = {"plain": bayes(), "rich": logistic()}


@dataclass
class ByHand:
    """A launcher that answers by hand and keeps a real (cheap) record in the store."""

    study: object
    fails: Callable[[RunSpec], bool] = lambda spec: False
    stops_after: int = 10**9
    asked: list[list[str]] = field(default_factory=list)

    @property
    def everything(self) -> list[str]:
        return [digest for batch in self.asked for digest in batch]

    def launch(self, specs: Sequence[RunSpec], store: Store) -> Iterator[Outcome]:
        self.asked.append([spec.digest for spec in specs])
        for spec in reversed(specs):
            if self.stops_after == 0:
                raise KeyboardInterrupt
            self.stops_after -= 1
            if self.fails(spec):
                store.save_failure(spec.digest, {"error": "it broke"})
                yield Outcome(spec, error="it broke")
                continue
            yield Outcome(spec, kept(self.study, spec, store))


def kept(study, spec: RunSpec, store: Store):
    made = handmade(study.corpus, study.split, spec, lead)
    predictions = made.predictions.to_parquet()
    object.__setattr__(made, "predictions_sha256", hashlib.sha256(predictions).hexdigest())
    return store.commit_run(made, predictions)


def lead(model: str, size: int) -> float:
    return 0.7 + (0.08 if model == "logistic_regression" else 0.0) * (1 if size < 50 else -1)


def compare(folder: Path) -> tuple[CompareStudy, Store]:
    store, corpus, split = toy_store(folder)
    return CompareStudy(corpus, split, ARMS, metric="accuracy"), store


def crossing(folder: Path, draws: int = 2) -> tuple[CrossoverStudy, Store]:
    store, corpus, split = toy_store(folder)
    sizes = (20, 40, 60)
    return CrossoverStudy(corpus, split, ARMS, "plain", "rich", sizes, draws=draws, metric="accuracy"), store


def test_batches_follow_one_another_until_nothing_is_added(tmp_path: Path) -> None:
    study, store = crossing(tmp_path)
    launcher, told, ended = ByHand(study), [], []
    result = run(study, launcher, store, lambda new, kept: told.append((new, kept)), ended.append)
    assert [len(batch) for batch in launcher.asked] == [12, 12]
    assert told == [(12, 0), (12, 12), (0, 24)]
    assert len(ended) == 24 and result.failures == ()
    assert set(result.records) == set(launcher.everything) == set(result.verdict.runs)
    assert result.name == study_name(study) and result.verdict == study.conclude(result.records)


def test_a_run_that_fails_is_not_tried_twice_and_is_handed_back(tmp_path: Path) -> None:
    study, store = crossing(tmp_path)
    launcher = ByHand(study, lambda spec: spec.subset.draw == 1 and spec.model == ARMS["rich"])
    told: list[tuple[int, int]] = []
    result = run(study, launcher, store, lambda new, kept: told.append((new, kept)))
    asked = launcher.everything
    assert len(asked) == len(set(asked)) == 24
    assert told == [(12, 0), (12, 9), (0, 21)], "a failed run is neither new nor kept"
    assert len(result.failures) == 3 and all(f.error == "it broke" for f in result.failures)
    assert len(result.records) == 21 and not set(result.records) & {f.spec.digest for f in result.failures}
    assert "rich: 3 of 12 runs did not finish; their draws are left out" in result.verdict.flags


def test_a_study_whose_runs_all_fail_still_ends_and_looks_at_no_test_score(tmp_path: Path) -> None:
    study, store = crossing(tmp_path)
    result = run(study, ByHand(study, lambda spec: True), store)
    assert len(result.failures) == 12 and result.records == {}
    assert "nothing can be said" in result.verdict.sentence
    assert ledger.looks(store.root, study.split.test_fingerprint) == 0


def test_a_killed_study_resumes_with_what_is_missing_only(tmp_path: Path) -> None:
    study, store = crossing(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(study, ByHand(study, stops_after=5), store)
    held = {record.digest for record in store.runs()}
    assert len(held) == 5 and ledger.looks(store.root, study.split.test_fingerprint) == 0
    launcher, told = ByHand(study), []
    resumed = run(study, launcher, store, lambda new, kept: told.append((new, kept)))
    assert told == [(7, 5), (12, 12), (0, 24)]
    assert not held & set(launcher.everything)
    whole, fresh = crossing(tmp_path / "other")
    uncut = run(whole, ByHand(whole), fresh)
    assert resumed.verdict == uncut.verdict, "the same answer as if nothing had happened"


def test_a_failed_run_is_tried_again_on_the_next_call(tmp_path: Path) -> None:
    study, store = compare(tmp_path)
    first = run(study, ByHand(study, lambda spec: spec.model == ARMS["rich"]), store)
    assert len(first.failures) == 3 and first.verdict.kind == "too_few_arms"
    launcher = ByHand(study)
    second = run(study, launcher, store)
    assert set(launcher.asked[0]) == {f.spec.digest for f in first.failures}
    assert second.failures == () and second.verdict.kind == "resolved"


def test_a_study_counts_as_one_look_however_often_it_is_resumed(tmp_path: Path) -> None:
    study, store = compare(tmp_path)
    test = study.split.test_fingerprint
    verdict = run(study, ByHand(study), store).verdict
    assert ledger.looks(store.root, test) == 1
    run(study, ByHand(study), store)
    assert ledger.looks(store.root, test) == 1
    assert ledger.read_looks(store.root, test) == [{"who": study_name(study), "what": verdict.sentence}]
    other, _ = crossing(tmp_path)
    run(other, ByHand(other), store)
    assert ledger.looks(store.root, test) == 2, "another question of the same test rows is another look"


def test_runs_of_another_study_are_kept_and_not_concluded_from(tmp_path: Path) -> None:
    study, store = crossing(tmp_path)
    small = run(study, ByHand(study), store)
    larger, _ = crossing(tmp_path, draws=4)
    told: list[tuple[int, int]] = []
    result = run(larger, ByHand(larger), store, lambda new, kept: told.append((new, kept)))
    assert told == [(0, 12), (12, 24), (0, 36)]
    assert set(small.records) < set(result.records)
    again = run(study, ByHand(study), store)
    assert set(again.records) == set(small.records), "its own runs, though the store holds more"


def test_a_study_runs_for_real_in_this_process(tmp_path: Path) -> None:
    study, store = compare(tmp_path)
    result = run(study, InProcess(threads=1), store)
    assert len(result.records) == 6 and result.failures == ()
    assert {r.path.parent for r in result.records.values()} == {store.root / "runs"}
    assert "On toy" in result.verdict.sentence
