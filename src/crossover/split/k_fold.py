"""K-fold: k parts of equal size, each the test part once; every fold shares one partition."""

from __future__ import annotations

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.split.allotment import allot
from crossover.split.clusters import (
    clusters_of_parts,
    declared_groups,
    duplicate_groups,
    group_columns,
    keep_in_last,
    labelled,
)
from crossover.split.finish import check_seen, finish
from crossover.split.grouped import error_clusters, group_names, group_units
from crossover.split.sealed import set_aside
from crossover.split.split import Split


class KFold:
    """One fold of a stratified, or grouped, k-fold partition.

    The partition depends on ``k``, ``seed`` and the groups alone, so that the k splits of
    fold=0..k-1 have disjoint tests that cover every labelled row that is not sealed. Shares are of
    those rows.

    Args:
        k: number of folds, from 2 up.
        fold: which of them is the test part, 0 to k - 1.
        by: declared meta columns whose values stay together; None: every column
            declared as a group; empty: stratified.
        validation: share of the labelled rows cut from the other folds, halved into select and
            calibrate.
        seed: of the draw.
        group_duplicates: ``near``, ``normalised`` or ``none``, see Stratified.
        straddling: see Grouped.
        threshold: Jaccard similarity of near-duplicates.
        tolerance: by how much of the rows asked a part may differ.
        sealed: share of the labelled rows set aside as the next test part, see sealed.py.
    """

    def __init__(
        self,
        k: int = 5,
        fold: int = 0,
        by: list[str] | None = None,
        validation: float = 0.1,
        seed: int = 0,
        group_duplicates: str = "normalised",
        straddling: str = "auto",
        threshold: float = 0.5,
        tolerance: float = 0.1,
        sealed: float = 0.0,
    ) -> None:
        self.k = k
        self.fold = fold
        self.by = by
        self.validation = validation
        self.seed = seed
        self.group_duplicates = group_duplicates
        self.straddling = straddling
        self.threshold = threshold
        self.tolerance = tolerance
        self.sealed = sealed

    def split(self, corpus: Corpus) -> Split:
        """Cut the corpus; raises BadInput where a class or the groups are too few for k folds."""
        k, fold, validation = self.k, self.fold, self.validation
        if k < 2 or not 0 <= fold < k or not 0 <= validation < 1 - 1 / k:
            raise BadInput(
                f"split.k={k}, split.fold={fold}, split.validation={validation}: k from 2 up, fold from 0 to "
                "k - 1, and a validation share that leaves rows for train"
            )
        labels = labelled(corpus)
        declared = declared_groups(corpus, labels, group_columns(corpus, self.by))
        copies = duplicate_groups(corpus, labels, self.group_duplicates, self.threshold)
        units, joined = group_units(labels, declared, copies, self.straddling)
        names = group_names(units, declared)
        rows, sealed = set_aside(labels, units, self.sealed, self.tolerance, names)
        folds = {f"fold {f}": 1 / k for f in range(k)}
        drawn = allot(rows, units, folds, [self.seed], self.tolerance, list(folds), names)
        test = drawn[f"fold {fold}"]
        rest = {id_: rows[id_] for id_ in rows if id_ not in set(test)}
        half = validation * len(rows) / len(rest) / 2
        shares = {"train": 1 - 2 * half, "select": half, "calibrate": half}
        parts = allot(rest, units, shares, [self.seed, fold], self.tolerance, ["train"], names)
        parts, straddling = keep_in_last({**parts, "test": test, "sealed": sealed}, copies)
        parts, _ = check_seen(labels, parts, "refuse")
        asked = {"train": 1 - 1 / k - validation, "select": validation / 2, "calibrate": validation / 2}
        asked = {part: share * (1 - self.sealed) for part, share in asked.items()}
        return finish(
            corpus,
            parts,
            clusters_of_parts(parts, error_clusters(declared, copies, joined)),
            method="k_fold",
            settings={**vars(self), "straddling": joined},
            asked={**asked, "test": (1 - self.sealed) / k},
            reserve={
                "unlabelled": len(corpus) - len(labels),
                "copies of rows in a later part": straddling,
            },
        )
