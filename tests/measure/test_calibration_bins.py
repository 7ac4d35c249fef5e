import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crossover.data.bad_input import BadInput
from crossover.measure.calibration_bins import BinnedOutcomes, EqualMassBins, check_event

probabilities = arrays(
    np.float64,
    st.integers(6, 80),
    elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.99, 1.0]) | st.floats(0, 1),
)


@given(probabilities, st.integers(1, 20))
def test_every_row_is_in_one_bin_and_bins_ascend(p, bins):
    found = EqualMassBins.of(p, bins)
    assert found.n.sum() == len(p)
    assert len(found.n) <= bins
    assert (found.n >= 3).all()
    highest = [p[found.index == b].max() for b in range(len(found.n))]
    lowest = [p[found.index == b].min() for b in range(len(found.n))]
    assert all(a < b for a, b in zip(highest[:-1], lowest[1:], strict=True))


@given(probabilities, st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(p, bins, random):
    order = list(range(len(p)))
    random.shuffle(order)
    assert EqualMassBins.of(p, bins).index[order].tolist() == EqualMassBins.of(p[order], bins).index.tolist()


def test_bins_without_ties_hold_equal_numbers():
    p = np.random.default_rng(0).random(150)
    assert EqualMassBins.of(p, 15).n.tolist() == [10] * 15
    assert sorted(EqualMassBins.of(p, 7).n.tolist()) == [21, 21, 21, 21, 22, 22, 22]


def test_confidence_of_exactly_one_is_in_the_last_bin():
    p = np.concatenate([np.linspace(0.5, 0.999, 40), np.ones(4)])
    found = EqualMassBins.of(p, 10)
    assert set(found.index[p == 1.0]) == {len(found.n) - 1}
    everyone = EqualMassBins.of(np.ones(30), 10)
    assert everyone.n.tolist() == [30]
    assert everyone.mean.tolist() == [1.0]


def test_a_value_of_many_rows_is_a_bin_of_its_own():
    p = np.concatenate([np.zeros(80), np.linspace(0.1, 0.9, 20)])
    found = EqualMassBins.of(p, 10)
    assert found.n[0] == 80
    assert found.mean[0] == 0.0
    middle = np.concatenate([np.linspace(0, 0.4, 30), np.full(60, 0.5), np.linspace(0.6, 1.0, 30)])
    bins = EqualMassBins.of(middle, 8)
    assert 60 in bins.n.tolist()


def brute(p, outcomes, index):
    """Debiased square, resolution and uncertainty by pairs of rows, slowly."""
    rows, error, spread = len(p), 0.0, 0.0
    for b in np.unique(index):
        inside = np.flatnonzero(index == b)
        pairs = [(i, j) for i in inside for j in inside if i != j]
        error += sum((outcomes[i] - p[i]) * (outcomes[j] - p[j]) for i, j in pairs) / (len(inside) - 1)
        spread += sum(outcomes[i] * outcomes[j] for i, j in pairs) / (len(inside) - 1)
    anyone = [(i, j) for i in range(rows) for j in range(rows) if i != j]
    both = sum(outcomes[i] * outcomes[j] for i, j in anyone) / len(anyone)
    return error / rows, spread / rows - both, outcomes.mean() - both


def test_sums_are_those_over_pairs_of_rows_with_one_left_out_too():
    generator = np.random.default_rng(3)
    p = generator.random(24)
    outcomes = (generator.random(24) < p).astype(float)
    bins = EqualMassBins.of(p, 4)
    sums = BinnedOutcomes.of(bins, outcomes)
    slow = brute(p, outcomes, bins.index)
    assert (sums.debiased_square, sums.resolution, sums.uncertainty) == pytest.approx(slow)
    assert sums.mean_square == pytest.approx(((outcomes - p) ** 2).mean())
    left = sums.without_each_row()
    for row in (0, 7, 23):
        kept = np.arange(24) != row
        assert [values[row] for values in left] == pytest.approx(
            brute(p[kept], outcomes[kept], bins.index[kept])
        )


def test_many_sets_of_outcomes_are_summed_as_one_by_one():
    generator = np.random.default_rng(4)
    p = generator.random(50)
    sets = (generator.random((50, 6)) < 0.4).astype(float)
    bins = EqualMassBins.of(p, 5)
    together = BinnedOutcomes.of(bins, sets)
    for s in range(6):
        alone = BinnedOutcomes.of(bins, sets[:, s])
        for name in ("absolute_error", "debiased_square", "resolution", "uncertainty", "mean_square"):
            assert getattr(together, name)[s] == pytest.approx(getattr(alone, name), abs=1e-15)
        assert together.frequency[:, s] == pytest.approx(alone.frequency)


def test_the_bias_correction_is_ferro_and_frickers_where_a_bin_holds_one_probability():
    # Ferro and Fricker (2012), eq. 8: REL - 1/N sum f(1-f) n/(n-1), and RES, UNC alike
    p = np.repeat([0.1, 0.5, 0.8], [20, 30, 50])
    outcomes = np.concatenate([np.arange(20) < 4, np.arange(30) < 12, np.arange(50) < 45]).astype(float)
    n, f, q = np.array([20, 30, 50]), np.array([0.2, 0.4, 0.9]), np.array([0.1, 0.5, 0.8])
    within = (n / (n - 1) * f * (1 - f)).sum() / 100
    mean = outcomes.mean()
    overall = mean * (1 - mean) / 99
    sums = BinnedOutcomes.of(EqualMassBins.of(p, 3), outcomes)
    assert sums.frequency == pytest.approx(f)
    assert sums.debiased_square == pytest.approx((n * (f - q) ** 2).sum() / 100 - within)
    assert sums.resolution == pytest.approx((n * (f - mean) ** 2).sum() / 100 - within + overall)
    assert sums.uncertainty == pytest.approx(mean * (1 - mean) + overall)
    # and so they add up to the Brier score without a remainder
    assert sums.debiased_square - sums.resolution + sums.uncertainty == pytest.approx(
        ((p - outcomes) ** 2).mean()
    )


@pytest.mark.parametrize(
    ("p", "outcomes", "said"),
    [
        (np.array([0.5, 0.5]), np.array([0, 1]), "2 rows"),
        (np.array([0.5, 0.2, 1.2]), np.array([0, 1, 1]), "row 2: 1.2"),
        (np.array([0.5, np.nan, 0.2]), np.array([0, 1, 1]), "row 1: nan"),
        (np.array([0.5, 0.1, 0.2]), np.array([0, 1]), "shape"),
    ],
)
def test_what_is_no_probability_is_refused_by_row(p, outcomes, said):
    with pytest.raises(BadInput, match=said):
        check_event(p, outcomes)
