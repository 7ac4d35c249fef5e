"""The artefact study: planted marks are found, strangers' models are read, clean data is left alone."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy import CARD, bayes, logistic, toy_corpus, toy_split

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.data.flaw.footer import Footer
from crossover.data.flaw.meta_columns import MetaColumns
from crossover.data.flaw.planting import planted
from crossover.launch.in_process import InProcess
from crossover.model.classifier import Classifier
from crossover.model.external import External
from crossover.protocol.component import component
from crossover.record.store import Store
from crossover.split.split import Split
from crossover.study.artifacts import ArtifactsStudy
from crossover.study.artifacts_evidence import Scored, gain, movement, signal
from crossover.study.artifacts_runs import declared_marks, found_marks
from crossover.study.study import Verdict, run

LINE = "think of the trees please"
ARMS = {"model": logistic()}


def marked(strength: float, rows: int = 900) -> tuple[Corpus, Split]:
    """Toy mail; a share of the spam carries a footer."""
    corpus = planted(
        toy_corpus(rows, overlap=0.25), {"footer": Footer(strength=strength, label="spam", line=LINE)}
    )
    return corpus, toy_split(corpus)


def concluded(study: ArtifactsStudy, folder: Path) -> Verdict:
    store = Store(folder)
    store.save_corpus(study.corpus)
    store.save_split(study.split)
    return run(study, InProcess(threads=1), store).verdict


def rows_of(verdict: Verdict, key: str) -> dict[str, dict]:
    name = {"worth": "mark", "remedies": "remedy"}.get(key, "name")
    return {row[name]: row for row in verdict.numbers[key]}  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """A mark in four of five spams, named."""
    corpus, split = marked(0.8)
    study = ArtifactsStudy(corpus, split, ARMS, marks={"trees": LINE}, metric="accuracy")
    return concluded(study, tmp_path_factory.mktemp("named"))


def test_a_named_mark_that_carries_the_score_is_the_verdict_with_and_without(named: Verdict) -> None:
    worth = rows_of(named, "worth")["trees"]
    assert named.kind == "artefact"
    assert worth["with"] > 0.88 and worth["without"] < worth["with"] - 0.1
    assert worth["drop"]["mean"] == pytest.approx(worth["with"] - worth["without"])
    assert worth["drop"]["low"] > 0.05
    said = f"accuracy of model is {worth['with']:.3f} with trees and {worth['without']:.3f} without"
    assert said in named.sentence
    assert worth["right_with"] == worth["carriers"] > worth["right_without"]


def test_declared_looks_widen_every_interval_and_what_must_be_shown_to_alarm(
    named: Verdict, tmp_path: Path
) -> None:
    corpus, split = marked(0.8)
    one = ArtifactsStudy(corpus, split, ARMS, marks={"trees": LINE}, metric="accuracy")
    five = replace(one, looks=5)
    assert "looks" not in one.settings() and five.settings() == one.settings() | {"looks": 5}
    wide = concluded(five, tmp_path)
    assert (named.numbers["level"], wide.numbers["level"]) == (0.95, 0.99)
    for key, name, part in (("worth", "trees", "drop"), ("alone", "length", "nats")):
        before, after = rows_of(named, key)[name][part], rows_of(wide, key)[name][part]
        assert after["low"] < before["low"] < before["high"] < after["high"]
    moved = rows_of(wide, "unmoved")
    assert all(
        moved[name]["high"] > row["high"] and moved[name]["p"] == row["p"]
        for name, row in rows_of(named, "unmoved").items()
        if row["changed"] and row["moved"] < row["changed"]
    )


def test_a_named_mark_that_tells_the_class_alarms_whatever_the_model_makes_of_it(named: Verdict) -> None:
    findings = [f for f in named.numbers["findings"] if f["code"] == "telling-mark"]  # type: ignore[attr-defined]
    told = next(f for f in findings if f["evidence"]["what"] == "trees")
    assert told["severity"] == "warning" and told["evidence"]["kind"] == "named"
    assert told["evidence"]["hits"] == told["evidence"]["carriers"] and "beyond chance" in told["title"]


def test_the_remedies_raise_the_score_where_the_mark_is_gone(named: Verdict) -> None:
    remedies = rows_of(named, "remedies")
    assert set(remedies) == {"mask", "augment", "balance"}
    assert remedies["mask"]["gain"]["low"] > 0 and remedies["augment"]["gain"]["low"] > 0
    # Masked text carries no mark in use either: what the mark brought is lost.
    assert remedies["mask"]["score"] == remedies["mask"]["score_stripped"]
    assert remedies["mask"]["cost"]["high"] < 0
    assert remedies["augment"]["train_rows"] == 2 * remedies["mask"]["train_rows"]
    assert remedies["balance"]["train_rows"] < remedies["mask"]["train_rows"]
    assert "without it the score rises by" in named.next_step


def test_a_mark_nobody_named_is_found_too_good_and_listed(tmp_path: Path) -> None:
    verdict = concluded(ArtifactsStudy(*marked(0.3), ARMS), tmp_path)
    mark = rows_of(verdict, "marks")[LINE]
    assert verdict.kind == "suspect" and LINE in verdict.sentence
    assert mark["kind"] == "line" and mark["alarms"] and mark["class"] == "spam"
    assert mark["test"]["hits"] == mark["test"]["carriers"] > 20
    assert "study.marks" in verdict.next_step


def test_clean_data_alarms_nothing_and_a_reading_that_knows_nothing_gains_nothing(tmp_path: Path) -> None:
    verdict = concluded(ArtifactsStudy(*marked(0.0), ARMS), tmp_path)
    assert verdict.kind in ("clean", "not_resolved")
    assert not [f for f in verdict.numbers["findings"] if f["severity"] == "warning"]  # type: ignore[attr-defined]
    alone = rows_of(verdict, "alone")
    assert alone["order of the file"]["p"] > 0.05 and alone["length"]["nats"]["low"] <= 0
    partial = rows_of(verdict, "partial")
    assert partial["digits only"]["p"] == 1.0, "there is no digit: the prior, and no lead"
    assert partial["words shuffled"]["p"] < 0.001


def test_meta_columns_that_tell_the_class_alarm_unless_they_are_no_suspects(tmp_path: Path) -> None:
    corpus = planted(toy_corpus(800), {"meta_columns": MetaColumns(strength=0.5, label="spam")})
    study = ArtifactsStudy(corpus, toy_split(corpus), ARMS)
    verdict = concluded(study, tmp_path)
    assert verdict.kind == "artefact" and "the declared meta columns alone reach" in verdict.sentence
    # Of the four columns one says nothing; the other three are what the score comes from.
    store = Store(tmp_path)
    records = {spec.digest: store.run(spec.digest) for spec in study.plan({})}
    assert replace(study, suspects=("order",)).conclude(records).kind != "artefact"


def test_an_order_that_was_collected_class_by_class_alarms(tmp_path: Path) -> None:
    plain = toy_corpus(600)
    order = sorted(range(600), key=lambda k: str(plain.labels[k]))
    corpus = Corpus.from_columns(
        "toy", [plain.texts[k] for k in order], [plain.labels[k] for k in order], CARD
    )
    verdict = concluded(ArtifactsStudy(corpus, toy_split(corpus), ARMS), tmp_path)
    assert verdict.kind == "artefact" and "the order of the file alone reaches" in verdict.sentence


def predictions_file(texts: Path, to: Path, predict: Callable[[list[str]], np.ndarray]) -> Path:
    """What an outside system makes of the texts: a csv of text and one probability a class."""
    with open(texts, encoding="utf-8", newline="") as handle:
        read = [row["text"] for row in csv.DictReader(handle)]
    with open(to, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["text", "good", "spam"])
        writer.writerows([text, *row] for text, row in zip(read, predict(read).tolist(), strict=True))
    return to


def by_the_trees(texts: list[str]) -> np.ndarray:
    """A system that looks for the footer, then for a word."""
    spam = np.array([0.99 if LINE in text.lower() else 0.6 if "prize" in text else 0.3 for text in texts])
    return np.column_stack([1 - spam, spam])


def test_a_model_trained_elsewhere_is_read_from_its_predictions_alone(tmp_path: Path) -> None:
    corpus, split = marked(0.8, 600)
    asked = ArtifactsStudy(corpus, split, ARMS, marks={"trees": LINE}, metric="accuracy")
    (tmp_path / "texts.csv").write_bytes(asked.texts_csv())
    file = predictions_file(tmp_path / "texts.csv", tmp_path / "made.csv", by_the_trees)
    stored = component("crossover.model.external.External", External.pin({"path": str(file)}))
    verdict = concluded(replace(asked, arms={"model": stored}), tmp_path / "store")
    worth = rows_of(verdict, "worth")["trees"]
    assert verdict.kind == "artefact" and worth["with"] - worth["without"] > 0.2
    assert {*verdict.numbers} == {*asked.conclude({}).numbers}, "the verdict has the same structure"
    assert verdict.numbers["partial"] == [] == verdict.numbers["remedies"]
    assert any("trained elsewhere" in flag for flag in verdict.flags)
    both = replace(asked, arms={"model": stored, "own": logistic()}, reader="own")
    assert {key[0] for key in both.specs} == {"arm", "alone", "partial", "remedy"}


class Trees(Classifier):
    """A callable of one's own as a classifier: nothing is fitted."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, texts, labels, classes, validation=None, meta=None):
        self._begin(texts, labels, classes)
        return self

    def predict_proba(self, texts, meta=None):
        return by_the_trees(list(texts))

    def state(self):
        return {}, {}

    def restore(self, arrays, plain):
        pass


def test_a_callable_of_an_allowed_package_is_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossover.protocol.component._allowed", ["crossover", "test_artifacts_module"])
    import sys
    import types

    package, module = types.ModuleType("test_artifacts_module"), types.ModuleType("test_artifacts_module.own")
    monkeypatch.setattr(Trees, "__module__", "test_artifacts_module.own")
    module.Trees = Trees  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "test_artifacts_module", package)
    monkeypatch.setitem(sys.modules, "test_artifacts_module.own", module)
    arms = {"model": component("test_artifacts_module.own.Trees"), "own": bayes()}
    corpus, split = marked(0.8, 400)
    study = ArtifactsStudy(corpus, split, arms, reader="own", marks={"trees": LINE}, metric="accuracy")
    assert concluded(study, tmp_path).kind == "artefact"


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("subject", "nobody", "none of the arms"),
        ("marks", {"x": ""}, "is no mark"),
        ("marks", {"x": 3}, "expected a text"),
        ("marks", {"x": "pattern:(a+)+"}, "repeated group"),
        ("marks", {"all found": "x"}, "take another"),
        ("columns", {"number": ["nowhere"]}, "expected columns"),
        ("columns", {"votes": []}, "expected columns"),
        ("suspects", ("mood",), "study.suspects"),
        ("precision", 0.4, "study.precision"),
        ("tolerance", 0.0, "study.tolerance"),
        ("candidates", -1, "study.candidates"),
    ],
)
def test_what_cannot_be_asked_is_refused(setting: str, value: object, message: str) -> None:
    corpus = toy_corpus(200)
    with pytest.raises(BadInput, match=message):
        ArtifactsStudy(corpus, toy_split(corpus), ARMS, **{setting: value})


def test_predictions_stored_elsewhere_cannot_be_the_reader(tmp_path: Path) -> None:
    corpus = toy_corpus(200)
    stored = component("crossover.model.external.External", {"path": "x.csv", "sha256": "0" * 64})
    with pytest.raises(BadInput, match="trained again"):
        ArtifactsStudy(corpus, toy_split(corpus), {"model": stored}, reader="model")


def test_marks_are_named_and_copies_of_one_text_are_no_mark() -> None:
    (mark,) = declared_marks({"drain": ["chest drain", "pattern:tube [0-9]"]})
    assert mark.strip.texts(["a chest drain and tube 7"]) == ["a  and "]
    texts = ["prize == now"] * 60 + [f"word{k} and other" for k in range(140)]
    labels = ["spam"] * 60 + ["spam" if k % 2 else "good" for k in range(140)]
    corpus = Corpus.from_columns("toy", texts, labels, CARD)
    split = toy_split(corpus)
    assert found_marks(corpus, split, 0.95, 5)
    groups = {id_: "copies" for id_, text in zip(corpus.ids, corpus.texts, strict=True) if "==" in text}
    assert not found_marks(corpus, replace(split, groups=groups), 0.95, 5)


def test_a_found_mark_that_is_called_like_a_named_one_is_another_mark() -> None:
    corpus, split = marked(0.5)
    study = ArtifactsStudy(corpus, split, ARMS, marks={LINE: "prize"})
    assert [mark.name for mark in study.stripped] == [LINE, f"{LINE} (2)"]
    assert len({view.words for (kind, _), view in study.views.items() if kind == "mark"}) == 2


def test_a_line_that_looks_like_a_pattern_is_never_one() -> None:
    texts = [
        f"word{k} here\nsee you\npattern:(a+)+" if k % 2 else f"word{k} here\nsee you" for k in range(120)
    ]
    corpus = Corpus.from_columns("toy", texts, ["spam" if k % 2 else "good" for k in range(120)], CARD)
    found = found_marks(corpus, toy_split(corpus), 0.95, 5)
    assert all(not member.startswith("pattern:") for mark in found for member in mark.members)


def test_evidence_by_hand() -> None:
    from crossover.measure.metric.accuracy import Accuracy
    from crossover.measure.predictions import Predictions

    def of(classes: list[int]) -> Predictions:
        table = np.where(np.eye(2)[classes] == 1, 0.9, 0.1)
        ids = tuple(str(k) for k in range(len(classes)))
        return Predictions(ids, ("test",) * 20, tuple("ab"[k] for k in gold), ("a", "b"), table)

    gold, scored = [0] * 10 + [1] * 10, Scored(Accuracy(), {})
    right, worse = of(gold), of([1, 1, 1, 1, *gold[4:]])
    found = gain(scored, right, worse)
    assert found["mean"] == pytest.approx(0.2) and found["p"] == pytest.approx(
        0.5**4
    )  # McNemar is the larger
    assert gain(scored, right, right)["p"] == 1.0
    moved = movement(scored, right, worse, np.arange(20) < 8, 0.05)
    assert (moved["moved"], moved["changed"], moved["rate"]) == (4, 8, 0.5)
    assert moved["directions"] == [{"from": "a", "to": "b", "count": 4}]
    assert signal(scored, right)["p"] < 1e-6 and signal(scored, of([0] * 20))["p"] == 1.0


def test_the_verdict_is_plain_json(named: Verdict) -> None:
    json.dumps(named.to_json(), allow_nan=False)
