import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.measure.calibration_null import (
    check_probabilities,
    null_p,
    null_score,
    observed_and_simulated,
    one_row_a_cluster,
    simulate_labels,
)
from crossover.measure.score import Score


@pytest.mark.parametrize("classes", [2, 5, 30])
def test_labels_are_drawn_from_each_rows_own_probabilities(classes):
    generator = np.random.default_rng(0)
    p = generator.dirichlet(np.ones(classes), 6)
    labels = simulate_labels(p, 40_000, generator)
    shares = np.stack([(labels == k).mean(axis=1) for k in range(classes)], axis=1)
    assert np.abs(shares - p).max() < 4.5 * 0.5 / np.sqrt(40_000)


def test_a_class_of_probability_0_is_never_drawn():
    p = np.array([[0.3, 0.7, 0.0], [0.0, 1.0, 0.0], [0.0, 0.1 + 0.2, 0.7]])
    labels = simulate_labels(p.astype(np.float32).astype(float), 100_000, np.random.default_rng(0))
    assert (labels[0] < 2).all()
    assert (labels[1] == 1).all()
    assert (labels[2] > 0).all()


def test_copies_in_a_cluster_get_one_label_and_keep_their_probabilities():
    p = np.array([[0.6, 0.4], [0.6, 0.4], [0.2, 0.8], [0.6, 0.4]])
    labels = simulate_labels(p, 20_000, np.random.default_rng(0), np.array([7, 7, 7, 9]))
    assert (labels[0] == labels[1]).all()
    assert (labels == 0).mean(axis=1) == pytest.approx([0.6, 0.6, 0.2, 0.6], abs=0.015)
    assert 0.4 < (labels[0] == labels[3]).mean() < 0.6
    assert (labels[2][labels[0] == 1] == 1).all()  # the strongest dependence there is


def test_one_row_of_every_cluster_is_kept_whichever_it_is():
    clusters = np.array([0, 0, 0, 1, 2, 2])
    seen = {tuple(one_row_a_cluster(clusters, seed).tolist()) for seed in range(60)}
    assert all(len({*clusters[list(rows)]}) == len(rows) == 3 for rows in seen)
    assert len(seen) == 6
    assert (one_row_a_cluster(clusters, 3) == one_row_a_cluster(clusters, 3)).all()


def test_blocks_of_simulations_are_one_run(monkeypatch):
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 50)
    gold = np.arange(50) % 3
    statistic = lambda labels: {"share": (labels == 0).mean(axis=0)}  # noqa: E731
    whole = observed_and_simulated(p, gold, statistic, 99)["share"]
    monkeypatch.setattr("crossover.measure.calibration_null._BLOCK", 50 * 20)
    parts = observed_and_simulated(p, gold, statistic, 99)["share"]
    assert len(whole) == len(parts) == 100
    assert whole[0] == parts[0] == 17 / 50
    assert parts[1:].mean() == pytest.approx(p[:, 0].mean(), abs=0.03)


def test_p_counts_ties_as_at_least_as_extreme():
    simulated = np.array([1.0, 2.0, 2.0, 3.0])
    assert null_p(2.0, simulated) == 4 / 5
    assert null_p(3.5, simulated) == 1 / 5
    assert null_p(3.5, simulated, two_sided=True) == 2 / 5
    assert null_p(2.0, simulated, two_sided=True) == 1.0


def test_the_band_of_an_error_begins_at_the_least_and_that_of_a_loss_is_central():
    simulated = np.arange(1.0, 1001.0)
    score = Score("x", 5.0, None, None, 10, "")
    error, loss = null_score(score, simulated), null_score(score, simulated, two_sided=True)
    assert (error.null_low, error.null_high) == (1.0, pytest.approx(950.05))
    assert (loss.null_low, loss.null_high) == (pytest.approx(25.975), pytest.approx(975.025))
    assert error.null_mean == 500.5
    nothing = null_score(Score("x", None, None, None, 0, "why"), simulated)
    assert nothing.null_high is None and nothing.p_value is None
    assert nothing.to_json()["method"] == "why"


@pytest.mark.parametrize(
    ("p", "gold", "said"),
    [
        ([[0.5, 0.4], [0.5, 0.5]], [0, 0], "row 0"),
        ([[0.5, 0.5], [1.5, -0.5]], [0, 0], "row 1"),
        ([[0.5, 0.5], [np.nan, 1.0]], [0, 0], "row 1"),
        ([[0.5, 0.5], [0.1, 0.9]], [0, 2], "row 1: gold column 2"),
        ([[0.5, 0.5], [0.1, 0.9]], [0], "expected one each"),
        ([[1.0], [1.0]], [0, 0], "at least 2 classes"),
    ],
)
def test_what_is_no_probability_is_refused_by_row(p, gold, said):
    with pytest.raises(BadInput, match=said):
        check_probabilities(np.array(p), np.array(gold))
