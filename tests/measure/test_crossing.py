"""The crossing: inversion set, verdicts on hand-made evidence, cost crossing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.measure.crossing import SizeEvidence, charge, find_crossing
from crossover.measure.size_grid import size_grid
from crossover.measure.two_way import paired_mean

SIZES = (50, 100, 200, 400, 800)
RISING = (-0.08, -0.05, -0.02, 0.02, 0.05)


def evidence(curve, seed=0, draws=8, rows=200, noise=1.0, overlap=0.0, sizes=SIZES):
    """Differences around ``curve``: draw SD .01, row SD .05, residual SD .05, times ``noise``."""
    rng = np.random.default_rng(seed)
    row = rng.normal(0, 0.05, (1, rows))
    return [
        SizeEvidence(
            size,
            level + noise * (rng.normal(0, 0.01, (draws, 1)) + row + rng.normal(0, 0.05, (draws, rows))),
            overlap,
        )
        for size, level in zip(sizes, curve, strict=True)
    ]


def centred(curve):
    """Evidence whose means are the curve exactly."""
    return [
        SizeEvidence(e.size, e.differences - e.differences.mean() + level)
        for e, level in zip(evidence(curve), curve, strict=True)
    ]


def exact(curve, sizes=SIZES, **kwargs):
    return evidence(curve, noise=0.0, sizes=sizes, **kwargs)


def test_a_known_crossing_is_found_where_it_lies():
    found = find_crossing(evidence(RISING))
    assert found.kind == "starts_paying"
    # D is -.02 at 200 and .02 at 400: the root lies halfway in log n.
    assert found.estimate == pytest.approx(np.sqrt(200 * 400), rel=0.15)
    assert found.covers(np.sqrt(200 * 400)) and found.bounded
    assert len(found.pieces) == 1 and 150 < found.pieces[0].low < found.pieces[0].high < 550
    assert not found.pilot and not found.exploratory and found.draws_needed is None


def test_the_root_named_is_the_one_the_bounds_enclose():
    # An undecided rise at the small end is a root of the mean, not the crossing that was shown.
    found = find_crossing(centred((-0.002, 0.002, -0.05, 0.05, 0.06)))
    assert found.kind == "starts_paying" and len(found.roots) == 3
    assert found.estimate == pytest.approx(np.sqrt(200 * 400))


def test_a_falling_difference_stops_paying():
    found = find_crossing(evidence(tuple(-d for d in RISING)))
    assert found.kind == "stops_paying"
    assert "above 0 at 200" in found.reasons[0] and "below 0 at 400" in found.reasons[0]


def test_the_margin_moves_the_crossing():
    found = find_crossing(evidence(RISING), margin=0.035)
    assert found.kind == "starts_paying"
    assert found.estimate == pytest.approx(np.sqrt(400 * 800), rel=0.15)


def test_two_crossings_are_several_and_leave_two_pieces():
    found = find_crossing(evidence((-0.06, -0.06, 0.06, 0.06, -0.06)))
    assert found.kind == "several"
    assert found.estimate is None and len(found.roots) == 2
    assert [found.covers(root) for root in found.roots] == [True, True]
    assert len(found.pieces) == 2 and found.pieces[0].high < found.pieces[1].low
    assert len(found.reasons) == 2


def test_several_is_judged_before_the_crossing_of_named_ends():
    # -, +, -, + : the ends alone would call it one upward crossing.
    found = find_crossing(evidence((-0.06, 0.06, 0.06, -0.06, 0.06)), named_ends=True)
    assert found.kind == "several"


def test_no_crossing_pays_throughout_or_never():
    always = find_crossing(evidence((0.03, 0.03, 0.04, 0.05, 0.05)))
    assert (always.kind, always.pieces, always.estimate) == ("pays_throughout", (), None)
    never = find_crossing(evidence((-0.03, -0.03, -0.04, -0.05, -0.05)))
    assert never.kind == "never_pays"
    # Above 0 but below the margin that was set beforehand: it never pays.
    assert find_crossing(evidence((0.03, 0.03, 0.04, 0.05, 0.05)), margin=0.1).kind == "never_pays"


def test_one_size_on_the_fence_withholds_pays_throughout():
    found = find_crossing(evidence((0.0, 0.03, 0.04, 0.05, 0.05), seed=3))
    assert found.kind == "not_resolved"
    assert found.pieces and found.pieces[0].low_open and str(found.pieces[0]).startswith("<= 50")
    assert "contains 0 at 50" in found.reasons[0]


def test_a_gain_vanishes_only_by_equivalence_and_only_where_there_was_one():
    fading = evidence((0.08, 0.05, 0.03, 0.0, 0.0), seed=1)
    assert find_crossing(fading).kind == "not_resolved", "not significant is not equal"
    found = find_crossing(fading, equivalence=0.03)
    assert found.kind == "gain_vanished"
    assert "from 400 on" in found.reasons[1]
    assert find_crossing(fading, equivalence=0.001).kind == "not_resolved"
    flat = find_crossing(evidence((0.0, 0.0, 0.0, 0.0, 0.0), seed=1), equivalence=0.03)
    assert flat.kind == "not_resolved" and "within ±0.03" in flat.reasons[1]
    small = centred((0.0, 0.02, 0.02, 0.02, 0.02))
    assert find_crossing(small, equivalence=0.04).kind == "not_resolved", (
        "a gain must come before it vanishes"
    )
    back = evidence((0.08, 0.0, 0.0, 0.0, 0.06), seed=1)
    assert find_crossing(back, equivalence=0.03).kind == "not_resolved", "the largest size decides"


def test_open_ends_are_said_to_be_open():
    found = find_crossing(evidence((-0.06, -0.03, -0.02, -0.01, 0.004), draws=5))
    last = found.pieces[-1]
    assert last.high_open and last.high == 800 and str(last).endswith(">= 800")
    assert not last.low_open and not found.bounded


def test_named_ends_spare_the_correction_for_the_number_of_sizes():
    curve = (-0.012, -0.006, 0.0, 0.006, 0.012)
    settled = {"band": 0, "ends": 0}
    for seed in range(12):
        at = evidence(curve, seed=seed)
        settled["band"] += find_crossing(at).kind == "starts_paying"
        ends = find_crossing(at, named_ends=True)
        settled["ends"] += ends.kind == "starts_paying"
        if ends.kind == "starts_paying":
            assert [(b.size, b.level) for b in ends.bounds] == [(50, 0.95), (800, 0.95)]
    assert settled["ends"] > settled["band"]


def test_named_ends_leave_out_a_crossing_inside():
    inside = evidence((0.0, -0.06, -0.06, 0.06, 0.0), seed=5)
    assert find_crossing(inside).kind == "starts_paying"
    assert find_crossing(inside, named_ends=True).kind == "not_resolved"


def test_the_band_is_bonferroni_over_twice_the_sizes():
    at = evidence(RISING)
    bound = find_crossing(at).bounds[0]
    mean = paired_mean(at[0].differences)
    assert bound.level == pytest.approx(1 - 0.05 / 10)
    assert bound.upper == pytest.approx(mean.mean + stats.t.ppf(0.995, mean.df) * mean.se)


def test_few_draws_are_a_pilot_and_keep_their_kind():
    assert find_crossing(exact(RISING, draws=4)).pilot
    assert find_crossing(exact(RISING, draws=4)).kind == "starts_paying"
    assert not find_crossing(exact(RISING, draws=5)).pilot


def test_draws_over_half_of_the_pool_give_no_verdict():
    at = evidence(RISING)
    half = [SizeEvidence(e.size, e.differences, 0.5 * e.size / 800) for e in at]
    assert find_crossing(half).kind == "starts_paying"
    over = [SizeEvidence(e.size, e.differences, 0.51 * e.size / 800) for e in at]
    found = find_crossing(over)
    assert found.kind == "exploratory" and found.exploratory
    assert found.pieces and "size 800 uses 51%" in found.reasons[0] and len(found.reasons) == 1
    with pytest.raises(BadInput, match="f = 1"):
        find_crossing([*at[:-1], SizeEvidence(800, at[-1].differences, 1.0)])


def test_a_single_draw_gives_no_verdict_but_a_set():
    found = find_crossing(evidence(RISING, draws=1))
    assert found.kind == "exploratory" and found.pilot
    assert found.covers(np.sqrt(200 * 400)) and "single draw" in found.reasons[0]
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["means"][0]["draw_sd"] is None


def test_between_sizes_the_differences_are_interpolated_and_f_is_the_larger_neighbours():
    at = evidence(RISING, seed=2, overlap=0.1)
    at[3] = SizeEvidence(400, at[3].differences, 0.4)
    grid = size_grid(at)
    log_n = np.log2(260.0)
    w = log_n - np.log2(200)
    between = paired_mean((1 - w) * at[2].differences + w * at[3].differences, overlap=0.4)
    mean, variance, df = grid.at(np.array([log_n]))
    assert (mean[0], variance[0], df[0]) == pytest.approx((between.mean, between.variance, between.df))
    at_200 = paired_mean(at[2].differences, overlap=0.1)
    assert grid.at(np.array([np.log2(200)]))[1][0] == pytest.approx(at_200.variance)


def test_the_set_holds_what_the_test_does_not_reject():
    at = evidence(RISING, seed=4, noise=2.0)
    found = find_crossing(at)
    grid = size_grid(at)
    sizes = np.geomspace(50, 800, 997)
    mean, variance, df = grid.at(np.log2(sizes))
    accepted = np.abs(mean) <= stats.t.ppf(0.975, df) * np.sqrt(variance)
    said = np.array([found.covers(size) for size in sizes])
    assert 0 < accepted.sum() < len(sizes)
    assert (said == accepted).mean() > 0.99


def test_a_crossing_known_exactly_keeps_its_root_though_the_set_has_no_width():
    found = find_crossing(exact(RISING))
    assert len(found.pieces) == 1
    assert found.estimate == pytest.approx(np.sqrt(200 * 400))
    assert found.pieces[0].low == pytest.approx(found.pieces[0].high)
    assert found.covers(found.pieces[0].low)


def test_a_mean_on_the_margin_counts_once():
    through = find_crossing(exact((-0.02, -0.01, 0.0, 0.01, 0.02)))
    assert through.roots == (pytest.approx(200),) and through.estimate == pytest.approx(200)
    touching = find_crossing(exact((0.02, 0.01, 0.0, 0.01, 0.02)))
    assert touching.roots == () and touching.covers(200)
    resting = find_crossing(exact((-0.02, 0.0, 0.0, 0.0, 0.02)))
    assert resting.roots == (pytest.approx(200),) and resting.pieces[0][:2] == (100, 400)


@given(st.lists(st.floats(-0.1, 0.1), min_size=5, max_size=5), st.integers(0, 99), st.integers(2, 9))
def test_pieces_are_ordered_inside_the_grid_and_hold_every_root(curve, seed, draws):
    found = find_crossing(evidence(curve, seed, draws=draws, rows=12))
    ends = [end for piece in found.pieces for end in piece[:2]]
    assert ends == sorted(ends)
    assert all(50 <= end <= 800 for end in ends)
    for piece in found.pieces:
        assert piece.low_open == (piece.low == 50) and piece.high_open == (piece.high == 800)
    for root in found.roots:
        assert any(p.low - 1e-5 <= root <= p.high + 1e-5 for p in found.pieces)


@given(st.integers(0, 999), st.floats(-0.05, 0.05))
def test_a_higher_level_gives_a_wider_set(seed, margin):
    at = evidence(RISING, seed, rows=12, draws=5)
    narrow = find_crossing(at, margin, level=0.8)
    wide = find_crossing(at, margin, level=0.99)
    for piece in narrow.pieces:
        assert any(p.low <= piece.low + 0.5 and piece.high - 0.5 <= p.high for p in wide.pieces)


@given(st.integers(0, 999), st.floats(-0.5, 0.5))
def test_order_and_a_common_shift_do_not_matter(seed, shift):
    at = evidence((-0.02, 0.01, 0.02, -0.01, -0.02), seed, rows=12, draws=5)
    rng = np.random.default_rng(seed)
    draws, rows = rng.permutation(5), rng.permutation(12)
    moved = [SizeEvidence(e.size, e.differences[draws][:, rows] + shift) for e in at]
    one = find_crossing(at)
    other = find_crossing([moved[k] for k in rng.permutation(5)], margin=shift)
    assert (one.kind, one.sizes) == (other.kind, other.sizes)
    assert [p[:2] for p in one.pieces] == [pytest.approx(p[:2], rel=1e-4) for p in other.pieces]


def test_a_charge_for_cost_turns_a_gain_into_a_crossing():
    gain = evidence((0.05,) * 5)
    cost = [0.1, 0.5, 1.0, 4.0, 8.0]
    charged = [charge(e, np.full(8, c), price=0.02) for e, c in zip(gain, cost, strict=True)]
    assert find_crossing(gain).kind == "pays_throughout"
    found = find_crossing(charged)
    assert found.kind == "stops_paying" and 200 < found.estimate < 400


def test_costs_that_vary_by_draw_widen_the_set():
    gain = evidence(RISING)
    spread = np.linspace(-1, 1, 8)
    charged = [charge(e, spread, price=0.05) for e in gain]
    one, other = find_crossing(gain), find_crossing(charged)
    assert other.means[0].mean == pytest.approx(one.means[0].mean)
    assert other.means[0].draw_sd > 2 * one.means[0].draw_sd
    assert other.pieces[0].low < one.pieces[0].low and other.pieces[0].high > one.pieces[0].high


def test_grouped_rows_widen_the_set():
    at = evidence(RISING, rows=40)
    repeated = [SizeEvidence(e.size, np.repeat(e.differences, 5, axis=1)) for e in at]
    clusters = np.repeat(np.arange(40), 5)
    grouped = find_crossing(repeated, clusters=clusters)
    assert grouped.pieces[0] == pytest.approx(find_crossing(at).pieces[0])
    assert find_crossing(repeated).pieces[0].low > find_crossing(at).pieces[0].low


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda at: at[:1], "at least 2 different sizes"),
        (lambda at: [*at, at[0]], "at least 2 different sizes"),
        (
            lambda at: [*at[:-1], SizeEvidence(800, at[-1].differences[:5])],
            "leave out draws that lack a size",
        ),
        (lambda at: [*at[:-1], SizeEvidence(800, at[-1].differences[:, :5])], "test rows are the same"),
        (lambda at: [charge(at[0], np.ones(3), 1.0), *at[1:]], "one finite cost difference a draw"),
    ],
)
def test_evidence_that_cannot_be_paired_is_refused(change, told):
    at = evidence(RISING)
    with pytest.raises(BadInput, match=told):
        find_crossing(change(at))


@pytest.mark.parametrize("wrong", [{"level": 95}, {"margin": float("nan")}, {"equivalence": 0.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(BadInput, match="expected"):
        find_crossing(evidence(RISING), **wrong)
