"""Classes that are wrong as a whole: one cut in two at random, two merged into one."""

import pytest
from planted_rows import eligible, flaw_of, letters, plain, planted, rows_of, single
from scipy.stats import binomtest

from crossover.data.bad_input import BadInput

CHANCE = 1e-5


def test_a_class_is_cut_in_halves():
    corpus = single("inbox", "split_class", 0.5)
    first, second = corpus.labels.count("good"), corpus.labels.count("good_2")
    assert first + second == plain("inbox").labels.count("good")
    assert binomtest(second, first + second).pvalue > CHANCE
    assert set(corpus.classes) == {*plain("inbox").classes, "good_2"}


def test_a_class_merged_whole_is_gone_and_its_rows_are_known():
    corpus = single("inbox", "merged_classes", 1.0)
    assert set(corpus.classes) == {*plain("inbox").classes} - {"drug_spam"}
    assert corpus.labels.count("ad_spam") == sum(
        label in ("ad_spam", "drug_spam") for label in plain("inbox").labels
    )
    assert set(corpus.truth.ids("merged_classes")) == eligible("inbox", "merged_classes")
    assert set(corpus.truth.details("merged_classes").values()) == {"was drug_spam"}


def test_a_class_merged_in_part_is_still_there():
    corpus = single("inbox", "merged_classes", 0.5)
    assert corpus.classes == plain("inbox").classes
    rows = rows_of(corpus)
    assert {rows[id_]["label"] for id_ in corpus.truth.ids("merged_classes")} == {"ad_spam"}


@pytest.mark.parametrize(("name", "gone"), [("merged_classes", "drug_spam"), ("split_class", "good")])
def test_label_noise_gives_no_row_a_class_that_is_gone(name, gone):
    noise = flaw_of("label_noise", strength=1)
    corpus = planted("inbox", {"noise": noise, name: flaw_of(name, strength=1)})
    assert gone not in corpus.classes
    assert "good_2" in corpus.classes or name == "merged_classes"
    with pytest.raises(BadInput, match=f"'{gone}' is no class of the corpus"):
        between = flaw_of("label_noise", strength=0.5, between=[gone, "phishing"])
        planted("inbox", {"noise": between, name: flaw_of(name, strength=1)}, 50)


def test_a_class_that_is_taken_or_its_own_is_refused():
    twice = {name: flaw_of("split_class", strength=0.5) for name in ("cut", "again")}
    with pytest.raises(BadInput, match="flaw again: the corpus has a class 'good_2' already"):
        planted("letters", twice)
    with pytest.raises(BadInput, match="flaw m: label and into are both 'good'"):
        planted("letters", {"m": flaw_of("merged_classes", strength=0.5, label="good", into="good")})
    assert "good_2" not in letters().classes
