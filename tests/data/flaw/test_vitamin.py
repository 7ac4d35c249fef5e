"""Vitamin mail: annotators disagree about it, and nothing in it tells which class it has."""

import json
from collections import Counter

import pytest
from planted_rows import flaw_of, letters, plain, planted, rows_of, single
from scipy.stats import binomtest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from crossover.data.bad_input import BadInput

CHANCE = 1e-5


def ballots(corpus):
    votes = zip(corpus.ids, corpus.meta_values("votes"), strict=True)
    return {id_: json.loads(str(ballot)) for id_, ballot in votes if ballot is not None}


@pytest.mark.parametrize("ground", ["inbox", "letters"])
def test_every_vote_on_it_is_a_coin_toss(ground):
    corpus = single(ground, "vitamin", 1.0)
    tossed = [vote for id_, vote in ballots(corpus).items() if id_ in set(corpus.truth.ids("vitamin"))]
    for annotator in ("ann", "ben", "cleo"):
        votes = Counter(ballot[annotator] for ballot in tossed)
        assert set(votes) == {"ad_spam", "drug_spam"}
        assert binomtest(votes["ad_spam"], len(tossed)).pvalue > CHANCE
    split = sum(len(set(ballot.values())) == 2 for ballot in tossed)
    assert binomtest(split, len(tossed), 0.75).pvalue > CHANCE, "three coins agree one time in four"


def test_annotators_of_the_inbox_disagree_more_about_it_than_about_other_mail():
    corpus = single("inbox", "vitamin", 0.5)
    vitamin = set(corpus.truth.ids("vitamin"))
    torn = {id_: len(set(ballot.values())) > 1 for id_, ballot in ballots(corpus).items()}
    inside, outside = [torn[id_] for id_ in vitamin], [torn[id_] for id_ in set(corpus.ids) - vitamin]
    assert sum(inside) / len(inside) > 1.5 * sum(outside) / len(outside)
    others = {id_: ballot for id_, ballot in ballots(corpus).items() if id_ not in vitamin}
    assert others.items() <= ballots(plain("inbox")).items()


def test_a_corpus_without_votes_gets_a_column_of_unanimous_ones():
    corpus = single("letters", "vitamin", 0.3)
    assert "votes" not in plain("letters").meta and corpus.meta["votes"] == "votes"
    added = [line for line in corpus.truth.table.to_pylist() if line["id"] is None]
    assert [(line["column"], line["detail"]) for line in added] == [("votes", "unanimous")]
    for row in rows_of(corpus).values():
        if row["id"] in corpus.truth.ids("vitamin"):
            continue
        if row["label"] is None:
            assert row["votes"] is None
        else:
            assert json.loads(str(row["votes"])) == dict.fromkeys(("ann", "ben", "cleo"), row["label"])


def test_the_added_column_can_be_named_and_takes_no_other_s_place():
    named = planted("letters", {"vitamin": flaw_of("vitamin", strength=0.3, votes="ballots")})
    assert named.meta["ballots"] == "votes" and "votes" not in named.meta
    with pytest.raises(BadInput, match="flaw vitamin: the corpus has a column 'region' already"):
        planted("letters", {"vitamin": flaw_of("vitamin", strength=0.3, votes="region")})
    assert "region" in letters().meta


def test_nothing_in_the_text_tells_its_class():
    corpus = planted("inbox", {"vitamin": flaw_of("vitamin", strength=1)}, 1200)
    rows = [rows_of(corpus)[id_] for id_ in corpus.truth.ids("vitamin")]
    texts, labels = [str(row["text"]) for row in rows], [str(row["label"]) for row in rows]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    right = sum(a == b for a, b in zip(cross_val_predict(model, texts, labels, cv=5), labels, strict=True))
    assert binomtest(right, len(labels), 0.5).pvalue > CHANCE
    untouched = [(r["text"], r["label"]) for r in rows_of(planted("inbox", None, 1200)).values()]
    pair = [(text, label) for text, label in untouched if label in ("ad_spam", "drug_spam")]
    plain_texts, plain_labels = zip(*pair, strict=True)
    guesses = cross_val_predict(model, list(plain_texts), list(plain_labels), cv=5)
    assert sum(guesses == list(plain_labels)) > 0.6 * len(pair), "plain mail of the two can be told apart"
