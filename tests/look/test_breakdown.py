"""Breakdowns: hand-worked shares and medians, intervals that cover, copies that are one witness."""

import json

import numpy as np
import pytest
from scipy import stats

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.look.breakdown import Breakdown, breakdowns, contrasts
from crossover.look.dependence import one_a_cluster, units
from crossover.look.text_statistics import text_statistics

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")


def corpus_of(texts, labels, **meta):
    return Corpus.from_columns("made", texts, labels, CARD, [f"{k:05d}" for k in range(len(texts))], meta)


def of(corpus, statistic, by, **options) -> Breakdown:
    found = breakdowns(corpus, text_statistics(corpus.texts), units(corpus, {}), **options)
    for one in found:
        json.dumps(one.to_json(), allow_nan=False)
    return next(one for one in found if (one.statistic, one.by) == (statistic, by))


def test_a_median_by_class_and_a_share_by_value_worked_by_hand() -> None:
    corpus = corpus_of(
        ["a", "a b", "a b c", "a b c d", "a", "x y"],
        ["spam", "spam", "spam", "ham", "ham", None],
        domain=("category", [".com", ".com", ".edu", ".edu", None, ".edu"]),
    )
    words = of(corpus, "words", "label")
    assert (words.centre, words.values, words.rows) == ("median", ("spam", "ham", "(missing)"), (3, 2, 1))
    assert words.estimates == (2.0, 2.5, 2.0) and words.low[2] is None
    spam = of(corpus, "share of spam", "domain")
    assert (spam.centre, spam.values) == ("share", (".edu", ".com", "(missing)"))
    assert spam.rows == (2, 2, 1) and spam.estimates == (0.5, 1.0, 0.0)


def test_times_are_binned_by_the_calendar_and_empty_months_stay() -> None:
    times = ["2024-01-05T00:00:00+00:00", "2024-01-20", "2024-04-02", None]
    found = of(corpus_of(["a"] * 4, ["x", "y", "x", "y"], when=("time", times)), "share of x", "when")
    assert (found.kind, found.values) == (
        "time by week",
        ("2024-01-01", "2024-01-08", "2024-01-15", *found.values[3:]),
    )
    long = ["2022-01-05", "2022-03-20", "2024-04-02", None]
    found = of(corpus_of(["a"] * 4, ["x", "y", "x", "y"], when=("time", long)), "share of x", "when")
    assert found.kind == "time by month" and found.values[0] == "2022-01" and len(found.values) == 28
    assert found.rows[:3] == (1, 0, 1) and found.estimates[1] is None


def test_rare_values_are_one_line_and_numbers_are_binned() -> None:
    corpus = corpus_of(
        ["a"] * 30, ["x", "y"] * 15,
        who=("group", [f"s{k % 20}" if k > 9 else "s0" for k in range(30)]),
        score=("number", [float(k) for k in range(29)] + [None]),
    )  # fmt: skip
    assert of(corpus, "words", "who", most_values=1).values == ("s0", "(others): 19 values")
    score = of(corpus, "words", "score")
    assert len(score.values) == 5 and sum(score.rows) == 29


def test_the_interval_of_independent_rows_is_the_textbook_one() -> None:
    draw = np.random.default_rng(0)
    texts = ["9" * int(k) + "a" * 20 for k in draw.integers(0, 30, 200)]
    corpus = corpus_of(texts, ["x"] * 200)
    found, x = of(corpus, "digits", "label"), text_statistics(texts).numbers["digits"]
    want = stats.t.interval(0.95, 199, x.mean(), stats.sem(x))
    assert np.allclose([found.low[0], found.high[0]], want)


def test_intervals_cover_in_95_of_100_with_clusters() -> None:
    draw, tries = np.random.default_rng(1), 150
    covered = dict.fromkeys(("words", "share of x", "capitals"), 0)
    truth = {"words": 5.5, "share of x": 0.3, "capitals": 0.5}
    for _ in range(tries):
        sender = np.repeat(np.arange(40), draw.integers(1, 6, 40))
        words = np.round(draw.uniform(1, 10, 40)[sender] + draw.uniform(-1, 1, len(sender))).astype(int)
        capital = np.round(20 * draw.random(40)[sender]).astype(int)
        texts = [
            " ".join(["A" * c + "a" * (20 - c)] * max(k, 1)) for k, c in zip(words, capital, strict=True)
        ]
        labels = np.where((draw.random(40) < 0.3)[sender], "x", "y").tolist()
        one = corpus_of(texts, labels, all=("category", ["c"] * len(sender)))
        found = breakdowns(one, text_statistics(texts), sender)
        for name in covered:
            (line,) = (line for line in found if (line.statistic, line.by) == (name, "all"))
            covered[name] += line.low[0] <= truth[name] <= line.high[0]
    assert min(covered.values()) >= 0.9 * tries, covered


def test_copies_are_one_witness() -> None:
    texts = [f"{'a ' * (1 + k % 7)}" for k in range(60)]
    once = corpus_of(texts, ["x", "y", "y"] * 20, all=("category", ["c"] * 60))
    thrice = corpus_of(texts * 3, ["x", "y", "y"] * 60, all=("category", ["c"] * 180))
    clusters = {f"{k:05d}": f"{k % 60:05d}" for k in range(180)}
    narrow = of(once, "share of x", "all")
    wide = next(
        one
        for one in breakdowns(thrice, text_statistics(thrice.texts), units(thrice, clusters))
        if (one.statistic, one.by) == ("share of x", "all")
    )
    assert wide.rows == (180,) and np.allclose(
        [wide.low[0], wide.high[0]], [narrow.low[0], narrow.high[0]], atol=0.005
    )


def test_two_named_values_against_each_other() -> None:
    draw = np.random.default_rng(2)
    region = ["africa", "europe"] * 200
    labels = ["spam" if draw.random() < (0.6 if where == "africa" else 0.3) else "ham" for where in region]
    corpus = corpus_of(
        ["word " * int(k) for k in draw.integers(1, 9, 400)], labels, region=("category", region)
    )
    found = {
        one.statistic: one
        for one in contrasts(
            corpus, text_statistics(corpus.texts), units(corpus, {}), "region", "africa", "europe"
        )
    }
    spam = found["share of spam"]
    assert spam.low < 0.3 < spam.high and spam.p_value < 1e-4 and spam.rows == (200, 200)
    words = text_statistics(corpus.texts).numbers["words"]
    welch = stats.ttest_ind(words[0::2], words[1::2], equal_var=False)
    assert np.isclose(found["words"].p_value, welch.pvalue, rtol=0.05)
    with pytest.raises(BadInput, match="asia"):
        contrasts(corpus, text_statistics(corpus.texts), units(corpus, {}), "region", "asia", "europe")
    with pytest.raises(BadInput, match="no meta column"):
        contrasts(corpus, text_statistics(corpus.texts), units(corpus, {}), "country", "asia", "europe")


def test_one_row_of_a_cluster_is_kept_whichever_came_first() -> None:
    corpus = corpus_of(["a"] * 6, ["x"] * 6)
    clusters = {f"{k:05d}": "00000" for k in range(4)}
    kept = one_a_cluster(corpus, clusters).tolist()
    assert len(kept) == 3 and kept[1:] == [4, 5]
    firsts = [
        one_a_cluster(
            Corpus.from_columns("made", ["a"] * 4, ["x"] * 4, CARD, [f"{s}-{k}" for k in range(4)]),
            {f"{s}-{k}": f"{s}-0" for k in range(4)},
        )[0]
        for s in range(200)
    ]
    assert 30 <= sum(row == 0 for row in firsts) <= 70


def test_rows_hang_together_by_a_chain_of_copies_and_groups() -> None:
    corpus = corpus_of(["a"] * 5, ["x"] * 5, who=("group", ["p", "q", "q", None, "r"]))
    found = units(corpus, {"00000": "00000", "00001": "00000"})
    assert found[0] == found[1] == found[2] and len(set(found.tolist())) == 3
