"""Stratified: rows at random, each class by its share, copies of a text in one part."""

from __future__ import annotations

from crossover.data.corpus import Corpus
from crossover.split.allotment import allot, four_parts
from crossover.split.clusters import clusters_of_parts, duplicate_groups, join, labelled
from crossover.split.finish import finish
from crossover.split.sealed import rescaled, set_aside
from crossover.split.split import Split


class Stratified:
    """Stratified random split.

    Args:
        test: share of the labelled rows.
        validation: share of the labelled rows, halved into select and calibrate.
        seed: of the draw.
        group_duplicates: rows kept in one part: ``normalised`` (equal but for case, digits and
            spaces), ``near`` (similar, see look/duplicates.py) or ``none``.
        threshold: Jaccard similarity of near-duplicates.
        tolerance: by how much of the rows asked a part may differ.
        sealed: share of the labelled rows set aside as the next test part, see sealed.py.
    """

    def __init__(
        self,
        test: float = 0.2,
        validation: float = 0.1,
        seed: int = 0,
        group_duplicates: str = "normalised",
        threshold: float = 0.5,
        tolerance: float = 0.1,
        sealed: float = 0.0,
    ) -> None:
        self.test = test
        self.validation = validation
        self.seed = seed
        self.group_duplicates = group_duplicates
        self.threshold = threshold
        self.tolerance = tolerance
        self.sealed = sealed

    def split(self, corpus: Corpus) -> Split:
        """Cut the corpus; raises BadInput where a class is too small or sizes cannot be had."""
        shares = four_parts(self.test, self.validation, self.sealed)
        labels = labelled(corpus)
        copies = duplicate_groups(corpus, labels, self.group_duplicates, self.threshold)
        units = join(labels, [copies])
        rows, sealed = set_aside(labels, units, self.sealed, self.tolerance)
        parts = allot(rows, units, rescaled(shares, self.sealed), [self.seed], self.tolerance)
        parts = {**parts, "sealed": sealed}
        return finish(
            corpus,
            parts,
            clusters_of_parts(parts, [copies]),
            method="stratified",
            settings=vars(self),
            asked=shares,
            reserve={"unlabelled": len(corpus) - len(labels)},
        )
