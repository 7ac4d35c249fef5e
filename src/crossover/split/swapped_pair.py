"""Swapped pair: two training sets for one test part, each cluster's training rows in one of the two.

What a leak is worth must be read from the same rows seen and unseen: rows with copies are easier in any
case, so leaving them out of the test answers another question. The clusters that lie on both sides of the
cut are dealt to two halves at random; the left training set keeps the rows of the one half, the right those
of the other, and both keep all rows that have no copy in the test part. So every such test row is predicted
with its cluster in train and without it, the cluster replaced by as many rows of each class from others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossover.data.corpus import Corpus
from crossover.split.clusters import clusters_of_parts
from crossover.split.split import Split

MOST_TRIMMED = 0.1
"""Share of a class's rows that may be left out of a side to make the two equal."""

MOST_TRIED = 8
"""Clusters tried where one has to stay on both sides."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SwappedPair:
    """Two splits with one test part, equal in rows and in the rows of each class of train.

    ``seen_left`` and ``seen_right`` are the test rows whose cluster lies in that side's train and not
    in the other's; ``always`` those of clusters too large to be exchanged, which stay in both; ``alone``
    those without a copy in train. ``share`` is that of the test rows of the candidate split that have one.
    """

    left: Split
    right: Split
    seen_left: tuple[str, ...]
    seen_right: tuple[str, ...]
    always: tuple[str, ...]
    alone: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share of test rows with a copy in the candidate's train part."""
        return 1 - len(self.alone) / len(self.left.test)


def swapped_pair(corpus: Corpus, split: Split, cluster_of: Mapping[str, str], seed: int) -> SwappedPair:
    """Deal the clusters that lie in train and in test to two sides, equal in every class.

    Larger clusters are dealt first, each to the side that lacks its classes more, ties at random. What is
    then unequal is made up for by leaving out rows without a copy in test, a share of :data:`MOST_TRIMMED`
    of a class's at most; where every row has one, as with sources or mailboxes, so many rows of the
    clusters themselves, never a whole one. Where that is not enough a cluster stays on both sides: of the
    largest that one without which least is unequal.

    Args:
        corpus: the corpus.
        split: the candidate, whose train and test parts are used; its validation is left out.
        cluster_of: cluster of each row that has one.
        seed: of the dealing.
    """
    rng = np.random.Generator(np.random.PCG64([seed, 20_503]))
    label = {id_: str(corpus.labels[corpus.row_of[id_]]) for id_ in split.train}
    tested = {cluster_of[id_] for id_ in split.test if id_ in cluster_of}
    members: dict[str, list[str]] = {}
    for id_ in sorted(split.train):
        if cluster_of.get(id_) in tested:
            members.setdefault(cluster_of[id_], []).append(id_)
    counts = _counts(members, label, corpus.classes)
    spare = [id_ for id_ in sorted(split.train) if cluster_of.get(id_) not in tested]
    spare_room = _a_little(spare, label, corpus.classes)

    def dealt(names: Sequence[str]) -> _Dealt:
        return _Dealt.of(names, members, counts, label, corpus.classes, spare_room, rng)

    deal = dealt(sorted(members))
    while deal.over.any():
        over = sorted(deal.side, key=lambda name: (-int(counts[name][deal.over > 0].sum()), name))[
            :MOST_TRIED
        ]
        without = [dealt([name for name in sorted(deal.side) if name != gone]) for gone in over]
        rows = [sum(len(members[name]) for name in one.side) for one in without]
        deal = without[min(range(len(over)), key=lambda k: (int(without[k].over.sum()), -rows[k]))]
    side, exchanged = deal.side, list(deal.side)
    kept = [id_ for name in sorted(set(members) - set(exchanged)) for id_ in members[name]]
    sides = []
    for which, sign, clusters, others in zip(("left", "right"), (1, -1), deal.own, deal.loose, strict=True):
        fewer = np.maximum(sign * deal.surplus, 0)
        of_spare = np.minimum(fewer, spare_room)
        rest = _trimmed(spare, label, corpus.classes, of_spare, rng)
        half = [ids[0] for ids in clusters] + _trimmed(others, label, corpus.classes, fewer - of_spare, rng)
        sides.append(_side(corpus, split, cluster_of, [*rest, *kept, *half], which, seed))
    on = {name: "left" if side[name] else "right" for name in exchanged} | dict.fromkeys(
        set(members) - set(exchanged), "always"
    )
    found: dict[str, list[str]] = {}
    for id_ in split.test:
        found.setdefault(on.get(cluster_of.get(id_, ""), "alone"), []).append(id_)
    places = [tuple(found.get(name, ())) for name in ("left", "right", "always", "alone")]
    return SwappedPair(sides[0], sides[1], *places)


@dataclass(frozen=True)
class _Dealt:
    """Clusters dealt to two sides (1 is the left) and what is unequal then.

    ``surplus`` is rows of each class on the left less on the right, ``over`` what of it cannot be left out.
    ``own`` are the rows of each cluster of the left side and of the right, ``loose`` those of them that may
    be left out: all but one of a cluster.
    """

    side: Mapping[str, int]
    surplus: Counts
    over: Counts
    own: Sequence[Sequence[Sequence[str]]]
    loose: Sequence[Sequence[str]]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        members: Mapping[str, Sequence[str]],
        counts: Mapping[str, Counts],
        label: Mapping[str, str],
        classes: Sequence[str],
        spare_room: Counts,
        rng: np.random.Generator,
    ) -> _Dealt:
        """Deal these clusters; ``spare_room`` rows of each class may be left out elsewhere."""
        side = _deal(names, counts, rng)
        surplus = sum((counts[name] * (1 if side[name] else -1) for name in side), np.zeros_like(spare_room))
        own = [[members[name] for name in names if side[name] == which] for which in (1, 0)]
        loose = [[id_ for ids in clusters for id_ in ids[1:]] for clusters in own]
        left, right = (_a_little(ids, label, classes) for ids in loose)
        room = spare_room + np.where(surplus > 0, left, right)
        return cls(side, surplus, np.maximum(np.abs(surplus) - room, 0), own, loose)


def _counts(
    members: Mapping[str, Sequence[str]], label: Mapping[str, str], classes: Sequence[str]
) -> dict[str, Counts]:
    return {name: _tally(ids, label, classes) for name, ids in members.items()}


def _tally(ids: Sequence[str], label: Mapping[str, str], classes: Sequence[str]) -> Counts:
    counted = Counter(label[id_] for id_ in ids)
    return np.array([counted[name] for name in classes], dtype=np.int64)


def _deal(names: Sequence[str], counts: Mapping[str, Counts], rng: np.random.Generator) -> dict[str, int]:
    """1 for the left side, 0 for the right."""
    shuffled = [names[k] for k in rng.permutation(len(names))]
    balance = np.zeros_like(next(iter(counts.values()))) if counts else np.zeros(0, np.int64)
    side: dict[str, int] = {}
    for name in sorted(shuffled, key=lambda name: -int(counts[name].sum())):
        left, right = np.abs(balance + counts[name]).sum(), np.abs(balance - counts[name]).sum()
        side[name] = int(rng.integers(2)) if left == right else int(left < right)
        balance = balance + (counts[name] if side[name] else -counts[name])
    return side


def _a_little(ids: Sequence[str], label: Mapping[str, str], classes: Sequence[str]) -> Counts:
    """How many rows of each class may be left out of these."""
    few: Counts = np.floor(MOST_TRIMMED * _tally(ids, label, classes)).astype(np.int64)
    return few


def _trimmed(
    rows: Sequence[str],
    label: Mapping[str, str],
    classes: Sequence[str],
    fewer: Counts,
    rng: np.random.Generator,
) -> list[str]:
    """The rows but for so many of each class."""
    gone: set[str] = set()
    for name, many in zip(classes, fewer.tolist(), strict=True):
        if many:
            own = [id_ for id_ in rows if label[id_] == name]
            gone |= {own[k] for k in rng.permutation(len(own))[:many].tolist()}
    return [id_ for id_ in rows if id_ not in gone]


def _side(
    corpus: Corpus, split: Split, cluster_of: Mapping[str, str], train: Sequence[str], which: str, seed: int
) -> Split:
    parts = {"train": tuple(sorted(train)), "select": (), "calibrate": (), "test": tuple(split.test)}
    recipe = {"method": "swapped_pair", "of": split.fingerprint, "side": which, "settings": {"seed": seed}}
    return Split(corpus.fingerprint, parts, clusters_of_parts(parts, [cluster_of]), recipe)
