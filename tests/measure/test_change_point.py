"""Change point: the Kolmogorov-Smirnov statistic of SciPy, its level, and where the change lies."""

import numpy as np
from scipy import stats

from crossover.measure.change_point import changes, shares_below


def moments(n: int) -> np.ndarray:
    return np.arange(n).astype("datetime64[s]")


def test_zeros_and_ones_give_the_two_sample_kolmogorov_smirnov_test() -> None:
    draw = np.random.default_rng(0)
    ones = (draw.random(400) < np.where(np.arange(400) < 250, 0.3, 0.5)).astype(float)
    found = changes(ones[:, None], moments(400))
    there, gone = np.flatnonzero(ones == 1), np.flatnonzero(ones == 0)
    distance = stats.ks_2samp(there, gone).statistic
    effective = np.sqrt(len(there) * len(gone) / 400)
    assert np.isclose(found.p[0], stats.kstwobign.sf(distance * effective))


def test_a_step_is_found_where_it_is_with_its_means() -> None:
    column = np.repeat([0.0, 1.0], [60, 40])
    found = changes(np.column_stack([column, np.ones(100)]), moments(100))
    assert found.moment[0] == np.datetime64(60, "s")
    assert (found.before[0], found.after[0]) == (0.0, 1.0) and found.p[0] < 1e-15
    assert found.p[1] == 1 and np.isnat(found.moment[1])


def test_rows_of_one_moment_are_never_cut_apart() -> None:
    days = np.repeat([0, 1], [50, 50]).astype("datetime64[s]")
    found = changes(np.tile([0.0, 1.0], 50)[:, None], days)
    assert found.p[0] == 1 and found.moment[0] == np.datetime64(1, "s")
    assert changes(np.tile([0.0, 1.0], 50)[:, None], np.zeros(100, "datetime64[s]")).p[0] == 1


def test_the_order_of_the_rows_does_not_matter() -> None:
    draw = np.random.default_rng(1)
    column, when = draw.random((80, 2)), draw.integers(0, 40, 80).astype("datetime64[s]")
    order = draw.permutation(80)
    assert np.allclose(changes(column, when).p, changes(column[order], when[order]).p)


def test_without_any_change_5_in_100_are_the_most_that_alarm() -> None:
    draw = np.random.default_rng(2)
    ranks = shares_below(draw.random((300, 1000)))
    rare = (draw.random((300, 1000)) < 0.03).astype(float)
    for columns in (ranks, rare):
        alarms = int((changes(columns, moments(300)).p <= 0.05).sum())
        assert 15 <= alarms <= 65, alarms


def test_a_difference_of_mean_shares_is_the_chance_to_exceed_less_a_half() -> None:
    values = np.array([1.0, 5.0, 5.0, 2.0, 5.0, 7.0])
    shares = shares_below(values[:, None])[:, 0]
    pairs = [(b > a) + 0.5 * (a == b) for a in values[:3] for b in values[3:]]
    assert np.isclose(shares[3:].mean() - shares[:3].mean(), np.mean(pairs) - 0.5)
