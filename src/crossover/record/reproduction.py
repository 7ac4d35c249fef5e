"""Reproduction: a run's record beside the record of the same spec run again, and what follows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossover.measure.score import Score
from crossover.record.environment import differences
from crossover.record.run_record import RunRecord

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"

DEFAULT_TOLERANCE = 1e-3
"""Where the store knows no spread over seeds."""
FEWEST_SEEDS = 3
"""Runs that differ in their seeds alone, for their spread to serve as the tolerance."""


@dataclass(frozen=True)
class Tolerance:
    """How far a score may be off in another environment, and where that number comes from."""

    value: float
    source: str


@dataclass(frozen=True)
class Comparison:
    """One score, then and now; ``difference`` is now minus then, None where one is undefined."""

    name: str
    then: float | None
    now: float | None
    difference: float | None
    tolerance: Tolerance
    kind: str


@dataclass(frozen=True)
class Parting:
    """Where two training histories part: the first step that is not equal, and in what."""

    step: int
    what: str
    then: float | None
    now: float | None


@dataclass(frozen=True)
class Reproduction:
    """The answer: ``kind`` is identical, within tolerance or different; ``why`` says so in words.

    ``environment`` lists (name, then, now) of all that decides bits and differs. ``parting`` is
    None where the histories are equal, as those of models without a course are.
    """

    kind: str
    why: str
    scores: tuple[Comparison, ...]
    same_predictions: bool
    environment: tuple[tuple[str, str, str], ...]
    parting: Parting | None


def compare(then: RunRecord, now: RunRecord, tolerances: Mapping[str, Tolerance]) -> Reproduction:
    """Two records of one spec compared: bit for bit, else by the tolerance of each score.

    Bits are promised under an equal environment: there every difference, however small, is
    *different*. In another environment scores within their tolerance are as promised.

    Raises:
        ValueError: the records are of different specs.
    """
    if then.digest != now.digest:
        raise ValueError(f"runs {then.digest} and {now.digest} are not one spec: nothing to reproduce")
    environment = tuple(differences(then.environment, now.environment))
    same = then.predictions_sha256 == now.predictions_sha256
    scores = tuple(
        _comparison(name, then.scores.get(name), now.scores.get(name), tolerances, bool(environment))
        for name in sorted({*then.scores, *now.scores})
    )
    off = [score.name for score in scores if score.kind == DIFFERENT]
    where = "another environment" if environment else "the same environment"
    if same and all(score.kind == IDENTICAL for score in scores):
        kind, why = IDENTICAL, f"predictions and every score are equal to the bit, in {where}"
    elif environment and not off:
        kind, why = WITHIN, "another environment: bits are not promised, every score is within its tolerance"
    elif environment:
        kind, why = DIFFERENT, f"another environment, and beyond the tolerance: {_listed(off)}"
    else:
        unequal = [score.name for score in scores if score.kind != IDENTICAL]
        kind = DIFFERENT
        why = f"the same environment, but other bits: {_listed(unequal) or 'predictions, no score'}"
    return Reproduction(kind, why, scores, same, environment, first_parting(then.history, now.history))


def tolerances_of(record: RunRecord, others: Iterable[RunRecord]) -> dict[str, Tolerance]:
    """A tolerance for each score: its standard deviation over seeds, where at least 3 are known.

    Counted are finished runs of the same spec that differ in their seeds alone, this one included;
    where seeds change nothing, or too few are known, it is 0.001.
    """
    alike = {
        other.digest: other
        for other in (record, *others)
        if other.spec.family == record.spec.family and other.spec.subset == record.spec.subset
    }
    found = {}
    for name in record.scores:
        scores = [other.scores[name] for other in alike.values() if name in other.scores]
        found[name] = _tolerance([score.value for score in scores if score.value is not None])
    return found


def first_parting(then: Sequence[Mapping[str, float]], now: Sequence[Mapping[str, float]]) -> Parting | None:
    """The first step whose entries differ, counted from 1; None where the histories are equal."""
    for k, (one, other) in enumerate(zip(then, now, strict=False), 1):
        for name in sorted({*one, *other}):
            if one.get(name) != other.get(name):
                return Parting(int(one.get("step", k)), name, one.get(name), other.get(name))
    if len(then) != len(now):
        return Parting(min(len(then), len(now)) + 1, "steps taken", float(len(then)), float(len(now)))
    return None


def _comparison(
    name: str, then: Score | None, now: Score | None, tolerances: Mapping[str, Tolerance], elsewhere: bool
) -> Comparison:
    one, other = (None if score is None else score.value for score in (then, now))
    allowed = tolerances.get(name, Tolerance(DEFAULT_TOLERANCE, "the default"))
    difference = None if one is None or other is None else other - one
    if then == now:
        kind = IDENTICAL
    elif elsewhere and (one == other or (difference is not None and abs(difference) <= allowed.value)):
        kind = WITHIN
    else:
        kind = DIFFERENT
    return Comparison(name, one, other, difference, allowed, kind)


def _tolerance(values: Sequence[float]) -> Tolerance:
    if len(values) < FEWEST_SEEDS:
        return Tolerance(DEFAULT_TOLERANCE, f"the default: {len(values)} of {FEWEST_SEEDS} seeds known")
    if len(set(values)) == 1:  # asked of the values themselves: their mean may be a rounding off
        return Tolerance(DEFAULT_TOLERANCE, f"the default: {len(values)} seeds give equal scores")
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return Tolerance(spread, f"SD over {len(values)} seeds")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
