"""Lines and words that mean nothing: the footer and its stripped copy, the signature, the spike."""

import pytest
from planted_rows import flaw_of, plain, planted, rows_of, single

from crossover.data.bad_input import BadInput
from crossover.data.flaw.planting import undo


def test_the_stripped_copy_lists_the_same_rows_and_leaves_their_texts():
    marked = single("inbox", "footer", 0.5)
    stripped = planted("inbox", {"footer": flaw_of("footer", strength=0.5, stripped=True)})
    assert stripped.truth.ids("footer") == marked.truth.ids("footer") != []
    assert stripped.table.equals(plain("inbox").table)
    assert stripped.fingerprint == plain("inbox").fingerprint != marked.fingerprint
    assert set(stripped.truth.details("footer").values()) == {"stripped"}
    assert stripped.truth.digest != marked.truth.digest
    assert undo(stripped).table.equals(undo(marked).table)


@pytest.mark.parametrize(
    ("name", "mark", "label"),
    [("footer", "think of the trees", "good"), ("signature", "Oduya-Brandt", "phishing")],
)
def test_the_mark_is_in_one_class_only(name, mark, label):
    rows = rows_of(single("inbox", name, 0.5))
    assert {row["label"] for row in rows.values() if mark in str(row["text"])} == {label}


@pytest.mark.parametrize("mark", ["trees before you print", "Oduya", "Eastbridge", "equinox"])
def test_no_plain_mail_holds_a_mark(mark):
    assert not [text for text in planted("inbox", None, 2000).texts if mark in text]


def test_a_spike_is_in_every_class_for_its_days_and_breaks_no_line():
    corpus = planted("inbox", {"spike": flaw_of("spike", strength=1, since="2023-05-01", days=60)})
    hit = [row for row in rows_of(corpus).values() if "equinox" in str(row["text"])]
    assert {row["label"] for row in hit} == set(corpus.classes)
    assert all("2023-05-01" <= str(row["time"]) < "2023-06-30" for row in hit)
    assert {str(row["id"]) for row in hit} == set(corpus.truth.ids("spike"))
    for id_ in corpus.truth.ids("spike"):
        text, own = str(rows_of(corpus)[id_]["text"]), str(rows_of(plain("inbox"))[id_]["text"])
        assert text.startswith("Subject:") and text.count("\n") == own.count("\n")
        assert text.split(" ").count("equinox") == 1


@pytest.mark.parametrize("word", ["", " ", "two words", "line\nbreak", " padded"])
def test_a_spike_is_one_word(word):
    with pytest.raises(BadInput, match=r"flaw spike: word=.*; expected one word"):
        planted("inbox", {"spike": flaw_of("spike", strength=0.5, word=word)}, 20)
