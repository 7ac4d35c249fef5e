"""The whole look: every statistic, breakdown, cluster, word and finding of a corpus, made once.

Every test of the look is a member of one family (family.py): on a clean corpus the chance of any warning that
rests on a test is at most 5%.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crossover.data.corpus import Corpus
from crossover.look.balance import balance
from crossover.look.breakdown import Breakdown, Contrast, breakdowns, contrasts
from crossover.look.by_meta import by_meta
from crossover.look.cut_texts import cut_texts
from crossover.look.damage import damage
from crossover.look.declared_columns import declared_columns
from crossover.look.dependence import one_a_cluster, units
from crossover.look.duplicates import Cluster, cluster_table, duplicate_clusters, duplicates
from crossover.look.family import as_family
from crossover.look.file_order import file_order
from crossover.look.finding import Finding
from crossover.look.lengths import lengths
from crossover.look.mixed_languages import mixed_languages
from crossover.look.over_time import over_time
from crossover.look.similar_pairs import OnProgress
from crossover.look.text_statistics import TextStatistics, text_statistics
from crossover.look.vocabulary import ClassWord, vocabulary, vocabulary_finding
from crossover.look.word_spikes import word_spikes
from crossover.look.word_table import word_table


@dataclass(frozen=True, eq=False)
class Looked:
    """What a look made: ``statistics`` a row, ``breakdowns``, ``contrasts`` asked for, ``findings`` after
    Holm's correction over all of them, near-duplicate ``clusters`` (largest first; ``cluster_of`` maps id to
    the cluster's name) and the ``vocabulary`` of each class."""

    statistics: TextStatistics
    breakdowns: tuple[Breakdown, ...]
    contrasts: tuple[Contrast, ...]
    findings: tuple[Finding, ...]
    clusters: tuple[Cluster, ...]
    cluster_of: Mapping[str, str]
    vocabulary: Mapping[str, tuple[ClassWord, ...]]

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, without the statistics of single rows."""
        return {
            "breakdowns": [one.to_json() for one in self.breakdowns],
            "contrasts": [one.to_json() for one in self.contrasts],
            "findings": [one.to_json() for one in self.findings],
            "clusters": [one.to_json() for one in self.clusters],
            "vocabulary": {
                label: [word.to_json() for word in words] for label, words in self.vocabulary.items()
            },
        }


def look_over(
    corpus: Corpus,
    threshold: float = 0.5,
    against: Mapping[str, tuple[str, str]] | None = None,
    on_progress: OnProgress | None = None,
) -> Looked:
    """Look a corpus over. Deterministic; the order of the rows matters to the finding about it alone.

    Args:
        threshold: Jaccard similarity of near-duplicates.
        against: column -> two of its values to set against each other, as ``{"domain": (".edu", ".com")}``.
        on_progress: told (steps done, of so many, what).

    Raises:
        BadInput: a column or value of ``against`` that the corpus lacks, or a threshold outside (0, 1].
    """
    if not len(corpus):
        nothing = text_statistics([])
        return Looked(nothing, (), (), tuple(lengths(corpus)), (), {}, {})
    statistics = text_statistics(corpus.texts)
    cluster_of = duplicate_clusters(corpus.ids, corpus.texts, threshold, on_progress=on_progress)
    together = units(corpus, cluster_of)
    compared = [
        one
        for column, (first, second) in (against or {}).items()
        for one in contrasts(corpus, statistics, together, column, first, second)
    ]
    rows = one_a_cluster(corpus, cluster_of)
    table = word_table([corpus.texts[row] for row in rows.tolist()])
    words = vocabulary(table, [corpus.labels[row] for row in rows.tolist()])
    findings = [
        *balance(corpus),
        *lengths(corpus),
        *duplicates(corpus, threshold, near=cluster_of),
        *audits(corpus, statistics, rows),
        *word_spikes(corpus, table, rows),
        *vocabulary_finding(words, len(rows)),
    ]
    return Looked(
        statistics,
        tuple(breakdowns(corpus, statistics, together)),
        tuple(compared),
        tuple(as_family(findings)),
        tuple(cluster_table(corpus, cluster_of)),
        cluster_of,
        words,
    )


def audits(corpus: Corpus, statistics: TextStatistics, rows: np.ndarray) -> list[Finding]:
    """What stands in the columns and in the texts: one list of every audit but copies and words.

    Args:
        rows: one row of each cluster of copies (dependence.py).
    """
    return [
        *damage(corpus),
        *cut_texts(corpus, rows),
        *mixed_languages(corpus, statistics),
        *file_order(corpus, rows),
        *declared_columns(corpus, rows),
        *over_time(corpus, statistics, rows),
        *by_meta(corpus, statistics, rows),
    ]
