"""Means of unequal samples: by hand, against textbook formulas, by simulation with a known truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from crossover.data.bad_input import BadInput
from crossover.measure.predictions import Predictions
from crossover.measure.scoring import score_all
from crossover.measure.unequal_rows import refuse_plain_mean
from crossover.measure.weighted_mean import (
    METHODS,
    Drawn,
    Resamples,
    design_variance,
    estimate,
    hajek,
    total,
)
from crossover.measure.weighted_scores import class_shares, weighted_scores
from crossover.sample.importance import inclusion_probabilities, pivotal

UNEQUAL = Drawn(np.array([0.5, 0.25, 0.2, 0.1]), 20)
VALUES = np.array([1.0, 2.0, 3.0, 4.0])


def test_means_and_total_by_hand() -> None:
    # weights 2, 4, 5, 10 stand for 21 rows of 20; the weighted sum is 2 + 8 + 15 + 40 = 65
    assert total("sum", VALUES, UNEQUAL).value == pytest.approx(65)
    assert estimate("mean", VALUES, UNEQUAL, "horvitz_thompson").value == pytest.approx(65 / 20)
    assert estimate("mean", VALUES, UNEQUAL, "hajek").value == pytest.approx(65 / 21)
    assert estimate("mean", VALUES, UNEQUAL, "bootstrap").value == pytest.approx(65 / 21)
    assert estimate("mean", np.full(4, 7.0), UNEQUAL, "hajek").value == pytest.approx(7), (
        "exact for a constant"
    )
    assert estimate("mean", np.full(4, 7.0), UNEQUAL, "horvitz_thompson").value == pytest.approx(7 * 21 / 20)


def test_the_weighted_mean_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    values, pi = rng.standard_normal(50), rng.uniform(0.05, 0.9, 50)
    other = DescrStatsW(values, weights=1 / pi)
    assert hajek("mean", values, Drawn(pi, 1_000)).value == pytest.approx(other.mean)


def test_with_equal_probabilities_the_variance_is_the_textbooks() -> None:
    rng = np.random.default_rng(1)
    values, n, population = rng.standard_normal(40), 40, 200
    drawn = Drawn(np.full(n, n / population), population)
    textbook = population**2 * (1 - n / population) * values.var(ddof=1) / n
    assert design_variance(values, drawn) == pytest.approx(textbook)
    score = estimate("mean", values, drawn, "horvitz_thompson")
    reach = stats.t.ppf(0.975, n - 1) * math.sqrt(textbook) / population
    assert (score.low, score.high) == pytest.approx((values.mean() - reach, values.mean() + reach))
    assert estimate("mean", values, drawn, "plain").low == pytest.approx(score.low)


def test_strata_add_up_as_in_the_textbook() -> None:
    rng = np.random.default_rng(2)
    held = {0: (30, 100), 1: (20, 400)}
    values = np.concatenate([rng.standard_normal(n) + 5 * s for s, (n, _) in held.items()])
    strata = np.repeat([0, 1], [30, 20])
    pi = np.repeat([30 / 100, 20 / 400], [30, 20])
    textbook = sum(N**2 * (1 - n / N) * values[strata == s].var(ddof=1) / n for s, (n, N) in held.items())
    drawn = Drawn(pi, 500, strata)
    assert design_variance(values, drawn) == pytest.approx(textbook) and drawn.degrees == 48
    pooled = design_variance(values, Drawn(pi, 500))
    assert pooled is not None and pooled > textbook, "strata that differ are worth telling"


def test_a_plain_mean_of_unequal_rows_is_refused_and_three_ways_are_offered() -> None:
    with pytest.raises(BadInput, match=r"0\.1 to 0\.5") as refused:
        estimate("accuracy", VALUES, UNEQUAL, "plain")
    for method in METHODS:
        assert method in str(refused.value)
    refuse_plain_mean([0.1, 0.1], "equal")
    refuse_plain_mean([None, None], "no probability known: no sample")
    refuse_plain_mean([], "no rows")
    with pytest.raises(BadInput, match="1 of 2 cases"):
        refuse_plain_mean([0.1, None], "mixed")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Drawn(np.array([0.5, 0.0]), 9), "row 2 has the inclusion probability 0.0"),
        (lambda: Drawn(np.array([1.5]), 9), "above 0 and at most 1"),
        (lambda: Drawn(np.array([math.nan]), 9), "above 0 and at most 1"),
        (lambda: Drawn(np.array([0.5, 0.5]), 1), "population of 1"),
        (lambda: Drawn(np.array([]), 1), "0 rows drawn"),
        (lambda: Drawn(np.array([0.5]), 9, np.array([0, 1])), "strata"),
        (lambda: estimate("x", VALUES, UNEQUAL, "median"), "expected one of"),
        (lambda: estimate("x", VALUES[:2], UNEQUAL), "one finite a row"),
        (lambda: estimate("x", VALUES * math.nan, UNEQUAL), "one finite a row"),
    ],
)
def test_what_makes_no_sense_is_refused(make, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        make()


def test_a_single_row_of_a_stratum_gives_no_interval_and_says_why() -> None:
    drawn = Drawn(np.array([0.5, 0.5, 0.5]), 6, np.array([0, 0, 1]))
    for method in METHODS:
        score = estimate("mean", np.array([1.0, 2.0, 3.0]), drawn, method)
        assert score.low is None and "single drawn row" in score.method and score.value == pytest.approx(2)


@given(
    st.lists(
        st.tuples(st.floats(0.05, 1.0), st.floats(-100, 100, allow_subnormal=False)), min_size=3, max_size=20
    ),
    st.floats(-5, 5),
    st.floats(0.1, 10),
)
def test_shifting_and_scaling_the_values_does_so_to_the_hajek_mean(rows, shift: float, scale: float) -> None:
    pi, values = (np.array(column) for column in zip(*rows, strict=True))
    drawn = Drawn(pi, 1_000)
    one, other = hajek("x", values, drawn), hajek("x", scale * values + shift, drawn)
    assert other.value == pytest.approx(scale * one.value + shift, abs=1e-6)
    assert min(values) - 1e-9 <= one.value <= max(values) + 1e-9, "a weighted mean lies among its values"
    order = np.random.default_rng(0).permutation(len(pi))
    again = hajek("x", values[order], Drawn(pi[order], 1_000))
    assert again.value == pytest.approx(one.value, abs=1e-9), "whatever the order of rows"


def by_doubt(seed: int, pi: np.ndarray) -> tuple[np.ndarray, Drawn]:
    """Rows drawn by the importance design, and how."""
    rows = np.flatnonzero(pivotal(pi, np.random.default_rng(seed)))
    return rows, Drawn(pi[rows], len(pi))


def test_hajek_is_stabler_than_horvitz_thompson_and_both_beat_the_naive_mean() -> None:
    """A model errs where it doubts, and its test rows are drawn by doubt."""
    doubt = np.random.default_rng(0).beta(1, 4, 2_000)
    right = (np.random.default_rng(1).random(2_000) >= doubt).astype(float)
    pi = inclusion_probabilities(doubt, 150, 0.2)
    found: dict[str, list[float]] = {"hajek": [], "horvitz_thompson": [], "naive": []}
    for seed in range(200):
        rows, drawn = by_doubt(seed, pi)
        for method in ("hajek", "horvitz_thompson"):
            found[method].append(estimate("accuracy", right[rows], drawn, method).value)
        found["naive"].append(right[rows].mean())
    truth = right.mean()
    error = {name: math.sqrt(np.mean((np.array(values) - truth) ** 2)) for name, values in found.items()}
    assert error["hajek"] < error["horvitz_thompson"] < error["naive"], "of a share near 1"
    assert np.mean(found["naive"]) < truth - 0.08, "doubtful rows are overdrawn: too pessimistic"
    assert abs(np.mean(found["hajek"]) - truth) < 0.01


@pytest.mark.parametrize("rate", [0.04, 0.2])
def test_wilson_on_effective_rows_covers_a_rate_whatever_the_probabilities(
    rate: float,
) -> None:
    rare = (np.random.default_rng(5).random(3_000) < rate).astype(float)
    pi = inclusion_probabilities(np.where(np.arange(3_000) % 3 == 0, 4.0, 1.0), 150, 0.2)
    covered = 0
    for seed in range(400):
        rows, drawn = by_doubt(seed, pi)
        score = hajek("rate", rare[rows], drawn)
        covered += score.low <= rare.mean() <= score.high
    assert covered / 400 >= 0.93


def test_ratio_metrics_are_weighted_and_their_bootstrap_covers() -> None:
    rng, rows = np.random.default_rng(3), 1_500
    gold = (rng.random(rows) < 0.2).astype(int)
    chance = np.clip(0.15 + 0.6 * gold + 0.15 * rng.standard_normal(rows), 0.01, 0.99)
    ids, names = tuple(map(str, range(rows))), tuple("ab"[k] for k in gold)
    whole = Predictions(ids, ("test",) * rows, names, ("a", "b"), np.column_stack([1 - chance, chance]))
    truth = {name: score.value for name, score in score_all(whole).items()}
    pi = inclusion_probabilities(1 - whole.probabilities.max(axis=1), 250, 0.3)
    hits = dict.fromkeys(("macro_f1", "mcc", "f1/b", "precision/b", "recall/b", "accuracy", "log_loss"), 0)
    for seed in range(60):
        drawn_rows, drawn = by_doubt(seed, pi)
        scores = weighted_scores(whole.take(drawn_rows.tolist()), drawn)
        for name in hits:
            hits[name] += scores[name].low <= truth[name] <= scores[name].high
    assert min(hits.values()) >= 51, hits  # P(fewer of 60 | coverage .93) = .02


def test_with_everything_drawn_the_weighted_scores_are_the_scores() -> None:
    rng = np.random.default_rng(4)
    probabilities = rng.dirichlet([1, 1, 1], 60)
    gold = tuple("abc"[k] for k in rng.integers(0, 3, 60))
    scored = Predictions(tuple(map(str, range(60))), ("test",) * 60, gold, ("a", "b", "c"), probabilities)
    weighted = weighted_scores(scored, Drawn(np.ones(60), 60))
    for name, score in score_all(scored).items():
        assert weighted[name].value == pytest.approx(score.value), name
    shares = class_shares(gold, Drawn(np.ones(60), 60))
    assert sum(score.value for score in shares.values()) == pytest.approx(1)
    assert shares["share/a"].low == shares["share/a"].high, "a census has no error"


def test_certain_rows_stay_in_every_resample() -> None:
    drawn = Drawn(np.array([1.0, 1.0, 0.5, 0.5, 0.5]), 8)
    columns = np.array([[1.0], [2.0], [3.0], [3.0], [3.0]])
    score = Resamples.of(columns, drawn).score("sum", lambda sums: sums[..., 0])
    assert score.value == pytest.approx(21) and score.low is None, "equal rows leave nothing to chance"
