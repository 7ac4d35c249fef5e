"""Campaigns: copies that any near-duplicate search must find, on both sides of a random split."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_rows import flaw_of, has_digit, plain, planted, rows_of, single
from toy import CARD

from crossover.data.corpus import Corpus
from crossover.data.flaw.campaign import CHARACTERS_AN_EDIT, MOST_EDITS, near_copy
from crossover.data.flaw.planting import planted as plant_in
from crossover.data.table_file import TableFile
from crossover.look.duplicates import duplicate_clusters, jaccard, normalise
from crossover.split.stratified import Stratified

WORDS = ["Dear", "colleague", "the", "meeting", "on", "budget", "moves", "to", "Thursday", "please", "bring"]


def by_campaign(corpus, name="campaign"):
    """The ids of each campaign."""
    groups = defaultdict(list)
    for id_, detail in corpus.truth.details(name).items():
        groups[detail].append(id_)
    return groups


def alike(corpus, name="campaign"):
    """The least similarity of two copies of one campaign, and how many pairs there are."""
    texts = {id_: normalise(text) for id_, text in zip(corpus.ids, corpus.texts, strict=True)}
    similar = [
        jaccard(texts[a], texts[b])
        for ids in by_campaign(corpus, name).values()
        for a, b in itertools.combinations(ids, 2)
    ]
    return min(similar), len(similar)


def bits_of(seed):
    return np.random.default_rng(seed).integers(0, 2**64, 1 + MOST_EDITS, np.uint64)


@pytest.mark.parametrize("name", ["campaign", "campaign_start"])
def test_copies_of_one_mail_are_near_duplicates(name):
    corpus = planted("inbox", {name: flaw_of(name, strength=1, campaigns=4)}, 600)
    least, pairs = alike(corpus, name)
    assert pairs > 40 and least >= 0.5


@pytest.mark.parametrize("campaigns", [3, 25])
def test_copies_of_real_messages_are_near_duplicates(campaigns, data_folder):
    sms = TableFile(str(data_folder / "sms_spam.parquet")).load()
    long = sms.select([id_ for id_, text in zip(sms.ids, sms.texts, strict=True) if len(text) >= 150])
    some = long.select(long.ids[:150])
    corpus = plant_in(some, {"campaign": flaw_of("campaign", strength=1, campaigns=campaigns)})
    least, pairs = alike(corpus)
    assert pairs > 200 and least >= 0.5


@given(st.integers(0, 2**32), st.integers(26, 140), st.integers(1, 80))
@settings(max_examples=150, deadline=None)
def test_two_copies_of_any_text_of_130_characters_are_near_duplicates(seed, words, longest):
    """Words of any length, links among them."""
    rng = np.random.default_rng(seed)
    letters_ = np.array(list("abcdefghijklmnopqrstuvwxyz0123456789"))
    text = " ".join("".join(rng.choice(letters_, rng.integers(1, longest + 1))) for _ in range(words))
    if len(text) >= CHARACTERS_AN_EDIT:
        one, other = (near_copy(text, bits_of(k)) for k in (seed, seed + 1))
        assert jaccard(normalise(one), normalise(other)) >= 0.5


@given(st.text(max_size=60), st.integers(1, 40), st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_copied_and_keeps_its_first_word_and_lines(text, times, seed):
    text *= times
    copy = near_copy(text, bits_of(seed))
    assert copy.count("\n") == text.count("\n")
    assert normalise(copy.split(" ")[0]) == normalise(text.split(" ")[0])
    assert abs(len(copy.split(" ")) - len(text.split(" "))) <= MOST_EDITS
    if len(text) < CHARACTERS_AN_EDIT:
        assert normalise(copy) == normalise(text), "a short text changes its digits alone"


def test_a_link_that_fills_half_a_text_stays():
    text = f"Claim your prize today https://example.com/{'abcdefghijklmnopqrstuvwxyz' * 3} and be quick now"
    copies = {normalise(near_copy(text, bits_of(seed))) for seed in range(60)}
    assert len(text) >= CHARACTERS_AN_EDIT and len(copies) > 10
    assert min(jaccard(a, b) for a, b in itertools.combinations(sorted(copies), 2)) >= 0.5


def test_a_text_without_blanks_can_be_copied():
    text = "会议将于周四举行请带上预算草案" * 20
    assert near_copy(text, bits_of(0)) == text


def test_every_digit_of_a_copy_is_another():
    text = "code 0123456789 for you"
    copies = {near_copy(text, bits_of(seed)) for seed in range(40)}
    assert len(copies) == 9
    assert all(a != b for copy in copies for a, b in zip(copy, text, strict=True) if has_digit(b))


def test_a_long_text_is_edited_in_several_words():
    text = " ".join(WORDS[k % len(WORDS)] + "abcdefghij"[k % 10] for k in range(120))
    assert text not in {near_copy(text, bits_of(seed)) for seed in range(50)}
    assert {len(near_copy(text, bits_of(seed)).split()) for seed in range(50)} >= {119, 121, 123}


@pytest.mark.parametrize("strength", [0.1, 0.6])
def test_the_template_of_another_corpus_is_one_of_its_rows_and_the_first_planted(strength):
    before = rows_of(plain("letters"))
    corpus = single("letters", "campaign", strength)
    after = rows_of(corpus)
    for ids in by_campaign(corpus).values():
        kept = {str(before[id_]["text"]) for id_ in ids if before[id_]["text"] == after[id_]["text"]}
        assert len(kept) == 1, "one text of a campaign is its template and stays"
        template = kept.pop()
        for id_ in ids:
            if len(template) >= CHARACTERS_AN_EDIT:
                assert jaccard(normalise(template), normalise(str(after[id_]["text"]))) >= 0.5
            assert (len(str(after[id_]["text"])) == len(template)) or len(template) >= CHARACTERS_AN_EDIT


def test_a_mail_of_a_campaign_is_of_its_class_and_no_row_of_the_inbox():
    corpus = single("inbox", "campaign", 1.0)
    labels = dict(zip(corpus.ids, corpus.labels, strict=True))
    details = corpus.truth.details("campaign")
    assert all(detail.split("/")[0] == labels[id_] for id_, detail in details.items())
    assert len(set(details.values())) == 5 * 20, "twenty a class"
    own = {normalise(text) for text in plain("inbox").texts}
    assert not own & {normalise(text) for text in corpus.texts}


def test_the_near_duplicate_search_finds_the_campaigns_and_nothing_else():
    corpus = planted("inbox", {"campaign": flaw_of("campaign", strength=0.3)}, 1000)
    clusters = duplicate_clusters(corpus.ids, corpus.texts)
    truth = {detail: ids for detail, ids in by_campaign(corpus).items() if len(ids) > 1}
    for ids in truth.values():
        assert len({clusters[id_] for id_ in ids}) == 1
    found = defaultdict(set)
    for id_, cluster in clusters.items():
        found[cluster].add(corpus.truth.details("campaign").get(id_))
    assert all(len(details) == 1 for details in found.values()), "no two campaigns, no plain row with one"
    assert sum(details == {None} for details in found.values()) < 0.01 * len(corpus)
    assert sum(details != {None} for details in found.values()) == len(truth)


def test_a_random_split_cuts_campaigns_and_one_by_near_duplicates_keeps_them_whole():
    corpus = planted("inbox", {"campaign": flaw_of("campaign", strength=0.3, campaigns=10)}, 1000)
    groups = [set(ids) for ids in by_campaign(corpus).values() if len(ids) > 1]
    blind, seeing = (Stratified(group_duplicates=kind).split(corpus) for kind in ("none", "near"))
    cut = [ids for ids in groups if ids & set(blind.train) and ids & set(blind.test)]
    assert len(cut) > 0.3 * len(groups)
    assert not [ids for ids in groups if ids & set(seeing.train) and ids & set(seeing.test)]


def test_a_campaign_that_starts_at_a_date_sends_nothing_before():
    corpus = single("inbox", "campaign_start", 0.5)
    rows = rows_of(corpus)
    ids = corpus.truth.ids("campaign_start")
    assert {rows[id_]["label"] for id_ in ids} == {"ad_spam"}
    assert min(str(rows[id_]["time"]) for id_ in ids) >= "2024-07-01T00:00:00+00:00"
    assert len(set(corpus.truth.details("campaign_start").values())) == 3
    early = flaw_of("campaign_start", strength=0.5, since=None)
    assert (
        min(str(rows[id_]["time"]) for id_ in planted("inbox", {"any": early}).truth.ids("any")) < "2023-03"
    )


def test_exact_copies_of_a_template_stay_as_they_are():
    text = " ".join(WORDS * 4)
    corpus = Corpus.from_columns("copies", [text] * 6 + ["short one"] * 6, ["a"] * 6 + ["b"] * 6, CARD)
    once = plant_in(corpus, {"campaign": flaw_of("campaign", strength=1, campaigns=1)})
    assert set(once.texts) == {text, "short one"}
    assert len(once.truth.ids("campaign")) == 12
