"""Features made out of core have the bits of those made in memory, and hold little of it."""

from __future__ import annotations

import errno
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from crossover.model.features import block_cache, out_of_core
from crossover.model.features.block import FeatureBlock
from crossover.model.features.char_tfidf import CharTfidf
from crossover.model.features.stack import FeatureStack
from crossover.model.features.surface import Surface
from crossover.model.features.word_counts import WordCounts
from crossover.model.features.word_tfidf import WordTfidf
from crossover.model.logistic_regression import LogisticRegression

WORDS = ["free", "win", "cash", "prize", "call", "now", "text", "claim", "meeting", "lunch", "ok", "thanks"]
BLOCKS: dict[str, type[FeatureBlock]] = {"word": WordTfidf, "char": CharTfidf, "counts": WordCounts}


def mail(rows: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, 9))) for _ in range(rows)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of core from 50 rows on, 7 at a time."""
    monkeypatch.setattr(out_of_core, "ROWS", 50)
    monkeypatch.setattr(out_of_core, "PIECE", 7)
    monkeypatch.setattr(block_cache, "kept", block_cache.BlockCache(0))


def same(one: csr_matrix, other: csr_matrix) -> bool:
    parts = ("data", "indices", "indptr")
    return one.shape == other.shape and all(np.array_equal(getattr(one, p), getattr(other, p)) for p in parts)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("min_df", [1, 3])
def test_a_block_fitted_out_of_core_has_the_same_bits(name: str, min_df: int, small: None) -> None:
    texts = [*mail(120), "", "Zebra zebra crossing"]
    spooled = BLOCKS[name](min_df=min_df)  # type: ignore[call-arg]
    matrix = spooled.fit_transform(texts)
    out_of_core.ROWS = 10_000
    plain = BLOCKS[name](min_df=min_df)  # type: ignore[call-arg]
    expected = plain.fit_transform(texts)
    assert out_of_core.is_spooled(matrix) and not out_of_core.is_spooled(expected)
    assert same(matrix, expected) and spooled.names() == plain.names()
    assert same(spooled.transform(mail(9, 1)), plain.transform(mail(9, 1)))


@given(st.lists(st.text(alphabet="ab c!\u00e9", max_size=12), min_size=4, max_size=30))
@settings(max_examples=40, deadline=None)
def test_any_texts_have_the_same_bits_either_way(texts: list[str]) -> None:
    plain = WordTfidf().fit_transform(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(out_of_core, "ROWS", 4)
        patch.setattr(out_of_core, "PIECE", 3)
        assert same(WordTfidf().fit_transform(texts), plain)


def test_a_model_fitted_and_asked_out_of_core_is_the_same_model(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = mail(150)
    labels = ["spam" if "win" in text or "cash" in text else "ham" for text in texts]

    def fitted() -> tuple[LogisticRegression, np.ndarray]:
        model = LogisticRegression({"word": WordTfidf(), "surface": Surface()})
        model.fit(texts, labels, ("ham", "spam"))
        return model, model.predict_proba(texts)

    spooled, asked = fitted()
    monkeypatch.setattr(out_of_core, "ROWS", 10_000)
    plain, expected = fitted()
    assert np.array_equal(spooled.weights_, plain.weights_) and np.array_equal(asked, expected)


def test_blocks_side_by_side_stay_on_the_disk(small: None) -> None:
    stack = FeatureStack({"word": WordTfidf(), "char": CharTfidf()})
    matrix = stack.fit_transform(mail(80))
    assert out_of_core.is_spooled(matrix) and matrix.shape == (80, len(stack.names()))
    with pytest.raises(ValueError, match="read-only"):
        matrix.data[0] = 0.0


def test_no_term_at_all_gives_no_columns(small: None) -> None:
    matrix = WordTfidf().fit_transform(["", "!"] * 40)
    assert matrix.shape == (80, 0)


def test_a_full_disk_is_an_error_that_names_the_folder(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, data: Sequence[int]) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(out_of_core, "_nameless", Full)
    with pytest.raises(OSError, match="TMPDIR"):
        WordTfidf().fit_transform(mail(60))
