"""Rules: regular expressions written by a person, first match wins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.model.classifier import Arrays, Classifier, Meta

LEAST = 0.501
"""Least probability of the label a rule gives: the person who wrote it decides, not the counts."""


class Rules(Classifier):
    """The label of the first rule whose pattern is found in the text, else a default class.

    What is learned is how far to trust each rule: its label gets the probability
    (right + 1) / (matched + 2) over the training rows it was first to match, at least
    :data:`LEAST`; the rest goes to the other classes by their shares in train. A rule may name
    a class that train lacks, and train may hold a single class.

    Args:
        rules: ``{pattern, label}`` each, Python regular expressions, tried in order.
        default: class where no rule matches; None takes the most frequent in train (the first
            in class order on a tie).
        ignore_case: match without regard to case.
        seed: not used; every classifier takes one.
    """

    def __init__(
        self,
        rules: list[Mapping[str, str]],
        default: str | None = None,
        ignore_case: bool = True,
        seed: int = 0,
    ) -> None:
        self.rules = rules
        self.default = default
        self.ignore_case = ignore_case
        self.seed = seed

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        validation: Rows | None = None,
        meta: Meta | None = None,
    ) -> Self:
        """Measure how often each rule is right.

        Raises:
            BadInput: a rule is no ``{pattern, label}``, its pattern does not compile, or its label
                (or the default) is not among ``classes``.
        """
        self._begin(texts, labels, classes, least=1)
        self.patterns_ = self._compile()
        counts = Counter(labels)
        # max takes the first of equals, hence the first in class order.
        default = self.default if self.default is not None else max(classes, key=lambda name: counts[name])
        decisions = [str(rule["label"]) for rule in self.rules] + [default]
        for number, label in enumerate(decisions):
            if label not in classes:
                raise BadInput(f"{self._named(number)} gives {label!r}, which is not among {list(classes)}")
        self.table_ = self._trust(decisions, self._first_match(texts), labels, counts)
        self.parameters_ = len(decisions)
        return self

    def predict_proba(self, texts: Sequence[str], meta: Meta | None = None) -> NDArray[np.float64]:
        """(texts, classes): the row of the rule that matched first."""
        self._require_fitted()
        return self.table_[self._first_match(texts)]

    def state(self) -> tuple[Arrays, dict[str, object]]:
        """One row of probabilities a rule, the default last."""
        self._require_fitted()
        return {"table": self.table_}, {}

    def restore(self, arrays: Arrays, plain: Mapping[str, object]) -> None:
        """Take back what :meth:`state` gave."""
        self.table_ = arrays["table"].astype(np.float64)
        self.patterns_ = self._compile()
        self.parameters_ = len(self.table_)

    def _compile(self) -> list[re.Pattern[str]]:
        patterns = []
        for number, rule in enumerate(self.rules):
            if not isinstance(rule, Mapping) or set(rule) != {"pattern", "label"}:
                raise BadInput(f"{self._named(number)} is {rule!r}, expected {{pattern: ..., label: ...}}")
            for key in ("pattern", "label"):
                if not isinstance(cast(object, rule[key]), str):
                    raise BadInput(
                        f"{self._named(number)}: {key} {rule[key]!r} is no string; put it in quotes"
                    )
            try:
                patterns.append(re.compile(rule["pattern"], re.IGNORECASE if self.ignore_case else 0))
            except re.error as error:
                raise BadInput(
                    f"{self._named(number)}: {rule['pattern']!r} is no regular expression ({error}); "
                    "escape literal signs with a backslash"
                ) from None
        return patterns

    def _named(self, number: int) -> str:
        return "the default class" if number == len(self.rules) else f"rule {number + 1} of model.rules"

    def _first_match(self, texts: Sequence[str]) -> NDArray[np.int64]:
        first = [
            next((k for k, pattern in enumerate(self.patterns_) if pattern.search(text)), len(self.patterns_))
            for text in texts
        ]
        return np.array(first, dtype=np.int64)

    def _trust(
        self,
        decisions: Sequence[str],
        matched: NDArray[np.int64],
        labels: Sequence[str],
        counts: Mapping[str, int],
    ) -> NDArray[np.float64]:
        table = np.zeros((len(decisions), len(self.classes_)))
        for number, label in enumerate(decisions):
            here = [given for given, rule in zip(labels, matched, strict=True) if rule == number]
            sure = max(LEAST, (here.count(label) + 1) / (len(here) + 2))
            own = self.classes_.index(label)
            others = np.array([counts.get(name, 0) for name in self.classes_], dtype=np.float64)
            others[own] = 0.0
            if others.sum():
                table[number] = (1 - sure) * others / others.sum()
                table[number, own] = sure
            else:
                table[number, own] = 1.0
        return table
