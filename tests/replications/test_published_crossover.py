"""Crossovers of the per-draw scores that Tunstall et al. (2022) published: what is shown, what is not.

Fine-tuned RoBERTa-large minus the frozen probe, accuracy points, ten draws, 8 and 64 rows a class. The
probe stands on another encoder (MPNet), so method and encoder are confounded: a verdict must say so.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from crossover.measure.crossing import SizeEvidence, find_crossing
from crossover.measure.interval import clopper_pearson
from crossover.measure.paired import equivalence_over_draws
from crossover.measure.two_way import paired_mean

EXPENSIVE, CHEAP = "finetune-roberta-large", "probe-mpnet"
CR, NEWS, EMOTION = "SentEval-CR", "ag_news", "emotion"
SIZES = (8, 64)
PUBLISHED = {  # (data set, rows a class): mean difference and its standard error
    (CR, 8): (-25.42, 2.01),
    (NEWS, 8): (7.36, 1.13),
    (EMOTION, 8): (-9.05, 2.02),
    (CR, 64): (0.72, 0.56),
    (NEWS, 64): (4.03, 0.26),
    (EMOTION, 64): (14.18, 5.93),
}


@pytest.fixture(scope="module")
def scores(data_folder: Path) -> dict[tuple[str, str, int], np.ndarray]:
    """(data set, method, rows a class) -> accuracy in points of draws 0 to 9."""
    table = pq.read_table(data_folder / "setfit_scores.parquet")
    assert len(table) == 670
    found: dict[tuple[str, str, int], dict[int, float]] = {}
    for row in table.to_pylist():
        if row["n_per_class"].isdigit() and row["measure"] == "accuracy":
            key = (row["dataset"], row["method"], int(row["n_per_class"]))
            found.setdefault(key, {})[int(row["draw"])] = row["score"]
    return {key: np.array([draws[k] for k in range(10)]) for key, draws in found.items() if len(draws) == 10}


@pytest.fixture(scope="module")
def differences(scores) -> dict[tuple[str, int], np.ndarray]:
    return {
        (name, size): scores[name, EXPENSIVE, size] - scores[name, CHEAP, size] for name, size in PUBLISHED
    }


def evidence(differences, name):
    """Published scores have draws and no test rows: each counts as two equal rows, of no row variance."""
    return [SizeEvidence(size, np.tile(differences[name, size][:, None], 2)) for size in SIZES]


@pytest.mark.parametrize(("name", "size"), PUBLISHED)
def test_differences_paired_by_draw_are_the_published_ones(differences, name, size):
    mean, error = PUBLISHED[name, size]
    d = differences[name, size]
    tested = equivalence_over_draws(d, margin=1.0, alpha=0.025)  # alpha .025: a 95% interval
    oracle = stats.ttest_1samp(d, 0.0)
    assert round(tested.mean, 2) == mean
    assert round(float(stats.sem(d)), 2) == error
    assert (tested.low, tested.high) == pytest.approx(tuple(oracle.confidence_interval(0.95)))


@pytest.mark.parametrize(("name", "size"), PUBLISHED)
def test_without_test_rows_the_two_way_variance_is_a_t_over_draws(differences, name, size):
    d = differences[name, size]
    found = paired_mean(np.tile(d[:, None], 2))
    assert (found.se, found.df) == pytest.approx((float(stats.sem(d)), 9.0))
    expected = stats.ttest_1samp(d, 0.0).confidence_interval(0.95)
    assert found.interval() == pytest.approx(tuple(expected))


def test_on_customer_reviews_the_sign_changes_but_the_lead_at_64_is_unresolved(differences):
    d = differences[CR, 64]
    tested = equivalence_over_draws(d, margin=1.0, alpha=0.025)
    assert (round(tested.low, 2), round(tested.high, 2)) == (-0.55, 1.99)
    assert stats.wilcoxon(d).pvalue > 0.05
    # Nor is it shown to be no difference: within two points it is, within one it is not.
    assert not equivalence_over_draws(d, margin=1.0).equivalent
    assert equivalence_over_draws(d, margin=2.0).equivalent
    for named_ends in (False, True):
        crossing = find_crossing(evidence(differences, CR), named_ends=named_ends)
        assert crossing.kind == "not_resolved"
        assert len(crossing.roots) == 1 and 8 < crossing.roots[0] < 64
        (piece,) = crossing.pieces
        assert piece.high_open and not piece.low_open and not crossing.bounded


def test_on_emotion_one_failed_run_decides_between_crossing_and_not(differences):
    d = differences[EMOTION, 64]
    low, high = stats.ttest_1samp(d, 0.0).confidence_interval(0.95)
    assert (round(low, 2), round(high, 1)) == (0.77, 27.6)
    assert round(float(stats.wilcoxon(d).pvalue), 3) == 0.084
    assert (
        round(float(d.min()), 1) == pytest.approx(-38.9, abs=0.051) and (np.delete(d, d.argmin()) > 17).all()
    )
    # The t interval excludes 0, and so do two ends named beforehand; the simultaneous band does not.
    assert find_crossing(evidence(differences, EMOTION), named_ends=True).kind == "starts_paying"
    crossing = find_crossing(evidence(differences, EMOTION))
    assert crossing.kind == "not_resolved" and crossing.bounded
    # Every draw but that one agrees: without it nothing is in doubt.
    kept = np.arange(10) != d.argmin()
    rest = [SizeEvidence(at.size, at.differences[kept]) for at in evidence(differences, EMOTION)]
    assert find_crossing(rest).kind == "starts_paying"


def test_on_news_the_fine_tuned_model_is_ahead_at_the_smallest_size(differences):
    crossing = find_crossing(evidence(differences, NEWS))
    assert crossing.kind == "pays_throughout"
    assert not crossing.roots and not crossing.pieces
    assert differences[NEWS, 8].min() > 0


def test_a_mean_hides_the_failed_runs_of_fine_tuning(scores):
    tuned, probe = scores[EMOTION, EXPENSIVE, 64], scores[EMOTION, CHEAP, 64]
    assert round(float(tuned.std(ddof=1)), 1) == 18.2
    assert float(probe.std(ddof=1)) < 2
    assert float(np.median(tuned)) == pytest.approx(70.2, abs=0.05)
    assert float(stats.trim_mean(tuned, 0.25)) == pytest.approx(70.2, abs=0.05)
    assert float(tuned.mean()) < float(np.delete(tuned, tuned.argmin()).min())
    # A failure is a run no better than one of six classes at random.
    failed = int((tuned <= 100 / 6).sum())
    low, high = clopper_pearson(failed, len(tuned))
    assert failed == 1
    assert (float(low), float(high)) == pytest.approx((0.0025, 0.4450), abs=5e-4)


def test_the_release_has_no_probe_between_the_two_sizes(scores):
    assert sorted(size for name, method, size in scores if (name, method) == (CR, CHEAP)) == list(SIZES)
    assert sorted(size for name, method, size in scores if (name, method) == (CR, EXPENSIVE)) == [
        2, 4, 8, 16, 32, 64,
    ]  # fmt: skip
