"""A claim made beforehand is held against the interval of the lead, and nothing else."""

import pytest

from crossover.data.bad_input import BadInput
from crossover.protocol.hypothesis import Hypothesis, outcome

CLAIM = Hypothesis("probe", "tfidf", margin=0.01, size=400)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.02, 0.05, "supported"),
        (-0.03, 0.005, "contradicted"),
        (0.0, 0.03, "not_decided"),
        (0.01, 0.03, "not_decided"),
    ],
)
def test_the_interval_decides(low: float, high: float, word: str) -> None:
    found = outcome(CLAIM, {"mean": (low + high) / 2, "low": low, "high": high})
    assert found["outcome"] == word and f"{100 * low:+.1f}" in str(found["answer"])


def test_a_lead_that_was_not_measured_decides_nothing() -> None:
    assert outcome(CLAIM, None)["outcome"] == "not_measured"


def test_the_claim_is_told_in_words() -> None:
    assert CLAIM.sentence == "probe is better than tfidf by more than 1.0 points at 400 rows"
    assert Hypothesis("a", "b").sentence == "a is better than b"


def test_a_claim_about_one_arm_or_in_points_is_refused() -> None:
    with pytest.raises(BadInput, match="name two arms"):
        Hypothesis("a", "a")
    with pytest.raises(BadInput, match=r"\.01 is one point"):
        Hypothesis("a", "b", margin=2.0)
