"""Allotment: whole clusters of rows to parts at random, of the sizes asked, with every class's share.

Each cluster draws its part from an urn that holds, for each part, the rows of the cluster's
classes still wanted there; larger clusters draw first, single rows last. The chance of a
cluster to reach a part is that part's share whatever its size, as long as it fits, which a
greedy filling of the largest gap does not give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from crossover.data.bad_input import BadInput
from crossover.split.clusters import Parts

ATTEMPTS = 30
"""Draws of which the best balanced is kept; single rows are balanced exactly at the first."""

Counts = npt.NDArray[np.int64]


def four_parts(test: float, validation: float, sealed: float = 0.0) -> dict[str, float]:
    """Shares of train, select, calibrate and test; the validation share is halved.

    What is ``sealed`` (sealed.py) is none of theirs: they sum to 1 less its share.

    Raises:
        BadInput: a share outside [0, 1), no test, or nothing left for train.
    """
    shares = (validation, sealed)
    if not 0 < test < 1 or not all(0 <= share < 1 for share in shares) or test + sum(shares) >= 1:
        said = f", split.sealed={sealed}" if sealed else ""
        raise BadInput(
            f"split.test={test}, split.validation={validation}{said}: shares of the rows, test above 0, "
            "and their sum below 1"
        )
    half = validation / 2
    return {"train": 1 - test - validation - sealed, "select": half, "calibrate": half, "test": test}


def allot(
    labels: Mapping[str, str],
    unit_of: Mapping[str, str],
    shares: Mapping[str, float],
    seed: Sequence[int],
    tolerance: float,
    needs_every_class: Sequence[str] = ("train", "test"),
    names: Mapping[str, str] | None = None,
) -> Parts:
    """Give each row a part so that no unit (cluster) is cut and each class is spread by the shares.

    Args:
        labels: label of each row.
        unit_of: unit of each row.
        shares: part -> share of the rows; they sum to 1.
        tolerance: a part may differ from the rows asked by this share of them (or two rows).
        needs_every_class: parts in which each class must occur.
        names: what to call a unit in an error.

    Raises:
        BadInput: one unit only, a unit larger than every part, a class in too few units, or
            sizes beyond the tolerance in every one of :data:`ATTEMPTS` draws.
    """
    classes = sorted(set(labels.values()))
    members: dict[str, list[str]] = {}
    for id_ in sorted(labels):
        members.setdefault(unit_of[id_], []).append(id_)
    _check_units(members, labels, shares, tolerance, needs_every_class, names or {})
    table = _UnitTable(members, labels, classes)
    wants = _wanted(table.counts.sum(axis=0), shares, needs_every_class)
    best: tuple[float, npt.NDArray[np.int64]] | None = None
    complaint = ""
    for attempt in range(ATTEMPTS):
        rng = np.random.Generator(np.random.PCG64([*seed, attempt]))
        part_of = _draw(table, wants, rng)
        obtained = np.stack([table.counts[part_of == p].sum(axis=0) for p in range(len(shares))])
        refused = _refusal(obtained, shares, classes, tolerance, needs_every_class)
        complaint = complaint or refused
        if not refused:
            loss = float((np.abs(obtained - wants) / np.maximum(wants, 1)).max())
            if best is None or loss < best[0]:
                best = loss, part_of
            if np.all(np.abs(obtained - wants) <= np.maximum(1, 0.02 * wants)):
                break
    if best is None:
        raise BadInput(complaint)
    parts: Parts = {part: [] for part in shares}
    for unit, p in zip(table.units, best[1], strict=True):
        parts[list(shares)[p]].extend(members[unit])
    return {part: sorted(ids) for part, ids in parts.items()}


def halve(ids: Sequence[str], labels: Mapping[str, str], unit_of: Mapping[str, str], seed: int) -> Parts:
    """Validation rows as select and calibrate, halves alike in class, units whole; any size will do."""
    if not ids:
        return {"select": [], "calibrate": []}
    members: dict[str, list[str]] = {}
    for id_ in sorted(ids):
        members.setdefault(unit_of[id_], []).append(id_)
    table = _UnitTable(members, labels, sorted({labels[id_] for id_ in ids}))
    wants = _wanted(table.counts.sum(axis=0), {"select": 0.5, "calibrate": 0.5}, ())
    part_of = _draw(table, wants, np.random.Generator(np.random.PCG64([seed, 2**31 + 1])))
    halves: Parts = {"select": [], "calibrate": []}
    for unit, p in zip(table.units, part_of, strict=True):
        halves[("select", "calibrate")[p]].extend(members[unit])
    return halves


class _UnitTable:
    """Units in canonical order (by name) and their rows of each class, shape (units, classes)."""

    def __init__(
        self, members: Mapping[str, list[str]], labels: Mapping[str, str], classes: Sequence[str]
    ) -> None:
        self.units = sorted(members)
        column = {name: k for k, name in enumerate(classes)}
        self.counts = np.zeros((len(self.units), len(classes)), np.int64)
        for row, unit in enumerate(self.units):
            for id_ in members[unit]:
                self.counts[row, column[labels[id_]]] += 1
        self.sizes = self.counts.sum(axis=1)


def _wanted(totals: Counts, shares: Mapping[str, float], needs_every_class: Sequence[str]) -> Counts:
    """Rows wanted of each class in each part, shape (parts, classes); columns sum to the totals.

    What is left after rounding down goes to the parts most behind over the classes so far, so
    that rounding does not favour the same part in every class.
    """
    share = np.array(list(shares.values()))
    wants = np.zeros((len(share), len(totals)), np.int64)
    behind = np.zeros(len(share))
    for k, total in enumerate(totals):
        asked = share * total
        wants[:, k] = np.floor(asked + 1e-9)
        behind += asked - wants[:, k]
        for _ in range(int(total - wants[:, k].sum())):
            p = int(np.argmax(behind))
            wants[p, k] += 1
            behind[p] -= 1
        for part in needs_every_class:
            p = list(shares).index(part)
            if wants[p, k] == 0 and total >= len(needs_every_class):
                donor = int(np.argmax(wants[:, k]))
                wants[p, k] += 1
                wants[donor, k] -= 1
                behind[p] -= 1
                behind[donor] += 1
    return wants


def _draw(table: _UnitTable, wants: Counts, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """A part for each unit."""
    part_of = np.full(len(table.units), -1, np.int64)
    left = wants.astype(float)
    shuffled = rng.permutation(len(table.units))
    larger_first = shuffled[np.argsort(-table.sizes[shuffled], kind="stable")]
    for unit in larger_first[table.sizes[larger_first] > 1]:
        counts, size = table.counts[unit], table.sizes[unit]
        room = left.sum(axis=1)
        held = counts > 0
        open_ = np.maximum(left[:, held], 0)
        urn = open_ / np.maximum(open_.sum(axis=0), 1e-12) @ counts[held]
        urn = np.where(room >= size, urn, 0)
        p = int(rng.choice(len(urn), p=urn / urn.sum())) if urn.sum() > 0 else int(np.argmax(room))
        part_of[unit] = p
        left[p] -= counts
    single = shuffled[table.sizes[shuffled] == 1]
    column = table.counts[single].argmax(axis=1)
    for k in range(wants.shape[1]):
        rows = single[column == k]
        ends = np.cumsum(_scaled(np.maximum(left[:, k], 0), len(rows)))
        part_of[rows] = np.searchsorted(ends, np.arange(len(rows)), side="right")
    return part_of


def _scaled(wanted: npt.NDArray[np.float64], rows: int) -> Counts:
    """Whole numbers in proportion to ``wanted`` that sum to ``rows`` (largest remainder)."""
    if rows == 0:
        return np.zeros(len(wanted), np.int64)
    exact = wanted * rows / wanted.sum()
    whole: Counts = np.floor(exact + 1e-9).astype(np.int64)
    for p in np.argsort(-(exact - whole), kind="stable")[: rows - int(whole.sum())]:
        whole[p] += 1
    return whole


def _check_units(
    members: Mapping[str, list[str]],
    labels: Mapping[str, str],
    shares: Mapping[str, float],
    tolerance: float,
    needs_every_class: Sequence[str],
    names: Mapping[str, str],
) -> None:
    if len(members) == 1:
        (unit,) = members
        raise BadInput(
            f"all {len(labels):,} rows lie in one group ({names.get(unit, unit)}): nothing can be kept "
            "apart; group by another column (split.by=[...]) or split without groups (split=stratified)"
        )
    largest = min(members, key=lambda unit: (-len(members[unit]), unit))
    part = max(shares, key=lambda name: shares[name])
    asked = shares[part] * len(labels)
    if len(members[largest]) > max(asked * (1 + tolerance), asked + 2):
        raise BadInput(
            f"the group {names.get(largest, f'of row {largest!r}')} holds {len(members[largest]):,} of "
            f"{len(labels):,} rows, more than the {asked:,.0f} asked for {part}, the largest part; cut it "
            "up, drop it, or ask for other shares"
        )
    units_of: dict[str, set[str]] = {}
    for unit, ids in members.items():
        for id_ in ids:
            units_of.setdefault(labels[id_], set()).add(unit)
    few = {
        name: len(units) for name, units in sorted(units_of.items()) if len(units) < len(needs_every_class)
    }
    if few:
        rows = {name: sum(label == name for label in labels.values()) for name in few}
        told = ", ".join(f"{name!r}: {rows[name]} rows in {few[name]} clusters" for name in list(few)[:5])
        raise BadInput(
            f"{len(few)} of {len(units_of)} classes are too small to lie in each of "
            f"{', '.join(needs_every_class)}: {told}; bring more rows of them, merge them into another "
            "class, or leave them out"
        )


def _refusal(
    obtained: Counts,
    shares: Mapping[str, float],
    classes: Sequence[str],
    tolerance: float,
    needs_every_class: Sequence[str],
) -> str:
    """Why these parts may not be used, or ''."""
    total = int(obtained.sum())
    for p, (part, share) in enumerate(shares.items()):
        rows, asked = int(obtained[p].sum()), share * total
        if abs(rows - asked) > max(tolerance * asked, 2) or (share > 0 and rows == 0):
            sizes = ", ".join(
                f"{name} {int(obtained[q].sum())} for {shares[name] * total:.1f}"
                for q, name in enumerate(shares)
            )
            return (
                f"the groups are too large for these sizes; rows obtained for rows asked: {sizes}. The "
                f"{part} part is off by more than split.tolerance={tolerance}: raise it, ask for "
                "other shares, or "
                "group by a finer column"
            )
        if part in needs_every_class and not obtained[p].all():
            missing = classes[int(np.argmin(obtained[p]))]
            return (
                f"no draw puts class {missing!r} into the {part} part: its rows lie in too few groups; "
                "bring more groups of it, or leave it out"
            )
    return ""
