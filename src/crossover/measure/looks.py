"""Looks at one test part: the level that declared looks share, and how far looks can lead astray.

Looks declared beforehand are so many tests of one family: each interval at 1 - alpha/k, all k hold
together at 1 - alpha (Bonferroni). That says nothing of a question chosen after an earlier answer. An
analyst who follows the scores of k looks at n rows can end with a score too good by the order of
sqrt(k/n) (Dwork et al., NeurIPS 2015; Blum and Hardt, ICML 2015).
"""

from __future__ import annotations

import math

ALPHA = 0.05
"""What all declared looks share."""


def level_of(looks: int, alpha: float = ALPHA) -> float:
    """Coverage of each interval where ``looks`` were declared, all of which hold at 1 - ``alpha``.

    Raises:
        ValueError: fewer than 1 look.
    """
    if looks < 1:
        raise ValueError(f"{looks} looks: expected at least 1")
    return 1.0 - alpha / looks


def setting_of(looks: int) -> dict[str, int]:
    """``looks`` as a setting of a study: left out at 1, so that no study kept without it is renamed."""
    return {"looks": looks} if looks > 1 else {}


def adaptive_reach(looks: int, units: int) -> float:
    """sqrt(looks / units), at most 1: the order of what adaptive looks can add to an accuracy.

    ``units`` are independent test rows, or clusters of rows. For one look it is the order of the
    sampling error itself.
    """
    return min(1.0, math.sqrt(looks / max(units, 1)))


def percent(level: float) -> str:
    """A level as intervals are named by: ``95%``, ``99%``, ``99.5%``."""
    return f"{100 * level:.4g}%"
