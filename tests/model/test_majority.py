"""Majority gives the shares of the classes, whatever the text."""

from __future__ import annotations

import numpy as np

from crossover.model.majority import Majority


def test_it_predicts_the_shares_of_train():
    model = Majority().fit(["a", "b", "c", "d"], ["x", "z", "x", "x"], ["x", "y", "z"])
    np.testing.assert_array_equal(model.predict_proba(["a", "whatever"]), [[0.75, 0, 0.25]] * 2)


def test_one_class_is_enough():
    assert Majority().fit(["a"], ["y"], ["x", "y"]).predict_proba(["b"]).tolist() == [[0.0, 1.0]]
