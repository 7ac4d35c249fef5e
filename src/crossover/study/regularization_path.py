"""The regularization-path study: which features and blocks turn on first, and which keep being chosen.

One run an arm: the model follows its L1 path on the training rows and on complementary halves of them
(model/l1_path.py) and leaves both in its history; nothing is chosen by rows outside the training part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.metric.metric import metric_named
from crossover.measure.stability_selection import check_threshold, expected_false, expected_false_unimodal
from crossover.model.l1_path import BLOCK_SHARE, SHARE, TURNS_ON
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.split import Split
from crossover.study.crossover_sentence import title
from crossover.study.grid import Design, unfinished
from crossover.study.study import Verdict, surroundings

Json = dict[str, object]

MODEL = "crossover.model.l1_path.L1Path"
SHOWN = 150
"""Features listed of one arm, in the order in which they turn on; stable ones are listed all."""
UNSOLVED = 0.01
"""Violation of optimality, over lambda, from which on a point of the path is called unsolved."""
NEXT = {
    "stable_features": "Read rows that hold the first features (a signature, a footer or a leak shows here "
    "first); then freeze the blocks you trust (study.arms.NAME.frozen=[surface]) and see which of the others "
    "still turn on.",
    "none_stable": "Freeze nothing on this evidence: bring more training rows, or other features "
    "(+feature@study.arms.NAME.features.char=char_tfidf).",
    "no_run": "Look at the failed runs (failed/ in the store), mend their cause and run again.",
}


@dataclass
class RegularizationPathStudy:
    """The L1 path of each arm on the train part, with stability selection.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split; features are selected on its train part alone.
        arms: name -> model, each a model=l1_path with its features and frozen blocks.
        pairs: complementary pairs of half-samples.
        threshold: share of half-samples from which on a feature is called stable, above .5.
        false_selections: noise features that may be expected among the stable ones, at most.
        metric: metric of record of the runs; not read by the verdict.
        test_rows: cap on scored test rows.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    pairs: int = 50
    threshold: float = 0.9
    false_selections: float = 1.0
    metric: str = "macro_f1"
    test_rows: int | None = None
    name: str = "regularization_path"

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        metric_named(self.metric)
        check_threshold(self.threshold, self.false_selections)
        if self.pairs < 1:
            raise BadInput(f"study.pairs={self.pairs}: at least 1 pair of half-samples, 50 as published")
        if not self.arms:
            raise BadInput("study.arms is empty; give at least one: +model@study.arms.open=l1_path")
        other = sorted(name for name, arm in self.arms.items() if arm.target != MODEL)
        if other:
            raise BadInput(
                f"study.arms.{other[0]} is {self.arms[other[0]].target}; this study follows the path of "
                f"model=l1_path: model@study.arms.{other[0]}=l1_path"
            )
        present = {self.corpus.labels[self.corpus.row_of[id_]] for id_ in self.split.train}
        if len(present) < 2:
            raise BadInput(
                f"the train part holds only the class {sorted(map(str, present))[0]!r}: nothing tells two "
                "classes apart; split again, or bring rows of another class"
            )

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan."""
        names = ("pairs", "threshold", "false_selections", "metric", "test_rows")
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            **{name: getattr(self, name) for name in names},
        }

    def model(self, arm: str) -> Component:
        """The arm's model with the study's half-samples."""
        return self.arms[arm].with_settings(
            pairs=self.pairs, threshold=self.threshold, false_selections=self.false_selections
        )

    def spec(self, arm: str) -> RunSpec:
        """The one run of an arm."""
        design = Design(
            self.corpus.fingerprint, self.split.fingerprint, self.metric, "inside", 1, "natural", 0
        )
        return design.specs(self.model(arm), None, 0, 1, self.test_rows)[0]

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """One run an arm."""
        return [self.spec(arm) for arm in self.arms]

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """None: the plan depends on no result."""
        return 0

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """The path and the stable features of each arm."""
        found = {arm: records.get(self.spec(arm).digest) for arm in sorted(self.arms)}
        arms = {arm: self._arm(arm, r) for arm, r in found.items() if r is not None and _points(r)}
        sentence, kind = self._sentence(arms)
        return Verdict(
            study=self.name,
            kind=kind,
            sentence=sentence,
            numbers={
                "metric": self.metric,
                **surroundings(self.corpus, self.split),
                "threshold": self.threshold,
                "half_samples": 2 * self.pairs,
                "arms": arms,
                "tables": {
                    "features": [row for arm in arms.values() for row in cast(list[Json], arm["features"])],
                    "blocks": [row for arm in arms.values() for row in cast(list[Json], arm["blocks"])],
                },
            },
            population=f"Given this training set of {len(self.split.train):,} rows of corpus "
            f"{self.corpus.name} ({self.corpus.fingerprint}) and its halves, for these feature blocks; not "
            "other corpora, features or models.",
            would_change=(
                "other feature blocks: features that say the same share or swap their places on the path",
                "another training set, threshold, or number of features a half-sample may choose",
            ),
            next_step=NEXT[kind],
            flags=tuple(self._flags(records, arms)),
            runs=tuple(sorted(records)),
        )

    def _arm(self, arm: str, record: RunRecord) -> Json:
        path = _points(record)
        halves = next((entry for entry in record.history if "half_samples" in entry), {})
        share = {k.removeprefix(SHARE): v for k, v in halves.items() if k.startswith(SHARE)}
        blocks = [key.removeprefix("on: ") for key in path[0] if key.startswith("on: ")]
        features = self._features(arm, path, share, blocks)
        stable = [row for row in features if row["stable"]]
        columns, chosen = halves.get("columns", 0.0), halves.get("chosen", 0.0)
        bounds: Json = {"expected_false": None, "expected_false_unimodal": None}
        if columns:
            bounds = {
                "expected_false": expected_false(chosen, int(columns), self.threshold),
                "expected_false_unimodal": expected_false_unimodal(
                    chosen, int(columns), self.threshold, self.pairs
                ),
            }
        return {
            "title": f"{title(self.arms[arm])}, {arm}",
            "component": self.model(arm).to_json(),
            "frozen": list(cast(Sequence[str], self.arms[arm].settings.get("frozen", []))),
            "columns": int(columns),
            "chosen": chosen,
            "q": halves.get("q", 0.0),
            **bounds,
            "stable": len(stable),
            "path": [{k: v for k, v in entry.items() if not k.startswith(TURNS_ON)} for entry in path],
            "features": stable + [row for row in features if not row["stable"]][:SHOWN],
            "turned_on": sum("relative" in row for row in features),
            "blocks": [self._block(arm, block, path, halves, features) for block in blocks],
        }

    def _features(
        self, arm: str, path: Sequence[Mapping[str, float]], share: Mapping[str, float], blocks: Sequence[str]
    ) -> list[Json]:
        """Features in the order in which they turn on, then those only half-samples chose."""
        first: dict[str, tuple[float, float]] = {}
        for entry in path:
            for key, code in entry.items():
                if key.startswith(TURNS_ON):
                    first.setdefault(key.removeprefix(TURNS_ON), (entry["relative"], code))
        rows: list[Json] = []
        for name in [*first, *(other for other in share if other not in first)]:
            block = max((b for b in blocks if name.startswith(f"{b}: ")), key=len, default="")
            row: Json = {"arm": arm, "block": block, "feature": name.removeprefix(f"{block}: ")}
            if name in first:
                relative, code = first[name]
                row |= {"relative": relative, "class": self.corpus.classes[int(abs(code)) - 1],
                        "speaks": "for" if code > 0 else "against"}  # fmt: skip
            rows.append(
                {**row, "share": share.get(name, 0.0), "stable": share.get(name, 0.0) >= self.threshold}
            )
        return rows

    def _block(
        self,
        arm: str,
        block: str,
        path: Sequence[Mapping[str, float]],
        halves: Mapping[str, float],
        features: Sequence[Json],
    ) -> Json:
        own = [row for row in features if row["block"] == block]
        entered = [row for row in own if "relative" in row]
        return {
            "arm": arm,
            "block": block,
            "turns_on": entered[0]["relative"] if entered else None,
            "first_feature": entered[0]["feature"] if entered else None,
            "features_at_end": path[-1][f"on: {block}"],
            "stable_features": sum(bool(row["stable"]) for row in own),
            "share": halves.get(f"{BLOCK_SHARE}{block}"),
        }

    def _sentence(self, arms: Mapping[str, Json]) -> tuple[str, str]:
        if not arms:
            return f"On {self.corpus.name} nothing can be said of the path: no run finished.", "no_run"
        clauses = [self._clause(arm, said) for arm, said in arms.items()]
        some = any(said["stable"] for said in arms.values())
        return f"On {self.corpus.name}, {'; '.join(clauses)}.", "stable_features" if some else "none_stable"

    def _clause(self, arm: str, said: Json) -> str:
        features = cast(list[Json], said["features"])
        stable, columns = cast(int, said["stable"]), cast(int, said["columns"])
        frozen = cast(list[str], said["frozen"])
        beside = f" (beside {', '.join(frozen)}, kept in)" if frozen else ""
        count = f"{stable:,} of {columns:,} features" if stable else f"none of {columns:,} features"
        bound = said["expected_false"]
        at_most = (
            f", at most {cast(float, bound):.2g} of them by chance" if stable and bound is not None else ""
        )
        clause = (
            f"{arm}{beside} chooses {count} in {self.threshold:.0%} or more of {2 * self.pairs} half-samples"
            f"{at_most}"
        )
        entered = min(
            (row for row in features if "relative" in row),
            key=lambda row: (-cast(float, row["relative"]), -cast(float, row["share"])),
            default=None,
        )
        if entered is None:
            return f"{clause}, and nothing turns on"
        word = " ".join(str(entered["feature"]).split())
        speaks = f"{entered['speaks']} {entered['class']}"
        return f"{clause}; on its path “{word}” ({entered['block']}) turns on first, {speaks}"

    def _flags(self, records: Mapping[str, RunRecord], arms: Mapping[str, Json]) -> list[str]:
        flags = unfinished({arm: self.model(arm) for arm in self.arms}, self.plan(records), records)
        empty = sorted(set(self.arms) - set(arms)) if len(records) == len(self.arms) else []
        flags += [f"{arm}: its record holds no path; delete the run and make it again" for arm in empty]
        for arm, said in arms.items():
            path = cast(list[Mapping[str, float]], said["path"])
            most = cast(int, self.arms[arm].settings.get("max_features", 200))
            if path[-1]["features"] > most:
                flags.append(
                    f"{arm}: the path ends at {path[-1]['relative']:.2f} of its first lambda, where more "
                    f"than {most} features are on (study.arms.{arm}.max_features)"
                )
            worst = max(entry["violation"] for entry in path)
            if worst > UNSOLVED:
                flags.append(f"{arm}: a point of the path is not solved (off by {worst:.1%} of lambda)")
            if said["columns"] and cast(float, said["q"]) < 2:
                flags.append(
                    f"{arm}: of {said['columns']} features a half-sample chooses one, so that those which "
                    "help alike hide each other; a larger study.false_selections lets it choose more"
                )
            if not said["columns"]:
                flags.append(f"{arm}: no feature that could be selected varies over the training rows")
        return flags


def _points(record: RunRecord) -> list[dict[str, float]]:
    """The entries of a record's history that are points of the path."""
    return [entry for entry in record.history if "lambda" in entry]
