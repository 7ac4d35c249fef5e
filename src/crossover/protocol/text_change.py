"""Changes of single texts: partial inputs, marks taken out, and changes a prediction should not follow.

Each is a function of the text alone (and of the settings of its transform): what is random is seeded by
the text, so that a row is changed alike in every run.
"""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np

HARMLESS = "Sent from my phone"
"""The line that ``add_line`` adds."""
URL = re.compile(r"(?:https?://|www\.)\S{1,2000}", re.IGNORECASE)
OTHER_URL = "https://www.example.com/page"
FUNCTION_WORDS = frozenset(
    """
    a about above after again against all am an and any are as at be because been before being below
    between both but by can cannot could did do does doing down during each few for from further had has
    have having he her here hers him his how i if in into is it its just may me might more most must my
    no nor not now of off on once only or other our ours out over own same shall she should so some such
    than that the their theirs them then there these they this those through to too under until up upon
    very was we were what when where which while who whom why will with would you your yours
    """.split()  # noqa: SIM905
)
"""English words that carry grammar rather than matter."""


def _digits(text: str) -> str:
    # A single digit is no word to most tokenisers.
    return " ".join(f"digits{found}" for found in re.findall(r"\d+", text))


def _capitals(text: str) -> str:
    words = re.findall(r"[^\W\d_]{2,}", text)
    return " ".join(word for word in words if word.isupper())


def _punctuation(text: str) -> str:
    """Signs by their Unicode names: a tokeniser of words would see none of them."""
    named = [unicodedata.name(sign, "unnamed sign") for sign in re.findall(r"[^\w\s]", text)]
    return " ".join(re.sub(r"\W+", "_", name.lower()) for name in named)


def _function_words(text: str) -> str:
    return " ".join(word for word in re.findall(r"\w+", text.lower()) if word in FUNCTION_WORDS)


def _urls(text: str) -> str:
    return " ".join(found.group() for found in URL.finditer(text))


ONLY: Mapping[str, Callable[[str], str]] = {
    "digits": _digits,
    "capitals": _capitals,
    "punctuation": _punctuation,
    "function_words": _function_words,
    "urls": _urls,
}
"""Kinds of words that ``only`` keeps; what is left of a text without any is empty."""


def first_words(text: str, amount: float) -> str:
    """The first ``amount`` words."""
    return " ".join(text.split()[: int(amount)])


def shuffled(text: str) -> str:
    """The words in random order."""
    words = text.split()
    return " ".join(words[k] for k in random_of(text).permutation(len(words)))


def lower(text: str) -> str:
    """All in lower case."""
    return text.lower()


def spaced(text: str) -> str:
    """Every run of white space a single blank."""
    return " ".join(text.split())


def unpunctuated(text: str) -> str:
    """Punctuation replaced by blanks."""
    return "".join(" " if unicodedata.category(sign)[0] == "P" else sign for sign in text)


def other_digits(text: str) -> str:
    """Every digit replaced by a random one; a number stays as long as it was."""
    draw = random_of(text)
    return re.sub(r"\d", lambda _: str(draw.integers(10)), text)


def with_typos(text: str, amount: float) -> str:
    """A share ``amount`` of the words of four letters and more with two neighbouring letters swapped."""
    draw = random_of(text)

    def swapped(found: re.Match[str]) -> str:
        word = found.group()
        chance, place = draw.random(), int(draw.integers(1, len(word) - 1))
        if chance >= amount:
            return word
        return word[:place] + word[place + 1 :][:1] + word[place] + word[place + 2 :]

    return re.sub(r"[^\W\d_]{4,}", swapped, text)


def other_urls(text: str) -> str:
    """Every URL replaced by one and the same."""
    return URL.sub(OTHER_URL, text)


def with_line(text: str) -> str:
    """A harmless line added at the end."""
    return f"{text}\n{HARMLESS}"


def with_names(text: str) -> str:
    """Each capitalised word inside a sentence replaced by a made-up name of its length."""
    draw = random_of(text)

    def renamed(found: re.Match[str]) -> str:
        letters = draw.integers(26, size=len(found.group(1)) - 1)
        rest = "".join(string.ascii_lowercase[k] for k in letters)
        return found.group(1)[0] + rest

    return re.sub(r"(?<=[a-z,] )([A-Z][a-z]{2,30})(?![A-Za-z])", renamed, text)


UNMOVED: Mapping[str, Callable[[str, float], str]] = {
    "lower_case": lambda text, _: lower(text),
    "white_space": lambda text, _: spaced(text),
    "no_punctuation": lambda text, _: unpunctuated(text),
    "other_digits": lambda text, _: other_digits(text),
    "typos": with_typos,
    "other_urls": lambda text, _: other_urls(text),
    "other_names": lambda text, _: with_names(text),
    "add_line": lambda text, _: with_line(text),
}
"""Changes that a prediction should not follow: kind -> function of the text and the amount."""


def random_of(text: str) -> np.random.Generator:
    """A generator seeded by the text."""
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")
    return np.random.default_rng(seed)
