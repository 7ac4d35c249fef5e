"""The two-way mean: hand-worked squares, statsmodels as oracle, invariances, floors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from crossover.data.bad_input import BadInput
from crossover.measure.two_way import Layout, paired_mean, variance_and_df

HAND = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])


def made(seed: int, draws: int = 5, rows: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        0.1 + rng.normal(0, 0.3, (draws, 1)) + rng.normal(0, 0.5, (1, rows)) + rng.normal(0, 1, (draws, rows))
    )


def test_three_draws_by_two_rows_worked_by_hand():
    mean = paired_mean(HAND)
    assert mean.mean == pytest.approx(4)
    # Draw means 1.5, 3.5, 7; row means 3, 5; sums of squares 31 + 6 + 3 = 40.
    assert mean.components["MSA"] == pytest.approx(15.5)
    assert mean.components["MSB"] == pytest.approx(6)
    assert mean.components["MSE"] == pytest.approx(1.5)
    assert mean.variance == pytest.approx((15.5 + 6 - 1.5) / 6)
    assert mean.components["row"] == pytest.approx((6 - 1.5) / 6)
    assert mean.draw_sd == pytest.approx(np.std([1.5, 3.5, 7], ddof=1))
    upper = 15.5 * 2 / stats.chi2.ppf(0.2, 2)
    assert mean.df == pytest.approx((upper + 6 - 1.5) ** 2 / (upper**2 / 2 + 6**2 / 1 + 1.5**2 / 2))


def test_overlap_adds_the_draw_variance_shared_by_the_pool():
    alone, shared = paired_mean(HAND), paired_mean(HAND, overlap=0.2)
    assert shared.variance - alone.variance == pytest.approx(15.5 / 2 * 0.25)
    assert shared.components["overlap"] == pytest.approx(15.5 / 2 * 0.25)
    assert shared.components["V0"] == pytest.approx(alone.variance)


def test_mean_squares_agree_with_statsmodels_anova():
    d = made(3, draws=4, rows=7)
    draw, row = np.indices(d.shape)
    frame = pd.DataFrame({"d": d.ravel(), "draw": draw.ravel(), "row": row.ravel()})
    squares = anova_lm(ols("d ~ C(draw) + C(row)", frame).fit())["mean_sq"]
    mean = paired_mean(d)
    assert mean.components["MSA"] == pytest.approx(squares["C(draw)"])
    assert mean.components["MSB"] == pytest.approx(squares["C(row)"])
    assert mean.components["MSE"] == pytest.approx(squares["Residual"])


def test_variance_is_floored_at_the_larger_of_draw_and_row_squares():
    variance, df = variance_and_df(8.0, 3.0, 5.0, 0.0, Layout(4, 10))
    assert variance == pytest.approx(8 / 40), "3 - 5 < 0 must not take from the draws' square"
    assert df == pytest.approx(3)
    variance, df = variance_and_df(3.0, 8.0, 5.0, 0.0, Layout(4, 10))
    assert variance == pytest.approx(8 / 40)
    variance, _ = variance_and_df(3.0, 8.0, 5.0, 0.5, Layout(4, 10))
    assert variance == pytest.approx(8 / 40 + 3 / 10), "the overlap term stays under the floor"


@given(st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 0.9), st.integers(2, 12))
def test_variance_and_degrees_of_freedom_never_fall_below_their_floors(msa, msb, mse, f, R):
    m = 50
    variance, df = variance_and_df(msa, msb, mse, f, Layout(R, m))
    assert variance >= max(msa, msb) / (R * m) * (1 - 1e-12)
    assert df >= R - 1
    assert df <= (R - 1) + (m - 1) + (R - 1) * (m - 1)


def test_rows_only_data_gets_nearly_all_degrees_of_freedom():
    # Ten draws that agree but for tiny residuals: the rows carry the variance.
    rng = np.random.default_rng(0)
    d = rng.normal(0, 1, (1, 500)) + rng.normal(0, 0.01, (10, 500))
    assert paired_mean(d).df > 400
    assert paired_mean(d + rng.normal(0, 5, (10, 1))).df == pytest.approx(9, rel=0.01)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_order_of_draws_and_rows_does_not_matter(seed, order):
    d = made(seed, 4, 9)
    rng = np.random.default_rng(order)
    shuffled = d[rng.permutation(4)][:, rng.permutation(9)]
    one, other = paired_mean(d, 0.3), paired_mean(shuffled, 0.3)
    assert (other.mean, other.variance, other.df) == pytest.approx((one.mean, one.variance, one.df))


@given(st.integers(0, 10_000), st.floats(-5, 5), st.floats(0.1, 10))
def test_a_constant_shifts_and_a_factor_scales(seed, constant, factor):
    d = made(seed, 4, 9)
    clusters = np.array([0, 0, 0, 1, 1, 2, 3, 4, 4])
    for groups in (None, clusters):
        before = paired_mean(d, clusters=groups)
        after = paired_mean(factor * d + constant, clusters=groups)
        assert after.mean == pytest.approx(factor * before.mean + constant, abs=1e-9)
        assert after.se == pytest.approx(factor * before.se)
        low, high = before.interval()
        assert after.interval() == pytest.approx(
            (factor * low + constant, factor * high + constant), abs=1e-9
        )


def test_one_draw_has_row_variance_only_and_says_so():
    d = made(1, draws=1)
    mean = paired_mean(d)
    assert not mean.has_draw_variance and paired_mean(made(1, draws=2)).has_draw_variance
    assert mean.variance == pytest.approx(d.var(ddof=1) / d.shape[1])
    assert mean.df == d.shape[1] - 1
    assert np.isnan(mean.draw_sd)
    assert mean.interval() == pytest.approx(stats.ttest_1samp(d[0], 0).confidence_interval(0.95), rel=1e-9)


def test_rows_repeated_within_clusters_count_once():
    d = made(5, rows=20)
    twice = np.repeat(d, 2, axis=1)
    clusters = np.repeat(np.arange(20) * 7 - 3, 2)
    order = np.random.default_rng(0).permutation(40)
    grouped = paired_mean(twice[:, order], clusters=clusters[order])
    plain = paired_mean(d)
    assert grouped.rows == 20
    assert (grouped.mean, grouped.variance, grouped.df) == pytest.approx(
        (plain.mean, plain.variance, plain.df)
    )
    assert paired_mean(twice).components["row"] < 0.55 * plain.components["row"]


def test_clusters_of_unequal_size_keep_the_mean_over_rows_and_add_no_variance_by_size_alone():
    clusters = np.repeat(np.arange(4), [1, 2, 3, 10])
    d = made(2, rows=16)
    assert paired_mean(d, clusters=clusters).mean == pytest.approx(d.mean())
    # A draw effect alone, alike in every row: the size of a cluster says nothing.
    flat = np.array([[0.5], [0.7], [0.9]]) + np.zeros(16)
    assert paired_mean(flat, clusters=clusters).components["MSB"] == pytest.approx(0, abs=1e-12)


def test_intervals_use_the_t_quantile_of_the_degrees_of_freedom():
    mean = paired_mean(made(8))
    low, high = mean.interval(0.9)
    assert high - mean.mean == pytest.approx(stats.t.ppf(0.95, mean.df) * np.sqrt(mean.variance))
    assert mean.one_sided(0.95) == pytest.approx((low, high))


def test_no_difference_at_all_has_a_point_interval():
    assert paired_mean(np.zeros((3, 5)), 0.4).interval() == (0, 0)


@pytest.mark.parametrize(
    ("d", "overlap", "clusters", "told"),
    [
        (HAND, 1.0, None, "f = 1"),
        (HAND, 1.5, None, "overlap 1.5"),
        (HAND, -0.1, None, "overlap -0.1"),
        (HAND, float("nan"), None, "overlap nan"),
        (HAND[0], 0.0, None, "expected \\(draws, rows\\)"),
        (HAND[:, :1], 0.0, None, "at least 2"),
        (HAND, 0.0, np.array([4, 4]), "at least 2"),
        (HAND, 0.0, np.array([4]), "one cluster a row"),
        (np.array([[1.0, np.nan]]), 0.0, None, "draw 0, row 1"),
    ],
)
def test_unusable_differences_are_refused_with_a_remedy(d, overlap, clusters, told):
    with pytest.raises(BadInput, match=told):
        paired_mean(d, overlap, clusters)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.3, 3, 10])
def test_three_draws_cover_where_draw_and_row_variance_mix(ratio):
    # With Satterthwaite's df at the observed MSA this falls to .926 at ratio 3 and 10.
    R, m, n = 3, 500, 40_000
    rng = np.random.default_rng(17)
    draw, row, rest = ratio / m, 0.4, 1.0
    msa = (m * draw + rest) * rng.chisquare(R - 1, n) / (R - 1)
    msb = (R * row + rest) * rng.chisquare(m - 1, n) / (m - 1)
    mse = rest * rng.chisquare((R - 1) * (m - 1), n) / ((R - 1) * (m - 1))
    error = rng.standard_normal(n) * np.sqrt(draw / R + row / m + rest / (R * m))
    variance, df = variance_and_df(msa, msb, mse, 0.0, Layout(R, m))
    coverage = np.mean(np.abs(error) <= stats.t.ppf(0.975, df) * np.sqrt(variance))
    assert 0.947 <= coverage <= 0.99
