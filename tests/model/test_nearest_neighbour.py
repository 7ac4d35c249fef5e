from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from crossover.data.bad_input import BadInput
from crossover.model.encoder.encoder import Encoder
from crossover.model.nearest_neighbour import NearestNeighbour

WORDS = ["free", "win", "cash", "prize", "lunch", "meeting", "thanks", "love", "the", "you", "is"]


class Compass(Encoder):
    """A text is an angle in degrees; its vector points there, at any length."""

    def encode(self, texts: Sequence[str]) -> tuple[Any, dict[str, float]]:
        angle = np.deg2rad([float(text.split()[0]) for text in texts])
        vectors = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
        cost = {"tokens": 1.0, "encode_seconds": 0.0, "encode_seconds_cold": 0.0, "cached_rows": 0.0}
        return vectors.astype(np.float32), cost


def test_votes_are_counted_and_smoothed_by_hand() -> None:
    model = NearestNeighbour(Compass(), k=3, smoothing=1.0)
    model.fit(["0", "10", "20", "90", "100", "180"], ["a", "a", "b", "b", "b", "b"], ["a", "b", "c"])
    # Shares of the classes: 2/6, 4/6, 0. Neighbours of 5: 0, 10, 20; of 95: 90, 100 and 20 or 180.
    np.testing.assert_allclose(
        model.predict_proba(["5", "95"]),
        [[(2 + 2 / 6) / 4, (1 + 4 / 6) / 4, 0], [(2 / 6) / 4, (3 + 4 / 6) / 4, 0]],
    )


def test_cosine_ignores_length_and_sign_counts() -> None:
    model = NearestNeighbour(Compass(), k=1, smoothing=1e-9).fit(["0", "180"], ["a", "b"], ["a", "b"])
    np.testing.assert_allclose(model.predict_proba(["80", "100"]), [[1, 0], [0, 1]], atol=1e-8)


def test_a_tie_among_votes_goes_to_the_class_more_frequent_in_training() -> None:
    texts, labels = ["0", "10", "120", "150", "180"], ["a", "b", "b", "b", "a"]
    model = NearestNeighbour(Compass(), k=2).fit(texts, labels, ["a", "b"])
    first = model.predict_proba(["5"])[0]
    assert first[1] > first[0]


@pytest.mark.parametrize("turn", [1, -1])
def test_equal_neighbours_are_taken_in_the_order_of_their_text(turn: int) -> None:
    texts, labels = ["10 b", "10 a", "10 c", "200"][::turn], ["x", "y", "z", "z"][::turn]
    model = NearestNeighbour(Compass(), k=1, smoothing=1e-9).fit(texts, labels, ["x", "y", "z"])
    assert model.predict_proba(["11"])[0].argmax() == 1  # "10 a"


def test_k_beyond_the_rows_takes_them_all() -> None:
    model = NearestNeighbour(Compass(), k=50, smoothing=1.0).fit(
        ["0", "90", "180"], ["a", "b", "b"], ["a", "b"]
    )
    np.testing.assert_allclose(model.predict_proba(["0"]), [[(1 + 1 / 3) / 4, (2 + 2 / 3) / 4]])


@pytest.mark.parametrize("setting", [{"k": 0}, {"smoothing": 0.0}])
def test_a_setting_out_of_range_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=rf"{next(iter(setting))}=0"):
        NearestNeighbour(Compass(), **setting).fit(["0", "9"], ["a", "b"], ["a", "b"])


def test_it_agrees_with_scikit_learn_on_embeddings(tiny_model: Path) -> None:
    encoder = Encoder(str(tiny_model), max_length=32)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 7)) + f" {k}" for k in range(400)]
    labels = [str(rng.integers(3)) for _ in texts]
    held = [" ".join(rng.choice(WORDS, 7)) for _ in range(300)]  # more than one block of queries
    oracle = KNeighborsClassifier(9, metric="cosine", algorithm="brute").fit(encoder.encode(texts)[0], labels)
    model = NearestNeighbour(encoder, k=9, smoothing=1e-9).fit(texts, labels, ["0", "1", "2"])
    found, expected = model.predict_proba(held), oracle.predict_proba(encoder.encode(held)[0])
    agree = np.isclose(found, expected, atol=1e-6).all(axis=1)
    assert agree.mean() > 0.98  # neighbours that differ by a rounding may be exchanged
    alone = np.vstack([model.predict_proba([text]) for text in held[:10]])
    np.testing.assert_array_equal(alone, found[:10])
    assert model.cost_["cached_rows"] >= 10 and model.cost_["tokens"] > 0


def test_its_state_holds_vectors_and_the_encoders_hashes_only(tiny_model: Path) -> None:
    encoder = Encoder(str(tiny_model), max_length=32)
    model = NearestNeighbour(encoder).fit(["free cash", "lunch"], ["a", "b"], ["a", "b"])
    arrays, plain = model.state()
    assert {name: array.shape for name, array in arrays.items()} == {"vectors": (2, 32), "codes": (2,)}
    assert plain == {"encoder": encoder.pinned()}
    with pytest.raises(BadInput, match="weights"):
        NearestNeighbour(encoder).restore(
            arrays, {"encoder": {"weights_sha256": "0" * 64, "tokenizer_sha256": ""}}
        )
