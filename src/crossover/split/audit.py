"""Audit: what a split gets right and wrong, as Findings: sizes, classes, leaks, groups, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import numpy as np
from scipy.stats import chi2_contingency

from crossover.data.corpus import Corpus
from crossover.look.duplicates import KINDS, duplicate_clusters
from crossover.look.finding import Finding
from crossover.split.split import Split

ALARM = 0.01
"""Level of the test that train and test have the same classes; a random split alarms at most so often."""

SHIFT = 0.02
"""Least difference of a class's share between train and test that is worth a warning."""


def audit(
    corpus: Corpus, split: Split, threshold: float = 0.5, kinds: Sequence[str] = KINDS
) -> list[Finding]:
    """Findings on a split of this corpus, the description first.

    Args:
        threshold: Jaccard similarity of near-duplicates (look/duplicates.py).
        kinds: which duplicates to look for; ``near`` takes some seconds on 30,000 texts.

    Raises:
        BadInput: the split was made from another corpus.
    """
    split.verify(corpus)
    part_of = {id_: part for part, ids in split.parts.items() for id_ in ids}
    part_of |= dict.fromkeys(split.sealed, "sealed")
    findings = [_sizes(corpus, split), *_classes(corpus, split)]
    rows = sorted(part_of)
    texts = [corpus.texts[corpus.row_of[id_]] for id_ in rows]
    for kind in kinds:
        clusters = duplicate_clusters(rows, texts, threshold, kind)
        findings.append(_duplicates(kind, clusters, part_of, split, threshold))
    findings.extend(_declared_clusters(split, part_of))
    for column, meaning in sorted(corpus.meta.items()):
        if meaning == "group":
            findings.append(_groups(corpus, column, part_of, split))
        if meaning == "time":
            findings.extend(_time(corpus, column, split))
    return findings


def _sizes(corpus: Corpus, split: Split) -> Finding:
    obtained = {part: len(ids) for part, ids in split.parts.items()}
    total = sum(obtained.values())
    asked = {
        part: float(share)
        for part, share in cast(Mapping[str, object], split.recipe.get("asked", {})).items()
        if part in obtained and isinstance(share, int | float)
    }
    reserve = cast(Mapping[str, int], split.recipe.get("reserve", {}))
    labelled = len(corpus) - int(reserve.get("unlabelled", 0))
    off = {
        part: obtained[part] / labelled - share
        for part, share in asked.items()
        if abs(obtained[part] - share * labelled) > max(0.1 * share * labelled, 2)
    }
    return Finding(
        "split-sizes",
        "warning" if off else "info",
        f"{obtained['train']:,} rows to train on, {obtained['select'] + obtained['calibrate']:,} "
        "to validate, "
        f"{obtained['test']:,} to test, {len(corpus) - total:,} in reserve"
        + (f" ({len(split.sealed):,} of them sealed)" if split.sealed else "")
        + (f"; {', '.join(off)} off the size asked by more than a tenth" if off else ""),
        {"obtained": obtained, "asked_shares": asked, "reserve": dict(reserve), "off_by_share": off},
        "rows in reserve and large groups change the sizes: see reserve, and the groups" if off else "",
    )


def _classes(corpus: Corpus, split: Split) -> list[Finding]:
    label = dict(zip(corpus.ids, corpus.labels, strict=True))
    counts = {part: Counter(label[id_] for id_ in ids) for part, ids in split.parts.items()}
    classes = sorted({str(name) for part in counts.values() for name in part})
    table = np.array([[counts[part][name] for name in classes] for part in ("train", "test")])
    shares = table / table.sum(axis=1, keepdims=True)
    shift = np.abs(shares[0] - shares[1])
    p = float(chi2_contingency(table).pvalue) if len(classes) > 1 else 1.0
    widest = classes[int(np.argmax(shift))]
    alarm = p < ALARM and float(shift.max()) >= SHIFT
    findings = [
        Finding(
            "class-shift" if alarm else "class-balance",
            "warning" if alarm else "info",
            f"class shares of train and test differ by at most {shift.max():.1%} ({widest!r})",
            {
                "rows": {part: {name: counts[part][name] for name in classes} for part in counts},
                "largest_difference": float(shift.max()),
                "p_value": p,
            },
            "stratify, or expect scores to depend on the shift of prevalence" if alarm else "",
        )
    ]
    for part in counts:
        missing = [name for name in classes if not counts[part][name]]
        if not missing or not split.parts[part]:
            continue
        unlearnt = part == "train"
        findings.append(
            Finding(
                f"class-missing-{part}",
                "error" if unlearnt else "warning",
                f"{len(missing)} classes have no row in {part}, first {missing[0]!r}",
                {"part": part, "classes": missing},
                "no model can predict a class it never saw: move the cut or leave those rows out"
                if unlearnt
                else "scores of these classes are undefined there: ask for a larger part or merge classes",
            )
        )
    return findings


def _duplicates(
    kind: str, clusters: Mapping[str, str], part_of: Mapping[str, str], split: Split, threshold: float
) -> Finding:
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


def _declared_clusters(split: Split, part_of: Mapping[str, str]) -> list[Finding]:
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


def _groups(corpus: Corpus, column: str, part_of: Mapping[str, str], split: Split) -> Finding:
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


def _time(corpus: Corpus, column: str, split: Split) -> list[Finding]:
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
            "info" if not before else "error" if by_time else "warning",
            f"{before:,} of {len(test):,} timed test rows are no later than the last training row",
            {
                "column": column,
                "train": [min(train).isoformat(), max(train).isoformat()],
                "test": [min(test).isoformat(), max(test).isoformat()],
                "test_rows_not_later": before,
                "test_share": before / len(test),
            },
            f"if the goal is to predict the future, split=temporal split.time={column}" if before else "",
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
