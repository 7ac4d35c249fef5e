"""The ablation study: known games recovered, redundancy told, coalitions alike but for their components."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from handmade import handmade
from toy import CARD, bayes, toy_corpus, toy_split, toy_store

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.data.flaw.meta_columns import MetaColumns
from crossover.data.inbox import Inbox
from crossover.launch.in_process import InProcess
from crossover.protocol.component import Component, component
from crossover.record.run_record import RunRecord
from crossover.record.store import Store
from crossover.split.split import Split
from crossover.study.ablation import AblationStudy
from crossover.study.ablation_switch import coalition_model, coalition_title
from crossover.study.compare import CompareStudy
from crossover.study.study import run, study_name

CORPUS = toy_corpus(1_500)
SPLIT = toy_split(CORPUS)
FEATURES = "crossover.model.features."
WORD, SURFACE = f"{FEATURES}word_tfidf.WordTfidf", f"{FEATURES}surface.Surface"
LOGISTIC = "crossover.model.logistic_regression.LogisticRegression"


def model_of(*names: str) -> Component:
    """A logistic regression with a word block of each name."""
    blocks = {name: {"_target_": WORD, "ngram_max": n + 1} for n, name in enumerate(names)}
    return component(LOGISTIC, {"features": blocks})


NAMES = ("copy", "noise", "twin", "useful")
STUDY = AblationStudy(CORPUS, SPLIT, {"model": model_of(*NAMES)}, metric="accuracy")
FINETUNE = component(
    "crossover.model.finetune.Finetune",
    {"encoder": {"_target_": "crossover.model.encoder.encoder.Encoder"}, "max_steps": 3},
)
SETTINGS = {
    "pretrained": {"on": {"pretrained": True}, "off": {"pretrained": False}},
    "frozen": {"on": {"freeze_layers": 2}, "off": {"freeze_layers": 0}},
    "cls": {"on": {"encoder.pooling": "cls"}, "off": {"encoder.pooling": "mean"}},
    "warm": {"on": {"warmup": 0.1}, "off": {"warmup": 0.0}},
    "weights": {"on": {"class_weights": True}, "off": {"class_weights": False}},
}
TUNED = AblationStudy(CORPUS, SPLIT, {"model": FINETUNE}, SETTINGS, design="fraction", size=40)

Game = Callable[[frozenset[str]], float]


def inside(model: Component) -> frozenset[str]:
    return frozenset(model.settings.get("features", {}))


def redundant(names: frozenset[str]) -> float:
    """Useful adds; copy and twin say the same; noise says nothing."""
    return 0.62 + 0.12 * ("useful" in names) + 0.10 * bool(names & {"copy", "twin"})


def concluded(study: AblationStudy, game: Game, draw_sd: float = 0.004, without=lambda spec: False):
    records: dict[str, RunRecord] = {}
    for spec in study.plan({}):
        if not without(spec):
            accuracy = game(inside(spec.model))
            records[spec.digest] = handmade(
                study.corpus, study.split, spec, lambda *_, a=accuracy: a, draw_sd
            )
    return study.conclude(records), records


@pytest.fixture(scope="module")
def told():
    return concluded(STUDY, redundant)


def test_every_coalition_runs_on_the_same_draws_with_the_same_seeds_and_differs_in_its_blocks() -> None:
    specs = STUDY.plan({})
    assert len(specs) == 16 * 5
    by_draw: dict[int, list] = {}
    for spec in specs:
        by_draw.setdefault(spec.subset.draw, []).append(spec)
    for draw, together in by_draw.items():
        assert len({(s.subset, s.seeds, s.budget, s.metric) for s in together}) == 1, draw
        assert {inside(s.model) for s in together} == {
            frozenset(NAMES[k] for k in range(4) if mask >> k & 1) for mask in range(16)
        }
        (prior,) = [s.model for s in together if s.model.name == "majority"]
        assert not inside(prior)
    assert len({s.seeds for s in specs}) == 5, "draws have seeds of their own"
    assert len({s.subset.size for s in specs}) == 1
    assert STUDY.rows == len(SPLIT.train) // 5 and STUDY.overlap == 0


def test_runs_of_the_whole_model_are_those_of_other_studies() -> None:
    other = CompareStudy(
        CORPUS, SPLIT, {"a": model_of(*NAMES), "b": bayes()}, size=60, draws=5, pools=5, metric="accuracy"
    )
    mine = {spec.digest for spec in replace(STUDY, size=60, seeds=3).plan({})}
    assert {spec.digest for draw in range(5) for spec in other.specs("a", draw)} <= mine


def test_redundant_components_matter_though_leaving_one_out_does_not_show_it(told) -> None:
    verdict, _ = told
    rows = verdict.numbers["components"]
    assert verdict.kind == "components_matter"
    assert {name: row["matters"] for name, row in rows.items()} == {
        "copy": "yes", "noise": "not shown", "twin": "yes", "useful": "yes",
    }  # fmt: skip
    for name in ("copy", "twin"):
        assert rows[name]["shapley"]["mean"] == pytest.approx(0.05, abs=0.005)
        assert rows[name]["leave_one_out"]["mean"] == pytest.approx(0, abs=0.005)
        assert rows[name]["add_one"]["mean"] == pytest.approx(0.10, abs=0.01)
    assert rows["useful"]["leave_one_out"]["holm_p"] < 0.05
    covered = verdict.numbers["covered"]
    assert covered["components"] == covered["group"] == ["copy", "twin"]
    assert covered["together"]["mean"] == pytest.approx(0.10, abs=0.01)
    assert "leaving one out does not show copy and twin, for without all of them the model loses" in (
        verdict.sentence
    )
    assert "noise is not shown to matter" in verdict.sentence and "not re-tuned" in verdict.sentence


def test_overlap_is_told_in_the_users_own_numbers(told) -> None:
    verdict, _ = told
    overlap = {name: effect["mean"] for name, effect in verdict.numbers["overlap"].items()}
    assert overlap["gain"] == pytest.approx(0.22, abs=0.01)
    assert overlap["sum_leave_one_out"] == pytest.approx(0.12, abs=0.01), (
        "the shared .10 is claimed by nobody"
    )
    assert overlap["sum_add_one"] == pytest.approx(0.32, abs=0.015), "and here it is counted twice"
    assert overlap["unclaimed"] == pytest.approx(overlap["gain"] - overlap["sum_leave_one_out"])
    assert overlap["counted_twice"] == pytest.approx(overlap["sum_add_one"] - overlap["gain"])
    shapley = [row["shapley"]["mean"] for row in verdict.numbers["components"].values()]
    assert sum(shapley) == pytest.approx(overlap["gain"])
    found = {(pair["left"], pair["right"]): pair for pair in verdict.numbers["interactions"]}
    assert found["copy", "twin"]["found"] == "overlap"
    assert found["copy", "twin"]["interaction"]["high"] < -0.05
    assert [pair for pair, row in found.items() if row["found"] == "reinforce each other"] == []


def test_holm_counts_components_and_pairs(told) -> None:
    verdict, _ = told
    assert verdict.numbers["tests"] == 4 + 6
    for row in verdict.numbers["components"].values():
        effect = row["shapley"]
        assert effect["p"] <= effect["holm_p"] <= min(1.0, 10 * effect["p"])
    smallest = min(
        [row["shapley"] for row in verdict.numbers["components"].values()]
        + [pair["interaction"] for pair in verdict.numbers["interactions"]],
        key=lambda effect: effect["p"],
    )
    assert smallest["holm_p"] == pytest.approx(10 * smallest["p"])


def test_five_draws_establish_no_stability_and_fourteen_do(told) -> None:
    rows = told[0].numbers["components"]
    assert rows["useful"]["stable"]["word"] == "not established"
    assert (rows["useful"]["stable"]["positive"], rows["useful"]["stable"]["draws"]) == (5, 5)
    assert "stability is not established (5 draws; it takes 14 of 14)" in told[0].sentence
    assert "study.draws=14" in told[0].next_step
    two = AblationStudy(CORPUS, SPLIT, {"model": model_of("copy", "useful")}, draws=14, metric="accuracy")
    verdict, _ = concluded(two, redundant)
    assert verdict.numbers["components"]["useful"]["stable"]["word"] == "stable"
    assert "stable over draws: useful and copy" in verdict.sentence


def test_a_component_that_costs_score_is_told_to_hurt() -> None:
    verdict, _ = concluded(STUDY, lambda names: 0.8 - 0.1 * ("noise" in names) + 0.05 * ("useful" in names))
    noise = verdict.numbers["components"]["noise"]
    assert noise["matters"] == "hurts"
    assert "noise (-" in verdict.sentence and "hurts accuracy" in verdict.sentence
    assert verdict.next_step.startswith("Take noise out")


def test_equal_coalitions_show_nothing() -> None:
    verdict, _ = concluded(STUDY, lambda names: 0.75)
    assert verdict.kind == "none_shown" and "no component of model is shown to matter" in verdict.sentence
    assert verdict.numbers["covered"] is None
    assert all(row["matters"] == "not shown" for row in verdict.numbers["components"].values())


def test_components_that_only_add_up_are_not_said_to_stand_in_for_one_another() -> None:
    verdict, _ = concluded(STUDY, lambda names: 0.6 + 0.03 * len(names), draw_sd=0.02)
    rows = verdict.numbers["components"]
    assert {row["matters"] for row in rows.values()} == {"yes"}
    assert verdict.numbers["covered"] is None and "leaving one out" not in verdict.sentence
    for row in rows.values():
        assert row["hidden"]["mean"] == pytest.approx(row["shapley"]["mean"] - row["leave_one_out"]["mean"])


def test_by_a_loss_better_still_means_above_zero() -> None:
    verdict, _ = concluded(replace(STUDY, metric="log_loss"), redundant)
    assert verdict.numbers["components"]["useful"]["matters"] == "yes"
    assert "useful (+0." in verdict.sentence and "points" not in verdict.sentence
    assert "log_loss" not in verdict.numbers["components"]["useful"]


def test_a_fraction_tells_main_and_pair_effects_only() -> None:
    names = tuple("abcde")
    study = AblationStudy(CORPUS, SPLIT, {"model": model_of(*names)}, design="fraction", metric="accuracy")
    assert len(study.plan({})) == 16 * 5

    def game(on: frozenset[str]) -> float:
        return 0.6 + 0.1 * ("a" in on) + 0.06 * ("b" in on) - 0.06 * (on >= {"a", "b"})

    verdict, _ = concluded(study, game)
    rows = verdict.numbers["components"]
    assert rows["a"]["matters"] == "yes" and rows["a"]["main"]["mean"] == pytest.approx(0.07, abs=0.01)
    assert {"shapley", "leave_one_out", "add_one"}.isdisjoint(rows["a"]) and "covered" not in verdict.numbers
    assert "Shapley" not in verdict.sentence and "main effect" in verdict.sentence
    (pair,) = [p for p in verdict.numbers["interactions"] if (p["left"], p["right"]) == ("a", "b")]
    assert pair["found"] == "overlap" and pair["interaction"]["mean"] == pytest.approx(-0.06, abs=0.01)
    assert any("16 of 32 coalitions" in flag for flag in verdict.flags)


def test_settings_of_a_transformer_are_components_like_any_other() -> None:
    specs = TUNED.plan({})
    assert len(specs) == 16 * 5
    for mask, model in TUNED.models.items():
        on = {switch.name for k, switch in enumerate(TUNED.switches) if mask >> k & 1}
        assert model.settings.get("pretrained", True) == ("pretrained" in on)
        assert model.settings.get("freeze_layers", 0) == (2 if "frozen" in on else 0)
        assert model.settings["encoder"].settings.get("pooling", "mean") == ("cls" if "cls" in on else "mean")
        assert model.settings.get("class_weights", False) == ("weights" in on)
        assert model.settings["max_steps"] == 3, "what no component names stays as it is"
    assert coalition_title(TUNED.switches, 0b00011) == "cls + frozen"
    none = coalition_model(FINETUNE, TUNED.switches, 0)
    assert none.name == "finetune", "with every setting off it is still that model, not the class prior"


def test_yaml_reads_on_and_off_as_true_and_false_and_so_may_we() -> None:
    turned = {name: {"True": sides["on"], "False": sides["off"]} for name, sides in SETTINGS.items()}
    assert study_name(replace(TUNED, components=turned)) == study_name(TUNED)


def test_impossible_coalitions_are_not_run_and_their_contrasts_not_told() -> None:
    study = replace(STUDY, impossible=[{"on": ["copy"], "off": ["twin"]}])
    assert len(study.plan({})) == 12 * 5
    assert not [s for s in study.plan({}) if "copy" in inside(s.model) and "twin" not in inside(s.model)]
    verdict, _ = concluded(study, redundant)
    rows = verdict.numbers["components"]
    assert rows["twin"]["leave_one_out"] is None and rows["copy"]["add_one"] is None
    assert rows["copy"]["shapley"]["mean"] == pytest.approx(0, abs=0.01), "it always comes after its twin"
    assert rows["twin"]["shapley"]["mean"] == pytest.approx(0.10, abs=0.01)
    assert verdict.numbers["overlap"]["sum_leave_one_out"] is None
    json.dumps(verdict.to_json(), allow_nan=False)


def test_lost_runs_are_told_and_cost_only_what_needs_them(told) -> None:
    whole = STUDY._whole
    verdict, _ = concluded(STUDY, redundant, without=lambda s: s.model == whole)
    assert verdict.kind == "too_few_runs" and "nothing can be said" in verdict.sentence
    assert any(flag.startswith("model: 5 of 5 runs did not finish") for flag in verdict.flags)
    one = next(s for s in STUDY.plan({}) if inside(s.model) == {"copy", "noise"})
    verdict, _ = concluded(STUDY, redundant, without=lambda s: s.digest == one.digest)
    assert any("its coalitions: 1 of 75 runs did not finish" in flag for flag in verdict.flags)
    rows = verdict.numbers["components"]
    assert rows["useful"]["shapley"]["n_draws"] == 4 and rows["useful"]["leave_one_out"]["n_draws"] == 5
    always = inside(one.model)
    verdict, _ = concluded(STUDY, redundant, without=lambda s: inside(s.model) == always)
    assert any(
        "no run at all of copy + noise" in flag and "study.impossible" in flag for flag in verdict.flags
    )
    assert verdict.numbers["components"]["useful"]["matters"] == "not estimated"
    assert verdict.numbers["components"]["useful"]["leave_one_out"]["mean"] == pytest.approx(0.12, abs=0.01)


def test_draws_over_half_the_pool_are_exploratory_and_shared_rows_forbid_stability() -> None:
    big = replace(STUDY, size=int(0.6 * len(SPLIT.train)))
    verdict, _ = concluded(big, redundant)
    assert verdict.kind == "exploratory" and "not a verdict" in verdict.sentence
    some = replace(STUDY, size=int(0.3 * len(SPLIT.train)), draws=14, pools=None)
    names = {"model": model_of("copy", "useful")}
    verdict, _ = concluded(replace(some, arms=names), redundant)
    stable = verdict.numbers["components"]["useful"]["stable"]
    assert (stable["positive"], stable["draws"], stable["word"]) == (14, 14, "not established")
    assert any("draws share training rows" in flag for flag in verdict.flags)


def test_a_metric_that_is_undefined_on_the_test_rows_is_said_so() -> None:
    goods = [id_ for id_ in SPLIT.test if CORPUS.labels[CORPUS.row_of[id_]] == "good"]
    split = Split(CORPUS.fingerprint, {**SPLIT.parts, "test": tuple(goods)})
    study = AblationStudy(CORPUS, split, {"model": model_of("copy", "useful")}, metric="mcc", draws=2)
    verdict, _ = concluded(study, redundant)
    assert verdict.kind == "undefined" and "mcc is undefined on these" in verdict.sentence
    assert verdict.sentence.endswith(".") and not verdict.sentence.endswith("..")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": {"a": bayes(), "b": bayes()}}, r"names \['a', 'b'\]; an ablation takes one model apart"),
        ({"arms": {"model": bayes()}}, "naive_bayes names no feature blocks to ablate"),
        ({"arms": {"model": model_of("word")}}, r"1 component\(s\) to ablate: expected 2 to 8"),
        ({"draws": 1}, "at least 2 draws"),
        ({"pools": 3}, "expected a pool for each draw"),
        ({"size": 10_000}, "size=10000, the train part has 600 rows: a draw takes at least one"),
        ({"design": "half"}, "expected one of full, fraction"),
        ({"design": "fraction"}, "fraction of 4 components: expected 5 to 8"),
        ({"metric": "macrof1"}, "did you mean 'macro_f1'"),
        ({"impossible": [{"on": ["copi"]}]}, "names 'copi'; the components are"),
        ({"impossible": [{"on": list(NAMES)}]}, "excludes the whole model"),
        ({"impossible": [{}]}, "names no component and would exclude every run"),
        ({"impossible": ["copy"]}, "expected .{on: .NAME"),
        ({"components": {"c": {"on": {"C": 1}}, "d": {"on": {"C": 2}}}}, "both set 'C'"),
        ({"components": {"c": {"on": {"C": 100}}, "d": {"on": {"tol": 0.1}}}}, "'c' changes nothing"),
        ({"components": {"c": {"on": {"D": 1.0}}, "d": {"on": {"tol": 0.1}}}}, "has no setting 'D'"),
        ({"components": {"c": {"yes": {"C": 1.0}}}}, "expected {on: {setting: value}, off"),
        ({"components": {"c": {"on": 3}}}, r"components.c.on=3: expected \{setting: value\}"),
        ({"components": {"c": {"off": {"features.x": None}}, "d": {"on": {"C": 2}}}}, "holds no 'x'"),
        ({"components": {"c": {"off": {"C.x": 1}}, "d": {"on": {"tol": 0.1}}}}, "C=None has no settings"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_to_do(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        replace(STUDY, **change)


def test_the_name_follows_design_and_components_and_not_their_order() -> None:
    five = replace(STUDY, arms={"model": model_of(*"abcde")})
    assert study_name(five) != study_name(replace(five, design="fraction"))
    turned = component(
        LOGISTIC, {"features": dict(reversed(STUDY.arms["model"].settings["features"].items()))}
    )
    assert study_name(replace(STUDY, arms={"model": turned})) == study_name(STUDY)
    backwards = replace(TUNED, components=dict(reversed(SETTINGS.items())))
    assert study_name(backwards) == study_name(TUNED)
    assert [s.digest for s in backwards.plan({})] == [s.digest for s in TUNED.plan({})]
    other = {**SETTINGS, "warm": {"on": {"warmup": 0.1}, "off": {"warmup": 0.05}}}
    assert study_name(replace(TUNED, components=other)) != study_name(TUNED)


def test_a_block_set_to_null_is_no_component() -> None:
    blocks = {**model_of(*NAMES).settings["features"], "noise": None}
    study = replace(STUDY, arms={"model": component(LOGISTIC, {"features": blocks})})
    assert [switch.name for switch in study.switches] == ["copy", "twin", "useful"]
    assert len(study.plan({})) == 8 * 5


def planted(folder: Path, rows: int = 900) -> tuple[Store, AblationStudy]:
    """An inbox with planted number columns as blocks named by their roles, but for the useful one."""
    corpus = Inbox(rows, flaw={"columns": MetaColumns(strength=1.0, label="phishing")}).load()
    roles = corpus.truth.details("columns")
    assert sorted(roles.values()) == ["noise", "redundant", "redundant", "useful"]
    split = toy_split(corpus)
    store = Store(folder)
    store.save_corpus(corpus)
    store.save_split(split)
    blocks = {}
    for column, role in sorted(roles.items()):
        if role != "useful":
            name = f"{role}_{1 + sum(key.startswith(role) for key in blocks)}"
            blocks[name] = {"_target_": f"{FEATURES}declared_meta.DeclaredMeta", "number": [column]}
    model = component(LOGISTIC, {"features": blocks, "C": 1.0})
    return store, AblationStudy(corpus, split, {"model": model}, metric="log_loss")


def test_planted_redundant_columns_are_found_by_real_runs(tmp_path: Path) -> None:
    store, study = planted(tmp_path)
    result = run(study, InProcess(threads=1), store)
    assert not result.failures and len(result.records) == 8 * 5
    rows = result.verdict.numbers["components"]
    assert rows["redundant_1"]["matters"] == rows["redundant_2"]["matters"] == "yes"
    assert rows["noise_1"]["matters"] != "yes"
    assert result.verdict.numbers["covered"]["group"] == ["redundant_1", "redundant_2"]
    (pair,) = [p for p in result.verdict.numbers["interactions"] if "noise_1" not in (p["left"], p["right"])]
    assert pair["found"] == "overlap"
    again = run(replace(study), InProcess(threads=1), store)
    assert again.verdict == result.verdict


def test_identical_texts_end_in_no_effect_and_one_class_in_a_reason(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 200)
    blocks = {"word": {"_target_": WORD}, "surface": {"_target_": SURFACE}}
    arms = {"model": component(LOGISTIC, {"features": blocks})}
    for texts, labels in ((["same text"] * 200, list(corpus.labels)), (list(corpus.texts), None)):
        if labels is None:
            train = set(split.train)
            labels = [
                "good" if id_ in train else label
                for id_, label in zip(corpus.ids, corpus.labels, strict=True)
            ]
        made = Corpus.from_columns("odd", texts, labels, CARD)
        parts = {part: [made.ids[corpus.row_of[id_]] for id_ in ids] for part, ids in split.parts.items()}
        cut = Split(made.fingerprint, {part: tuple(ids) for part, ids in parts.items()})
        store.save_corpus(made)
        store.save_split(cut)
        result = run(AblationStudy(made, cut, arms, draws=2, metric="accuracy"), InProcess(threads=1), store)
        json.dumps(result.verdict.to_json(), allow_nan=False)
        if texts[0] == texts[1]:
            assert not result.failures and result.verdict.kind == "none_shown"
            effects = [row["shapley"]["mean"] for row in result.verdict.numbers["components"].values()]
            assert effects == [0, 0]
        else:
            assert result.verdict.kind == "too_few_runs" and len(result.failures) == 6
            assert "hold only the class 'good'" in result.failures[0].error


def test_a_transformer_is_taken_apart_by_real_runs(tmp_path: Path, tiny_model: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 200)
    encoder = {
        "_target_": "crossover.model.encoder.encoder.Encoder",
        "name": str(tiny_model),
        "max_length": 32,
    }
    model = component("crossover.model.finetune.Finetune", {"encoder": encoder, "max_steps": 2})
    switches = {
        "decay": {"on": {"layer_decay": 0.5}, "off": {"layer_decay": 1.0}},
        "cls": {"on": {"encoder.pooling": "cls"}, "off": {"encoder.pooling": "mean"}},
    }
    study = AblationStudy(
        corpus, split, {"model": model}, switches, draws=2, size=20, metric="log_loss", test_rows=20
    )
    result = run(study, InProcess(device="cpu", threads=1), store)
    assert not result.failures and len(result.records) == 8
    losses = {record.scores["log_loss"].value for record in result.records.values()}
    assert len(losses) == 8, "every coalition is another model on every draw"
    assert {row["shapley"]["n_draws"] for row in result.verdict.numbers["components"].values()} == {2}
