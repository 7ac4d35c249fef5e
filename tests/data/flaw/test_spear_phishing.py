"""Spear phishing: a rare kind of mail with words of its own, hidden in a class, in any corpus."""

from planted_rows import eligible, flaw_of, letters, plain, planted, rows_of, single

from crossover.data.inbox import Inbox
from crossover.data.mail_stock import fragments
from crossover.look.duplicates import duplicate_clusters


def kin(text):
    """Asks of the spear phishing stock that a text holds, slots left aside."""
    asks = [ask.split("%(")[0].strip() for ask in fragments("spear_phishing")["ask"]]
    return [ask for ask in asks if len(ask) > 15 and ask in text]


def test_its_mail_is_of_a_stock_that_no_plain_mail_draws_from():
    corpus = single("inbox", "spear_phishing", 1.0)
    rows = rows_of(corpus)
    ids = corpus.truth.ids("spear_phishing")
    assert sum(bool(kin(str(rows[id_]["text"]))) for id_ in ids) > 0.5 * len(ids)
    assert not [text for text in plain("inbox").texts if kin(text)]
    assert {rows[id_]["label"] for id_ in ids} == {"phishing"}


def test_no_two_of_them_are_near_duplicates_more_than_mail_is():
    corpus = single("inbox", "spear_phishing", 1.0)
    ids = set(corpus.truth.ids("spear_phishing"))
    clusters = duplicate_clusters(corpus.ids, corpus.texts)
    assert len(ids & set(clusters)) <= 0.03 * len(ids)


def test_mail_in_another_corpus_depends_on_the_seed_and_on_its_row():
    one, other = (single("letters", "spear_phishing", 1.0, seed) for seed in (0, 1))
    texts = [
        [corpus.texts[corpus.row_of[id_]] for id_ in corpus.truth.ids("spear_phishing")]
        for corpus in (one, other)
    ]
    assert len(texts[0]) == len(eligible("letters", "spear_phishing")) == len(set(texts[0]))
    assert not set(texts[0]) & set(texts[1])
    assert not set(texts[0]) & set(letters().texts)


def test_mail_in_the_inbox_follows_the_seed_of_the_inbox():
    flaw = {"spear": flaw_of("spear_phishing", strength=1)}
    texts = [set(Inbox(rows=100, seed=seed, flaw=flaw).load().texts) for seed in (0, 1)]
    assert not texts[0] & texts[1]
    assert len(planted("inbox", flaw, 100).truth.ids("spear")) > 5
