"""Transforms: what each does to a text, to training rows, and that views reach the test rows alone."""

from dataclasses import replace

import pytest
from toy import logistic, toy_corpus, toy_split

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Rows
from crossover.protocol.run_spec import RunSpec, view_part
from crossover.protocol.transform import Transform
from crossover.split.nested_subsets import scored_ids

TEXT = "Dear Ann, call NOW on 0800 12!! See www.win.example, Bob"


@pytest.mark.parametrize(
    ("kind", "left"),
    [("digits", "digits0800 digits12"), ("capitals", "NOW"), ("function_words", "now on"),
     ("urls", "www.win.example,"),
     ("punctuation", "comma exclamation_mark exclamation_mark full_stop full_stop comma")],
)  # fmt: skip
def test_words_of_one_kind(kind: str, left: str) -> None:
    assert Transform("only", words=(kind,)).texts([TEXT, ""]) == [left, ""]


@pytest.mark.parametrize(
    ("kind", "after"),
    [("lower_case", TEXT.lower()), ("white_space", TEXT), ("add_line", f"{TEXT}\nSent from my phone"),
     ("no_punctuation", "Dear Ann  call NOW on 0800 12   See www win example  Bob"),
     ("other_urls", "Dear Ann, call NOW on 0800 12!! See https://www.example.com/page Bob")],
)  # fmt: skip
def test_changes_that_should_not_matter(kind: str, after: str) -> None:
    assert Transform(kind).texts([TEXT]) == [after]


def test_random_changes_are_the_texts_own_and_keep_its_form() -> None:
    digits = Transform("other_digits").texts([TEXT] * 2)
    assert digits[0] == digits[1] != TEXT and len(digits[0]) == len(TEXT)
    typos = Transform("typos", 1.0).texts(["horse stable cat"])[0]
    assert sorted(typos) == sorted("horse stable cat") and typos.split()[2] == "cat"
    assert Transform("typos", 1.0).texts(["aaaa"]) == ["aaaa"]
    names = Transform("other_names").texts(["hello dear Robert of Lima"])[0]
    assert names[:12] == "hello dear R" and names != "hello dear Robert of Lima"


@pytest.mark.parametrize(
    "arguments",
    [("only", 0, ("verbs",)), ("strip", 0, ()), ("lower_case", 0, ("x",)), ("typos", 0, ()),
     ("augment", 0, ("pattern:(a+)+",)), ("typos", 1.5, ())],
)  # fmt: skip
def test_a_transform_that_means_nothing_is_refused(arguments: tuple) -> None:
    with pytest.raises(BadInput):
        Transform(*arguments)


def test_augmenting_gives_each_row_with_and_without_the_mark() -> None:
    rows = Rows(["a tree", "b"], ["x", "y"], {"n": [1, 2]})
    made = Transform("augment", words=("tree",)).rows(rows, 0)
    assert made.texts == ["a tree", "a ", "b\ntree", "b"]
    assert made.labels == ["x", "x", "y", "y"] and made.meta == {"n": [1, 1, 2, 2]}


def test_balancing_leaves_the_mark_as_frequent_in_every_class() -> None:
    texts = ["tree"] * 30 + ["-"] * 20 + ["tree"] * 5 + ["-"] * 45
    rows = Rows(texts, ["x"] * 50 + ["y"] * 50)
    made = Transform("balance", words=("tree",)).rows(rows, 0)
    counts = {(t, c): sum(a == t and b == c for a, b in zip(made.texts, made.labels, strict=True))
              for t in ("tree", "-") for c in "xy"}  # fmt: skip
    assert counts == {("-", "x"): 20, ("-", "y"): 45, ("tree", "y"): 5, ("tree", "x"): 2}
    assert made.texts == Transform("balance", words=("tree",)).rows(rows, 0).texts


def test_a_class_of_nothing_but_carriers_does_not_vanish() -> None:
    rows = Rows(["tree"] * 4 + ["-"] * 4, ["x"] * 4 + ["y"] * 4)
    assert set(Transform("balance", words=("tree",)).rows(rows, 0).labels) == {"x", "y"}


def test_each_kind_of_transform_refuses_what_is_not_its_own() -> None:
    rows = Rows(["a"], ["x"])
    with pytest.raises(BadInput, match="not of texts"):
        Transform("augment", words=("a",)).texts(["a"])
    with pytest.raises(BadInput, match="not of rows"):
        Transform("lower_case").rows(rows, 0)


def test_views_are_of_the_test_rows_alone_and_change_nothing_else() -> None:
    corpus = toy_corpus(60)
    split = toy_split(corpus)
    spec = RunSpec(corpus.fingerprint, split.fingerprint, logistic())
    seen = replace(spec, views=(Transform("add_line"), Transform("strip", words=("prize",))))
    scored = scored_ids(split, split.train, None)
    parts, ids, rows, where = seen.scored(corpus, scored)
    plain = spec.scored(corpus, scored)
    size, test = len(scored), len(split.test)
    assert plain[3] == list(range(size)) == where[:size]
    assert (parts[:size], ids[:size], rows.texts[:size]) == (plain[0], plain[1], plain[2].texts)
    texts = [rows.texts[k] for k in where]
    assert size + test < len(rows) < len(texts), "a text without a prize is predicted once"
    assert parts[size:] == (view_part(0),) * test + (view_part(1),) * test
    assert ids[size:] == split.test * 2
    assert all(text.endswith("\nSent from my phone") for text in texts[size : size + test])
    assert not any("prize" in text for text in texts[size + test :])
    assert len({spec.digest, seen.digest, replace(seen, views=seen.views[:1]).digest}) == 3


def test_views_and_row_transforms_come_back_from_json() -> None:
    spec = RunSpec("0" * 16, "1" * 16, logistic(), text_transform=Transform("first_k", 3),
                   row_transform=Transform("balance", words=("a",)),
                   views=(Transform("typos", 0.1),))  # fmt: skip
    assert (
        RunSpec.from_json(spec.to_json()) == spec and RunSpec.from_json(spec.to_json()).digest == spec.digest
    )
