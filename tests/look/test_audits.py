"""The audits of a look: each sees what it is for, with its number and remedy, and is silent without it."""

import json

import numpy as np
import pytest

from crossover.data.corpus import Card, Corpus
from crossover.look.by_meta import by_meta
from crossover.look.cut_texts import cut_texts
from crossover.look.damage import damage
from crossover.look.declared_columns import declared_columns
from crossover.look.file_order import file_order, runs
from crossover.look.mixed_languages import mixed_languages
from crossover.look.over_time import over_time
from crossover.look.text_statistics import text_statistics
from crossover.look.vocabulary import vocabulary, vocabulary_finding
from crossover.look.word_spikes import word_spikes
from crossover.look.word_table import word_table

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
DRAW = np.random.default_rng(0)
WORDS = ["".join(DRAW.choice(list("abcdefghijklmnopqrstuvwxyz"), 4 + k % 6)) for k in range(300)]


def drawn(n: int, seed: int = 1) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, int(draw.integers(5, 30)))) for _ in range(n)]


def days(n: int, seed: int = 2) -> list[str]:
    draw = np.random.default_rng(seed)
    when = np.datetime64("2024-01-01", "s") + draw.integers(0, 366 * 86_400, n).astype("timedelta64[s]")
    return [f"{one}+00:00" for one in np.datetime_as_string(when)]


def made(texts, labels=None, **meta) -> Corpus:
    labels = labels if labels is not None else ["a", "b"] * (len(texts) // 2)
    return Corpus.from_columns("made", texts, labels, CARD, [f"{k:05d}" for k in range(len(texts))], meta)


def every(corpus: Corpus) -> np.ndarray:
    return np.arange(len(corpus))


def by_code(findings) -> dict:
    for finding in findings:
        json.dumps(finding.to_json(), allow_nan=False)
        assert bool(finding.remedy) == (finding.severity != "info"), finding
    return {finding.code: finding for finding in findings}


def test_a_class_and_a_region_that_grow_and_digits_that_vanish_are_dated() -> None:
    when, texts = days(800), drawn(800)
    late = [one >= "2024-07" for one in when]
    draw = np.random.default_rng(3)
    labels = ["a" if draw.random() < (0.5 if after else 0.2) else "b" for after in late]
    region = ["x" if draw.random() < (0.4 if after else 0.1) else f"r{draw.integers(3)}" for after in late]
    texts = [text if after else f"{text} 12345" for text, after in zip(texts, late, strict=True)]
    score = [float(draw.normal() + after) for after in late]
    corpus = made(texts, labels, when=("time", when), region=("category", region), score=("number", score))
    found = by_code(over_time(corpus, text_statistics(texts), every(corpus)))
    grown = found["class-over-time-when"]
    assert grown.severity == "warning" and grown.p_value < 1e-6 and "split=temporal" in grown.remedy
    assert grown.evidence["since"][:7] in ("2024-06", "2024-07")
    assert found["text-over-time-when"].evidence["value"] == "digits"
    assert found["text-over-time-when"].evidence["effect"] < -0.3
    assert found["meta-region-over-time-when"].evidence["value"] == "x"
    assert found["meta-score-over-time-when"].evidence["effect"] > 0.1


def test_a_change_too_small_to_matter_only_describes() -> None:
    when = sorted(days(40_000))
    labels = [
        "a" if np.random.default_rng(k).random() < 0.30 + 0.03 * (k > 20_000) else "b" for k in range(40_000)
    ]
    corpus = made(["x"] * 40_000, labels, when=("time", when))
    found = by_code(over_time(corpus, text_statistics(corpus.texts), every(corpus)))["class-over-time-when"]
    assert found.p_value < 0.001 and found.severity == "info" and found.evidence["effect_floor"] == 0.05


def test_a_word_that_is_everywhere_for_two_weeks_is_named_and_a_month_is_not() -> None:
    when, texts = days(1200), drawn(1200)
    spike = ["equinox" if "2024-05-10" <= day < "2024-05-24" else "" for day in when]
    month = ["may" if day[:7] == "2024-05" else "" for day in when]
    texts = [" ".join(parts) for parts in zip(texts, spike, month, strict=True)]
    corpus = made(texts, when=("time", when))
    found = by_code(word_spikes(corpus, word_table(texts), every(corpus)))["word-spike-when"]
    assert found.severity == "warning" and found.evidence["word"] == "equinox" and found.p_value < 1e-12
    assert (
        "2024-05-05" <= found.evidence["since"] <= "2024-05-13" and found.evidence["share_elsewhere"] < 0.01
    )


def test_no_more_than_5_in_100_corpora_without_a_spike_have_one() -> None:
    table = word_table(drawn(400))
    found = [
        by_code(word_spikes(corpus, table, every(corpus)))["word-spike-when"].p_value
        for corpus in (made(["x"] * 400, when=("time", days(400, seed))) for seed in range(60))
    ]
    assert sum(p <= 0.05 for p in found) <= 6


def test_lengths_in_steps_are_not_cut() -> None:
    corpus = made([" ".join(["sixsix"] * (3 + k % 20)) for k in range(600)])
    assert by_code(cut_texts(corpus, every(corpus)))["cut-texts"].severity == "info"


def test_columns_that_tell_the_class_and_texts_that_differ_by_column() -> None:
    draw, n = np.random.default_rng(4), 600
    labels = draw.choice(["a", "b"], n).tolist()
    sender = [f"{label}{draw.integers(100)}" if draw.random() < 0.8 else "both" for label in labels]
    region = draw.choice(["x", "y"], n).tolist()
    texts = [
        f"{text} 123456789" if where == "x" else text for text, where in zip(drawn(n), region, strict=True)
    ]
    useful = [float(draw.normal() + (label == "a")) for label in labels]
    corpus = made(
        texts, labels, sender=("group", sender), region=("category", region),
        useful=("number", useful), again=("number", [v + 0.01 for v in useful]),
        noise=("number", draw.normal(size=n).tolist()),
    )  # fmt: skip
    found = by_code(by_meta(corpus, text_statistics(texts), every(corpus)))
    assert found["class-by-sender"].severity == "warning" and found["class-by-sender"].p_value == 1 / 2000
    assert "split.by=[sender]" in found["class-by-sender"].remedy
    assert found["class-by-region"].p_value > 0.01 and "text-by-sender" not in found
    assert found["text-by-region"].evidence["statistic"] == "digits"
    assert (
        found["class-by-useful"].evidence["value"] in ("a", "b")
        and found["class-by-useful"].severity == "warning"
    )
    assert found["class-by-noise"].severity == "info"
    same = by_code(declared_columns(corpus, every(corpus)))["redundant-columns"]
    assert [pair["columns"] for pair in same.evidence["pairs"]] == [["again", "useful"]]


def test_missing_and_constant_columns() -> None:
    labels = ["a", "b"] * 100
    corpus = made(
        ["x"] * 200, labels,
        told=("category", [None if one == "a" and k % 3 else f"v{k % 2}" for k, one in enumerate(labels)]),
        one=("category", ["same"] * 200), empty=("category", [None] * 200),
        full=("category", ["p", "q"] * 100), nearly=("category", ["p"] * 199 + ["q"]),
    )  # fmt: skip
    found = by_code(declared_columns(corpus, every(corpus)))
    assert found["missing-told"].severity == "warning" and found["missing-told"].p_value < 1e-6
    assert found["missing-told"].evidence["share_by_label"]["b"] == 0
    assert found["constant-one"].severity == "warning" and found["missing-empty"].severity == "warning"
    assert found["constant-nearly"].severity == "info" and "missing-full" not in found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("cafÃ© au lait", "mojibake"), ("itâ€™s fine", "mojibake"), ("caf\ufffd", "replacement-characters"),
        ("a &lt;#&gt; b", "html-entities"), ("one<br>two", "html-tags"),
        ("yes\n-----Original Message-----\nold", "quoted-replies"),
        ("yes\n> old one\n> old two", "quoted-replies"),
        ("- - - - - - - - forwarded by x", "quoted-replies"),
        ("On Monday 3 May Bob wrote:\nold", "quoted-replies"),
    ],
)  # fmt: skip
def test_damage_is_counted_by_kind_and_class(text: str, code: str) -> None:
    found = by_code(damage(made([text, "plain text"] * 20)))
    assert set(found) == {code}
    assert (
        found[code].evidence["share_by_label"] == {"a": 1.0, "b": 0.0} and found[code].severity == "warning"
    )


@pytest.mark.parametrize(
    "text", ["Ça va, naïve café", "R&D & more", "a < b and c > d", "AT&T; well -- so", "Â bientôt"]
)
def test_plain_text_is_not_damaged(text: str) -> None:
    assert damage(made([text] * 4)) == []


def test_texts_cut_at_one_length_are_seen_and_copies_are_not_taken_for_them() -> None:
    texts = [text[:120] for text in drawn(600)]
    corpus = made(texts)
    found = by_code(cut_texts(corpus, every(corpus)))["cut-texts"]
    assert (found.severity, found.evidence["length"], found.evidence["longer"]) == ("warning", 120, 0)
    plain = made(drawn(600))
    assert by_code(cut_texts(plain, every(plain)))["cut-texts"].p_value > 0.05
    copies = made([*drawn(200), *["the same text forty characters long, yes."] * 60])
    assert by_code(cut_texts(copies, np.arange(201)))["cut-texts"].p_value > 0.05


def test_texts_in_another_language_are_counted_by_class() -> None:
    english, german = (
        "this is what we have to say about the matter",
        "das ist was wir dazu nicht mehr sagen wollen",
    )
    corpus = made([english, german] + [english, english] * 10 + [english, german] * 9)
    found = by_code(mixed_languages(corpus, text_statistics(corpus.texts)))["languages"]
    assert found.severity == "warning" and found.evidence["languages"] == {"en": 30, "de": 10}
    assert found.evidence["other_share_by_label"] == {"a": 0.0, "b": 0.5}
    plain = made([english] * 40)
    assert by_code(mixed_languages(plain, text_statistics(plain.texts)))["languages"].severity == "info"


def test_a_sorted_file_is_mentioned_a_shuffled_one_is_not() -> None:
    corpus = made(["x"] * 400, ["a"] * 150 + ["b"] * 250)
    found = by_code(file_order(corpus, every(corpus)))["file-order"]
    assert found.severity == "info" and "row 151" in found.title and found.p_value is None
    labels = np.random.default_rng(5).permutation(["a"] * 150 + ["b"] * 250).tolist()
    assert file_order(made(["x"] * 400, labels), np.arange(400)) == []


def test_runs_by_hand_and_by_simulation() -> None:
    assert runs(np.array(list("aabba"), object))[:2] == (3, pytest.approx((5 * 6 - 13) / 5))
    draw = np.random.default_rng(6)
    labels = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10, object)
    p = np.array([runs(draw.permutation(labels))[2] for _ in range(1000)])
    assert 25 <= (p <= 0.05).sum() <= 75


def test_the_words_a_class_over_uses_come_first_with_their_counts() -> None:
    texts = [f"{text} {'bargain' if k % 2 == 0 and k % 3 else ''}" for k, text in enumerate(drawn(300))]
    labels: list[str | None] = ["a", "b"] * 150
    labels[7] = None
    found = vocabulary(word_table(texts), labels)
    first = found["a"][0]
    assert (first.word, first.texts, first.others) == ("bargain", 100, 0) and first.share == 100 / 150
    assert all(word.z > 2 for words in found.values() for word in words)
    (said,) = vocabulary_finding(found, 300)
    assert said.severity == "info" and "bargain" in said.title


def test_a_word_table_holds_words_of_enough_texts_but_not_of_all() -> None:
    table = word_table(["Red blue every"] * 5 + ["red every x"] * 4 + ["every once"])
    assert table.words == ("blue", "red")
    assert table.held.toarray().sum(axis=0).tolist() == [5, 9]
    assert word_table([]).words == () and word_table(["", ""]).held.shape == (2, 0)


def test_a_class_of_a_few_rows_is_not_the_one_a_number_tells() -> None:
    draw, labels = np.random.default_rng(8), ["a"] * 100 + ["b"] * 100 + ["c"] * 2
    number = [*(draw.normal(size=100) + 0.8), *draw.normal(size=100), 99.0, 98.0]
    corpus = made(["x"] * 202, labels, score=("number", [float(value) for value in number]))
    found = by_code(by_meta(corpus, text_statistics(corpus.texts), every(corpus)))["class-by-score"]
    assert found.evidence["value"] in ("a", "b") and found.severity == "warning"


def test_two_followed_values_among_others_are_two_tests_and_two_classes_one() -> None:
    when = sorted(days(300))
    region = ["x"] * 140 + ["y"] * 140 + [f"r{k}" for k in range(20)]
    corpus = made(["x"] * 300, ["a"] * 120 + ["b"] * 180, when=("time", when), region=("category", region))
    found = by_code(over_time(corpus, text_statistics(corpus.texts), every(corpus)))
    assert found["class-over-time-when"].evidence["tests"] == 1
    assert found["meta-region-over-time-when"].evidence["tests"] == 2
