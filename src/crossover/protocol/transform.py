"""Transforms of texts and labels that a run may be asked for: null runs and partial inputs.

A text transform is applied to every row a run reads, a label transform to its training rows only.
Each row's outcome depends on its own text or position and the seed, never on other runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from crossover.data.bad_input import BadInput

TEXT_KINDS = ("constant", "first_k", "shuffle_words", "mask")
LABEL_KINDS = ("shuffle", "flip")
MASK = "masked"
CONSTANT = "constant text"


@dataclass(frozen=True)
class Transform:
    """One transform.

    Args:
        kind: of texts, ``constant`` (one text for all), ``first_k`` (the first ``amount`` words),
            ``shuffle_words`` (each text's words in random order) or ``mask`` (each of ``words``
            replaced, as a whole word, whatever its case); of labels, ``shuffle`` (permuted among
            the training rows) or ``flip`` (a share ``amount`` of them given another class of those).
        amount: words or share, as the kind says.
        words: what is masked.
    """

    kind: str
    amount: float = 0.0
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in TEXT_KINDS + LABEL_KINDS:
            raise BadInput(f"transform {self.kind!r}: expected one of {TEXT_KINDS + LABEL_KINDS}")
        if self.kind == "first_k" and (self.amount < 1 or self.amount != int(self.amount)):
            raise BadInput(f"transform first_k: amount={self.amount}; expected a number of words from 1 up")
        if self.kind == "flip" and not 0 < self.amount <= 1:
            raise BadInput(f"transform flip: amount={self.amount}; expected a share above 0, up to 1")
        if (self.kind == "mask") != bool(self.words):
            raise BadInput(f"transform {self.kind}: words={self.words}; mask takes words, others none")

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, what is at its default left out."""
        plain = {**asdict(self), "words": list(self.words)}
        return {key: value for key, value in plain.items() if value}

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Transformed texts.

        Raises:
            BadInput: this is a transform of labels.
        """
        if self.kind == "constant":
            return [CONSTANT] * len(texts)
        if self.kind == "first_k":
            return [" ".join(text.split()[: int(self.amount)]) for text in texts]
        if self.kind == "shuffle_words":
            return [_shuffled(text) for text in texts]
        if self.kind == "mask":
            listed = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
            whole = re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE)
            return [whole.sub(MASK, text) for text in texts]
        raise BadInput(f"transform {self.kind!r} is of labels; of texts there are {TEXT_KINDS}")

    def labels(self, labels: Sequence[str], seed: int) -> list[str]:
        """Transformed labels of the training rows.

        Raises:
            BadInput: this is a transform of texts.
        """
        rng = np.random.default_rng([seed, LABEL_KINDS.index(self.kind) if self.kind in LABEL_KINDS else 0])
        if self.kind == "shuffle":
            return [labels[k] for k in rng.permutation(len(labels))]
        if self.kind == "flip":
            classes = sorted(set(labels))
            chosen = rng.random(len(labels)) < self.amount
            draws = rng.integers(0, max(len(classes) - 1, 1), len(labels))
            return [
                [name for name in classes if name != label][draw] if flip and len(classes) > 1 else label
                for label, flip, draw in zip(labels, chosen, draws, strict=True)
            ]
        raise BadInput(f"transform {self.kind!r} is of texts; of labels there are {LABEL_KINDS}")


def _shuffled(text: str) -> str:
    words = text.split()
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")
    return " ".join(words[k] for k in np.random.default_rng(seed).permutation(len(words)))
