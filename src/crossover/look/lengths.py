"""Lengths: how long the texts are, which hold nothing to read, and whether they differ at all."""

from __future__ import annotations

import unicodedata

import numpy as np

from crossover.data.corpus import Corpus
from crossover.look.duplicates import normalise
from crossover.look.finding import Finding

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: only white space, controls and invisible marks (Unicode C and Z)."""
    return all(unicodedata.category(character)[0] in "CZ" for character in text)


def lengths(corpus: Corpus, long: int = 100_000) -> list[Finding]:
    """Quantiles of characters and words, median by class, blank texts, very long texts, constant input.

    Args:
        long: characters above which a text is reported as very long.
    """
    characters = np.array([len(text) for text in corpus.texts])
    words = np.array([len(text.split()) for text in corpus.texts])
    if not len(characters):
        return [Finding("no-rows", "error", "the corpus has no rows", {}, "check data.path")]
    labels = np.array([str(label) for label in corpus.labels])
    findings = [
        Finding(
            "lengths",
            "info",
            f"half of the texts have {np.median(words):.0f} words or fewer; the longest has "
            f"{words.max():,} words, {characters.max():,} characters",
            {
                "quantiles": list(QUANTILES),
                "characters": [float(value) for value in np.quantile(characters, QUANTILES)],
                "words": [float(value) for value in np.quantile(words, QUANTILES)],
                "median_words_by_label": {
                    name: float(np.median(words[labels == name])) for name in corpus.classes
                },
            },
        )
    ]
    findings.extend(_blank(corpus))
    very_long = [id_ for id_, count in zip(corpus.ids, characters, strict=True) if count > long]
    if very_long:
        findings.append(
            Finding(
                "very-long",
                "warning",
                f"{len(very_long):,} texts have more than {long:,} characters, first {very_long[0]!r}",
                {"rows": len(very_long), "first": very_long[:5]},
                "encoders read only their beginning; check that they are one text each",
            )
        )
    if len(corpus) > 1 and len({normalise(text) for text in corpus.texts}) == 1:
        findings.append(
            Finding(
                "constant-input",
                "error",
                f"all {len(corpus):,} texts are the same but for case, digits and spaces",
                {"rows": len(corpus), "text": corpus.texts[0][:80]},
                "name the right text column (data.text=...): no model can do better than chance",
            )
        )
    return findings


def _blank(corpus: Corpus) -> list[Finding]:
    blank = [id_ for id_, text in zip(corpus.ids, corpus.texts, strict=True) if is_blank(text)]
    if not blank:
        return []
    return [
        Finding(
            "blank-texts",
            "warning",
            f"{len(blank):,} texts show nothing (empty, white space or invisible marks), first {blank[0]!r}",
            {"rows": len(blank), "share": len(blank) / len(corpus), "first": blank[:5]},
            "every model sees them as one and the same text: drop them, or find where the text was lost",
        )
    ]
