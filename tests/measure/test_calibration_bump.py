"""The scans keep their level, find what is planted where it is planted, and pay for the search."""

import itertools

import numpy as np
import pytest
from scipy import optimize

from crossover.data.bad_input import BadInput
from crossover.measure import calibration_scan
from crossover.measure.calibration_bump import detectable_rows, global_scan, local_scan
from crossover.measure.calibration_map import BetaMap, fit_map, refit, softmax
from crossover.measure.calibration_null import simulate_labels


def stated(rows: int, classes: int = 3, seed: int = 0) -> np.ndarray:
    return softmax(1.6 * np.random.default_rng([1, seed]).standard_normal((rows, classes)))


def drawn(p: np.ndarray, seed: int = 0) -> np.ndarray:
    return simulate_labels(p, 1, np.random.default_rng([2, seed]))[:, 0].astype(np.int64)


def half_of(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([3, seed]).random(rows) < 0.5


def with_bump(p: np.ndarray, low: float, high: float, by: float) -> np.ndarray:
    truth, inside = p.copy(), (p[:, 1] >= low) & (p[:, 1] <= high)
    raised = np.minimum(p[inside, 1] + by, 1.0)
    truth[inside] *= ((1.0 - raised) / (1.0 - p[inside, 1]))[:, None]
    truth[inside, 1] = raised
    return truth


def by_hand(p: np.ndarray, gold: np.ndarray) -> float:
    """The maximum written out: every class, every pair of cut points of equal information."""
    best = 0.0
    for k in range(1 if p.shape[1] == 2 else 0, p.shape[1]):
        own = np.sort(p[:, k])
        information = np.cumsum(own * (1 - own))
        cuts = {-np.inf, np.inf}
        for i in range(1, 59):
            cuts.add(own[np.flatnonzero(information >= information[-1] * i / 59)[0]])
        for low, high in itertools.combinations(sorted(cuts), 2):
            inside = (p[:, k] >= low) & (p[:, k] < high)
            spread = (p[inside, k] * (1 - p[inside, k])).sum()
            if spread >= 5:
                best = max(best, abs(((gold[inside] == k) - p[inside, k]).sum()) / spread**0.5)
    return best


@pytest.mark.parametrize("classes", [2, 3])
def test_the_statistic_is_the_largest_over_all_classes_and_intervals(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = stated(400, classes)
    gold = drawn(p)
    seen = []
    whole = calibration_scan.largest

    def watched(*arguments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(whole(*arguments))
        return seen[-1]

    monkeypatch.setattr("crossover.measure.calibration_bump.largest", watched)
    scan = global_scan(p, gold, 99)
    assert seen[0][0][0] == pytest.approx(by_hand(p, gold))
    assert scan.where is not None and abs(scan.where.z) == pytest.approx(by_hand(p, gold))
    k = scan.where.class_index
    inside = (p[:, k] >= scan.where.low) & (p[:, k] <= scan.where.high)
    assert scan.where.rows == inside.sum()
    assert scan.where.observed == pytest.approx((gold[inside] == k).mean())
    assert scan.where.promised == scan.where.expected == pytest.approx(p[inside, k].mean())


def test_a_calibrated_model_is_accused_in_one_of_twenty() -> None:
    found = [global_scan(p := stated(250, seed=k), drawn(p, k), 99, k).rejects for k in range(200)]
    assert 2 <= sum(found) <= 20


def test_recalibration_is_told_from_a_bump() -> None:
    truth = stated(2_500)
    sure, gold = softmax(2.0 * np.log(truth)), drawn(truth)
    assert global_scan(sure[:1_500], gold[:1_500], 199).p_value == pytest.approx(1 / 200)
    bumps = 0
    for k in range(20):
        truth = stated(1_500, seed=k)
        sure, gold = softmax(2.0 * np.log(truth)), drawn(truth, k)
        local = local_scan(sure[:900], gold[:900], half_of(900, k), sure[900:], gold[900:], 99, k)
        assert local.beta is not None and np.allclose(local.beta.slopes, 0.5, atol=0.3)
        bumps += local.rejects
    assert bumps <= 4


@pytest.mark.parametrize("sharpened", [1.0, 1.8])
def test_a_bump_is_found_where_it_was_planted_and_confirmed(sharpened: float) -> None:
    p = stated(5_500)
    gold = drawn(with_bump(p, 0.4, 0.65, 0.3))
    said = softmax(sharpened * np.log(p))
    first = half_of(3_500)
    scan = local_scan(said[:3_500], gold[:3_500], first, said[3_500:], gold[3_500:], 199)
    assert (
        scan.is_bump and scan.located is not None and scan.confirmed is not None and scan.inside is not None
    )
    assert scan.located.class_index == 1 and scan.located.z > 4 and scan.confirmed.z > 2
    planted = (p[:3_500, 1] >= 0.4) & (p[:3_500, 1] <= 0.65)
    assert (scan.inside & planted).sum() > 0.7 * max(planted.sum(), scan.inside.sum())
    assert scan.located.rows == (scan.inside & first).sum()
    assert scan.confirmed.rows == (scan.inside & ~first).sum()
    seen = gold[:3_500][scan.inside & ~first] == 1
    assert scan.confirmed.observed == pytest.approx(seen.mean())


@pytest.mark.slow
@pytest.mark.parametrize("calibrate", [150, 1_000])
def test_the_local_scan_keeps_its_level_however_few_rows_the_map_has(calibrate: int) -> None:
    alarms = np.zeros(2)
    for k in range(150):
        truth = stated(800 + calibrate, seed=k)
        said, gold = softmax(1.8 * np.log(truth)), drawn(truth, k)
        scan = local_scan(said[:800], gold[:800], half_of(800, k), said[800:], gold[800:], 99, k)
        alarms += [scan.rejects, scan.confirm_p is not None and scan.confirm_p <= 0.05]
    assert (alarms <= 15).all(), "more of 150 at 5% happen once in a hundred"


def test_the_order_of_the_rows_changes_nothing() -> None:
    p, other = stated(600), stated(200, seed=5)
    gold, other_gold, first = drawn(p), drawn(other, 5), half_of(600)
    turned, back = np.random.default_rng(0).permutation(600), np.random.default_rng(1).permutation(200)
    assert global_scan(p, gold, 99) == global_scan(p[turned], gold[turned], 99)
    one = local_scan(p, gold, first, other, other_gold, 99)
    two = local_scan(p[turned], gold[turned], first[turned], other[back], other_gold[back], 99)
    assert (one.p_value, one.confirm_p) == (two.p_value, two.confirm_p)
    assert one.located is not None and two.located is not None and one.inside is not None
    assert one.located.rows == two.located.rows
    assert np.array_equal(one.inside[turned], two.inside)


def test_two_classes_are_scanned_once() -> None:
    p = stated(400, 2)
    scan = global_scan(p, drawn(p), 99)
    mirrored = global_scan(p[:, ::-1], 1 - drawn(p), 99)
    assert scan.where is not None and mirrored.where is not None
    assert scan.where.class_index == mirrored.where.class_index == 1
    assert abs(scan.where.z) == pytest.approx(abs(mirrored.where.z), rel=0.2)


def test_ties_stay_together() -> None:
    p = np.repeat([[0.2, 0.8], [0.8, 0.2]], 100, axis=0)
    scan = global_scan(p, np.zeros(200, dtype=np.int64), 99)
    assert scan.where is not None and scan.where.low == scan.where.high == 0.8
    assert scan.where.rows == 100 and scan.where.observed == 0.0 and scan.p_value == 0.01


def test_too_little_gives_a_reason_and_no_p() -> None:
    p = stated(15)
    few = global_scan(p, drawn(p), 99)
    assert few.p_value is None and "15 independent rows" in few.reason and not few.rejects
    sure = np.tile([1 - 1e-9, 1e-9], (300, 1))
    blind = global_scan(sure, np.zeros(300, dtype=np.int64), 99)
    assert blind.p_value is None and "too near 0 and 1" in blind.reason
    p = stated(100)
    alone = local_scan(p, drawn(p), half_of(100), p[:5], drawn(p)[:5], 99)
    assert alone.p_value is None and "5 calibrate rows" in alone.reason and not alone.is_bump
    with pytest.raises(BadInput, match="row 3"):
        global_scan(
            np.where(np.arange(30)[:, None] == 3, np.nan, 1 / 3) * np.ones((30, 3)), drawn(stated(30))
        )


def test_a_class_that_calibrate_lacks_leaves_the_map_finite() -> None:
    p, other = stated(300), stated(60)
    scan = local_scan(p, drawn(p), half_of(300), other, np.zeros(60, dtype=np.int64), 99)
    assert scan.p_value is not None and scan.beta is not None and np.isfinite(scan.beta.offsets).all()


def test_detectable_rows_by_hand() -> None:
    # (3.63 + .8416)^2 * .25 / .01 = 499.9: the figure that methods.md gives
    assert detectable_rows(3.63, 0.1) == 500
    assert detectable_rows(3.63, 0.2) == 125
    assert detectable_rows(3.63, 0.1, probability=0.9) == 180


def test_the_map_is_the_optimum_another_optimiser_finds() -> None:
    truth = stated(300, 3)
    p, gold = softmax(np.log(truth) * [2.0, 1.5, 1.0] + [0.5, 0.0, -0.5]), drawn(truth)
    found = fit_map(p, gold)

    def loss(weights: np.ndarray) -> float:
        mapped = softmax(np.log(p) * weights[:3] + weights[3:])
        prior = np.concatenate([weights[:3] - 1.0, weights[3:]])
        return float(-np.log(mapped[np.arange(300), gold]).sum() + 0.5 * prior @ prior)

    other = optimize.minimize(loss, np.array([1.0, 1, 1, 0, 0, 0]))
    assert np.allclose([*found.slopes, *found.offsets], other.x, atol=1e-3)


def test_refitting_many_at_once_is_fitting_each() -> None:
    p = stated(120, 4)
    fitted = BetaMap(np.array([0.8, 1.0, 1.2, 1.0]), np.array([0.2, 0.0, 0.0, -0.2]))
    labels = simulate_labels(fitted(p), 12, np.random.default_rng(0))
    slopes, offsets = refit(p, labels, fitted)
    for k in range(12):
        alone = fit_map(p, labels[:, k])
        assert np.allclose(slopes[k], alone.slopes, atol=0.05)
        assert np.allclose(offsets[k], alone.offsets, atol=0.05)


def test_the_derivatives_of_the_map_are_its_differences() -> None:
    p, fitted = stated(6, 3), BetaMap(np.array([0.8, 1.0, 1.3]), np.array([0.2, 0.0, -0.1]))
    gradients = list(fitted.gradients(p))
    for at in range(6):
        shift = np.zeros(6)
        shift[at] = 1e-6
        moved = BetaMap(fitted.slopes + shift[:3], fitted.offsets + shift[3:])
        for k in range(3):
            difference = (moved(p)[:, k] - fitted(p)[:, k]) / 1e-6
            assert np.allclose(gradients[k][:, at], difference, atol=1e-5)
