"""Balance: how the classes are spread, and which are too small to learn or to measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding


def balance(corpus: Corpus, few_rows: int = 10, rare_share: float = 0.05) -> list[Finding]:
    """Counts and shares, rows without label, classes that are few or rare.

    Args:
        few_rows: rows below which a class is reported: with 10 rows a fifth of them tests on 2.
        rare_share: share below which a class is reported, where accuracy says little of it.
    """
    counts = Counter(label for label in corpus.labels if label is not None)
    total = sum(counts.values())
    findings = []
    if len(counts) < 2:
        return [
            Finding(
                "one-class",
                "error",
                f"the labels are {sorted(counts)}: there is nothing to tell apart",
                {"rows": dict(counts)},
                "name the right label column (data.label=...)",
            )
        ]
    name, most = min(counts.items(), key=lambda item: (-item[1], item[0]))
    findings.append(
        Finding(
            "class-balance",
            "info",
            f"{len(counts)} classes; always saying {name!r} is right on {most / total:.1%} of {total:,} rows",
            {"rows": dict(sorted(counts.items())), "majority": name, "majority_share": most / total},
        )
    )
    if total < len(corpus):
        findings.append(
            Finding(
                "unlabelled",
                "warning",
                f"{len(corpus) - total:,} of {len(corpus):,} rows have no label",
                {"rows": len(corpus) - total, "share": 1 - total / len(corpus)},
                "they go to no part of a split: label them, or say why they are missing",
            )
        )
    return findings + _small(counts, few_rows, rare_share)


def _small(counts: Mapping[str, int], few_rows: int, rare_share: float) -> list[Finding]:
    findings = []
    total = sum(counts.values())
    few = sorted(label for label, rows in counts.items() if rows < few_rows)
    if few:
        findings.append(
            Finding(
                "class-few",
                "warning",
                f"{len(few)} classes have fewer than {few_rows} rows, first {few[0]!r} with {counts[few[0]]}",
                {"rows": {label: counts[label] for label in few}},
                "bring more rows of them, merge them, or leave them out",
            )
        )
    # Many classes are each rare of necessity: rare is measured against an equal share too.
    limit = min(rare_share, 0.5 / len(counts))
    rare = sorted(label for label, rows in counts.items() if rows / total < limit)
    if rare:
        findings.append(
            Finding(
                "class-rare",
                "warning",
                f"{len(rare)} classes hold less than {limit:.1%} of the rows each, first {rare[0]!r}",
                {"share": {label: counts[label] / total for label in rare}},
                "judge by macro-F1, MCC or recall of the class rather than by accuracy",
            )
        )
    return findings
