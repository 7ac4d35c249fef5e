"""Finding: one thing seen in data or in a split, with its evidence and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SEVERITIES = ("info", "warning", "error")
"""Info describes; a warning can change a conclusion; after an error no score means anything."""


@dataclass(frozen=True)
class Finding:
    """What was seen: a stable ``code`` (kebab-case), one sentence, the numbers, the remedy.

    ``evidence`` holds plain JSON values: numbers, strings, lists and mappings of them.
    ``remedy`` is empty where nothing need be done. ``p_value`` is that of the test behind a finding
    that rests on one: such a finding alarms only as one of its page's family (family.py).
    """

    code: str
    severity: str
    title: str
    evidence: Mapping[str, object] = field(default_factory=dict)
    remedy: str = ""
    p_value: float | None = None

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity {self.severity!r} of finding {self.code}: one of {SEVERITIES}")
        if self.p_value is not None and not 0 <= self.p_value <= 1:
            raise ValueError(f"P {self.p_value} of finding {self.code}: 0 to 1")

    def to_json(self) -> dict[str, object]:
        """The finding as plain JSON values."""
        tested = {} if self.p_value is None else {"p_value": self.p_value}
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "evidence": dict(self.evidence),
            "remedy": self.remedy,
            **tested,
        }
