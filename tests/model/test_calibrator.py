import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from crossover.data.bad_input import BadInput
from crossover.model.calibrator import CALIBRATORS, Beta, Isotonic, Platt, Temperature, Vector

EVERY = pytest.mark.parametrize("name", list(CALIBRATORS))


def drawn(rows, classes=3, sharpened=1.0, spread=2.0, seed=0):
    """True probabilities, those raised to a power, and labels drawn from the true ones."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(size=(rows, classes)) * spread
    truth = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    gold = (generator.random(rows)[:, None] >= truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return truth, powered(truth, sharpened), gold


def powered(p, power):
    return p**power / (p**power).sum(axis=1, keepdims=True)


def mean_log_loss(p, gold):
    return -np.log(p[np.arange(len(gold)), gold]).mean()


@EVERY
@pytest.mark.parametrize("classes", [2, 3, 8])
def test_rows_sum_to_one_and_stay_probabilities(name, classes):
    _, p, gold = drawn(600, classes, 2.0)
    found = CALIBRATORS[name]().fit(p, gold).apply(p)
    assert found.shape == p.shape
    assert found.sum(axis=1) == pytest.approx(np.ones(600))
    assert (found > 0.0).all() and (found <= 1.0).all()


@EVERY
@pytest.mark.parametrize("classes", [2, 4])
def test_calibrated_probabilities_change_little(name, classes):
    truth, _, gold = drawn(6000, classes, seed=3)
    fresh, _, labels = drawn(6000, classes, seed=4)
    found = CALIBRATORS[name]().fit(truth, gold).apply(fresh)
    step = name == "isotonic"  # a step curve of 6,000 rows is rougher than a smooth one
    assert np.abs(found - fresh).mean() < (0.02 if step else 0.008)
    assert mean_log_loss(found, labels) - mean_log_loss(fresh, labels) < (0.012 if step else 0.003)


@EVERY
@pytest.mark.parametrize("power", [2.5, 0.4])
def test_what_was_bent_is_bent_back(name, power):
    _, p, gold = drawn(4000, 3, power, seed=1)
    truth, stated, labels = drawn(4000, 3, power, seed=2)
    found = CALIBRATORS[name]().fit(p, gold).apply(stated)
    assert np.abs(found - truth).mean() < 0.25 * np.abs(stated - truth).mean()
    assert mean_log_loss(found, labels) < mean_log_loss(stated, labels) - 0.05
    assert mean_log_loss(found, labels) < mean_log_loss(truth, labels) + 0.025


@EVERY
def test_fitting_twice_gives_the_same_and_does_not_touch_the_input(name):
    _, p, gold = drawn(400, 3, 1.5)
    kept = p.copy()
    first = CALIBRATORS[name]().fit(p, gold)
    assert (first.apply(p) == CALIBRATORS[name]().fit(p, gold).apply(p)).all()
    order = np.random.default_rng(0).permutation(400)
    assert first.apply(p) == pytest.approx(CALIBRATORS[name]().fit(p[order], gold[order]).apply(p), abs=1e-6)
    assert (p == kept).all()
    json.dumps(first.parameters(), allow_nan=False)
    assert first.fitted_parameters >= 1


@EVERY
def test_classes_separated_without_an_error_leave_finite_probabilities(name):
    generator = np.random.default_rng(0)
    gold = np.arange(90) % 3
    p = np.full((90, 3), 0.1)
    p[np.arange(90), gold] = 0.8
    p = powered(p * generator.uniform(0.9, 1.1, p.shape), 1.0)
    found = CALIBRATORS[name]().fit(p, gold).apply(p)
    assert np.isfinite(found).all()
    assert (found.argmax(axis=1) == gold).all()
    # surer than before, yet not as sure as 90 rows cannot make anyone
    assert 0.85 < found.max(axis=1).mean() < 0.9999


@EVERY
def test_exact_zeros_and_ones_are_taken(name):
    truth, _, gold = drawn(300, 3)
    p = np.where(truth > 0.9, 1.0, np.where(truth < 0.05, 0.0, truth))
    p[p.max(axis=1) == 1.0] = np.eye(3)[p.argmax(axis=1)][p.max(axis=1) == 1.0]
    p /= p.sum(axis=1, keepdims=True)
    found = CALIBRATORS[name]().fit(p, gold).apply(np.vstack([p, np.eye(3)]))
    assert np.isfinite(found).all()
    assert np.isfinite(mean_log_loss(found[:300], gold))


@EVERY
def test_too_few_rows_a_missing_class_and_misuse_are_refused_with_the_reason(name):
    kind = CALIBRATORS[name]
    _, p, gold = drawn(200, 3)
    few = kind.fewest_rows - 1
    with pytest.raises(BadInput, match=f"{few} rows to fit on; expected at least {kind.fewest_rows}"):
        kind().fit(p[:few], gold[:few])
    with pytest.raises(BadInput, match="all 200 rows are of class column 1"):
        kind().fit(p, np.ones(200, dtype=np.int64))
    without = gold != 2
    if kind.fewest_of_class:
        with pytest.raises(BadInput, match=rf"class column 2 has 0 of the {without.sum()} rows"):
            kind().fit(p[without], gold[without])
    else:
        kind().fit(p[without], gold[without])
    with pytest.raises(BadInput, match="not fitted"):
        kind().apply(p)
    fitted = kind().fit(p, gold)
    with pytest.raises(BadInput, match="2 classes; expected the 3"):
        fitted.apply(np.full((4, 2), 0.5))
    with pytest.raises(BadInput, match="row 0"):
        fitted.apply(np.full((4, 3), 0.5))
    with pytest.raises(BadInput, match="row 5: gold column 3"):
        kind().fit(p, np.where(np.arange(200) == 5, 3, gold))
    assert len(fitted.apply(p[:0])) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 6.0))
def test_temperature_keeps_the_ranking(seed, power):
    _, p, gold = drawn(60, 4, power, seed=seed)
    found = Temperature().fit(p, gold).apply(p)
    ascending = np.argsort(p, axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(found, ascending, axis=1), axis=1) >= 0.0).all()
    assert (found.argmax(axis=1) == p.argmax(axis=1)).all()


def test_temperature_is_the_most_likely_one():
    _, p, gold = drawn(3000, 4, 2.5)
    fitted = Temperature().fit(p, gold)

    def lost(temperature):
        away = 1 / temperature - 1
        return mean_log_loss(powered(p, 1 / temperature), gold) * 3000 + 0.5 * away * away

    best = optimize.minimize_scalar(lost, bounds=(0.1, 20), method="bounded", options={"xatol": 1e-7}).x
    assert fitted.parameters()["temperature"] == pytest.approx(best, rel=1e-4)
    assert best == pytest.approx(2.5, rel=0.06)


def test_temperature_of_a_model_that_is_always_wrong_stays_finite():
    gold = np.arange(40) % 2
    p = np.where(np.eye(2)[gold] == 1, 0.1, 0.9)
    found = Temperature().fit(p, gold)
    assert found.parameters()["temperature"] == pytest.approx(100.0)
    assert found.apply(p) == pytest.approx(np.full((40, 2), 0.5), abs=0.01)
    nothing_said = np.full((40, 2), 0.5)
    assert Temperature().fit(nothing_said, gold).parameters()["temperature"] == pytest.approx(1.0)


def test_vector_scaling_is_a_multinomial_regression_on_the_logits():
    _, p, gold = drawn(2000, 3, 2.0)
    p = powered(p * [1.0, 2.0, 0.5], 1.0)
    found = Vector().fit(p, gold)
    assert (
        mean_log_loss(found.apply(p), gold) < mean_log_loss(Temperature().fit(p, gold).apply(p), gold) - 0.01
    )
    scale, shift = np.array(found.parameters()["scale"]), np.array(found.parameters()["shift"])
    scores = np.log(p) * scale + shift
    given = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert found.apply(p) == pytest.approx(given)
    # at the optimum each class's expected count is its count, but for the prior's pull
    assert given.sum(axis=0) - np.bincount(gold) == pytest.approx(-shift, abs=1e-3)


def test_platt_is_scikit_learns_sigmoid_on_the_log_odds():
    _, p, gold = drawn(500, 2, 2.0)

    class LogOdds:
        classes_ = np.array([0, 1])
        _estimator_type = "classifier"

        def fit(self, x, y):
            return self

        def decision_function(self, x):
            return x[:, 0]

        def predict(self, x):
            return (x[:, 0] > 0).astype(int)

        def __sklearn_tags__(self):
            return LogisticRegression().__sklearn_tags__()

        def __sklearn_is_fitted__(self):
            return True

        def get_params(self, deep=True):
            return {}

    odds = (np.log(p[:, 1]) - np.log(p[:, 0]))[:, None]
    oracle = CalibratedClassifierCV(FrozenEstimator(LogOdds()), method="sigmoid", cv=5, ensemble=False)
    expected = oracle.fit(odds, gold).predict_proba(odds)
    assert Platt().fit(p, gold).apply(p) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("ties", [False, True])
def test_isotonic_is_scikit_learns_above_its_floor(ties):
    _, p, gold = drawn(400, 2, 2.0)
    if ties:
        p = np.round(p, 1)
    fresh = np.linspace(0, 1, 301)
    fresh = np.column_stack([1 - fresh, fresh])
    oracle = IsotonicRegression(out_of_bounds="clip").fit(p[:, 1], gold == 1).predict(fresh[:, 1])
    floor = 1 / (2 * 402)
    found = Isotonic().fit(p, gold).apply(fresh)
    kept = (oracle > floor) & (oracle < 1 - floor)
    assert kept.sum() > 100
    assert found[kept, 1] == pytest.approx(oracle[kept])
    if not ties:
        assert found[:, 1].min() == pytest.approx(floor / (1 + floor))
    assert (np.diff(found[:, 1]) >= 0).all()


def test_beta_is_a_logistic_regression_on_two_logarithms():
    generator = np.random.default_rng(0)
    q = generator.beta(2, 2, 3000)
    a, b, c = 1.8, 0.6, 0.5
    gold = (generator.random(3000) < 1 / (1 + np.exp(-(a * np.log(q) - b * np.log(1 - q) + c)))).astype(int)
    p = np.column_stack([1 - q, q])
    found = Beta().fit(p, gold)
    columns = np.column_stack([np.log(q), -np.log(1 - q)])
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(columns, gold)
    assert found.apply(p)[:, 1] == pytest.approx(oracle.predict_proba(columns)[:, 1], abs=0.01)
    learned = [found.parameters()[letter][1] for letter in "abc"]
    assert learned == pytest.approx([a, b, c], abs=0.35)
    # the curve of class 0 is that of class 1 seen from the other side
    mirrored = [found.parameters()[letter][0] for letter in "bac"]
    assert [mirrored[0], mirrored[1], -mirrored[2]] == pytest.approx(learned, abs=1e-3)


def test_beta_never_falls():
    # labels that fall with the probability: the curve goes flat, it does not turn round
    generator = np.random.default_rng(0)
    q = generator.uniform(0.02, 0.98, 1000)
    gold = (generator.random(1000) < 1 - q).astype(int)
    given = Beta().fit(np.column_stack([1 - q, q]), gold).apply(np.column_stack([1 - q, q]))[:, 1]
    assert (np.diff(given[np.argsort(q)]) >= -1e-12).all()


def test_log_odds_near_certainty_are_read_from_the_small_side():
    # 1 - p is 0 in doubles beside 1e-17, the other columns are not
    p = np.array([[1.0, 1e-11, 0.0], [1.0, 1e-9, 0.0]])
    _, q, gold = drawn(300, 3)
    found = Platt().fit(q, gold).apply(p / p.sum(axis=1, keepdims=True))
    assert found[0, 0] > found[1, 0]
