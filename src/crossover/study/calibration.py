"""The calibration study: may the probabilities be believed, does recalibration mend them, or is there a bump?

The arms are fitted on the whole train part (or ``size`` of it); everything is read from their stored
predictions: measured on test, recalibrated on calibrate (methods.md 4). Of an arm's seeds the first run is
told in full; the measures of the others stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.metric.metric import metric_named
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.split import Split
from crossover.study.calibration_arm import ArmCalibration, corrected, finding, range_json
from crossover.study.calibration_sentence import CANDIDATES, Told
from crossover.study.crossover_sentence import title
from crossover.study.grid import Design, check_size, median_cost, unfinished
from crossover.study.study import Verdict, surroundings

Json = dict[str, object]
FEWEST_SIMULATIONS = 99


@dataclass
class CalibrationStudy:
    """Calibration of each arm, before and after recalibration, and the bump test.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split; its calibrate part is what recalibrations are fitted on.
        arms: name -> model.
        seeds: runs of each arm; the first is told in full.
        size: training rows; None trains on the whole train part.
        pools: disjoint pools the train part is cut into for draws, where a size is given.
        simulations: labels simulated under perfect calibration, for bands and P.
        metric: metric of record (of the runs; calibration has its own measures).
        budget: tuning trials.
        selection: inside or shared.
        test_rows: cap on scored test rows; calibrate is held to a quarter of it.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    seeds: int = 1
    size: int | None = None
    pools: int = 16
    simulations: int = 999
    metric: str = "macro_f1"
    budget: int = 1
    selection: str = "inside"
    test_rows: int | None = None
    name: str = "calibration"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        if not self.arms:
            raise BadInput("study.arms names no arm; name at least one")
        if self.seeds < 1:
            raise BadInput(f"study.seeds={self.seeds}; expected at least 1")
        if self.simulations < FEWEST_SIMULATIONS:
            raise BadInput(
                f"study.simulations={self.simulations}; expected at least {FEWEST_SIMULATIONS}: with B of "
                "them no P "
                "is below 1/(B + 1)"
            )
        if self.size is not None:
            check_size(self.size, self.split)

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan."""
        names = ("seeds", "size", "pools", "simulations", "metric", "budget", "selection", "test_rows")
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            **{name: getattr(self, name) for name in names},
        }

    def specs(self, arm: str) -> list[RunSpec]:
        """The runs of one arm, one a seed."""
        design = Design(
            self.corpus.fingerprint,
            self.split.fingerprint,
            self.metric,
            self.selection,
            self.seeds,
            "natural",
            self.pools,
        )
        return design.specs(self.arms[arm], self.size, 0, self.budget, self.test_rows)

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """Every arm and seed, at once."""
        return [spec for arm in self.arms for spec in self.specs(arm)]

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """None: the plan depends on no result."""
        return 0

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """Measures, recalibrations and scans of every arm that finished a run, and the sentence."""
        arms: dict[str, ArmCalibration] = {}
        for arm in sorted(self.arms):
            found = [records[spec.digest] for spec in self.specs(arm) if spec.digest in records]
            if found:
                arms[arm] = ArmCalibration(arm, found, self.corpus, self.split.groups, self.simulations)
        whole_p = corrected({arm: one.whole.p_value for arm, one in arms.items()})
        local_p = corrected({arm: one.local.p_value for arm, one in arms.items()})
        findings = {
            arm: finding(one.whole, one.local, whole_p[arm], local_p[arm]) for arm, one in arms.items()
        }
        told = Told(self.corpus.name, self.corpus.fingerprint, arms, findings, whole_p, local_p)
        results = {
            arm: self._result(one, findings[arm], whole_p[arm], local_p[arm]) for arm, one in arms.items()
        }
        seen = self.corpus.card.seen_in_pretraining
        return Verdict(
            study=self.name,
            kind=told.kind,
            sentence=told.sentence,
            numbers={
                "metric": self.metric,
                **surroundings(self.corpus, self.split),
                "simulations": self.simulations,
                "arms": results,
                "tables": tables(results),
            },
            population=told.population,
            would_change=told.would_change,
            next_step=told.next_step,
            flags=(
                *([seen] if seen else []),
                *unfinished(self.arms, self.plan(records), records),
                *told.flags(len(self.split.parts["calibrate"]) if self.test_rows is None else 0),
            ),
            runs=tuple(sorted(records)),
        )

    def _result(self, one: ArmCalibration, found: str, whole_p: float | None, local_p: float | None) -> Json:
        """One arm as plain values."""
        classes = one.test.classes
        labels = one.records[0].cost["labels"]
        return {
            "title": title(self.arms[one.arm]),
            "component": self.arms[one.arm].to_json(),
            "runs": len(one.records),
            "finding": found,
            "labels": labels,
            "labels_with_recalibration": labels + len(one.calibrate),
            "calibrate_rows": len(one.calibrate),
            "classes": list(classes),
            "calibration": one.measured.to_json(),
            "over_runs": one.over_runs(),
            "recalibration": one.recalibration(),
            "recommended": one.recommended,
            "global": {
                **one.whole.to_json(), "holm_p": whole_p, "where": range_json(one.whole.where, classes)
            },
            "local": {
                **one.local.to_json(), "holm_p": local_p, "is_bump": found == "local",
                "located": range_json(one.local.located, classes),
                "confirmed": range_json(one.local.confirmed, classes),
            },
            "bump": self._bump(one, found),
            "detectable": one.detectable(),
            "cost": median_cost(one.records),
        }  # fmt: skip

    def _bump(self, one: ArmCalibration, found: str) -> Json | None:
        """The rows of a confirmed bump, what sets them apart, and the candidates; None without one."""
        if found != "local" or one.local.inside is None:
            return None
        return {
            "rows_inside": int(one.local.inside.sum()),
            "rows": one.bump_rows(),
            "traits": [trait.to_json() for trait in one.traits],
            "candidates": candidates(one),
            "said": CANDIDATES,
        }


def candidates(one: ArmCalibration) -> list[Json]:
    """Each explanation of a bump, what speaks for it here, and what would tell."""
    confirmed = [trait for trait in one.traits if trait.confirmed]
    words = _once(f'"{t.trait}"' for t in confirmed if t.kind == "word")
    disputed = _once(t.trait for t in confirmed if t.kind == "votes")
    times = _once(t.trait for t in confirmed if t.kind == "time")
    values = _once(t.trait for t in confirmed if t.kind not in ("word", "votes", "time"))
    named = ", ".join([*words, *values])
    return [
        {
            "candidate": "a missing feature or class",
            "here": f"set apart by {named}" if named else "no word or meta value is confirmed",
            "would_tell": "read the rows; add the feature, or label the rows as a class of their own, "
            "and fit again",
        },
        {
            "candidate": "label noise",
            "here": f"confirmed: {', '.join(disputed)}" if disputed else "nothing confirmed points to it",
            "would_tell": "label the rows of the range again, without seeing the old labels",
        },
        {
            "candidate": "shift",
            "here": f"confirmed: {', '.join(times)}" if times else "nothing confirmed points to it",
            "would_tell": "a split that mixes times and sources: the bump should go",
        },
        {
            "candidate": "regularisation",
            "here": "not looked at: one fit an arm",
            "would_tell": "the same model with a weaker and a stronger penalty: the bump should move or go",
        },
    ]


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))[:5]


def tables(arms: Mapping[str, Json]) -> dict[str, list[Json]]:
    """Flat rows: measures, recalibrations, diagrams and scans of every arm."""
    measures: list[Json] = []
    recalibrations: list[Json] = []
    points: list[Json] = []
    scans: list[Json] = []
    for arm, result in arms.items():
        measured = cast(Mapping[str, Mapping[str, Json]], result["calibration"])
        for part in ("scores", "decomposition"):
            measures += [{"arm": arm, "measure": name, **score} for name, score in measured[part].items()]
        recalibrations += [{"arm": arm, **row} for row in cast(list[Json], result["recalibration"])]
        for name, diagram in measured["diagrams"].items():
            points += [{"arm": arm, "of": name, **row} for row in cast(list[Json], diagram["points"])]
        for scan, key in (("global", "where"), ("local", "located"), ("confirmation", "confirmed")):
            told = cast(Json, result["global" if scan == "global" else "local"])
            where = cast(Json, told[key] or {})
            p = told["confirm_p"] if scan == "confirmation" else told["p_value"]
            holm_p = None if scan == "confirmation" else told["holm_p"]
            scans.append({"arm": arm, "scan": scan, "p_value": p, "holm_p": holm_p, **where})
    return {
        "calibration": measures, "recalibration": recalibrations, "reliability": points, "scans": scans
    }  # fmt: skip
