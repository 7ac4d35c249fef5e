"""Score: a number with its interval, how the interval was made, and what it rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Score:
    """One measured value; nothing is reported without its interval.

    ``value`` is None where the measure is undefined ("insufficient evidence" is a value: the
    reason is then in ``method``). ``n`` counts the units the interval rests on (rows, or
    clusters of rows where grouped); ``level`` is the coverage of [low, high].
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    level: float = 0.95

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name}: insufficient evidence ({self.method}, n = {self.n})"
        if self.low is None or self.high is None:
            return f"{self.name} {self.value:.4f} (no interval: {self.method}, n = {self.n})"
        return f"{self.name} {self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def to_json(self) -> dict[str, object]:
        """The score as plain JSON values."""
        return asdict(self)
