"""The findings of a page as one family: Holm over those that rest on a test, the others untouched."""

import numpy as np
import pytest

from crossover.look.family import as_family
from crossover.look.finding import Finding


def tested(p: float) -> Finding:
    return Finding("seen", "warning", "something was seen", {"n": 3}, "mend it", p)


def test_only_what_stands_after_holm_keeps_its_severity() -> None:
    counted = Finding("counted", "warning", "no test behind it", {}, "mend it")
    found = as_family([tested(0.04), counted, tested(0.01), tested(0.02)])
    assert [one.severity for one in found] == ["warning"] * 4
    assert [one.evidence.get("p_holm") for one in found] == [0.04, None, 0.03, 0.04]


def test_what_does_not_stand_only_describes() -> None:
    (first, second) = as_family([tested(0.03), tested(0.04)])
    assert (first.severity, first.remedy, first.evidence["p_holm"]) == ("info", "", 0.06)
    assert second.evidence["n"] == 3


def test_pages_with_nothing_to_find_alarm_at_the_level() -> None:
    draw = np.random.default_rng(0)
    alarms = sum(
        any(one.severity == "warning" for one in as_family([tested(p) for p in draw.random(15)]))
        for _ in range(1000)
    )
    assert 25 <= alarms <= 65


def test_a_p_value_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"P 1\.5"):
        tested(1.5)
