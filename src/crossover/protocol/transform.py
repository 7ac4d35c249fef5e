"""Transforms of texts, labels and training rows that a run may be asked for.

Null runs, partial inputs, marks taken out, changes that a prediction should not follow, and remedies. A
text transform is applied to every row a run reads, a label or row transform to its training rows only.
Each row's outcome depends on its own text or position and the seed, never on other runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

import numpy as np

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.protocol import mark
from crossover.protocol.text_change import ONLY, UNMOVED, first_words, shuffled

TEXT_KINDS = ("constant", "first_k", "shuffle_words", "mask", "strip", "only", *UNMOVED)
ROW_KINDS = ("augment", "balance")
WORDED = ("mask", "strip", "only", *ROW_KINDS)
"""Kinds that take ``words``."""
LABEL_KINDS = ("shuffle", "flip")
MASK = "masked"
CONSTANT = "constant text"


@dataclass(frozen=True)
class Transform:
    """One transform.

    Args:
        kind: of texts, ``constant`` (one text for all), ``first_k`` (the first ``amount`` words),
            ``shuffle_words`` (each text's words in random order), ``mask`` (each of ``words``
            replaced, as a whole word, whatever its case), ``strip`` (each mark of ``words`` removed,
            mark.py), ``only`` (words of the kinds ``words``, nothing else) or a change that a
            prediction should not follow (text_change.py); of labels, ``shuffle`` (permuted among
            the training rows) or ``flip`` (a share ``amount`` of them given another class of those);
            of training rows, ``augment`` (each row twice, with the marks ``words`` and without) or
            ``balance`` (rows with a mark dropped until it is as frequent in every class).
        amount: words or share, as the kind says.
        words: what is masked, the marks, or the kinds of words kept.
    """

    kind: str
    amount: float = 0.0
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = TEXT_KINDS + LABEL_KINDS + ROW_KINDS
        if self.kind not in known:
            raise BadInput(f"transform {self.kind!r}: expected one of {known}")
        if self.kind == "first_k" and (self.amount < 1 or self.amount != int(self.amount)):
            raise BadInput(f"transform first_k: amount={self.amount}; expected a number of words from 1 up")
        if self.kind in ("flip", "typos") and not 0 < self.amount <= 1:
            raise BadInput(f"transform {self.kind}: amount={self.amount}; expected a share above 0, up to 1")
        if (self.kind in WORDED) != bool(self.words):
            raise BadInput(
                f"transform {self.kind}: words={self.words}; {', '.join(WORDED)} take words, others none"
            )
        if self.kind == "only" and (unknown := sorted(set(self.words) - set(ONLY))):
            raise BadInput(f"transform only: {unknown[0]!r} is no kind of words; there are {list(ONLY)}")
        if self.kind in ("strip", *ROW_KINDS):
            mark.check_marks(self.words, f"transform {self.kind}")

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, what is at its default left out."""
        plain = {**asdict(self), "words": list(self.words)}
        return {key: value for key, value in plain.items() if value}

    @classmethod
    def from_json(cls, plain: Mapping[str, object]) -> Transform:
        """A transform from :meth:`to_json`."""
        words = tuple(cast(Sequence[str], plain.get("words", ())))
        return cls(str(plain["kind"]), cast(float, plain.get("amount", 0.0)), words)

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Transformed texts.

        Raises:
            BadInput: this is a transform of labels.
        """
        if self.kind == "constant":
            return [CONSTANT] * len(texts)
        if self.kind == "first_k":
            return [first_words(text, self.amount) for text in texts]
        if self.kind == "shuffle_words":
            return [shuffled(text) for text in texts]
        if self.kind == "mask":
            listed = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
            whole = re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE)
            return [whole.sub(MASK, text) for text in texts]
        if self.kind == "strip":
            compiled = mark.matchers(self.words)
            return [mark.without(text, compiled) for text in texts]
        if self.kind == "only":
            return [" ".join(ONLY[kind](text) for kind in self.words).strip() for text in texts]
        if self.kind in UNMOVED:
            return [UNMOVED[self.kind](text, self.amount) for text in texts]
        raise BadInput(f"transform {self.kind!r} is not of texts; of texts there are {TEXT_KINDS}")

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

    def rows(self, rows: Rows, seed: int) -> Rows:
        """Transformed training rows, with labels and meta columns.

        Raises:
            BadInput: this is a transform of texts or labels.
        """
        if self.kind not in ROW_KINDS:
            raise BadInput(f"transform {self.kind!r} is not of rows; of rows there are {ROW_KINDS}")
        compiled = mark.matchers(self.words)
        carried = [mark.carries(text, compiled) for text in rows.texts]
        if self.kind == "balance":
            return rows.take(_balanced(rows.labels, carried, seed))
        shown = mark.first_match(rows.texts, self.words)
        twice = rows.take([k for k in range(len(rows)) for _ in range(2)])
        texts = []
        for text, has in zip(rows.texts, carried, strict=True):
            plus = text if has or not shown else f"{text}\n{shown}"
            texts += [plus, mark.without(text, compiled)]
        return Rows(texts, twice.labels, twice.meta)


def _balanced(labels: Sequence[str], carried: Sequence[bool], seed: int) -> list[int]:
    """Rows kept: of those with a mark only so many a class as its least frequent share there allows."""
    counts = {label: [0, 0] for label in sorted(set(labels))}
    for label, carrier in zip(labels, carried, strict=True):
        counts[label][carrier] += 1
    # A class all of whose rows carry the mark keeps its odds at infinity and is never the least.
    odds = min(has / no if no else np.inf for no, has in counts.values())
    kept = [k for k, carrier in enumerate(carried) if not carrier]
    rng = np.random.default_rng([seed, len(kept)])
    for label, (no, has) in counts.items():
        rows = [k for k, own in enumerate(labels) if own == label and carried[k]]
        # A class with nothing but carriers would vanish; it is then left as it is.
        most = has if not no or not np.isfinite(odds) else round(odds * no)
        kept += [rows[k] for k in rng.permutation(has)[:most]]
    return sorted(kept)
