"""Audit: what a split gets right and wrong, as Findings of one page.

Sizes, balance (audit_balance.py), copies, groups and times on both sides (audit_leaks.py), and whether it
serves the goal that was stated (goal.py). The findings that rest on a test are one family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from crossover.data.corpus import Corpus
from crossover.look.duplicates import KINDS, duplicate_clusters
from crossover.look.family import as_family
from crossover.look.finding import Finding
from crossover.split.audit_balance import balance_findings
from crossover.split.audit_leaks import cut_clusters, duplicate_leak, group_leak, time_overlap
from crossover.split.goal import against_goal, goal_named, time_columns
from crossover.split.split import Split


def audit(
    corpus: Corpus,
    split: Split,
    threshold: float = 0.5,
    kinds: Sequence[str] = KINDS,
    goal: str | None = None,
) -> list[Finding]:
    """Findings on a split of this corpus, the goal and the description first.

    Args:
        threshold: Jaccard similarity of near-duplicates (look/duplicates.py).
        kinds: which duplicates to look for; ``near`` takes some seconds on 30,000 texts.
        goal: what the score shall predict (goal.py), None where nobody said.

    Raises:
        BadInput: the split was made from another corpus, or no such goal.
    """
    split.verify(corpus)
    part_of = {id_: part for part, ids in split.parts.items() for id_ in ids}
    part_of |= dict.fromkeys(split.sealed, "sealed")
    rows = sorted(part_of)
    texts = [corpus.texts[corpus.row_of[id_]] for id_ in rows]
    leaks = [
        duplicate_leak(kind, duplicate_clusters(rows, texts, threshold, kind), part_of, split, threshold)
        for kind in kinds
    ]
    leaks += cut_clusters(split, part_of)
    for column, meaning in sorted(corpus.meta.items()):
        if meaning == "group":
            leaks.append(group_leak(corpus, column, part_of, split))
        if meaning == "time":
            leaks.extend(time_overlap(corpus, column, split))
    served = _served(goal, corpus, split, part_of, leaks)
    return as_family(
        [served, *_seen_before(corpus), _sizes(corpus, split), *balance_findings(corpus, split), *leaks]
    )


def _served(
    stated: str | None, corpus: Corpus, split: Split, part_of: Mapping[str, str], leaks: Sequence[Finding]
) -> Finding:
    """The goal against what the leaks say."""
    evidence = {finding.code: finding.evidence for finding in leaks}
    times = [evidence.get(f"time-{column}") for column in time_columns(corpus)[:1]]
    not_later = cast(int, times[0]["test_rows_not_later"]) if times and times[0] else None
    near = evidence.get("leak-near")
    goal, shared = goal_named(stated), 0
    if goal is not None and goal.column in corpus.meta:
        found = group_leak(corpus, goal.column, part_of, split)
        shared = cast(int, found.evidence["test_rows"])
    return against_goal(
        stated, corpus, split, not_later, shared, None if near is None else cast(int, near["test_rows"])
    )


def _seen_before(corpus: Corpus) -> list[Finding]:
    """What the card says of texts that an encoder met in pretraining."""
    seen = corpus.card.seen_in_pretraining
    if not seen:
        return []
    return [
        Finding(
            "seen-in-pretraining",
            "warning",
            f"the card says that an encoder met such text in training: {seen}",
            {"dates": corpus.card.dates},
            "a demonstration, never evidence that pretraining pays: ask again on text written after the "
            "encoder",
        )
    ]


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
