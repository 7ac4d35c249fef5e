"""The fold-variance study: does the luck of the training set and seed keep the error from the target?

The train part is cut into k folds; each fold model is trained on the other k - 1, scored on the fold
left out (the ordinary k-fold score) and on the common validation rows (methods.md 5). The common rows
are the split's select and calibrate halves together: neither is read by fitting or by tuning inside
the training rows, so they are fresh to every fold model; and what is done about variance is decided
before the end, so the test part is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.measure.fold_variance import (
    FEWEST_DEGREES,
    CorrectedMean,
    FoldSpread,
    against_target,
    fold_spread,
    nadeau_bengio,
    sd_factors,
)
from crossover.measure.interval import cluster_index
from crossover.measure.metric.metric import Metric, metric_named
from crossover.protocol.component import Component
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.split.k_fold import KFold
from crossover.split.split import Split
from crossover.study.crossover_sentence import metric_title, title
from crossover.study.grid import Cell, Design, unfinished
from crossover.study.study import Verdict, surroundings

Json = dict[str, object]

VALIDATION = ("select", "calibrate")
"""Parts of the split whose rows every fold model is scored on."""
UNEVEN = 0.5
"""By how much of its rows a fold may differ in size: groups are seldom even, and nothing here needs it."""
SAID = {
    "target_met": "meets the target error of {target}: {error}",
    "variance_does_not_matter": "fixing variance does not matter for {arm}: {error} against a target of "
    "{target}, and another training set or seed moves it by an SD of {high} at most",
    "variance_matters": "{arm} has {cause}: another training set or seed moves its error by an SD of {sd}, "
    "more than the {gap} at most that lie between {error} and the target of {target}",
    "not_resolved": "whether variance keeps {arm} from the target of {target} is not resolved: {error}, and "
    "another training set or seed moves it by an SD of {sd}",
    "insufficient": "nothing can be said of the variance of {arm}: {reason}",
}
NEXT = {
    "target_met": "Stop here, and confirm it once on the test part: study=compare.",
    "variance_does_not_matter": "Leave averaging, more seeds and stronger penalties; ask whether features, "
    "capacity, optimiser or labels hold the error up: study=diagnosis.",
    "variance_matters": "Tell the two apart with study=seed_variance; then label more rows (study=crossover "
    "shows what they bring), or average several models and penalise more.",
    "not_resolved": "Narrow the limits: study.k=20 gives the SD more degrees of freedom, a larger "
    "split.validation the error; or set the target you would in fact be content with (study.target).",
    "insufficient": "Look at the failed runs (failed/ in the store), mend their cause and run again; fewer "
    "than 5 folds give no limits.",
}


@dataclass
class FoldVarianceStudy:
    """Fold models of each arm on one common validation set.

    Args:
        corpus: the corpus, as kept in the store.
        split: its split; folds are cut in its train part, its test part is not read.
        arms: name -> model.
        target: the error you aim at, in the metric's units: 1 - score (best value - score) where larger is
            better, the loss itself else.
        k: folds, from 2 up; below 5 the standard deviation has no limits.
        seeds: runs of each arm a fold; with 2 or more the seed's part is told apart.
        metric: metric of record.
        budget: tuning trials an arm, inside its training rows.
    """

    corpus: Corpus
    split: Split
    arms: Mapping[str, Component]
    target: float = 0.05
    k: int = 10
    seeds: int = 2
    metric: str = "macro_f1"
    budget: int = 1
    name: str = "fold_variance"

    reads_test = False
    """Its runs score held-out folds of train: no look at the test is taken."""

    def __post_init__(self) -> None:
        self.split.verify(self.corpus)
        low, high = metric_named(self.metric).bounds
        if not self.arms:
            raise BadInput(
                "study.arms is empty; give at least one model: +model@study.arms.tfidf=naive_bayes"
            )
        if self.k < 2 or self.seeds < 1 or self.budget < 1:
            raise BadInput(
                f"study.k={self.k}, study.seeds={self.seeds}, study.budget={self.budget}: k from 2 up (one "
                "fold leaves nothing to train on), the others at least 1"
            )
        rows, held = len(self.split.train), len(self.common)
        if self.k > rows:
            raise BadInput(f"study.k={self.k}, the train part has {rows} rows: at most one fold a row")
        if not 0 <= self.target < high - low:
            raise BadInput(
                f"study.target={self.target}: an error by {self.metric} lies from 0 to below {high - low:g}"
            )
        if held < 2:
            raise BadInput(
                f"the split's validation holds {held} rows; the fold models need common rows to be scored "
                "on: split.validation=0.1"
            )

    def settings(self) -> dict[str, object]:
        """Plain values that decide the plan and the verdict."""
        return {
            "corpus": self.corpus.fingerprint,
            "split": self.split.fingerprint,
            "arms": {name: arm.to_json() for name, arm in self.arms.items()},
            **{name: getattr(self, name) for name in ("target", "k", "seeds", "metric", "budget")},
        }

    @cached_property
    def common(self) -> tuple[str, ...]:
        """Ids of the common validation rows, sorted."""
        return tuple(sorted(id_ for part in VALIDATION for id_ in self.split.parts[part]))

    @cached_property
    def more_splits(self) -> tuple[Split, ...]:
        """One split a fold: ``test`` is the fold left out, ``calibrate`` (read by no fit) the common rows.

        Raises:
            BadInput: one class only, or a class or groups too few for k folds.
        """
        pool = self.corpus.select(sorted(self.split.train))
        common = {id_: self.split.groups[id_] for id_ in self.common if id_ in self.split.groups}
        made = []
        for fold in range(self.k):
            try:
                cut = KFold(k=self.k, fold=fold, validation=0.0, **self._alike()).split(pool)  # type: ignore[arg-type]
            except BadInput as error:
                raise BadInput(f"study.k={self.k}, cutting the train part into folds: {error}") from None
            parts = {**cut.parts, "select": (), "calibrate": self.common}
            recipe = {**cut.recipe, "of": f"the train part of split {self.split.fingerprint}"}
            made.append(replace(cut, corpus=self.corpus.fingerprint, parts=parts,
                                groups={**cut.groups, **common}, recipe=recipe))  # fmt: skip
        return tuple(made)

    def _alike(self) -> Json:
        """How the split kept rows together, so that the folds do the same."""
        given = cast(Mapping[str, object], self.split.recipe.get("settings", {}))
        names = ("by", "group_duplicates", "straddling", "threshold")
        known = {name: given[name] for name in names if name in given} | {"tolerance": UNEVEN}
        return {"by": [], **known} if self.split.recipe.get("method") == "stratified" else known

    def specs(self, arm: str, fold: int) -> list[RunSpec]:
        """The runs of one arm on one fold, one a seed."""
        design = Design(
            self.corpus.fingerprint,
            self.more_splits[fold].fingerprint,
            self.metric,
            "inside",
            self.seeds,
            "natural",
            0,
        )
        return design.specs(self.arms[arm], None, fold, self.budget, None)

    def plan(self, records: Mapping[str, RunRecord]) -> list[RunSpec]:
        """Every arm, fold and seed, at once."""
        return [spec for arm in self.arms for fold in range(self.k) for spec in self.specs(arm, fold)]

    def undecided_runs(self, records: Mapping[str, RunRecord]) -> int:
        """None: the plan depends on no result."""
        return 0

    def conclude(self, records: Mapping[str, RunRecord]) -> Verdict:
        """Error, its spread and the k-fold scores of each arm, and what they say of the target."""
        arms = {arm: self._arm(arm, self._cells(arm, records)) for arm in sorted(self.arms)}
        known = [arm for arm in arms if arms[arm]["spread"]]
        sentence, kind = self._sentence(arms, known)
        factors = sd_factors(self.k - 1)
        return Verdict(
            study=self.name,
            kind=kind,
            sentence=sentence,
            numbers={
                "metric": self.metric,
                **surroundings(self.corpus, self.split),
                "target": self.target,
                "k": self.k,
                "validation_rows": len(self.common),
                "sd_factors": list(factors),
                "arms": arms,
                "tables": {
                    "folds": [row for arm in arms.values() for row in cast(list[Json], arm["folds"])],
                    "arms": [
                        {"arm": name, "answer": arm["answer"], **cast(Json, arm["spread"] or {})}
                        for name, arm in arms.items()
                    ],
                },
            },
            population=f"The error: over fresh rows like corpus {self.corpus.name} "
            f"({self.corpus.fingerprint}), given these fold models; its SD: over fresh training sets of "
            f"{self._train_rows:,} rows from it, and seeds; not other corpora, encoders or recipes.",
            would_change=(
                "another target error, metric, split or tuning budget",
                f"more folds: the SD's limits on {self.k - 1} degrees of freedom are {factors[0]:.2f} and "
                f"{factors[1]:.2f} times its estimate",
            ),
            next_step=NEXT[kind],
            flags=tuple(self._flags(records, arms)),
            runs=tuple(sorted(records)),
        )

    @property
    def _train_rows(self) -> int:
        return round(float(np.mean([len(split.train) for split in self.more_splits])))

    def _cells(self, arm: str, records: Mapping[str, RunRecord]) -> dict[int, Cell]:
        """Fold -> its runs, where every seed finished and the common rows give a score."""
        cells = {}
        for fold in range(self.k):
            found = [records[s.digest] for s in self.specs(arm, fold) if s.digest in records]
            if len(found) == self.seeds:
                cells[fold] = Cell(arm, self._train_rows, fold, tuple(found))
        return cells

    def _errors(self, cells: Mapping[int, Cell], metric: Metric) -> NDArray[np.float64]:
        """(folds, seeds, rows) errors of the common rows.

        Raises:
            BadInput: the metric is undefined on them.
        """
        values = []
        for cell in cells.values():
            common = [record.predictions.part("calibrate").rows(self.common) for record in cell.records]
            values.append([_error(metric, metric.row_values(p.gold_index, p.probabilities)) for p in common])
        return np.array(values)

    def _arm(self, arm: str, cells: Mapping[int, Cell]) -> Json:
        metric, spread, reason = metric_named(self.metric), None, ""
        if len(cells) <= FEWEST_DEGREES:
            reason = f"{len(cells)} of {self.k} folds finished, at least {FEWEST_DEGREES + 1} are needed"
        if cells:
            try:
                groups = cluster_index(self.common, self.split.groups)
                spread = fold_spread(self._errors(cells, metric), groups, self.k)
            except BadInput as error:
                reason = str(error)
        folds, corrected = self._k_fold(arm, cells, metric)
        answer = against_target(spread, self.target) if spread else "insufficient"
        return {
            "title": title(self.arms[arm]),
            "component": self.arms[arm].to_json(),
            "answer": answer,
            "reason": reason,
            "spread": _plain(spread),
            "k_fold": None if corrected is None else vars(corrected),
            "folds": folds,
        }

    def _k_fold(
        self, arm: str, cells: Mapping[int, Cell], metric: Metric
    ) -> tuple[list[Json], CorrectedMean | None]:
        """Each fold's error on its own rows and on the common ones; the corrected mean of the former."""
        rows: list[Json] = []
        for fold, cell in cells.items():
            split = self.more_splits[fold]
            held = [_score(metric, record, "test") for record in cell.records]
            common = [_score(metric, record, "calibrate") for record in cell.records]
            rows.append(
                {
                    "arm": arm,
                    "fold": fold,
                    "error_held_out": _mean(held),
                    "error_common": _mean(common),
                    "held_out_rows": len(split.test),
                    "train_rows": len(split.train),
                    "absent_classes": len(set(self.corpus.classes) - set(cell.test.gold)),
                }
            )
        scored = [row for row in rows if row["error_held_out"] is not None]
        if not scored:
            return rows, None
        test, train = (
            float(np.mean([cast(int, row[name]) for row in scored]))
            for name in ("held_out_rows", "train_rows")
        )
        return rows, nadeau_bengio([cast(float, row["error_held_out"]) for row in scored], test, train)

    def _sentence(self, arms: Mapping[str, Json], known: Sequence[str]) -> tuple[str, str]:
        if not known:
            reasons = "; ".join(f"{arm}: {said['reason']}" for arm, said in arms.items())
            return f"On {self.corpus.name} nothing can be said of variance ({reasons}).", "insufficient"
        best = min(known, key=lambda arm: (cast(Mapping[str, float], arms[arm]["spread"])["error"], arm))
        kind = str(arms[best]["answer"])
        said = f"On {self.corpus.name}, {self._words(best, arms[best])}"
        others = [f"{arm}: {str(arms[arm]['answer']).replace('_', ' ')}" for arm in arms if arm != best]
        return said + (f"; {'; '.join(others)}." if others else "."), kind

    def _words(self, arm: str, said: Json) -> str:
        spread, kind = cast(Mapping[str, float], said["spread"]), str(said["answer"])
        low, high = spread["error_low"], spread["error_high"]
        error = f"error ({self._unit}) {spread['error']:.3f} [{low:.3f}, {high:.3f}]"
        values = {
            "arm": arm,
            "target": f"{self.target:.3f}",
            "error": f"its {error}",
            "reason": said["reason"],
        }
        if spread["low"] is not None:
            values |= {
                "sd": f"{spread['sd']:.3f} [{spread['low']:.3f}, {spread['high']:.3f}]",
                "high": f"{spread['high']:.3f}",
                "gap": f"{max(high - self.target, 0):.3f}",
                "cause": _cause(spread),
            }
        words = SAID[kind].format(**values)
        return f"{arm} {words}" if kind == "target_met" else words

    @property
    def _unit(self) -> str:
        metric = metric_named(self.metric)
        words = metric_title(self.metric)
        return f"{metric.bounds[1]:g} - {words}" if metric.larger_is_better else words

    def _flags(self, records: Mapping[str, RunRecord], arms: Mapping[str, Json]) -> list[str]:
        seen = self.corpus.card.seen_in_pretraining
        flags = [seen] if seen else []
        flags += unfinished(self.arms, self.plan(records), records)
        for arm, said in arms.items():
            if said["reason"] and said["spread"]:
                flags.append(f"{arm}: {said['reason']}")
            lacking = [row for row in cast(list[Json], said["folds"]) if row["absent_classes"]]
            if lacking:
                flags.append(
                    f"{arm}: {len(lacking)} of {self.k} folds hold no row of some class; their k-fold scores "
                    "are of other classes than the rest"
                )
            spread = cast(Mapping[str, float] | None, said["spread"])
            if spread and spread["raw_sd"] == 0:
                flags.append(f"{arm}: every fold model has the same error on the common rows")
        if self.seeds == 1:
            flags.append(
                "one seed a fold: what the seed does is not told apart from the training rows, and the SD's "
                "limits hold for either (study.seeds=2)"
            )
        return flags


def _error(metric: Metric, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return metric.bounds[1] - values if metric.larger_is_better else values


def _score(metric: Metric, record: RunRecord, part: str) -> float | None:
    scored = record.predictions.part(part)
    value = metric(scored.gold_index, scored.probabilities)
    return None if value is None else float(_error(metric, np.array(value)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _cause(spread: Mapping[str, float | None]) -> str:
    """Too little data where the training rows make the spread, an unstable algorithm where the seed does."""
    seed, training = spread["seed"], cast(float, spread["training"]) * (cast(int, spread["partition"]) - 1)
    if seed is None:
        return "too little data, or is an unstable algorithm"
    if seed > 2 * max(training, 0.0):
        return "an unstable algorithm (mostly the seed)"
    if training > 2 * max(seed, 0.0):
        return "too little data (mostly the training rows)"
    return "too little data, or is an unstable algorithm"


def _plain(spread: FoldSpread | None) -> Json | None:
    return None if spread is None else dict(vars(spread))
