"""Runs of a store as tables: filtered, failures with their command, what a study needs, two side by side."""

import csv
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from toy import bayes, logistic, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.launch.in_process import InProcess
from crossover.protocol.run_spec import RunSpec, Seeds
from crossover.record.store import Failure, Store
from crossover.report.runs_list import Filter, failures_table, runs_list
from crossover.report.runs_listing import listing, pair, write_csv
from crossover.report.tables import Table, to_csv
from crossover.split.nested_subsets import Subset
from crossover.study.plan import needs, save_plan


def column(table: Table, title: str) -> list[object]:
    (k,) = [k for k, column in enumerate(table.columns) if column.title == title]
    return [row[k] for row in table.rows]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory):
    """A store of four runs and one failure, and the specs."""
    store, corpus, split = toy_store(tmp_path_factory.mktemp("filled"), 200)
    one = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 30, 0))
    specs = [
        one,
        replace(one, subset=Subset("natural", 40, 1), seeds=Seeds(4, 5)),
        replace(one, model=logistic()),
        replace(one, subset=None),
    ]
    for spec in specs:
        experiment.run(spec, store)
    bad = replace(one, subset=Subset("natural", 9000, 0))
    for _ in range(2):
        list(InProcess().launch([bad], store))
    return store, specs, bad


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Filter(), {0, 1, 2, 3}),
        (Filter(model="naive_bayes"), {0, 1, 3}),
        (Filter(size="40"), {1}),
        (Filter(size="all"), {3}),
        (Filter(corpus="toy", model="logistic_regression"), {2}),
        (Filter(corpus="another"), set()),
    ],
    ids=str,
)
def test_a_filter_keeps_the_runs_it_names(wanted: Filter, kept: set[int], filled) -> None:
    store, specs, _ = filled
    table = runs_list(store.plain_runs(), wanted)
    assert set(column(table, "run")) == {specs[k].digest for k in kept}
    assert table.note.startswith(f"{len(kept)} of 4 finished runs")


def test_a_corpus_is_named_by_its_fingerprint_too(filled) -> None:
    store, specs, _ = filled
    assert len(runs_list(store.plain_runs(), Filter(corpus=specs[0].corpus[:6])).rows) == 4


def test_the_score_shown_is_the_metric_of_record_or_the_one_asked_for(filled) -> None:
    store, specs, _ = filled
    record = store.run(specs[2].digest)
    for metric in (None, "accuracy"):
        table = runs_list(store.plain_runs(), Filter(model="logistic_regression", metric=metric))
        score = record.scores[metric or "macro_f1"]
        assert column(table, "value") == [score.value]
        assert column(table, "interval") == [(score.low, score.high)]
    assert column(table, "environment") == [record.environment["fingerprint"]]


def test_a_metric_or_size_that_cannot_be_is_refused_with_what_there_is() -> None:
    with pytest.raises(BadInput, match="macro_f1"):
        Filter(metric="f1")
    with pytest.raises(BadInput, match="expected a number of training rows"):
        Filter(size="many")


def test_a_failure_is_listed_with_its_last_error_and_how_often_it_failed(filled) -> None:
    store, _, bad = filled
    (table,) = listing(store, Filter(), failed=True)
    assert column(table, "run") == [bad.digest] and column(table, "times") == [2]
    assert "9000 training rows were asked" in str(column(table, "error")[0])


def test_a_failed_run_is_run_again_by_its_own_command_else_by_that_of_a_study_that_wants_it() -> None:
    spec = RunSpec("c" * 16, "d" * 16, bayes())
    own, none = Failure(spec, "error", 1, "its own"), Failure(spec, "error", 1)
    for failure, commands, said in (
        (own, {spec.digest: "the study's"}, "its own"),
        (none, {spec.digest: "the study's"}, "the study's"),
        (none, {}, "the command it came from"),
    ):
        assert column(failures_table([failure], Filter(), commands), "again with") == [said]


def test_a_study_says_what_is_finished_failed_and_missing_and_how_to_go_on(filled, tmp_path: Path) -> None:
    store, specs, bad = filled
    never = replace(specs[0], seeds=Seeds(99, 99))
    save_plan(store, "compare-1", [*specs[:2], bad, never], 5, "python scripts/study.py study=compare")
    found = needs(store, "compare")
    assert found.sentence == (
        "compare-1: 2 of 4 runs finished, 1 failed, 1 missing, 5 decided later; "
        "go on with: python scripts/study.py study=compare"
    )
    runs, failures, missing = listing(store, Filter(), study="compare-1")
    assert set(column(runs, "run")) == {spec.digest for spec in specs[:2]}
    assert column(failures, "run") == [bad.digest]
    assert column(missing, "run") == [never.digest] and found.sentence in missing.note
    save_plan(store, "compare-1", specs[:2], 0, "python scripts/study.py study=compare")
    assert needs(store, "comp").sentence == "compare-1: 2 of 2 runs finished"


def test_a_study_that_is_not_there_is_refused_with_those_that_are(filled) -> None:
    store, specs, _ = filled
    save_plan(store, "twin-1", specs, 0, "")
    save_plan(store, "twin-2", specs, 0, "")
    with pytest.raises(BadInput, match=r"no study.*twin-1"):
        needs(store, "nothing")
    with pytest.raises(BadInput, match="2 studies"):
        needs(store, "twin")


def test_two_runs_are_compared_where_their_specs_differ_and_paired_on_their_test_rows(filled) -> None:
    store, specs, _ = filled
    differ, scores, costs, *_ = pair(store, specs[0].digest[:8], specs[2].digest[:8])
    assert "model.target" in column(differ, "setting") and "corpus" not in column(differ, "setting")
    one, other = (store.run(specs[k].digest).scores["accuracy"].value for k in (0, 2))
    row = dict(zip(column(scores, "score"), scores.rows, strict=True))["accuracy"]
    assert row[1:4] == (one, other, pytest.approx(one - other))
    assert row[4][0] < one - other < row[4][1]
    assert "fit_seconds" in column(costs, "cost")


def test_runs_on_other_test_rows_are_not_paired_and_that_is_said(filled) -> None:
    store, specs, _ = filled
    capped = experiment.run(replace(specs[0], test_rows=20, seeds=Seeds(7, 7)), store)
    scores = pair(store, specs[0].digest, capped.digest)[1]
    assert scores.note.startswith("not paired: ") and scores.rows[0][3] is None


def test_the_csv_has_every_row_in_full_and_no_cell_a_spreadsheet_would_run(tmp_path: Path) -> None:
    spec = RunSpec("c" * 16, "d" * 16, bayes(), Subset("natural", 30, 0))
    evil = Failure(spec, '=HYPERLINK("http://x","y")', 1, f"+{spec.digest}")
    table = failures_table([evil], Filter(), {})
    (row,) = csv.DictReader(io.StringIO(to_csv(table)))
    assert row["error"].startswith("'=") and row["again with"].startswith("'+")
    assert row["n"] == "30" and row["run"] == spec.digest
    assert write_csv(table, str(tmp_path / "x.csv")) is False
    assert (tmp_path / "x.csv").read_bytes().decode() == to_csv(table)


def many(folder: Path, count: int) -> Store:
    """A store of so many records that differ in their seeds, without predictions."""
    store, corpus, split = toy_store(folder, 120)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, bayes(), Subset("natural", 30, 0))
    plain = experiment.run(spec, store).to_json()
    for k in range(1, count):
        one = replace(spec, seeds=Seeds(k, k))
        (store.root / "runs" / one.digest).mkdir()
        text = json.dumps({**plain, "spec": one.to_json(), "digest": one.digest}, indent=1)
        (store.root / "runs" / one.digest / "record.json").write_text(text)
    return store


def test_a_thousand_records_are_listed_in_a_tenth_of_what_ten_thousand_may_take(tmp_path: Path) -> None:
    """Processor time, which a busy machine does not stretch; 10,000 may take 3 s."""
    store = many(tmp_path, 1000)
    took = []
    for _ in range(3):
        began = time.process_time()
        table = runs_list(store.plain_runs(), Filter())
        took.append(time.process_time() - began)
    assert len(table.rows) == 1000
    assert min(took) < 0.3
