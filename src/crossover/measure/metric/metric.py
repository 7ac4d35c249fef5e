"""Metric: the noun, a score of gold labels and class probabilities, and how one is found by name.

To add a metric write ``metric/x.py`` with a class whose ``name`` is ``"x"`` (a :class:`RowMean`, a
:class:`~crossover.measure.metric.confusion.CountMetric`, or any class with the attributes of
:class:`Metric`) and ``conf/metric/x.yaml``; it is found by its file.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from functools import cache
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

import crossover.measure.metric as folder
from crossover.data.bad_input import BadInput


class Metric(Protocol):
    """A score of m rows with K classes.

    ``gold`` is (m,) column numbers, ``probabilities`` (m, K) with rows summing to 1. Where a
    metric needs a predicted class it is the largest probability, the first in order on a tie.
    ``bounds`` are the least and the greatest value possible.
    """

    name: str
    larger_is_better: bool
    bounds: tuple[float, float]

    def __call__(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float | None:
        """The score, None where it is undefined (no rows; one class of gold for MCC)."""
        ...

    def row_values(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) contributions for standard errors; their mean is the score.

        For scores that are no mean over rows (macro-F1, balanced accuracy, MCC): jackknife
        pseudo-values m*theta - (m-1)*theta_(-i), theta_(-i) being the score without row i
        (Tukey 1958). Their mean is the score less its jackknife bias of order 1/m.

        Raises:
            BadInput: the score is undefined on these rows.
        """
        ...


class RowMean(ABC):
    """A metric that is the mean of a value of each row.

    ``is_proportion`` says that every value is 0 or 1, so that Wilson's interval applies.
    """

    name: str
    larger_is_better: bool
    bounds: tuple[float, float]
    is_proportion: bool = False

    def __call__(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float | None:
        """The mean of :meth:`row_values`; None without rows."""
        return float(self.row_values(gold, probabilities).mean()) if len(gold) else None

    @abstractmethod
    def row_values(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) values whose mean is the metric."""


@cache
def all_metrics() -> tuple[Metric, ...]:
    """Every metric of this folder, by name."""
    found = []
    for file in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{file.name}")
        found += [
            cast(Metric, kind())
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if kind.__module__ == module.__name__ and getattr(kind, "name", None) == file.name
        ]
    return tuple(sorted(found, key=lambda metric: metric.name))


def metric_named(name: str) -> Metric:
    """The metric of this name.

    Raises:
        BadInput: there is none; the nearest name is offered.
    """
    known = {metric.name: metric for metric in all_metrics()}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadInput(f"metric={name!r}: {hint}Expected one of {sorted(known)}")
    return known[name]
