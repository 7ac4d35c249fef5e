"""Dependence: which rows speak for themselves, so that copies and groups do not pass for many witnesses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crossover.data.corpus import Corpus


def one_a_cluster(corpus: Corpus, clusters: Mapping[str, str]) -> NDArray[np.int64]:
    """Row numbers, ascending, of every row without a duplicate and of one row of each cluster.

    The row is drawn by a hash of its id, not by its place or its id's order: the first copy of a campaign
    would be an early one, and campaigns would seem to belong to the past.
    """
    kept: dict[str, tuple[bytes, int]] = {}
    rows = []
    for row, id_ in enumerate(corpus.ids):
        name = clusters.get(id_)
        if name is None:
            rows.append(row)
            continue
        lot = (hashlib.sha256(id_.encode()).digest(), row)
        kept[name] = min(kept.get(name, lot), lot)
    return np.array(sorted([*rows, *(row for _, row in kept.values())]), np.int64)


def units(corpus: Corpus, clusters: Mapping[str, str]) -> NDArray[np.int64]:
    """A number a row, equal where rows hang together: by cluster, group column, or a chain of both."""
    links: list[list[object]] = [[clusters.get(id_) for id_ in corpus.ids]]
    links += [corpus.meta_values(name) for name, kind in sorted(corpus.meta.items()) if kind == "group"]
    ends: list[tuple[int, int]] = []
    nodes = len(corpus)
    for column in links:
        first: dict[object, int] = {}
        for row, value in enumerate(column):
            if value not in (None, ""):
                ends.append((row, first.setdefault(value, row)))
    a, b = np.array(ends, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
