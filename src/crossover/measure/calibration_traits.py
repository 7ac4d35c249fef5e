"""What sets the rows of a bump apart: words and meta values named on one half, confirmed on the other.

Two contrasts: the rows inside against those outside (who are they?), and among the rows inside those that
the model did not expect against the others (what does it miss?). A trait is named on the first half for its
log-odds; on the second half its P is Fisher's exact one, one-sided in the direction named, corrected by Holm
over all that were named.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from crossover.measure.paired import holm
from crossover.measure.words_apart import LONGEST, words_apart

Mask = NDArray[np.bool_]
_WORD = re.compile(r"\w\w+")
Column = tuple[str, Sequence[object]]
"""Kind of a meta column, as the corpus declares it, and its value of each row."""

FEWEST = 5
"""Rows of the first half that must hold a trait, and rows that each side of a contrast needs."""
MOST = 10
"""Words, and meta values, named for each contrast."""
LEVEL = 0.05
CONTRASTS = ("inside against outside", "unexpected against expected, inside")


@dataclass(frozen=True)
class Trait:
    """A word or meta value: how many rows of the second half hold it on either side, and its P there.

    ``kind`` is "word" or the kind of the meta column.
    """

    contrast: str
    kind: str
    trait: str
    held: int
    of: int
    held_other: int
    of_other: int
    p: float
    holm_p: float

    @property
    def confirmed(self) -> bool:
        """Whether the second half confirms it, Holm's P at 5%."""
        return self.holm_p <= LEVEL

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**asdict(self), "confirmed": self.confirmed}


def traits_apart(
    inside: Mask,
    unexpected: Mask,
    first_half: Mask,
    texts: Sequence[str],
    meta: Mapping[str, Column] | None = None,
) -> list[Trait]:
    """Traits of n rows, the confirmed first.

    Args:
        inside: (n,) rows of the bump.
        unexpected: (n,) rows whose outcome is of the kind the bump has too many of.
        first_half: (n,) rows on which traits are named; the others confirm.
        texts: of the rows.
        meta: column -> (kind, values of the rows).
    """
    named: list[tuple[str, str, str, Mask, Mask, Mask]] = []
    for contrast, side, other in (
        (CONTRASTS[0], inside, ~inside),
        (CONTRASTS[1], inside & unexpected, inside & ~unexpected),
    ):
        if min((side & first_half).sum(), (other & first_half).sum()) < FEWEST:
            continue
        for kind, trait, holds in (
            *_words(side & first_half, other & first_half, texts),
            *_meta_values(side & first_half, other & first_half, meta or {}),
        ):
            named.append((contrast, kind, trait, holds, side & ~first_half, other & ~first_half))
    found = [_tested(*one) for one in named]
    adjusted = holm({str(k): trait.p for k, trait in enumerate(found)})
    told = [Trait(**{**asdict(one), "holm_p": adjusted[str(k)]}) for k, one in enumerate(found)]
    return sorted(
        told, key=lambda one: (not one.confirmed, one.contrast, one.holm_p, one.p, one.kind, one.trait)
    )


def _tested(contrast: str, kind: str, trait: str, holds: Mask, side: Mask, other: Mask) -> Trait:
    held, held_other = int((holds & side).sum()), int((holds & other).sum())
    of, of_other = int(side.sum()), int(other.sum())
    p = float(stats.hypergeom.sf(held - 1, of + of_other, held + held_other, of))
    return Trait(contrast, kind, trait, held, of, held_other, of_other, min(1.0, p), 1.0)


def _words(side: Mask, other: Mask, texts: Sequence[str]) -> list[tuple[str, str, Mask]]:
    """Words more frequent on this side of the first half, and which rows of all hold them."""
    here, there = ([texts[k] for k in np.flatnonzero(mask).tolist()] for mask in (side, other))
    words = [word.word for word in words_apart(here, there, most=4 * MOST, permutations=0) if word.z > 0][
        :MOST
    ]
    if not words:
        return []
    held = [set(_WORD.findall(text[:LONGEST].lower())) for text in texts]
    return [("word", word, np.array([word in own for own in held], dtype=np.bool_)) for word in words]


def _meta_values(side: Mask, other: Mask, meta: Mapping[str, Column]) -> list[tuple[str, str, Mask]]:
    """Meta values more frequent on this side of the first half, by log-odds over their standard error."""
    scored = []
    for name, (kind, values) in sorted(meta.items()):
        for trait, holds in _traits_of(name, kind, values, side | other):
            counts = [
                (float((holds & mask).sum()) + 0.5, float((~holds & mask).sum()) + 0.5)
                for mask in (side, other)
            ]
            (a, b), (c, d) = counts
            z = (np.log(a / b) - np.log(c / d)) / np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
            if z > 0 and (holds & (side | other)).sum() >= FEWEST:
                scored.append((-float(z), kind, trait, holds))
    scored.sort(key=lambda one: one[:3])
    return [(kind, trait, holds) for _, kind, trait, holds in scored[:MOST]]


def _traits_of(name: str, kind: str, values: Sequence[object], first: Mask) -> list[tuple[str, Mask]]:
    """The yes-or-no traits of one column: frequent values, or either side of the median on the first half."""
    if kind == "votes":
        return [
            (f"{name}: annotators disagree", np.array([_disagree(value) for value in values], dtype=np.bool_))
        ]
    known = np.array([value is not None and value != "" for value in values], dtype=np.bool_)
    if kind in ("number", "time"):
        ordered = sorted(values[k] for k in np.flatnonzero(known & first).tolist())  # type: ignore[type-var]
        if not ordered:
            return []
        middle = ordered[len(ordered) // 2]
        if middle == ordered[0]:  # half of the rows or more hold the least value
            middle = next((value for value in ordered if value != middle), middle)
        above = np.array([bool(k and value >= middle) for k, value in zip(known, values, strict=True)])  # type: ignore[operator]
        shown = f"{middle:g}" if isinstance(middle, float) else str(middle)
        return [(f"{name} from {shown} on", above), (f"{name} before {shown}", known & ~above)]
    counts = Counter(str(values[k]) for k in np.flatnonzero(known & first).tolist())
    frequent = sorted(value for value, count in counts.items() if count >= FEWEST)
    return [
        (f"{name} = {value}", np.array([str(own) == value for own in values], dtype=np.bool_))
        for value in frequent
    ]


def _disagree(votes: object) -> bool:
    """Whether a row's votes, a JSON object of annotator and label, name two labels."""
    try:
        given = json.loads(str(votes)) if votes else {}
    except ValueError:
        return False
    return isinstance(given, dict) and len({str(label) for label in given.values()}) > 1
