"""Family: the findings of one page as one family of tests, so that a clean corpus seldom alarms.

Fifteen audits at 5% each alarm on half of all clean corpora. Here every finding that rests on a test
keeps its severity only where it stands after Holm's correction over the page (Holm 1979): with valid
tests the chance of any false alarm on the page is at most the level, however they depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from crossover.look.finding import Finding
from crossover.measure.paired import holm

LEVEL = 0.05
"""Chance of any false alarm on a page."""


def as_family(findings: Iterable[Finding], level: float = LEVEL) -> list[Finding]:
    """The findings in their order; one whose P after Holm is above ``level`` only describes.

    Its severity becomes ``info`` and its remedy goes; ``evidence`` gains ``p_holm``. A finding
    without P, which counts rather than tests, stays as it is.
    """
    listed = list(findings)
    tested = {str(k): one.p_value for k, one in enumerate(listed) if one.p_value is not None}
    for place, p in holm(tested).items():
        one = replace(listed[int(place)], evidence={**listed[int(place)].evidence, "p_holm": p})
        listed[int(place)] = one if p <= level else replace(one, severity="info", remedy="")
    return listed
