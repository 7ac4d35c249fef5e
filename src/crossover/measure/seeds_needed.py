"""How many seeds or draws show a difference of d, planned from a standard deviation (methods.md 2).

Power of the t test by the noncentral t distribution, at an upper limit of the standard deviation:
planning at the observed one misses its aim about half of the time, and "observed power" says nothing
that the P value does not (Hoenig and Heisey, Am. Statist. 55, 2001).
"""

from __future__ import annotations

import math

from scipy import special, stats

from crossover.data.bad_input import BadInput

MOST = 10_000
"""More runs than this is no plan."""
POWER, LEVEL = 0.8, 0.95
CERTAIN = 50.0
"""A noncentrality from which the power is 1 to four digits, even on one degree of freedom."""
FAR = 6.0
"""One from which the chance of the wrong sign is below 1e-9; scipy gives NaN for some such tails."""


def power(runs: int, difference: float, sd: float, paired: bool = False, level: float = LEVEL) -> float:
    """Chance that the two-sided t test of ``runs`` runs an arm sees a true difference.

    ``sd`` is that of one run, or of one paired difference where ``paired``.
    """
    degrees = runs - 1 if paired else 2 * (runs - 1)
    shift = abs(difference) / sd * math.sqrt(runs if paired else runs / 2)
    if shift > CERTAIN:
        return 1.0
    critical = float(special.stdtrit(degrees, (1 + level) / 2))
    wrong = 0.0 if shift > FAR else float(stats.nct.cdf(-critical, degrees, shift))
    return float(stats.nct.sf(critical, degrees, shift)) + wrong


def runs_needed(difference: float, sd: float, paired: bool = False, wanted: float = POWER) -> int | None:
    """Fewest runs an arm (or pairs) whose test has the wanted power; None beyond :data:`MOST`.

    Raises:
        BadInput: the difference or the standard deviation is not above 0.
    """
    if not (0 < difference < math.inf and 0 < sd < math.inf):
        raise BadInput(
            f"runs needed for a difference of {difference!r} at a standard deviation of {sd!r}: "
            "expected both to be finite and above 0"
        )
    short, enough = 1, 2
    while power(enough, difference, sd, paired) < wanted:
        if enough == MOST:
            return None
        short, enough = enough, min(2 * enough, MOST)
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (
            (short, middle) if power(middle, difference, sd, paired) >= wanted else (middle, enough)
        )
    return enough
