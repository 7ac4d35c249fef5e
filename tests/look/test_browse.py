"""The rows that are shown are those that were meant, and the random ones are a fair sample."""

import numpy as np
import pytest

from crossover.look.browse import FEW_COPIES, Said, browse, evidence_rows, parted
from crossover.look.finding import Finding

NO_ODD = np.zeros(1_000)
LENGTHS = np.full(1_000, 10)


def said(right: list[float], rows: list[int] | None = None) -> Said:
    """Two classes, the right one always the first, with these probabilities."""
    p = np.array(right)
    return Said(np.array(rows or range(len(p))), np.zeros(len(p), np.int64), np.column_stack([p, 1 - p]))


def kind(browsed, name: str) -> list[int]:
    return [row for row in browsed.rows if name in browsed.kinds[row]]


def test_all_rows_are_shown_once_where_there_are_few() -> None:
    browsed = browse(LENGTHS[:30], NO_ODD[:30], {}, {}, rows=2_000)
    assert sorted(browsed.rows) == list(range(30))


def test_the_page_is_filled_up_to_its_rows_and_no_further() -> None:
    browsed = browse(LENGTHS, NO_ODD, {}, {}, rows=400, each=20)
    assert len(set(browsed.rows)) == len(browsed.rows) == 400
    assert browsed.drawn == len(kind(browsed, "random")) == 20
    assert kind(browsed, "random") == list(browsed.rows[:20]), "what to read first stands first"


def test_each_kind_holds_what_it_says() -> None:
    lengths = np.arange(1_000)
    odd = np.where(np.arange(1_000) == 77, 9.0, 1.0)
    copies = {5: "a", 6: "a", 7: "a", 8: "b", 9: "b"}
    browsed = browse(lengths, odd, copies, {3: ("blank-texts",)}, rows=100, each=4)
    assert set(kind(browsed, "longest")) == {999, 998, 997, 996}
    assert 77 in kind(browsed, "oddest")
    assert set(kind(browsed, "duplicate")) == {5, 6, 7, 8}
    assert kind(browsed, "finding") == [3] and browsed.codes[3] == ("blank-texts",)


def test_of_one_giant_cluster_only_a_few_rows_are_shown_as_copies() -> None:
    copies = dict.fromkeys(range(500), "giant") | {row: f"pair{row // 2}" for row in range(500, 520)}
    browsed = browse(LENGTHS, NO_ODD, copies, {}, rows=200, each=10)
    shown = kind(browsed, "duplicate")
    assert len(shown) == 10 and sum(row < 500 for row in shown) == FEW_COPIES


def test_with_a_model_the_worst_and_the_undecided_are_shown() -> None:
    one = said([0.9, 0.01, 0.52, 0.99, 0.2, 0.49])
    browsed = browse(LENGTHS, NO_ODD, {}, {}, one, rows=50, each=2)
    assert set(kind(browsed, "worst")) == {1, 4}
    assert set(kind(browsed, "boundary")) == {5, 2}
    assert one.loss[1] == pytest.approx(-np.log(0.01)) and one.margin[2] == pytest.approx(0.04)


def test_two_models_part_first_where_only_one_is_right() -> None:
    one, other = said([0.9, 0.6, 0.99, 0.2], [10, 11, 12, 13]), said([0.6, 0.4, 0.98, 0.1], [10, 11, 12, 13])
    both = parted(one, other)
    assert both.difference == pytest.approx([0.3, 0.2, 0.01, 0.1])
    assert both.one_right.tolist() == [False, True, False, False]
    browsed = browse(LENGTHS, NO_ODD, {}, {}, one, both, rows=50, each=2)
    assert set(kind(browsed, "disagreed")) == {11, 10}
    assert parted(one, said([0.5], [12])).rows.tolist() == [12], "only rows both speak of"


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    assert np.isfinite(said([0.0]).loss).all()


def test_the_random_rows_are_a_uniform_sample_whatever_else_is_shown() -> None:
    """Over 400 seeds each of 50 rows is drawn about equally often, odd, long and copied ones included."""
    counts = np.zeros(50)
    copies = dict.fromkeys(range(10), "a")
    for seed in range(400):
        browsed = browse(np.arange(50), np.arange(50.0), copies, {}, rows=50, each=10, seed=seed)
        counts[kind(browsed, "random")] += 1
    expected = 400 * 10 / 50
    assert ((counts - expected) ** 2 / expected).sum() / (1 - 0.2) < 85.4, "chi-square, 49 df, P = .001"


def test_the_same_seed_gives_the_same_rows() -> None:
    first, again = (browse(LENGTHS, NO_ODD, {}, {}, rows=100, seed=3) for _ in range(2))
    assert first.rows == again.rows
    assert first.rows != browse(LENGTHS, NO_ODD, {}, {}, rows=100, seed=4).rows


def test_evidence_is_found_by_id_where_findings_keep_ids() -> None:
    findings = [
        Finding("blank-texts", "warning", "t", {"rows": 2, "first": ["a", "b"]}),
        Finding("label-conflict-exact", "warning", "t", {"first": {"b": ["ham", "spam"]}}),
        Finding("giant-cluster", "warning", "t", {"cluster": "c", "label": "a"}),
    ]
    codes = evidence_rows(findings, {"a": 0, "b": 1, "c": 2, "2": 3})
    assert codes == {0: ("blank-texts",), 1: ("blank-texts", "label-conflict-exact"), 2: ("giant-cluster",)}
