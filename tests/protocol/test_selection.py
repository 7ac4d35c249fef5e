"""Selection: what may be read, what is held out, and which trial wins."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.protocol.selection.inside import Inside
from crossover.protocol.selection.rule import fit_trials, one_by_one, rule_named, trial_settings
from crossover.protocol.selection.shared import Shared

CLASSES = ("ham", "spam")
SPACE: Mapping[str, Sequence[object]] = {
    "C": [0.1, 1.0, 10.0, 100.0],
    "ngram": [1, 2, 3],
    "bias": [True, False],
}


class Spy:
    """A classifier that notes what it was fitted on; its score is looked up by its settings."""

    made: list["Spy"]

    def __init__(
        self, settings: Mapping[str, object], early: bool, space: Mapping[str, Sequence[object]]
    ) -> None:
        self.settings, self.wants_validation, self.search_space = dict(settings), early, space
        self.fitted: list[tuple[list[str], object]] = []
        self.predicted: list[list[str]] = []

    def fit(self, texts, labels, classes, validation=None, meta=None) -> "Spy":
        if self.settings.get("C") == 100.0:
            raise FloatingPointError("loss is nan")
        self.fitted.append((list(texts), validation))
        self.labels = list(labels)
        # With validation it stops early and reports the step count for the refit.
        self.selected_ = {"steps": 7} if self.wants_validation and validation is not None else {}
        return self

    def predict_proba(self, texts, meta=None):
        self.predicted.append(list(texts))
        return np.full((len(texts), 2), np.nan if self.settings.get("C") == 10.0 else 0.5)

    def fit_each(self, trials, rows, classes, validation):
        return one_by_one(trials, rows, classes, validation)


def maker(early: bool = False, space: Mapping[str, Sequence[object]] = SPACE) -> tuple[Callable, list[Spy]]:
    made: list[Spy] = []

    def make(settings: Mapping[str, object]) -> Spy:
        made.append(Spy(settings, early, space))
        return made[-1]

    return make, made


def rows(ham: int, spam: int, prefix: str = "t") -> Rows:
    labels = ["ham"] * ham + ["spam"] * spam
    ids = [f"{prefix}{k}" for k in range(len(labels))]
    return Rows([f"text {id_}" for id_ in ids], labels, {"source": list(ids)})


class Forbidden(Rows):
    """Rows that may not be looked at."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"inside read the shared rows ({name})")


FORBIDDEN = object.__new__(Forbidden)


def level(labels: Sequence[str], probabilities: object) -> tuple[float, ...]:
    return (0.5,)


def fits(made: list[Spy]) -> list[list[str]]:
    return [texts for model in made for texts, _ in model.fitted]


def test_inside_never_reads_the_shared_rows_and_never_counts_them() -> None:
    make, _ = maker()
    Inside().select(make, rows(20, 10), CLASSES, FORBIDDEN, 4, level, 0)
    assert Inside().labels_read(rows(3, 3), True) == 0 == Inside().labels_read(rows(3, 3), False)


@given(st.integers(5, 60), st.integers(5, 60), st.integers(0, 10_000))
def test_inside_holds_out_a_fifth_of_each_class(ham: int, spam: int, seed: int) -> None:
    make, made = maker(space={"C": [0.1, 1.0]})
    whole = rows(ham, spam)
    Inside().select(make, whole, CLASSES, FORBIDDEN, 2, level, seed)
    trials = [model for model in made if model.predicted]
    label_of = dict(zip(whole.texts, whole.labels, strict=True))
    for model in trials:
        kept, held = set(model.fitted[0][0]), set(model.predicted[0])
        assert kept.isdisjoint(held) and kept | held == set(whole.texts)
        counts = Counter(label_of[text] for text in held)
        assert counts == {"ham": round(0.2 * ham), "spam": round(0.2 * spam)}
        assert model.predicted[0] == list(model.fitted[0][1].texts)
    assert len({frozenset(model.predicted[0]) for model in trials}) == 1, (
        "every trial is scored on the same rows"
    )


def test_inside_keeps_text_label_and_meta_of_a_row_together() -> None:
    make, made = maker()
    Inside().select(make, rows(20, 10), CLASSES, FORBIDDEN, 2, level, 3)
    held = next(model.fitted[0][1] for model in made if model.fitted and model.fitted[0][1] is not None)
    for text, source, label in zip(held.texts, held.meta["source"], held.labels, strict=True):
        assert text == f"text {source}" and label == ("ham" if int(str(source)[1:]) < 20 else "spam")


def test_inside_refits_on_every_row_with_the_settings_and_steps_that_won() -> None:
    make, made = maker(early=True)
    whole = rows(20, 10)
    tuned = [settings for settings in trial_settings(SPACE, 6, 1) if settings.get("C") not in (10.0, 100.0)]
    best = tuned[-1]

    def measure(labels: Sequence[str], probabilities: object) -> tuple[float, ...]:
        return (1.0,) if {k: v for k, v in made[-1].settings.items() if k != "steps"} == best else (0.0,)

    found = Inside().select(make, whole, CLASSES, FORBIDDEN, 6, measure, 1)
    assert found.settings == {**best, "steps": 7}
    final = found.model
    assert final is made[-1] and final.settings == {**best, "steps": 7}
    assert final.fitted == [(list(whole.texts), None)] and final.labels == list(whole.labels)
    assert len(found.trials) == 6


def test_with_one_trial_only_a_model_that_stops_early_holds_rows_out() -> None:
    make, made = maker()
    assert Inside().select(make, rows(20, 10), CLASSES, FORBIDDEN, 1, level, 0).trials == []
    assert fits(made) == [list(rows(20, 10).texts)]
    make, made = maker(early=True)
    found = Inside().select(make, rows(20, 10), CLASSES, FORBIDDEN, 1, level, 0)
    assert [len(texts) for texts in fits(made)] == [24, 30] and found.settings == {"steps": 7}


@pytest.mark.parametrize(("spam", "searched"), [(4, False), (5, True)])
def test_under_five_rows_of_a_class_there_is_no_search(spam: int, searched: bool) -> None:
    make, made = maker(early=True)
    found = Inside().select(make, rows(30, spam), CLASSES, FORBIDDEN, 4, level, 0)
    assert bool(found.trials) is searched
    if not searched:
        assert fits(made) == [list(rows(30, spam).texts)] and made[-1].settings == {} == found.settings


def test_the_default_is_the_first_trial_and_wins_a_tie() -> None:
    make, _ = maker()
    found = Inside().select(make, rows(20, 10), CLASSES, FORBIDDEN, 5, level, 0)
    assert found.trials[0]["settings"] == {} == found.settings
    make, made = maker()
    later = fit_trials(
        make, rows(4, 4), CLASSES, rows(2, 2, "v"), 3, lambda *_: (1.0 if made[-1].settings else 0.0,), 2
    )
    assert later[1] == later[2][1]["settings"], "among equals the first, here the first after the default"


def test_a_tie_in_the_metric_is_broken_by_what_follows_it() -> None:
    make, made = maker(space={"C": [0.1, 1.0]})
    scores = {(): (0.8, -0.5), (0.1,): (0.8, -0.2), (1.0,): (0.8, -0.3)}
    found = fit_trials(
        make, rows(4, 4), CLASSES, rows(2, 2, "v"), 3, lambda *_: scores[tuple(made[-1].settings.values())], 0
    )
    assert found[1] == {"C": 0.1}


@pytest.mark.parametrize(("bad", "why"), [(100.0, "loss is nan"), (10.0, "not finite")])
def test_a_trial_that_diverges_costs_its_place_in_the_budget(bad: float, why: str) -> None:
    make, made = maker(space={"C": [bad]})
    _, settings, log = fit_trials(make, rows(4, 4), CLASSES, rows(2, 2, "v"), 2, level, 0)
    assert settings == {} and len(log) == 2 and log[1]["settings"] == {"C": bad}
    assert why in log[1]["failed"] and "score" not in log[1]
    assert len([model for model in made if model.fitted or model.settings]) == 2, "no trial in its stead"


def test_all_trials_diverging_is_an_error() -> None:
    make, _ = maker()
    always = {"C": 100.0}
    with pytest.raises(FloatingPointError, match="all 2 tuning trials diverged: loss is nan"):
        fit_trials(lambda s: make({**s, **always}), rows(4, 4), CLASSES, rows(2, 2, "v"), 2, level, 0)


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_trials_are_the_default_then_distinct_settings_of_the_space(budget: int, seed: int) -> None:
    trials = trial_settings(SPACE, budget, seed)
    assert trials == trial_settings(dict(reversed(SPACE.items())), budget, seed), (
        "whatever the order of names"
    )
    assert trials[0] == {} and len(trials) <= budget
    assert len({tuple(sorted(trial.items())) for trial in trials}) == len(trials)
    assert all(trial[name] in values for trial in trials[1:] for name, values in SPACE.items())
    assert trials == trial_settings(SPACE, budget + 5, seed)[: len(trials)], (
        "a larger budget adds to a smaller"
    )


def test_seeds_draw_different_trials_and_a_small_space_ends_them() -> None:
    assert len({str(trial_settings(SPACE, 4, seed)) for seed in range(20)}) > 15
    assert len(trial_settings({"C": [1, 2]}, 50, 0)) == 3
    assert trial_settings({}, 5, 0) == [{}]


def test_shared_fits_on_all_rows_scores_on_the_select_half_and_counts_it() -> None:
    make, made = maker(space={"C": [0.1, 1.0]})
    whole, select = rows(20, 10), rows(6, 3, "s")

    def measure(labels: Sequence[str], probabilities: object) -> tuple[float, ...]:
        assert list(labels) == list(select.labels)
        return (float(made[-1].settings.get("C", 0.0) == 1.0),)

    found = Shared().select(make, whole, CLASSES, select, 3, measure, 0)
    assert all(texts == list(whole.texts) for texts in fits(made)) and len(fits(made)) == 3
    assert all(model.predicted in ([], [list(select.texts)]) for model in made)
    assert found.settings == {"C": 1.0} and found.model.settings == {"C": 1.0}, (
        "the winner is kept, not refitted"
    )
    assert Shared().labels_read(select, True) == 9 and Shared().labels_read(select, False) == 0


def test_shared_without_a_select_half_is_refused() -> None:
    with pytest.raises(BadInput, match="selection=inside"):
        Shared().select(maker()[0], rows(5, 5), CLASSES, rows(0, 0), 2, level, 0)


def test_a_rule_is_found_by_name_and_a_wrong_name_lists_them() -> None:
    assert isinstance(rule_named("inside"), Inside) and isinstance(rule_named("shared"), Shared)
    with pytest.raises(BadInput, match="'inside', 'shared'"):
        rule_named("outside")


class Together(Spy):
    """A Spy that fits its trials at once, as a model that shares work among them does."""

    def fit_each(self, trials, rows, classes, validation):
        yield from list(one_by_one(trials, rows, classes, validation))


@pytest.mark.parametrize("rule", [Inside(), Shared()], ids=["inside", "shared"])
@pytest.mark.parametrize("seed", range(6))
def test_fitting_trials_together_or_one_by_one_selects_the_same(rule: Inside | Shared, seed: int) -> None:
    found = []
    for kind in (Spy, Together):

        def make(settings: Mapping[str, object], kind: type[Spy] = kind) -> Spy:
            return kind(settings, False, SPACE)

        by_settings = rule.select(make, rows(20, 10), CLASSES, rows(6, 6, "s"), 6, level, seed)
        found.append((by_settings.settings, by_settings.trials))
    assert found[0] == found[1] and len(found[0][1]) == 6


def test_one_by_one_fits_a_trial_only_when_its_turn_comes_and_outlives_one_that_diverges() -> None:
    made: list[float] = []

    def trials() -> Iterator[Spy]:
        for C in (0.1, 100.0, 1.0):
            made.append(C)
            yield Spy({"C": C}, False, SPACE)

    outcomes = []
    for model, outcome in one_by_one(trials(), rows(4, 4), CLASSES, rows(2, 2, "v")):
        assert made[-1] == model.settings["C"]
        outcomes.append(str(outcome) if isinstance(outcome, FloatingPointError) else outcome.shape)
    assert outcomes == [(4, 2), "loss is nan", (4, 2)]
