"""What no split reaches is named: predictions of another system, encoders that may have met the texts."""

from types import SimpleNamespace

import pytest

from crossover.data.corpus import Card, Corpus
from crossover.look.finding import Finding
from crossover.protocol.component import component
from crossover.study.fitted_elsewhere import fitted_elsewhere, newest_year

BAYES = component("crossover.model.naive_bayes.NaiveBayes")
OTHER = component("crossover.model.external.External", {"path": "llm.csv"})


def corpus(dates: str, times: list[str | None] | None = None) -> Corpus:
    meta = {} if times is None else {"date": ("time", times)}
    return Corpus.from_columns("x", ["a", "b"], ["p", "q"], Card("s", "s", "s", dates, "s"), meta=meta)


def found(of: Corpus | None = None, **arms) -> list[Finding]:
    settings = {"arms": {name: arm.to_json() for name, arm in arms.items()}}
    return fitted_elsewhere(
        SimpleNamespace(settings=lambda: settings, corpus=of or corpus("unknown"))  # type: ignore[arg-type]
    )


def probe(**encoder):
    made = component("crossover.model.encoder.encoder.Encoder", encoder)
    return component("crossover.model.probe.Probe", {"encoder": made})


def finetune(**settings):
    encoder = component("crossover.model.encoder.encoder.Encoder", {})
    return component("crossover.model.finetune.Finetune", {"encoder": encoder, **settings})


def test_predictions_from_elsewhere_are_said_to_be_unseen_from_here() -> None:
    (one,) = found(bayes=BAYES, llm=OTHER)
    assert one.severity == "info" and one.evidence == {"arms": ["llm"]}
    assert "llm" in one.title and "cannot be seen from here" in one.title


def test_what_is_fitted_here_needs_no_such_word() -> None:
    assert found(bayes=BAYES) == []


def test_texts_older_than_the_encoder_may_have_been_met() -> None:
    (one,) = found(corpus("2004 to 2011"), tfidf=BAYES, probe=probe(), tuned=finetune())
    assert one.code == "older-than-encoder" and one.severity == "info"
    assert one.evidence == {"encoder": "minilm", "arms": ["probe", "tuned"], "released": 2021, "newest": 2011}
    assert "2011" in one.title and "2021" in one.title and "after 2021" in one.remedy


def test_texts_written_after_the_encoder_cannot_have_been() -> None:
    assert found(corpus("2004 to 2011", ["2022-01-02T00:00:00+00:00", None]), probe=probe()) == []
    assert found(corpus("spring 2022"), probe=probe()) == []
    assert len(found(corpus("spring 2021"), probe=probe())) == 1, "of the same year: before or after"


def test_weights_that_were_drawn_at_random_met_nothing() -> None:
    assert found(corpus("2004"), scratch=finetune(pretrained=False)) == []


@pytest.mark.parametrize(
    ("of", "arm", "said"),
    [
        (corpus("unknown"), probe(), "neither a time column nor the card"),
        (corpus("2030"), probe(name="org/model", revision="0" * 40), "no year is known"),
    ],
)
def test_where_a_year_is_not_known_that_is_said(of, arm, said) -> None:
    (one,) = found(of, probe=arm)
    assert said in one.title and "cannot be excluded" in one.title


def test_the_newest_year_is_that_of_the_rows_before_that_of_the_card() -> None:
    assert newest_year(corpus("2011", ["2009-01-01T00:00:00+00:00", "2010-01-01T00:00:00+00:00"])) == 2010
    assert newest_year(corpus("2011", [None, None])) == 2011
    assert newest_year(corpus("no year, 12345")) is None
