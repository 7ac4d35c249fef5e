"""Wrong labels: uniform among the other classes, or between two and nowhere else."""

from collections import Counter

import pytest
from planted_rows import eligible, flaw_of, plain, planted, rows_of, single, steps
from scipy.stats import binomtest, chisquare

from crossover.data.bad_input import BadInput
from crossover.data.mail_stock import CLASSES

CHANCE = 1e-5


def test_symmetric_noise_is_uniform_among_the_other_classes():
    corpus = planted("inbox", {"label_noise": flaw_of("label_noise", strength=1)}, 1500)
    wrong = Counter((step.before, step.after) for step in steps(corpus))
    for before in CLASSES:
        counts = [wrong[before, after] for after in CLASSES if after != before]
        assert wrong[before, before] == 0 and chisquare(counts).pvalue > CHANCE


def test_noise_between_two_classes_leaves_the_others_alone():
    noise = flaw_of("label_noise", strength=0.4, between=["ad_spam", "good"])
    corpus = planted("inbox", {"label_noise": noise})
    before, after = rows_of(plain("inbox")), rows_of(corpus)
    changed = Counter((before[id_]["label"], row["label"]) for id_, row in after.items())
    wrong = {pair: count for pair, count in changed.items() if pair[0] != pair[1]}
    assert set(wrong) == {("ad_spam", "good"), ("good", "ad_spam")}
    for label, other in wrong:
        rows = wrong[label, other] + changed[label, label]
        assert binomtest(wrong[label, other], rows, 0.4).pvalue > CHANCE, "the rate is that of each class"


def test_unlabelled_rows_stay_unlabelled():
    corpus = single("letters", "label_noise", 1.0)
    assert corpus.labels.count(None) == plain("letters").labels.count(None) > 0
    assert set(corpus.truth.ids("label_noise")) == eligible("letters", "label_noise")


def test_votes_and_texts_do_not_know_of_it():
    noisy = single("inbox", "label_noise", 0.5)
    assert noisy.table.drop_columns("label").equals(plain("inbox").table.drop_columns("label"))


def test_two_classes_mean_two_different_ones():
    for between in (
        ["good"],
        ["good", "good"],
        ["good", "good", "ad_spam"],
        [],
        ["good", "ad_spam", "phishing"],
    ):
        with pytest.raises(BadInput, match="expected two classes"):
            planted("inbox", {"noise": flaw_of("label_noise", strength=0.5, between=between)}, 50)
