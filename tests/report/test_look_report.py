"""A look at every stage: the page and its findings on disk, the log, the mirror; hostile text stays text."""

from __future__ import annotations

import importlib.util
import io
import json
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import html5lib
import pytest
from toy import CARD, bayes, logistic, toy_corpus, toy_split, toy_store

from crossover import experiment
from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.protocol.run_spec import RunSpec
from crossover.record import ledger
from crossover.record.look_log import LookNote, looks_of, note_look
from crossover.record.store import Store
from crossover.record.wandb_mirror import WandbMirror
from crossover.report import look_report
from crossover.report.look_report import Look, look_at
from crossover.report.terminal import print_look
from crossover.split.split import Split

OFF = WandbMirror("disabled")


def _payloads() -> tuple[str, ...]:
    spec = importlib.util.spec_from_file_location("hostile", Path(__file__).parent / "hostile_texts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return tuple(module.PAYLOADS)


def look(store: Store, corpus: Corpus, split: Split | None = None, records: Any = (), **asked: Any) -> Any:
    return look_at(Look(**asked), corpus, split, list(records), store, "python scripts/look.py data=toy", OFF)


def data_of(page: Path) -> dict[str, Any]:
    root = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    (script,) = [s for s in root.iter("script") if s.get("type") == "application/json"]
    return json.loads(script.text)


def column(data: dict[str, Any], title: str) -> list[Any]:
    place = [facet["title"] for facet in data["facets"]].index(title)
    return [row[place] for row in data["rows"]]


def test_a_raw_look_leaves_a_page_its_findings_and_a_note(tmp_path: Path) -> None:
    store, corpus, _ = toy_store(tmp_path, 150)
    report = look(store, corpus)
    assert report.page.parent.parent == tmp_path / "looks" / corpus.fingerprint
    assert {f.name for f in report.page.parent.iterdir()} == {"page.html", "findings.json"}
    found = json.loads((report.page.parent / "findings.json").read_text(encoding="utf-8"))
    assert {f["code"] for f in found["findings"]} >= {"class-balance", "lengths", "duplicates-near"}
    assert sum(row["rows"] for row in found["balance"]) == 150
    for row in found["lengths"]["classes"]:
        assert sum(row["shares"]) == pytest.approx(1)
    data = data_of(report.page)
    assert sorted(column(data, "text")) == sorted(corpus.texts)
    (note,) = looks_of(tmp_path, corpus.fingerprint)
    assert (note.stage, note.signed, set(note.ids)) == ("raw", False, set(corpus.ids))
    assert set(note.findings) == {f["code"] for f in found["findings"]}


def test_findings_hold_no_text_of_a_row(tmp_path: Path) -> None:
    store, corpus, _ = toy_store(tmp_path, 150)
    plain = (look(store, corpus).page.parent / "findings.json").read_text(encoding="utf-8")
    assert not [text for text in corpus.texts if text in plain]


def test_the_same_look_makes_the_same_bytes_and_no_second_unsigned_note(tmp_path: Path) -> None:
    store, corpus, _ = toy_store(tmp_path, 80)
    first = look(store, corpus).page.read_bytes()
    assert look(store, corpus).page.read_bytes() == first
    assert len(looks_of(tmp_path, corpus.fingerprint)) == 1


def test_a_signature_is_noted_without_making_the_page_again_and_shown_on_the_next(tmp_path: Path) -> None:
    store, corpus, _ = toy_store(tmp_path, 80)
    page = look(store, corpus).page
    before = page.stat().st_mtime_ns
    signed = {"by": "Ann <b>", "expertise": "fraud", "found": "three <i>wrong</i> labels", "decided": "mend"}
    assert look(store, corpus, **signed).page == page and page.stat().st_mtime_ns == before
    note = looks_of(tmp_path, corpus.fingerprint)[-1]
    assert (note.by, note.found, note.decided, note.page) == (
        "Ann <b>", "three <i>wrong</i> labels", "mend", page.parent.name,
    )  # fmt: skip
    assert len(note.ids) == 80 and note.findings
    other = look(store, corpus, seed=1).page.read_text(encoding="utf-8")
    assert "Ann &lt;b&gt;" in other and "three &lt;i&gt;wrong" in other


def test_after_the_split_each_row_says_its_part_and_the_audit_is_among_the_findings(tmp_path: Path) -> None:
    store, corpus, split = toy_store(tmp_path, 150)
    report = look(store, corpus, split, stage="split")
    counts = Counter(column(data_of(report.page), "part"))
    assert counts == {part: len(ids) for part, ids in split.parts.items()}
    assert "split-sizes" in {f["code"] for f in report.found["findings"]}
    assert looks_of(tmp_path, corpus.fingerprint)[0].split == split.fingerprint


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("modelled")
    store, corpus, split = toy_store(folder, 400)
    records = [
        experiment.run(RunSpec(corpus.fingerprint, split.fingerprint, model), store)
        for model in (bayes(), logistic())
    ]
    return store, corpus, split, records


def test_after_a_model_the_worst_validation_rows_are_those_of_its_predictions(modelled: Any) -> None:
    store, corpus, split, records = modelled
    report = look(store, corpus, split, records, run=records[0].digest, against=records[1].digest, each=5)
    data = data_of(report.page)
    rows = dict(zip(column(data, "id"), column(data, "why"), strict=True))
    kept = [k for k, part in enumerate(records[0].predictions.parts) if part in ("select", "calibrate")]
    said = records[0].predictions.take(kept)
    right = said.probabilities[range(len(kept)), said.gold_index]
    worst = {said.ids[k] for k in right.argsort(kind="stable")[:5]}
    assert {id_ for id_, why in rows.items() if "worst" in why} == worst
    other = records[1].predictions.rows(said.ids)
    hits = zip(
        said.ids,
        said.predicted_index == said.gold_index,
        other.predicted_index == other.gold_index,
        strict=True,
    )
    alone = {id_ for id_, one, two in hits if one != two}
    marked = zip(column(data, "id"), column(data, "only one right"), strict=True)
    assert {id_ for id_, one in marked if one == "yes"} == alone and alone
    parts = dict(zip(column(data, "id"), column(data, "part"), strict=True))
    asked = [facet["title"] for facet in data["facets"] if facet["title"].endswith("says")]
    assert len(asked) == 2
    spoken = {id_ for id_, value in zip(column(data, "id"), column(data, asked[0]), strict=True) if value}
    assert {parts[id_] for id_ in spoken} == {"select", "calibrate"}, "no test row is shown by a score"
    assert ledger.looks(store.root, split.test_fingerprint) == 0


def test_a_look_at_the_test_by_scores_is_counted_as_one_and_said(modelled: Any) -> None:
    store, corpus, split, records = modelled
    for _ in range(2):
        report = look(store, corpus, split, records[:1], run=records[0].digest, part="test")
    assert ledger.looks(store.root, split.test_fingerprint) == 1
    assert "this is a look at the test" in report.page.read_text(encoding="utf-8")


def test_a_run_of_another_corpus_is_refused(modelled: Any, tmp_path: Path) -> None:
    records = modelled[3]
    other = toy_corpus(60, seed=9)
    with pytest.raises(BadInput, match="only where both are the same"):
        look(Store(tmp_path), other, toy_split(other), records[:1], run=records[0].digest)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"stage": "later"}, "look.stage"),
        ({"part": "all"}, "look.part"),
        ({"against": "0123"}, "look.against"),
        ({"rows": 0}, "look.rows"),
        ({"characters": 10}, "look.characters"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        Look(**asked)


def test_masked_nothing_of_an_address_or_number_is_on_the_page(tmp_path: Path) -> None:
    secret = "ann.secret@mail.example"
    texts = [f"write to {secret} or call 0871520365{k}" for k in range(40)]
    meta = {"sender": ("group", [secret] * 40)}
    ids = [f"{k}-{secret}" for k in range(40)]
    corpus = Corpus.from_columns("made", texts, ["a", "b"] * 20, CARD, ids=ids, meta=meta)
    page = look(Store(tmp_path), corpus, mask=True).page.read_text(encoding="utf-8")
    assert secret not in page and "0871520365" not in page
    assert "‹address›" in page and "‹number›" in page
    assert secret in look(Store(tmp_path), corpus).page.read_text(encoding="utf-8")


def test_a_page_of_long_texts_stays_small_and_says_what_it_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossover.report.look_rows.BYTES", 30_000)
    texts = [f"{k} " + "<long & text> " * 300 for k in range(200)]
    corpus = Corpus.from_columns("made", texts, ["a", "b"] * 100, CARD)
    report = look(Store(tmp_path), corpus)
    rows = data_of(report.page)["rows"]
    assert len(json.dumps(rows)) < 150_000 and len(rows) < 200
    said = report.page.read_text(encoding="utf-8")
    assert "texts are cut at 120 characters" in said and "rows were left out" in said
    assert len(looks_of(tmp_path, corpus.fingerprint)[0].ids) == len(rows), "only what is there was shown"


def test_findings_go_to_wandb_without_what_they_quote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(WandbMirror, "look", lambda self, *args: sent.append(args))
    secret = "ann.secret@mail.example"
    corpus = Corpus.from_columns(
        "made", ["", "x y", "y z", secret], ["a", "b", "a", "b"], CARD, ids=[secret, "1", "2", "3"]
    )
    look(Store(tmp_path), corpus)
    look(Store(tmp_path), corpus, wandb_texts=True, seed=1)
    assert len(sent) == 2 and "blank-texts" in str(sent[0][-1])
    assert secret not in str(sent[0]) and secret in str(sent[1])


def hostile_corpus(payload: list[str]) -> Corpus:
    """Texts, ids, classes, meta names and values and the card: the payloads everywhere."""
    n = 2 * len(payload)
    dealt = [payload[k % len(payload)] for k in range(n)]
    ids = [f"{k} {text[:300]}" for k, text in enumerate(dealt)]
    labels = [f"{payload[k % 2]}"[:200] for k in range(n)]
    meta = {
        payload[0][:60]: ("category", [text[:100] for text in dealt]),
        "when": ("time", [f"2020-0{1 + k % 9}-01T00:00:00+00:00" for k in range(n)]),
        "sender": ("group", [text[:80] for text in dealt]),
    }  # fmt: skip
    card = Card(*(payload[k % len(payload)] for k in range(5)), notes=tuple(payload[:4]))
    return Corpus.from_columns("made", dealt, labels, card, ids=ids, meta=meta)


def shape(html: str) -> set[tuple[str, tuple[str, ...]]]:
    root = html5lib.parse(html, namespaceHTMLElements=False)
    return {
        (str(e.tag), tuple(sorted(str(a) for a in e.attrib))) for e in root.iter() if isinstance(e.tag, str)
    }


def test_sixty_payloads_everywhere_give_the_elements_of_benign_text(tmp_path: Path) -> None:
    payloads = list(_payloads())
    benign = [f"plain words number {chr(97 + k % 26)}{chr(97 + k // 26)}" for k in range(60)]
    pages = {}
    for name, texts in (("hostile", payloads), ("benign", benign)):
        store, corpus = Store(tmp_path / name), hostile_corpus(texts)
        said = {"by": texts[0], "expertise": texts[1], "found": texts[2], "decided": texts[3]}
        note_look(store.root, LookNote("raw", corpus.fingerprint, "", (), (), (), "raw-0", **said))
        report = look(store, corpus)
        pages[name] = report.page.read_text(encoding="utf-8")
        out = io.StringIO()
        with redirect_stdout(out):
            print_look(report.found, report.tables, report.examples)
        assert not set(out.getvalue()) & set("\x1b\x07\x9b\x00\u202e\u2028"), "the terminal stays as it was"
    assert shape(pages["hostile"]) == shape(pages["benign"])
    root = html5lib.parse(pages["hostile"], namespaceHTMLElements=False)
    assert Counter(str(e.tag) for e in root.iter())["script"] == 2
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not str(name).startswith("on") and name != "style"
            if str(name).rpartition("}")[2] in ("href", "src", "action"):
                assert value.startswith("#"), value
    data = json.loads(next(s for s in root.iter("script") if s.get("type") == "application/json").text)
    assert len(data["rows"]) == 120, "every hostile row is shown, none dropped"


def test_a_corpus_of_one_row_of_nothing_or_of_no_labels_has_a_page(tmp_path: Path) -> None:
    for texts, labels in ((["x"], ["a"]), (["", ""], [None, None]), (["a b"] * 5, ["a"] * 5)):
        corpus = Corpus.from_columns("made", texts, labels, CARD)
        assert len(data_of(look(Store(tmp_path), corpus).page)["rows"]) == len(texts)


def test_a_sign_command_keeps_the_look_and_drops_what_was_signed() -> None:
    command = "python scripts/look.py data=x 'data.text=[a,b]' look.seed=3 'look.by=\"Bo\"' look.found=x"
    assert look_report._sign_command(command).startswith(
        "python scripts/look.py data=x 'data.text=[a,b]' look.seed=3 'look.by=\"Ann"
    )
    assert replace(Look(), seed=3).seed == 3
