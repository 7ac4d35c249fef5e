"""The leakage study: a planted leak is priced, a harmless group is not, the goal decides its name."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import answered
from toy import CARD, bayes, logistic, toy_corpus, toy_split

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.launch.in_process import InProcess
from crossover.measure.metric.metric import metric_named
from crossover.record import ledger
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report.study_report import publish
from crossover.split.grouped import Grouped
from crossover.split.split import Split
from crossover.split.stratified import Stratified
from crossover.split.temporal import Temporal
from crossover.study.leakage import LeakageStudy
from crossover.study.leakage_answer import SEEN, repartitions
from crossover.study.study import run, study_name


def mail(rows: int = 400, copied: float = 0.5, memorised: bool = True, seed: int = 0) -> Corpus:
    """Toy mail of which a share is written in groups of four near-copies with words of their own.

    ``memorised``: a group's label is chance, so only its own copies can tell it.
    """
    toy, rng = toy_corpus(rows, seed), np.random.default_rng(seed + 50)
    texts, labels = list(toy.texts), list(toy.labels)
    senders = [f"s{k}" for k in rng.integers(rows // 8, size=rows)]
    for start in range(0, int(copied * rows), 4):
        own = " ".join("".join(rng.choice(LETTERS, 7)) for _ in range(9))
        label = "spam" if rng.random() < 0.4 else "good"
        for row in range(start, start + 4):
            texts[row] = f"{own} {texts[row].split()[0]}"
            labels[row] = label if memorised else labels[row]
    times = [f"20{10 + k % 14}-{1 + k % 12:02d}-{1 + k % 28:02d}T00:00:00+00:00" for k in range(rows)]
    meta = {"sender": ("group", senders), "date": ("time", times)}
    return Corpus.from_columns("mail", texts, labels, CARD, meta=meta)  # type: ignore[arg-type]


LETTERS = list("abcdefghijklmnopqrstuvwxyz")
MAIL = mail()
ARMS = {"plain": bayes(), "rich": logistic()}


def random_split(corpus: Corpus, seed: int = 0) -> Split:
    return Stratified(group_duplicates="none", validation=0.0, seed=seed).split(corpus)


def study_of(corpus: Corpus = MAIL, **changes) -> LeakageStudy:
    settings = {"repartitions": 6, "metric": "accuracy", "resplit": lambda seed: random_split(corpus, seed)}
    return LeakageStudy(corpus, random_split(corpus), **{"arms": ARMS, **settings, **changes})


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    study, store = study_of(), Store(tmp_path_factory.mktemp("leak"))
    store.save_corpus(study.corpus)
    store.save_split(study.split)
    return study, store, run(study, InProcess(threads=1), store)


def test_rows_that_only_their_copies_can_tell_are_priced_at_what_they_are_worth(ran) -> None:
    _, _, result = ran
    arm = result.verdict.numbers["arms"]["rich"]
    assert result.verdict.kind == "leak_costs" and arm["answer"] == "costs"
    right = {row["class"]: row for row in arm["strata"]}
    assert all(row["seen"] > 0.95 for row in right.values())
    unseen = sum(row["unseen"] * row["rows_copied"] for row in right.values())
    assert 0.4 < unseen / sum(row["rows_copied"] for row in right.values()) < 0.7, (
        "no better than the classes"
    )
    assert arm["delta"]["low"] > 0.2
    assert arm["cost"]["mean"] == pytest.approx(arm["share"]["exchanged"] * arm["delta"]["mean"])
    assert arm["control"]["low"] <= 0 <= arm["control"]["high"], "rows without a copy do not change"
    assert arm["cost_log_loss"]["low"] > 0


def test_declared_looks_widen_every_interval_and_rename_the_study(ran) -> None:
    study, _, result = ran
    five = replace(study, looks=5)
    assert "looks" not in study.settings() and five.settings() == study.settings() | {"looks": 5}
    wide = five.conclude(result.records).numbers
    assert (study.level, five.level, wide["level"]) == (0.95, 0.99, 0.99)
    arm, before = wide["arms"]["rich"], result.verdict.numbers["arms"]["rich"]
    assert arm["level"] == pytest.approx(1 - 0.01 / 2)
    for name in ("cost", "delta", "control"):
        assert arm[name]["low"] < before[name]["low"] < before[name]["high"] < arm[name]["high"]


def test_parts_of_a_random_split_are_not_told_apart(ran) -> None:
    apart = ran[2].verdict.numbers["apart"]
    assert set(apart) == {"plain", "rich"} and all(found["holm_p"] > 0.05 for found in apart.values())
    assert "no arm tells train from test" in ran[2].verdict.sentence


def test_what_the_runs_say_is_what_is_concluded_by_hand(ran) -> None:
    study, _, result = ran
    values = []
    for part in repartitions(study, "plain", result.records).values():
        seen, unseen = part.values(metric_named("accuracy"))
        values += (seen - unseen)[part.stands == SEEN].tolist()
        whole = part.recomputed(metric_named("macro_f1"))
        assert whole is not None and whole[0] > whole[1]
    assert result.verdict.numbers["arms"]["plain"]["delta"]["mean"] == pytest.approx(np.mean(values))


def test_the_split_recommended_and_the_page_are_written_and_a_look_is_noted(ran) -> None:
    study, store, result = ran
    mirror = WandbMirror("disabled", "x")
    page = publish(result, study, store, "python scripts/study.py study=leakage", mirror, "new")
    assert "split.grouped.Grouped" in (page.parent / "recommended_split.yaml").read_text(encoding="utf-8")
    verdict = json.loads((page.parent / "verdict.json").read_text(encoding="utf-8"))
    codes = {finding["code"] for finding in verdict["numbers"]["split"]["findings"]}
    assert "goal-contradicted" in codes
    html = page.read_text(encoding="utf-8")
    assert "seen and unseen" in html and "not the cost" in html and "group_duplicates" in html
    assert ledger.looks(store.root, study.split.test_fingerprint) == 1


def test_senders_who_say_nothing_of_the_label_cost_nothing(tmp_path: Path) -> None:
    corpus, store = mail(copied=0.0), Store(tmp_path)
    study = study_of(
        corpus, stratum="group:sender", goal="new:sender", repartitions=4, arms={"plain": bayes()}
    )
    store.save_corpus(corpus)
    store.save_split(study.split)
    verdict = run(study, InProcess(threads=1), store).verdict
    assert verdict.kind == "goal_contradicted", "the split still deals senders to both sides"
    for arm in verdict.numbers["arms"].values():
        assert arm["answer"] in ("no_matter", "not_resolved") and arm["share"]["in_train"] > 0.9
    assert "share their sender with train" in verdict.sentence
    assert "split.by=[sender]" in verdict.next_step


def test_the_goal_decides_what_the_same_figure_is_called() -> None:
    def lead(model: str, size: int) -> float:
        return 0.8

    kinds, names = {}, {}
    for goal in (None, "same", "new", "later"):
        study = study_of(goal=goal, repartitions=2)
        verdict, _, _ = answered(study, lead)
        kinds[goal], names[goal] = verdict.kind, study_name(study)
        assert "goal" in verdict.sentence and verdict.numbers["goal"] == goal
    assert len(set(names.values())) == 4
    assert kinds["new"] == kinds["later"] == "goal_contradicted"
    assert kinds[None] == kinds["same"] == "not_resolved", "made by hand, these predictions know no copies"


def test_a_split_that_keeps_clusters_whole_has_nothing_to_exchange() -> None:
    split = Grouped([], validation=0.0).split(MAIL)
    study = study_of(goal="new", resplit=lambda s: Grouped([], validation=0.0, seed=s).split(MAIL))
    study = replace(study, split=split)
    verdict, _, batches = answered(study, lambda model, size: 0.8)
    assert [len(batch) for batch in batches] == [4], "only the parts are asked about"
    assert verdict.kind == "no_leak" and "no test row has a near-duplicate in train" in verdict.sentence
    assert "Keep this split" in verdict.next_step


def test_a_split_by_time_has_one_test_part_and_says_so() -> None:
    split = Temporal("date", group_duplicates="none", validation=0.0).split(MAIL)
    study = replace(study_of(goal="later"), split=split)
    assert not study.moves and {pair.left.test for pair in study.pairs} == {split.test}
    assert len({pair.left.fingerprint for pair in study.pairs}) == 6
    verdict, _, _ = answered(study, lambda model, size: 0.8)
    assert any("the same test part" in flag for flag in verdict.flags)
    assert verdict.kind != "goal_contradicted"


def test_the_halves_hold_every_row_once_and_cut_no_cluster() -> None:
    study = study_of()
    held = [id_ for half in study.halves for id_ in half.test]
    assert sorted(held) == sorted([*study.split.train, *study.split.test])
    units = [{study.unit_of[id_] for id_ in half.test} for half in study.halves]
    assert not units[0] & units[1]
    assert set(study.parts_corpus.labels) == {"train", "test"}
    assert study.parts_corpus.meta == MAIL.meta


def test_one_cluster_of_all_rows_leaves_nothing_to_ask_and_that_is_said() -> None:
    meta = {"archive": ("group", ["a"] * len(MAIL))}
    corpus = Corpus.from_columns("mail", MAIL.texts, MAIL.labels, CARD, meta=meta)
    study = study_of(corpus, stratum="group:archive", repartitions=2)
    assert not study.halves and not study.plan({})
    verdict = study.conclude({})
    assert verdict.kind == "not_resolved" and "whose cluster can be exchanged" in verdict.sentence
    assert "tells train" not in verdict.sentence and any("told apart" in flag for flag in verdict.flags)


def test_few_declared_groups_are_listed_one_by_one_the_one_that_loses_most_first(tmp_path: Path) -> None:
    toy, rng = toy_corpus(400, 1), np.random.default_rng(6)
    places = [f"place {k}" for k in rng.integers(6, size=400)]
    own = {f"place {k}": "".join(rng.choice(LETTERS, 9)) for k in range(6)}
    texts = [f"{own[p]} {lab}{own[p]}" if p == "place 0" else t
             for p, lab, t in zip(places, toy.labels, toy.texts, strict=True)]  # fmt: skip
    meta = {"place": ("category", places), "one": ("category", [str(k) for k in range(400)])}
    corpus = Corpus.from_columns("mail", texts, toy.labels, CARD, meta=meta)
    store, study = Store(tmp_path), study_of(corpus, stratum="group:place", repartitions=4)
    store.save_corpus(corpus)
    store.save_split(study.split)
    groups = run(study, InProcess(threads=1), store).verdict.numbers["arms"]["rich"]["groups"]
    assert {row["group"] for row in groups} <= set(places) and groups[0]["group"] == "place 0"
    assert groups[0]["seen"] > groups[0]["unseen"] + 0.2, "its label words are its own"
    assert groups[0]["rows"] <= 4 * sum(p == "place 0" for p in places)
    assert study_of(corpus, stratum="near").group_values == {}


def test_copies_that_tie_all_mailboxes_together_leave_the_mailboxes_as_units() -> None:
    rng = np.random.default_rng(4)
    boxes = [f"box {k % 6}" for k in range(len(MAIL))]
    corpus = Corpus.from_columns("mail", MAIL.texts, MAIL.labels, CARD, meta={"box": ("category", boxes)})
    split = random_split(corpus)
    chain = [i for part in ("train", "test") for i in split.parts[part] if rng.random() < 0.1]
    tied = replace(split, groups=dict.fromkeys(chain, chain[0]))
    study = LeakageStudy(corpus, tied, ARMS, stratum="group:box", repartitions=2, metric="accuracy")
    assert study.tied and len(set(study.unit_of.values())) == 6 and study.halves
    assert any("stratum alone" in flag for flag in study.conclude({}).flags)
    assert not replace(study, split=split).tied


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms": {}}, "study.arms is empty"),
        ({"repartitions": 1}, "repartitions from 2 up"),
        ({"margin": 0.0}, "study.margin=0.0"),
        ({"stratum": "close"}, "study.stratum='close'"),
        ({"stratum": "group:author"}, "a declared column"),
        ({"goal": "soon"}, "expected later"),
        ({"goal": "new:author"}, "declares no meta column"),
    ],
)
def test_what_cannot_be_asked_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        LeakageStudy(MAIL, toy_split(MAIL), **{"arms": ARMS, **changes})


def test_a_seed_that_changes_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="1 different cuts of 6"):
        _ = study_of(resplit=lambda seed: random_split(MAIL)).candidates
