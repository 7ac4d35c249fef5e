"""Grouped: whole groups (one author, one module) and their duplicates on one side of the cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.split.allotment import allot, four_parts
from crossover.split.clusters import (
    clusters_of_parts,
    declared_groups,
    duplicate_groups,
    group_columns,
    join,
    keep_in_last,
    labelled,
)
from crossover.split.finish import check_seen, finish
from crossover.split.sealed import rescaled, set_aside
from crossover.split.split import Split

STRADDLING = ("auto", "union", "reserve")

LARGEST_UNION = 0.1
"""Share of the rows up to which ``auto`` lets duplicates join groups into one."""


class Grouped:
    """Group split, stratified as far as the groups allow.

    Args:
        by: declared meta columns; rows that share a value of any of them stay together. None:
            every column declared as a group. Empty: duplicates only.
        test: share of the labelled rows.
        validation: share of the labelled rows, halved into select and calibrate.
        seed: of the draw.
        group_duplicates: ``near``, ``normalised`` or ``none``, see Stratified.
        straddling: what becomes of duplicates that lie in several groups. ``union``: their
            groups are joined, which loses no row but on templated text can join half a corpus
            into one. ``reserve``: the copies outside the last part that they reach (test last)
            are put in reserve. ``auto``: union while no joined group exceeds a tenth of the
            rows, else reserve; the recipe says which.
        threshold: Jaccard similarity of near-duplicates.
        tolerance: by how much of the rows asked a part may differ, before copies are reserved.
        sealed: share of the labelled rows set aside as the next test part, see sealed.py.
    """

    def __init__(
        self,
        by: list[str] | None = None,
        test: float = 0.2,
        validation: float = 0.1,
        seed: int = 0,
        group_duplicates: str = "near",
        straddling: str = "auto",
        threshold: float = 0.5,
        tolerance: float = 0.1,
        sealed: float = 0.0,
    ) -> None:
        self.by = by
        self.test = test
        self.validation = validation
        self.seed = seed
        self.group_duplicates = group_duplicates
        self.straddling = straddling
        self.threshold = threshold
        self.tolerance = tolerance
        self.sealed = sealed

    def split(self, corpus: Corpus) -> Split:
        """Cut the corpus.

        Raises:
            BadInput: one group only, a group larger than every part (by name), a class in too
                few groups, or sizes beyond the tolerance, asked against obtained.
        """
        shares = four_parts(self.test, self.validation, self.sealed)
        labels = labelled(corpus)
        declared = declared_groups(corpus, labels, group_columns(corpus, self.by))
        copies = duplicate_groups(corpus, labels, self.group_duplicates, self.threshold)
        units, joined = group_units(labels, declared, copies, self.straddling)
        names = group_names(units, declared)
        rows, sealed = set_aside(labels, units, self.sealed, self.tolerance, names)
        parts = allot(rows, units, rescaled(shares, self.sealed), [self.seed], self.tolerance, names=names)
        parts, straddling = keep_in_last({**parts, "sealed": sealed}, copies)
        parts, _ = check_seen(labels, parts, "refuse")
        return finish(
            corpus,
            parts,
            clusters_of_parts(parts, error_clusters(declared, copies, joined)),
            method="grouped",
            settings={**vars(self), "straddling": joined},
            asked=shares,
            reserve={
                "unlabelled": len(corpus) - len(labels),
                "copies of rows in a later part": straddling,
            },
        )


def group_units(
    labels: Mapping[str, str],
    declared: Sequence[Mapping[str, str]],
    copies: Mapping[str, str],
    straddling: str,
) -> tuple[dict[str, str], str]:
    """What is drawn as one, and whether duplicates joined groups (``union``) or not (``reserve``).

    Raises:
        BadInput: an unknown way to treat duplicates between groups.
    """
    if straddling not in STRADDLING:
        raise BadInput(f"split.straddling={straddling!r}: expected one of {STRADDLING}")
    if not declared or straddling != "reserve":
        units = join(labels, [*declared, copies])
        largest = max(Counter(units.values()).values())
        if not declared or straddling == "union" or largest <= LARGEST_UNION * len(units):
            return units, "union"
    return join(labels, declared), "reserve"


def error_clusters(
    declared: Sequence[Mapping[str, str]], copies: Mapping[str, str], joined: str
) -> list[Mapping[str, str]]:
    """Groupings over which errors are taken: the joined groups, or under ``reserve`` the declared ones.

    Under ``reserve`` the groups of one part that share copies are not joined: that would make one
    cluster of a third of the rows, over which no variance can be estimated.
    """
    if joined == "union":
        return [*declared, copies]
    grouped = {id_ for grouping in declared for id_ in grouping}
    return [*declared, {id_: name for id_, name in copies.items() if id_ not in grouped}]


def group_names(units: Mapping[str, str], declared: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The most frequent declared group of each unit, and how many more it joins."""
    inside: dict[str, Counter[str]] = {}
    for grouping in declared:
        for id_, name in grouping.items():
            inside.setdefault(units[id_], Counter())[name] += 1
    names = {}
    for unit, counts in inside.items():
        first = min(counts, key=lambda name: (-counts[name], name))
        names[unit] = first if len(counts) == 1 else f"{first} (joined with {len(counts) - 1:,} more)"
    return names
