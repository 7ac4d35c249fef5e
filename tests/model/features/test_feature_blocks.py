"""Every block of conf/feature: fitted on train only, restored to the same bits, at ease with odd text."""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from crossover.data.bad_input import BadInput
from crossover.model.features.block import FeatureBlock
from crossover.model.features.char_tfidf import CharTfidf
from crossover.model.features.declared_meta import DeclaredMeta
from crossover.model.features.stack import NOTHING, FeatureStack
from crossover.model.features.surface import NAMES, Surface
from crossover.model.features.word_counts import WordCounts
from crossover.model.features.word_tfidf import WordTfidf
from crossover.protocol.component import build
from crossover.protocol.configured import part

CONF = Path(__file__).resolve().parents[3] / "conf" / "feature"
PLAIN = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(CONF.glob("*.yaml"))}
NAMED = {"declared_meta": {"category": ["sender"], "number": ["price"], "time": ["sent"]}}

TEXTS = ["Free WIN now", "lunch at home, at 12?", "see http://a.b and www.c.d", "", "free lunch"]
META = {
    "sender": ["ann", "bob", None, "ann", "eve"],
    "price": [1.0, 3.0, None, 5.0, 7],
    "sent": ["2009-03-14T06:00:00+00:00", None, "2009-03-15T18:30:00+00:00", "2010-07-01T00:00:00+00:00", ""],
}


@pytest.fixture(params=sorted(PLAIN))
def made_from(request):
    return part(PLAIN[request.param] | NAMED.get(request.param, {}), "feature")


def dense(block: FeatureBlock, texts=TEXTS, meta=META) -> np.ndarray:
    return block.transform(texts, meta).toarray()


def test_a_block_gives_a_named_column_each_and_one_pass_is_as_good_as_two(made_from):
    block = build(made_from)
    once = block.fit_transform(TEXTS, META)
    assert (
        once.shape == (len(TEXTS), len(block.names())) and len(set(block.names())) == len(block.names()) > 0
    )
    assert once.dtype == np.float64 and np.isfinite(once.toarray()).all()
    np.testing.assert_allclose(once.toarray(), dense(build(made_from).fit(TEXTS, META)), rtol=0, atol=1e-15)


def test_a_restored_block_gives_the_same_bits(made_from):
    block = build(made_from).fit(TEXTS, META)
    arrays, plain = block.state()
    again = build(made_from)
    again.restore(arrays, json.loads(json.dumps(plain)))
    assert again.names() == block.names()
    np.testing.assert_array_equal(dense(again), dense(block))


def test_a_row_depends_on_itself_and_on_train_only(made_from):
    block = build(made_from).fit(TEXTS, META)
    before = dense(block)
    order = [3, 1, 4, 0, 2]
    mixed = dense(block, [TEXTS[k] for k in order], {n: [v[k] for k in order] for n, v in META.items()})
    np.testing.assert_array_equal(mixed, before[order])
    dense(block, ["other words " * 50], {name: values[:1] for name, values in META.items()})
    np.testing.assert_array_equal(dense(block), before)


def test_an_unfitted_block_refuses(made_from):
    block = build(made_from)
    for call in (lambda: block.transform(TEXTS, META), block.state):
        with pytest.raises(BadInput, match="not fitted"):
            call()


def test_empty_identical_and_no_texts_complete(made_from):
    for texts in (["", ""], ["one text"] * 3, ["!", "?"]):
        meta = {name: values[: len(texts)] for name, values in META.items()}
        block = build(made_from).fit(texts, meta)
        assert np.isfinite(dense(block, texts, meta)).all()
        assert block.transform([], {name: [] for name in META}).shape == (0, len(block.names()))


def test_a_megabyte_without_a_space_takes_under_5_seconds(made_from):
    text = "".join(random.Random(0).choices("abcdefghij0123456789", k=1 << 20))
    meta = {name: values[:3] for name, values in META.items()}
    start = time.process_time()
    build(made_from).fit_transform([text, "a", "b"], meta)
    assert time.process_time() - start < 5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_any_text_at_all_is_taken(texts):
    stack = FeatureStack({"c": CharTfidf(), "s": Surface(), "w": WordTfidf()})
    matrix = stack.fit_transform(texts)
    assert matrix.shape == (len(texts), len(stack.names()))
    assert np.isfinite(matrix.toarray()).all()


@pytest.mark.parametrize(
    ("block", "oracle"),
    [
        (WordTfidf(), TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)),
        (
            WordTfidf(ngram_max=1, min_df=2, sublinear=False, lowercase=False),
            TfidfVectorizer(min_df=2, lowercase=False),
        ),
        (WordCounts(ngram_max=2), CountVectorizer(ngram_range=(1, 2))),
        (CharTfidf(), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)),
        (
            CharTfidf(ngram_min=3, ngram_max=3, within_words=False),
            TfidfVectorizer(analyzer="char", ngram_range=(3, 3), sublinear_tf=True),
        ),
    ],
)
def test_term_blocks_are_what_scikit_learn_computes(block, oracle):
    train = ["Free win win now", "free lunch at home", "free home win"]
    expected = oracle.fit_transform(train).toarray()
    np.testing.assert_allclose(block.fit_transform(train).toarray(), expected, rtol=0, atol=1e-15)
    assert block.names() == oracle.get_feature_names_out().tolist()
    unseen = ["free free unknown home"]
    np.testing.assert_allclose(
        block.transform(unseen).toarray(), oracle.transform(unseen).toarray(), atol=1e-15
    )


def test_tf_idf_by_hand():
    block = WordTfidf(ngram_max=1).fit(["aa aa bb", "aa"])
    weight_a = (1 + math.log(2)) * 1.0  # in both rows: ln(3/3) + 1
    weight_b = math.log(3 / 2) + 1
    length = math.hypot(weight_a, weight_b)
    np.testing.assert_allclose(
        block.transform(["aa bb aa"]).toarray(), [[weight_a / length, weight_b / length]], atol=1e-15
    )


def test_a_min_df_that_no_term_reaches_leaves_no_columns_and_the_stack_one_of_zeros():
    block = WordTfidf(min_df=4).fit(["aa", "aa", "aa"])
    assert block.names() == []
    stack = FeatureStack({"word": WordTfidf(min_df=4)}).fit(["aa", "aa", "aa"])
    assert stack.names() == [NOTHING]
    np.testing.assert_array_equal(stack.transform(["aa", "bb"]).toarray(), np.zeros((2, 1)))


@pytest.mark.parametrize("wrong", [{"min_df": 0}, {"ngram_min": 3, "ngram_max": 2}, {"ngram_min": 0}])
def test_impossible_term_settings_are_refused_by_name(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        WordTfidf(**wrong).fit(["aa"])


def test_characters_beyond_the_limit_are_not_read():
    block = CharTfidf(max_characters=4, within_words=False, ngram_min=2, ngram_max=2).fit(["abcdXYZ", "ab"])
    assert block.names() == ["ab", "bc", "cd"]
    np.testing.assert_array_equal(block.transform(["abcd"]).toarray(), block.transform(["abcdef"]).toarray())


def test_surface_counts_by_hand_and_standardises_on_train():
    texts = ["AB1! http://x", "", "\u200b ", "a"]
    block = Surface().fit(texts)
    raw = dense(block, texts, None) * block.spread_ + block.mean_
    row = dict(zip(NAMES, raw[0], strict=True))
    assert row["log_characters"] == pytest.approx(math.log(14))
    assert row["log_tokens"] == pytest.approx(math.log(3))
    assert row["capital_share"] == pytest.approx(2 / 13)
    assert row["digit_share"] == pytest.approx(1 / 13)
    assert row["punctuation_share"] == pytest.approx(4 / 13)  # ! : / /
    assert row["log_urls"] == pytest.approx(math.log(2))
    np.testing.assert_allclose(raw[:, NAMES.index("empty")], [0, 1, 1, 0], atol=1e-12)
    train = dense(block, texts, None)
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-12)


def test_declared_meta_by_hand():
    block = DeclaredMeta(**NAMED["declared_meta"]).fit(TEXTS, META)
    table = dict(zip(block.names(), dense(block).T, strict=True))
    np.testing.assert_array_equal(table["sender=ann"], [1, 0, 0, 1, 0])
    np.testing.assert_array_equal(table["price missing"], [0, 0, 1, 0, 0])
    # Known prices 1, 3, 5, 7: mean 4, standard deviation sqrt(5); a missing one sits at the mean.
    np.testing.assert_allclose(table["price"], np.array([-3, -1, 0, 1, 3]) / math.sqrt(5))
    np.testing.assert_array_equal(table["sent missing"], [0, 1, 0, 0, 1])
    np.testing.assert_allclose(
        table["sent hour sin"], [1, 0, math.sin(2 * math.pi * 18.5 / 24), 0, 0], atol=1e-12
    )
    np.testing.assert_allclose(table["sent weekday cos"][0], math.cos(2 * math.pi * 5 / 7))  # a Saturday
    np.testing.assert_allclose(table["sent month sin"][3], math.sin(2 * math.pi * 6 / 12), atol=1e-12)
    unseen = dense(block, ["x"], {"sender": ["mallory"], "price": [4.0], "sent": [None]})[0]
    assert unseen[: len(block.values_["sender"])].tolist() == [0, 0, 0] and unseen.sum() == 1  # sent missing


def test_declared_meta_reads_only_what_is_named():
    block = DeclaredMeta(category=["sender"])
    first = block.fit_transform(TEXTS, META).toarray()
    other = META | {"price": [9.0] * 5, "sent": [None] * 5}
    np.testing.assert_array_equal(
        first, DeclaredMeta(category=["sender"]).fit_transform(TEXTS, other).toarray()
    )


@pytest.mark.parametrize(
    ("named", "meta", "told"),
    [
        ({}, META, "names no column"),
        ({"category": ["seller"]}, META, r"'seller'.*\['price', 'sender', 'sent'\]"),
        ({"category": ["sender"]}, None, "'sender'"),
        ({"number": ["sender"]}, META, "row 1: 'ann' is no finite number"),
        ({"number": ["price"]}, {"price": [1.0, math.inf, 1, 1, 1]}, "row 2: inf"),
        ({"time": ["sent"]}, {"sent": ["2009-01-01", "14.3.2009", "", "", ""]}, "row 2: '14.3.2009'"),
        ({"category": ["sender"]}, {"sender": ["ann"]}, "1 values for 5 texts"),
    ],
)
def test_meta_that_is_not_as_declared_is_refused_naming_column_and_row(named, meta, told):
    with pytest.raises(BadInput, match=told):
        DeclaredMeta(**named).fit(TEXTS, meta)


def test_a_stack_joins_its_blocks_by_name_and_leaves_the_blocks_given_unfitted():
    word, char = WordTfidf(), CharTfidf()
    stack = FeatureStack({"word": word, "char": char}).fit(TEXTS)
    other = FeatureStack({"char": char, "word": word}).fit(TEXTS)
    assert stack.names() == other.names() and stack.names()[0].startswith("char: ")
    np.testing.assert_array_equal(stack.transform(TEXTS).toarray(), other.transform(TEXTS).toarray())
    left = CharTfidf().fit(TEXTS).transform(TEXTS).toarray()
    np.testing.assert_array_equal(stack.transform(TEXTS).toarray()[:, : left.shape[1]], left)
    for block in (word, char):
        with pytest.raises(BadInput, match="not fitted"):
            block.transform(TEXTS)


def test_what_is_no_block_is_refused_by_name():
    with pytest.raises(BadInput, match=r"features\.word"):
        FeatureStack({"word": "word_tfidf"})


def test_some_surface_columns_are_those_of_all_and_an_unknown_one_is_refused() -> None:
    texts = ["One TWO", "three, four!", "http://a.example 7"]
    whole, part = Surface().fit(texts), Surface(["log_tokens", "log_characters"]).fit(texts)
    assert part.names() == ["log_characters", "log_tokens"], "in the order of all columns"
    assert (part.transform(texts) != whole.transform(texts)[:, :2]).nnz == 0
    for wrong in (["mood"], []):
        with pytest.raises(BadInput, match="columns"):
            Surface(wrong).fit(texts)
