"""Confusion matrix, and the metrics that are functions of its diagonal and margins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput


def predicted_classes(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """(m,) column of each row's largest probability; ties go to the first class in order."""
    largest: NDArray[np.int64] = np.argmax(probabilities, axis=1).astype(np.int64)
    return largest


def confusion_matrix(
    gold: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """(K, K) counts of rows, gold down and predicted across."""
    cells = np.bincount(gold * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Rows of each class, every array (..., K): the true positives, the gold and the predicted."""

    hits: NDArray[np.float64]
    gold: NDArray[np.float64]
    predicted: NDArray[np.float64]

    @classmethod
    def of_columns(cls, columns: NDArray[np.float64]) -> ClassCounts:
        """From (..., 3K) sums of :func:`count_columns`."""
        hits, gold, predicted = np.split(columns, 3, axis=-1)
        return cls(hits, gold, predicted)


def count_columns(gold: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """(m, 3K) of 0 and 1 whose sums over rows are the true positives, gold and predicted of each class."""
    columns = np.zeros((len(gold), 3 * classes))
    row = np.arange(len(gold))
    columns[row, gold] = gold == predicted
    columns[row, classes + gold] = 1.0
    columns[row, 2 * classes + predicted] = 1.0
    return columns


class CountMetric(ABC):
    """A metric of the predicted classes that depends on :class:`ClassCounts` alone.

    ``mean_of`` names the per-class score ("recall", "f1") whose mean over the classes in gold
    the metric is, or is empty.
    """

    name: str
    larger_is_better: bool
    bounds: tuple[float, float]
    mean_of: str = ""

    @abstractmethod
    def of_counts(self, counts: ClassCounts) -> NDArray[np.float64]:
        """(...) values of (..., K) counts, nan where undefined."""

    def __call__(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float | None:
        """The metric; None where undefined."""
        columns = count_columns(gold, predicted_classes(probabilities), probabilities.shape[1])
        value = float(self.of_counts(ClassCounts.of_columns(columns.sum(axis=0))))
        return None if np.isnan(value) else value

    def row_values(self, gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) jackknife pseudo-values m*theta - (m-1)*theta_(-i).

        theta_(-i) depends on (gold_i, predicted_i) alone, so it is computed once for each of at
        most K*K cells. Where taking row i away leaves the metric undefined, theta_(-i) is 0.

        Raises:
            BadInput: the metric is undefined on these rows.
        """
        m, classes = probabilities.shape
        if not m:
            return np.zeros(0)
        cells, cell_of_row, size = np.unique(
            gold * classes + predicted_classes(probabilities), return_inverse=True, return_counts=True
        )
        columns = count_columns(cells // classes, cells % classes, classes)
        total = size @ columns
        theta = float(self.of_counts(ClassCounts.of_columns(total)))
        if np.isnan(theta):
            raise BadInput(
                f"{self.name} is undefined on these {m} rows, whose gold labels are all one class; "
                "score more rows, or a metric that is defined there (accuracy, log_loss)"
            )
        without = np.nan_to_num(self.of_counts(ClassCounts.of_columns(total - columns)), nan=0.0)
        pseudo: NDArray[np.float64] = m * theta - (m - 1) * without
        return pseudo[cell_of_row]


def mean_over_gold_classes(values: NDArray[np.float64], gold: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) mean of (..., K) values over the classes with gold rows, nan without rows."""
    present = gold > 0
    count = present.sum(axis=-1)
    mean: NDArray[np.float64] = np.where(present, values, 0.0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Elementwise quotient, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)
