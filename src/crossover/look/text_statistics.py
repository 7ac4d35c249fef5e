"""Text statistics: how long a text is, what it is made of, and in which script and language it is written."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crossover.look.language import SCRIPTS, guess_language, script_table

NUMBERS = (
    "characters", "words", "sentences", "urls", "addresses", "digits", "capitals", "punctuation", "blank",
)  # fmt: skip
"""Counts: characters, words (between white space), sentences, links, e-mail addresses. Shares: digits and
punctuation (Unicode P and S) of the characters, capitals of the letters; 0 where there are none to count.
``blank`` is 1 where nothing shows (Unicode C and Z only)."""

CHARACTERS_A_TIME = 1 << 21
SENTENCE_ENDS, ENDS_WITHOUT_SPACE = ".!?…।؟", "。！？"

_URL = re.compile(r"\b(?:https?|ftp) ?: ?/ ?/|(?<!/)(?<!/ )\bwww ?\. ?\w")
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64} ?@ ?[\w-]{1,63}(?: ?\. ?[\w-]{1,63}){1,8}")


@dataclass(frozen=True, eq=False)
class TextStatistics:
    """One value a row: ``numbers`` by name (:data:`NUMBERS`), the guessed ``languages`` (language.py; ISO
    639-1 or ``unknown``) and the ``scripts`` that most letters belong to (``none`` without letters)."""

    numbers: Mapping[str, NDArray[np.float64]]
    languages: tuple[str, ...]
    scripts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.languages)


def text_statistics(texts: Sequence[str]) -> TextStatistics:
    """The statistics of each text, in one pass over the characters.

    Sentences end with a mark and white space (or the text's end): "Mr. Smith" counts as two. Links start
    with http, https, ftp or www, in tokenised text too ("http : / / www . site"). The language is a guess
    from function words: a text of under ten words is often ``unknown``, and sometimes wrong.
    """
    counts = np.zeros((len(_COUNTED), len(texts)))
    scripts = np.zeros((len(SCRIPTS), len(texts)), np.int64)
    for begin, end in _pieces(texts):
        part = slice(begin, end)
        counts[:, part], scripts[:, part] = _count(texts[part])
    row = dict(zip(_COUNTED, counts, strict=True))
    lowered = [text.lower() for text in texts]
    characters = np.array([len(text) for text in texts], float)
    most = np.where(scripts.any(axis=0), scripts.argmax(axis=0) + 1, 0)
    names = ("none", *SCRIPTS)
    found = tuple(names[k] for k in most.tolist())
    numbers = {
        "characters": characters,
        "words": row["words"],
        "sentences": row["sentences"],
        "urls": np.array([len(_URL.findall(text)) if _linked(text) else 0 for text in lowered], float),
        "addresses": np.array([len(_ADDRESS.findall(text)) if "@" in text else 0 for text in lowered], float),
        "digits": _share(row["digits"], characters),
        "capitals": _share(row["capitals"], row["letters"]),
        "punctuation": _share(row["punctuation"], characters),
        "blank": (row["shown"] == 0).astype(float),
    }
    languages = tuple(guess_language(text, script) for text, script in zip(lowered, found, strict=True))
    return TextStatistics(numbers, languages, found)


_COUNTED = ("words", "sentences", "digits", "letters", "capitals", "punctuation", "shown")
_DIGIT, _LETTER, _CAPITAL, _PUNCTUATION, _SHOWN, _SPACE, _END, _END_ALONE = (1 << k for k in range(8))


def _pieces(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Ranges of texts that hold about CHARACTERS_A_TIME together."""
    begin = held = 0
    for row, text in enumerate(texts):
        held += len(text) + 1
        if held >= CHARACTERS_A_TIME:
            yield begin, row + 1
            begin, held = row + 1, 0
    if begin < len(texts):
        yield begin, len(texts)


def _count(texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(counted, texts) and (scripts, texts); each text is followed by a line break, which ends it."""
    flat = np.frombuffer(
        "".join(f"{text}\n" for text in texts).encode("utf-32-le", "surrogatepass"), np.uint32
    )
    lengths = np.array([len(text) + 1 for text in texts])
    starts = np.cumsum(lengths) - lengths
    kind, script = _kinds()[flat], script_table()[flat]

    def total(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.asarray(np.add.reduceat(flags, starts, dtype=np.int64))

    space = kind & _SPACE != 0
    before = np.concatenate([[True], space[:-1]])
    counted = {
        "words": total(~space & before),
        "sentences": _sentences(kind, space, starts),
        "digits": total(kind & _DIGIT != 0),
        "letters": total(kind & _LETTER != 0),
        "capitals": total(kind & _CAPITAL != 0),
        "punctuation": total(kind & _PUNCTUATION != 0),
        "shown": total(kind & _SHOWN != 0),
    }
    scripts = [total(script == k + 1) if k else None for k in range(len(SCRIPTS))]
    others = sum(found for found in scripts if found is not None)
    scripts[0] = total(script > 0) - others
    return np.array([counted[name] for name in _COUNTED], float), np.array(scripts)


def _sentences(
    kind: NDArray[np.uint8], space: NDArray[np.bool_], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ends of sentences that have a letter or a digit before them and after the end before."""
    after = np.concatenate([space[1:], [True]])
    last = np.append(starts[1:], len(kind)) - 1
    ends = (kind & _END_ALONE != 0) | (kind & _END != 0) & after
    ends[last] = True
    seen = np.cumsum(kind & (_LETTER | _DIGIT) != 0)
    places = np.flatnonzero(ends)
    said = np.diff(seen[places], prepend=0) > 0
    return np.asarray(np.bincount(np.searchsorted(last, places), said, len(starts)).astype(np.int64))


@lru_cache(maxsize=1)
def _kinds() -> NDArray[np.uint8]:
    """What each code point counts as."""
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    flags = {"Nd": _DIGIT, "Lu": _LETTER | _CAPITAL, "Lt": _LETTER | _CAPITAL}
    firsts = {"L": _LETTER, "P": _PUNCTUATION, "S": _PUNCTUATION}
    known = {}
    for point in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(point))
        if category not in known:
            shown = 0 if category[0] in "CZ" else _SHOWN
            known[category] = flags.get(category, firsts.get(category[0], 0)) | shown
        table[point] = known[category]
    for point in range(0x3001):  # no white space lies beyond the ideographic space
        if chr(point).isspace():
            table[point] |= _SPACE
    for marks, flag in ((SENTENCE_ENDS, _END), (ENDS_WITHOUT_SPACE, _END_ALONE)):
        for mark in marks:
            table[ord(mark)] |= flag
    return table


def _linked(lowered: str) -> bool:
    return "http" in lowered or "www" in lowered or "ftp" in lowered


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(part / np.maximum(whole, 1))
