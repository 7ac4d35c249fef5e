"""File order: whether the place of a row in the file, or the order of its id, tells its label.

A file sorted by label is common and harms nothing here: every split of this project is drawn by id, none by
position. It is said because a file cut by position, by hand or by another tool, would lose classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.measure.change_point import FEWEST_ROWS, changes

LEVEL = 0.001
"""P below which an order is mentioned. It describes, so it is no member of the page's family of tests."""
FLOOR = 0.1
"""Least difference of a class's share between two parts of the file, or shortfall of runs, as a share."""


def file_order(corpus: Corpus, rows: NDArray[np.int64]) -> list[Finding]:
    """Info where labels follow the order of the file or of the ids; silent otherwise.

    Args:
        rows: ascending, one row of each cluster of copies (dependence.py): ids made of a text's hash put
            copies side by side.
    """
    labelled = [row for row in rows.tolist() if corpus.labels[row] is not None]
    if len(labelled) < FEWEST_ROWS or len(corpus.classes) < 2:
        return []
    by_id = sorted(labelled, key=corpus.ids.__getitem__)
    findings = []
    for code, what, order in (
        ("file-order", "the order of the file", labelled),
        ("id-order", "the order of the ids", by_id),
    ):
        if code == "id-order" and order == labelled:
            continue
        findings += _told(code, what, [str(corpus.labels[row]) for row in order])
    return findings


def _told(code: str, what: str, labels: Sequence[str]) -> list[Finding]:
    names = sorted(set(labels))
    given = np.array(labels, object)
    places = np.arange(len(labels)).astype("datetime64[s]")
    found = changes(np.column_stack([(given == name).astype(float) for name in names]), places)
    effects = np.abs(np.nan_to_num(found.after - found.before))
    best = min(range(len(names)), key=lambda k: (found.p[k], -effects[k]))
    p_step = min(1.0, float(found.p[best]) * len(names))
    seen, expected, p_runs = runs(given)
    stepped = p_step < LEVEL and effects[best] >= FLOOR
    grouped = p_runs < LEVEL and seen <= (1 - FLOOR) * expected
    if not stepped and not grouped:
        return []
    said = (
        f"{names[best]!r} has {found.before[best]:.1%} of the rows before row "
        f"{int(found.moment[best].astype(np.int64)) + 1:,}, {found.after[best]:.1%} from there on"
        if stepped
        else f"rows of one label stand together: {seen:,} runs where {expected:,.0f} are expected"
    )
    return [
        Finding(
            code,
            "info",
            f"{what} tells the label: {said}; never cut this file by position",
            {
                "value": names[best],
                "before": float(found.before[best]),
                "after": float(found.after[best]),
                "effect_floor": FLOOR,
                "p_step": p_step,
                "runs": seen,
                "runs_expected": expected,
                "p_runs": p_runs,
            },
        )
    ]


def runs(labels: NDArray[np.object_]) -> tuple[int, float, float]:
    """Runs of equal labels, their number expected in a random order, and the P of so few (normal law).

    The moments are those of the multinomial runs test (Barton and David 1957).
    """
    n = len(labels)
    counts = np.array(list(np.unique(labels, return_counts=True)[1]), float)
    seen = 1 + int((labels[1:] != labels[:-1]).sum())
    squares, cubes = float((counts**2).sum()), float((counts**3).sum())
    expected = (n * (n + 1) - squares) / n
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n**2 * (n - 1))
    if variance <= 0:
        return seen, expected, 1.0
    return seen, expected, float(ndtr((seen + 0.5 - expected) / np.sqrt(variance)))
