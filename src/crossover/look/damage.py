"""Damage: what is left in texts of the way they came: broken encodings, entities and tags, quoted replies."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding

SHARE = 0.005
"""Share of the rows from which on a kind of damage is worth a warning."""
READ = 20_000
"""Characters read of a text."""

_MARKS: dict[str, tuple[str, re.Pattern[str], str]] = {
    "mojibake": (
        "letters of UTF-8 read as another encoding (Ã©, â€™)",
        re.compile("Ã[\u0080-\u00bf\u0152-\u0192\u2013-\u2122]|Â[\u0080-\u00bf]|â€|ï»¿|Ð[\u0080-\u00bf]Ñ"),
        "read the file again with its own encoding (data.encoding)",
    ),
    "replacement-characters": (
        "the mark of lost characters (U+FFFD)",
        re.compile("\ufffd"),
        "go back to the source: what stood there is lost in this file (data.encoding, data.errors=strict)",
    ),
    "html-entities": (
        "HTML entities (&amp;, &#39;)",
        re.compile(r"&(?:amp|lt|gt|quot|nbsp|apos|#\d{2,6}|#x[0-9a-fA-F]{2,5});"),
        "unescape them once, in every class alike, before anything is split",
    ),
    "html-tags": (
        "HTML tags (<br>, </p>)",
        re.compile(
            r"</?(?:a|b|i|u|p|br|hr|div|span|font|table|t[dr]|html|body|head|img|li|ul|h[1-6]|strong|em)"
            r"\b[^<>]{0,500}>",
            re.I,
        ),
        "take them out once, in every class alike, before anything is split",
    ),
    "quoted-replies": (
        "an earlier mail quoted or forwarded below",
        re.compile(
            r"^ ?> ?\S.*\n ?> ?\S|-{2,} ?(?:original message|forwarded)|(?:- ){5,}(?:original|forwarded)"
            r"|^on .{5,80} wrote ?:",
            re.I | re.M,
        ),
        "decide whether the quoted text belongs to the row: its label may be another's, and threads share it",
    ),
}  # fmt: skip


def damage(corpus: Corpus) -> list[Finding]:
    """How many texts hold each kind of damage, in which classes; a kind that none holds is not named."""
    labels = np.array([str(label) for label in corpus.labels], object)
    findings = []
    for code, (what, pattern, remedy) in _MARKS.items():
        need = _NEEDS[code]
        marked = np.array(
            [
                any(part in text for part in need) and pattern.search(text) is not None
                for text in (whole[:READ] for whole in corpus.texts)
            ],
            bool,
        )
        if marked.any():
            findings.append(_finding(corpus, code, what, remedy, marked, labels))
    return findings


def _finding(
    corpus: Corpus, code: str, what: str, remedy: str, marked: NDArray[np.bool_], labels: NDArray[np.object_]
) -> Finding:
    count, share = int(marked.sum()), float(marked.mean())
    large = share >= SHARE
    return Finding(
        code,
        "warning" if large else "info",
        f"{count:,} of {len(corpus):,} texts ({share:.1%}) hold {what}",
        {
            "rows": count,
            "share": share,
            "share_floor": SHARE,
            "share_by_label": {name: float(marked[labels == name].mean()) for name in corpus.classes},
            "first": [corpus.ids[row] for row in np.flatnonzero(marked)[:5].tolist()],
        },
        remedy if large else "",
    )


_NEEDS = {
    "mojibake": ("Ã", "Â", "â€", "ï»¿", "Ð"),
    "replacement-characters": ("\ufffd",),
    "html-entities": ("&",),
    "html-tags": ("<",),
    "quoted-replies": (">", "--", "- - -", "wrote"),
}
"""Without one of these a text holds no such damage: most texts are told by a search for them."""
