"""Clusters: which rows must stay together, by declared group, by duplication, or by both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.look.duplicates import duplicate_clusters

DUPLICATES = ("near", "normalised", "none")
"""Which duplicates are kept together; ``none`` is for showing what a leak does."""

Parts = dict[str, list[str]]


def labelled(corpus: Corpus) -> dict[str, str]:
    """Label of each row that has one, sorted by id; rows without a label go to no part.

    Raises:
        BadInput: no label at all, or one class only.
    """
    labels = {
        id_: label for id_, label in sorted(zip(corpus.ids, corpus.labels, strict=True)) if label is not None
    }
    classes = sorted(set(labels.values()))
    if len(classes) < 2:
        raise BadInput(
            f"{corpus.name}: {len(labels):,} labelled rows with the labels {classes}; at least two classes "
            "are needed (is data.label the right column?)"
        )
    return labels


def group_columns(corpus: Corpus, by: Sequence[str] | None) -> list[str]:
    """The columns to group by: those named, or every column declared as a group."""
    return list(by) if by is not None else sorted(c for c, kind in corpus.meta.items() if kind == "group")


def declared_groups(corpus: Corpus, ids: Iterable[str], by: Sequence[str]) -> list[dict[str, str]]:
    """For each column of ``by`` the group of each row, written ``column=value``.

    A row whose value is missing or empty lies in no group of that column.

    Raises:
        BadInput: a column is not declared in the corpus.
    """
    wanted = set(ids)
    groups = []
    for column in by:
        values = zip(corpus.ids, corpus.meta_values(column), strict=True)
        groups.append(
            {id_: f"{column}={value!r}" for id_, value in values if id_ in wanted and value not in (None, "")}
        )
    return groups


def duplicate_groups(corpus: Corpus, ids: Iterable[str], kind: str, threshold: float) -> dict[str, str]:
    """Duplicate cluster of each of these rows that has a duplicate among them."""
    if kind not in DUPLICATES:
        raise BadInput(f"group_duplicates={kind!r}: expected one of {DUPLICATES}")
    if kind == "none":
        return {}
    rows = tuple(ids)
    texts = tuple(corpus.texts[corpus.row_of[id_]] for id_ in rows)
    return dict(_clusters(rows, texts, threshold, kind))


@lru_cache(maxsize=1)
def _clusters(rows: tuple[str, ...], texts: tuple[str, ...], threshold: float, kind: str) -> dict[str, str]:
    """Kept for the next split of the same rows: the k folds of a partition, a split under another seed."""
    return duplicate_clusters(rows, texts, threshold, kind)


def join(ids: Iterable[str], groupings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Smallest id of each row's component, where rows that share a group of any grouping are joined."""
    rows = sorted(ids)
    nodes: dict[tuple[int, str], int] = {}
    left, right = [], []
    for k, grouping in enumerate(groupings):
        for row, id_ in enumerate(rows):
            if id_ in grouping:
                left.append(row)
                right.append(len(rows) + nodes.setdefault((k, grouping[id_]), len(nodes)))
    count = len(rows) + len(nodes)
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    _, smallest = np.unique(component, return_index=True)
    return {id_: rows[smallest[component[row]]] for row, id_ in enumerate(rows)}


def clusters_of_parts(
    parts: Mapping[str, Iterable[str]], groupings: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """Cluster of each row that shares one with another row of its part: what errors are taken over."""
    groups: dict[str, str] = {}
    for ids in parts.values():
        joined = join(ids, groupings)
        sizes = Counter(joined.values())
        groups.update({id_: name for id_, name in joined.items() if sizes[name] > 1})
    return groups


def keep_in_last(parts: Mapping[str, Sequence[str]], clusters: Mapping[str, str]) -> tuple[Parts, int]:
    """Leave each cluster in the last part that it reaches; its rows in earlier parts go to reserve.

    The test part comes last and so loses nothing: what it stands for does not change, and the
    training part gives up what would have leaked. Returns the parts and the rows reserved.
    """
    order = list(parts)
    last: dict[str, int] = {}
    for rank, part in enumerate(order):
        for id_ in parts[part]:
            if id_ in clusters:
                last[clusters[id_]] = rank
    kept = {
        part: [id_ for id_ in parts[part] if id_ not in clusters or last[clusters[id_]] == rank]
        for rank, part in enumerate(order)
    }
    return kept, sum(map(len, parts.values())) - sum(map(len, kept.values()))
