"""Nested training subsets: one draw is one chain of subsets, each inside the next.

Every arm of a study reads the same chain, so that differences are paired by draw. Draws are
disjoint where rows allow (methods.md 1): the train part is cut into ``pools`` blocks, draw r
takes block r first and goes on into the other blocks in an order of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.split.split import Split

SCHEMES = ("natural", "per_class")


@dataclass(frozen=True)
class Subset:
    """Which rows of train: ``size`` rows (natural prevalence) or ``size`` a class, of one draw.

    With ``pools`` = D > 0, draws 0..D-1 share no row up to N/D rows each; 0 draws each chain
    independently from the whole part.
    """

    scheme: str
    size: int
    draw: int
    pools: int = 0

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise BadInput(f"subset scheme {self.scheme!r}: expected one of {SCHEMES}")
        if self.size < 1 or self.draw < 0 or self.pools < 0:
            raise BadInput(f"subset {self}: size must be at least 1, draw and pools at least 0")
        if self.pools and self.draw >= self.pools:
            raise BadInput(
                f"draw {self.draw} of {self.pools} disjoint pools: raise pools above the number of draws"
            )


def subset_ids(corpus: Corpus, split: Split, subset: Subset) -> tuple[str, ...]:
    """The ids of a subset of the train part, in drawing order.

    Raises:
        BadInput: fewer rows (or rows of a class) than asked.
    """
    labels = dict(zip(corpus.ids, corpus.labels, strict=True))
    if subset.scheme == "natural":
        return _chain(sorted(split.train), subset, "all")
    chosen: list[str] = []
    for name in sorted({str(labels[id_]) for id_ in split.train}):
        members = sorted(id_ for id_ in split.train if labels[id_] == name)
        chosen.extend(_chain(members, subset, f"class {name!r}"))
    return tuple(chosen)


def capped(ids: Sequence[str], most: int | None) -> tuple[str, ...]:
    """At most this many ids by a seeded draw: nested in ``most``, the same for every arm.

    The ids keep the order they had; None takes all.
    """
    if most is None or most >= len(ids):
        return tuple(ids)
    ordered = sorted(ids)
    kept = {ordered[k] for k in _permutation(len(ordered), "cap", 0)[:most]}
    return tuple(id_ for id_ in ids if id_ in kept)


def scored_ids(split: Split, train_ids: Sequence[str], cap: int | None) -> list[tuple[str, str]]:
    """(part, id) of every row a run predicts: its training rows and the three scored parts.

    ``cap`` bounds the test rows; the halves of validation are held to a quarter of it.
    """
    rows = [("train", id_) for id_ in train_ids]
    for part, most in (("select", cap and cap // 4), ("calibrate", cap and cap // 4), ("test", cap)):
        rows.extend((part, id_) for id_ in capped(split.parts[part], most))
    return rows


def ids_sha256(ids: Sequence[str]) -> str:
    """SHA-256 of the sorted ids, 64 hex: two arms trained on the same rows agree on it."""
    return hashlib.sha256("\n".join(sorted(ids)).encode("utf-8")).hexdigest()


def overlap_fraction(size: int, pool: int, pools: int) -> float:
    """f of methods.md 1: share of the pool a draw uses, 0 while draws of that size are disjoint."""
    return 0.0 if pools and size <= pool // pools else size / pool


def _chain(pool: list[str], subset: Subset, what: str) -> tuple[str, ...]:
    if subset.size > len(pool):
        raise BadInput(
            f"{subset.size} training rows were asked of {what}, the train part has {len(pool)}; "
            "ask for smaller sizes or a larger train share"
        )
    if not subset.pools:
        order = _permutation(len(pool), what, subset.draw)
    else:
        block = len(pool) // subset.pools
        shuffled = _permutation(len(pool), what, -1)
        start = subset.draw * block
        first = shuffled[start : start + block]
        others = np.concatenate([shuffled[:start], shuffled[start + block :]])
        order = np.concatenate([first, others[_permutation(len(others), what, subset.draw)]])
    return tuple(pool[k] for k in order[: subset.size])


def _permutation(count: int, what: str, draw: int) -> np.ndarray:
    # The seed is a hash, not hash(): the same on every machine and under any PYTHONHASHSEED.
    seed = int.from_bytes(hashlib.sha256(f"subset {what} {draw}".encode()).digest()[:8], "big")
    return np.random.Generator(np.random.PCG64(seed)).permutation(count)
