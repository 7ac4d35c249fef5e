"""RunRecord: what one run left behind, as read from its directory ``runs/<digest>/``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.measure.predictions import Predictions
from crossover.measure.score import Score
from crossover.protocol.run_spec import RunSpec


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One finished run; it knows no study.

    ``cost``: wall and CPU seconds, peak memory, cold and cached encoding, tokens, parameters,
    latency, labels consumed. ``history``: one entry a training step. ``environment``: versions,
    threads, device; never secrets. ``recipe``: what made corpus, split and model, in words a
    person can rerun; outside the digest. ``trials``: the tuning log.
    """

    spec: RunSpec
    scores: Mapping[str, Score]
    cost: Mapping[str, float]
    predictions_sha256: str
    history: list[dict[str, float]] = field(default_factory=list)
    trials: list[dict[str, object]] = field(default_factory=list)
    environment: Mapping[str, object] = field(default_factory=dict)
    recipe: Mapping[str, object] = field(default_factory=dict)
    path: Path | None = None

    @property
    def digest(self) -> str:
        """The run's name."""
        return self.spec.digest

    @cached_property
    def predictions(self) -> Predictions:
        """The stored predictions.

        Raises:
            BadInput: the file is not the one that was written (SHA-256), or is gone.
        """
        if self.path is None:
            raise ValueError("this record was never stored, its predictions are elsewhere")
        file = self.path / "predictions.parquet"
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BadInput(
                f"{file} cannot be read ({error.strerror}); delete {self.path} and run again"
            ) from None
        found = hashlib.sha256(data).hexdigest()
        if found != self.predictions_sha256:
            raise BadInput(
                f"{file}: SHA-256 {found[:16]}..., the record says {self.predictions_sha256[:16]}...; "
                f"damaged or edited: delete {self.path} and run again"
            )
        return Predictions.from_parquet(data)

    def scores_at(self, level: float, groups: Mapping[str, str] | None = None) -> Mapping[str, Score]:
        """The scores with intervals at ``level``: those stored, or others made from the predictions.

        A record keeps 95%. ``groups`` is the split's cluster of a row. Nothing is stored.
        """
        if all(score.level == level for score in self.scores.values()):
            return self.scores
        from crossover.measure.scoring import score_all  # statistics; whoever only lists runs needs none

        return score_all(self.predictions.part("test"), groups, level)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values for record.json; schema and seal are the store's."""
        return {
            "digest": self.digest,
            "spec": self.spec.to_json(),
            "scores": {name: score.to_json() for name, score in self.scores.items()},
            "cost": dict(self.cost),
            "predictions_sha256": self.predictions_sha256,
            "history": self.history,
            "trials": self.trials,
            "environment": dict(self.environment),
            "recipe": dict(self.recipe),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, object], path: Path) -> RunRecord:
        """A record from its record.json.

        Raises:
            BadInput: a spec whose digest is not the directory's.
        """
        spec = RunSpec.from_json(cast(Mapping[str, object], plain["spec"]), str(path / "record.json"))
        if spec.digest != plain["digest"]:
            raise BadInput(
                f"{path}/record.json: its spec hashes to {spec.digest}, it is named {plain['digest']}"
            )
        scores = cast(Mapping[str, dict[str, object]], plain["scores"])
        return cls(
            spec,
            {name: Score(**score) for name, score in scores.items()},  # type: ignore[arg-type]
            cast(Mapping[str, float], plain["cost"]),
            str(plain["predictions_sha256"]),
            cast(list[dict[str, float]], plain["history"]),
            cast(list[dict[str, object]], plain["trials"]),
            cast(Mapping[str, object], plain["environment"]),
            cast(Mapping[str, object], plain["recipe"]),
            path,
        )
