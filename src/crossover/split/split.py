"""Split: the ids of train, select, calibrate and test that every arm of every study reads."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.predictions import PARTS
from crossover.measure.unequal_rows import refuse_plain_mean


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint parts of one corpus, by id.

    ``select`` serves early stopping and hyper-parameters where ``selection=shared``;
    ``calibrate`` temperature and thresholds; neither is read by fitting. ``groups`` names the
    cluster of an id (duplicates, one author): rows of a cluster lie in one part, and standard
    errors are taken over clusters. Rows named in no part are in reserve. ``sealed`` are those of
    them that were set aside as the next test part (sealed.py): nothing reads them until it is
    opened. ``recipe`` says how the parts were made and what sizes were asked for; it is not part of
    the fingerprint.
    """

    corpus: str
    parts: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, str] = field(default_factory=dict)
    recipe: Mapping[str, object] = field(default_factory=dict)
    sealed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if tuple(self.parts) != PARTS:
            raise ValueError(f"a split has the parts {PARTS} in this order, got {tuple(self.parts)}")
        counts = Counter(id_ for ids in (*self.parts.values(), self.sealed) for id_ in ids)
        twice = [id_ for id_, count in counts.items() if count > 1]
        if twice:
            raise BadInput(f"{len(twice)} ids lie in two parts of the split, {twice[0]!r} first")
        for part in ("train", "test"):
            if not self.parts[part]:
                raise BadInput(f"the {part} part is empty; ask for a larger share or bring more rows")

    @property
    def train(self) -> tuple[str, ...]:
        """Ids a model may be fitted on."""
        return self.parts["train"]

    @property
    def test(self) -> tuple[str, ...]:
        """Ids that give the reported score."""
        return self.parts["test"]

    @cached_property
    def fingerprint(self) -> str:
        """16 hex of SHA-256 over corpus, parts (ids sorted), the groups of those ids, and what is sealed."""
        parts = {part: sorted(ids) for part, ids in self.parts.items()}
        sealed = [sorted(self.sealed)] if self.sealed else []
        return _hex16([self.corpus, parts, self._grouping, *sealed])

    @cached_property
    def test_fingerprint(self) -> str:
        """16 hex of SHA-256 over corpus and test ids: what a look at the test is counted on."""
        return _hex16([self.corpus, sorted(self.test)])

    @cached_property
    def _grouping(self) -> list[tuple[str, str]]:
        return sorted(self.groups.items())

    def verify(self, corpus: Corpus) -> None:
        """Refuse a corpus other than the one that was split, and test rows no plain mean may be taken of.

        Raises:
            BadInput: fingerprints differ, naming both; the test rows were drawn with unequal
                probabilities (a meta column of the kind ``inclusion``).
        """
        if corpus.fingerprint != self.corpus:
            raise BadInput(
                f"the split was made from corpus {self.corpus}, but {corpus.name} is now "
                f"{corpus.fingerprint}: a row, label or meta value changed; split again"
            )
        for column, kind in corpus.meta.items():
            if kind == "inclusion":
                values = corpus.select(self.test).meta_values(column)
                refuse_plain_mean(values, f"the test part, column {column!r}")  # type: ignore[arg-type]

    def to_json(self) -> dict[str, object]:
        """The split as plain JSON values, fingerprint included."""
        return {
            "fingerprint": self.fingerprint,
            "corpus": self.corpus,
            "parts": {part: list(ids) for part, ids in self.parts.items()},
            "groups": dict(self._grouping),
            "recipe": dict(self.recipe),
            **({"sealed": list(self.sealed)} if self.sealed else {}),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, object], where: str) -> Split:
        """A split from :meth:`to_json`, its fingerprint checked.

        Raises:
            BadInput: the stored fingerprint is not that of the stored ids.
        """
        split = cls(
            plain["corpus"],  # type: ignore[arg-type]
            {part: tuple(plain["parts"][part]) for part in PARTS},  # type: ignore[index]
            plain["groups"],  # type: ignore[arg-type]
            plain["recipe"],  # type: ignore[arg-type]
            tuple(plain.get("sealed", ())),  # type: ignore[arg-type]
        )
        if split.fingerprint != plain["fingerprint"]:
            raise BadInput(
                f"{where}: the ids hash to {split.fingerprint}, the file says {plain['fingerprint']}; "
                "it was edited or damaged: delete it and split again"
            )
        return split


class Splitter(Protocol):
    """A way to split, one a file; its settings are its constructor's arguments."""

    def split(self, corpus: Corpus) -> Split:
        """Cut the corpus; raises BadInput where the asked sizes cannot be had."""
        ...


def _hex16(plain: object) -> str:
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
