"""The words of a calibration verdict: is each arm's probability to be believed, and if not, where not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from crossover.measure.calibration_traits import Trait
from crossover.model.calibrator import CALIBRATORS
from crossover.study.calibration_arm import ArmCalibration

CANDIDATES = "candidates: a missing feature or class, label noise, shift, regularisation"
SEVERITY = ("local", "unplaced", "recalibrate", "untold", "not_shown", "insufficient")
"""Kinds of finding; the verdict's is the first that any arm has."""
NEXT = {
    "local": "Read the rows of the range and the words and values that set them apart (section Bump); then "
    "add the feature or class they call for, or relabel them.",
    "unplaced": "Recalibrate, and bring more test rows: the range that recalibration leaves is not "
    "pinned down.",
    "recalibrate": "Recalibrate on the calibrate part before a probability is used; predicted classes "
    "need none.",
    "untold": "Give the split a calibrate part (or more rows in it): without one nothing tells a smooth "
    "error "
    "from a bump.",
    "not_shown": "Use the probabilities as they are, within the rows this test part has; more test rows "
    "would "
    "find smaller errors.",
    "insufficient": "Bring more test rows.",
    "no_runs": "Look at the failed runs (failed/ in the store), mend their cause and run again.",
}


@dataclass
class Told:
    """The arms of a study in words; ``findings`` holds the kind of each, in the order of their names."""

    corpus: str
    fingerprint: str
    arms: Mapping[str, ArmCalibration]
    findings: Mapping[str, str]
    whole_p: Mapping[str, float | None]
    local_p: Mapping[str, float | None]

    @cached_property
    def kind(self) -> str:
        """A short word for programs: the gravest finding."""
        found = [kind for kind in SEVERITY if kind in self.findings.values()]
        return found[0] if found else "no_runs"

    @property
    def sentence(self) -> str:
        """One sentence, the gravest arm first."""
        if not self.arms:
            return f"On {self.corpus} nothing can be said of calibration: no arm finished."
        ordered = sorted(self.arms, key=lambda arm: (SEVERITY.index(self.findings[arm]), arm))
        said = "; ".join(self._phrase(arm) for arm in ordered)
        corrected = len(self.arms) > 1 and "(P = " in said
        holm = f" (each P by Holm's correction over {len(self.arms)} arms)" if corrected else ""
        return f"On {self.corpus}, {said}{holm}."

    def _phrase(self, arm: str) -> str:
        one, found = self.arms[arm], self.findings[arm]
        whole, local = _p(self.whole_p[arm]), _p(self.local_p[arm])
        if found == "local":
            return self._local(one)
        if found == "unplaced":
            return (
                f"{arm} is off in ways that recalibration does not mend ({local}), but no range of it is "
                "confirmed on the other half: not a bump yet"
            )
        if found == "recalibrate":
            said = f"{arm} is miscalibrated as a whole ({whole}) and not in one place"
            return f"{said}: recalibrate{self._how(one)}"
        if found == "untold":
            reason = one.local.reason
            return (
                f"{arm} is miscalibrated ({whole}); whether recalibration mends it cannot be told: {reason}"
            )
        if found == "not_shown":
            rows = one.whole.rows
            return f"no miscalibration of {arm} is shown on {rows:,} independent test rows ({whole})"
        return f"of {arm} there is insufficient evidence: {one.whole.reason}"

    def _local(self, one: ArmCalibration) -> str:
        found = one.local.confirmed
        assert found is not None and found.observed is not None and found.expected is not None
        return (
            f"{one.arm} is miscalibrated locally in [{found.low:.2f}, {found.high:.2f}] of class "
            f"{one.test.classes[found.class_index]}, where {found.observed:.2f} of the {found.rows} rows "
            "that "
            f"confirm it are of the class and {found.expected:.2f} "
            f"were expected from a smooth recalibration of the rest; "
            f"{CANDIDATES}{_named(one.traits)}"
        )

    def _how(self, one: ArmCalibration) -> str:
        if one.recommended is None:
            return ""
        rows = len(one.calibrate)
        best = CALIBRATORS[one.recommended].title
        return f" ({best} does best within the {rows:,} calibrate rows)"

    @property
    def population(self) -> str:
        """Whom the verdict speaks of."""
        given = "the fitted model of each arm's first run and, after recalibration, this calibrate part"
        return (
            f"Over fresh test rows like corpus {self.corpus} ({self.fingerprint}), given {given}; not "
            "over other "
            "training sets, corpora, encoders or recipes."
        )

    @property
    def would_change(self) -> tuple[str, ...]:
        """What would turn the verdict over."""
        more = [
            "more test rows: a bump is found only with enough rows inside it (section Bump)",
            "another training set, split or calibrate part",
        ]
        if self.kind in ("local", "unplaced"):
            more.append("a feature, class or label that accounts for the rows of the range")
        return tuple(more)

    @property
    def next_step(self) -> str:
        """What to do now."""
        return NEXT[self.kind]

    def flags(self, shared_rows: int) -> list[str]:
        """What must be read with the sentence."""
        said = []
        for arm, one in self.arms.items():
            left = len(one.test) - len(one.independent)
            if left:
                said.append(
                    f"{arm}: {left:,} of {len(one.test):,} test rows share a cluster with another and are "
                    "left out "
                    "of the scans and calibration errors"
                )
            if len(one.calibrate) < shared_rows:
                said.append(f"{arm}: {len(one.calibrate):,} of {shared_rows:,} calibrate rows were predicted")
            if self.findings[arm] == "not_shown" and one.local.rejects:
                said.append(
                    f"{arm}: the scan after recalibration alone would alarm ({_p(one.local.p_value)}); it "
                    "counts only where the model's own probabilities are off"
                )
        return said


def _named(traits: list[Trait]) -> str:
    """The confirmed traits in a few words."""
    found = list(dict.fromkeys(f'"{one.trait}"' for one in traits if one.confirmed))[:3]
    return f"; set apart by {', '.join(found)}" if found else ""


def _p(value: float | None) -> str:
    return "no P" if value is None else f"P = {value:.3f}"
