"""Contrasts of a factorial: worked games, brute force over orders, fractions, stability, error rate."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.measure.factorial import (
    CoalitionScores,
    Factorial,
    Fraction,
    draws_to_be_stable,
    pairs,
    stability,
)
from crossover.measure.paired import holm
from crossover.measure.two_way import paired_mean


def of(contrast, game):
    return sum(weight * game[mask] for mask, weight in contrast.items())


def games(k: int):
    worth = st.floats(-1, 1, allow_nan=False).map(lambda v: round(v, 3))
    return st.lists(worth, min_size=1 << k, max_size=1 << k)


def by_orders(game, k: int, excluded: frozenset[int]) -> list[float] | None:
    """Mean marginal gain over every order that meets no excluded coalition, straight from the definition."""
    gains: list[list[float]] = [[] for _ in range(k)]
    for order in permutations(range(k)):
        path = [0]
        for i in order:
            path.append(path[-1] | 1 << i)
        if not excluded & set(path):
            for i, before, after in zip(order, path, path[1:], strict=False):
                gains[i].append(game[after] - game[before])
    return [float(np.mean(values)) for values in gains] if gains[0] else None


def test_two_components_worked_by_hand() -> None:
    # nothing .5, a alone .8, b alone .7, both .85
    game, both = [0.5, 0.8, 0.7, 0.85], Factorial(2)
    assert of(both.leave_one_out(0), game) == pytest.approx(0.15)
    assert of(both.leave_one_out(1), game) == pytest.approx(0.05)
    assert of(both.add_one(0), game) == pytest.approx(0.30)
    assert of(both.add_one(1), game) == pytest.approx(0.20)
    assert of(both.interaction(0, 1), game) == pytest.approx(-0.15)
    assert of(both.bare_interaction(0, 1), game) == pytest.approx(-0.15)
    assert of(both.shapley(0), game) == pytest.approx((0.30 + 0.15) / 2)
    assert of(both.shapley_interaction(0, 1), game) == pytest.approx(-0.15)
    assert of(both.gain(), game) == pytest.approx(0.35)


def test_the_glove_game_has_its_published_values() -> None:
    """Shapley: owners of a left glove and two of a right one get 4/6, 1/6 and 1/6."""
    game = [float(mask & 1 and mask & 6 != 0) for mask in range(8)]
    made = Factorial(3)
    assert [of(made.shapley(i), game) for i in range(3)] == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    # The two right gloves stand in for each other: neither is missed alone, both are missed together.
    assert of(made.leave_one_out(1), game) == of(made.leave_one_out(2), game) == 0
    assert of(made.removal([1, 2]), game) == 1
    assert of(made.interaction(1, 2), game) == -1


@settings(max_examples=60, deadline=None)
@given(games(4), st.sets(st.integers(1, 14), max_size=6))
def test_shapley_is_the_mean_over_the_possible_orders_and_sums_to_the_gain(game, excluded) -> None:
    made = Factorial(4, frozenset(excluded))
    wanted = by_orders(game, 4, frozenset(excluded))
    if wanted is None:
        assert all(made.shapley(i) is None for i in range(4))
        return
    found = [of(made.shapley(i), game) for i in range(4)]
    assert found == pytest.approx(wanted, abs=1e-9)
    assert sum(found) == pytest.approx(game[15] - game[0], abs=1e-9)
    for i in range(4):
        assert not excluded & set(made.shapley(i)), "no run is asked for that cannot be made"


@settings(max_examples=40, deadline=None)
@given(games(4))
def test_the_shapley_interaction_is_its_formula(game) -> None:
    made = Factorial(4)
    for i, j in pairs(4):
        others = [n for n in range(4) if n not in (i, j)]
        total = 0.0
        for size in range(3):
            for chosen in combinations(others, size):
                rest = sum(1 << n for n in chosen)
                second = game[rest | 1 << i | 1 << j] - game[rest | 1 << i] - game[rest | 1 << j] + game[rest]
                total += math.factorial(size) * math.factorial(2 - size) / math.factorial(3) * second
        assert of(made.shapley_interaction(i, j), game) == pytest.approx(total, abs=1e-9)


def test_an_additive_game_credits_every_way_alike() -> None:
    worth = [0.3, -0.1, 0.0, 0.2]
    game = [sum(w for i, w in enumerate(worth) if mask >> i & 1) for mask in range(16)]
    made = Factorial(4)
    for i, own in enumerate(worth):
        for kind in ("leave_one_out", "add_one", "shapley"):
            assert of(getattr(made, kind)(i), game) == pytest.approx(own)
    for i, j in pairs(4):
        for kind in ("interaction", "bare_interaction", "shapley_interaction"):
            assert of(getattr(made, kind)(i, j), game) == pytest.approx(0, abs=1e-12)


def test_a_contrast_that_needs_an_excluded_run_is_none_and_others_stand() -> None:
    made = Factorial(3, frozenset({0b110}))
    assert made.leave_one_out(0) is None and made.leave_one_out(1) is not None
    assert made.interaction(0, 1) is None and made.bare_interaction(1, 2) is None
    assert made.shapley(0) is not None
    alone = Factorial(2, frozenset({0b01}))
    assert alone.shapley_interaction(0, 1) is None, "a is never seen without b"


@pytest.mark.parametrize(("k", "runs"), [(5, 16), (6, 32), (7, 64), (8, 64)])
def test_a_fraction_of_resolution_five_separates_main_and_pair_effects(k: int, runs: int) -> None:
    made = Fraction(k)
    assert len(made.coalitions) == runs == len(set(made.coalitions)) and (1 << k) - 1 in made.coalitions
    singles = [made.main(i) for i in range(k)]
    contrasts = singles + [made.pair(i, j) for i, j in pairs(k)]
    rows = np.array([[one[mask] for mask in made.coalitions] for one in contrasts])
    assert rows.sum(axis=1) == pytest.approx(0, abs=1e-12)
    products = rows @ rows.T
    assert products - np.diag(np.diag(products)) == pytest.approx(0, abs=1e-12)
    rng = np.random.default_rng(k)
    own, both = rng.normal(size=k), {pair: rng.normal() for pair in pairs(k)}
    game = {
        mask: sum(own[i] for i in range(k) if mask >> i & 1)
        + sum(value for (i, j), value in both.items() if mask >> i & mask >> j & 1)
        for mask in made.coalitions
    }
    for (i, j), value in both.items():
        assert of(made.pair(i, j), game) == pytest.approx(value)
    for i in range(k):
        # the effect with each other component half the time in: its own and half of what it shares
        shared = sum(value for pair, value in both.items() if i in pair)
        assert of(made.main(i), game) == pytest.approx(own[i] + shared / 2)


def test_too_few_and_too_many_components_are_refused() -> None:
    for k in (0, 1, 9):
        with pytest.raises(BadInput, match=rf"{k} component\(s\) to ablate: expected 2 to 8"):
            Factorial(k)
    for k in (4, 9):
        with pytest.raises(BadInput, match=r"resolution-V fraction of . components: expected 5 to 8"):
            Fraction(k)


def scores(values, **more) -> CoalitionScores:
    values = np.asarray(values, dtype=float)
    return CoalitionScores(tuple(range(values.shape[1])), values, **more)


def test_an_effect_is_the_two_way_mean_of_its_row_differences() -> None:
    rng = np.random.default_rng(3)
    values, clusters = rng.normal(size=(5, 4, 30)), np.repeat(np.arange(10), 3)
    made, design = scores(values, overlap=0.2, clusters=clusters), Factorial(2)
    effect = made.effect(design.shapley(0))
    differences = 0.5 * (values[:, 1] - values[:, 0] + values[:, 3] - values[:, 2])
    wanted = paired_mean(differences, 0.2, clusters)
    assert (effect.mean.mean, effect.mean.se, effect.mean.df) == pytest.approx(
        (wanted.mean, wanted.se, wanted.df)
    )
    assert effect.per_draw == pytest.approx(differences.mean(axis=1))
    assert effect.p == pytest.approx(2 * stats.t.sf(abs(wanted.mean) / wanted.se, wanted.df))


def test_runs_that_did_not_finish_cost_their_draw_where_the_contrast_needs_them() -> None:
    values = np.random.default_rng(0).normal(size=(4, 4, 20))
    values[1, 2] = np.nan
    made, design = scores(values), Factorial(2)
    assert made.effect(design.leave_one_out(0)).draws == (0, 2, 3), "v(b) is missing on draw 1"
    assert made.effect(design.leave_one_out(1)).draws == (0, 1, 2, 3)
    assert made.level(2).draws == 3
    values[2:, 2] = np.nan
    assert scores(values).effect(design.leave_one_out(0)) is None, "one draw has no variance over draws"


def test_equal_runs_have_no_effect_however_they_are_weighted() -> None:
    """A component that changes no prediction: thirds of equal numbers must not add up to evidence."""
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(5, 1, 40)), 8, axis=1) * 100
    made, design = scores(values), Factorial(3)
    for contrast in (design.shapley(1), design.shapley_interaction(0, 2), design.leave_one_out(0)):
        effect = made.effect(contrast)
        assert effect.p == 1.0 and effect.mean.mean == 0.0 and set(effect.per_draw) == {0.0}
    assert stability(made.effect(design.shapley(1)).per_draw).positive == 0


def test_stable_takes_fourteen_of_fourteen_draws() -> None:
    assert draws_to_be_stable() == 14
    assert stability([0.1] * 14).word == "stable"
    assert stability([0.1] * 13).word == "not established"
    five = stability([0.1] * 5)
    assert five.word == "not established" and five.low == pytest.approx(0.05 ** (1 / 5)) and five.high == 1
    # One draw against it takes 22 of them.
    assert stability([0.1] * 21 + [-0.1]).word == "stable"
    assert stability([0.1] * 20 + [-0.1]).word == "not established"
    assert stability([0.1, -0.1, 0.0, -0.2, -0.1]).word == "unstable", "a tie is not above 0"


def test_holm_over_components_and_pairs_keeps_the_family_error_rate() -> None:
    """Null studies, four components over five draws that share luck with their coalitions and rows."""
    design, rng, alarms, nulls = Factorial(4), np.random.default_rng(8), 0, 200
    contrasts = [design.shapley(i) for i in range(4)] + [design.interaction(i, j) for i, j in pairs(4)]
    for _ in range(nulls):
        luck = 0.01 * rng.normal(size=(5, 16, 1))
        rows = 0.1 * rng.normal(size=(1, 16, 150))
        made = scores(luck + rows + 0.3 * rng.normal(size=(5, 16, 150)))
        found = holm({str(n): made.effect(one).p for n, one in enumerate(contrasts)})
        alarms += min(found.values()) <= 0.05
    assert alarms <= stats.binom.ppf(0.999, nulls, 0.05)
