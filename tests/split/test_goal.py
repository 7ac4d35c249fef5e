"""A stated goal that the split contradicts is an error with the exact remedy; none stated is said."""

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.look.finding import Finding
from crossover.split.audit import audit
from crossover.split.goal import goal_named
from crossover.split.grouped import Grouped
from crossover.split.recommended import recommended
from crossover.split.split import Split, Splitter
from crossover.split.stratified import Stratified
from crossover.split.temporal import Temporal

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
WORDS = ["apple", "river", "stone", "cloud", "lamp", "chair", "paper", "horse", "bread", "glass", "snow"]


def mail(times: bool = True) -> Corpus:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 12)) for _ in range(200)]
    texts[150:] = [f"{text} again" for text in texts[:50]]
    meta: dict = {"sender": ("group", [f"s{k % 40}" for k in range(200)])}
    if times:
        meta["date"] = (
            "time",
            [f"2024-{1 + k // 28:02d}-{1 + k % 28:02d}T00:00:00+00:00" for k in range(200)],
        )
    return Corpus.from_columns("mail", texts, ["a", "b", "b", "a"] * 50, CARD, meta=meta)


MAIL = mail()


def told(goal: str | None, split: Split, corpus: Corpus = MAIL) -> Finding:
    found = [f for f in audit(corpus, split, goal=goal) if f.code in ("goal", "goal-contradicted")]
    assert len(found) == 1
    return found[0]


RANDOM = Stratified(group_duplicates="none").split(MAIL)
SPLITS: dict[str, Splitter] = {
    "later": Temporal("date"),
    "new:sender": Grouped(["sender"], tolerance=0.5),
    "new": Grouped([]),
    "same": Stratified(),
}
REMEDIES = {
    "later": "split=temporal split.time=date",
    "new:sender": "split=grouped 'split.by=[sender]'",
    "new": "split=grouped 'split.by=[]'",
}


@pytest.mark.parametrize("goal", REMEDIES)
def test_a_random_split_contradicts_it_and_the_remedy_serves_it(goal: str) -> None:
    found = told(goal, RANDOM)
    assert found.severity == "error" and found.remedy == REMEDIES[goal]
    assert told(goal, SPLITS[goal].split(MAIL)).severity == "info"


def test_more_rows_like_these_need_no_more_than_a_random_split() -> None:
    assert told("same", RANDOM).code == "goal"
    later = told("same", SPLITS["later"].split(MAIL))
    assert later.severity == "warning" and later.remedy == "split=stratified"
    assert told("same", SPLITS["new"].split(MAIL)).code == "goal", "grouped by copies alone is no other goal"


def test_without_times_nothing_can_be_called_later() -> None:
    corpus = mail(times=False)
    found = told("later", Stratified().split(corpus), corpus)
    assert found.severity == "error" and "'+data.meta={COLUMN: time}'" in found.remedy


def test_no_goal_is_said_and_is_no_alarm() -> None:
    found = told(None, RANDOM)
    assert found.severity == "info" and "goal=later" in found.remedy


@pytest.mark.parametrize("stated", ["tomorrow", "new:", "later:date", "New", ""])
def test_a_goal_that_is_none_is_refused(stated: str) -> None:
    with pytest.raises(BadInput, match="expected later"):
        goal_named(stated)


def test_a_goal_about_a_column_that_is_not_declared_is_refused() -> None:
    with pytest.raises(BadInput, match="declares no meta column 'author'"):
        audit(MAIL, RANDOM, kinds=[], goal="new:author")


@pytest.mark.parametrize("goal", SPLITS)
def test_what_is_recommended_is_a_yaml_that_makes_a_split_which_serves_the_goal(goal: str) -> None:
    import yaml

    from crossover.protocol.component import build, component

    stated = goal_named(goal)
    assert stated is not None
    wide = Stratified(test=0.25, seed=3, tolerance=0.5).split(MAIL)
    best = recommended(stated, MAIL, wide)
    plain = yaml.safe_load(best.yaml)
    made = build(component(plain.pop("_target_"), plain))
    split = made.split(MAIL)  # type: ignore[attr-defined]
    assert told(goal, split).severity == "info"
    assert best.overrides.startswith("split=") and "split.test=0.25" in best.overrides
    assert split.recipe["settings"]["seed"] == 3  # type: ignore[index]


def test_groups_too_large_for_the_sizes_asked_raise_the_tolerance_of_what_is_recommended() -> None:
    boxes = ["one"] * 90 + ["two"] * 60 + ["three"] * 50
    corpus = Corpus.from_columns(
        "mail",
        MAIL.texts,
        MAIL.labels,
        CARD,
        meta={"box": ("category", boxes), "all": ("category", ["x"] * 200)},
    )
    split, goal, none = Stratified(validation=0.0).split(corpus), goal_named("new:box"), goal_named("new:all")
    assert goal is not None and none is not None
    with pytest.raises(BadInput):
        Grouped(["box"], validation=0.0).split(corpus)
    best = recommended(goal, corpus, split)
    assert "split.tolerance=0.25" in best.overrides and "tolerance: 0.25" in best.yaml
    assert Grouped(["box"], validation=0.0, tolerance=0.25).split(corpus).test
    assert "tolerance" not in recommended(none, corpus, split).overrides, "nothing helps where there is one"
