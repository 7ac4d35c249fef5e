"""Intervals agree with other libraries, cover what they promise, and say where they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from crossover.measure.interval import (
    MOST_UNITS,
    Units,
    _bca_tails,
    bootstrap,
    clopper_pearson,
    cluster_index,
    jackknife,
    normal,
    proportion,
    wilson,
)


def mean(sums):
    return sums[..., 0] / sums[..., 1]


def share_or_nothing(sums):
    """Undefined where the first column sums to 0."""
    return np.where(sums[..., 0] > 0, sums[..., 0] / sums[..., 1], np.nan)


def columns(values):
    return np.column_stack([values, np.ones(len(values))])


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=150, deadline=None)
def test_wilson_and_clopper_pearson_agree_with_statsmodels(successes, more, level):
    n = successes + more
    for function, method in ((wilson, "wilson"), (clopper_pearson, "beta")):
        for k in (successes, n):
            expected = proportion_confint(k, n, alpha=1 - level, method=method)
            assert [float(x) for x in function(k, n, level)] == pytest.approx(expected, abs=1e-9)


def test_wilson_covers_on_average_over_the_binomial():
    for n, p in ((30, 0.9), (100, 0.95), (50, 0.5)):
        k = np.arange(n + 1)
        low, high = wilson(k, np.full(n + 1, n))
        coverage = stats.binom.pmf(k, n, p)[(low <= p) & (p <= high)].sum()
        assert 0.92 <= coverage <= 0.985
        exact_low, exact_high = clopper_pearson(k, np.full(n + 1, n))
        assert stats.binom.pmf(k, n, p)[(exact_low <= p) & (p <= exact_high)].sum() >= 0.95


def test_a_perfect_score_keeps_an_interval_that_shrinks_with_the_rows():
    few, many = proportion("a", np.ones(10, bool)), proportion("a", np.ones(1000, bool))
    assert few.high == many.high == 1.0
    assert few.low == pytest.approx(1 / (1 + stats.norm.ppf(0.975) ** 2 / 10))
    assert few.low < many.low < 1.0


def test_no_rows_and_one_cluster_give_no_interval_but_a_reason():
    assert proportion("a", np.zeros(0, bool)).value is None
    lone = proportion("a", np.array([True, False, True]), np.array([4, 4, 4]))
    assert (lone.value, lone.low, lone.n) == (pytest.approx(2 / 3), None, 1)
    assert "one cluster" in lone.method


def test_clusters_of_one_row_change_nothing_and_copies_count_once():
    outcomes = np.array([True] * 30 + [False] * 10)
    assert proportion("a", outcomes, np.arange(40)) == proportion("a", outcomes)
    # each row five times: the design effect is 5 * 39/40 and the t of 39 degrees replaces z
    copied = proportion("a", np.repeat(outcomes, 5), np.repeat(np.arange(40), 5))
    ratio = stats.norm.ppf(0.975) / stats.t.ppf(0.975, 39)
    n = 39 * ratio**2
    assert (copied.low, copied.high) == pytest.approx([float(x) for x in wilson(0.75 * n, n)])
    assert copied.n == 40


def beta_binomial(generator, clusters, rho, p, size):
    """Rows of clusters of 1 + Poisson rows whose outcomes correlate by rho."""
    scale = (1 - rho) / rho
    rate = generator.beta(p * scale, (1 - p) * scale, clusters)
    index = np.repeat(np.arange(clusters), 1 + generator.poisson(size - 1, clusters))
    return generator.random(len(index)) < rate[index], index


def test_clustered_intervals_cover_where_rows_that_correlate_taken_as_independent_do_not():
    generator = np.random.default_rng(1)
    covered = {"rows": 0, "effective": 0, "bootstrap": 0}
    for _ in range(400):
        outcomes, clusters = beta_binomial(generator, 40, 0.3, 0.9, 5)
        units = Units.of_rows(columns(outcomes.astype(float)), clusters)
        for name, score in (
            ("rows", proportion("a", outcomes)),
            ("effective", proportion("a", outcomes, clusters)),
            ("bootstrap", bootstrap("a", units, mean)),
        ):
            covered[name] += score.low <= 0.9 <= score.high
    assert covered["rows"] / 400 < 0.88
    assert 0.92 <= covered["effective"] / 400 <= 0.985
    assert 0.91 <= covered["bootstrap"] / 400 <= 0.985


@pytest.mark.parametrize(("kind", "method"), [("bca", "BCa"), ("percentile", "percentile")])
def test_the_bootstrap_agrees_with_scipy(kind, method):
    values = np.random.default_rng(0).lognormal(size=80)
    units = Units.of_rows(columns(values), None)
    score = bootstrap("x", Units(units.sums, units.counts, repetitions=20_000), mean, kind=kind)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(1)
    ).confidence_interval
    spread = expected.high - expected.low
    assert score.low == pytest.approx(expected.low, abs=0.03 * spread)
    assert score.high == pytest.approx(expected.high, abs=0.03 * spread)
    assert kind == "percentile" or score.method == "BCa bootstrap, 20000 resamples of rows"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.exp(1.6 * stats.norm.ppf((np.arange(30) + 0.5) / 30)), id="skewed"),
        pytest.param(np.repeat([0.0, 1.0], [36, 4]), id="tied"),
    ],
)
def test_the_bca_corrections_are_those_of_scipy_where_they_matter(values):
    units = Units.of_rows(columns(values))
    units = Units(units.sums, units.counts, repetitions=40_000)
    score, plain = bootstrap("x", units, mean), bootstrap("x", units, mean, kind="percentile")
    limits = stats.bootstrap((values,), np.mean, n_resamples=40_000, rng=np.random.default_rng(1))
    low, high = limits.confidence_interval
    assert (score.low, score.high) == pytest.approx((low, high), rel=0.03)
    assert score.high > 1.05 * plain.high


def test_the_bca_corrections_by_hand():
    # replicates -2..2 with the value in the middle: no bias; leaving a unit out gives -3, 0, 0, 3
    without, counts, tails = np.array([-3.0, 0.0, 3.0]), np.array([1, 2, 1]), np.array([0.025, 0.975])
    replicates = np.array([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0])
    assert _bca_tails(0.0, replicates, without, counts, tails) == pytest.approx(tails)
    # departures 3, -1, -1, -1: a = (27 - 3) / (6 * 12^1.5)
    skewed = _bca_tails(0.0, replicates, np.array([-3.0, 1.0]), np.array([1, 3]), tails)
    z = stats.norm.ppf(tails)
    assert skewed == pytest.approx(stats.norm.cdf(z / (1 - 24 / (6 * 12**1.5) * z)))
    # the value above 4 of 6 and equal to 1: bias ndtri(4.5 / 6)
    bias = stats.norm.ppf(4.5 / 6)
    shifted = _bca_tails(1.0, replicates, without, counts, tails)
    assert shifted == pytest.approx(stats.norm.cdf(2 * bias + z))
    assert _bca_tails(9.0, replicates, without, counts, tails) is None


def test_clusters_never_make_rows_count_for_more_and_agreeing_ones_count_as_copies():
    # each pair holds one of both outcomes, but for two pairs: less spread than independent rows
    outcomes = np.array([True, False] * 18 + [True, True, False, False])
    pairs = np.repeat(np.arange(20), 2)
    ratio = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 19)) ** 2
    score = proportion("a", outcomes, pairs)
    assert (score.low, score.high) == pytest.approx([float(x) for x in wilson(20 * ratio, 40 * ratio)])
    perfect = proportion("a", np.ones(40, bool), pairs)
    assert perfect.low == pytest.approx(float(wilson(20 * ratio, 20 * ratio)[0]))


def test_repeated_units_by_count_resample_as_the_rows_they_stand_for():
    values = np.repeat([0.0, 1.0, 5.0], [60, 30, 10])
    rows = bootstrap("x", Units.of_rows(columns(values)), mean)
    counted = bootstrap("x", Units(columns([0.0, 1.0, 5.0]), np.array([60, 30, 10])), mean)
    assert counted.value == pytest.approx(rows.value)
    assert counted.n == rows.n == 100
    assert (counted.low, counted.high) == pytest.approx((rows.low, rows.high), abs=0.06)
    exact = jackknife("x", Units.of_rows(columns(values)), mean)
    again = jackknife("x", Units(columns([0.0, 1.0, 5.0]), np.array([60, 30, 10])), mean)
    assert (again.value, again.low, again.high) == pytest.approx(
        (exact.value, exact.low, exact.high), rel=1e-12
    )


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_changes_no_interval(seed):
    generator = np.random.default_rng(seed)
    values, clusters = generator.exponential(size=60), generator.integers(25, size=60)
    order = generator.permutation(60)
    for one, other in ((None, None), (clusters, clusters[order])):
        first = bootstrap("x", Units.of_rows(columns(values), one), mean)
        again = bootstrap("x", Units.of_rows(columns(values[order]), other), mean)
        assert (first.low, first.high) == pytest.approx((again.low, again.high), rel=1e-12)


def test_the_same_seed_gives_the_same_limits_and_another_seed_others():
    sums = Units.of_rows(columns(np.random.default_rng(0).normal(size=50)))
    assert bootstrap("x", sums, mean) == bootstrap("x", Units(sums.sums, sums.counts), mean)
    assert bootstrap("x", sums, mean) != bootstrap("x", Units(sums.sums, sums.counts, seed=1), mean)


def test_undefined_resamples_are_counted_and_never_reach_a_score():
    # one positive row in 40: absent from 1/e of the resamples, too many to leave out
    rare = bootstrap("x", Units.of_rows(columns(np.array([1.0] + [0.0] * 39))), share_or_nothing)
    assert rare.low is None
    assert "undefined" in rare.method
    assert rare.value == pytest.approx(1 / 40)
    # three in 40: absent from about 5%
    three = Units.of_rows(columns(np.array([1.0] * 3 + [0.0] * 37)))
    few = bootstrap("x", three, share_or_nothing, kind="percentile")
    left_out = int(few.method.split(", ")[2].split()[0])
    assert 40 <= left_out <= 160
    assert few.low >= 1 / 40  # the least value a resample can have
    nothing = bootstrap("x", Units.of_rows(columns(np.zeros(40))), share_or_nothing)
    assert (nothing.value, nothing.low, nothing.method) == (None, None, "undefined on these rows")


def test_values_that_do_not_vary_give_no_interval_of_width_0():
    for m in (10, 50):
        score = bootstrap("x", Units.of_rows(columns(np.full(m, 0.3))), mean)
        assert score.value == pytest.approx(0.3)
        assert score.low is None
        assert score.method.startswith("no interval")


def test_few_units_get_the_t_interval_of_the_jackknife():
    values = np.random.default_rng(4).normal(size=12)
    score = bootstrap("x", Units.of_rows(columns(values)), mean)
    expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (score.low, score.high) == pytest.approx(expected)
    assert "jackknife" in score.method
    assert jackknife("x", Units.of_rows(columns(values[:1])), mean).low is None


def test_very_many_units_get_the_jackknife_which_there_equals_the_bootstrap():
    values = np.random.default_rng(4).exponential(size=MOST_UNITS + 1)
    fast = bootstrap("x", Units.of_rows(columns(values)), mean)
    slow = bootstrap("x", Units.of_rows(columns(values[:-1])), mean)
    assert "jackknife" in fast.method
    assert "BCa" in slow.method
    width = slow.high - slow.low
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.08 * width)


def test_a_jackknife_that_is_undefined_without_some_unit_gives_no_interval():
    lone = Units.of_rows(columns(np.array([1.0] + [0.0] * 9)))
    score = jackknife("x", lone, share_or_nothing)
    assert score.low is None
    assert "undefined without 1 of 10 rows" in score.method


def test_normal_limits_stay_within_the_bounds():
    score = normal("x", 0.98, 0.05, 30, "rows", (0.0, 1.0))
    assert score.high == 1.0
    assert score.low == pytest.approx(0.98 - 0.05 * stats.t.ppf(0.975, 29))


def test_ids_outside_the_groups_are_clusters_of_their_own():
    found = cluster_index(["b", "a", "c", "d"], {"a": "g", "d": "g", "zz": "c"})
    assert found is not None
    assert found[1] == found[3]
    assert len({found[0], found[1], found[2]}) == 3
    assert cluster_index(["a", "b"], None) is None
    assert cluster_index(["a", "b"], {"a": "x", "b": "y"}) is None
    # a group that bears the name of an id is not that id's cluster
    assert len(set(cluster_index(["b", "a", "c"], {"a": "b", "c": "b"}).tolist())) == 2
