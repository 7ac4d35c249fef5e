"""Order reference: what the labels of the nearest rows in an order (of the file, of time) say of a row.

A corpus whose classes were collected one after the other is solved by a row's place alone. The reference
gives each row the class shares of the training rows nearest to it in the order, drawn towards the shares of
all training rows. Nothing of a text is read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 20
"""Neighbours read at least."""


def order_reference(
    train_places: NDArray[np.float64],
    train_gold: NDArray[np.int64],
    places: NDArray[np.float64],
    classes: int,
) -> NDArray[np.float64]:
    """(m, classes) probabilities of rows at ``places`` in the order.

    The k = max(20, sqrt(n)) nearest of the n training rows are read, k/2 on either side where there are
    so many, with as much weight for the shares of all training rows.

    Args:
        train_places: (n,) places of the training rows; equal places keep the order given.
        train_gold: (n,) their class numbers.
        places: (m,) places of the rows to predict.
        classes: number of classes.

    Raises:
        ValueError: no training rows, or a place that is no number.
    """
    if not len(train_places):
        raise ValueError("an order needs at least one training row")
    if not (np.isfinite(train_places).all() and np.isfinite(places).all()):
        raise ValueError("a place in the order is no finite number")
    order = np.argsort(train_places, kind="stable")
    hits = np.eye(classes)[train_gold[order]]
    sums = np.vstack([np.zeros(classes), np.cumsum(hits, axis=0)])
    count = len(order)
    k = min(count, max(FEWEST, round(count**0.5)))
    # Rows that tie with a place are split evenly to either side of it.
    left, right = (np.searchsorted(train_places[order], places, side) for side in ("left", "right"))
    start = np.clip((left + right) // 2 - k // 2, 0, count - k)
    near = sums[start + k] - sums[start]
    made: NDArray[np.float64] = (near + k * sums[-1] / count) / (2 * k)
    return made
