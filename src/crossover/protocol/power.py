"""Power: the smallest difference a test part and a number of draws can show (Card et al. 2020).

Asked before a study from stated assumptions, and printed with every verdict. Observed effects are
never put in their own power: after a study only its standard error enters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from crossover.data.bad_input import BadInput

LEVEL, POWER = 0.95, 0.8
DISAGREEMENT = 0.1
"""Share of test rows on which two arms are assumed to differ, one right and one wrong."""
DRAW_SD = 0.01
"""Standard deviation of the paired difference over training draws that is assumed, as a share."""


@dataclass(frozen=True)
class Power:
    """What a design can show: ``smallest`` is the paired difference in accuracy found at ``power``."""

    test_units: int
    draws: int
    disagreement: float
    draw_sd: float
    smallest: float
    level: float = LEVEL
    power: float = POWER

    @property
    def sentence(self) -> str:
        """The answer in words, with what it assumes."""
        over = f"{self.draws} training draws" if self.draws > 1 else "one training set (no other counted)"
        spread = f", and the difference varies by {100 * self.draw_sd:.1f} points (SD) between draws"
        return (
            f"{self.test_units:,} independent test rows and {over} show a difference of "
            f"{100 * self.smallest:.1f} points in accuracy {self.power:.0%} of the time, if two arms differ "
            f"on {self.disagreement:.0%} of rows{spread if self.draws > 1 else ''}"
            + (f" (tested at {100 * self.level:.4g}%)" if self.level != LEVEL else "")
        )

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**vars(self), "sentence": self.sentence}


def planned(
    test_units: int,
    draws: int,
    disagreement: float = DISAGREEMENT,
    draw_sd: float = DRAW_SD,
    level: float = LEVEL,
) -> Power:
    """The smallest paired difference a design finds, from assumptions made before it is run.

    A row on which the arms differ contributes +1 or -1: the mean over m rows has variance
    disagreement / m (McNemar's), and R draws add draw_sd² / R. The rows are the same in every draw,
    so their part does not shrink with R. Degrees of freedom by Satterthwaite.

    Args:
        test_units: test rows, or clusters of rows where grouped.
        draws: training draws; with one the spread between draws is left out.
        disagreement: share of rows on which exactly one of the two arms is right.
        draw_sd: standard deviation of the paired difference between draws.
        level: of the two-sided test.

    Raises:
        BadInput: a count below 1, or a share outside (0, 1].
    """
    if test_units < 2 or draws < 1 or not 0 < disagreement <= 1 or not 0 <= draw_sd < 1:
        raise BadInput(
            f"power of {test_units} test rows, {draws} draws, disagreement {disagreement}, "
            f"draw SD {draw_sd}: expected at least 2 rows and 1 draw, a share in (0, 1], an SD in [0, 1)"
        )
    of_rows = disagreement / test_units
    of_draws = draw_sd**2 / draws if draws > 1 else 0.0
    df = (of_rows + of_draws) ** 2 / (
        of_rows**2 / (test_units - 1) + (of_draws**2 / (draws - 1) if of_draws else 0.0)
    )
    smallest = detectable(float(np.sqrt(of_rows + of_draws)), df, level)
    return Power(test_units, draws, disagreement, draw_sd, min(smallest, 1.0), level)


def detectable(error: float, df: float, level: float = LEVEL, power: float = POWER) -> float:
    """The true difference that a two-sided t test at ``level`` finds with probability ``power``.

    By the noncentral t distribution, given the standard error and its degrees of freedom; 0 where
    the error is 0.
    """
    if error == 0:
        return 0.0
    bound = stats.t.ppf(0.5 + level / 2, df)
    # The noncentral t as a mean of normals over the spread of the estimated error: SciPy's own gives
    # nan where df is near 1 and the shift large.
    ratio = np.sqrt(stats.chi2.ppf((np.arange(2_000) + 0.5) / 2_000, df) / df)

    def short(shift: float) -> float:
        found = stats.norm.sf(bound * ratio - shift) + stats.norm.cdf(-bound * ratio - shift)
        return float(found.mean()) - power

    high = float(bound) + 2.0
    while short(high) < 0:
        high *= 2
    return error * float(optimize.brentq(short, 0.0, high, xtol=1e-6))
