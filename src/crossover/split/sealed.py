"""Sealed: a share of the rows set aside before anything else is cut, to be the next test part.

Scores that many decisions were read from no longer say how well the last of them would do on new
rows. A part that nobody has read still does. It is cut first, by the same allotment as the other
parts and with a seed of its own, so that another seed, fold or share of the other parts leaves it
where it is. It lies in reserve until scripts/unseal.py makes a split of which it is the test part.
"""

from __future__ import annotations

from collections.abc import Mapping

from crossover.data.bad_input import BadInput
from crossover.split.allotment import allot
from crossover.split.split import Split

SEED = 2**31 + 2
"""Of the draw of the sealed rows; no setting changes it."""


def set_aside(
    labels: Mapping[str, str],
    units: Mapping[str, str],
    share: float,
    tolerance: float,
    names: Mapping[str, str] | None = None,
) -> tuple[dict[str, str], list[str]]:
    """The labels of the rows that stay open, and the ids of the sealed ones; units whole, classes spread.

    Raises:
        BadInput: a share outside [0, 1), or as :func:`~crossover.split.allotment.allot`.
    """
    if not 0 <= share < 1:
        raise BadInput(f"split.sealed={share}: expected a share of the rows in [0, 1)")
    if not share:
        return dict(labels), []
    parts = allot(
        labels, units, {"open": 1 - share, "sealed": share}, [SEED], tolerance, ("open", "sealed"), names
    )
    return {id_: labels[id_] for id_ in parts["open"]}, parts["sealed"]


def rescaled(shares: Mapping[str, float], sealed: float) -> dict[str, float]:
    """Shares of all rows, ``train`` among them, as shares of the rows that stay open; they sum to 1."""
    if not sealed:
        return dict(shares)
    rest = {part: share / (1 - sealed) for part, share in shares.items() if part != "train"}
    return {"train": 1 - sum(rest.values()), **rest}


def opened(split: Split, because: str) -> Split:
    """A split whose test part is the sealed part; train, select and calibrate are unchanged.

    The test part that was read before goes to reserve.

    Raises:
        BadInput: nothing is sealed in it, or no reason is given.
    """
    if not because.strip():
        raise BadInput("because= says why the sealed part is opened: it can be opened once, and stays noted")
    if not split.sealed:
        raise BadInput(
            f"split {split.fingerprint} has no sealed part; one is cut in advance with split.sealed=0.1"
        )
    recipe = dict(split.recipe)
    reserve = {**dict(recipe.get("reserve", {})), "test part before": len(split.test)}  # type: ignore[call-overload]
    reserve.pop("sealed", None)
    obtained = {part: len(ids) for part, ids in split.parts.items()}
    recipe |= {
        "opened_from": split.fingerprint,
        "because": because,
        "reserve": reserve,
        "obtained": {**obtained, "test": len(split.sealed)},
    }
    return Split(split.corpus, {**split.parts, "test": split.sealed}, split.groups, recipe)
