"""Blocks kept in the process: the same bits as anew, never another's, within bounds, and honestly timed."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from crossover.model.features import block_cache, stack
from crossover.model.features.block_cache import FEWEST_ROWS, BlockCache, fingerprint
from crossover.model.features.char_tfidf import CharTfidf
from crossover.model.features.declared_meta import DeclaredMeta
from crossover.model.features.stack import FeatureStack
from crossover.model.features.surface import Surface
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.logistic_regression import LogisticRegression

TEXTS = [f"free prize number {k} call now" if k % 3 else f"lunch at {k}? see you" for k in range(60)]
LABELS = ["spam" if k % 3 else "ham" for k in range(60)]
META = {"sender": ["ann" if k % 2 else "bob" for k in range(60)]}


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> BlockCache:
    """A cache of this test's own, as the stack meets it."""
    made = BlockCache()
    monkeypatch.setattr(block_cache, "kept", made)
    monkeypatch.setattr(stack, "kept", made)
    return made


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each pass over texts that WordTfidf makes."""
    seen: list[str] = []
    for name in ("fit_transform", "transform"):
        own = getattr(WordTfidf, name)

        def spy(self, texts, meta=None, own=own, name=name) -> csr_matrix:
            seen.append(name)
            return own(self, texts, meta)

        monkeypatch.setattr(WordTfidf, name, spy)
    return seen


def test_a_second_stack_on_the_same_rows_makes_nothing_and_has_the_same_bits(passes: list[str]) -> None:
    blocks = {"word": WordTfidf(), "surface": Surface()}
    first, second = FeatureStack(blocks), FeatureStack({"word": WordTfidf()})
    train, test = first.fit_transform(TEXTS), first.transform(TEXTS[:40])
    again, tested = second.fit_transform(TEXTS), second.transform(TEXTS[:40])
    assert passes == ["fit_transform", "transform"]
    words = train.shape[1] - 7
    np.testing.assert_array_equal(again.toarray(), train.toarray()[:, 7:])
    np.testing.assert_array_equal(tested.toarray(), test.toarray()[:, 7:])
    assert words == again.shape[1] and second.names() == [n for n in first.names() if n.startswith("word")]


def test_other_settings_rows_or_meta_are_never_taken_for_these(passes: list[str]) -> None:
    FeatureStack({"word": WordTfidf()}).fit_transform(TEXTS)
    FeatureStack({"word": WordTfidf(ngram_max=1)}).fit_transform(TEXTS)
    FeatureStack({"word": WordTfidf()}).fit_transform(TEXTS[::-1])
    FeatureStack({"word": WordTfidf()}).fit_transform(TEXTS, META)
    assert passes == ["fit_transform"] * 4
    turned = {"sender": META["sender"][::-1]}
    one, other = (
        FeatureStack({"meta": DeclaredMeta(category=["sender"])}).fit_transform(TEXTS, meta).toarray()
        for meta in (META, turned)
    )
    assert not np.array_equal(one, other)
    assert fingerprint(["a", "b"], None) != fingerprint(["ab"], None)
    assert fingerprint(["a"], {"x": [1]}) != fingerprint(["a"], {"x": ["1"]})


def test_what_is_kept_does_not_change_with_what_a_user_does_to_a_matrix() -> None:
    first = FeatureStack({"word": WordTfidf()}).fit_transform(TEXTS)
    before = first.toarray()
    first.data[:] = 0
    np.testing.assert_array_equal(FeatureStack({"word": WordTfidf()}).fit_transform(TEXTS).toarray(), before)


def test_a_stack_fitted_again_or_restored_leaves_others_as_they_were() -> None:
    one, other = FeatureStack({"word": WordTfidf()}), FeatureStack({"word": WordTfidf()})
    one.fit(TEXTS)
    other.fit(TEXTS)
    names, before = one.names(), one.transform(TEXTS[:40]).toarray()
    other.fit(["quite other words here"] * 40)
    arrays, plain = other.state()
    two = FeatureStack({"word": WordTfidf()}).fit(TEXTS)
    two.restore(arrays, plain)
    assert one.names() == names != other.names() == two.names()
    np.testing.assert_array_equal(one.transform(TEXTS[:40]).toarray(), before)
    assert two.transform(TEXTS[:40]).shape[1] == len(two.names())


def test_a_few_rows_are_always_made_anew(passes: list[str]) -> None:
    """A latency is that of a text not met before."""
    made = FeatureStack({"word": WordTfidf()}).fit(TEXTS)
    few = TEXTS[: FEWEST_ROWS - 1]
    made.transform(few)
    made.transform(few)
    assert passes == ["fit_transform", "transform", "transform"]


def test_memory_stays_within_its_bound_and_the_oldest_goes_first(
    empty: BlockCache, passes: list[str]
) -> None:
    FeatureStack({"word": WordTfidf()}).fit_transform(TEXTS)
    empty.most = int(2.5 * empty._bytes)
    rows = [[f"{text} {turn}" for text in TEXTS] for turn in range(4)]
    for texts in rows:
        FeatureStack({"word": WordTfidf()}).fit_transform(texts)
        assert 0 < empty._bytes <= empty.most
    passes.clear()
    FeatureStack({"word": WordTfidf()}).fit_transform(rows[-1])
    assert passes == [], "the newest is kept"
    FeatureStack({"word": WordTfidf()}).fit_transform(rows[0])
    assert passes == ["fit_transform"], "the oldest is not"
    empty.most = 10
    empty.clear()
    FeatureStack({"word": WordTfidf()}).fit_transform(TEXTS)
    assert empty._bytes == 0, "what is larger than the bound is not kept at all"


def test_a_setting_that_is_no_plain_value_is_not_kept(passes: list[str]) -> None:
    class Odd(WordTfidf):
        def __init__(self) -> None:
            super().__init__()
            self.tool = object()

    for _ in range(2):
        FeatureStack({"word": Odd()}).fit_transform(TEXTS)
    assert passes == ["fit_transform", "fit_transform"]


def test_a_run_on_kept_blocks_gives_the_same_bits_and_says_what_it_would_have_cost() -> None:
    features = {"word": WordTfidf(), "char": CharTfidf()}
    made = [LogisticRegression(features).fit(TEXTS, LABELS, ["ham", "spam"]) for _ in range(2)]
    cold, warm = (model.cost_ for model in made)
    assert cold["encode_seconds"] == cold["encode_seconds_cold"] > 0
    assert warm["encode_seconds"] == 0 and warm["encode_seconds_cold"] == cold["encode_seconds_cold"]
    np.testing.assert_array_equal(made[0].weights_, made[1].weights_)
    found = [model.predict_proba(TEXTS[:40]) for model in made]
    np.testing.assert_array_equal(*found)
    assert made[1].cost_["encode_seconds_cold"] > warm["encode_seconds_cold"], "predicting is added"
