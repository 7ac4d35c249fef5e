"""Predefined: a column of the corpus names the part of each row, as in a published benchmark."""

from __future__ import annotations

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.split.allotment import allot, halve
from crossover.split.clusters import Parts, clusters_of_parts, duplicate_groups, join, keep_in_last, labelled
from crossover.split.finish import check_seen, finish
from crossover.split.split import Split

ACROSS = ("keep", "reserve")


class Predefined:
    """Parts as a declared meta column gives them.

    The values ``select``, ``calibrate``, ``sealed`` and ``reserve`` mean those parts; rows marked as
    validation are halved into select and calibrate. Where no row is in validation, select or
    calibrate, ``validation_share`` of the training rows is cut off by seed.

    Args:
        column: the declared meta column.
        train: its value for training rows.
        validation: its value for validation rows.
        test: its value for test rows.
        validation_share: share of the training rows cut off where there is no validation; 0: none.
        across: copies of one text in several parts: ``keep`` them as published (the audit counts
            them), or put those outside the last part, test last, in ``reserve``.
        unseen_labels: rows whose label no training row has: ``refuse`` or ``reserve``.
        seed: of the cut and of the halving.
        group_duplicates: which copies ``across`` and the cut of validation go by: ``near``,
            ``normalised`` or ``none``.
        threshold: Jaccard similarity of near-duplicates.
        tolerance: by how much of the rows asked the parts cut off may differ.
    """

    def __init__(
        self,
        column: str = "split",
        train: str = "train",
        validation: str = "validation",
        test: str = "test",
        validation_share: float = 0.1,
        across: str = "keep",
        unseen_labels: str = "refuse",
        seed: int = 0,
        group_duplicates: str = "normalised",
        threshold: float = 0.5,
        tolerance: float = 0.1,
    ) -> None:
        self.column = column
        self.train = train
        self.validation = validation
        self.test = test
        self.validation_share = validation_share
        self.across = across
        self.unseen_labels = unseen_labels
        self.seed = seed
        self.group_duplicates = group_duplicates
        self.threshold = threshold
        self.tolerance = tolerance

    def split(self, corpus: Corpus) -> Split:
        """Read the parts; raises BadInput for a value that names no part, with its row."""
        if self.across not in ACROSS:
            raise BadInput(f"split.across={self.across!r}: expected one of {ACROSS}")
        if not 0 <= self.validation_share < 1:
            raise BadInput(f"split.validation_share={self.validation_share}: expected a share in [0, 1)")
        labels = labelled(corpus)
        given = self._given(corpus, labels)
        reserved = len(given.pop("reserve"))
        copies = duplicate_groups(corpus, labels, self.group_duplicates, self.threshold)
        leaked = 0
        if self.across == "reserve":
            given, leaked = keep_in_last(given, copies)
        given, unseen = check_seen(labels, given, self.unseen_labels)
        parts = self._with_validation(given, labels, copies)
        return finish(
            corpus,
            parts,
            clusters_of_parts(parts, [copies]),
            method="predefined",
            settings=vars(self),
            asked={"column": self.column},
            reserve={
                "unlabelled": len(corpus) - len(labels),
                "marked reserve": reserved,
                "copies of rows in a later part": leaked,
                "label unseen in train": unseen,
            },
        )

    def _given(self, corpus: Corpus, labels: dict[str, str]) -> Parts:
        part_of = {
            self.train: "train",
            "select": "select",
            "calibrate": "calibrate",
            self.validation: "validation",
            self.test: "test",
            "sealed": "sealed",
            "reserve": "reserve",
        }
        parts: Parts = {part: [] for part in part_of.values()}
        for row, (id_, value) in enumerate(zip(corpus.ids, corpus.meta_values(self.column), strict=True)):
            if str(value) not in part_of:
                raise BadInput(
                    f"{corpus.name}, row {row + 1} (id {id_!r}): {self.column}={value!r} names no part; "
                    f"expected one of {sorted(part_of)} (split.train, split.validation and split.test "
                    "rename them)"
                )
            if id_ in labels:
                parts[part_of[str(value)]].append(id_)
        for part in ("train", "test"):
            if not parts[part]:
                value = getattr(self, part)
                raise BadInput(
                    f"{corpus.name}: no labelled row has {self.column}={value!r}, so the {part} "
                    f"part is empty; name its value with split.{part}=..."
                )
        return parts

    def _with_validation(self, given: Parts, labels: dict[str, str], copies: dict[str, str]) -> Parts:
        train, select, calibrate = given["train"], given["select"], given["calibrate"]
        units = join(labels, [copies])
        if given["validation"]:
            halves = halve(given["validation"], labels, units, self.seed)
            select, calibrate = select + halves["select"], calibrate + halves["calibrate"]
        elif not select and not calibrate and self.validation_share:
            half = self.validation_share / 2
            shares = {"train": 1 - 2 * half, "select": half, "calibrate": half}
            rows = {id_: labels[id_] for id_ in sorted(train)}
            return {
                **allot(rows, units, shares, [self.seed], self.tolerance, ["train"]),
                "test": given["test"],
                "sealed": given["sealed"],
            }
        halves = {"select": select, "calibrate": calibrate}
        return {"train": train, **halves, "test": given["test"], "sealed": given["sealed"]}
