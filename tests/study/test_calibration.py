"""The calibration study tells apart a calibrated model, one to recalibrate and one with a bump."""

import json
from pathlib import Path

import numpy as np
import pytest
from handmade import COST
from toy import CARD, bayes, logistic, toy_store

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.launch.in_process import InProcess
from crossover.measure.calibration_bump import GlobalScan, LocalScan
from crossover.measure.calibration_map import softmax
from crossover.measure.predictions import Predictions
from crossover.record.run_record import RunRecord
from crossover.split.split import Split
from crossover.study.calibration import CalibrationStudy
from crossover.study.calibration_arm import corrected, finding, in_first_half
from crossover.study.study import run, study_name

CLASSES = ("bad", "good", "odd")
ARMS = {"tfidf": logistic(), "bayes": bayes()}
PARTS = {"train": 200, "select": 50, "calibrate": 1_200, "test": 2_400}


class World:
    """A corpus whose rows have known probabilities; with a bump, rows of one word are "good" more often."""

    def __init__(self, bump: float = 0.0, groups: bool = False) -> None:
        draw, rows = np.random.default_rng(6), sum(PARTS.values())
        self.p = softmax(1.6 * draw.standard_normal((rows, 3)))
        odd = (self.p[:, 1] > 0.4) & (self.p[:, 1] < 0.65)
        truth = self.p.copy()
        truth[odd] *= 1.0 - bump
        truth[odd, 1] += bump
        gold = (draw.random(rows)[:, None] > np.cumsum(truth, axis=1)).sum(axis=1).clip(0, 2)
        words = ["lunch", "agenda", "report", "budget", "notes"]
        texts = [
            f"{' '.join(draw.choice(words, 4))} {'invoice' if own else 'memo'} {k}"
            for k, own in enumerate(odd)
        ]
        meta = {"region": ("category", ["north" if k % 2 else "south" for k in range(rows)])}
        ids = [f"row{k}" for k in range(rows)]
        self.corpus = Corpus.from_columns("toy", texts, [CLASSES[k] for k in gold], CARD, ids, meta)
        cuts = np.cumsum([0, *PARTS.values()])
        parts = {name: tuple(ids[a:b]) for name, a, b in zip(PARTS, cuts[:-1], cuts[1:], strict=True)}
        twins = {id_: ids[k - k % 2] for k, id_ in enumerate(ids)} if groups else {}
        self.split = Split(self.corpus.fingerprint, parts, twins)

    def record(self, spec, sharpened: float = 1.0, parts=tuple(PARTS)) -> RunRecord:
        said = softmax(sharpened * np.log(self.p))
        ids = [id_ for part in parts for id_ in self.split.parts[part]]
        rows = [self.corpus.row_of[id_] for id_ in ids]
        names = tuple(part for part in parts for _ in self.split.parts[part])
        gold = tuple(str(self.corpus.labels[row]) for row in rows)
        record = RunRecord(spec, {}, {**COST, "labels": 200.0}, "0" * 64)
        record.__dict__["predictions"] = Predictions(tuple(ids), names, gold, CLASSES, said[rows])
        return record

    def study(self, **settings) -> CalibrationStudy:
        return CalibrationStudy(self.corpus, self.split, **{"arms": ARMS, "simulations": 99, **settings})

    def verdict(self, study: CalibrationStudy, **of_arm: float):
        specs = {spec.model.name: spec for spec in study.plan({})}
        names = {"tfidf": "logistic_regression", "bayes": "naive_bayes"}
        made = {arm: self.record(specs[names[arm]], sharp) for arm, sharp in of_arm.items()}
        return study.conclude({record.digest: record for record in made.values()})


@pytest.fixture(scope="module")
def plain() -> World:
    return World()


@pytest.fixture(scope="module")
def bumped() -> World:
    return World(0.6)


def test_a_calibrated_arm_and_one_to_recalibrate_are_told_apart(plain: World) -> None:
    verdict = plain.verdict(plain.study(), tfidf=1.0, bayes=2.5)
    arms = verdict.numbers["arms"]
    assert (arms["tfidf"]["finding"], arms["bayes"]["finding"]) == ("not_shown", "recalibrate")
    assert verdict.kind == "recalibrate"
    assert verdict.sentence.startswith(
        "On toy, bayes is miscalibrated as a whole (P = 0.020) and not in one place"
    )
    assert verdict.sentence.endswith(" (each P by Holm's correction over 2 arms).")
    scans = {(row["arm"], row["scan"]): row for row in verdict.numbers["tables"]["scans"]}
    assert scans["bayes", "global"]["p_value"] == 0.01 and scans["bayes", "global"]["holm_p"] == 0.02
    assert scans["bayes", "confirmation"]["holm_p"] is None
    assert ": recalibrate (" in verdict.sentence and "no miscalibration of tfidf is shown" in verdict.sentence
    assert "lurk" not in verdict.sentence and arms["bayes"]["bump"] is None
    rows = {row["recalibration"]: row for row in arms["bayes"]["recalibration"]}
    assert list(rows) == ["none", "temperature", "vector", "platt", "isotonic", "beta"]
    for name in ("temperature", "vector", "beta"):
        assert (
            rows[name]["log_loss_change_high"] < 0 and rows[name]["smooth_ece"] < rows["none"]["smooth_ece"]
        )
    assert rows["temperature"]["accuracy_change"] == 0
    assert sum(row.get("recommended") is True for row in rows.values()) == 1


def test_a_bump_is_named_with_its_range_rows_words_and_candidates(bumped: World) -> None:
    verdict = bumped.verdict(bumped.study(), tfidf=1.0)
    arm = verdict.numbers["arms"]["tfidf"]
    assert (verdict.kind, arm["finding"]) == ("local", "local")
    told = arm["local"]["confirmed"]
    assert (
        f"tfidf is miscalibrated locally in [{told['low']:.2f}, {told['high']:.2f}] of class good"
        in verdict.sentence
    )
    assert "candidates: a missing feature or class, label noise, shift, regularisation" in verdict.sentence
    assert 'set apart by "invoice"' in verdict.sentence
    assert told["low"] == pytest.approx(0.4, abs=0.06) and told["high"] == pytest.approx(0.65, abs=0.06)
    assert told["observed"] > told["expected"] + 0.1
    bump = arm["bump"]
    assert bump["rows_inside"] == told["rows"] + arm["local"]["located"]["rows"] >= len(bump["rows"]) > 5
    for row in bump["rows"]:
        at = bumped.corpus.row_of[row["id"]]
        assert row["id"] in bumped.split.test and told["low"] <= row["probability"] <= told["high"]
        assert (row["text"], row["gold"]) == (bumped.corpus.texts[at], bumped.corpus.labels[at])
        assert row["unexpected"] == (row["gold"] == "good")
        assert (row["half"] == "located") == in_first_half(row["id"])
    assert {"invoice"} == {t["trait"] for t in bump["traits"] if t["confirmed"] and t["kind"] == "word"}
    assert [c["candidate"] for c in bump["candidates"]] == [
        "a missing feature or class", "label noise", "shift", "regularisation"
    ]  # fmt: skip
    assert '"invoice"' in bump["candidates"][0]["here"]


def test_what_is_fitted_on_calibrate_reads_no_test_label(plain: World) -> None:
    study = plain.study(arms={"bayes": bayes()})
    record = plain.record(study.plan({})[0], 2.0)
    one = study.conclude({record.digest: record}).numbers["arms"]["bayes"]
    assert (one["calibrate_rows"], one["labels"], one["labels_with_recalibration"]) == (1_200, 200, 1_400)
    twin = plain.record(study.plan({})[0], 2.0)
    seen = twin.predictions
    turned = tuple(
        {"bad": "good", "good": "odd", "odd": "bad"}[gold] if part == "test" else gold
        for gold, part in zip(seen.gold, seen.parts, strict=True)
    )
    twin.__dict__["predictions"] = Predictions(seen.ids, seen.parts, turned, seen.classes, seen.probabilities)
    other = study.conclude({twin.digest: twin}).numbers["arms"]["bayes"]
    assert other["local"]["map"] == one["local"]["map"] and other["recommended"] == one["recommended"]
    assert (
        other["calibration"]["scores"]["log_loss"]["value"]
        > one["calibration"]["scores"]["log_loss"]["value"]
    )


def test_copies_of_a_row_count_once_in_the_scans() -> None:
    world = World(groups=True)
    verdict = world.verdict(world.study(), tfidf=1.0)
    arm = verdict.numbers["arms"]["tfidf"]
    assert arm["global"]["rows"] == arm["local"]["rows"] == 1_200 and arm["local"]["fitted_on"] == 600
    assert arm["calibration"]["independent_rows"] == 1_200 and arm["calibration"]["rows"] == 2_400
    assert any("1,200 of 2,400 test rows share a cluster" in flag for flag in verdict.flags)


def test_without_calibrate_rows_nothing_tells_smooth_from_local(plain: World) -> None:
    study = plain.study(arms={"bayes": bayes()})
    record = plain.record(study.plan({})[0], 2.5, ("train", "test"))
    verdict = study.conclude({record.digest: record})
    assert verdict.kind == "untold" and "no calibrate rows were predicted" in verdict.sentence
    assert "calibrate part" in verdict.next_step
    assert all("reason" in row for row in verdict.numbers["arms"]["bayes"]["recalibration"][1:])
    json.dumps(verdict.to_json(), allow_nan=False)


def test_few_test_rows_are_insufficient_and_say_so(plain: World) -> None:
    study = plain.study(arms={"tfidf": logistic()})
    spec = study.plan({})[0]
    record = plain.record(spec)
    record.__dict__["predictions"] = record.predictions.take([*range(200, 300), *range(1_450, 1_460)])
    verdict = study.conclude({record.digest: record})
    assert verdict.kind == "insufficient" and "10 independent rows" in verdict.sentence
    json.dumps(verdict.to_json(), allow_nan=False)


def test_several_arms_share_one_alarm() -> None:
    assert corrected({"a": 0.03, "b": 0.04, "c": None}) == {"a": 0.06, "b": 0.06, "c": None}
    off, calm = GlobalScan(100, p_value=0.001), GlobalScan(100, p_value=0.001)
    assert finding(off, LocalScan(100, 50, p_value=0.2), 0.001, 0.2) == "recalibrate"
    assert finding(calm, LocalScan(100, 50, p_value=0.001, confirm_p=0.01), 0.2, 0.001) == "not_shown"
    assert finding(off, LocalScan(100, 50, p_value=0.01, confirm_p=0.2), 0.001, 0.01) == "unplaced"
    assert finding(off, LocalScan(100, 50, p_value=0.01, confirm_p=0.05), 0.001, 0.01) == "local"
    assert finding(off, LocalScan(100, 5, reason="few"), 0.001, None) == "untold"


def test_further_seeds_stand_beside_the_first(plain: World) -> None:
    study = plain.study(arms={"bayes": bayes()}, seeds=2)
    first, second = study.plan({})
    records = [plain.record(first), plain.record(second, 1.3)]
    verdict = study.conclude({record.digest: record for record in records})
    values = verdict.numbers["arms"]["bayes"]["over_runs"]["log_loss"]
    assert len(values) == 2 and values[0] != values[1]
    assert values[0] == verdict.numbers["arms"]["bayes"]["calibration"]["scores"]["log_loss"]["value"]
    lost = study.conclude({records[1].digest: records[1]})
    assert any("1 of 2 runs did not finish" in flag for flag in lost.flags)


def test_what_cannot_be_asked_is_refused(plain: World) -> None:
    for wrong, said in (
        ({"arms": {}}, "no arm"), ({"seeds": 0}, "study.seeds=0"), ({"size": 10**6}, "train part has"),
        ({"simulations": 10}, "study.simulations=10"), ({"metric": "beauty"}, "beauty"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=said):
            plain.study(**wrong)


def test_a_whole_study_on_cheap_models(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 600)
    study = CalibrationStudy(corpus, split, ARMS, simulations=99)
    result = run(study, InProcess(), store)
    verdict = result.verdict
    assert not result.failures and len(result.records) == 2 and result.name == study_name(study)
    assert set(verdict.numbers["arms"]) == set(ARMS)
    assert {row["arm"] for row in verdict.numbers["tables"]["calibration"]} == set(ARMS)
    assert all(row["calibrate_rows"] == 60 for row in verdict.numbers["arms"].values())
    assert run(study, InProcess(), store).verdict == verdict
