"""The words of a seed-variance verdict: what a meaningless change did, and how many seeds that asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from crossover.measure.crossing_verdict import MAX_OVERLAP
from crossover.measure.variance_components import VarianceComponent, limit_factors
from crossover.protocol.run_spec import RunSpec
from crossover.record.run_record import RunRecord
from crossover.study.crossover_sentence import metric_title
from crossover.study.seed_variance_group import DOUBTFUL, DRAW, SEED, SPLIT, TOTAL, Group

if TYPE_CHECKING:
    from crossover.study.seed_variance import SeedVarianceStudy

FEWEST_DRAWS, FEWEST_SEEDS = 6, 5
"""Fewer are a pilot (methods.md 2)."""


@dataclass
class Told:
    """A study's groups in words. The headline arm is the one whose seed moves its score most."""

    study: SeedVarianceStudy
    groups: Mapping[str, Group]

    @cached_property
    def head(self) -> Group | None:
        """The arm the sentence is about: most moved by its seed, else by its training draw."""
        sound = [group for group in self.groups.values() if group.nested is not None]
        if not sound:
            return None

        def moved(group: Group) -> tuple[bool, float, str]:
            nested = group.nested
            assert nested is not None
            seed = bool(nested.seed.degrees) and nested.seed.value > 0
            return (not seed, -(nested.seed.value if seed else nested.draw.value), group.arm)

        return min(sound, key=moved)

    @cached_property
    def identical(self) -> list[str]:
        """Arms that their seeds do not change."""
        return [arm for arm, group in self.groups.items() if group.identical]

    @cached_property
    def kind(self) -> str:
        """A short word for programs."""
        head = self.head
        if head is None:
            return "no_runs"
        if head.identical:
            return "bit_identical"
        if head.one_set:
            return "conditional"
        assert head.nested is not None
        if not head.nested.seed.degrees:
            return "not_separable"
        if self._pilot(head.arm):
            return "pilot"
        rank = head.draw_against_seed
        larger = rank.larger if rank is not None else None
        return {DRAW: "draw_larger", SEED: "seed_larger"}.get(larger or "", "not_ranked")

    def _pilot(self, arm: str) -> bool:
        draws, seeds = self.study.design(arm)
        return draws < FEWEST_DRAWS or seeds < FEWEST_SEEDS

    @property
    def _rows(self) -> str:
        rows = self.study.rows
        return "the whole train part" if rows is None else f"{rows:,} training rows"

    @cached_property
    def sentence(self) -> str:
        """What a meaningless change did to the quality, and what that asks for."""
        name, head = self.study.corpus.name, self.head
        if head is None:
            return f"On {name} nothing can be said of chance: no run finished with a score."
        metric = metric_title(self.study.metric)
        said = [f"On {name} with {self._rows}, {self._change(head, metric)}", *self._draw(head, metric)]
        others = [arm for arm in self.identical if arm != head.arm]
        if others:
            said.append(f"{_listed(others)} {'is' if len(others) == 1 else 'are'} bit-identical over seeds")
        said += self._needed(head, metric)
        if self.kind == "pilot":
            said.append(f"a pilot: fewer than {FEWEST_DRAWS} draws x {FEWEST_SEEDS} seeds")
        return "; ".join(said) + "."

    def _change(self, head: Group, metric: str) -> str:
        if head.identical:
            same = f"{head.arm} is bit-identical over seeds"
            return f"a meaningless change (the seed alone) changed nothing: {same}"
        if head.change is None:
            return (
                f"one seed a draw leaves seed and training draw together: {head.arm}'s {metric} varied "
                f"by {_sd(head.named(TOTAL))} from run to run"
            )
        if not head.change[0]:
            return f"a meaningless change (the seed alone) moved no row across {metric} for {head.arm}"
        return (
            f"a meaningless change (the seed alone) changed {metric} by up to {head.change[0]:.3f} for "
            f"{head.arm} ({_sd(head.named(SEED))})"
        )

    def _draw(self, head: Group, metric: str) -> list[str]:
        part = head.named(DRAW)
        if part is None:
            return ["given this one training set"] if head.one_set else []
        what = metric if head.identical else "it"
        said = f"another training draw changed {what} by {_sd(part)}"
        rank = head.draw_against_seed
        if rank is None:
            return [said]
        more = {DRAW: "more than the seed", SEED: "less than the seed"}
        return [f"{said}, {more.get(rank.larger or '', 'which of the two is larger is not resolved')}"]

    def _needed(self, head: Group, metric: str) -> list[str]:
        difference = self._difference
        told = []
        for row in head.needed([difference]):
            if row["sd"] is None or (head.identical and row["given"] == "one training set"):
                continue
            where = "on one training set" if row["given"] == "one training set" else "on fresh draws"
            unit = "seeds" if row["given"] == "one training set" else "runs"
            told.append(f"{row['said']} {unit} an arm {where}")
        if not told:
            return []
        return [f"to see a difference of {difference:g} in {metric} takes {' or '.join(told)}"]

    @property
    def _difference(self) -> float:
        """The middle one of the differences asked for."""
        asked = sorted(float(d) for d in self.study.differences)
        return asked[len(asked) // 2]

    @cached_property
    def population(self) -> str:
        """Whom the verdict speaks of."""
        corpus = f"corpus {self.study.corpus.name} ({self.study.corpus.fingerprint})"
        if self.study.draws == 1:
            return (
                f"Over seeds, given this one training set and split of {corpus}; means also over fresh test "
                "rows; not over other training sets, corpora, encoders or recipes."
            )
        return (
            f"Over fresh draws of {self._rows} from, and seeds on, {corpus}; components given these test "
            "rows, means also over fresh ones; not other sizes, corpora, encoders or recipes."
        )

    @cached_property
    def would_change(self) -> tuple[str, ...]:
        """What could turn the answer."""
        found = ["another training size, corpus, metric or tuning budget"]
        head = self.head
        part = head.named(DRAW) if head is not None else None
        if part is not None and part.degrees >= 1:
            low, high = limit_factors(part.degrees)
            found.append(
                f"more draws: an SD on {part.degrees} degrees of freedom is known only within a factor of "
                f"{low:.2f} to {high:.2f}"
            )
        return tuple(found)

    @cached_property
    def next_step(self) -> str:
        """The one thing to do."""
        study, kind = self.study, self.kind
        if kind == "no_runs" or self.head is None:
            return "Look at the failed runs (failed/ in the store), mend their cause and run again."
        draws = f"study=compare study.size={study.rows} study.draws={study.draws}"
        if kind in ("pilot", "not_separable"):
            return (
                f"Run at least study.draws={FEWEST_DRAWS} study.seeds={FEWEST_SEEDS}; finished runs are kept."
            )
        if kind == "conditional":
            return "Ask whether another training set matters more: study.draws=6 with study.size."
        if kind == "bit_identical":
            return f"Spend runs on training draws, one seed each: {draws} study.seeds=1."
        if kind == "draw_larger":
            return f"More draws tell more than more seeds; compare arms with {draws} study.seeds=1."
        seeds = self.head.needed([self._difference])[0]["runs"]
        if kind == "seed_larger" and isinstance(seeds, int):
            return (
                f"Average seeds before comparing arms on one training set: study=compare study.seeds={seeds}."
            )
        return f"Compare arms over draws and seeds together: {draws} study.seeds={study.seeds}."

    def flags(
        self, wanted: Callable[[str], Sequence[RunSpec]], records: Mapping[str, RunRecord]
    ) -> tuple[str, ...]:
        """What must be read with the sentence."""
        seen = self.study.corpus.card.seen_in_pretraining
        found = [seen] if seen else []
        for arm, group in self.groups.items():
            specs = wanted(arm)
            lost = sum(spec.digest not in records for spec in specs)
            if lost:
                found.append(f"{arm}: {lost} of {len(specs)} runs did not finish and count as failures")
            if group.failures:
                found.append(
                    f"{arm}: {len(group.failures)} runs failed (on validation not above the majority rule, "
                    "or no score); the components are of the others, the mean of all"
                )
            if group.normal is not None and group.normal < DOUBTFUL:
                found.append(
                    f"{arm}: what seeds do is far from normal (Shapiro-Wilk P = {group.normal:.2g}); its "
                    "intervals of components may be too narrow, and its sources are not ranked"
                )
            if self._pilot(arm) and not group.one_set:
                draws, seeds = self.study.design(arm)
                found.append(
                    f"{arm}: {draws} draws x {seeds} seeds are a pilot; "
                    f"{FEWEST_DRAWS} x {FEWEST_SEEDS} are needed"
                )
        return tuple(found + self._design_flags())

    def _design_flags(self) -> list[str]:
        study, found = self.study, []
        if study.draws == 1:
            found.append("One training set: what seeds do is conditional on it")
        if study.overlap:
            found.append(
                f"A draw takes {study.overlap:.0%} of the train part, so draws share rows: their variance is "
                f"too small by about that share{'; exploratory' if study.overlap > MAX_OVERLAP else ''}"
            )
        if study.resplits:
            found.append(
                "A re-split changes training rows, test rows and seed at once: only what it adds beyond draw "
                f"and seed ({SPLIT}) is told apart, by subtraction"
            )
        if study.budget > 1:
            found.append("The seed also draws tuning trials and hold-out rows: its share includes their luck")
        return found


def _sd(part: VarianceComponent | None) -> str:
    """``SD 0.006 [0.005, 0.008]``, or why there is none."""
    if part is None or part.sd is None:
        return "SD not told: " + (part.method.removeprefix("refused: ") if part is not None else "no runs")
    value, low, high = part.sd
    return f"SD {value:.3f} [{low:.3f}, {high:.3f}]"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
