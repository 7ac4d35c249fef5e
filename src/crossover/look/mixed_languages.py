"""Mixed languages: texts in another language or script than most, as language.py guesses them."""

from __future__ import annotations

from collections import Counter

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.look.language import UNKNOWN
from crossover.look.text_statistics import TextStatistics

SHARE, FEWEST = 0.02, 10
"""Share and number of texts in other languages from which on they are worth a warning: the guess alone may
be wrong for one text in a hundred."""


def mixed_languages(corpus: Corpus, statistics: TextStatistics) -> list[Finding]:
    """The languages guessed, with the share of the others in each class; silent where none is guessed."""
    languages, scripts = Counter(statistics.languages), Counter(statistics.scripts)
    known = {name: rows for name, rows in languages.items() if name != UNKNOWN}
    if not known:
        return []
    main = min(known, key=lambda name: (-known[name], name))
    total = sum(known.values())
    other = total - known[main]
    large = other >= max(FEWEST, SHARE * total)
    of_class = {
        label: [
            language != main
            for language, own in zip(statistics.languages, corpus.labels, strict=True)
            if own == label and language != UNKNOWN
        ]
        for label in corpus.classes
    }
    return [
        Finding(
            "languages",
            "warning" if large else "info",
            f"{known[main]:,} texts seem to be in {main!r}, {other:,} in {len(known) - 1} other languages; "
            f"{languages[UNKNOWN]:,} are too short or unlike to say",
            {
                "languages": dict(languages.most_common()),
                "scripts": dict(scripts.most_common()),
                "main": main,
                "other_share": other / total,
                "share_floor": SHARE,
                "other_share_by_label": {
                    label: sum(others) / len(others) for label, others in of_class.items() if others
                },
            },
            "read some of the others; where one class is written in another language a model learns that: "
            "score the languages one by one"
            if large
            else "",
        )
    ]
