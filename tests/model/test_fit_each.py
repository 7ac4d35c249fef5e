"""Tuning trials fitted together select what the plain loop over trials selects."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from crossover.data.corpus import Rows
from crossover.measure.scoring import selection_measure
from crossover.model.classifier import Classifier
from crossover.model.encoder.encoder import Encoder
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.probe import Probe
from crossover.protocol.selection.inside import Inside
from crossover.protocol.selection.rule import one_by_one
from crossover.protocol.selection.shared import Shared

CLASSES = ("ham", "news", "spam")
WORDS = {
    "ham": ["lunch", "home", "love", "later", "meeting"],
    "news": ["market", "election", "goal", "storm", "court"],
    "spam": ["free", "win", "cash", "prize", "claim"],
}


def rows(count: int, seed: int) -> Rows:
    """Texts of three classes that share half of their words."""
    draw = random.Random(seed)
    labels = [CLASSES[k % 3] for k in range(count)]
    every = [word for words in WORDS.values() for word in words]
    texts = [" ".join(draw.choices(WORDS[label], k=2) + draw.choices(every, k=4)) for label in labels]
    return Rows(texts, labels)


@pytest.fixture(params=["probe", "logistic_regression"])
def kind(request: pytest.FixtureRequest, tiny_model: Path) -> Callable[..., Classifier]:
    encoder = Encoder(str(tiny_model), max_length=32, token_budget=128)
    return {
        "probe": lambda **settings: Probe(encoder, **settings),
        "logistic_regression": lambda **settings: LogisticRegression(**settings),
    }[request.param]


@pytest.mark.parametrize("rule", [Inside(), Shared()], ids=["inside", "shared"])
@pytest.mark.parametrize("seed", range(4))
def test_the_winner_and_the_scores_are_those_of_the_plain_loop(
    kind: Callable[..., Classifier], rule: Inside | Shared, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def selected():
        def make(settings: Mapping[str, object]) -> Classifier:
            return kind(**settings)

        measure = selection_measure("macro_f1", CLASSES)
        return rule.select(make, rows(90, seed), CLASSES, rows(45, 100 + seed), 8, measure, seed)

    together = selected()
    monkeypatch.setattr(type(kind()), "fit_each", lambda self, *given: one_by_one(*given), raising=True)
    plain = selected()
    assert together.settings == plain.settings and len(plain.trials) == 8
    assert [t["settings"] for t in together.trials] == [t["settings"] for t in plain.trials]
    for one, other in zip(together.trials, plain.trials, strict=True):
        assert one.keys() == other.keys() and one["selected"] == other["selected"]
        # The metric of record agrees; the log loss behind it as well as two fits within tolerance can.
        assert one["score"][0] == other["score"][0]
        np.testing.assert_allclose(one["score"][1:], other["score"][1:], rtol=2e-3)
    held = rows(30, 500).texts
    np.testing.assert_allclose(together.model.predict_proba(held), plain.model.predict_proba(held), atol=1e-3)
    if isinstance(rule, Inside):
        np.testing.assert_array_equal(together.model.weights_, plain.model.weights_)
