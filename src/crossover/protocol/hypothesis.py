"""A hypothesis stated before a study is run, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from crossover.data.bad_input import BadInput


@dataclass(frozen=True)
class Hypothesis:
    """That one arm leads another by more than a margin.

    Args:
        better: the arm that is claimed to lead.
        than: the other arm.
        margin: by how much at least, in the metric of record (.01 is one point).
        size: training rows the claim is about; None where the study has one size.
        stop: when the study ends, in words: kept, shown, and held against the plan by the reader.
    """

    better: str
    than: str
    margin: float = 0.0
    size: int | None = None
    stop: str = "when every planned run is finished"

    def __post_init__(self) -> None:
        if self.better == self.than:
            raise BadInput(f"hypothesis: better and than are both {self.better!r}; name two arms")
        if not -1 < self.margin < 1:
            raise BadInput(f"hypothesis.margin={self.margin}: expected a share; .01 is one point")

    @property
    def sentence(self) -> str:
        """The claim in words."""
        at = f" at {self.size:,} rows" if self.size is not None else ""
        by = f" by more than {100 * self.margin:.1f} points" if self.margin else ""
        return f"{self.better} is better than {self.than}{by}{at}"

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**asdict(self), "sentence": self.sentence}


def outcome(hypothesis: Hypothesis, lead: Mapping[str, float] | None) -> dict[str, object]:
    """What the interval of the lead says of the claim: supported, contradicted or not decided.

    Args:
        lead: ``mean``, ``low`` and ``high`` of better minus than; None where it was not measured.
    """
    if lead is None:
        said = "not decided: the study did not measure this pair at this size"
        return {**hypothesis.to_json(), "outcome": "not_measured", "answer": said}
    measured = f"{100 * lead['mean']:+.1f} points [{100 * lead['low']:+.1f}, {100 * lead['high']:+.1f}]"
    if lead["low"] > hypothesis.margin:
        word, said = "supported", f"supported: the lead is {measured}"
    elif lead["high"] < hypothesis.margin:
        word, said = "contradicted", f"contradicted: the lead is {measured}"
    else:
        word, said = "not_decided", f"not decided: the lead is {measured}"
    return {**hypothesis.to_json(), "outcome": word, "lead": dict(lead), "answer": said}
