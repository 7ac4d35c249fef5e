"""Which verdict the paired means at the grid sizes allow (methods.md 1, Verdicts)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from crossover.data.bad_input import BadInput
from crossover.measure.two_way import PairedMean

#: Overlap above which draws from one pool are too alike for a verdict.
MAX_OVERLAP = 0.5


@dataclass(frozen=True)
class Bound:
    """The lower and upper bound of the mean at one size, each one-sided at ``level``."""

    size: int
    level: float
    lower: float
    upper: float

    def sign(self, margin: float) -> int:
        """+1 where the mean is shown to lie above the margin, -1 below, 0 undecided."""
        return int(self.lower > margin) - int(self.upper < margin)


@dataclass(frozen=True)
class Decision:
    """A verdict's kind, the bounds it was read from, and why."""

    kind: str
    bounds: tuple[Bound, ...]
    reasons: tuple[str, ...]


def bounds_at(sizes: Sequence[int], means: Sequence[PairedMean], one_sided_level: float) -> tuple[Bound, ...]:
    """One Bound a size."""
    return tuple(
        Bound(size, one_sided_level, *mean.one_sided(one_sided_level))
        for size, mean in zip(sizes, means, strict=True)
    )


def decide(
    sizes: Sequence[int],
    means: Sequence[PairedMean],
    margin: float = 0.0,
    equivalence: float | None = None,
    named_ends: bool = False,
    level: float = 0.95,
) -> Decision:
    """The verdict on J sizes in ascending order; see :func:`crossover.measure.crossing.find_crossing`.

    Order: several sign changes and the crossing first, read from simultaneous bounds (Bonferroni over
    2J one-sided bounds; the crossing from the two ends alone, each at ``level``, where ``named_ends``);
    then pays throughout and never pays (every size's own one-sided bound: an intersection-union test
    needs no correction); then the vanished gain; else not resolved.
    """
    if equivalence is not None and not equivalence > 0:
        raise BadInput(f"equivalence margin {equivalence}: expected a difference above 0, or none")
    refused = _refusal(sizes, means)
    single = bounds_at(sizes, means, level)
    if refused:
        return Decision("exploratory", single, refused)
    band = bounds_at(sizes, means, 1 - (1 - level) / (2 * len(sizes)))
    changes = _sign_changes(band, margin)
    if len(changes) > 1:
        return Decision("several", band, tuple(_told(*change, margin) for change in changes))
    ends = (single[0], single[-1]) if named_ends else band
    changes = _sign_changes(ends, margin)
    if changes:
        kind = "starts_paying" if changes[0][1].sign(margin) > 0 else "stops_paying"
        return Decision(kind, ends, (_told(*changes[0], margin),))
    if all(bound.sign(margin) > 0 for bound in single):
        return Decision("pays_throughout", single, (f"every lower bound lies above {margin:g}",))
    if all(bound.sign(margin) < 0 for bound in single):
        return Decision("never_pays", single, (f"every upper bound lies below {margin:g}",))
    return _vanished(single, band, margin, equivalence)


def _refusal(sizes: Sequence[int], means: Sequence[PairedMean]) -> tuple[str, ...]:
    if not means[0].has_draw_variance:
        return ("a single draw has no draw variance: bring at least 5 draws for a verdict",)
    return tuple(
        f"size {size} uses {mean.overlap:.0%} of its pool, over {MAX_OVERLAP:.0%}: leave it out, bring a "
        "larger pool, or split the corpus afresh for each draw"
        for size, mean in zip(sizes, means, strict=True)
        if mean.overlap > MAX_OVERLAP
    )


def _sign_changes(bounds: Sequence[Bound], margin: float) -> list[tuple[Bound, Bound]]:
    """Neighbouring decided sizes of opposite sign."""
    decided = [bound for bound in bounds if bound.sign(margin) != 0]
    return [(a, b) for a, b in pairwise(decided) if a.sign(margin) != b.sign(margin)]


def _told(first: Bound, second: Bound, margin: float) -> str:
    return f"{_side(first, margin)} and {_side(second, margin)}"


def _side(bound: Bound, margin: float) -> str:
    if bound.sign(margin) > 0:
        return f"lower bound {bound.lower:+.4f} above {margin:g} at {bound.size}"
    return f"upper bound {bound.upper:+.4f} below {margin:g} at {bound.size}"


def _vanished(
    single: tuple[Bound, ...], band: tuple[Bound, ...], margin: float, equivalence: float | None
) -> Decision:
    """Gain vanished: shown at some size, then equivalent to 0 at every size from n_k on.

    The sizes are tested from the largest down and the first that fails ends it: a fixed sequence, so no
    correction. Each is two one-sided tests (Schuirmann, J. Pharmacokin. Biopharm. 15, 1987).
    """
    unresolved = Decision("not_resolved", band, (_undecided(band, margin),))
    if equivalence is None:
        return unresolved
    first = len(single)
    while first > 0 and single[first - 1].lower > -equivalence and single[first - 1].upper < equivalence:
        first -= 1
    if first == len(single):
        return unresolved
    equivalent = f"the difference lies within ±{equivalence:g} from {single[first].size} on"
    shown = [bound for bound in band[:first] if bound.sign(margin) > 0]
    if not shown:
        return Decision("not_resolved", band, (*unresolved.reasons, equivalent))
    return Decision("gain_vanished", single, (_side(shown[-1], margin), equivalent))


def _undecided(band: tuple[Bound, ...], margin: float) -> str:
    sizes = ", ".join(str(bound.size) for bound in band if bound.sign(margin) == 0)
    return f"the simultaneous band contains {margin:g} at {sizes or 'no size'}"
