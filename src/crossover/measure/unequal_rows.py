"""Rows drawn with unequal probabilities: a plain mean of them is no estimate, and is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crossover.data.bad_input import BadInput


def refuse_plain_mean(inclusion: Sequence[float | None], where: str) -> None:
    """Refuse rows whose inclusion probabilities differ, or are known of some only.

    Raises:
        BadInput: naming the estimators that serve instead.
    """
    known = [value for value in inclusion if value is not None]
    if not known or (len(known) == len(inclusion) and math.isclose(min(known), max(known), rel_tol=1e-9)):
        return
    told = (
        f"were drawn with probabilities from {min(known):.4g} to {max(known):.4g}"
        if len(known) == len(inclusion)
        else f"have an inclusion probability in {len(known):,} of {len(inclusion):,} cases"
    )
    raise BadInput(
        f"{where}: its rows {told}, so their plain mean estimates nothing. Estimate with python "
        "scripts/estimate.py FILE --method hajek, horvitz_thompson or bootstrap; for runs and studies test "
        "on rows drawn uniformly and keep these for training (split=predefined)"
    )
