"""Duplicates: clusters of texts that are the same, the same but for case and digits, or nearly so.

Near-duplicates are texts whose sets of character 5-grams have a Jaccard similarity of at least
the threshold. Candidates come from MinHash with banding (Broder 1997; Leskovec, Rajaraman &
Ullman, Mining of Massive Datasets, ch. 3), and each is verified by its exact similarity, so no
pair is claimed that is not one; :data:`RECALL` says how many may be missed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import rensa
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.look.finding import Finding

KINDS = ("exact", "normalised", "near")
LINKAGES = ("chain", "first")

SHINGLE = 5
"""Characters in a shingle: word shingles do not exist for a text of four words."""

SHINGLED_CHARACTERS = 2_000
"""Near-duplicates are judged by this many leading characters of the normalised text."""

PERMUTATIONS = 256
RECALL = 0.98
"""Least chance that a pair right at the threshold becomes a candidate; it rises with similarity."""

SEED = 1
MARGIN = 0.16
"""Candidates whose MinHash estimate is further than this (5 standard deviations) below the threshold
are not verified."""

LARGE_BUCKET = 500
LEADERS = 50
"""A bucket of more rows than LARGE_BUCKET is compared with up to LEADERS of its rows, not pair by pair."""

Pairs = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

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
    first: dict[str, str] = {}
    leader = {}
    for row in order:
        text = texts[row] if kind == "exact" else normalise(texts[row])
        leader[ids[row]] = first.setdefault(text, ids[row])
    if kind == "near":
        # Copies are one node from here on; nodes are in the order of their smallest id.
        joined = _link(similar_pairs(list(first), threshold), len(first), linkage)
        names = list(first.values())
        node = {name: names[joined[k]] for k, name in enumerate(names)}
        leader = {id_: node[name] for id_, name in leader.items()}
    sizes = Counter(leader.values())
    return {id_: name for id_, name in leader.items() if sizes[name] > 1}


def similar_pairs(texts: Sequence[str], threshold: float) -> Pairs:
    """Pairs (row, later row) of texts as they stand with Jaccard similarity >= threshold, shape (pairs, 2).

    Every pair returned is verified; a pair at the threshold is found with probability of at
    least :data:`RECALL`, up to chance collisions, a more similar one more surely.
    """
    if len(texts) < 2:
        return np.empty((0, 2), np.int64)
    shingles = [_shingle_hashes(text) for text in texts]
    sizes = np.array([len(row) for row in shingles], np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    flat = np.concatenate(shingles)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        flat, offsets.astype(np.uint64), PERMUTATIONS, SEED
    )
    signatures = np.array(matrix.to_rows(), dtype=np.uint32)
    # The hashes are the column numbers: a product of two rows then merges sorted lists.
    sets = csr_array((np.ones(len(flat), np.int8), flat.astype(np.int64), offsets), shape=(len(texts), 2**62))

    def verified(pairs: Pairs) -> Pairs:
        found = [np.empty((0, 2), np.int64)]
        for start in range(0, len(pairs), 20_000):
            some = pairs[start : start + 20_000]
            a, b = some[:, 0], some[:, 1]
            longer, shorter = np.maximum(sizes[a], sizes[b]), np.minimum(sizes[a], sizes[b])
            estimate = (signatures[a] == signatures[b]).mean(axis=1)
            some = some[(shorter >= threshold * longer) & (estimate >= threshold - MARGIN)]
            a, b = some[:, 0], some[:, 1]
            if len(some):
                common = np.diff(sets[a].multiply(sets[b]).tocsr().indptr)
                found.append(some[common >= threshold * (sizes[a] + sizes[b] - common)])
        return np.concatenate(found)

    keys: list[Pairs] = []
    sure: list[Pairs] = []
    for members in _buckets(signatures, _band_rows(threshold)):
        rest = members
        for _ in range(LEADERS):
            if len(rest) <= LARGE_BUCKET:
                break
            pairs = np.column_stack([np.full(len(rest) - 1, rest[0]), rest[1:]])
            near = verified(pairs)
            sure.append(near)
            rest = rest[1:][~np.isin(rest[1:], near[:, 1])]
        if len(rest) <= LARGE_BUCKET:
            i, j = np.triu_indices(len(rest), 1)
            keys.append(rest[i] * len(texts) + rest[j])
    candidates = np.unique(np.concatenate([*keys, np.empty(0, np.int64)]))
    sure.append(verified(np.column_stack(np.divmod(candidates, len(texts)))))
    return np.unique(np.concatenate(sure), axis=0)


def duplicates(corpus: Corpus, threshold: float = 0.5, giant: float = 0.05) -> list[Finding]:
    """Rows in clusters of each kind, clusters whose rows disagree on the label, giant clusters.

    Args:
        threshold: Jaccard similarity from which on texts are near-duplicates.
        giant: share of the corpus above which one cluster is reported as a giant chain.
    """
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    findings = []
    for kind in KINDS:
        clusters = duplicate_clusters(corpus.ids, corpus.texts, threshold, kind)
        findings.append(_count(kind, clusters, label, threshold))
        if kind != "near":
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
    rows = sum(name in set(torn) for name in clusters.values())
    return [
        Finding(
            f"label-conflict-{kind}",
            "warning",
            f"{len(torn):,} texts occur with more than one label ({rows:,} rows)",
            {
                "clusters": len(torn),
                "rows": rows,
                "first": {name: sorted(labels_of[name]) for name in torn[:5]},
            },
            "settle the label of these texts, or accept that no model can be right on all of them",
        )
    ]


def _grams(text: str) -> set[str]:
    return {text[k : k + SHINGLE] for k in range(max(1, len(text) - SHINGLE + 1))}


def _shingle_hashes(text: str) -> Hashes:
    """Sorted distinct 62-bit hashes of the shingles of the leading characters."""
    codes = np.frombuffer(text[:SHINGLED_CHARACTERS].encode("utf-32-le"), np.uint32).astype(np.uint64)
    if len(codes) < SHINGLE:
        codes = np.concatenate([codes, np.zeros(SHINGLE - len(codes), np.uint64)])
    count = len(codes) - SHINGLE + 1
    hashes = codes[:count]
    for k in range(1, SHINGLE):
        hashes = hashes * _ODD ^ codes[k : count + k]
    # The finaliser of splitmix64: neighbours in text must not be neighbours in hash.
    hashes = hashes * _ODD
    hashes = (hashes ^ hashes >> np.uint64(29)) * _MIX
    return np.unique((hashes ^ hashes >> np.uint64(32)) >> np.uint64(2))


_ODD, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


def _band_rows(threshold: float) -> int:
    """Most rows a band may have so that a pair at the threshold meets with probability RECALL."""
    rows = 1
    while 1 - (1 - threshold ** (rows + 1)) ** (PERMUTATIONS // (rows + 1)) >= RECALL and rows < 32:
        rows += 1
    return rows


def _buckets(signatures: npt.NDArray[np.uint32], band_rows: int) -> list[Pairs]:
    """Rows, ascending, that agree on a whole band; each bucket holds at least two."""
    buckets: list[Pairs] = []
    for start in range(0, PERMUTATIONS - band_rows + 1, band_rows):
        keys = np.zeros(len(signatures), np.uint64)
        for column in range(start, start + band_rows):
            # A collision of these 64 bits could only add a candidate, never lose one.
            keys = (keys ^ signatures[:, column]) * _ODD
        order = np.argsort(keys, kind="stable").astype(np.int64)
        starts = np.flatnonzero(np.concatenate([[True], keys[order][1:] != keys[order][:-1]]))
        counts = np.diff(starts, append=len(order))
        shared = counts > 1
        for begin, count in zip(starts[shared].tolist(), counts[shared].tolist(), strict=True):
            buckets.append(order[begin : begin + count])
    return buckets


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
