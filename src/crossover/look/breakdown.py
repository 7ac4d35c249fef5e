"""Breakdown: a statistic of the texts, or the share of a class, by class, time and every declared column.

"How long are the sentences? Is spam to .edu different from spam to .com?" A breakdown is plain values with
95% intervals; rows that hang together (copies, groups) count as one witness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.look.bins import moments_of, number_bins, time_bins
from crossover.look.text_statistics import TextStatistics
from crossover.measure.interval import wilson

MEDIANS = ("characters", "words", "sentences")
"""Statistics with a long tail: their middle is the median, that of the others the mean."""

MOST_VALUES = 12
"""Values of a column that are shown one by one, the commonest; the others are one line."""
MOST_CLASSES = 20
"""Classes whose share is followed, the commonest."""
MISSING, OTHERS = "(missing)", "(others)"
LEVEL = 0.95

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Breakdown:
    """A statistic by the values of something: one entry a value in every tuple.

    ``statistic`` is one of :data:`~crossover.look.text_statistics.NUMBERS`, or ``share of LABEL``; ``by`` is
    ``label`` or a meta column; ``kind`` is ``label`` or the column's kind, with the width of the bins for
    times (``time by month``). ``centre`` says what ``estimates`` are: ``median``, ``mean`` or ``share``.
    Where a value has no rows its estimate is None, where it has one witness only ``low`` and ``high`` are.
    """

    statistic: str
    by: str
    kind: str
    centre: str
    values: tuple[str, ...]
    rows: tuple[int, ...]
    estimates: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        plain = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


@dataclass(frozen=True)
class Contrast:
    """A mean (a share, for classes and 0 or 1) at one value against another: the difference, first less
    second, its 95% interval and its P, not corrected for the number of contrasts looked at."""

    statistic: str
    by: str
    first: str
    second: str
    rows: tuple[int, int]
    means: tuple[float, float]
    difference: float
    low: float
    high: float
    p_value: float

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**asdict(self), "rows": list(self.rows), "means": list(self.means)}


def breakdowns(
    corpus: Corpus, statistics: TextStatistics, units: Codes, most_values: int = MOST_VALUES
) -> list[Breakdown]:
    """Every statistic by label and by each meta column but votes; each class's share by each meta column.

    Args:
        statistics: of the corpus' texts, in its order.
        units: a number a row, equal where rows hang together (dependence.py).
        most_values: values of a category or group shown by themselves.
    """
    columns = _columns(statistics, _classes(corpus))
    found = []
    for by, kind, names, codes in _axes(corpus, most_values):
        _, pair = np.unique(units * (len(names) + 1) + codes + 1, return_inverse=True)
        for statistic, values in columns.items():
            if by != "label" or not statistic.startswith("share of "):
                found.append(_breakdown(statistic, values, by, kind, names, codes, pair))
    return found


def contrasts(
    corpus: Corpus, statistics: TextStatistics, units: Codes, by: str, first: str, second: str
) -> list[Contrast]:
    """Every statistic and each class's share at two named values of ``label`` or a meta column.

    ``contrasts(corpus, statistics, units, "domain", ".edu", ".com")``

    Raises:
        BadInput: no such column, or a value that fewer than two rows have.
    """
    cells = corpus.labels if by == "label" else corpus.meta_values(by)
    sides = [
        np.array([str(cell) == value and cell is not None for cell in cells]) for value in (first, second)
    ]
    for value, side in zip((first, second), sides, strict=True):
        if side.sum() < 2:
            known = sorted({str(cell) for cell in cells if cell is not None})[:10]
            raise BadInput(
                f"{by}={value!r} has {side.sum()} rows in {corpus.name}: a contrast needs two at least; "
                f"values of {by}: {known}"
            )
    classes = {} if by == "label" else _classes(corpus)
    return [
        _contrast(statistic, values, units, by, (first, second), sides)
        for statistic, values in _columns(statistics, classes).items()
    ]


def _columns(statistics: TextStatistics, classes: Mapping[str, Floats]) -> dict[str, Floats]:
    return {**statistics.numbers, **{f"share of {label}": values for label, values in classes.items()}}


def _classes(corpus: Corpus) -> dict[str, Floats]:
    """1 and 0 of the commonest classes, NaN where the label is missing."""
    labels = np.array([label or "" for label in corpus.labels], object)
    missing = np.array([label is None for label in corpus.labels])
    counts = {label: int((labels == label).sum()) for label in corpus.classes}
    common = sorted(counts, key=lambda label: (-counts[label], label))[:MOST_CLASSES]
    return {label: np.where(missing, np.nan, labels == label) for label in sorted(common)}


def _axes(corpus: Corpus, most: int) -> list[tuple[str, str, list[str], Codes]]:
    """What to break down by: name, kind, the values' names and the code of each row (-1: none)."""
    axes = [("label", "label", *_levels(corpus.labels, max(most, MOST_CLASSES)))]
    for name, kind in corpus.meta.items():
        cells = corpus.meta_values(name)
        if kind in ("category", "group"):
            axes.append((name, kind, *_levels(cells, most)))
        elif kind == "time":
            width, names, codes = time_bins(moments_of(cells))
            axes.append((name, f"time by {width}", names, codes))
        elif kind == "number":
            numbers = np.array([np.nan if cell is None else cell for cell in cells], float)
            axes.append((name, kind, *number_bins(numbers)))
    return axes


def _levels(cells: Sequence[object], most: int) -> tuple[list[str], Codes]:
    """The commonest values, most rows first, then the others and the missing as one each."""
    names = [MISSING if cell in (None, "") else str(cell) for cell in cells]
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    ordered = sorted((name for name in counts if name != MISSING), key=lambda name: (-counts[name], name))
    code = {name: k for k, name in enumerate(ordered[:most])}
    shown = list(code)
    if len(ordered) > most:
        code |= dict.fromkeys(ordered[most:], len(shown))
        shown.append(f"{OTHERS}: {len(ordered) - most:,} values")
    if MISSING in counts:
        code[MISSING] = len(shown)
        shown.append(MISSING)
    return shown, np.array([code[name] for name in names], np.int64)


def _breakdown(
    statistic: str, values: Floats, by: str, kind: str, names: Sequence[str], codes: Codes, pair: Codes
) -> Breakdown:
    kept = (codes >= 0) & ~np.isnan(values)
    level, x, witness = codes[kept], values[kept], pair[kept]
    count = np.bincount(level, minlength=len(names))
    safe = np.maximum(count, 1)
    if statistic in MEDIANS:
        centre, parts = "median", [x[level == k] for k in range(len(names))]
        middle = np.array([np.median(part) if len(part) else 0.0 for part in parts])
        # Woodruff 1952: the interval of the share below the median, read off as quantiles.
        error, witnesses = _error((x <= middle[level]).astype(float), level, witness, safe)
        reach = error * _t(witnesses)
        low = [
            float(np.quantile(p, max(0.0, 0.5 - e))) if len(p) else 0.0
            for p, e in zip(parts, reach, strict=True)
        ]
        high = [
            float(np.quantile(p, min(1.0, 0.5 + e))) if len(p) else 0.0
            for p, e in zip(parts, reach, strict=True)
        ]
    else:
        share = statistic.startswith("share of ") or statistic == "blank"
        centre = "share" if share else "mean"
        middle = np.bincount(level, x, len(names)) / safe
        error, witnesses = _error(x, level, witness, safe)
        if share:
            plain = middle * (1 - middle)
            # Without variance to see, each witness counts as one row.
            effective = np.where(
                plain > 0, np.minimum(plain / np.maximum(error, 1e-12) ** 2, safe), witnesses
            )
            lows, highs = wilson(middle * np.maximum(effective, 1), np.maximum(effective, 1))
        else:
            lows, highs = middle - error * _t(witnesses), middle + error * _t(witnesses)
        low, high = lows.tolist(), highs.tolist()
    return Breakdown(
        statistic, by, kind, centre, tuple(names), tuple(count.tolist()),
        tuple(None if not n else float(value) for n, value in zip(count, middle, strict=True)),
        tuple(None if w < 2 else float(value) for w, value in zip(witnesses, low, strict=True)),
        tuple(None if w < 2 else float(value) for w, value in zip(witnesses, high, strict=True)),
    )  # fmt: skip


def _error(x: Floats, level: Codes, witness: Codes, count: Codes) -> tuple[Floats, Floats]:
    """Standard error of the mean of each level, from the sums of its witnesses, and their number."""
    mean = np.bincount(level, x, len(count)) / count
    used, number = np.unique(witness, return_inverse=True)
    sums = np.bincount(number, x - mean[level], len(used))
    of = np.zeros(len(used), np.int64)
    of[number] = level
    witnesses = np.bincount(of, minlength=len(count)).astype(float)
    variance = np.bincount(of, sums**2, len(count)) / count**2
    return np.sqrt(variance * witnesses / np.maximum(witnesses - 1, 1)), witnesses


def _t(witnesses: Floats) -> Floats:
    return np.asarray(stdtrit(np.maximum(witnesses - 1, 1), (1 + LEVEL) / 2))


def _contrast(
    statistic: str,
    values: Floats,
    units: Codes,
    by: str,
    names: tuple[str, str],
    sides: Sequence[NDArray[np.bool_]],
) -> Contrast:
    influence, means, rows = np.zeros(len(values)), [], []
    for sign, side in zip((1, -1), sides, strict=True):
        kept = side & ~np.isnan(values)
        rows.append(int(kept.sum()))
        means.append(float(values[kept].mean()) if rows[-1] else 0.0)
        influence[kept] += sign * (values[kept] - means[-1]) / max(rows[-1], 1)
    used = sides[0] | sides[1]
    _, number = np.unique(units[used], return_inverse=True)
    sums = np.bincount(number, influence[used])
    degrees = max(len(sums) - 2, 1)
    error = float(np.sqrt((sums**2).sum() * len(sums) / degrees))
    difference = means[0] - means[1]
    reach = error * float(stdtrit(degrees, (1 + LEVEL) / 2))
    p = float(2 * stdtr(degrees, -abs(difference) / error)) if error > 0 else float(difference == 0)
    return Contrast(
        statistic, by, *names, (rows[0], rows[1]), (means[0], means[1]),
        difference, difference - reach, difference + reach, p,
    )  # fmt: skip
