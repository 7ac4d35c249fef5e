"""Duplicates: no false pair ever, few missed, and clusters that depend on the texts alone."""

from itertools import combinations

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossover.data import free_memory as memory
from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.look import similar_pairs as module
from crossover.look.duplicates import cluster_table, duplicate_clusters, duplicates, jaccard, normalise
from crossover.look.similar_pairs import similar_pairs

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
WORDS = [
    "".join(np.random.default_rng(k).choice(LETTERS, 4 + k % 5)) for k in range(2_000)
]  # unlike each other, so that a pair's similarity is what the test made it


def edited(rng: np.random.Generator, words: list[str], changes: int) -> list[str]:
    copy = list(words)
    for place in rng.choice(len(words), changes, replace=False):
        copy[place] = str(rng.choice(WORDS))
    return copy


def test_a_hand_worked_similarity() -> None:
    # abcdef: abcde bcdef; abcdeg: abcde bcdeg. One of three in common.
    assert jaccard("abcdef", "abcdeg") == 1 / 3
    assert jaccard("abc", "abc") == 1 and jaccard("abc", "abd") == 0


def test_normalisation_forgets_case_digits_and_spaces_only() -> None:
    assert normalise("  Call\t0800  NOW\n") == "call 0000 now"
    assert normalise("Call!") != normalise("Call")


def test_kinds_include_each_other_and_clusters_are_named_by_the_smallest_id() -> None:
    ids = ["d", "c", "b", "a", "e"]
    texts = [
        "win 100 pounds today",
        "Win  200 pounds today",
        "win 100 pounds today",
        "win 100 pounds todays",
        "other",
    ]
    assert duplicate_clusters(ids, texts, kind="exact") == {"d": "b", "b": "b"}
    assert duplicate_clusters(ids, texts, kind="normalised") == {"d": "b", "b": "b", "c": "b"}
    assert duplicate_clusters(ids, texts, kind="near") == dict.fromkeys("abcd", "a")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ab1 é\u200f", max_size=12), min_size=1, max_size=30), st.randoms())
def test_clusters_agree_with_brute_force_on_short_texts_in_any_order(texts, random) -> None:
    ids = [f"{k:02d}" for k in range(len(texts))]
    found = duplicate_clusters(ids, texts, 0.6)
    leader = {id_: id_ for id_ in ids}
    clean = [normalise(text) for text in texts]
    for a, b in combinations(range(len(ids)), 2):
        if clean[a] == clean[b] or jaccard(clean[a], clean[b]) >= 0.6:
            one, other = sorted((leader[ids[a]], leader[ids[b]]))
            leader = {id_: one if name == other else name for id_, name in leader.items()}
    sizes = list(leader.values())
    assert found == {id_: name for id_, name in leader.items() if sizes.count(name) > 1}
    order = list(range(len(ids)))
    random.shuffle(order)
    assert duplicate_clusters([ids[k] for k in order], [texts[k] for k in order], 0.6) == found


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8])
def test_every_pair_is_real_and_at_least_98_in_100_are_found(threshold: float) -> None:
    rng = np.random.default_rng(1)
    texts = []
    for _ in range(200):
        words = [str(word) for word in rng.choice(WORDS, 30)]
        texts += [" ".join(words), " ".join(edited(rng, words, int(rng.integers(1, 7))))]
    found = {tuple(pair) for pair in similar_pairs(texts, threshold).tolist()}
    grams = [{text[k : k + 5] for k in range(len(text) - 4)} for text in texts]
    real = {
        (a, b)
        for a, b in combinations(range(len(texts)), 2)
        if len(grams[a] & grams[b]) >= threshold * len(grams[a] | grams[b])
    }
    assert len(real) > 50
    assert found <= real, "each pair is verified exactly"
    assert len(found) >= 0.98 * len(real)


def test_unrelated_sentences_are_never_near_duplicates() -> None:
    rng = np.random.default_rng(2)
    texts = [" ".join(rng.choice(WORDS, int(rng.integers(3, 40)))) for _ in range(3_000)]
    assert duplicate_clusters([str(k) for k in range(3_000)], texts) == {}


def test_a_chain_is_one_cluster_and_first_cuts_it() -> None:
    rng = np.random.default_rng(3)
    words = [str(word) for word in rng.choice(WORDS, 40)]
    texts = [" ".join(words)]
    for step in range(8):
        words = words.copy()
        words[5 * step : 5 * step + 5] = [str(word) for word in rng.choice(WORDS, 5)]
        texts.append(" ".join(words))
    ids = list("abcdefghi")
    assert set(duplicate_clusters(ids, texts, 0.6).values()) == {"a"}
    apart = duplicate_clusters(ids, texts, 0.6, linkage="first")
    assert len(set(apart.values())) > 2
    for id_, name in apart.items():
        assert jaccard(texts[ids.index(id_)], texts[ids.index(name)]) >= 0.6


def test_a_crowded_bucket_is_still_one_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    words = [str(word) for word in rng.choice(WORDS, 40)]
    texts = [" ".join(edited(rng, words, 2)) for _ in range(120)]
    ids = [f"{k:03d}" for k in range(120)]
    whole = duplicate_clusters(ids, texts, 0.5)
    monkeypatch.setattr(module, "LARGE_BUCKET", 10)
    assert duplicate_clusters(ids, texts, 0.5) == whole
    assert len(whole) == 120


def test_only_the_leading_characters_are_compared() -> None:
    head = " ".join(WORDS[:600])[: module.SHINGLED_CHARACTERS]
    assert duplicate_clusters(["a", "b"], [head + " one ending", head + " quite another"], 1.0) == {
        "a": "a",
        "b": "a",
    }


@pytest.mark.parametrize(
    "bad", [{"threshold": 0}, {"threshold": 1.1}, {"kind": "fuzzy"}, {"linkage": "average"}]
)
def test_a_wrong_setting_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        duplicate_clusters(["a"], ["x"], **bad)


def test_texts_with_two_labels_and_giant_clusters_are_reported() -> None:
    rng = np.random.default_rng(5)
    words = [str(word) for word in rng.choice(WORDS, 30)]
    texts = [" ".join(edited(rng, words, 1)) for _ in range(20)]
    texts += [" ".join(rng.choice(WORDS, 30)) for _ in range(30)] + ["same text here", "Same text  here"]
    labels = ["a", "b"] * 25 + ["a", "b"]
    corpus = Corpus.from_columns("made", texts, labels, CARD, [f"{k:02d}" for k in range(52)])
    found = {finding.code: finding for finding in duplicates(corpus)}
    assert found["label-conflict-normalised"].evidence["first"] == {"50": ["a", "b"]}
    assert "label-conflict-exact" not in found
    assert found["giant-cluster"].evidence["rows"] == 20
    assert found["duplicates-near"].evidence["rows"] == 22
    assert found["duplicates-near"].evidence["share_by_label"] == {"a": 11 / 26, "b": 11 / 26}


def test_a_corpus_without_duplicates_gives_no_warning() -> None:
    rng = np.random.default_rng(6)
    texts = [" ".join(rng.choice(WORDS, 12)) for _ in range(200)]
    corpus = Corpus.from_columns("made", texts, ["a", "b"] * 100, CARD)
    assert {finding.severity for finding in duplicates(corpus)} == {"info"}


@pytest.mark.parametrize(
    ("threshold", "rows", "spam", "ham"),
    [(0.5, 1074, 60.9, 12.8), (0.7, 966, 55.7, 11.4), (0.8, 911, 50.3, 11.1)],
)
def test_the_published_counts_of_sms_spam(data_folder, threshold, rows, spam, ham) -> None:
    table = pq.read_table(data_folder / "sms_spam.parquet")
    corpus = Corpus.from_columns("sms", table["text"].to_pylist(), table["label"].to_pylist(), CARD)
    found = {finding.code: finding.evidence for finding in duplicates(corpus, threshold)}
    assert found["duplicates-exact"]["rows_beyond_the_first"] == 403
    assert len(corpus) - found["duplicates-normalised"]["rows_beyond_the_first"] == 5_140
    assert found["duplicates-near"]["rows"] == rows
    share = found["duplicates-near"]["share_by_label"]
    assert (round(100 * share["spam"], 1), round(100 * share["ham"], 1)) == (spam, ham)


def test_planted_edits_are_found_as_brute_force_finds_them_with_recall_stated() -> None:
    rng = np.random.default_rng(7)
    texts = []
    for size in rng.choice([1, 2, 3, 5], 120).tolist():
        words = [str(word) for word in rng.choice(WORDS, int(rng.integers(6, 40)))]
        texts += [
            " ".join(edited(rng, words, int(rng.integers(0, 1 + len(words) // 5)))) for _ in range(size)
        ]
    grams = [{text[k : k + 5] for k in range(len(text) - 4)} for text in map(normalise, texts)]
    real = {
        pair
        for pair in combinations(range(len(texts)), 2)
        if len(grams[pair[0]] & grams[pair[1]]) >= 0.5 * len(grams[pair[0]] | grams[pair[1]])
    }
    found = duplicate_clusters([f"{k:04d}" for k in range(len(texts))], texts, 0.5)
    together = sum(found.get(f"{a:04d}", "") == found.get(f"{b:04d}", "-") for a, b in real)
    assert len(real) > 200 and together >= module.RECALL * len(real)


def test_near_copies_with_two_labels_are_reported_and_clusters_are_listed() -> None:
    texts = [
        "please pay the open bill by friday",
        "please pay the open bill by monday",
        "nothing like it at all",
    ]
    corpus = Corpus.from_columns("made", texts, ["ham", "spam", None], CARD, ["b", "a", "c"])
    clusters = duplicate_clusters(corpus.ids, corpus.texts)
    found = {finding.code: finding for finding in duplicates(corpus, near=clusters)}
    assert found["label-conflict-near"].evidence["first"] == {"a": ["ham", "spam"]}
    assert "label-conflict-exact" not in found
    (only,) = cluster_table(corpus, clusters)
    assert only.to_json() == {"name": "a", "rows": 2, "labels": {"ham": 1, "spam": 1}, "first": ["a", "b"]}


def test_progress_is_told_from_first_to_last() -> None:
    told: list[tuple[int, int, str]] = []
    texts = [" ".join(WORDS[k : k + 9]) for k in range(0, 400, 2)]
    duplicate_clusters([str(k) for k in range(200)], texts, on_progress=lambda *step: told.append(step))
    for what in {step[2] for step in told}:
        done = [step[0] for step in told if step[2] == what]
        assert done == sorted(done)
    assert told[-1][0] == told[-1][1]


def test_near_duplicates_that_would_not_fit_the_memory_are_refused_before_they_are_looked_for(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10_000)
    with pytest.raises(BadInput, match=r"data\.take"):
        duplicate_clusters([str(k) for k in range(100)], WORDS[:100])
    assert duplicate_clusters(["a", "b"], ["some text here", "some text here"], kind="normalised")
