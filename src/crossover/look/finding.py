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
    ``remedy`` is empty where nothing need be done.
    """

    code: str
    severity: str
    title: str
    evidence: Mapping[str, object] = field(default_factory=dict)
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity {self.severity!r} of finding {self.code}: one of {SEVERITIES}")

    def to_json(self) -> dict[str, object]:
        """The finding as plain JSON values."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "evidence": dict(self.evidence),
            "remedy": self.remedy,
        }
