"""Duplicates: clusters of texts that are the same, the same but for case and digits, or nearly so.

Near-duplicates are texts whose sets of character 5-grams have a Jaccard similarity of at least
the threshold (similar_pairs.py finds them).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import overload

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.look.similar_pairs import SHINGLE, OnProgress, Pairs, similar_pairs

KINDS = ("exact", "normalised", "near")
LINKAGES = ("chain", "first")

_DIGIT = re.compile(r"\d")


def normalise(text: str) -> str:
    """Lower case, each digit written 0, runs of white space folded to one blank and trimmed."""
    return " ".join(_DIGIT.sub("0", text.lower()).split())


def jaccard(left: str, right: str) -> float:
    """Jaccard similarity of the character 5-grams of two texts as they stand (not normalised).

    A text of fewer than 5 characters is one shingle.
    """
    a, b = _grams(left), _grams(right)
    return len(a & b) / len(a | b)


def duplicate_clusters(
    ids: Sequence[str],
    texts: Sequence[str],
    threshold: float = 0.5,
    kind: str = "near",
    linkage: str = "chain",
    on_progress: OnProgress | None = None,
) -> dict[str, str]:
    """Cluster of each row that has a duplicate: id -> smallest id of its cluster.

    Args:
        threshold: least Jaccard similarity of a near-duplicate, in (0, 1]; .5 finds edited
            templates, .8 little but retyped copies.
        kind: ``exact`` (equal text), ``normalised`` (equal after :func:`normalise`) or ``near``
            (similar after it; includes the other two).
        linkage: ``chain`` joins whatever a chain of similar pairs joins, so that no similar
            pair found is ever cut in two; ``first`` lets the smallest free id gather the rows
            similar to itself, which keeps a cluster alike but leaves similar rows outside it.
        on_progress: told (steps done, of so many, what) while near-duplicates are looked for.

    The answer depends on the set of (id, text) alone, not on their order.

    Raises:
        BadInput: an unknown kind or linkage, or a threshold outside (0, 1].
    """
    if kind not in KINDS:
        raise BadInput(f"kind of duplicate {kind!r}: expected one of {KINDS}")
    if linkage not in LINKAGES:
        raise BadInput(f"linkage {linkage!r}: expected one of {LINKAGES}")
    if not 0 < threshold <= 1:
        raise BadInput(f"near-duplicate threshold {threshold}: expected a Jaccard similarity in (0, 1]")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    first: dict[bytes, int] = {}
    leader = {}
    for row in order:
        text = texts[row] if kind == "exact" else normalise(texts[row])
        leader[ids[row]] = ids[first.setdefault(_digest(text), row)]
    if kind == "near":
        # Copies are one node from here on; nodes are in the order of their smallest id.
        rows = list(first.values())
        joined = _link(similar_pairs(_Normalised(texts, rows), threshold, on_progress), len(rows), linkage)
        names = [ids[row] for row in rows]
        node = {name: names[joined[k]] for k, name in enumerate(names)}
        leader = {id_: node[name] for id_, name in leader.items()}
    sizes = Counter(leader.values())
    return {id_: name for id_, name in leader.items() if sizes[name] > 1}


def _digest(text: str) -> bytes:
    """What stands for a text: a million texts held twice would be most of the memory."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Normalised(Sequence[str]):
    """The normalised texts of these rows, each made when it is asked for."""

    def __init__(self, texts: Sequence[str], rows: Sequence[int]) -> None:
        self._texts, self._rows = texts, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [normalise(self._texts[row]) for row in self._rows[place]]
        return normalise(self._texts[self._rows[place]])


@dataclass(frozen=True)
class Cluster:
    """A cluster of duplicates: its name (the smallest id), its rows, rows of each label, its first ids."""

    name: str
    rows: int
    labels: Mapping[str, int]
    first: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**asdict(self), "labels": dict(self.labels), "first": list(self.first)}


def cluster_table(corpus: Corpus, clusters: Mapping[str, str], first: int = 5) -> list[Cluster]:
    """The clusters of :func:`duplicate_clusters`, largest first, then by name.

    A row without a label counts under ``(none)``; ``first`` ids are kept, smallest first.
    """
    members: dict[str, list[str]] = {}
    for id_ in sorted(clusters):
        members.setdefault(clusters[id_], []).append(id_)
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    table = [
        Cluster(
            name,
            len(ids),
            dict(sorted(Counter("(none)" if label[id_] is None else str(label[id_]) for id_ in ids).items())),
            tuple(ids[:first]),
        )
        for name, ids in members.items()
    ]
    return sorted(table, key=lambda cluster: (-cluster.rows, cluster.name))


def duplicates(
    corpus: Corpus,
    threshold: float = 0.5,
    giant: float = 0.05,
    near: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Rows in clusters of each kind, clusters whose rows disagree on the label, giant clusters.

    Args:
        threshold: Jaccard similarity from which on texts are near-duplicates.
        giant: share of the corpus above which one cluster is reported as a giant chain.
        near: the near-duplicate clusters at this threshold, where they are known already.
    """
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    findings = []
    for kind in KINDS:
        known = near if kind == "near" else None
        clusters = duplicate_clusters(corpus.ids, corpus.texts, threshold, kind) if known is None else known
        findings.append(_count(kind, clusters, label, threshold))
        findings.extend(_conflicts(kind, clusters, label))
    largest = Counter(clusters.values()).most_common(1)
    if largest and largest[0][1] > max(giant * len(corpus), 2):
        name, size = largest[0]
        findings.append(
            Finding(
                "giant-cluster",
                "warning",
                f"one near-duplicate cluster holds {size:,} of {len(corpus):,} rows",
                {"cluster": name, "rows": size, "share": size / len(corpus), "label": label[name]},
                "a chain of similar texts may have joined unlike ones: look at its rows, raise the "
                "threshold, or gather by likeness to the first row (linkage=first)",
            )
        )
    return findings


def _count(
    kind: str, clusters: Mapping[str, str], label: Mapping[str, str | None], threshold: float
) -> Finding:
    totals = Counter(label.values())
    inside = Counter(label[id_] for id_ in clusters)
    evidence: dict[str, object] = {
        "rows": len(clusters),
        "clusters": len(set(clusters.values())),
        "rows_beyond_the_first": len(clusters) - len(set(clusters.values())),
        "largest": max(Counter(clusters.values()).values(), default=0),
        "share_by_label": {
            str(name): inside[name] / totals[name] for name in sorted(totals, key=str) if name is not None
        },
    }
    if kind == "near":
        evidence["threshold"] = threshold
    share = len(clusters) / len(label) if label else 0.0
    return Finding(
        f"duplicates-{kind}",
        "warning" if share > 0.01 else "info",
        f"{len(clusters):,} of {len(label):,} rows ({share:.1%}) have {_A_COPY[kind]} in the corpus",
        evidence,
        "keep each cluster in one part (split.group_duplicates=near)" if share > 0.01 else "",
    )


_A_COPY = {
    "exact": "an exact copy",
    "normalised": "a copy but for case, digits and spaces",
    "near": "a near-duplicate",
}


def _conflicts(kind: str, clusters: Mapping[str, str], label: Mapping[str, str | None]) -> list[Finding]:
    labels_of: dict[str, set[str]] = {}
    for id_, name in clusters.items():
        value = label[id_]
        if value is not None:
            labels_of.setdefault(name, set()).add(value)
    torn = sorted(name for name, values in labels_of.items() if len(values) > 1)
    if not torn:
        return []
    known = set(torn)
    rows = sum(name in known for name in clusters.values())
    what = "clusters of near-duplicates hold" if kind == "near" else "texts occur with"
    return [
        Finding(
            f"label-conflict-{kind}",
            "warning",
            f"{len(torn):,} {what} more than one label ({rows:,} rows)",
            {
                "clusters": len(torn),
                "rows": rows,
                "first": {name: sorted(labels_of[name]) for name in torn[:5]},
            },
            "read them side by side: where a small edit does not change the matter, settle one label"
            if kind == "near"
            else "settle the label of these texts, or accept that no model can be right on all of them",
        )
    ]


def _grams(text: str) -> set[str]:
    return {text[k : k + SHINGLE] for k in range(max(1, len(text) - SHINGLE + 1))}


def _link(pairs: Pairs, count: int, linkage: str) -> list[int]:
    """For each node the smallest node of its cluster."""
    if linkage == "chain":
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
        _, component = connected_components(graph, directed=False)
        _, smallest = np.unique(component, return_index=True)
        return [int(k) for k in smallest[component]]
    leader = list(range(count))
    near: dict[int, list[int]] = {}
    for a, b in pairs.tolist():
        near.setdefault(a, []).append(b)
    taken = [False] * count
    for k in range(count):
        if not taken[k]:
            for other in near.get(k, []):
                if not taken[other]:
                    leader[other], taken[other] = k, True
    return leader
