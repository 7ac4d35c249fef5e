"""Leaks of a split: rows of one cluster, group or time on both sides of the cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.split.split import Split


def duplicate_leak(
    kind: str, clusters: Mapping[str, str], part_of: Mapping[str, str], split: Split, threshold: float
) -> Finding:
    """Test and validation rows with a copy of this kind in train."""
    in_train = {clusters[id_] for id_ in split.train if id_ in clusters}
    leaked = {
        part: [id_ for id_ in ids if clusters.get(id_) in in_train]
        for part, ids in (*split.parts.items(), ("sealed", split.sealed))
        if part != "train"
    }
    reach: dict[str, set[str]] = {}
    for id_, name in clusters.items():
        reach.setdefault(name, set()).add(part_of[id_])
    share = len(leaked["test"]) / len(split.test)
    what = {"exact": "an exact copy", "normalised": "a copy but for case, digits and spaces"}
    title = f"{len(leaked['test']):,} of {len(split.test):,} test rows ({share:.1%}) have "
    evidence: dict[str, object] = {
        "test_rows": len(leaked["test"]),
        "test_share": share,
        "validation_rows": len(leaked["select"]) + len(leaked["calibrate"]),
        **({"sealed_rows": len(leaked["sealed"])} if split.sealed else {}),
        "clusters_across_parts": sum(len(parts) > 1 for parts in reach.values()),
        "first": sorted(leaked["test"])[:5],
    }
    if kind == "near":
        evidence["threshold"] = threshold
    any_leak, count = any(leaked.values()), len(leaked["sealed"])
    sealed = f", {count:,} of {len(split.sealed):,} sealed rows too" if count else ""
    return Finding(
        f"leak-{kind}",
        "info" if not any_leak else "error" if share > 0.05 and kind != "near" else "warning",
        title + what.get(kind, "a near-duplicate") + " in train" + sealed,
        evidence,
        "keep copies in one part (split=grouped), and compare the same kind of row seen and unseen before "
        "saying what the leak is worth: copied rows are easier in any case"
        if any_leak
        else "",
    )


def cut_clusters(split: Split, part_of: Mapping[str, str]) -> list[Finding]:
    """Clusters that the split itself promised to keep whole, and did not."""
    reach: dict[str, set[str]] = {}
    for id_, name in split.groups.items():
        if id_ in part_of:
            reach.setdefault(name, set()).add(part_of[id_])
    torn = sorted(name for name, parts in reach.items() if len(parts) > 1)
    if not torn:
        return []
    return [
        Finding(
            "cluster-cut",
            "error",
            f"{len(torn):,} clusters of the split itself lie in several parts, first {torn[0]!r}",
            {"clusters": len(torn), "first": torn[:5]},
            "split again; this one breaks its own promise",
        )
    ]


def group_leak(corpus: Corpus, column: str, part_of: Mapping[str, str], split: Split) -> Finding:
    """Test rows whose value of a column is met in train too."""
    value = dict(zip(corpus.ids, corpus.meta_values(column), strict=True))
    in_train = {value[id_] for id_ in split.train} - {None, ""}
    both = [id_ for id_ in split.test if value[id_] in in_train]
    shared = {value[id_] for id_ in both}
    share = len(both) / len(split.test)
    groups = {value[id_] for id_ in part_of} - {None, ""}
    return Finding(
        f"group-{column}",
        "warning" if both else "info",
        f"{len(both):,} of {len(split.test):,} test rows ({share:.1%}) share their {column} with train",
        {
            "column": column,
            "groups": len(groups),
            "groups_on_both_sides": len(shared),
            "test_rows": len(both),
            "test_share": share,
        },
        f"if new {column}s are what you will meet, split=grouped split.by=[{column}]" if both else "",
    )


def time_overlap(corpus: Corpus, column: str, split: Split) -> list[Finding]:
    """Timed test rows that are no later than the last training row.

    After any cut but one by time that is so by design: it contradicts a goal (goal.py) or nothing.
    """
    value = dict(zip(corpus.ids, corpus.meta_values(column), strict=True))
    train = _moments(value[id_] for id_ in split.train)
    test = _moments(value[id_] for id_ in split.test)
    if not train or not test:
        return []
    before = sum(moment <= max(train) for moment in test)
    by_time = split.recipe.get("method") == "temporal"
    return [
        Finding(
            f"time-{column}",
            "error" if before and by_time else "info",
            f"{before:,} of {len(test):,} timed test rows are no later than the last training row",
            {
                "column": column,
                "train": [min(train).isoformat(), max(train).isoformat()],
                "test": [min(test).isoformat(), max(test).isoformat()],
                "test_rows_not_later": before,
                "test_share": before / len(test),
            },
            f"if the goal is to predict the future: goal=later split=temporal split.time={column}"
            if before
            else "",
        )
    ]


def _moments(values: object) -> list[datetime]:
    """The readable ones of these times; a time without zone is taken as UTC."""
    moments = []
    for value in cast(Sequence[object], values):
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            continue
        moments.append(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return moments
