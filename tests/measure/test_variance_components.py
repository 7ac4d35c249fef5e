"""Variance components: exact on worked examples, equal to an oracle, covering under simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from crossover.data.bad_input import BadInput
from crossover.measure.variance_components import (
    Crossed,
    MeanSquare,
    Nested,
    chi_square_interval,
    component,
    limit_factors,
    modified_large_sample,
    ratio,
    upper_limit,
)


def nested_scores(
    rng: np.random.Generator, draws: int, seeds: int, draw_sd: float, seed_sd: float
) -> np.ndarray:
    return draw_sd * rng.standard_normal((draws, 1)) + seed_sd * rng.standard_normal((draws, seeds))


@pytest.mark.parametrize(
    ("degrees", "low", "high"), [(2, 0.52, 6.3), (4, 0.60, 2.9), (9, 0.69, 1.8), (19, 0.76, 1.5)]
)
def test_the_limit_factors_are_those_of_the_methods_page(degrees: int, low: float, high: float) -> None:
    found = limit_factors(degrees)
    assert found[0] == pytest.approx(low, abs=0.006) and found[1] == pytest.approx(high, abs=0.05)


def test_mean_squares_of_a_worked_example() -> None:
    nested = Nested((np.array([1.0, 3.0]), np.array([5.0, 7.0]), np.array([3.0, 5.0])))
    assert nested.seed == MeanSquare(2.0, 3)
    assert nested.draw.value == pytest.approx(8.0) and nested.draw.degrees == 2
    draw = modified_large_sample(nested.draw_terms)[0]
    assert draw == pytest.approx((8 - 2) / 2)
    assert modified_large_sample(nested.total_terms)[0] == pytest.approx(draw + 2)


def test_nested_mean_squares_agree_with_statsmodels() -> None:
    x = nested_scores(np.random.default_rng(0), 7, 5, 1.0, 0.5)
    data = {"y": x.ravel(), "draw": np.repeat(np.arange(7), 5)}
    table = anova_lm(ols("y ~ C(draw)", data).fit())
    nested = Nested(tuple(x))
    assert nested.draw.value == pytest.approx(table["mean_sq"].iloc[0])
    assert nested.seed.value == pytest.approx(table["mean_sq"].iloc[1])


def test_crossed_mean_squares_agree_with_statsmodels() -> None:
    x = np.random.default_rng(1).standard_normal((3, 4, 5))
    t, i, j = np.indices(x.shape)
    data = {"y": x.ravel(), "t": t.ravel(), "i": i.ravel(), "j": j.ravel()}
    table = anova_lm(ols("y ~ C(t) + C(t):C(i) + C(t):C(j)", data).fit())
    crossed = Crossed(x)
    for square, row in (
        (crossed.initialisation, "C(t):C(i)"),
        (crossed.order, "C(t):C(j)"),
        (crossed.both, "Residual"),
    ):
        assert square.value == pytest.approx(table.loc[row, "mean_sq"])
        assert square.degrees == table.loc[row, "df"]


def test_crossed_components_find_the_source_that_was_put_in() -> None:
    rng = np.random.default_rng(2)
    x = (
        1.0 * rng.standard_normal((40, 4, 1))
        + 0.3 * rng.standard_normal((40, 1, 4))
        + 0.1 * rng.standard_normal((40, 4, 4))
    )
    sds = {part.source: part.sd for part in Crossed(x).components()}
    for source, truth in (("initialisation", 1.0), ("order", 0.3), ("initialisation x order", 0.1)):
        value, low, high = sds[source]
        assert low < truth < high and value == pytest.approx(truth, rel=0.2)
    larger = {(one.first, one.second): one.larger for one in Crossed(x).rankings()}
    assert larger[("initialisation", "order")] == "initialisation"
    assert larger[("order", "initialisation x order")] == "order"


def test_initialisation_and_order_are_not_compared_where_unequally_many_were_run() -> None:
    pairs = {(r.first, r.second) for r in Crossed(np.random.default_rng(0).random((5, 3, 4))).rankings()}
    assert ("initialisation", "order") not in pairs and len(pairs) == 2


def test_one_mean_square_gets_the_chi_square_interval() -> None:
    square = MeanSquare(3.0, 12)
    low, high = chi_square_interval(square)
    assert low == pytest.approx(12 * 3 / stats.chi2.ppf(0.975, 12))
    assert modified_large_sample([(1.0, square)]) == pytest.approx((3.0, low, high))
    assert modified_large_sample([(0.5, square)]) == pytest.approx((1.5, low / 2, high / 2))
    assert upper_limit([(1.0, square)]) == pytest.approx(12 * 3 / stats.chi2.ppf(0.2, 12))


def test_a_differences_lower_limit_is_zero_exactly_where_the_f_test_is() -> None:
    critical = stats.f.ppf(0.975, 9, 40)
    for scale, above in ((1.001, True), (0.999, False)):
        terms = [(0.2, MeanSquare(scale * critical, 9)), (-0.2, MeanSquare(1.0, 40))]
        assert (modified_large_sample(terms)[1] > 0) is above


@given(
    st.integers(4, 40), st.integers(4, 200), st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.01, 1)
)
def test_the_interval_holds_the_estimate_and_turns_with_the_sign(
    n: int, m: int, a: float, b: float, c: float
) -> None:
    terms = [(c, MeanSquare(a, n)), (-c, MeanSquare(b, m))]
    estimate, low, high = modified_large_sample(terms)
    assert low <= estimate <= high
    turned = modified_large_sample([(-k, s) for k, s in terms])
    assert turned == pytest.approx((-estimate, -high, -low))


@pytest.mark.parametrize("draw_sd", [0.0, 0.5, 2.0])
def test_the_intervals_cover(draw_sd: float) -> None:
    rng, repeats = np.random.default_rng(3), 500
    covered = np.zeros(4)
    for _ in range(repeats):
        nested = Nested(tuple(nested_scores(rng, 6, 5, draw_sd, 1.0)))
        truths = (
            (nested.draw_terms, draw_sd**2),
            ([(1.0, nested.seed)], 1.0),
            (nested.total_terms, draw_sd**2 + 1),
        )
        for k, (terms, truth) in enumerate(truths):
            _, low, high = modified_large_sample(terms)
            covered[k] += low <= truth <= high
        found = ratio("draw", "seed", nested.draw, nested.seed, nested.repeats)
        assert found is not None
        covered[3] += found.low <= draw_sd**2 <= found.high
    assert (covered / repeats > 0.92).all(), covered / repeats


def test_unequal_seeds_keep_the_draw_variance_unbiased() -> None:
    rng, found = np.random.default_rng(4), []
    for _ in range(1500):
        x = nested_scores(rng, 8, 5, 1.0, 1.0)
        nested = Nested(tuple(row[: 1 + k % 5] for k, row in enumerate(x)))
        found.append(modified_large_sample(nested.draw_terms)[0])
    assert np.mean(found) == pytest.approx(1.0, abs=4 * np.std(found) / math.sqrt(len(found)))


def test_a_negative_variance_is_shown_and_cut_beside_it() -> None:
    part = component("draw", [(0.2, MeanSquare(0.5, 9)), (-0.2, MeanSquare(1.0, 40))])
    assert part.variance == pytest.approx(-0.1) and part.low < 0
    assert part.sd[:2] == (0.0, 0.0) and part.truncated[0] == 0.0
    plain = part.to_json()
    assert plain["variance"] < 0 and plain["sd"] == 0.0


@pytest.mark.parametrize("terms", [
    [(1.0, MeanSquare(1.0, 3))],
    [(1.0, MeanSquare(1.0, 9)), (-1.0, MeanSquare(1.0, 3))],
    [(1.0, MeanSquare(0.0, 30))],
])  # fmt: skip
def test_a_component_is_refused_with_its_reason(terms: list) -> None:
    part = component("seed", terms)
    assert part.variance is None and part.sd is None and part.method.startswith("refused: ")


def test_sources_are_ranked_only_where_the_interval_excludes_one() -> None:
    small, large = MeanSquare(1.0, 40), MeanSquare(40.0, 9)
    assert ratio("a", "b", large, small, 5).larger == "a"
    assert ratio("a", "b", MeanSquare(6.0, 9), small, 5).larger is None
    assert ratio("a", "b", MeanSquare(0.5, 9), small, 5).larger == "b"
    assert ratio("a", "b", MeanSquare(1.0, 3), small, 5) is None
    assert replace(ratio("a", "b", large, small, 5), doubtful=True).larger is None
    never = ratio("a", "b", large, MeanSquare(0.0, 40), 5)
    assert never.larger == "a" and never.to_json()["ratio"] is None


def test_equal_sources_are_ranked_falsely_in_about_five_of_a_hundred() -> None:
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(800):
        nested = Nested(tuple(nested_scores(rng, 10, 5, 1.0, 1.0)))
        found = ratio("draw", "seed", nested.draw, nested.seed, nested.repeats)
        wrong += found is not None and found.larger is not None
    assert 0.03 < wrong / 800 < 0.075


def test_scores_that_are_not_finite_or_missing_are_refused() -> None:
    for scores in ((np.array([np.nan, 1.0]),), (np.array([]),), ()):
        with pytest.raises(BadInput):
            Nested(scores)
    with pytest.raises(BadInput):
        Crossed(np.ones((2, 1, 3)))
