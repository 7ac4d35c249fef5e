"""The words of an ablation verdict: what matters, what is stable, what is only hidden, what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from crossover.measure.factorial import draws_to_be_stable
from crossover.measure.metric.metric import metric_named
from crossover.study.crossover_sentence import metric_title

Json = Mapping[str, object]
PILOT = 4
"""Draws up to which a study is called a pilot."""


@dataclass(frozen=True)
class Told:
    """What is said of one ablation.

    Args:
        corpus: name of the corpus.
        metric: name of the metric of record.
        arm: name of the model taken apart.
        design: kind, coalitions, draws, seeds, size, overlap, budget.
        numbers: the verdict's numbers; without ``components`` where nothing could be estimated.
        problem: why, then.
        lost: one sentence for each kind of run that did not finish.
    """

    corpus: str
    metric: str
    arm: str
    design: Json
    numbers: Json
    problem: str
    lost: tuple[str, ...]

    @property
    def kind(self) -> str:
        """``components_matter``, ``none_shown``, ``exploratory``, ``undefined`` or ``too_few_runs``."""
        if self.problem:
            return "too_few_runs" if self.problem == "no run finished" else "undefined"
        judged = self._by_matter
        if len(judged["not estimated"]) == len(self._components):
            return "too_few_runs"
        if cast(float, self.design["overlap"]) > 0.5:
            return "exploratory"
        return "components_matter" if judged["yes"] or judged["hurts"] else "none_shown"

    def sentence(self) -> str:
        """The one sentence."""
        on = f"On {self.corpus}"
        if self.kind == "undefined":
            return f"{on} nothing can be said of the components of {self.arm}: {self.problem.rstrip('.')}."
        if self.kind == "too_few_runs":
            return f"{on} nothing can be said of the components of {self.arm}: too few of its runs finished."
        judged = self._by_matter
        parts = [f"{on}, {self._what_matters(judged)}"]
        if self.kind == "exploratory":
            parts[0] = f"{on}, exploratory (a draw takes over half of the train part), not a verdict: " + (
                self._what_matters(judged)
            )
        for word, verb in (("not shown", "not shown to matter"), ("not estimated", "not estimated")):
            if judged[word] and len(judged[word]) < len(self._components):
                parts.append(f"{listed(judged[word])} {'is' if len(judged[word]) == 1 else 'are'} {verb}")
        covered = cast(Json | None, self.numbers.get("covered"))
        if covered:
            parts.append(self._hidden(covered))
        conflict = self._conflicts()
        if conflict:
            parts.append(f"log loss disagrees about {listed(conflict)}")
        parts.append(self._stable())
        parts.append(self._tuned())
        return "; ".join(parts) + "."

    def flags(self) -> list[str]:
        """What must be shown wherever the sentence is."""
        found = list(self.lost)
        draws, overlap = cast(int, self.design["draws"]), cast(float, self.design["overlap"])
        if self.design["budget"] == 1:
            found.append(
                "hyper-parameters were not re-tuned: every coalition ran with the settings of the whole "
                "model, which may suit it better than its parts"
            )
        if draws <= PILOT:
            found.append(f"{draws} draws, a pilot: only large effects can be shown")
        if overlap:
            found.append(
                f"draws share training rows (each takes {overlap:.0%} of the train part): the intervals "
                "allow for it, 'stable' cannot be judged"
            )
        if self.design["kind"] == "fraction":
            found.append(
                f"a fraction of the factorial ({self.design['coalitions']} of {1 << self._count} "
                "coalitions): main and pair effects hold if no three components act together"
            )
        return found

    def would_change(self) -> tuple[str, ...]:
        """What would move the verdict."""
        other = (
            f"another number of training rows than {cast(int, self.design['size']):,}: what many rows "
            "teach, few may not",
            f"another metric than {metric_title(self.metric)}, other components beside these, or "
            "another corpus",
        )
        if self.design["budget"] == 1:
            return ("tuning each coalition for itself (study.budget above 1)", *other)
        return other

    def next_step(self) -> str:
        """The one step to take."""
        draws, enough = cast(int, self.design["draws"]), draws_to_be_stable()
        if self.kind == "undefined":
            return "Mend what the sentence names, and run again; runs that finished are kept."
        if self.kind == "too_few_runs":
            return (
                "Look at the failed runs (failed/ in the store), mend their cause and run the same command "
                "again."
            )
        if self.kind == "exploratory":
            return (
                "Ask for smaller draws (study.size) or bring more rows: draws that share most rows decide "
                "nothing."
            )
        judged = self._by_matter
        if self.kind == "none_shown":
            return (
                f"Run more draws (study.draws={max(2 * draws, enough)}) or score more test rows; the column "
                "'could show' says what effect this study would have found."
            )
        if judged["hurts"]:
            return (
                f"Take {listed(judged['hurts'])} out and compare both models on fresh test rows "
                "(study=compare)."
            )
        words = [cast(Json, row["stable"])["word"] for row in self._components.values()]
        if draws < enough and "not established" in words:
            return f"Run {enough} draws (study.draws={enough}): fewer cannot show that an effect is stable."
        if judged["not shown"]:
            return (
                f"Compare the model with and without {listed(judged['not shown'])} together (study=compare) "
                "before dropping anything."
            )
        return "Keep every component; ask next how many labels they need (study=crossover)."

    @property
    def _components(self) -> Mapping[str, Json]:
        return cast(Mapping[str, Json], self.numbers.get("components", {}))

    @property
    def _count(self) -> int:
        return len(cast(Mapping[str, object], self.numbers["switches"]))

    @cached_property
    def _by_matter(self) -> dict[str, list[str]]:
        """Names by what was found, the strongest effect first."""
        primary = str(self.numbers.get("primary", ""))
        found: dict[str, list[str]] = {"yes": [], "hurts": [], "not shown": [], "not estimated": []}

        def strength(name: str) -> tuple[float, str]:
            effect = cast(Mapping[str, float] | None, self._components[name][primary])
            return (-abs(effect["mean"]) if effect else 0.0, name)

        for name in sorted(self._components, key=strength):
            found[str(self._components[name]["matters"])].append(name)
        return found

    def _what_matters(self, judged: Mapping[str, Sequence[str]]) -> str:
        primary = str(self.numbers["primary"])
        by = "Shapley value" if primary == "shapley" else "main effect"

        def with_effect(name: str) -> str:
            return f"{name} ({self.spread(self._components[name][primary])})"

        metric = metric_title(self.metric)
        size = f"at {cast(int, self.design['size']):,} training rows"
        said = []
        if judged["yes"]:
            verb = "matters" if len(judged["yes"]) == 1 else "matter"
            said.append(f"{listed([with_effect(name) for name in judged['yes']])} {verb} to {metric} {size}")
        if judged["hurts"]:
            verb = "hurts" if len(judged["hurts"]) == 1 else "hurt"
            said.append(f"{listed([with_effect(name) for name in judged['hurts']])} {verb} {metric}")
        if not said:
            return f"no component of {self.arm} is shown to matter to {metric} {size} ({by}, Holm, 5%)"
        return f"{' and '.join(said)} ({by}, Holm, 5%)"

    def _hidden(self, covered: Json) -> str:
        names, group = cast(Sequence[str], covered["components"]), cast(Sequence[str], covered["group"])
        together = covered["together"]
        said = f"leaving one out does not show {listed(names)}"
        if together and len(group) > 1:
            which = "all of them" if list(group) == list(names) else f"{listed(group)} together"
            said += f", for without {which} the model loses {self.size(together)}"
        return said

    def _stable(self) -> str:
        words = {name: cast(Json, row["stable"])["word"] for name, row in self._components.items()}
        stable = [name for name in self._by_matter["yes"] if words[name] == "stable"]
        draws, enough = cast(int, self.design["draws"]), draws_to_be_stable()
        if stable:
            return f"stable over draws: {listed(stable)}"
        if draws < enough:
            return f"stability is not established ({draws} draws; it takes {enough} of {enough})"
        return "none is shown to be stable over draws"

    def _tuned(self) -> str:
        budget = cast(int, self.design["budget"])
        return (
            "hyper-parameters were not re-tuned"
            if budget == 1
            else f"each coalition had {budget} tuning trials"
        )

    def _conflicts(self) -> list[str]:
        """Components that matter by one of the two measures and hurt by the other."""
        return [
            name
            for name, row in self._components.items()
            if {row["matters"], row.get("matters_by_log_loss")} == {"yes", "hurts"}
        ]

    def spread(self, effect: object) -> str:
        """``+5.4 points [+4.4, +6.4]``; of a loss ``+0.054 [+0.044, +0.064]``, larger still better."""
        if not isinstance(effect, Mapping):
            return "not estimated"
        mean, low, high = (self._number(effect[key], "+") for key in ("mean", "low", "high"))
        return f"{mean}{self._unit} [{low}, {high}]"

    def size(self, effect: object) -> str:
        """The mean alone, without a sign where it is above 0."""
        return f"{self._number(cast(Json, effect)['mean'], '')}{self._unit}"

    @property
    def _points(self) -> bool:
        return metric_named(self.metric).larger_is_better

    @property
    def _unit(self) -> str:
        return " points" if self._points else ""

    def _number(self, value: object, sign: str) -> str:
        number = cast(float, value)
        return f"{100 * number:{sign}.1f}" if self._points else f"{number:{sign}.3f}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
