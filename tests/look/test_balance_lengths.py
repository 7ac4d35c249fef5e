"""Balance, lengths and the Finding itself: what a reader of the data would want to be told."""

import json

import pytest

from crossover.data.corpus import Card, Corpus
from crossover.look.balance import balance
from crossover.look.finding import Finding
from crossover.look.lengths import is_blank, lengths

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def corpus_of(texts: list[str], labels: list[str | None]) -> Corpus:
    return Corpus.from_columns("made", texts, labels, CARD, [f"{k:04d}" for k in range(len(texts))])


def codes(findings: list[Finding]) -> dict[str, Finding]:
    for finding in findings:
        json.dumps(finding.to_json(), allow_nan=False)
    return {finding.code: finding for finding in findings}


def test_a_balanced_corpus_is_only_described() -> None:
    found = balance(corpus_of(["x"] * 100, ["a"] * 60 + ["b"] * 40))
    assert [finding.severity for finding in found] == ["info"]
    assert found[0].evidence == {"rows": {"a": 60, "b": 40}, "majority": "a", "majority_share": 0.6}


def test_few_rare_and_missing_labels_are_warned_of() -> None:
    found = codes(balance(corpus_of(["x"] * 1000, ["a"] * 600 + ["b"] * 381 + ["c"] * 9 + [None] * 10)))
    assert found["class-few"].evidence["rows"] == {"c": 9}
    assert found["class-rare"].evidence["share"] == {"c": 9 / 990}
    assert found["unlabelled"].evidence["rows"] == 10


def test_many_equal_classes_are_not_called_rare() -> None:
    found = codes(balance(corpus_of(["x"] * 1540, [f"intent{k % 77}" for k in range(1540)])))
    assert set(found) == {"class-balance"}


def test_one_class_is_an_error() -> None:
    (only,) = balance(corpus_of(["x"] * 3, ["a", "a", None]))
    assert (only.code, only.severity) == ("one-class", "error")


@pytest.mark.parametrize("text", ["", "   \n", "\u200b\u200f", "\u202e \ufeff", "\x00"])
def test_what_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", "\u200f.", "0", "\u0301a"])
def test_what_shows_something_is_not(text: str) -> None:
    assert not is_blank(text)


def test_quantiles_and_medians_by_class() -> None:
    found = codes(
        lengths(corpus_of(["one", "one two", "one two three", "one two three four"], ["a", "a", "b", "b"]))
    )
    assert found["lengths"].evidence["median_words_by_label"] == {"a": 1.5, "b": 3.5}
    assert found["lengths"].evidence["words"][0] == 1 and found["lengths"].evidence["words"][-1] == 4
    assert set(found) == {"lengths"}


def test_blank_and_very_long_texts_are_counted() -> None:
    found = codes(lengths(corpus_of(["", "\u200b", "word", "x" * 1_000_001], ["a", "b", "a", "b"])))
    assert found["blank-texts"].evidence["rows"] == 2
    assert found["very-long"].evidence["first"] == ["0003"]


@pytest.mark.parametrize("texts", [["same 1", "SAME  2", "same 3"], ["", "", ""]])
def test_constant_input_is_an_error(texts: list[str]) -> None:
    assert codes(lengths(corpus_of(texts, ["a", "b", "a"])))["constant-input"].severity == "error"


def test_an_unknown_severity_is_refused() -> None:
    with pytest.raises(ValueError, match="severity 'bad'"):
        Finding("x", "bad", "title")
