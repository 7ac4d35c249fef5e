"""Browse: which rows are put before a reader, and why each of them.

Plain columns in, row numbers out. With a model's predictions also the rows it is most wrong about, least
sure of, and those on which two models part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from crossover.look.finding import Finding

KINDS = ("random", "worst", "boundary", "disagreed", "finding", "oddest", "longest", "duplicate")
"""Why a row is shown: drawn by chance; the highest loss; the smallest margin; most disagreed on; evidence of
a finding; furthest from the others; longest; one of a cluster of copies."""

FEW_COPIES = 5
"""Rows of one cluster of copies among those picked as duplicates."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Said:
    """What a model said of some rows: ``rows`` (m,) row numbers, ``gold`` (m,) columns of the right
    classes, ``probabilities`` (m, classes)."""

    rows: NDArray[np.int64]
    gold: NDArray[np.int64]
    probabilities: Numbers

    @property
    def loss(self) -> Numbers:
        """(m,) -log of the right class's probability, in nats; at most 690."""
        right = self.probabilities[np.arange(len(self.gold)), self.gold]
        return -np.log(np.maximum(right, 1e-300))

    @property
    def margin(self) -> Numbers:
        """(m,) the largest probability less the second."""
        ordered = np.sort(self.probabilities, axis=1)
        margin: Numbers = ordered[:, -1] - (ordered[:, -2] if ordered.shape[1] > 1 else 0.0)
        return margin

    @property
    def right(self) -> NDArray[np.bool_]:
        """(m,) whether the most probable class is the right one."""
        hit: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.gold
        return hit


@dataclass(frozen=True, eq=False)
class Parted:
    """Two models on the rows both speak of: ``rows`` (m,), ``difference`` (m,) half the summed absolute
    difference of their probabilities (0 to 1), ``one_right`` (m,) whether exactly one of them is right."""

    rows: NDArray[np.int64]
    difference: Numbers
    one_right: NDArray[np.bool_]


@dataclass(frozen=True)
class Browsed:
    """``rows`` in the order they are shown; ``kinds`` says why each, ``codes`` the findings it speaks for.

    ``drawn`` is how many rows the random sample has: the rows of kind ``random`` are a uniform sample of
    all rows, whatever else is shown.
    """

    rows: tuple[int, ...]
    kinds: Mapping[int, tuple[str, ...]]
    codes: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    drawn: int = 0


def browse(
    characters: NDArray[np.generic],
    odd: Numbers,
    cluster_of: Mapping[int, str],
    evidence: Mapping[int, Sequence[str]],
    said: Said | None = None,
    parted: Parted | None = None,
    rows: int = 2_000,
    each: int = 100,
    seed: int = 0,
) -> Browsed:
    """Pick up to ``each`` rows of every kind, then fill up to ``rows`` by chance; all if fewer.

    Args:
        characters: (n,) length of each text.
        odd: (n,) oddness of each text (oddness.py).
        cluster_of: row -> name of its cluster of copies, for rows that have copies.
        evidence: row -> codes of the findings it is evidence of.

    The kinds take turns, so that none is squeezed out where ``rows`` is small. Order: the random sample
    first, as that is what to read first. Ties go to the earlier row. Deterministic given ``seed``.
    """
    n = len(characters)
    shuffled = np.random.default_rng(seed).permutation(n).tolist()
    picked = {
        "random": shuffled[:each],
        "worst": [] if said is None else said.rows[_largest(said.loss, each)].tolist(),
        "boundary": [] if said is None else said.rows[_largest(-said.margin, each)].tolist(),
        "disagreed": [] if parted is None else parted.rows[_parting(parted, each)].tolist(),
        "finding": sorted(evidence)[:each],
        "oddest": _largest(odd, each).tolist(),
        "longest": _largest(np.asarray(characters, np.float64), each).tolist(),
        "duplicate": _copies(cluster_of, each),
    }
    turns = [row for turn in zip_longest(*picked.values()) for row in turn if row is not None]
    chosen = list(dict.fromkeys([*turns, *shuffled]))[:rows]
    kept = set(chosen)
    kinds: dict[int, list[str]] = {row: [] for row in chosen}
    for kind in KINDS:
        for row in picked[kind]:
            if row in kept:
                kinds[row].append(kind)
    first = [row for row in picked["random"] if row in kept]
    rest = [row for row in chosen if "random" not in kinds[row]]
    return Browsed(
        (*first, *rest),
        {row: tuple(names) for row, names in kinds.items()},
        {row: tuple(codes) for row, codes in evidence.items() if row in kept},
        len(first),
    )


def parted(one: Said, other: Said) -> Parted:
    """The rows of ``one`` that ``other`` speaks of too, in the order of ``one``."""
    place = {int(row): k for k, row in enumerate(other.rows)}
    mine = np.array([k for k, row in enumerate(one.rows.tolist()) if row in place], np.int64)
    theirs = np.array([place[int(one.rows[k])] for k in mine], np.int64)
    difference = 0.5 * np.abs(one.probabilities[mine] - other.probabilities[theirs]).sum(axis=1)
    return Parted(one.rows[mine], difference, one.right[mine] != other.right[theirs])


def evidence_rows(findings: Iterable[Finding], row_of: Mapping[str, int]) -> dict[int, tuple[str, ...]]:
    """Row -> codes of the findings whose evidence names its id under ``first``, ``ids`` or ``cluster``."""
    codes: dict[int, list[str]] = {}
    for finding in findings:
        named = [finding.evidence.get(key) for key in ("first", "ids", "cluster")]
        for id_ in dict.fromkeys(_strings(named)):
            if id_ in row_of and finding.code not in codes.setdefault(row_of[id_], []):
                codes[row_of[id_]].append(finding.code)
    return {row: tuple(names) for row, names in sorted(codes.items())}


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (str(key) for key in value)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _strings(entry)


def _largest(values: Numbers, count: int) -> NDArray[np.int64]:
    return np.argsort(-values, kind="stable")[:count].astype(np.int64)


def _parting(two: Parted, count: int) -> NDArray[np.int64]:
    """Rows that only one gets right first, each kind by the size of the difference."""
    order = np.lexsort((-two.difference, ~two.one_right))
    return order[:count].astype(np.int64)


def _copies(cluster_of: Mapping[int, str], count: int) -> list[int]:
    """The largest clusters first, their rows together; of one cluster no more than a few."""
    members: dict[str, list[int]] = {}
    for row, name in sorted(cluster_of.items()):
        members.setdefault(name, []).append(row)
    ordered = sorted(members.values(), key=lambda rows: (-len(rows), rows[0]))
    return [row for rows in ordered for row in rows[:FEW_COPIES]][:count]
